/* Our own kernels, for every instruction set that this CPU has: the same answers from each. */
#include "support.h"

#include "base/random.h"
#include "device/kernels/kernels.h"

static double exact_gelu(double x)
{
    return 0.5 * x * (1 + erf(x / sqrt(2)));
}

static float *normals(uint64_t stream, size_t n)
{
    bt_random random = bt_random_start(3, stream);
    float *const x = bt_calloc(n, sizeof *x);
    for (size_t i = 0; i < n; ++i) x[i] = (float)bt_random_normal(&random);
    return x;
}

static double largest_gap(const float *a, const float *b, size_t n)
{
    double largest = 0;
    for (size_t i = 0; i < n; ++i) largest = fmax(largest, fabs((double)a[i] - (double)b[i]));
    return largest;
}

static void some_set_is_usable(void **state)
{
    (void)state;
    assert_non_null(bt_kernels_at(0));
    assert_ptr_equal(bt_kernels_best(), bt_kernels_at(0));
    size_t n = 0;
    while (bt_kernels_at(n)) print_message("usable: %s\n", bt_kernels_at(n++)->name);
    assert_ptr_equal(bt_kernels_at(n - 1), &bt_kernels_baseline);
    assert_null(bt_kernels_at(99));
}

/* The error that kernels/lanes.h states, over all magnitudes, and tails that saturate. */
static void gelu(void **state)
{
    (void)state;
    enum { N = 200001 };
    float *const x = bt_calloc(N, sizeof *x), *const y = bt_calloc(N, sizeof *y);
    for (size_t i = 0; i < N; ++i) x[i] = (float)(((double)i - N / 2) * 1e-4);
    x[0] = -1e30f;
    x[1] = 1e30f;
    for (size_t k = 0; bt_kernels_at(k); ++k) {
        bt_kernels_at(k)->gelu(x, y, N);
        for (size_t i = 2; i < N; ++i) {
            const double error = fabs((double)y[i] - exact_gelu((double)x[i]));
            assert_true(error < (fabs((double)x[i]) < 3 ? 4e-7 : 7e-7));
        }
        expect_near((double)y[1] / 1e30, 1, 1e-6);
        expect_near((double)y[0] / 1e30, 0, 1e-6);
    }
    bt_free(x);
    bt_free(y);
}

/* GELU'(x) = Phi(x) + x phi(x) over all magnitudes. */
static void gelu_backward(void **state)
{
    (void)state;
    enum { N = 200003 };
    float *const x = bt_calloc(N, sizeof *x), *const dy = bt_calloc(N, sizeof *dy),
                 *const dx = bt_calloc(N, sizeof *dx);
    for (size_t i = 0; i < N; ++i) {
        x[i] = (float)(((double)i - N / 2) * 1e-4);
        dy[i] = i % 2 ? 1.0f : -2.0f;
    }
    x[0] = -1e30f;
    x[1] = 1e30f;
    for (size_t k = 0; bt_kernels_at(k); ++k) {
        bt_kernels_at(k)->gelu_backward(x, dy, dx, N);
        for (size_t i = 0; i < N; ++i) {
            const double at = (double)x[i], density = exp(-0.5 * at * at) / sqrt(2 * acos(-1));
            const double slope = 0.5 * (1 + erf(at / sqrt(2))) + (fabs(at) < 30 ? at * density : 0);
            expect_near((double)dx[i], (double)dy[i] * slope, 1e-6);
        }
    }
    bt_free(x);
    bt_free(dy);
    bt_free(dx);
}

static void norm_backward(void **state)
{
    (void)state;
    for (size_t set = 0; bt_kernels_at(set); ++set)
        for (size_t n = 2; n < 70; ++n) {
            float *const x = normals(n, n), *const scale = normals(n + 100, n), *const d = normals(n + 200, n);
            double mean = 0, variance = 0, g = 0, gh = 0, wanted[70];
            for (size_t j = 0; j < n; ++j) mean += (double)x[j] / (double)n;
            for (size_t j = 0; j < n; ++j) variance += ((double)x[j] - mean) * ((double)x[j] - mean) / (double)n;
            const double inverse = 1 / sqrt(variance + 0.1);
            for (size_t j = 0; j < n; ++j) {
                g += (double)d[j] * (double)scale[j] / (double)n;
                gh += (double)d[j] * (double)scale[j] * ((double)x[j] - mean) * inverse / (double)n;
            }
            for (size_t j = 0; j < n; ++j)
                wanted[j] = ((double)d[j] * (double)scale[j] - g - ((double)x[j] - mean) * inverse * gh) * inverse;
            float found[2];
            bt_kernels_at(set)->norm_moments(x, n, 0.1f, found);
            expect_near((double)found[0], mean, 1e-6);
            expect_near((double)found[1], inverse, 3e-6);
            bt_kernels_at(set)->norm_backward(x, scale, found, d, d, n);
            for (size_t j = 0; j < n; ++j) expect_near((double)d[j], wanted[j], 2e-5);
            bt_free(x);
            bt_free(scale);
            bt_free(d);
        }
}

/* Columns that fill vectors and that do not, more rows than are summed in single precision. */
static void sums_over_rows(void **state)
{
    (void)state;
    enum { ROWS = 37, COLUMNS = 43, STRIDE = 50 };
    float *const x = normals(1, ROWS * STRIDE), *const dy = normals(2, ROWS * STRIDE), *const m = normals(3, 2 * ROWS);
    for (size_t set = 0; bt_kernels_at(set); ++set) {
        double sums[COLUMNS], dscale[COLUMNS] = {0}, dshift[COLUMNS] = {0};
        for (size_t j = 0; j < COLUMNS; ++j) sums[j] = 1;
        bt_kernels_at(set)->column_sums(x, STRIDE, ROWS, COLUMNS, sums);
        bt_kernels_at(set)->norm_columns(x, STRIDE, dy, STRIDE, m, ROWS, COLUMNS, dscale, dshift);
        for (size_t j = 0; j < COLUMNS; ++j) {
            double plain = 1, scale = 0, shift = 0;
            for (size_t i = 0; i < ROWS; ++i) {
                const double d = (double)dy[i * STRIDE + j], at = (double)x[i * STRIDE + j];
                plain += at;
                scale += d * (at - (double)m[2 * i]) * (double)m[2 * i + 1];
                shift += d;
            }
            expect_near(sums[j], plain, 1e-5);
            expect_near(dscale[j], scale, 2e-5);
            expect_near(dshift[j], shift, 1e-5);
        }
    }
    bt_free(x);
    bt_free(dy);
    bt_free(m);
}

static void attend(void **state)
{
    (void)state;
    enum { KEYS = 300, WIDTH = 21, QUERIES = 29, STRIDE = 40 };
    float *const q = normals(1, QUERIES * STRIDE), *const k = normals(2, KEYS * STRIDE),
                 *const v = normals(3, KEYS * STRIDE);
    float *const first = bt_calloc(QUERIES * WIDTH, sizeof *first), *const other =
                                                                        bt_calloc(QUERIES * WIDTH, sizeof *other);
    float *const work = bt_calloc(bt_attend_work(WIDTH), sizeof *work);
    float *const gate = normals(4, QUERIES * 2), *const distances = normals(5, KEYS + QUERIES - 1);
    for (int variant = 0; variant < 4; ++variant)
        for (size_t set = 0; bt_kernels_at(set); ++set) {
            const bt_attend task = {.query = q,
                                    .key = k,
                                    .value = v,
                                    .out = set ? other : first,
                                    .query_stride = STRIDE,
                                    .key_stride = STRIDE,
                                    .value_stride = STRIDE,
                                    .out_stride = WIDTH,
                                    .n_query = QUERIES,
                                    .n_key = KEYS,
                                    .width = WIDTH,
                                    .causal = variant % 2,
                                    .shift = 120,
                                    .scale = 0.7f,
                                    .gate = variant < 2 ? NULL : gate,
                                    .gate_stride = 2,
                                    .distance = distances + KEYS - 1,
                                    .work = work};
            bt_kernels_at(set)->attend(&task);
            if (set) expect_near(largest_gap(first, other, QUERIES * WIDTH), 0, 5e-6);
        }
    bt_free(q);
    bt_free(k);
    bt_free(v);
    bt_free(gate);
    bt_free(distances);
    bt_free(first);
    bt_free(other);
    bt_free(work);
}

/* Several panels of columns, the last incomplete; blocks of queries and of keys, the last incomplete. */
static void attend_slope(void **state)
{
    (void)state;
    enum {
        KEYS = 150,
        WIDTH = 37,
        QUERIES = 45,
        STRIDE = 40,
        GIVEN = (2 * KEYS + QUERIES) * WIDTH,
        REACH = KEYS + QUERIES - 1
    };
    float *in[5], *const first = bt_calloc(GIVEN, sizeof *first), *const other = bt_calloc(GIVEN, sizeof *other);
    float *const work = bt_calloc(bt_attend_slope_work(WIDTH, KEYS), sizeof *work);
    float *const gate = normals(5, QUERIES * 2), *const distances = normals(6, REACH);
    float sums[2][QUERIES * 2 + REACH];
    for (size_t i = 0; i < 5; ++i) in[i] = normals(i, KEYS * STRIDE);
    for (int variant = 0; variant < 4; ++variant)
        for (size_t set = 0; bt_kernels_at(set); ++set) {
            float *const to = set ? other : first, *const bias = sums[set > 0];
            memset(bias, 0, sizeof sums[0]);
            const bt_attend_slope task = {.query = in[0],
                                          .key = in[1],
                                          .value = in[2],
                                          .out = in[3],
                                          .dout = in[4],
                                          .dquery = to,
                                          .dkey = to + QUERIES * WIDTH,
                                          .dvalue = to + (QUERIES + KEYS) * WIDTH,
                                          .query_stride = STRIDE,
                                          .key_stride = STRIDE,
                                          .value_stride = STRIDE,
                                          .out_stride = STRIDE,
                                          .dout_stride = STRIDE,
                                          .dquery_stride = WIDTH,
                                          .dkey_stride = WIDTH,
                                          .dvalue_stride = WIDTH,
                                          .n_query = QUERIES,
                                          .n_key = KEYS,
                                          .width = WIDTH,
                                          .causal = variant % 2,
                                          .shift = 100,
                                          .scale = 0.3f,
                                          .gate = variant < 2 ? NULL : gate,
                                          .gate_stride = 2,
                                          .distance = distances + KEYS - 1,
                                          .dgate = bias,
                                          .ddistance = bias + QUERIES * 2 + KEYS - 1,
                                          .work = work};
            bt_kernels_at(set)->attend_slope(&task);
            if (set) expect_near(largest_gap(first, other, GIVEN), 0, 2e-5);
            if (set) expect_near(largest_gap(sums[0], sums[1], QUERIES * 2 + REACH), 0, 5e-5);
        }
    for (size_t i = 0; i < 5; ++i) bt_free(in[i]);
    bt_free(gate);
    bt_free(distances);
    bt_free(first);
    bt_free(other);
    bt_free(work);
}

static void rows_and_norms(void **state)
{
    (void)state;
    enum { ROWS = 23, DEPTH = 50, STEP = 7, LANES = 27 };
    float *const first_norm = bt_calloc(ROWS * LANES, sizeof *first_norm);
    float *const other_norm = bt_calloc(ROWS * LANES, sizeof *other_norm);
    float *const a = normals(1, ROWS * STEP + DEPTH), *const panel = normals(2, DEPTH * BT_LANES),
                 *const bias = normals(3, BT_LANES);
    float *const first = bt_calloc(ROWS * LANES, sizeof *first), *const other = bt_calloc(ROWS * LANES, sizeof *other);
    for (size_t set = 0; bt_kernels_at(set); ++set) {
        float *const out = set ? other : first;
        const bt_panel_rows task = {.a = a,
                                    .a_step = STEP,
                                    .depth = DEPTH,
                                    .panel = panel,
                                    .bias = bias,
                                    .out = out,
                                    .out_stride = LANES,
                                    .n_lane = LANES,
                                    .gelu = true};
        bt_kernels_at(set)->panel_rows(&task, ROWS);
        if (set) expect_near(largest_gap(first, other, ROWS * LANES), 0, 2e-5);
        float *const normed = set ? other_norm : first_norm;
        const bt_norm_rows norm = {.x = out,
                                   .out = normed,
                                   .x_stride = LANES,
                                   .out_stride = LANES,
                                   .columns = LANES,
                                   .scale = bias,
                                   .shift = panel,
                                   .epsilon = 1e-5f};
        bt_kernels_at(set)->norm_rows(&norm, 0, ROWS);
        if (set) expect_near(largest_gap(first_norm, other_norm, ROWS * LANES), 0, 2e-5);
    }
    bt_free(first_norm);
    bt_free(other_norm);
    bt_free(a);
    bt_free(panel);
    bt_free(bias);
    bt_free(first);
    bt_free(other);
}

static void moments(void **state)
{
    (void)state;
    static const size_t kernels[] = {1, 10, 33}, strides[] = {1, 5, 40}, frames[] = {1, 77, BT_MOMENT_FRAMES};
    for (size_t c = 0; c < 3; ++c) {
        const size_t k = kernels[c], s = strides[c], n = frames[c];
        float *const x = normals(c, (n - 1) * s + k);
        double *const work = bt_calloc(bt_moment_work(k, s), sizeof *work);
        for (size_t set = 0; bt_kernels_at(set); ++set) {
            double *const sums = bt_calloc((k + 1) * k, sizeof *sums), centred[2];
            bt_kernels_at(set)->moments(x, n, k, s, work, sums);
            for (size_t i = 0; i <= k; ++i)
                for (size_t j = 0; j < k; ++j) {
                    double sum = 0;
                    for (size_t f = 0; f < n; ++f) sum += (i < k ? (double)x[f * s + i] : 1) * (double)x[f * s + j];
                    expect_near(sums[i * k + j], sum, 1e-11 * (double)n);
                }
            double plain = 0, squares = 0;
            for (size_t i = 0; i < (n - 1) * s + k; ++i) {
                plain += (double)x[i] - 0.5;
                squares += ((double)x[i] - 0.5) * ((double)x[i] - 0.5);
            }
            bt_kernels_at(set)->centred_sums(x, (n - 1) * s + k, 0.5, centred);
            expect_near(centred[0], plain, 1e-8);
            expect_near(centred[1], squares, 1e-8);
            bt_free(sums);
        }
        bt_free(x);
        bt_free(work);
    }
}

/* Part of a panel, and odd numbers of taps and frames. */
static void signal_slope(void **state)
{
    (void)state;
    enum { FRAMES = 51, KERNEL = 11, STRIDE = 3, LANES = 21, PITCH = 40 };
    float *const x = normals(1, (FRAMES - 1) * STRIDE + KERNEL), *const h = normals(2, FRAMES * PITCH);
    float *const da = normals(3, FRAMES * PITCH);
    const bt_signal_slope task = {.x = x,
                                  .stride = STRIDE,
                                  .kernel = KERNEL,
                                  .h = h,
                                  .da = da,
                                  .h_stride = PITCH,
                                  .da_stride = PITCH,
                                  .n_lane = LANES};
    for (size_t set = 0; bt_kernels_at(set); ++set) {
        double sums[(KERNEL + 1) * BT_LANES] = {0};
        bt_kernels_at(set)->signal_slope(&task, FRAMES, sums);
        for (size_t k = 0; k <= KERNEL; ++k)
            for (size_t lane = 0; lane < BT_LANES; ++lane) {
                double sum = 0;
                for (size_t f = 0; f < FRAMES && lane < LANES; ++f) {
                    const double at = (double)h[f * PITCH + lane];
                    const double slope = 0.5 * (1 + erf(at / sqrt(2))) + at * exp(-at * at / 2) / sqrt(2 * acos(-1));
                    sum += (double)da[f * PITCH + lane] * slope * (k < KERNEL ? (double)x[f * STRIDE + k] : 1);
                }
                expect_near(sums[k * BT_LANES + lane], sum, 2e-5);
            }
    }
    bt_free(x);
    bt_free(h);
    bt_free(da);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(some_set_is_usable), cmocka_unit_test(gelu),           cmocka_unit_test(gelu_backward),
        cmocka_unit_test(norm_backward),      cmocka_unit_test(attend),         cmocka_unit_test(attend_slope),
        cmocka_unit_test(sums_over_rows),     cmocka_unit_test(rows_and_norms), cmocka_unit_test(moments),
        cmocka_unit_test(signal_slope)};
    return cmocka_run_group_tests_name("device.kernels", tests, NULL, test_no_leak);
}
