/* TR times, windows and Lanczos against golden files of tests/parity/golden_timing.py. */
#include "support.h"

#include "io/array.h"
#include "stimulus/timing.h"

/* golden/timing/NAME.npy, owned by the caller. */
static double *golden(const char *name, size_t *n, size_t *d)
{
    char relative[128];
    int rank = 0;
    size_t shape[BT_ARRAY_RANK] = {0};
    double *values = NULL;
    (void)snprintf(relative, sizeof relative, "golden/timing/%s.npy", name);
    expect_ok(bt_array_read_all(test_file(relative), &rank, shape, &values));
    *n = shape[0];
    *d = rank > 1 ? shape[1] : 1;
    return values;
}

static void test_tr_times(void **state)
{
    (void)state;
    size_t n, d;
    double *const wanted = golden("tr_times", &n, &d);
    double *const times = bt_calloc(n, sizeof *times);
    bt_tr_times(n, 2.0045, 10.0235, 1, times);
    for (size_t k = 0; k < n; ++k) expect_near(times[k], wanted[k], 1e-9);
    bt_tr_times(n, 2.0045, 10.0235, 0, times);
    for (size_t k = 0; k < n; ++k) expect_near(times[k], wanted[k] - 2.0045 / 2, 1e-9);
    bt_free(times);
    bt_free(wanted);
}

static void compare_windows(const char *name, size_t n_sample, double context, double stride)
{
    size_t n, d;
    double *const wanted = golden(name, &n, &d);
    assert_int_equal(bt_window_count(n_sample, 16000, stride), n);
    for (size_t j = 0; j < n; ++j) {
        size_t low = 0, high = 0;
        bt_window_samples(j, 16000, context, stride, &low, &high);
        assert_int_equal(low, (size_t)wanted[2 * j]);
        assert_int_equal(high, (size_t)wanted[2 * j + 1]);
    }
    bt_free(wanted);
}

static void test_windows(void **state)
{
    (void)state;
    compare_windows("windows", 20 * 16000 + 77, 16, 0.1);
    compare_windows("windows_odd", (size_t)3 * 16000, 0.61234, 0.01234);
}

/* A stride that floating point cannot hold gives whole windows of exactly 1600 samples for an hour. */
static void test_windows_do_not_drift(void **state)
{
    (void)state;
    assert_int_equal(bt_window_count((size_t)16000 * 3600, 16000, 0.1), 36000);
    assert_int_equal(bt_window_count((size_t)16000 * 3600 - 1, 16000, 0.1), 35999);
    assert_int_equal(bt_window_count(1599, 16000, 0.1), 0);
    for (size_t j = 0; j < 36000; ++j) {
        size_t low = 0, high = 0;
        bt_window_samples(j, 16000, 16, 0.1, &low, &high);
        assert_int_equal(high, 1600 * (j + 1));
        assert_int_equal(low, j < 160 ? 0 : 1600 * (j - 160));
    }
}

/* SCIENCE annex C: 1 in the window that ends at 100.0 s, 0 elsewhere. */
static void test_annex_c(void **state)
{
    (void)state;
    enum { TRIGGERS = 306, WINDOWS = 6000 };
    size_t n, d, peak = 0;
    double *const wanted = golden("annex_c", &n, &d);
    double *const times = bt_calloc(TRIGGERS, sizeof *times), *const ends = bt_calloc(WINDOWS, sizeof *ends);
    double *const feature = bt_calloc(WINDOWS, sizeof *feature), *const rows = bt_calloc(TRIGGERS, sizeof *rows);
    bt_tr_times(TRIGGERS, 2.0045, 10.0235, 1, times);
    for (size_t j = 0; j < WINDOWS; ++j) ends[j] = bt_window_end(j, 0.1);
    expect_near(ends[999], 100.0, 1e-9);
    feature[999] = 1;
    expect_ok(bt_lanczos_resample(ends, WINDOWS, feature, 1, times, TRIGGERS, BT_LANCZOS_LOBES, rows));
    const double *const stored = rows + BT_TRIM_START;
    assert_int_equal(n, TRIGGERS - BT_TRIM_START - BT_TRIM_END);
    for (size_t i = 0; i < n; ++i) {
        expect_near(stored[i], wanted[i], 1e-9);
        if (stored[i] > stored[peak]) peak = i;
    }
    assert_int_equal(peak, 44);
    expect_near(stored[43], -0.14708657, 1e-6);
    expect_near(stored[44], 0.74881339, 1e-6);
    expect_near(stored[45], 0.45585077, 1e-6);
    bt_free(wanted);
    bt_free(times);
    bt_free(ends);
    bt_free(feature);
    bt_free(rows);
}

static void test_resample(void **state)
{
    (void)state;
    size_t n_in, d, n_out, unused;
    double *const inputs = golden("inputs", &n_in, &d), *const wanted = golden("resampled", &n_out, &unused);
    double *const ends = bt_calloc(n_in, sizeof *ends), *const times = bt_calloc(n_out, sizeof *times);
    double *const rows = bt_calloc(n_out * d, sizeof *rows);
    for (size_t j = 0; j < n_in; ++j) ends[j] = bt_window_end(j, 0.1);
    bt_tr_times(n_out, 2.0045, 10.0235, 1, times);
    expect_ok(bt_lanczos_resample(ends, n_in, inputs, d, times, n_out, BT_LANCZOS_LOBES, rows));
    for (size_t i = 0; i < n_out * d; ++i) expect_near(rows[i], wanted[i], 1e-9);
    bt_free(inputs);
    bt_free(wanted);
    bt_free(ends);
    bt_free(times);
    bt_free(rows);
}

static void test_lanczos_by_hand(void **state)
{
    (void)state;
    expect_near(bt_lanczos(5, 5, 0.5, 3), 1, 0);
    expect_near(bt_lanczos(7, 5, 0.5, 3), 0, 1e-15);
    expect_near(bt_lanczos(11.001, 5, 0.5, 3), 0, 0);
    expect_near(bt_lanczos(6, 5, 0.5, 3), 3 * 1.0 * 0.5 / (9.8696044010893586 * 0.25), 1e-12);
    expect_near(bt_lanczos(4, 5, 0.5, 3), bt_lanczos(6, 5, 0.5, 3), 1e-15);
}

/* Whatever can be reached has a weight, and nothing else. */
static void test_reach(void **state)
{
    (void)state;
    double times[40];
    bt_tr_times(40, 2.0045, 10.0235, 1, times);
    for (double at = -40; at < 120; at += 0.37) {
        size_t low = 0, high = 0;
        bt_lanczos_reach(times, 40, at, 1 / 2.0045, 3, &low, &high);
        assert_true(low <= high && high <= 40);
        for (size_t k = 0; k < 40; ++k) {
            const double distance = fabs(times[k] - at) / 2.0045;
            if (fabs(distance - 3) > 1e-9) assert_int_equal(k >= low && k < high, distance < 3);
        }
    }
}

static void test_bad_times(void **state)
{
    (void)state;
    const double same[] = {1, 1}, in[] = {1};
    double out[2];
    expect_failure(bt_lanczos_resample(in, 1, in, 1, same, 1, 3, out), BT_ERR_INPUT, "at least 2 TR times, found 1");
    expect_failure(bt_lanczos_resample(in, 1, in, 1, same, 2, 3, out), BT_ERR_INPUT, "must ascend");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tr_times), cmocka_unit_test(test_windows),   cmocka_unit_test(test_windows_do_not_drift),
        cmocka_unit_test(test_annex_c),  cmocka_unit_test(test_resample),  cmocka_unit_test(test_lanczos_by_hand),
        cmocka_unit_test(test_reach),    cmocka_unit_test(test_bad_times),
    };
    return cmocka_run_group_tests(tests, NULL, test_no_leak);
}
