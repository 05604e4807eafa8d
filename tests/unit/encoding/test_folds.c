#include "encoding_support.h"

#include "encoding/folds.h"

static bt_story_rows rows_of(size_t n_story, const size_t *length)
{
    bt_story_rows rows;
    expect_ok(bt_story_rows_create(n_story, length, &rows));
    return rows;
}

static void test_stories_are_whole_and_held_out_once(void **state)
{
    (void)state;
    const size_t length[] = {3, 5, 2, 4, 6};
    for (size_t n_fold = 2; n_fold <= 7; ++n_fold) {
        bt_story_rows rows = rows_of(5, length);
        bt_folds folds;
        expect_ok(bt_folds_create(&(bt_cv_options){.scheme = BT_CV_STORIES, .n_fold = n_fold}, &rows, &folds));
        assert_int_equal(folds.n_split, n_fold < 5 ? n_fold : 5);
        for (size_t s = 0; s < 5; ++s) {
            size_t times = 0;
            for (size_t k = 0; k < folds.n_split; ++k) {
                const uint8_t *const held = folds.role + k * folds.n_row;
                for (size_t i = rows.start[s]; i < rows.start[s + 1]; ++i)
                    assert_int_equal(held[i], held[rows.start[s]]);
                times += held[rows.start[s]];
            }
            assert_int_equal(times, 1);
        }
        bt_folds_clear(&folds);
        bt_story_rows_clear(&rows);
    }
}

static void test_chunks_are_drawn_whole_without_replacement_and_seeded(void **state)
{
    (void)state;
    const size_t length[] = {107};
    bt_story_rows rows = rows_of(1, length);
    bt_cv_options options = {.scheme = BT_CV_CHUNKS, .n_repeat = 5, .chunk = 10, .held_out = 0.25, .seed = 3};
    bt_folds folds, again, other;
    expect_ok(bt_folds_create(&options, &rows, &folds));
    expect_ok(bt_folds_create(&options, &rows, &again));
    options.seed = 4;
    expect_ok(bt_folds_create(&options, &rows, &other));
    assert_int_equal(folds.n_split, 5);
    for (size_t k = 0; k < 5; ++k) {
        const uint8_t *const held = folds.role + k * 107;
        assert_int_equal(bt_folds_count(&folds, k, BT_ROW_VALIDATES), 20); /* floor(0.25 * 107 / 10) = 2 chunks */
        for (size_t i = 0; i < 100; ++i) assert_int_equal(held[i], held[i / 10 * 10]);
        for (size_t i = 100; i < 107; ++i) assert_int_equal(held[i], 0); /* the tail trains */
    }
    assert_memory_equal(folds.role, again.role, 5 * 107);
    assert_memory_not_equal(folds.role, other.role, 5 * 107);
    assert_memory_not_equal(folds.role, folds.role + 107, 107);
    bt_folds_clear(&folds);
    bt_folds_clear(&again);
    bt_folds_clear(&other);
    bt_story_rows_clear(&rows);
}

static void test_kfold_blocks_are_contiguous_and_cover_all_rows(void **state)
{
    (void)state;
    const size_t length[] = {11};
    bt_story_rows rows = rows_of(1, length);
    bt_folds folds;
    expect_ok(bt_folds_create(&(bt_cv_options){.scheme = BT_CV_KFOLD, .n_fold = 3}, &rows, &folds));
    size_t train[11], validate[11];
    const size_t first[] = {0, 4, 8};
    for (size_t k = 0; k < 3; ++k) {
        bt_folds_rows(&folds, k, train, validate);
        assert_int_equal(validate[0], first[k]);
        for (size_t i = 1; i < bt_folds_count(&folds, k, BT_ROW_VALIDATES); ++i)
            assert_int_equal(validate[i], validate[i - 1] + 1);
        assert_int_equal(train[0], k == 0 ? 4 : 0);
    }
    bt_folds_clear(&folds);
    bt_story_rows_clear(&rows);
}

static const char *npy_f64(const char *name, int rank, const size_t *shape, const double *values)
{
    const char *const path = test_path(test_scratch(), name);
    expect_ok(bt_npy_write(path, BT_F64, rank, shape, values));
    return path;
}

static void test_given_ids_and_masks(void **state)
{
    (void)state;
    const size_t length[] = {6}, ids_shape[] = {6}, mask_shape[] = {2, 6};
    const double ids[] = {7, 7, -0.5, 2, 2, 2}, mask[] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0};
    bt_story_rows rows = rows_of(1, length);
    bt_folds folds;
    bt_cv_options options = {.scheme = BT_CV_GIVEN, .file = npy_f64("ids.npy", 1, ids_shape, ids)};
    expect_ok(bt_folds_create(&options, &rows, &folds));
    const uint8_t by_id[] = {0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0};
    assert_int_equal(folds.n_split, 2);
    assert_memory_equal(folds.role, by_id, 12);
    bt_folds_clear(&folds);
    options.file = npy_f64("masks.npy", 2, mask_shape, mask);
    expect_ok(bt_folds_create(&options, &rows, &folds));
    for (size_t i = 0; i < 12; ++i) assert_int_equal(folds.role[i], mask[i] == 1);
    bt_folds_clear(&folds);
    bt_story_rows_clear(&rows);
}

static void test_all_or_nothing_is_refused(void **state)
{
    (void)state;
    const size_t length[] = {6}, ids_shape[] = {6}, mask_shape[] = {2, 6}, short_shape[] = {5};
    const double ones[] = {1, 1, 1, 1, 1, 1}, nothing[] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
                 odd[] = {1, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0}, never[] = {-1, -1, -1, -1, -1, -1},
                 nan[] = {0, 0, 1, 1, (double)NAN, 1};
    bt_story_rows rows = rows_of(1, length);
    bt_folds folds;
    bt_cv_options options = {.scheme = BT_CV_GIVEN, .file = npy_f64("one.npy", 1, ids_shape, ones)};
    expect_failure(bt_folds_create(&options, &rows, &folds), BT_ERR_INPUT, "holds out everything");
    options.file = npy_f64("nothing.npy", 2, mask_shape, nothing);
    expect_failure(bt_folds_create(&options, &rows, &folds), BT_ERR_INPUT, "split 1 holds out nothing");
    options.file = npy_f64("odd.npy", 2, mask_shape, odd);
    expect_failure(bt_folds_create(&options, &rows, &folds), BT_ERR_INPUT, "split 1, row 1");
    options.file = npy_f64("never.npy", 1, ids_shape, never);
    expect_failure(bt_folds_create(&options, &rows, &folds), BT_ERR_INPUT, "at least one split");
    options.file = npy_f64("nan.npy", 1, ids_shape, nan);
    expect_failure(bt_folds_create(&options, &rows, &folds), BT_ERR_INPUT, "row 4: expected a fold id");
    options.file = npy_f64("short.npy", 1, short_shape, ones);
    expect_failure(bt_folds_create(&options, &rows, &folds), BT_ERR_INPUT, "expected 6 rows as the responses, found 5");
    options = (bt_cv_options){.scheme = BT_CV_GIVEN};
    expect_failure(bt_folds_create(&options, &rows, &folds), BT_ERR_USAGE, "cv.folds");
    options = (bt_cv_options){.scheme = BT_CV_STORIES, .n_fold = 5};
    expect_failure(bt_folds_create(&options, &rows, &folds), BT_ERR_USAGE, "at least 2 stories");
    options = (bt_cv_options){.scheme = BT_CV_KFOLD, .n_fold = 7};
    expect_failure(bt_folds_create(&options, &rows, &folds), BT_ERR_USAGE, "cv.n_fold: expected 2 to 6");
    options = (bt_cv_options){.scheme = BT_CV_CHUNKS, .n_repeat = 1, .chunk = 4, .held_out = 0.5};
    expect_failure(bt_folds_create(&options, &rows, &folds), BT_ERR_USAGE, "hold out no whole chunk");
    options = (bt_cv_options){.scheme = BT_CV_CHUNKS, .n_repeat = 1, .chunk = 2, .held_out = 1};
    expect_failure(bt_folds_create(&options, &rows, &folds), BT_ERR_USAGE, "all 6 rows");
    assert_null(folds.role);
    bt_story_rows_clear(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_stories_are_whole_and_held_out_once, test_no_leak),
        cmocka_unit_test_teardown(test_chunks_are_drawn_whole_without_replacement_and_seeded, test_no_leak),
        cmocka_unit_test_teardown(test_kfold_blocks_are_contiguous_and_cover_all_rows, test_no_leak),
        cmocka_unit_test_teardown(test_given_ids_and_masks, test_no_leak),
        cmocka_unit_test_teardown(test_all_or_nothing_is_refused, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
