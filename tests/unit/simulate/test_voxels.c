/* Voxels: weights by region, signal-to-noise as set, noise as described, ceilings against Monte Carlo. */
#include "support.h"

#include "base/random.h"
#include "simulate/voxels.h"

enum { BANDS = 2, CATEGORIES = 3, DRIVERS = BANDS + CATEGORIES, ROWS = 120 };
static const bt_voxel_options usual = {.n_voxel = {4, 5, 6, 3},
                                       .snr = {{0.2, 0.4}, {0.5, 1}, {1, 1}, {0.3, 0.3}},
                                       .mixed_share = 0.25,
                                       .autocorrelation = 0.5,
                                       .n_band = BANDS,
                                       .n_category = CATEGORIES};

/* Smooth drivers (ROWS, DRIVERS) with mean 0, and their covariance. */
static void make_drivers(double *drivers, double *covariance)
{
    bt_random random = bt_random_start(1, 1);
    double mean[DRIVERS] = {0}, now[DRIVERS] = {0};
    for (size_t i = 0; i < ROWS; ++i)
        for (size_t d = 0; d < DRIVERS; ++d) {
            now[d] = 0.7 * now[d] + bt_random_normal(&random);
            drivers[i * DRIVERS + d] = now[d];
            mean[d] += now[d] / ROWS;
        }
    for (size_t i = 0; i < ROWS * DRIVERS; ++i) drivers[i] -= mean[i % DRIVERS];
    memset(covariance, 0, DRIVERS * DRIVERS * sizeof *covariance);
    bt_voxels_add_products(ROWS, DRIVERS, drivers, covariance);
    for (size_t i = 0; i < DRIVERS * DRIVERS; ++i) covariance[i] /= ROWS;
}

typedef struct {
    double drivers[ROWS * DRIVERS], covariance[DRIVERS * DRIVERS];
    bt_voxels voxels;
    double *signal, *noise, *sum; /* (ROWS, n_voxel) */
} brain;

static brain make_brain(const bt_voxel_options *options)
{
    brain b;
    make_drivers(b.drivers, b.covariance);
    expect_ok(bt_voxels_draw(options, b.covariance, 9, "SIM01", &b.voxels));
    const size_t n = ROWS * b.voxels.n_voxel;
    b.signal = bt_calloc(n, sizeof(double));
    b.noise = bt_calloc(n, sizeof(double));
    b.sum = bt_calloc(n, sizeof(double));
    bt_voxels_signal(&b.voxels, b.drivers, ROWS, b.signal);
    return b;
}

static void clear_brain(brain *b)
{
    bt_voxels_clear(&b->voxels);
    bt_free(b->signal);
    bt_free(b->noise);
    bt_free(b->sum);
}

static double variance(const double *x, size_t n, size_t stride)
{
    double mean = 0, square = 0;
    for (size_t i = 0; i < n; ++i) mean += x[i * stride] / (double)n;
    for (size_t i = 0; i < n; ++i) square += (x[i * stride] - mean) * (x[i * stride] - mean) / (double)n;
    return square;
}

static double weight(const brain *b, size_t driver, size_t voxel)
{
    return b->voxels.weights[driver * b->voxels.n_voxel + voxel];
}

static void regions_have_their_drivers(void **state)
{
    (void)state;
    brain b = make_brain(&usual);
    assert_int_equal(b.voxels.n_voxel, 18);
    size_t counted[BT_ROIS + 1] = {0};
    for (size_t v = 0; v < b.voxels.n_voxel; ++v) {
        const int roi = b.voxels.roi[v];
        ++counted[roi];
        assert_true(v == 0 || roi >= b.voxels.roi[v - 1]);
        for (size_t d = 0; d < DRIVERS; ++d) {
            const bool has_bands = roi == BT_ROI_AUDITORY || roi == BT_ROI_MIXED;
            const bool has_words = roi == BT_ROI_LANGUAGE || roi == BT_ROI_MIXED;
            assert_true((weight(&b, d, v) != 0) == (d < BANDS ? has_bands : has_words));
        }
    }
    for (size_t r = 0; r < BT_ROIS; ++r) assert_int_equal(counted[r + 1], usual.n_voxel[r]);
    clear_brain(&b);
}

static void ratio_is_as_set(void **state)
{
    (void)state;
    brain b = make_brain(&usual);
    for (size_t v = 0; v < b.voxels.n_voxel; ++v) {
        const int roi = b.voxels.roi[v];
        const double snr = b.voxels.snr[v];
        if (roi != BT_ROI_NULL) assert_true(snr >= usual.snr[roi - 1][0] && snr <= usual.snr[roi - 1][1]);
        if (roi == BT_ROI_NULL) assert_true(snr == 0);
        expect_near(variance(b.signal + v, ROWS, b.voxels.n_voxel), snr / (1 + snr), 1e-10);
    }
    clear_brain(&b);
}

/* Where the two parts are uncorrelated, the mixed voxels' language part has its share of the variance. */
static void mixed_share_is_as_set(void **state)
{
    (void)state;
    double covariance[DRIVERS * DRIVERS] = {0};
    bt_voxels voxels;
    for (size_t d = 0; d < DRIVERS; ++d) covariance[d * DRIVERS + d] = 1;
    expect_ok(bt_voxels_draw(&usual, covariance, 2, "S", &voxels));
    for (size_t v = 0; v < voxels.n_voxel; ++v) {
        double words = 0, all = 0;
        for (size_t d = 0; d < DRIVERS; ++d) {
            const double square = pow(voxels.weights[d * voxels.n_voxel + v], 2);
            all += square;
            words += d < BANDS ? 0 : square;
        }
        if (voxels.roi[v] == BT_ROI_MIXED) expect_near(words / all, usual.mixed_share, 1e-12);
    }
    bt_voxels_clear(&voxels);
}

/* Expected sample variance 1 / (1 + snr), mean 0, and the sample autocorrelation of lag 1. */
static void noise_is_as_described(void **state)
{
    (void)state;
    enum { DRAWS = 400 };
    brain b = make_brain(&usual);
    const size_t n = b.voxels.n_voxel;
    double power[18] = {0}, lag[18] = {0};
    for (size_t r = 0; r < DRAWS; ++r) {
        expect_ok(bt_voxels_noise(&b.voxels, usual.autocorrelation, 4, "SIM01/test01", r, ROWS, b.noise));
        for (size_t v = 0; v < n; ++v) {
            double mean = 0;
            for (size_t i = 0; i < ROWS; ++i) mean += b.noise[i * n + v] / ROWS;
            expect_near(mean, 0, 1e-12);
            power[v] += variance(b.noise + v, ROWS, n) / DRAWS;
            for (size_t i = 1; i < ROWS; ++i)
                lag[v] += b.noise[i * n + v] * b.noise[(i - 1) * n + v] / (ROWS - 1) / DRAWS;
        }
    }
    double mean_power = 0;
    for (size_t v = 0; v < n; ++v) {
        expect_near(power[v] * (1 + b.voxels.snr[v]), 1, 0.05);
        expect_near(lag[v] / power[v], usual.autocorrelation, 0.04);
        mean_power += power[v] * (1 + b.voxels.snr[v]) / (double)n;
    }
    expect_near(mean_power, 1, 0.01);
    clear_brain(&b);
}

/* Mean over draws of the correlation between signal and mean of repeats. */
static void ceilings_match_monte_carlo(void **state)
{
    (void)state;
    enum { DRAWS = 200, REPEATS = 4 };
    brain b = make_brain(&usual);
    const size_t n = b.voxels.n_voxel;
    double cc_max[18], r[18], mean_r[18] = {0};
    bt_voxels_ceiling(&b.voxels, b.signal, ROWS, REPEATS, cc_max);
    for (size_t draw = 0; draw < DRAWS; ++draw) {
        memcpy(b.sum, b.signal, ROWS * n * sizeof *b.sum);
        for (size_t k = 0; k < REPEATS; ++k) {
            expect_ok(bt_voxels_noise(&b.voxels, usual.autocorrelation, 5, "S/T", draw * REPEATS + k, ROWS, b.noise));
            for (size_t i = 0; i < ROWS * n; ++i) b.sum[i] += b.noise[i] / REPEATS;
        }
        bt_voxels_correlate(b.signal, b.sum, ROWS, n, r);
        for (size_t v = 0; v < n; ++v) mean_r[v] += r[v] / DRAWS;
    }
    for (size_t v = 0; v < n; ++v) expect_near(cc_max[v], mean_r[v], 0.01);
    assert_true(cc_max[0] > 0.5 && cc_max[n - 1] == 0);
    clear_brain(&b);
}

/* A voxel's weights and noise stay what they are when other voxels or other drivers' rows come and go. */
static void voxels_have_streams_of_their_own(void **state)
{
    (void)state;
    bt_voxel_options fewer = usual;
    fewer.n_voxel[BT_ROI_NULL - 1] = 1;
    brain all = make_brain(&usual), some = make_brain(&fewer);
    expect_ok(bt_voxels_noise(&all.voxels, 0.5, 4, "S/T", 0, ROWS, all.noise));
    expect_ok(bt_voxels_noise(&some.voxels, 0.5, 4, "S/T", 0, ROWS, some.noise));
    expect_ok(bt_voxels_noise(&all.voxels, 0.5, 4, "S/T", 1, ROWS, all.sum));
    for (size_t v = 0; v < some.voxels.n_voxel; ++v) {
        for (size_t d = 0; d < DRIVERS; ++d) assert_true(weight(&all, d, v) == weight(&some, d, v));
        for (size_t i = 0; i < ROWS; ++i)
            assert_true(all.noise[i * all.voxels.n_voxel + v] == some.noise[i * some.voxels.n_voxel + v]);
    }
    double r[18];
    bt_voxels_correlate(all.noise, all.sum, ROWS, all.voxels.n_voxel, r); /* repeats are independent */
    for (size_t v = 0; v < all.voxels.n_voxel; ++v) assert_true(fabs(r[v]) < 0.5);
    bt_voxels_correlate(all.noise, all.noise, ROWS, all.voxels.n_voxel, r);
    for (size_t v = 0; v < all.voxels.n_voxel; ++v) expect_near(r[v], 1, 1e-12);
    clear_brain(&all);
    clear_brain(&some);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(regions_have_their_drivers, test_no_leak),
        cmocka_unit_test_teardown(ratio_is_as_set, test_no_leak),
        cmocka_unit_test_teardown(mixed_share_is_as_set, test_no_leak),
        cmocka_unit_test_teardown(noise_is_as_described, test_no_leak),
        cmocka_unit_test_teardown(ceilings_match_monte_carlo, test_no_leak),
        cmocka_unit_test_teardown(voxels_have_streams_of_their_own, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
