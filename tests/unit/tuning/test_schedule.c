/* Rate factors against transformers and the released code's formulas (tests/parity/golden_tuning.py). */
#include "support.h"

#include "io/array.h"
#include "tuning/schedule.h"

enum { EPOCHS = 30, STEPS_OF_EPOCH = 7, STEPS = EPOCHS * STEPS_OF_EPOCH };

static void test_factors(void **state)
{
    (void)state;
    static const struct {
        bt_schedule_kind kind;
        bool head;
        double warmup;
    } cases[] = {{BT_SCHEDULE_WARMUP_LINEAR, false, 0.1}, {BT_SCHEDULE_WARMUP_LINEAR, false, 0.25},
                 {BT_SCHEDULE_WARMUP_LINEAR, true, 0},    {BT_SCHEDULE_RELEASED, false, 0.1},
                 {BT_SCHEDULE_RELEASED, true, 0.1},       {BT_SCHEDULE_CONSTANT, true, 0.1}};
    const size_t n_case = sizeof cases / sizeof *cases;
    double *golden = NULL;
    int rank = 0;
    size_t shape[BT_ARRAY_RANK] = {0};
    expect_ok(bt_array_read_all(test_file("golden/tuning/schedules.npy"), &rank, shape, &golden));
    assert_int_equal(shape[0], n_case);
    assert_int_equal(shape[1], STEPS);
    for (size_t i = 0; i < n_case; ++i) {
        const bt_schedule schedule = {.kind = cases[i].kind,
                                      .head = cases[i].head,
                                      .warmup = cases[i].warmup,
                                      .n_epoch = EPOCHS,
                                      .n_step = STEPS};
        for (size_t step = 0; step < STEPS; ++step)
            expect_near(bt_schedule_factor(&schedule, step / STEPS_OF_EPOCH, step), golden[i * STEPS + step], 1e-12);
    }
    bt_free(golden);
}

/* Steps beyond the plan, and plans shorter than five epochs, give no negative rates. */
static void test_short_plans(void **state)
{
    (void)state;
    const bt_schedule linear = {.kind = BT_SCHEDULE_WARMUP_LINEAR, .warmup = 1, .n_epoch = 1, .n_step = 4};
    for (size_t step = 0; step < 8; ++step) {
        const double factor = bt_schedule_factor(&linear, 0, step);
        assert_true(factor >= 0 && factor <= 1);
    }
    const bt_schedule released = {.kind = BT_SCHEDULE_RELEASED, .n_epoch = 3, .n_step = 12};
    expect_near(bt_schedule_factor(&released, 0, 0), 0, 0);
    expect_near(bt_schedule_factor(&released, 2, 11), 0.4, 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_factors, test_no_leak),
        cmocka_unit_test_teardown(test_short_plans, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
