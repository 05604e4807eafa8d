/* Weighted sums over components against plain loops, in both precisions, at sizes that fill tiles and that do not. */
#include "device_matrices.h"

#include "device/kernels/kernels.h"
#include "device/spectral.h"

/* A device matrix of normals in either type, and the same numbers in float64. */
static bt_matrix real_made(bt_device *device, bt_dtype type, uint64_t stream, size_t rows, size_t columns,
                           double **host)
{
    float *values = NULL;
    bt_matrix single = made(device, stream, rows, columns, &values), out = single;
    *host = bt_calloc(rows * columns, sizeof **host);
    for (size_t i = 0; i < rows * columns; ++i) (*host)[i] = (double)values[i];
    bt_free(values);
    if (type == BT_F64) {
        bt_buffer *buffer = NULL;
        expect_ok(bt_buffer_create(device, BT_F64, rows * columns, &buffer));
        out = bt_matrix_of(buffer, rows, columns);
        expect_ok(bt_convert(device, single, out));
        bt_buffer_destroy(&single.buffer);
    }
    return out;
}

typedef struct {
    bt_matrix matrix;
    double *host;
} pair;

static void expect_sums(bt_device *device, bt_dtype type, size_t n, size_t columns, size_t n_weight, bool with_second)
{
    pair of[5]; /* x, y, z, first, second */
    for (size_t i = 0; i < 5; ++i)
        of[i].matrix = real_made(device, type, 10 + i, i < 3 ? n : n_weight, i < 3 ? columns : n, &of[i].host);
    bt_buffer *sums = NULL;
    double *const found = bt_calloc(n_weight * columns, sizeof *found);
    expect_ok(bt_buffer_create(device, BT_F64, n_weight * columns, &sums));
    bt_spectral_sums task = {
        .x = of[0].matrix, .y = of[1].matrix, .first = of[3].matrix, .sums = bt_matrix_of(sums, n_weight, columns)};
    if (with_second) {
        task.z = of[2].matrix;
        task.second = of[4].matrix;
    }
    expect_ok(bt_spectral(device, &task));
    expect_ok(bt_buffer_read(sums, 0, found, n_weight * columns));
    for (size_t k = 0; k < n_weight; ++k)
        for (size_t v = 0; v < columns; ++v) {
            double sum = 0, size = 0;
            for (size_t i = 0; i < n; ++i) {
                const double a = of[3].host[k * n + i] * of[0].host[i * columns + v] * of[1].host[i * columns + v];
                const double b = of[4].host[k * n + i] * of[0].host[i * columns + v] * of[2].host[i * columns + v];
                sum += a + (with_second ? b : 0);
                size += fabs(a) + fabs(b);
            }
            expect_near(found[k * columns + v], sum, (type == BT_F64 ? 1e-15 : 5e-7) * (size + 1));
        }
    for (size_t i = 0; i < 5; ++i) {
        bt_buffer_destroy(&of[i].matrix.buffer);
        bt_free(of[i].host);
    }
    bt_buffer_destroy(&sums);
    bt_free(found);
}

static void test_sums_as_plain_loops(void **state)
{
    const size_t sizes[][3] = {{1, 1, 1}, {64, 32, 8}, {65, 33, 9}, {200, 100, 15}, {130, 16, 33}, {63, 31, 70}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i)
        for (int second = 0; second < 2; ++second) {
            expect_sums(*state, BT_F32, sizes[i][0], sizes[i][1], sizes[i][2], second);
            expect_sums(*state, BT_F64, sizes[i][0], sizes[i][1], sizes[i][2], second);
        }
}

/* Every instruction set that this CPU has. */
static void test_kernels_agree(void **state)
{
    (void)state;
    enum { N = 70, LANES = 13, WEIGHTS = 11, DEPTH = 2 * BT_SPECTRAL_ROWS };
    float *const x = bt_calloc(N * LANES, sizeof *x), *const table = bt_calloc(2 * WEIGHTS * DEPTH, sizeof *table);
    double *const wide = bt_calloc(N * LANES, sizeof *wide), *const wide_table =
                                                                 bt_calloc(2 * WEIGHTS * DEPTH, sizeof *wide_table);
    double first[WEIGHTS * LANES] = {0};
    bt_random random = bt_random_start(3, 4);
    for (size_t i = 0; i < N * LANES; ++i) wide[i] = (double)(x[i] = (float)bt_random_normal(&random));
    for (size_t i = 0; i < 2 * WEIGHTS * DEPTH; ++i)
        wide_table[i] = (double)(table[i] = (float)bt_random_normal(&random));
    for (size_t set = 0; bt_kernels_at(set); ++set) {
        double sums[WEIGHTS * LANES], wide_sums[WEIGHTS * LANES];
        bt_kernels_at(set)->spectral_f32(
            &(bt_spectral_f32){x, x, x, LANES, LANES, LANES, N, LANES, table, WEIGHTS, WEIGHTS, sums, LANES});
        bt_kernels_at(set)->spectral_f64(&(bt_spectral_f64){wide, wide, wide, LANES, LANES, LANES, N, LANES, wide_table,
                                                            WEIGHTS, WEIGHTS, wide_sums, LANES});
        if (set == 0) memcpy(first, wide_sums, sizeof first);
        for (size_t i = 0; i < WEIGHTS * LANES; ++i) {
            expect_near(sums[i], first[i], 2e-4);
            expect_near(wide_sums[i], first[i], 1e-12);
        }
    }
    bt_free(x);
    bt_free(table);
    bt_free(wide);
    bt_free(wide_table);
}

static void test_converting_there_and_back(void **state)
{
    bt_device *const device = *state;
    float *host = NULL;
    bt_matrix from = made(device, 3, 7, 9, &host), back = empty(device, 7, 9);
    bt_buffer *wide = NULL;
    expect_ok(bt_buffer_create(device, BT_F64, 7 * 12, &wide));
    const bt_matrix part = {.buffer = wide, .offset = 2, .rows = 7, .columns = 9, .stride = 11};
    expect_ok(bt_convert(device, from, part));
    expect_ok(bt_convert(device, part, back));
    float *const found = fetched(back);
    assert_memory_equal(found, host, 7 * 9 * sizeof *host);
    expect_ok(bt_convert(device, back, from));
    expect_failure(bt_convert(device, from, bt_matrix_of(wide, 9, 7)), BT_ERR_INTERNAL, "bt_convert");
    bt_free(found);
    bt_free(host);
    bt_buffer_destroy(&from.buffer);
    bt_buffer_destroy(&back.buffer);
    bt_buffer_destroy(&wide);
}

/* Of either type into either. */
static void test_shrinking(void **state)
{
    enum { ROWS = 2, COLUMNS = 3, ALL = ROWS * COLUMNS };
    bt_device *const device = *state;
    static const double singular[ROWS] = {2, 0.5}, penalty[COLUMNS] = {0, 1, 12};
    static const double wanted[ALL] = {0.5, 0.8, 0.375, 8, 2, 12 * 0.5 / 12.25}, wide[ALL] = {1, 2, 3, 4, 5, 12};
    static const float narrow[ALL] = {1, 2, 3, 4, 5, 12};
    const bt_dtype types[] = {BT_F32, BT_F64};
    for (int from = 0; from < 2; ++from)
        for (int to = 0; to < 2; ++to) {
            bt_buffer *q = NULL, *out = NULL;
            double found[ALL];
            float rounded[ALL];
            expect_ok(bt_buffer_create(device, types[from], ALL, &q));
            expect_ok(bt_buffer_create(device, types[to], ALL, &out));
            expect_ok(bt_buffer_write(q, 0, from ? (const void *)wide : narrow, ALL));
            expect_ok(
                bt_shrink(device, bt_matrix_of(q, ROWS, COLUMNS), singular, penalty, bt_matrix_of(out, ROWS, COLUMNS)));
            expect_ok(bt_buffer_read(out, 0, to ? (void *)found : rounded, ALL));
            for (size_t i = 0; i < ALL; ++i)
                expect_near(to ? found[i] : (double)rounded[i], wanted[i], to ? 1e-15 : 1e-6);
            bt_buffer_destroy(&q);
            bt_buffer_destroy(&out);
        }
}

static void test_picked_rows_and_columns(void **state)
{
    enum { ALL = 4, ROWS = 3, STRIDE = 5, TAKEN = 4 };
    bt_device *const device = *state;
    static const size_t row[ROWS] = {0, 2, 3}, column[TAKEN] = {4, 0, 0, 2}, wrong[TAKEN] = {4, 0, 5, 2};
    float host[ALL * STRIDE], narrow[ROWS * TAKEN];
    double wide[ROWS * TAKEN];
    bt_buffer *to[2] = {NULL, NULL};
    for (int i = 0; i < ALL * STRIDE; ++i) host[i] = (float)i + 0.25F;
    expect_ok(bt_buffer_create(device, BT_F32, ROWS * TAKEN, &to[0]));
    expect_ok(bt_buffer_create(device, BT_F64, ROWS * TAKEN, &to[1]));
    for (int way = 0; way < 4; ++way) {
        const bt_picked from = {host, STRIDE, way & 1 ? row : NULL, way & 2 ? column : NULL};
        for (int k = 0; k < 2; ++k) expect_ok(bt_write_picked(device, &from, bt_matrix_of(to[k], ROWS, TAKEN)));
        expect_ok(bt_buffer_read(to[0], 0, narrow, ROWS * TAKEN));
        expect_ok(bt_buffer_read(to[1], 0, wide, ROWS * TAKEN));
        for (size_t i = 0; i < ROWS; ++i)
            for (size_t j = 0; j < TAKEN; ++j) {
                const float wanted = host[(way & 1 ? row[i] : i) * STRIDE + (way & 2 ? column[j] : j)];
                assert_true(narrow[i * TAKEN + j] == wanted && wide[i * TAKEN + j] == (double)wanted);
            }
    }
    expect_failure(bt_write_picked(device, &(bt_picked){host, STRIDE, NULL, wrong}, bt_matrix_of(to[0], ROWS, TAKEN)),
                   BT_ERR_INTERNAL, "column 5 of 5");
    bt_buffer_destroy(&to[0]);
    bt_buffer_destroy(&to[1]);
}

static void test_what_does_not_fit_is_refused(void **state)
{
    bt_device *const device = *state;
    float *host = NULL, *weights = NULL;
    bt_matrix x = made(device, 3, 4, 5, &host), w = made(device, 4, 2, 4, &weights);
    bt_spectral_sums task = {.x = x, .y = x, .first = w, .sums = x};
    expect_failure(bt_spectral(device, &task), BT_ERR_INTERNAL, "2 weights of 4 components and 5 columns");
    bt_free(host);
    bt_free(weights);
    bt_buffer_destroy(&x.buffer);
    bt_buffer_destroy(&w.buffer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sums_as_plain_loops),
        TEST(test_kernels_agree),
        TEST(test_shrinking),
        TEST(test_converting_there_and_back),
        TEST(test_picked_rows_and_columns),
        TEST(test_what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
