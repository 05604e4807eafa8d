/* What a step reads on 1 to 4 ranks: targets by columns, windows, frames, ceilings equal what one rank reads alone; a
 * fault on one rank is everyone's. */
#include "tuning_support.h"

#include "base/log.h"
#include "speech/training.h"
#include "tuning/frames.h"
#include "tuning/targets.h"

#include <mpi.h>

static bt_comm *all, *alone;
static bt_dataset *dataset;
static bt_rows *rows;
static char root[128];

/* One folder for all ranks, made by rank 0. */
static int set_up(void **state)
{
    (void)state;
    char *path = NULL;
    expect_ok(bt_comm_create(MPI_COMM_WORLD, &all));
    expect_ok(bt_comm_create(MPI_COMM_NULL, &alone));
    bt_log_speak(bt_comm_rank(all) == 0);
    if (bt_comm_rank(all) == 0) {
        path = bt_strdup(tuning_world("world"));
        tuning_sounds(path);
    }
    expect_ok(bt_comm_broadcast_text(all, 0, &path));
    (void)snprintf(root, sizeof root, "%s", path);
    bt_free(path);
    expect_ok(bt_dataset_open(root, &dataset));
    rows = tuning_rows(dataset, "tune");
    return 0;
}

static int tear_down(void **state)
{
    bt_rows_destroy(&rows);
    bt_dataset_close(&dataset);
    expect_ok(bt_comm_barrier(all));
    bt_comm_destroy(&all);
    bt_comm_destroy(&alone);
    return test_no_leak(state);
}

static bt_kept_voxels voxels(const bt_comm *comm, double keep_above)
{
    bt_kept_voxels kept;
    bt_names none = {0};
    const bt_voxels_rule rule = {.keep_above = keep_above};
    expect_ok(bt_kept_voxels_create(&rule, dataset, "S1", &none, bt_rows_names(rows), comm, &kept));
    return kept;
}

/* Columns of all ranks' targets, [low, high) of those of one. */
static void expect_same_columns(const bt_targets_options *options)
{
    bt_targets *mine = NULL, *whole = NULL;
    expect_ok(bt_targets_create(options, all, &mine));
    expect_ok(bt_targets_create(options, alone, &whole));
    const bt_range range = bt_targets_range(mine);
    const size_t width = range.high - range.low, n = bt_targets_columns(whole);
    assert_int_equal(bt_targets_columns(mine), n);
    float *const here = bt_calloc(width, sizeof *here), *const there = bt_calloc(n, sizeof *there);
    for (size_t row = 0; row < bt_rows_count(rows); ++row) {
        assert_int_equal(bt_targets_used_rows(mine)[row], bt_targets_used_rows(whole)[row]);
        if (!bt_targets_used_rows(mine)[row]) continue;
        bt_targets_read(mine, &row, 1, here);
        bt_targets_read(whole, &row, 1, there);
        assert_memory_equal(here, there + range.low, width * sizeof *here);
    }
    bt_free(here);
    bt_free(there);
    bt_targets_destroy(&mine);
    bt_targets_destroy(&whole);
}

/* 3, 5 and 1 kept voxels: with four ranks, some have none. */
static void responses(void **state)
{
    (void)state;
    static const double thresholds[] = {0.4, 0, 0.7};
    for (size_t i = 0; i < 3; ++i) {
        bt_kept_voxels kept = voxels(all, thresholds[i]);
        const bt_targets_options brain = {.kind = BT_TARGETS_BRAIN, .rows = rows, .subject = "S1", .voxels = &kept};
        bt_targets_options random = brain;
        random.kind = BT_TARGETS_RANDOM;
        random.random = (bt_random_options){.block = 3, .apart = 2, .seed = 8};
        expect_same_columns(&brain);
        expect_same_columns(&random);
        bt_kept_voxels_clear(&kept);
    }
}

static const char *file_path(void)
{
    return test_path(root, "vectors.h5");
}

static bt_status write_vectors(size_t rows_of_cider)
{
    enum { WIDTH = 11 };
    bt_status status = BT_OK;
    bt_h5 *file = NULL;
    double values[64 * WIDTH], times[64];
    for (size_t i = 0; i < 64 * WIDTH; ++i) values[i] = sin((double)i);
    for (size_t i = 0; i < 64; ++i) times[i] = 1.1 * (double)i;
    BT_TRY(bt_h5_create(file_path(), &file));
    BT_TRY(bt_h5_write(file, "/apple/rows", BT_F64, 2, (size_t[]){20, WIDTH}, values));
    BT_TRY(bt_h5_write(file, "/bread/vectors", BT_F64, 2, (size_t[]){64, WIDTH}, values));
    BT_TRY(bt_h5_write(file, "/bread/times", BT_F64, 1, (size_t[]){64}, times));
    BT_TRY(bt_h5_write(file, "/cider/rows", BT_F64, 2, (size_t[]){rows_of_cider, WIDTH}, values));
    BT_TRY(bt_h5_close(&file));
cleanup:
    bt_h5_abandon(&file);
    return status;
}

static void files(void **state)
{
    (void)state;
    bt_targets *targets = NULL;
    bt_targets_options options = {.kind = BT_TARGETS_FILE, .rows = rows, .file = file_path()};
    expect_ok(bt_agree(all, bt_comm_rank(all) == 0 ? write_vectors(18) : BT_OK));
    expect_same_columns(&options);
    options.zscore = true;
    expect_same_columns(&options);
    expect_ok(bt_comm_barrier(all));
    expect_ok(bt_agree(all, bt_comm_rank(all) == 0 ? write_vectors(17) : BT_OK));
    expect_failure(bt_targets_create(&options, all, &targets), BT_ERR_INPUT, "story cider: expected 18 rows");
    assert_null(targets);
}

/* Sounds and frames are made once, by all; windows of any rank are those of one. */
static void frames(void **state)
{
    (void)state;
    const char *const folder = test_file("golden/models/odd"), *const store = test_path(root, "store");
    const bt_windows_options windows_options = {.seconds = 1, .normalise = BT_NORMALISE_WINDOW, .rate = 16000};
    const size_t chosen[] = {64, 0, 20, 33};
    bt_device *device = NULL;
    bt_model *model = NULL;
    bt_training *training = NULL;
    bt_windows *windows = NULL;
    bt_frames *stored = NULL, *computed = NULL;
    const size_t last = 3;
    expect_ok(bt_device_create(BT_DEVICE_CPU, &device));
    expect_ok(bt_model_open(folder, device, &model));
    expect_ok(bt_training_create(model, &(bt_training_options){.layers = &last, .n_layer = 1}, &training));
    expect_ok(bt_windows_create(rows, &windows_options, store, all, &windows));
    bt_frames_options options = {.model = model,
                                 .parameters = bt_training_parameters(training),
                                 .windows = windows,
                                 .folder = folder,
                                 .store = store,
                                 .stored = true};
    expect_ok(bt_frames_create(&options, all, &stored));
    options.stored = false;
    expect_ok(bt_frames_create(&options, all, &computed));
    const size_t size = 4 * bt_frames_length(stored) * bt_frames_width(stored);
    float *const a = bt_calloc(size, sizeof *a), *const b = bt_calloc(size, sizeof *b);
    expect_ok(bt_frames_read(stored, chosen, 4, NULL, a));
    expect_ok(bt_frames_read(computed, chosen, 4, NULL, b));
    assert_memory_equal(a, b, size * sizeof *a);
    bt_free(a);
    bt_free(b);
    bt_frames_destroy(&stored);
    bt_frames_destroy(&computed);
    bt_windows_destroy(&windows);
    bt_training_destroy(&training);
    bt_model_close(&model);
    bt_device_destroy(&device);
}

/* Repeats are read by shares. */
static void ceilings(void **state)
{
    (void)state;
    bt_status status = BT_OK;
    if (bt_comm_rank(all) == 0) {
        const size_t shape[3] = {3, 16, TUNING_VOXELS};
        double values[3 * 16 * TUNING_VOXELS];
        bt_h5 *file = NULL;
        for (size_t i = 0; i < 3 * 16 * TUNING_VOXELS; ++i)
            values[i] = sin(0.9 * (double)(i / TUNING_VOXELS % 16 + i % TUNING_VOXELS)) +
                        0.3 * (double)(i % TUNING_VOXELS) * cos((double)(i * i % 101));
        status = bt_h5_create(test_path(root, "derivative/preprocessed_data/S1/dates.hf5"), &file);
        if (status == BT_OK) status = bt_h5_write(file, "/data", BT_F64, 2, shape + 1, values);
        if (status == BT_OK) status = bt_h5_write(file, "/individual_repeats", BT_F64, 3, shape, values);
        if (status == BT_OK) status = bt_h5_close(&file);
    }
    expect_ok(bt_agree(all, status));
    bt_names test = tuning_names("dates");
    bt_kept_voxels mine, whole;
    const bt_voxels_rule rule = {.keep_above = 0.9};
    expect_ok(bt_kept_voxels_create(&rule, dataset, "S1", &test, bt_rows_names(rows), all, &mine));
    expect_ok(bt_kept_voxels_create(&rule, dataset, "S1", &test, bt_rows_names(rows), alone, &whole));
    assert_string_equal(mine.ceiling, "repeats");
    assert_in_range(mine.n_kept, 1, TUNING_VOXELS - 1);
    assert_int_equal(mine.n_kept, whole.n_kept);
    assert_memory_equal(mine.index, whole.index, whole.n_kept * sizeof *whole.index);
    bt_kept_voxels_clear(&mine);
    bt_kept_voxels_clear(&whole);
    bt_names_clear(&test);
}

int main(int argc, char **argv)
{
    int provided = 0, failed = 0, anywhere = 0;
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(responses),
        cmocka_unit_test(files),
        cmocka_unit_test(frames),
        cmocka_unit_test(ceilings),
    };
    failed = cmocka_run_group_tests(tests, set_up, tear_down);
    (void)MPI_Allreduce(&failed, &anywhere, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    (void)MPI_Finalize();
    return anywhere != 0;
}
