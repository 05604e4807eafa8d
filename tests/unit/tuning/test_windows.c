/* Windows against tests/parity/golden_tuning.py: which samples, and how they are normalised. */
#include "tuning_support.h"

#include "tuning/windows.h"

static const char *root;
static bt_dataset *dataset;
static bt_comm *alone;

static int set_up(void **state)
{
    (void)state;
    root = tuning_world("world");
    tuning_sounds(root);
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

static const char *store(void)
{
    return test_path(test_scratch(), "store");
}

static bt_rows *rows_at(double tr, double sound_start)
{
    bt_rows *rows = NULL;
    const bt_timing timing = tuning_timing(tr, sound_start);
    expect_ok(tuning_try_rows(dataset, "tune", "S1", &timing, false, &rows));
    return rows;
}

static bt_windows *windows_of(const bt_rows *rows, bt_windows_rule rule, bt_normalise normalise)
{
    bt_windows *windows = NULL;
    const bt_windows_options options = {.seconds = 10, .rule = rule, .normalise = normalise, .rate = 16000};
    expect_ok(bt_windows_create(rows, &options, store(), alone, &windows));
    assert_int_equal(bt_windows_samples(windows), 160000);
    return windows;
}

/* Golden files hold every STEP-th sample of CHOSEN rows. */
enum { CHOSEN = 4, STEP = 997, SAMPLES = 160000, KEPT = (SAMPLES + STEP - 1) / STEP };
static const size_t chosen[CHOSEN] = {0, 19, 46, 54};

static void expect_golden(const bt_rows *rows, const char *name, bt_windows_rule rule)
{
    static const bt_normalise kinds[] = {BT_NORMALISE_NONE, BT_NORMALISE_WINDOW, BT_NORMALISE_BATCH};
    char file[64];
    double *golden = NULL;
    int rank = 0;
    size_t shape[BT_ARRAY_RANK] = {0};
    (void)snprintf(file, sizeof file, "golden/tuning/windows_%s.npy", name);
    expect_ok(bt_array_read_all(test_file(file), &rank, shape, &golden));
    float *const samples = bt_calloc(CHOSEN * SAMPLES, sizeof *samples);
    for (size_t k = 0; k < 3; ++k) {
        bt_windows *windows = windows_of(rows, rule, kinds[k]);
        bt_windows_scale scale;
        expect_ok(bt_windows_measure(windows, chosen, CHOSEN, &scale));
        expect_ok(bt_windows_read(windows, chosen, CHOSEN, &scale, samples));
        for (size_t i = 0; i < CHOSEN; ++i)
            for (size_t j = 0; j < KEPT; ++j)
                expect_near((double)samples[i * SAMPLES + j * STEP], golden[(k * CHOSEN + i) * KEPT + j], 1e-5);
        bt_windows_destroy(&windows);
    }
    bt_free(samples);
    bt_free(golden);
}

static void test_numpy_gives_the_same_windows(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bt_windows_rule rule;
        double tr, sound_start;
    } cases[] = {
        {"exact", BT_WINDOWS_EXACT, 2.0045, 10.0235},  {"late", BT_WINDOWS_EXACT, 2.0045, 16},
        {"early", BT_WINDOWS_EXACT, 2.0045, -5},       {"slices", BT_WINDOWS_SLICES, 2, 10.0235},
        {"drift", BT_WINDOWS_SLICES, 2.0045, 10.0425}, {"behind", BT_WINDOWS_SLICES, 2, -5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        bt_rows *rows = rows_at(cases[i].tr, cases[i].sound_start);
        expect_golden(rows, cases[i].name, cases[i].rule);
        bt_rows_destroy(&rows);
    }
}

/* A rank that reads two windows of a batch normalises them as one that reads all. */
static void test_a_part_of_a_batch_is_scaled_as_the_whole(void **state)
{
    (void)state;
    bt_rows *rows = rows_at(2, 10.0235);
    bt_windows *windows = windows_of(rows, BT_WINDOWS_SLICES, BT_NORMALISE_BATCH);
    bt_windows_scale scale;
    float *const all = bt_calloc(CHOSEN * SAMPLES, sizeof *all), *const part = bt_calloc(2 * SAMPLES, sizeof *part);
    expect_ok(bt_windows_measure(windows, chosen, CHOSEN, &scale));
    expect_ok(bt_windows_read(windows, chosen, CHOSEN, &scale, all));
    expect_ok(bt_windows_read(windows, chosen + 2, 2, &scale, part));
    assert_memory_equal(part, all + 2 * SAMPLES, 2 * SAMPLES * sizeof *part);
    double sum = 0, square = 0;
    for (size_t i = 0; i < CHOSEN * SAMPLES; ++i) {
        sum += (double)all[i];
        square += (double)all[i] * (double)all[i];
    }
    expect_near(sum / (CHOSEN * SAMPLES), 0, 1e-6);
    expect_near(square / (CHOSEN * SAMPLES), 1, 1e-5);
    bt_free(all);
    bt_free(part);
    bt_windows_destroy(&windows);
    bt_rows_destroy(&rows);
}

/* A window of silence stays 0: the epsilon is inside the root. */
static void test_silence_is_not_blown_up(void **state)
{
    (void)state;
    bt_rows *rows = rows_at(2.0045, 60);
    bt_windows *windows = windows_of(rows, BT_WINDOWS_EXACT, BT_NORMALISE_WINDOW);
    float *const samples = bt_calloc(SAMPLES, sizeof *samples);
    const size_t first = 0;
    samples[5] = 1;
    expect_ok(bt_windows_read(windows, &first, 1, NULL, samples));
    for (size_t i = 0; i < SAMPLES; ++i) assert_true(samples[i] == 0);
    bt_free(samples);
    bt_windows_destroy(&windows);
    bt_rows_destroy(&rows);
}

/* Sounds are resampled once: a second run finds them, though the first one's files are all it has. */
static void test_stored_sounds_are_found(void **state)
{
    (void)state;
    bt_rows *rows = rows_at(2.0045, 10.0235);
    bt_windows *windows = windows_of(rows, BT_WINDOWS_EXACT, BT_NORMALISE_NONE);
    bt_names before = {0}, after = {0};
    char *const folder = bt_path_join(store(), "sound");
    expect_ok(bt_path_list(folder, &before));
    bt_windows_destroy(&windows);
    windows = windows_of(rows, BT_WINDOWS_EXACT, BT_NORMALISE_NONE);
    expect_ok(bt_path_list(folder, &after));
    assert_int_equal(before.n, after.n);
    bt_names_clear(&before);
    bt_names_clear(&after);
    bt_free(folder);
    bt_windows_destroy(&windows);
    bt_rows_destroy(&rows);
}

/* Where windows lie and how they are normalised is in the digest; what is not theirs, is not. */
static void test_digests_tell_windows_apart(void **state)
{
    (void)state;
    bt_rows *rows = rows_at(2.0045, 10.0235), *again = rows_at(2.0045, 10.0235), *other = rows_at(2.0045, 10.0236);
    bt_windows *windows[] = {
        windows_of(rows, BT_WINDOWS_EXACT, BT_NORMALISE_NONE), windows_of(again, BT_WINDOWS_EXACT, BT_NORMALISE_NONE),
        windows_of(other, BT_WINDOWS_EXACT, BT_NORMALISE_NONE), windows_of(rows, BT_WINDOWS_EXACT, BT_NORMALISE_WINDOW),
        windows_of(rows, BT_WINDOWS_SLICES, BT_NORMALISE_NONE)};
    char digests[5][33];
    for (size_t i = 0; i < 5; ++i) expect_ok(bt_windows_digest(windows[i], 1, digests[i]));
    assert_string_equal(digests[0], digests[1]);
    for (size_t i = 2; i < 5; ++i) assert_string_not_equal(digests[0], digests[i]);
    for (size_t i = 0; i < 5; ++i) bt_windows_destroy(&windows[i]);
    bt_rows_destroy(&rows);
    bt_rows_destroy(&again);
    bt_rows_destroy(&other);
}

static void test_lengths(void **state)
{
    (void)state;
    size_t n = 0;
    bt_windows_options options = {.seconds = 0.1, .rate = 16000};
    expect_ok(bt_windows_length(&options, &n));
    assert_int_equal(n, 1600);
    options.rule = BT_WINDOWS_SLICES;
    expect_failure(bt_windows_length(&options, &n), BT_ERR_USAGE, "window.rule=slices takes whole slices of 2 s");
    options.seconds = 4;
    expect_ok(bt_windows_length(&options, &n));
    assert_int_equal(n, 64000);
    options = (bt_windows_options){.seconds = 1e-5, .rate = 16000};
    expect_failure(bt_windows_length(&options, &n), BT_ERR_USAGE, "window.seconds: expected at least one sample");
    assert_int_equal(bt_normalise_resolve(BT_NORMALISE_AUTO, true), BT_NORMALISE_WINDOW);
    assert_int_equal(bt_normalise_resolve(BT_NORMALISE_AUTO, false), BT_NORMALISE_NONE);
    assert_int_equal(bt_normalise_resolve(BT_NORMALISE_BATCH, false), BT_NORMALISE_BATCH);
}

static void test_a_story_without_sound_is_named(void **state)
{
    (void)state;
    bt_rows *rows = rows_at(2.0045, 10.0235);
    bt_windows *windows = NULL;
    const bt_windows_options options = {.seconds = 10, .normalise = BT_NORMALISE_NONE, .rate = 16000};
    expect_ok(bt_path_remove(made_up_path(root, "stimuli/bread.wav")));
    expect_failure(bt_windows_create(rows, &options, store(), alone, &windows), BT_ERR_INPUT, "stimuli/bread.wav");
    assert_null(windows);
    bt_rows_destroy(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numpy_gives_the_same_windows),
        cmocka_unit_test(test_a_part_of_a_batch_is_scaled_as_the_whole),
        cmocka_unit_test(test_silence_is_not_blown_up),
        cmocka_unit_test(test_stored_sounds_are_found),
        cmocka_unit_test(test_digests_tell_windows_apart),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_a_story_without_sound_is_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
