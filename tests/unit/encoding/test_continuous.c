/* The best of a continuum against a fine grid, on curves as ridge gives them. */
#include "support.h"

#include "base/memory.h"
#include "base/random.h"
#include "encoding/continuous.h"

enum { SPLITS = 3, COMPONENTS = 20, GRID = 20001 };

typedef struct {
    double a[SPLITS][COMPONENTS], gain[SPLITS][COMPONENTS];
} curves;

static curves make(uint64_t stream)
{
    curves c;
    bt_random random = bt_random_start(1, stream);
    for (size_t k = 0; k < SPLITS; ++k)
        for (size_t i = 0; i < COMPONENTS; ++i) {
            c.a[k][i] = exp(8 * bt_random_uniform(&random));
            c.gain[k][i] = 0.5 + bt_random_normal(&random);
        }
    return c;
}

/* 1 - error: shrunk components explain, noise in them costs. */
static double score(const curves *c, size_t k, bt_score_kind kind, double penalty)
{
    double value = 0;
    for (size_t i = 0; i < COMPONENTS; ++i) {
        const double w = c->a[k][i] / (c->a[k][i] + penalty);
        value += (2 * w * c->gain[k][i] - w * w) / COMPONENTS;
    }
    if (kind == BT_SCORE_MSE) return 1 - value;
    return kind == BT_SCORE_SIGNED_ROOT ? copysign(sqrt(fabs(value)), value) : value;
}

static double mean(const curves *c, bt_score_kind kind, double penalty)
{
    double sum = 0;
    for (size_t k = 0; k < SPLITS; ++k) sum += score(c, k, kind, penalty);
    return kind == BT_SCORE_MSE ? -sum / SPLITS : sum / SPLITS;
}

static void expect_best(const curves *c, bt_score_kind kind, double low, double high)
{
    const size_t n = bt_continuous_count(low, high);
    double *const point = bt_calloc(n, sizeof *point), *const penalty = bt_calloc(n, sizeof *penalty);
    double *const values = bt_calloc(SPLITS * n, sizeof *values);
    double best = -INFINITY, at = 0;
    bool at_low = false, at_high = false;
    bt_continuous_points(low, high, n, point, penalty);
    for (size_t k = 0; k < SPLITS; ++k)
        for (size_t i = 0; i < n; ++i) values[k * n + i] = score(c, k, kind, penalty[i]);
    const bt_continuous curve = {kind, SPLITS, n, low, high, point, values, 1};
    const double found = bt_continuous_best(&curve, &at_low, &at_high);
    for (size_t i = 0; i < GRID; ++i) {
        const double here = low * pow(high / low, (double)i / (GRID - 1));
        if (mean(c, kind, here) <= best) continue;
        best = mean(c, kind, here);
        at = here;
    }
    assert_true(mean(c, kind, found) >= best - 1e-9);
    assert_true(at_low == (at == low) && at_high == (at == high));
    bt_free(point);
    bt_free(penalty);
    bt_free(values);
}

static void test_no_grid_is_better(void **state)
{
    (void)state;
    static const bt_score_kind kinds[] = {BT_SCORE_R2, BT_SCORE_MSE, BT_SCORE_SIGNED_ROOT};
    for (uint64_t stream = 0; stream < 12; ++stream) {
        const curves c = make(stream);
        for (size_t k = 0; k < 3; ++k) {
            expect_best(&c, kinds[k], 1e2, 1e8);
            expect_best(&c, kinds[k], 1e-3, 1e1);
        }
    }
}

static void test_points_are_as_many_as_the_range_needs(void **state)
{
    (void)state;
    double point[64], penalty[64];
    assert_int_equal(bt_continuous_count(3, 3), 1);
    assert_int_equal(bt_continuous_count(1e2, 1e8), 53);
    assert_true(bt_continuous_count(1, 1.1) >= 8);
    bt_continuous_points(1, 100, 5, point, penalty);
    expect_near(penalty[0], 1, 0);
    expect_near(penalty[2], 10, 1e-12);
    expect_near(penalty[4], 100, 0);
    bt_continuous_points(4, 4, 1, point, penalty);
    expect_near(penalty[0], 4, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_no_grid_is_better, test_no_leak),
        cmocka_unit_test_teardown(test_points_are_as_many_as_the_range_needs, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
