#include "support.h"

#include "stimulus/powers.h"

static void test_powers_of_pure_signal_and_of_opposite_repeats(void **state)
{
    (void)state;
    const float same[] = {1, 2, 4, -1}, opposite[] = {-1, -2, -4, 1};
    double sum[4] = {0};
    bt_power power = {0};
    for (size_t k = 0; k < 3; ++k) expect_ok(bt_power_add(same, 4, 1, sum, &power));
    expect_ok(bt_power_finish(3, 4, 1, BT_TOTAL_POWER_DATA, sum, &power));
    expect_near(power.signal, power.total, 1e-12);
    expect_near(bt_ceiling(power), 1, 1e-12);
    memset(sum, 0, sizeof sum);
    power = (bt_power){0};
    expect_ok(bt_power_add(same, 4, 1, sum, &power));
    expect_ok(bt_power_add(opposite, 4, 1, sum, &power));
    expect_ok(bt_power_finish(2, 4, 1, BT_TOTAL_POWER_DATA, sum, &power));
    assert_true(power.signal < 0);
    assert_true(isnan(bt_ceiling(power)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_powers_of_pure_signal_and_of_opposite_repeats, test_no_leak)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
