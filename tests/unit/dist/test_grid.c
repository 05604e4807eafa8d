/* How ranks are dealt to the named axes: a pure function. */
#include "dist/grid.h"
#include "support.h"

typedef struct {
    size_t size;
    size_t extents[BT_AXIS_COUNT], work[BT_AXIS_COUNT], plan[BT_AXIS_COUNT];
} deal;

static void automatic_and_explicit_extents(void **state)
{
    (void)state;
    static const deal deals[] = {
        {1, {0}, {3, 13, 0, 9000, 0}, {1, 1, 1, 1, 1}},
        {8, {0}, {3, 13, 0, 9000, 0}, {2, 4, 1, 1, 1}},
        {16, {0}, {1, 13, 0, 9000, 0}, {1, 8, 1, 2, 1}},
        {31, {0}, {1, 13, 0, 9000, 0}, {1, 1, 1, 31, 1}}, /* a prime goes to the last axis */
        {4, {0}, {0, 0, 0, 0, 2}, {1, 1, 1, 1, 4}},       /* more ranks than work */
        {4, {0}, {0, 0, 0, 0, 0}, {1, 1, 1, 1, 4}},       /* no axis used */
        {8, {2, 0, 0, 0, 0}, {3, 13, 0, 9000, 0}, {2, 4, 1, 1, 1}},
        {8, {0, 2, 0, 0, 0}, {3, 13, 0, 9000, 0}, {2, 2, 1, 2, 1}},
        {8, {1, 1, 1, 0, 1}, {3, 13, 0, 9000, 0}, {1, 1, 1, 8, 1}},
        {8, {0, 0, 0, 4, 0}, {3, 1, 0, 9000, 0}, {2, 1, 1, 4, 1}},
        {12, {0, 1, 0, 4, 0}, {2, 1, 0, 9000, 0}, {3, 1, 1, 4, 1}}, /* the rest goes to the last automatic axis */
        {8, {1, 2, 1, 2, 1}, {3, 13, 0, 9000, 0}, {1, 2, 1, 4, 1}}, /* all explicit: to the last used axis */
    };
    for (size_t i = 0; i < sizeof deals / sizeof *deals; ++i) {
        size_t plan[BT_AXIS_COUNT] = {0};
        assert_int_equal(bt_grid_plan(deals[i].size, deals[i].extents, deals[i].work, plan), BT_OK);
        for (int axis = 0; axis < BT_AXIS_COUNT; ++axis) assert_int_equal(plan[axis], deals[i].plan[axis]);
    }
}

static void all_ranks_are_dealt(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 200; ++size)
        for (size_t subjects = 0; subjects < 9; ++subjects)
            for (size_t layers = 0; layers < 14; layers += 3) {
                const size_t extents[BT_AXIS_COUNT] = {0}, work[BT_AXIS_COUNT] = {subjects, layers, 0, 50, 0};
                size_t plan[BT_AXIS_COUNT] = {0}, product = 1;
                assert_int_equal(bt_grid_plan(size, extents, work, plan), BT_OK);
                for (int axis = 0; axis < BT_AXIS_COUNT; ++axis) product *= plan[axis];
                assert_int_equal(product, size);
                assert_true(plan[BT_AXIS_SUBJECT] <= (subjects ? subjects : 1));
                assert_true(plan[BT_AXIS_LAYER] <= (layers ? layers : 1));
            }
}

static void errors_name_the_axis(void **state)
{
    (void)state;
    const size_t work[BT_AXIS_COUNT] = {3, 13, 0, 9000, 0};
    size_t plan[BT_AXIS_COUNT] = {0};
    const size_t three_of_eight[BT_AXIS_COUNT] = {0, 3, 0, 0, 0};
    assert_int_equal(bt_grid_plan(8, three_of_eight, work, plan), BT_ERR_USAGE);
    assert_non_null(strstr(bt_error_message(), "grid.layer=3"));
    assert_non_null(strstr(bt_error_message(), "8 ranks"));
    const size_t too_many[BT_AXIS_COUNT] = {4, 4, 0, 0, 0};
    assert_int_equal(bt_grid_plan(8, too_many, work, plan), BT_ERR_USAGE);
    assert_non_null(strstr(bt_error_message(), "grid.layer=4"));
    const size_t unused[BT_AXIS_COUNT] = {0, 0, 2, 0, 0};
    assert_int_equal(bt_grid_plan(8, unused, work, plan), BT_ERR_USAGE);
    assert_non_null(strstr(bt_error_message(), "grid.split=2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(automatic_and_explicit_extents),
        cmocka_unit_test(all_ranks_are_dealt),
        cmocka_unit_test(errors_name_the_axis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
