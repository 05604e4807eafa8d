/* Tests and intervals against scipy and counts of all outcomes (tests/parity/golden_statistics.py). */
#include "support.h"

#include "reporting/statistics.h"
#include "reporting/table.h"

enum { MOST = 64 };

/* Numbers parted by blanks. */
static size_t read_numbers(const char *text, double *values)
{
    size_t n = 0;
    char *end = NULL;
    for (double value = strtod(text, &end); end != text; value = strtod(text, &end)) {
        assert_true(n < MOST);
        values[n++] = value;
        text = end;
    }
    return n;
}

static void expect_same(double value, double wanted)
{
    if (isnan(wanted))
        assert_true(isnan(value));
    else
        expect_near(value, wanted, 1e-9 * (1 + fabs(wanted)));
}

static void expect_interval(const bt_interval *interval, const double *wanted)
{
    expect_same(interval->value, wanted[0]);
    expect_same(interval->low, wanted[1]);
    expect_same(interval->high, wanted[2]);
}

static void check(const char *what, const double *x, size_t n, const double *wanted)
{
    bt_wilcoxon test;
    bt_interval interval;
    double p[MOST + 1], adjusted[MOST + 1];
    if (!strcmp(what, "wilcoxon")) {
        expect_ok(bt_wilcoxon_test(x, n, &test));
        expect_same(test.statistic, wanted[0]);
        expect_same(test.p, wanted[1]);
    } else if (!strcmp(what, "hodges_lehmann")) {
        expect_ok(bt_hodges_lehmann(x, n, &interval));
        expect_interval(&interval, wanted);
    } else if (!strcmp(what, "mean")) {
        interval = bt_mean_interval(x, n);
        expect_interval(&interval, wanted);
    } else if (!strcmp(what, "student_p")) {
        expect_same(bt_student_p(x[0], x[1]), wanted[0]);
    } else if (!strcmp(what, "student_quantile")) {
        expect_same(bt_student_quantile(x[0], x[1]), wanted[0]);
    } else {
        assert_string_equal(what, "holm");
        memcpy(p, x, n * sizeof *p);
        p[n] = (double)NAN; /* not counted */
        expect_ok(bt_holm(p, n + 1, adjusted));
        for (size_t i = 0; i < n; ++i) expect_same(adjusted[i], wanted[i]);
        assert_true(isnan(adjusted[n]));
    }
}

static void numbers_are_scipys(void **state)
{
    (void)state;
    bt_table golden;
    double x[MOST], wanted[MOST];
    expect_ok(bt_table_read(test_file("golden/reporting/statistics.csv"), &golden));
    assert_true(golden.n_row > 30);
    for (size_t row = 0; row < golden.n_row; ++row) {
        const size_t n = read_numbers(bt_table_cell(&golden, row, "input"), x);
        assert_true(read_numbers(bt_table_cell(&golden, row, "output"), wanted) > 0);
        check(bt_table_cell(&golden, row, "what"), x, n, wanted);
    }
    bt_table_clear(&golden);
}

/* SCIENCE 3.2: 0.0078 at n = 8, 0.0625 at n = 5, 0.25 at n = 3; reached when all differences agree in sign. */
static void least_p_is_reached(void **state)
{
    (void)state;
    const double x[] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8};
    bt_wilcoxon test;
    for (size_t n = 1; n <= 8; ++n) {
        expect_ok(bt_wilcoxon_test(x, n, &test));
        expect_near(test.p, bt_wilcoxon_least_p(n), 1e-15);
    }
    expect_near(bt_wilcoxon_least_p(8), 0.0078125, 1e-15);
    expect_near(bt_wilcoxon_least_p(5), 0.0625, 1e-15);
    expect_near(bt_wilcoxon_least_p(3), 0.25, 1e-15);
    assert_true(bt_wilcoxon_least_p(0) == 1);
}

static void gains_are_ratios_of_means(void **state)
{
    (void)state;
    const double before[] = {0.1, 0.2, 0.3, 0.2, 0.2}, after[] = {0.13, 0.26, 0.39, 0.26, 0.26}, weak[] = {0.01, 0.02};
    bt_interval gain;
    expect_ok(bt_percent_gain(before, after, 5, &gain)); /* 30 % in everyone: also in each draw */
    expect_near(gain.value, 30, 1e-9);
    expect_near(gain.low, 30, 1e-9);
    expect_near(gain.high, 30, 1e-9);
    const double uneven[] = {0.1, 0.3, 0.3, 0.2, 0.4};
    expect_ok(bt_percent_gain(before, uneven, 5, &gain));
    expect_near(gain.value, 30, 1e-9);
    assert_true(gain.low > -15 && gain.low < 15 && gain.high > 40 && gain.high < 80);
    expect_ok(bt_percent_gain(before, after, 4, &gain)); /* too few to draw from */
    assert_true(isnan(gain.low));
    expect_ok(bt_percent_gain(weak, after, 2, &gain));
    assert_true(isnan(gain.value));
}

static void nothing_gives_nothing(void **state)
{
    (void)state;
    bt_wilcoxon test;
    bt_interval interval;
    double median = 0;
    expect_ok(bt_wilcoxon_test(NULL, 0, &test));
    assert_true(test.n == 0 && test.p == 1);
    expect_ok(bt_hodges_lehmann(NULL, 0, &interval));
    assert_true(isnan(interval.value));
    assert_true(isnan(bt_mean_interval(NULL, 0).value));
    expect_ok(bt_median(NULL, 0, &median));
    assert_true(isnan(median));
    const double three[] = {3, 1, 2}, four[] = {4, 1, 3, 2};
    expect_ok(bt_median(three, 3, &median));
    assert_true(median == 2);
    expect_ok(bt_median(four, 4, &median));
    assert_true(median == 2.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_scipys),
        cmocka_unit_test(least_p_is_reached),
        cmocka_unit_test(gains_are_ratios_of_means),
        cmocka_unit_test(nothing_gives_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, test_no_leak);
}
