#include "support.h"

#include "stimulus/zscore.h"

static void test_constant_columns_become_zero_and_others_standard(void **state)
{
    (void)state;
    double x[] = {0.1, 1, 0.1, 2, 0.1, 6};
    bt_zscore(x, 3, 2);
    for (size_t i = 0; i < 3; ++i) assert_true(x[2 * i] == 0);
    expect_near(x[1] + x[3] + x[5], 0, 1e-15);
    expect_near((x[1] * x[1] + x[3] * x[3] + x[5] * x[5]) / 3, 1, 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_constant_columns_become_zero_and_others_standard)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
