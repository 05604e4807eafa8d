/* Frames of the front end: stored ones equal those computed again, and are found by who wants the same. */
#include "tuning_support.h"

#include "speech/training.h"
#include "tuning/frames.h"

static const char *root;
static bt_dataset *dataset;
static bt_rows *rows;
static bt_comm *alone;
static bt_device *device;
static bt_model *model;
static bt_training *training;

static const char *model_folder(void)
{
    return test_file("golden/models/odd");
}

static int set_up(void **state)
{
    (void)state;
    root = tuning_world("world");
    tuning_sounds(root);
    expect_ok(bt_dataset_open(root, &dataset));
    expect_ok(bt_comm_create(MPI_COMM_NULL, &alone));
    rows = tuning_rows(dataset, "apple,cider");
    expect_ok(bt_device_create(BT_DEVICE_CPU, &device));
    expect_ok(bt_model_open(model_folder(), device, &model));
    const size_t last = bt_model_describe(model).n_layer - 1;
    expect_ok(bt_training_create(model, &(bt_training_options){.layers = &last, .n_layer = 1}, &training));
    return 0;
}

static int tear_down(void **state)
{
    bt_training_destroy(&training);
    bt_model_close(&model);
    bt_device_destroy(&device);
    bt_rows_destroy(&rows);
    bt_comm_destroy(&alone);
    bt_dataset_close(&dataset);
    return test_no_leak(state);
}

static const char *store(void)
{
    return test_path(test_scratch(), "store");
}

static bt_windows *windows_of(const bt_rows *of, bt_normalise normalise)
{
    bt_windows *windows = NULL;
    const bt_windows_options options = {.seconds = 1, .normalise = normalise, .rate = 16000};
    expect_ok(bt_windows_create(of, &options, store(), alone, &windows));
    return windows;
}

static bt_frames *frames_of(const bt_windows *windows, bool stored)
{
    bt_frames *frames = NULL;
    const bt_frames_options options = {.model = model,
                                       .parameters = bt_training_parameters(training),
                                       .windows = windows,
                                       .folder = model_folder(),
                                       .store = store(),
                                       .stored = stored};
    expect_ok(bt_frames_create(&options, alone, &frames));
    assert_int_equal(bt_frames_are_stored(frames), stored);
    return frames;
}

/* How many artefacts there are. */
static size_t count_stored(void)
{
    bt_names names = {0};
    char *const folder = bt_path_join(store(), "frames");
    if (bt_path_exists(folder)) expect_ok(bt_path_list(folder, &names));
    size_t n = 0;
    for (size_t i = 0; i < names.n; ++i) n += !bt_ends_with(names.items[i], ".run.json");
    bt_names_clear(&names);
    bt_free(folder);
    return n;
}

static void test_stored_frames_are_the_computed_ones(void **state)
{
    (void)state;
    bt_windows *windows = windows_of(rows, BT_NORMALISE_WINDOW);
    bt_frames *stored = frames_of(windows, true), *computed = frames_of(windows, false);
    const size_t chosen[] = {37, 0, 21, 20, 5}, n = sizeof chosen / sizeof *chosen;
    const size_t size = bt_frames_length(stored) * bt_frames_width(stored);
    float *const a = bt_calloc(n * size, sizeof *a), *const b = bt_calloc(n * size, sizeof *b);
    assert_int_equal(bt_frames_length(stored), 50);
    assert_int_equal(bt_frames_width(stored), 18);
    expect_near(bt_frames_bytes(model, 38, 16000), 38 * 50 * 18 * 4, 0);
    expect_ok(bt_frames_read(stored, chosen, n, NULL, a));
    expect_ok(bt_frames_read(computed, chosen, n, NULL, b));
    assert_memory_equal(a, b, n * size * sizeof *a);
    bt_free(a);
    bt_free(b);
    bt_frames_destroy(&stored);
    bt_frames_destroy(&computed);
    bt_windows_destroy(&windows);
}

/* The model's own normalisation is off, the windows' on: together as the model alone has it. */
static void test_windows_are_normalised_once(void **state)
{
    (void)state;
    bt_windows *raw = windows_of(rows, BT_NORMALISE_NONE), *normalised = windows_of(rows, BT_NORMALISE_WINDOW);
    bt_frames *frames = frames_of(normalised, false);
    const size_t row = 7, offsets[2] = {0, 16000}, size = bt_frames_length(frames) * bt_frames_width(frames);
    float *const a = bt_calloc(size, sizeof *a), *const b = bt_calloc(size, sizeof *b);
    float *const samples = bt_calloc(16000, sizeof *samples);
    assert_false(bt_model_describe(model).normalise);
    expect_ok(bt_frames_read(frames, &row, 1, NULL, a));
    expect_ok(bt_windows_read(raw, &row, 1, NULL, samples));
    bt_model_set_normalise(model, true);
    expect_ok(bt_model_front_end(model, samples, offsets, 1, b));
    for (size_t i = 0; i < size; ++i) expect_near((double)a[i], (double)b[i], 2e-4);
    bt_free(a);
    bt_free(b);
    bt_free(samples);
    bt_frames_destroy(&frames);
    bt_windows_destroy(&raw);
    bt_windows_destroy(&normalised);
}

/* Another list of stories shares what it has in common; another normalisation or other weights do not. */
static void test_what_is_shared(void **state)
{
    (void)state;
    bt_rows *more = tuning_rows(dataset, "apple,bread,cider");
    bt_windows *windows[] = {windows_of(rows, BT_NORMALISE_WINDOW), windows_of(more, BT_NORMALISE_WINDOW),
                             windows_of(rows, BT_NORMALISE_NONE)};
    const size_t wanted[] = {2, 3, 5};
    expect_ok(bt_path_remove(test_path(store(), "frames")));
    for (size_t i = 0; i < 3; ++i) {
        bt_frames *frames = frames_of(windows[i], true);
        assert_int_equal(count_stored(), wanted[i]);
        bt_frames_destroy(&frames);
    }
    bt_parameters *const parameters = bt_training_parameters(training);
    float kept = 0, changed = 0;
    expect_ok(bt_buffer_read(parameters->values, parameters->rows[0].offset, &kept, 1));
    changed = kept + 1;
    expect_ok(bt_buffer_write(parameters->values, parameters->rows[0].offset, &changed, 1));
    bt_frames *frames = frames_of(windows[0], true);
    assert_int_equal(count_stored(), 7);
    expect_ok(bt_buffer_write(parameters->values, parameters->rows[0].offset, &kept, 1));
    bt_frames_destroy(&frames);
    for (size_t i = 0; i < 3; ++i) bt_windows_destroy(&windows[i]);
    bt_rows_destroy(&more);
}

static void test_where_frames_go(void **state)
{
    (void)state;
    bool stored = false;
    expect_ok(bt_frames_choose(BT_FRAMES_AUTO, BT_NORMALISE_WINDOW, 100, 100, alone, &stored));
    assert_true(stored);
    expect_ok(bt_frames_choose(BT_FRAMES_AUTO, BT_NORMALISE_WINDOW, 101, 100, alone, &stored));
    assert_false(stored);
    expect_ok(bt_frames_choose(BT_FRAMES_STORE, BT_NORMALISE_NONE, 101, 100, alone, &stored));
    assert_true(stored);
    expect_ok(bt_frames_choose(BT_FRAMES_RECOMPUTE, BT_NORMALISE_WINDOW, 1, 100, alone, &stored));
    assert_false(stored);
    expect_ok(bt_frames_choose(BT_FRAMES_AUTO, BT_NORMALISE_BATCH, 1, 100, alone, &stored));
    assert_false(stored);
    expect_failure(bt_frames_choose(BT_FRAMES_STORE, BT_NORMALISE_BATCH, 1, 100, alone, &stored), BT_ERR_USAGE,
                   "frames=store: with normalise=batch");
}

static void test_windows_too_short_for_a_frame(void **state)
{
    (void)state;
    bt_windows *windows = NULL;
    bt_frames *frames = NULL;
    const bt_windows_options shorter = {.seconds = 0.01, .normalise = BT_NORMALISE_NONE, .rate = 16000};
    expect_ok(bt_windows_create(rows, &shorter, store(), alone, &windows));
    const bt_frames_options options = {.model = model, .windows = windows};
    expect_failure(bt_frames_create(&options, alone, &frames), BT_ERR_USAGE,
                   "window.seconds: 160 samples are too few for a frame");
    assert_null(frames);
    bt_windows_destroy(&windows);
}

/* A stored file of another shape is said to be one, not read. */
static void test_a_damaged_file(void **state)
{
    (void)state;
    bt_windows *windows = windows_of(rows, BT_NORMALISE_WINDOW);
    bt_frames *frames = frames_of(windows, true);
    bt_names names = {0};
    char *const folder = bt_path_join(store(), "frames");
    const size_t shape[3] = {1, 50, 18};
    bt_frames_destroy(&frames);
    expect_ok(bt_path_list(folder, &names));
    for (size_t i = 0; i < names.n; ++i) {
        const char *const path = test_path(test_path(folder, names.items[i]), "frames.npy");
        if (bt_path_exists(path)) expect_ok(bt_npy_reserve(path, BT_F32, 3, shape));
    }
    const bt_frames_options options = {.model = model,
                                       .parameters = bt_training_parameters(training),
                                       .windows = windows,
                                       .folder = model_folder(),
                                       .store = store(),
                                       .stored = true};
    expect_failure(bt_frames_create(&options, alone, &frames), BT_ERR_INPUT,
                   "frames.npy: expected (20, 50, 18) float32, found 3 axes, (1, 50, 18)");
    expect_ok(bt_path_remove(folder));
    bt_names_clear(&names);
    bt_free(folder);
    bt_windows_destroy(&windows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stored_frames_are_the_computed_ones),
        cmocka_unit_test(test_windows_are_normalised_once),
        cmocka_unit_test(test_what_is_shared),
        cmocka_unit_test(test_where_frames_go),
        cmocka_unit_test(test_windows_too_short_for_a_frame),
        cmocka_unit_test(test_a_damaged_file),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
