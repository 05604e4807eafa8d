/* Products, Gram matrices and eigenproblems of the device against plain loops, on whole matrices and on parts. */
#include "base/random.h"
#include "device/device.h"
#include "device/spectral.h"
#include "device/threads.h"
#include "support.h"

#include <float.h>

static bt_device *device;

/* A buffer of n normal numbers, and the same in `host` as float64. */
static bt_buffer *normals(bt_dtype type, size_t n, uint64_t seed, double **host)
{
    bt_buffer *buffer = NULL;
    bt_random random = bt_random_start(seed, 1);
    double *const x = bt_calloc(n, sizeof *x);
    float *const single = bt_calloc(n, sizeof *single);
    assert_true(x && single);
    for (size_t i = 0; i < n; ++i) {
        single[i] = (float)bt_random_normal(&random);
        x[i] = single[i];
    }
    expect_ok(bt_buffer_create(device, type, n, &buffer));
    expect_ok(bt_buffer_write(buffer, 0, type == BT_F32 ? (void *)single : (void *)x, n));
    bt_free(single);
    *host = x;
    return buffer;
}

static double element(const bt_buffer *buffer, size_t at)
{
    float single = 0.0F;
    double value = 0.0;
    if (bt_buffer_type(buffer) == BT_F64) {
        expect_ok(bt_buffer_read(buffer, at, &value, 1));
        return value;
    }
    expect_ok(bt_buffer_read(buffer, at, &single, 1));
    return single;
}

/* Matrix parts: op(A) (m, k) at row 1, column 2 of something larger, and so on; nothing beside C changes. */
static void product_of(bt_dtype type, bt_transpose op_a, bt_transpose op_b, size_t m, size_t n, size_t k)
{
    const double alpha = -1.5, beta = 0.5, eps = type == BT_F32 ? (double)FLT_EPSILON : DBL_EPSILON;
    const size_t rows_a = op_a == BT_PLAIN ? m : k, columns_a = op_a == BT_PLAIN ? k : m;
    const size_t rows_b = op_b == BT_PLAIN ? k : n, columns_b = op_b == BT_PLAIN ? n : k;
    double *a = NULL, *b = NULL, *c = NULL;
    bt_buffer *of_a = normals(type, (rows_a + 1) * (columns_a + 3), 1, &a);
    bt_buffer *of_b = normals(type, (rows_b + 2) * (columns_b + 1), 2, &b);
    bt_buffer *of_c = normals(type, (m + 2) * (n + 2), 3, &c);
    const bt_matrix part_a = bt_matrix_part(bt_matrix_of(of_a, rows_a + 1, columns_a + 3), 1, 2, rows_a, columns_a);
    const bt_matrix part_b = bt_matrix_part(bt_matrix_of(of_b, rows_b + 2, columns_b + 1), 1, 1, rows_b, columns_b);
    const bt_matrix part_c = bt_matrix_part(bt_matrix_of(of_c, m + 2, n + 2), 1, 1, m, n);
    expect_ok(bt_product(device, op_a, op_b, alpha, part_a, part_b, beta, part_c));
    for (size_t i = 0; i < m + 2; ++i)
        for (size_t j = 0; j < n + 2; ++j) {
            const size_t at = i * (n + 2) + j;
            if (i == 0 || j == 0 || i == m + 1 || j == n + 1) {
                assert_true(element(of_c, at) == c[at]);
                continue;
            }
            double sum = 0.0, size = fabs(c[at]);
            for (size_t l = 0; l < k; ++l) {
                const size_t row_a = op_a == BT_PLAIN ? i - 1 : l, column_a = op_a == BT_PLAIN ? l : i - 1;
                const size_t row_b = op_b == BT_PLAIN ? l : j - 1, column_b = op_b == BT_PLAIN ? j - 1 : l;
                const double term = a[part_a.offset + row_a * part_a.stride + column_a] *
                                    b[part_b.offset + row_b * part_b.stride + column_b];
                sum += term;
                size += 2.0 * fabs(term);
            }
            expect_near(element(of_c, at), alpha * sum + beta * c[at], eps * (double)(k + 4) * size);
        }
    bt_buffer_destroy(&of_a);
    bt_buffer_destroy(&of_b);
    bt_buffer_destroy(&of_c);
    bt_free(a);
    bt_free(b);
    bt_free(c);
}

static void products_match_plain_loops(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {{1, 1, 1},  {2, 3, 4},  {7, 5, 0}, {17, 31, 9}, {33, 8, 65},
                                       {1, 40, 3}, {40, 1, 3}, {0, 4, 4}, {4, 0, 4}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; ++s)
        for (int a = BT_PLAIN; a <= BT_TRANSPOSED; ++a)
            for (int b = BT_PLAIN; b <= BT_TRANSPOSED; ++b)
                for (int type = BT_F32; type <= BT_F64; ++type)
                    product_of((bt_dtype)type, (bt_transpose)a, (bt_transpose)b, shapes[s][0], shapes[s][1],
                               shapes[s][2]);
}

/* C (m, n) and its quarters, one product each, of parts of larger matrices: on two threads the whole is made by tiles
 * of our own where the CPU has AVX-512, the quarters by OpenBLAS. */
static void quarters_of(bt_dtype type, bt_transpose op_a, bt_transpose op_b, size_t k)
{
    enum { M = 513, N = 530, HALF = 265 };
    const double eps = type == BT_F32 ? (double)FLT_EPSILON : DBL_EPSILON;
    double *a = NULL, *b = NULL, *c = NULL;
    bt_buffer *of_a = normals(type, (M + 1) * (k + 1), 1, &a), *of_b = normals(type, (N + 1) * (k + 1), 2, &b);
    bt_buffer *whole = normals(type, M * (N + 2), 3, &c), *parts = NULL;
    expect_ok(bt_buffer_create(device, type, M * (N + 2), &parts));
    const bt_matrix left = op_a == BT_PLAIN ? bt_matrix_part(bt_matrix_of(of_a, M + 1, k + 1), 1, 1, M, k)
                                            : bt_matrix_part(bt_matrix_of(of_a, k + 1, M + 1), 1, 1, k, M);
    const bt_matrix right = op_b == BT_PLAIN ? bt_matrix_part(bt_matrix_of(of_b, k + 1, N + 1), 1, 1, k, N)
                                             : bt_matrix_part(bt_matrix_of(of_b, N + 1, k + 1), 1, 1, N, k);
    const bt_matrix out[] = {bt_matrix_part(bt_matrix_of(whole, M, N + 2), 0, 1, M, N),
                             bt_matrix_part(bt_matrix_of(parts, M, N + 2), 0, 1, M, N)};
    expect_ok(bt_convert(device, bt_matrix_of(whole, M, N + 2), bt_matrix_of(parts, M, N + 2)));
    expect_ok(bt_product(device, op_a, op_b, -1.5, left, right, 0.5, out[0]));
    for (size_t i = 0; i < M; i += HALF)
        for (size_t j = 0; j < N; j += HALF) {
            const size_t rows = M - i < HALF ? M - i : HALF, columns = N - j < HALF ? N - j : HALF;
            expect_ok(bt_product(
                device, op_a, op_b, -1.5,
                op_a == BT_PLAIN ? bt_matrix_part(left, i, 0, rows, k) : bt_matrix_part(left, 0, i, k, rows),
                op_b == BT_PLAIN ? bt_matrix_part(right, 0, j, k, columns) : bt_matrix_part(right, j, 0, columns, k),
                0.5, bt_matrix_part(out[1], i, j, rows, columns)));
        }
    for (size_t i = 0; i < M * (N + 2); ++i) expect_near(element(whole, i), element(parts, i), 4 * eps * (double)k);
    bt_buffer_destroy(&of_a);
    bt_buffer_destroy(&of_b);
    bt_buffer_destroy(&whole);
    bt_buffer_destroy(&parts);
    bt_free(a);
    bt_free(b);
    bt_free(c);
}

/* One panel, several, and part of one. */
static void large_products_are_their_quarters(void **state)
{
    (void)state;
    for (int type = BT_F32; type <= BT_F64; ++type)
        for (int a = BT_PLAIN; a <= BT_TRANSPOSED; ++a)
            for (int b = BT_PLAIN; b <= BT_TRANSPOSED; ++b)
                quarters_of((bt_dtype)type, (bt_transpose)a, (bt_transpose)b, a == b ? 130 : 400);
}

/* The same bits on two and three threads; NaN that C held, gone; rows and columns behind the most that is packed at
 * once as if they were alone. */
static void large_products_do_not_depend_on_threads_or_parts(void **state)
{
    (void)state;
    enum { M = 8200, N = 513, K = 128, LAST = 12 };
    double *a = NULL, *b = NULL;
    float *const x = bt_calloc(M * N, sizeof *x), *const y = bt_calloc(M * N, sizeof *y);
    bt_buffer *of_a = normals(BT_F32, M * K, 1, &a), *of_b = normals(BT_F32, K * N, 2, &b), *of_c = NULL;
    assert_true(x && y);
    for (size_t i = 0; i < M * N; ++i) x[i] = NAN;
    expect_ok(bt_buffer_create(device, BT_F32, M * N, &of_c));
    const bt_matrix left = bt_matrix_of(of_a, M, K), right = bt_matrix_of(of_b, K, N), c = bt_matrix_of(of_c, M, N);
    for (int n_thread = 2; n_thread <= 3; ++n_thread) {
        bt_device *other = NULL;
        bt_threads_set(n_thread);
        expect_ok(bt_device_create(BT_DEVICE_CPU, &other));
        expect_ok(bt_buffer_write(of_c, 0, x, M * N));
        expect_ok(bt_product(other, BT_PLAIN, BT_PLAIN, 1, left, right, 0, c));
        expect_ok(bt_buffer_read(of_c, 0, n_thread == 2 ? x : y, M * N));
        bt_device_destroy(&other);
    }
    bt_threads_set(2);
    assert_memory_equal(x, y, M * N * sizeof *x);
    expect_ok(bt_product(device, BT_PLAIN, BT_PLAIN, 1, bt_matrix_part(left, M - LAST, 0, LAST, K), right, 0,
                         bt_matrix_part(c, 0, 0, LAST, N)));
    for (size_t i = 0; i < LAST * N; ++i) expect_near(element(of_c, i), (double)x[(M - LAST) * N + i], 1e-4);
    expect_ok(bt_product(device, BT_TRANSPOSED, BT_TRANSPOSED, 1, right, left, 0, bt_matrix_of(of_c, N, M)));
    for (size_t i = 0; i < N; ++i)
        for (size_t j = M - LAST; j < M; ++j) expect_near(element(of_c, i * M + j), (double)x[j * N + i], 1e-4);
    bt_buffer_destroy(&of_a);
    bt_buffer_destroy(&of_b);
    bt_buffer_destroy(&of_c);
    bt_free(a);
    bt_free(b);
    bt_free(x);
    bt_free(y);
}

static void beta_zero_forgets_what_was_there(void **state)
{
    (void)state;
    double *a = NULL;
    bt_buffer *of_a = normals(BT_F64, 4, 1, &a), *of_c = NULL;
    const double nan4[4] = {NAN, NAN, NAN, NAN};
    expect_ok(bt_buffer_create(device, BT_F64, 4, &of_c));
    expect_ok(bt_buffer_write(of_c, 0, nan4, 4));
    const bt_matrix matrix = bt_matrix_of(of_a, 2, 2), c = bt_matrix_of(of_c, 2, 2);
    expect_ok(bt_product(device, BT_PLAIN, BT_PLAIN, 1.0, matrix, matrix, 0.0, c));
    expect_near(element(of_c, 0), a[0] * a[0] + a[1] * a[2], 1e-14);
    expect_ok(bt_buffer_write(of_c, 0, nan4, 4));
    expect_ok(bt_product_gram(device, BT_PLAIN, matrix, 0.0, c));
    expect_near(element(of_c, 1), a[0] * a[2] + a[1] * a[3], 1e-14);
    bt_buffer_destroy(&of_a);
    bt_buffer_destroy(&of_c);
    bt_free(a);
}

static void gram_of(bt_dtype type, bt_transpose op, size_t rows, size_t columns)
{
    const double eps = type == BT_F32 ? (double)FLT_EPSILON : DBL_EPSILON;
    const size_t n = op == BT_PLAIN ? rows : columns, inner = op == BT_PLAIN ? columns : rows;
    double *x = NULL, *g = NULL;
    bt_buffer *of_x = normals(type, (rows + 1) * (columns + 2), 4, &x), *of_g = normals(type, n * (n + 3), 5, &g);
    const bt_matrix part = bt_matrix_part(bt_matrix_of(of_x, rows + 1, columns + 2), 1, 1, rows, columns);
    const bt_matrix gram = bt_matrix_part(bt_matrix_of(of_g, n, n + 3), 0, 2, n, n);
    expect_ok(bt_product_gram(device, op, part, 0.0, gram));
    expect_ok(bt_product_gram(device, op, part, 1.0, gram)); /* and once more on top */
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < n; ++j) {
            double sum = 0.0, size = 0.0;
            for (size_t l = 0; l < inner; ++l) {
                const size_t at_i = op == BT_PLAIN ? i * part.stride + l : l * part.stride + i;
                const size_t at_j = op == BT_PLAIN ? j * part.stride + l : l * part.stride + j;
                const double term = x[part.offset + at_i] * x[part.offset + at_j];
                sum += term;
                size += fabs(term);
            }
            const double found = element(of_g, gram.offset + i * gram.stride + j);
            expect_near(found, 2.0 * sum, 2.0 * eps * (double)(inner + 4) * size);
            assert_true(found == element(of_g, gram.offset + j * gram.stride + i));
        }
    for (size_t i = 0; i < n; ++i) assert_true(element(of_g, i * gram.stride) == g[i * gram.stride]);
    bt_buffer_destroy(&of_x);
    bt_buffer_destroy(&of_g);
    bt_free(x);
    bt_free(g);
}

static void gram_matrices_are_full_and_symmetric(void **state)
{
    (void)state;
    static const size_t shapes[][2] = {{1, 1}, {3, 2}, {20, 70},   {70, 20},  {5, 130},
                                       {0, 3}, {3, 0}, {515, 300}, {130, 530}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; ++s)
        for (int op = BT_PLAIN; op <= BT_TRANSPOSED; ++op)
            for (int type = BT_F32; type <= BT_F64; ++type)
                gram_of((bt_dtype)type, (bt_transpose)op, shapes[s][0], shapes[s][1]);
}

/* The part's own rows are its eigenvectors afterwards; what stands beside it stays. */
static void eigen_of(size_t n, size_t beside)
{
    const size_t stride = n + beside;
    double *a = NULL;
    bt_buffer *buffer = normals(BT_F64, n * stride, n, &a), *values = NULL;
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < i; ++j) a[i * stride + j] = a[j * stride + i];
    expect_ok(bt_buffer_write(buffer, 0, a, n * stride));
    expect_ok(bt_buffer_create(device, BT_F64, n, &values));
    const bt_matrix part = bt_matrix_part(bt_matrix_of(buffer, n, stride), 0, 0, n, n);
    expect_ok(bt_eigen(device, part, values));
    double *const v = bt_calloc(n * stride, sizeof *v), *const w = bt_calloc(n, sizeof *w);
    expect_ok(bt_buffer_read(buffer, 0, v, n * stride));
    expect_ok(bt_buffer_read(values, 0, w, n));
    const double bound = 20.0 * (double)n * DBL_EPSILON;
    for (size_t e = 0; e < n; ++e) {
        if (e) assert_true(w[e - 1] <= w[e]);
        for (size_t i = 0; i < n; ++i) {
            double left = -w[e] * v[e * stride + i], product = i == e ? -1.0 : 0.0;
            for (size_t j = 0; j < n; ++j) {
                left += a[i * stride + j] * v[e * stride + j];
                product += v[e * stride + j] * v[i * stride + j];
            }
            expect_near(left, 0.0, bound * sqrt((double)n));
            expect_near(product, 0.0, bound);
        }
        for (size_t j = n; j < stride; ++j) assert_true(v[e * stride + j] == a[e * stride + j]);
    }
    bt_free(a);
    bt_free(v);
    bt_free(w);
    bt_buffer_destroy(&buffer);
    bt_buffer_destroy(&values);
}

static void eigenpairs_solve_the_problem(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 90; n += n < 10 ? 1 : 20) {
        eigen_of(n, 0);
        eigen_of(n, 3);
    }
}

static void eigenproblems_must_be_finite(void **state)
{
    (void)state;
    double *a = NULL;
    bt_buffer *buffer = normals(BT_F64, 9, 1, &a), *values = NULL;
    const double nan = NAN, infinite = INFINITY;
    expect_ok(bt_buffer_create(device, BT_F64, 3, &values));
    expect_ok(bt_buffer_write(buffer, 5, &nan, 1));
    expect_failure(bt_eigen(device, bt_matrix_of(buffer, 3, 3), values), BT_ERR_NUMERICS, "(1, 2) is not finite");
    expect_ok(bt_buffer_write(buffer, 5, &infinite, 1));
    expect_failure(bt_eigen(device, bt_matrix_of(buffer, 3, 3), values), BT_ERR_NUMERICS, "(1, 2) is not finite");
    bt_buffer_destroy(&buffer);
    bt_buffer_destroy(&values);
    bt_free(a);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    bt_buffer *f32 = NULL, *f64 = NULL, *bf16 = NULL;
    expect_ok(bt_buffer_create(device, BT_F32, 12, &f32));
    expect_ok(bt_buffer_create(device, BT_F64, 12, &f64));
    expect_ok(bt_buffer_create(device, BT_BF16, 12, &bf16));
    const bt_matrix a = bt_matrix_of(f32, 3, 4), b = bt_matrix_of(f64, 3, 4), square = bt_matrix_of(f32, 3, 3);
    const bt_matrix half = bt_matrix_of(bf16, 3, 3);
    expect_failure(bt_product(device, BT_PLAIN, BT_TRANSPOSED, 1.0, a, b, 0.0, square), BT_ERR_INTERNAL, "one type");
    expect_failure(bt_product(device, BT_PLAIN, BT_PLAIN, 1.0, half, half, 0.0, half), BT_ERR_INTERNAL, "float32");
    expect_failure(bt_product(device, BT_PLAIN, BT_PLAIN, 1.0, a, a, 0.0, square), BT_ERR_INTERNAL, "(3, 4)");
    expect_failure(bt_product_gram(device, BT_TRANSPOSED, a, 0.0, square), BT_ERR_INTERNAL, "order 4");
    expect_failure(bt_eigen(device, square, f64), BT_ERR_INTERNAL, "float64");
    expect_failure(bt_eigen(device, b, f64), BT_ERR_INTERNAL, "(3, 4)");
    bt_matrix large = bt_matrix_of(f32, (size_t)1 << 31, 4);
    expect_failure(bt_product_gram(device, BT_TRANSPOSED, large, 0.0, square), BT_ERR_INPUT, "2147483648");
    large = bt_matrix_of(f32, 4, 4);
    expect_failure(bt_product_gram(device, BT_PLAIN, large, 0.0, large), BT_ERR_INTERNAL, "buffer of 12");
    bt_buffer_destroy(&f32);
    bt_buffer_destroy(&f64);
    bt_buffer_destroy(&bf16);
}

static int start(void **state)
{
    (void)state;
    bt_threads_set(2);
    return bt_device_create(BT_DEVICE_CPU, &device) != BT_OK;
}

static int end(void **state)
{
    (void)state;
    bt_device_destroy(&device);
    return bt_memory_live() != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_match_plain_loops),
        cmocka_unit_test(large_products_are_their_quarters),
        cmocka_unit_test(large_products_do_not_depend_on_threads_or_parts),
        cmocka_unit_test(beta_zero_forgets_what_was_there),
        cmocka_unit_test(gram_matrices_are_full_and_symmetric),
        cmocka_unit_test(eigenpairs_solve_the_problem),
        cmocka_unit_test(eigenproblems_must_be_finite),
        cmocka_unit_test(misuse_is_refused),
    };
    return cmocka_run_group_tests(tests, start, end);
}
