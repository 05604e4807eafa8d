/* Products in 16 bits against float64: the error that shorts.h states, sums that would leave 32 bits, magnitudes from
 * end to end; and this CPU's kernels against the plain ones. */
#include "base/random.h"
#include "device/kernels/kernels.h"
#include "device/shorts.h"
#include "support.h"

#include <float.h>

static bt_device *device;

/* Left (m, depth), right (., n) of which `index` (depth) are the rows, and what the device makes of them. */
typedef struct {
    size_t m, n, depth;
    float *a, *y, *c;
    size_t *index;
} task;

static task make(size_t m, size_t n, size_t depth)
{
    task t = {.m = m, .n = n, .depth = depth};
    bt_random random = bt_random_start(4, m + n + depth);
    t.a = bt_calloc(m * depth, sizeof *t.a);
    t.y = bt_calloc(2 * depth * n, sizeof *t.y);
    t.c = bt_calloc(m * n, sizeof *t.c);
    t.index = bt_calloc(depth, sizeof *t.index);
    for (size_t i = 0; i < m * depth; ++i) t.a[i] = (float)bt_random_normal(&random);
    for (size_t i = 0; i < 2 * depth * n; ++i) t.y[i] = (float)bt_random_normal(&random);
    for (size_t k = 0; k < depth; ++k) t.index[k] = 2 * k + (k % 3 == 0);
    return t;
}

static void clear(task *t)
{
    bt_free(t->a);
    bt_free(t->y);
    bt_free(t->c);
    bt_free(t->index);
}

static void multiply(const task *t)
{
    bt_buffer *a = NULL, *c = NULL;
    bt_shorts left = {0}, right = {0};
    expect_ok(bt_buffer_create(device, BT_F32, t->m * t->depth, &a));
    expect_ok(bt_buffer_create(device, BT_F32, t->m * t->n, &c));
    expect_ok(bt_buffer_write(a, 0, t->a, t->m * t->depth));
    expect_ok(bt_shorts_of_rows(device, bt_matrix_of(a, t->m, t->depth), &left));
    expect_ok(bt_shorts_of_columns(device, t->y, t->n, t->index, t->depth, &right));
    assert_true(bt_shorts_bytes(t->m, t->depth) >= 4.0 * (double)(t->m * t->depth) / 2);
    bt_shorts_product(device, &left, &right, bt_matrix_of(c, t->m, t->n));
    expect_ok(bt_buffer_read(c, 0, t->c, t->m * t->n));
    bt_shorts_clear(&left);
    bt_shorts_clear(&right);
    bt_buffer_destroy(&a);
    bt_buffer_destroy(&c);
}

typedef struct {
    double product, a, y; /* exact, and the norms of the two lines */
} exact;

static exact exactly(const task *t, size_t i, size_t v)
{
    exact e = {0};
    for (size_t k = 0; k < t->depth; ++k) {
        const double a = t->a[i * t->depth + k], y = t->y[t->index[k] * t->n + v];
        e.product += a * y;
        e.a += a * a;
        e.y += y * y;
    }
    e.a = sqrt(e.a);
    e.y = sqrt(e.y);
    return e;
}

/* Parts of tiles, of chunks and of panels. */
static void errors_are_as_stated(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {{1, 1, 1},       {14, 32, 128},  {15, 33, 129},
                                       {31, 300, 1100}, {430, 70, 700}, {3, 5, 2500}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; ++s) {
        task t = make(shapes[s][0], shapes[s][1], shapes[s][2]);
        double squares = 0, worst = 0;
        multiply(&t);
        for (size_t i = 0; i < t.m; ++i)
            for (size_t v = 0; v < t.n; ++v) {
                const exact e = exactly(&t, i, v);
                const double unit = BT_SHORT_ERROR * e.a * e.y / sqrt((double)t.depth);
                const double error = fabs((double)t.c[i * t.n + v] - e.product) / unit;
                squares += error * error;
                worst = fmax(worst, error);
            }
        const double mean = sqrt(squares / (double)(t.m * t.n));
        print_message("%zu x %zu x %zu: error %.2f, at most %.2f\n", t.m, t.n, t.depth, mean, worst);
        assert_true(worst < 7);
        if (t.m * t.n > 10000) assert_true(mean > 0.5 && mean < 1.1);
        clear(&t);
    }
}

/* Lines that are multiples of each other make the largest sums that chunks can have. */
static void sums_stay_in_range(void **state)
{
    (void)state;
    enum { KINDS = 4 };
    task t = make(28, 64, 256);
    for (int kind = 0; kind < KINDS; ++kind) {
        for (size_t k = 0; k < t.depth; ++k) {
            const float value = kind == 0   ? 1
                                : kind == 1 ? (k % 2 ? -3e-3F : 3e-3F)
                                : kind == 2 ? (k % 128 == 5 ? 1 : 0)
                                            : (float)(k % 128 < 2);
            for (size_t i = 0; i < t.m; ++i) t.a[i * t.depth + k] = (i % 2 ? -1.F : 1.F) * value;
            for (size_t v = 0; v < t.n; ++v) t.y[t.index[k] * t.n + v] = value;
        }
        multiply(&t);
        for (size_t i = 0; i < t.m; ++i)
            for (size_t v = 0; v < t.n; ++v) {
                const exact e = exactly(&t, i, v);
                expect_near((double)t.c[i * t.n + v] / e.product, 1, 3e-4);
            }
    }
    clear(&t);
}

/* Lines as small and as large as float32 holds, chunks of zeros and single large elements among them. */
static void magnitudes_do_not_matter(void **state)
{
    (void)state;
    task t = make(20, 40, 600);
    for (size_t k = 0; k < t.depth; ++k)
        for (size_t v = 0; v < t.n; ++v) {
            float *const y = &t.y[t.index[k] * t.n + v];
            *y *= v % 4 == 0 ? 1e-30F : v % 4 == 1 ? 1e30F : 1;
            if (v % 4 == 2 && k < 256) *y = 0;
            if (v % 4 == 3 && k == 300) *y = 200;
            if (v == 6) *y = 0;
        }
    multiply(&t);
    for (size_t i = 0; i < t.m; ++i)
        for (size_t v = 0; v < t.n; ++v) {
            const exact e = exactly(&t, i, v);
            assert_true(fabs((double)t.c[i * t.n + v] - e.product) <= 5e-4 * e.a * e.y / sqrt((double)t.depth) * 3);
            if (v == 6) assert_true(t.c[i * t.n + v] == 0);
        }
    clear(&t);
}

/* The plain kernels stand in for those of any CPU. */
static void kernels_agree(void **state)
{
    (void)state;
    enum { CHUNKS = 3, PAIRS = BT_SHORT_CHUNK / 2, ROWS = 13, LANES = 29 };
    const bt_short_kernels *const sets[] = {&bt_short_kernels_baseline, bt_short_kernels_best()};
    float c[2][BT_SHORT_ROWS * BT_LANES] = {{0}};
    static float x[BT_SHORT_CHUNK * BT_LANES];
    bt_random random = bt_random_start(6, 1);
    for (size_t i = 0; i < BT_SHORT_CHUNK * BT_LANES; ++i) x[i] = (float)bt_random_normal(&random);
    for (int set = 0; set < 2; ++set) {
        static int32_t a[2][CHUNKS * PAIRS * BT_SHORT_LEFT], b[2][CHUNKS * PAIRS * BT_LANES];
        float a_unit[CHUNKS * BT_SHORT_LEFT], b_unit[CHUNKS * BT_LANES];
        for (size_t k = 0; k < CHUNKS; ++k) {
            sets[set]->pack(x + 32 * k, BT_SHORT_LEFT, a[set] + k * PAIRS * BT_SHORT_LEFT, a_unit + k * BT_SHORT_LEFT);
            sets[set]->pack(x, BT_LANES, b[set] + k * PAIRS * BT_LANES, b_unit + k * BT_LANES);
        }
        const bt_short_product product = {a[set], b[set], a_unit, b_unit,   CHUNKS,
                                          ROWS,   LANES,  c[set], BT_LANES, set == 1};
        sets[set]->product(&product);
        for (size_t i = 0; set == 1 && i < CHUNKS * PAIRS * BT_LANES; ++i)
            assert_true(abs((int16_t)b[0][i] - (int16_t)b[1][i]) <= 1); /* units may differ in their last bit */
    }
    for (size_t i = 0; i < BT_SHORT_ROWS * BT_LANES; ++i) {
        expect_near((double)c[0][i], (double)c[1][i], 2e-3);
        if (i % BT_LANES >= LANES || i / BT_LANES >= ROWS) assert_true(c[1][i] == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(errors_are_as_stated), cmocka_unit_test(sums_stay_in_range),
                                       cmocka_unit_test(magnitudes_do_not_matter), cmocka_unit_test(kernels_agree)};
    expect_ok(bt_device_create(BT_DEVICE_CPU, &device));
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    bt_device_destroy(&device);
    return failed;
}
