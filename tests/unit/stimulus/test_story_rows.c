#include "support.h"

#include "stimulus/story_rows.h"

static void test_ids_must_lie_together(void **state)
{
    (void)state;
    const double back[] = {1, 1, 2, 2, 1}, good[] = {3, 3, 1, 2, 2}, nan[] = {1, 1, (double)NAN, 2, 2};
    bt_story_rows rows;
    expect_failure(bt_story_rows_from_ids("S.npy", back, 5, &rows), BT_ERR_INPUT, "S.npy: story 1 comes back at row 4");
    expect_failure(bt_story_rows_from_ids("S.npy", nan, 5, &rows), BT_ERR_INPUT, "S.npy: row 2: expected a story id");
    expect_ok(bt_story_rows_from_ids("S.npy", good, 5, &rows));
    assert_int_equal(rows.n_story, 3);
    assert_int_equal(rows.start[1], 2);
    assert_int_equal(rows.start[3], 5);
    bt_story_rows_clear(&rows);
}

static void test_rows_are_dropped_at_the_start_of_each_story(void **state)
{
    (void)state;
    const size_t length[] = {3, 1, 2};
    bt_story_rows rows;
    float values[] = {1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6};
    const float wanted[] = {2, -2, 3, -3, 6, -6};
    expect_ok(bt_story_rows_create(3, length, &rows));
    assert_int_equal(bt_kept_rows(&rows, 1), 3);
    bt_drop_rows(&rows, 1, values, 2);
    assert_memory_equal(values, wanted, sizeof wanted);
    bt_story_rows_clear(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_ids_must_lie_together, test_no_leak),
        cmocka_unit_test_teardown(test_rows_are_dropped_at_the_start_of_each_story, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
