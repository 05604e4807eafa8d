#include "encoding_support.h"

#include "encoding/design.h"

/* The golden features of three stories, and their rows. */
static golden_array stories(bt_story_rows *rows)
{
    golden_array ids = golden_read("design_story");
    expect_ok(bt_story_rows_from_ids("ids", ids.v, ids.n, rows));
    bt_free(ids.v);
    return golden_read("design_x");
}

static void expect_design(bt_design_options options, const char *name)
{
    bt_story_rows rows;
    double *design = NULL;
    size_t n_row = 0;
    golden_array x = stories(&rows), want = golden_read(name);
    expect_ok(bt_design_create(x.v, &rows, x.columns, &options, &design, &n_row));
    assert_int_equal(n_row, want.rows);
    assert_int_equal(x.columns * options.delays.n, want.columns);
    expect_all_near(design, want.v, want.n, 1e-12);
    bt_free(design);
    bt_free(x.v);
    bt_free(want.v);
    bt_story_rows_clear(&rows);
}

static void test_numpy_gives_the_same_designs(void **state)
{
    (void)state;
    int64_t four[] = {1, 2, 3, 4}, none[] = {0}, two[] = {0, 2}, odd[] = {1, 3};
    expect_design((bt_design_options){.zscore = true, .delays = {4, four}}, "design_clean");
    expect_design((bt_design_options){.delays = {1, none}}, "design_raw");
    expect_design((bt_design_options){.zscore = true, .delays = {2, two}, .stacked = true}, "design_stacked");
    expect_design((bt_design_options){.zscore = true, .delays = {2, odd}, .drop = 4}, "design_drop_after");
    expect_design((bt_design_options){.zscore = true, .delays = {2, odd}, .drop = 4, .drop_first = true},
                  "design_drop_before");
}

static void test_delays_longer_than_a_story_are_zeros(void **state)
{
    (void)state;
    int64_t delay[] = {5};
    const bt_design_options options = {.delays = {1, delay}};
    const size_t length[] = {2, 3};
    bt_story_rows rows;
    double x[] = {1, 2, 3, 4, 5}, *design = NULL;
    size_t n_row = 0;
    expect_ok(bt_story_rows_create(2, length, &rows));
    expect_ok(bt_design_create(x, &rows, 1, &options, &design, &n_row));
    assert_int_equal(n_row, 5);
    for (size_t i = 0; i < 5; ++i) assert_true(design[i] == 0);
    bt_free(design);
    bt_story_rows_clear(&rows);
}

static void test_dropping_all_rows_is_refused(void **state)
{
    (void)state;
    int64_t none[] = {0};
    const bt_design_options options = {.delays = {1, none}, .drop = 3};
    const size_t length[] = {3};
    bt_story_rows rows;
    double x[] = {1, 2, 3}, *design = NULL;
    size_t n_row = 0;
    expect_ok(bt_story_rows_create(1, length, &rows));
    expect_failure(bt_design_create(x, &rows, 1, &options, &design, &n_row), BT_ERR_USAGE, "test.drop");
    assert_null(design);
    bt_story_rows_clear(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_numpy_gives_the_same_designs, test_no_leak),
        cmocka_unit_test_teardown(test_delays_longer_than_a_story_are_zeros, test_no_leak),
        cmocka_unit_test_teardown(test_dropping_all_rows_is_refused, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
