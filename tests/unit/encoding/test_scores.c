/* Definitions of the scores on rows that can be checked by hand, and the choice of alpha. */
#include "encoding_support.h"

#include "encoding/choice.h"
#include "encoding/scores.h"

enum { ROWS = 4, VOXELS = 3 };

/* Voxel 0: y = 1,2,3,4, prediction y + 1. Voxel 1: y = 1,-1,1,-1, prediction 0. Voxel 2: y = 5, prediction 1,2,3,4. */
static const float y[ROWS * VOXELS] = {1, 1, 5, 2, -1, 5, 3, 1, 5, 4, -1, 5};
static const double p[ROWS * VOXELS] = {2, 0, 1, 3, 0, 2, 4, 0, 3, 5, 0, 4};

static void expect_scores(bt_score_rule rule, double first, double second, double third)
{
    double score[VOXELS];
    bt_score(rule, y, p, ROWS, VOXELS, score);
    expect_near(score[0], first, 1e-12);
    expect_near(score[1], second, 1e-12);
    expect_near(score[2], third, 1e-12);
}

static void test_definitions(void **state)
{
    (void)state;
    expect_scores((bt_score_rule){BT_SCORE_MSE, false}, 1, 1, 7.5);
    expect_scores((bt_score_rule){BT_SCORE_R2, false}, 1 - 1 / 1.25, 0, 0);
    expect_scores((bt_score_rule){BT_SCORE_SIGNED_ROOT, false}, 1, 0, 0); /* a constant error has no variance */
    expect_scores((bt_score_rule){BT_SCORE_CORRELATION, false}, 1, 0, 0);
}

/* Far from 0 squares of means would cancel; over more voxels than one thread takes at once. */
static void test_moments_far_from_zero(void **state)
{
    enum { WIDE = 300, ALL = 6 };
    (void)state;
    static const size_t row[ROWS] = {0, 2, 3, 5};
    float rows[ALL * WIDE];
    bt_moments moments[WIDE];
    for (size_t i = 0; i < ALL; ++i)
        for (size_t v = 0; v < WIDE; ++v) rows[i * WIDE + v] = 8e6F + (float)(v % 7) + (v % 2 ? (float)(i * i) : 0);
    bt_moments_of(rows, WIDE, row, ROWS, moments);
    for (size_t v = 0; v < WIDE; ++v) { /* of 0, 4, 9, 25 */
        expect_near(moments[v].mean, 8e6 + (double)(v % 7) + (v % 2 ? 9.5 : 0), 1e-9);
        expect_near(moments[v].variance, v % 2 ? 90.25 : 0, 1e-12);
    }
}

static void test_the_released_variance(void **state)
{
    (void)state;
    const float responses[] = {2, -2, 2, -2}; /* variance 4 */
    const double half[] = {1, -1, 1, -1}, away[] = {-4, 4, -4, 4};
    double score = 0;
    bt_score((bt_score_rule){BT_SCORE_SIGNED_ROOT, true}, responses, half, 4, 1, &score);
    expect_near(score, sqrt(1 - 1 / 2.5), 1e-12);
    bt_score((bt_score_rule){BT_SCORE_SIGNED_ROOT, false}, responses, half, 4, 1, &score);
    expect_near(score, sqrt(0.75), 1e-12);
    bt_score((bt_score_rule){BT_SCORE_SIGNED_ROOT, false}, responses, away, 4, 1, &score);
    expect_near(score, -sqrt(8), 1e-12);
}

/* Columns are scored in tiles; each alone must give the same. */
static void test_many_voxels_score_as_one_by_one(void **state)
{
    (void)state;
    enum { MANY = 150, N = 9 };
    static float responses[N * MANY], one[N];
    static double predictions[N * MANY], one_prediction[N], all[MANY];
    for (size_t i = 0; i < N * MANY; ++i) {
        responses[i] = (float)sin((double)i * 1.7);
        predictions[i] = cos((double)i * 0.3);
    }
    for (int kind = BT_SCORE_R2; kind <= BT_SCORE_CORRELATION; ++kind) {
        const bt_score_rule rule = {(bt_score_kind)kind, false};
        bt_score(rule, responses, predictions, N, MANY, all);
        for (size_t v = 0; v < MANY; ++v) {
            double single = 0;
            for (size_t i = 0; i < N; ++i) {
                one[i] = responses[i * MANY + v];
                one_prediction[i] = predictions[i * MANY + v];
            }
            bt_score(rule, one, one_prediction, N, 1, &single);
            expect_near(all[v], single, 0);
        }
    }
}

static void test_a_large_mean_costs_no_digits(void **state)
{
    (void)state;
    float responses[200];
    double predictions[200], score = 0;
    for (size_t i = 0; i < 200; ++i) {
        responses[i] = (float)(1e6 + (double)(i % 7));
        predictions[i] = (double)(i % 7);
    }
    bt_score((bt_score_rule){BT_SCORE_CORRELATION, false}, responses, predictions, 200, 1, &score);
    expect_near(score, 1, 1e-12);
}

static void test_the_best_alpha(void **state)
{
    (void)state;
    double penalty[] = {1, 9, 4};
    bt_encode_plan plan = {.n_alpha = 3, .penalty = penalty, .rule = {BT_SCORE_R2, false}, .ties = BT_TIES_LARGER};
    const double rising[] = {0.1, 0.2, 0.3}, tied[] = {0.5, 0.5, 0.5}, two[] = {0.5, 0.1, 0.5};
    assert_int_equal(bt_choose(rising, 1, &plan), 2);
    assert_int_equal(bt_choose(tied, 1, &plan), 1);
    assert_int_equal(bt_choose(two, 1, &plan), 2);
    plan.ties = BT_TIES_FIRST;
    assert_int_equal(bt_choose(tied, 1, &plan), 0);
    assert_int_equal(bt_choose(two, 1, &plan), 0);
    plan.rule.kind = BT_SCORE_MSE;
    assert_int_equal(bt_choose(rising, 1, &plan), 0);
    assert_int_equal(bt_choose(two, 1, &plan), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_definitions),
        cmocka_unit_test(test_moments_far_from_zero),
        cmocka_unit_test(test_the_released_variance),
        cmocka_unit_test(test_many_voxels_score_as_one_by_one),
        cmocka_unit_test(test_a_large_mean_costs_no_digits),
        cmocka_unit_test(test_the_best_alpha),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
