#include "tuning_support.h"

static bt_dataset *dataset;

static int set_up(void **state)
{
    (void)state;
    expect_ok(bt_dataset_open(tuning_world("world"), &dataset));
    return 0;
}

static int tear_down(void **state)
{
    bt_dataset_close(&dataset);
    return test_no_leak(state);
}

static void test_rows_follow_stories(void **state)
{
    (void)state;
    bt_rows *rows = tuning_rows(dataset, "tune");
    assert_int_equal(bt_rows_stories(rows), 3);
    assert_int_equal(bt_rows_count(rows), 20 + 27 + 18);
    const bt_rows_story bread = bt_rows_story_at(rows, 1);
    assert_string_equal(bread.name, "bread");
    assert_int_equal(bread.first_row, 20);
    assert_int_equal(bread.n_row, 27);
    assert_int_equal(bread.n_trigger, 42);
    const size_t wanted[][2] = {{0, 0}, {19, 0}, {20, 1}, {46, 1}, {47, 2}, {64, 2}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; ++i)
        assert_int_equal(bt_rows_story_of(rows, wanted[i][0]), wanted[i][1]);
    bt_rows_destroy(&rows);
}

/* Annex C: trigger k at k tr - sound_start, its TR time half a TR later; row i is trigger i + 10. */
static void test_triggers_and_times(void **state)
{
    (void)state;
    bt_rows *rows = tuning_rows(dataset, "apple");
    const bt_rows_story apple = bt_rows_story_at(rows, 0);
    expect_near(apple.tr, 2.0045, 1e-12);
    expect_near(apple.trigger[10], 10 * 2.0045 - 10.0235, 1e-12);
    expect_near(apple.time[10] - apple.trigger[10], 2.0045 / 2, 1e-12);
    bt_rows_destroy(&rows);
}

/* A TR report in place of counted times, with its own TR. */
static void test_reports_give_triggers(void **state)
{
    (void)state;
    bt_text report = {0};
    bt_rows *rows = NULL;
    for (int k = 0; k < 35; ++k) {
        expect_ok(bt_text_add(&report, "%.3f %s\n", 3 + 2.5 * k, k ? "trigger" : "init-trigger"));
        if (k == 3) expect_ok(bt_text_add(&report, "12 sound-start\n"));
    }
    (void)made_up_text(bt_dataset_root(dataset), "reports/apple.report", report.data);
    bt_text_clear(&report);
    bt_timing timing = {.source = BT_TIMES_TRFILE, .at = BT_TIMES_START};
    timing.reports = bt_path_join(bt_dataset_root(dataset), "reports");
    expect_ok(tuning_try_rows(dataset, "apple", "S1", &timing, false, &rows));
    const bt_rows_story apple = bt_rows_story_at(rows, 0);
    expect_near(apple.tr, 2.5, 1e-9);
    expect_near(apple.trigger[4], 13 - 12.0, 1e-9);
    expect_near(apple.time[4], 13 - 12.0, 1e-9);
    bt_rows_destroy(&rows);
    bt_free(timing.reports);
}

/* A second subject without bread and dates. */
static void make_a_second_subject(void)
{
    (void)made_up_text(bt_dataset_root(dataset), "derivative/preprocessed_data/S2/apple.hf5", "x");
    (void)made_up_text(bt_dataset_root(dataset), "derivative/preprocessed_data/S2/cider.hf5", "x");
    bt_dataset *again = NULL;
    expect_ok(bt_dataset_open(bt_dataset_root(dataset), &again));
    bt_dataset_close(&dataset);
    dataset = again;
}

static void test_missing_responses(void **state)
{
    (void)state;
    bt_rows *rows = NULL;
    const bt_timing timing = tuning_timing(2.0045, 10.0235);
    make_a_second_subject();
    expect_failure(tuning_try_rows(dataset, "tune", "S1,S2", &timing, false, &rows), BT_ERR_INPUT,
                   "subject S2 has no responses to story bread of stories.tune: leave the story out, or take "
                   "stories.missing=skip");
    assert_null(rows);
    expect_ok(tuning_try_rows(dataset, "tune", "S1,S2", &timing, true, &rows));
    assert_int_equal(bt_rows_count(rows), 65);
    assert_int_equal(bt_rows_skipped(rows), 1);
    assert_true(bt_rows_has(rows, "S1", 1));
    assert_false(bt_rows_has(rows, "S2", 1));
    bt_rows_destroy(&rows);
    expect_ok(tuning_try_rows(dataset, "tune", "S2", &timing, true, &rows));
    assert_int_equal(bt_rows_count(rows), 38);
    bt_rows_destroy(&rows);
    expect_failure(tuning_try_rows(dataset, "validate", "S1,S2", &timing, true, &rows), BT_ERR_INPUT,
                   "subject S2 has responses to none of the stories of stories.tune (dates)");
    expect_failure(tuning_try_rows(dataset, "tune", "S3", &timing, true, &rows), BT_ERR_INPUT, "did you mean S");
    expect_failure(tuning_try_rows(dataset, "aple", "S1", &timing, true, &rows), BT_ERR_INPUT, "stories.tune: ");
}

static void test_no_subject_is_needed(void **state)
{
    (void)state;
    bt_rows *rows = NULL;
    const bt_timing timing = tuning_timing(2.0045, 10.0235);
    expect_ok(tuning_try_rows(dataset, "dates", "", &timing, false, &rows));
    assert_int_equal(bt_rows_count(rows), 24);
    bt_rows_destroy(&rows);
}

static void test_validation_is_kept_apart(void **state)
{
    (void)state;
    bt_rows *a = tuning_rows(dataset, "tune"), *b = tuning_rows(dataset, "validate"),
            *c = tuning_rows(dataset, "bread");
    expect_ok(bt_rows_check_apart(a, b));
    expect_failure(bt_rows_check_apart(a, c), BT_ERR_USAGE, "story bread is in both");
    bt_rows_destroy(&a);
    bt_rows_destroy(&b);
    bt_rows_destroy(&c);
}

/* Stories, counts and contents: another sound of the same name is another recipe. */
static void test_recipe_and_description(void **state)
{
    (void)state;
    bt_rows *rows = tuning_rows(dataset, "cider");
    bt_text texts[3] = {{0}, {0}, {0}};
    for (size_t i = 0; i < 2; ++i) {
        bt_recipe *recipe = NULL;
        (void)made_up_text(bt_dataset_root(dataset), "stimuli/cider.wav", i ? "one" : "two");
        expect_ok(bt_recipe_create("tune", 1, &recipe));
        expect_ok(bt_rows_record(rows, NULL, recipe));
        expect_ok(bt_recipe_json(recipe, &texts[i]));
        bt_recipe_destroy(&recipe);
    }
    assert_non_null(strstr(texts[0].data, "\"stories.tune\": \"cider\""));
    assert_non_null(strstr(texts[0].data, "\"stories.tune.n_tr\": \"33\""));
    assert_string_not_equal(texts[0].data, texts[1].data);
    expect_ok(bt_rows_describe(rows, &texts[2]));
    assert_string_equal(texts[2].data, "cider of 18 rows");
    for (size_t i = 0; i < 3; ++i) bt_text_clear(&texts[i]);
    bt_rows_destroy(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows_follow_stories, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_triggers_and_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reports_give_triggers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missing_responses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_subject_is_needed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_validation_is_kept_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_recipe_and_description, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
