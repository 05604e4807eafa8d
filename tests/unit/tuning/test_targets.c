/* Targets of one rank: responses, and vectors of files. */
#include "tuning_support.h"

#include "stimulus/timing.h"
#include "tuning/targets.h"

static const char *root;
static bt_dataset *dataset;
static bt_comm *alone;

static int set_up(void **state)
{
    (void)state;
    root = tuning_world("world");
    expect_ok(bt_dataset_open(root, &dataset));
    expect_ok(bt_comm_create(MPI_COMM_NULL, &alone));
    return 0;
}

static int tear_down(void **state)
{
    bt_dataset_close(&dataset);
    bt_comm_destroy(&alone);
    return test_no_leak(state);
}

/* Voxels 1, 3 and 5. */
static bt_kept_voxels some_voxels(void)
{
    bt_kept_voxels kept;
    bt_names none = {0}, stories = tuning_names("apple");
    const bt_voxels_rule rule = {.keep_above = 0.4};
    expect_ok(bt_kept_voxels_create(&rule, dataset, "S1", &none, &stories, alone, &kept));
    bt_names_clear(&stories);
    return kept;
}

static bt_status brain(const bt_rows *rows, const bt_kept_voxels *kept, bt_targets **targets)
{
    const bt_targets_options options = {.kind = BT_TARGETS_BRAIN, .rows = rows, .subject = "S1", .voxels = kept};
    return bt_targets_create(&options, alone, targets);
}

static void test_responses_of_the_kept_voxels(void **state)
{
    (void)state;
    bt_rows *rows = tuning_rows(dataset, "tune");
    bt_kept_voxels kept = some_voxels();
    bt_targets *targets = NULL;
    expect_ok(brain(rows, &kept, &targets));
    assert_int_equal(bt_targets_columns(targets), 3);
    assert_int_equal(bt_targets_used(targets), 65);
    for (size_t row = 0; row < 65; ++row) {
        float out[3];
        const size_t s = bt_rows_story_of(rows, row), within = row - bt_rows_story_at(rows, s).first_row;
        bt_targets_read(targets, &row, 1, out);
        for (size_t v = 0; v < 3; ++v) {
            const double wanted = tuning_response(s, within, kept.index[v]);
            assert_true(out[v] == (isnan(wanted) ? 0 : (float)wanted));
        }
        assert_int_equal(bt_targets_source(targets, row), row);
    }
    bt_targets_destroy(&targets);
    bt_kept_voxels_clear(&kept);
    bt_rows_destroy(&rows);
}

static void test_responses_of_the_wrong_size(void **state)
{
    (void)state;
    bt_rows *rows = tuning_rows(dataset, "tune");
    bt_kept_voxels kept = some_voxels();
    bt_targets *targets = NULL;
    tuning_responses(root, 1, 26, TUNING_VOXELS);
    expect_failure(brain(rows, &kept, &targets), BT_ERR_INPUT,
                   "bread.hf5:/data: story bread: expected 27 rows, the scanner TRs of");
    tuning_responses(root, 1, 27, TUNING_VOXELS + 1);
    expect_failure(brain(rows, &kept, &targets), BT_ERR_INPUT,
                   "story bread: expected 6 voxels as in the subject's other stories, found 7");
    assert_null(targets);
    bt_kept_voxels_clear(&kept);
    bt_rows_destroy(&rows);
}

/* --- files */

enum { WIDTH = 3 };

static const char *file_path(void)
{
    return made_up_path(root, "vectors.h5");
}

static double vector(size_t story, size_t i, size_t column)
{
    return column == 2 ? 7 : sin((double)(3 * i + story)) * (double)(column + 1) + (double)column;
}

static double word_time(size_t story, size_t i)
{
    return 0.37 * (double)i + 0.011 * (double)((i * i + story) % 7);
}

/* /STORY/rows of n rows, or with word times /STORY/vectors and /STORY/times. */
static void write_story(bt_h5 *file, size_t story, size_t n, bool timed)
{
    const char *const name = tuning_stories[story].name;
    const size_t shape[2] = {n, WIDTH};
    double *const values = bt_calloc(n * WIDTH, sizeof *values), *const times = bt_calloc(n, sizeof *times);
    for (size_t i = 0; i < n * WIDTH; ++i) values[i] = vector(story, i / WIDTH, i % WIDTH);
    for (size_t i = 0; i < n; ++i) times[i] = word_time(story, i);
    char path[64];
    (void)snprintf(path, sizeof path, "/%s/%s", name, timed ? "vectors" : "rows");
    expect_ok(bt_h5_write(file, path, BT_F64, 2, shape, values));
    (void)snprintf(path, sizeof path, "/%s/times", name);
    if (timed) expect_ok(bt_h5_write(file, path, BT_F64, 1, shape, times));
    bt_free(values);
    bt_free(times);
}

/* apple and cider as rows, bread by words. */
static void write_file(size_t rows_of_apple)
{
    bt_h5 *file = NULL;
    expect_ok(bt_h5_create(file_path(), &file));
    write_story(file, 0, rows_of_apple, false);
    write_story(file, 1, 150, true);
    write_story(file, 2, 18, false);
    expect_ok(bt_h5_close(&file));
}

static bt_status from_file(const bt_rows *rows, bool zscore, bt_targets **targets)
{
    const bt_targets_options options = {.kind = BT_TARGETS_FILE, .rows = rows, .file = file_path(), .zscore = zscore};
    return bt_targets_create(&options, alone, targets);
}

/* What bread's row i is by the definition: Lanczos to its TR times, then [10:-5]. */
static double resampled(const bt_rows_story *bread, size_t i, size_t column)
{
    double cutoff = 0, sum = 0;
    expect_ok(bt_lanczos_cutoff(bread->time, bread->n_trigger, &cutoff));
    for (size_t j = 0; j < 150; ++j)
        sum += bt_lanczos(bread->time[i + 10], word_time(1, j), cutoff, 3) * vector(1, j, column);
    return sum;
}

static void test_rows_and_word_times(void **state)
{
    (void)state;
    bt_rows *rows = tuning_rows(dataset, "tune");
    bt_targets *targets = NULL;
    write_file(20);
    expect_ok(from_file(rows, false, &targets));
    assert_int_equal(bt_targets_columns(targets), WIDTH);
    assert_int_equal(bt_targets_used(targets), 65);
    for (size_t row = 0; row < 65; ++row) {
        float out[WIDTH];
        const size_t s = bt_rows_story_of(rows, row);
        const bt_rows_story story = bt_rows_story_at(rows, s);
        bt_targets_read(targets, &row, 1, out);
        for (size_t c = 0; c < WIDTH; ++c)
            expect_near((double)out[c],
                        s == 1 ? resampled(&story, row - story.first_row, c) : vector(s, row - story.first_row, c),
                        2e-6);
    }
    bt_targets_destroy(&targets);
    bt_rows_destroy(&rows);
}

/* Per story, ddof 0; the constant column is 0. */
static void test_zscores(void **state)
{
    (void)state;
    bt_rows *rows = tuning_rows(dataset, "tune");
    bt_targets *targets = NULL;
    write_file(20);
    expect_ok(from_file(rows, true, &targets));
    for (size_t s = 0; s < 3; ++s) {
        const bt_rows_story story = bt_rows_story_at(rows, s);
        double sum[WIDTH] = {0}, square[WIDTH] = {0};
        for (size_t row = story.first_row; row < story.first_row + story.n_row; ++row) {
            float out[WIDTH];
            bt_targets_read(targets, &row, 1, out);
            for (size_t c = 0; c < WIDTH; ++c) {
                sum[c] += (double)out[c] / (double)story.n_row;
                square[c] += (double)out[c] * (double)out[c] / (double)story.n_row;
            }
        }
        for (size_t c = 0; c < WIDTH; ++c) {
            expect_near(sum[c], 0, 1e-6);
            if (c < 2 || s == 1) /* resampled, the constant varies a little */
                expect_near(square[c], 1, 1e-5);
            else
                expect_near(square[c], 0, 0);
        }
    }
    bt_targets_destroy(&targets);
    bt_rows_destroy(&rows);
}

static void test_files_of_the_wrong_shape(void **state)
{
    (void)state;
    bt_rows *rows = tuning_rows(dataset, "tune"), *more = tuning_rows(dataset, "tune,validate");
    bt_targets *targets = NULL;
    bt_h5 *file = NULL;
    expect_failure(from_file(rows, false, &targets), BT_ERR_INPUT, "vectors.h5");
    write_file(19);
    expect_failure(from_file(rows, false, &targets), BT_ERR_INPUT,
                   "vectors.h5:/apple/rows: story apple: expected 20 rows, the scanner TRs of");
    write_file(20);
    expect_failure(from_file(more, false, &targets), BT_ERR_INPUT,
                   "no group /dates among its 3, but stories.tune names that story");
    expect_ok(bt_h5_create(file_path(), &file));
    write_story(file, 0, 20, false);
    write_story(file, 0, 20, true);
    expect_ok(bt_h5_close(&file));
    expect_failure(from_file(rows, false, &targets), BT_ERR_INPUT, "/apple: expected either rows");
    assert_null(targets);
    bt_rows_destroy(&rows);
    bt_rows_destroy(&more);
}

/* One story by words whose times or values are wrong; n_time of them. */
static void write_words(size_t n_time, const double *times, double value)
{
    bt_h5 *file = NULL;
    const double vectors[] = {1, 2, 3, value};
    const size_t shape[2] = {4, 1};
    expect_ok(bt_h5_create(file_path(), &file));
    expect_ok(bt_h5_write(file, "/apple/vectors", BT_F64, 2, shape, vectors));
    expect_ok(bt_h5_write(file, "/apple/times", BT_F64, 1, &n_time, times));
    expect_ok(bt_h5_close(&file));
}

static void test_words_at_the_wrong_times(void **state)
{
    (void)state;
    bt_rows *rows = tuning_rows(dataset, "apple");
    bt_targets *targets = NULL;
    write_words(4, (const double[]){10, 20, 30, 40}, 4);
    expect_ok(from_file(rows, false, &targets));
    bt_targets_destroy(&targets);
    write_words(3, (const double[]){1, 2, 3}, 4);
    expect_failure(from_file(rows, false, &targets), BT_ERR_INPUT, "expected 4 times, one for each vector, found 3");
    write_words(4, (const double[]){1, 3, 2, 4}, 4);
    expect_failure(from_file(rows, false, &targets), BT_ERR_INPUT, "entry 2: expected times that ascend");
    write_words(4, (const double[]){1, 2, (double)NAN, 4}, 4);
    expect_failure(from_file(rows, false, &targets), BT_ERR_INPUT, "entry 2: expected a time in seconds");
    write_words(4, (const double[]){1e4, 2e4, 3e4, 4e4}, 4);
    expect_failure(from_file(rows, false, &targets), BT_ERR_INPUT, "expected seconds from the sound's start");
    write_words(4, (const double[]){1, 2, 3, 4}, (double)INFINITY);
    expect_failure(from_file(rows, false, &targets), BT_ERR_INPUT, "row 3, column 0: expected a finite number");
    bt_rows_destroy(&rows);
}

static void test_bytes_and_recipe(void **state)
{
    (void)state;
    bt_rows *rows = tuning_rows(dataset, "tune");
    const bt_targets_options of_brain = {.kind = BT_TARGETS_BRAIN, .rows = rows, .subject = "S1"};
    const bt_targets_options of_file = {.kind = BT_TARGETS_FILE, .rows = rows, .file = file_path()};
    bt_recipe *recipe = NULL;
    bt_text json = {0};
    expect_near(bt_targets_bytes(rows, 10, 4), 65 * (3 * 4 + 8 + 1), 0);
    write_file(20);
    expect_ok(bt_recipe_create("tune", 1, &recipe));
    expect_ok(bt_targets_record(&of_brain, "responses.S1", NULL, recipe));
    expect_ok(bt_targets_record(&of_file, "target", NULL, recipe));
    expect_ok(bt_recipe_json(recipe, &json));
    assert_non_null(strstr(json.data, "\"responses.S1.bread\""));
    assert_non_null(strstr(json.data, "\"target\""));
    bt_text_clear(&json);
    bt_recipe_destroy(&recipe);
    bt_rows_destroy(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_responses_of_the_kept_voxels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_responses_of_the_wrong_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rows_and_word_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_zscores, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files_of_the_wrong_shape, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_words_at_the_wrong_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bytes_and_recipe, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
