/* What a step reads on 1 to 4 ranks: targets by columns, windows, frames, ceilings equal what one rank reads alone; a
 * fault on one rank is everyone's. */
#include "tuning_support.h"

#include "base/fault.h"
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

/* Of 3 and of 1 kept voxels: some ranks have none. */
static void responses(void **state)
{
    (void)state;
    bt_kept_voxels three = voxels(all, 0.4), one = voxels(all, 0.7);
    const bt_targets_options brain = {.kind = BT_TARGETS_BRAIN, .rows = rows, .subject = "S1", .voxels = &one};
    bt_targets_options random = brain;
    random.kind = BT_TARGETS_RANDOM;
    random.voxels = &three;
    random.random = (bt_random_options){.block = 3, .apart = 2, .seed = 8};
    expect_same_columns(&brain);
    expect_same_columns(&random);
    bt_kept_voxels_clear(&three);
    bt_kept_voxels_clear(&one);
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
    const bt_targets_options options = {.kind = BT_TARGETS_FILE, .rows = rows, .file = file_path(), .zscore = true};
    expect_ok(bt_agree(all, bt_comm_rank(all) == 0 ? write_vectors(18) : BT_OK));
    expect_same_columns(&options);
    expect_ok(bt_comm_barrier(all));
    expect_ok(bt_agree(all, bt_comm_rank(all) == 0 ? write_vectors(17) : BT_OK));
    expect_failure(bt_targets_create(&options, all, &targets), BT_ERR_INPUT, "story cider: expected 18 rows");
    assert_null(targets);
}

/* A model in training, and the windows of 1 s that it reads. */
typedef struct {
    bt_device *device;
    bt_model *model;
    bt_training *training;
    bt_windows *windows;
} reader;

static reader open_reader(void)
{
    reader r = {.device = NULL};
    const size_t last = 3;
    expect_ok(bt_device_create(BT_DEVICE_CPU, &r.device));
    expect_ok(bt_model_open(test_file("golden/models/odd"), r.device, &r.model));
    expect_ok(bt_training_create(r.model, &(bt_training_options){.layers = &last, .n_layer = 1}, &r.training));
    return r;
}

static void close_reader(reader *r)
{
    bt_windows_destroy(&r->windows);
    bt_training_destroy(&r->training);
    bt_model_close(&r->model);
    bt_device_destroy(&r->device);
}

static bt_status read_windows(reader *r)
{
    const bt_windows_options options = {.seconds = 1, .normalise = BT_NORMALISE_WINDOW, .rate = 16000};
    return bt_windows_create(rows, &options, test_path(root, "store"), all, &r->windows);
}

static bt_status read_frames(const reader *r, bool stored, bt_frames **out)
{
    const bt_frames_options options = {.model = r->model,
                                       .parameters = bt_training_parameters(r->training),
                                       .windows = r->windows,
                                       .folder = test_file("golden/models/odd"),
                                       .store = test_path(root, "store"),
                                       .stored = stored};
    return bt_frames_create(&options, all, out);
}

/* Sounds and frames are made once, by all; windows of any rank are those of one. */
static void frames(void **state)
{
    (void)state;
    const size_t chosen[] = {64, 0, 20, 33};
    bt_frames *stored = NULL, *computed = NULL;
    reader r = open_reader();
    expect_ok(read_windows(&r));
    expect_ok(read_frames(&r, true, &stored));
    expect_ok(read_frames(&r, false, &computed));
    const size_t size = 4 * bt_frames_length(stored) * bt_frames_width(stored);
    float *const a = bt_calloc(size, sizeof *a), *const b = bt_calloc(size, sizeof *b);
    expect_ok(bt_frames_read(stored, chosen, 4, NULL, a));
    expect_ok(bt_frames_read(computed, chosen, 4, NULL, b));
    assert_memory_equal(a, b, size * sizeof *a);
    bt_free(a);
    bt_free(b);
    bt_frames_destroy(&stored);
    bt_frames_destroy(&computed);
    close_reader(&r);
}

/* Repeats are read by shares. */
static void ceilings(void **state)
{
    (void)state;
    bt_status status = BT_OK;
    if (bt_comm_rank(all) == 0) {
        enum { DATES_ROWS = 24 };
        const size_t shape[3] = {3, DATES_ROWS, TUNING_VOXELS};
        double values[3 * DATES_ROWS * TUNING_VOXELS];
        bt_h5 *file = NULL;
        for (size_t i = 0; i < 3 * DATES_ROWS * TUNING_VOXELS; ++i)
            values[i] = sin(0.9 * (double)(i / TUNING_VOXELS % DATES_ROWS + i % TUNING_VOXELS)) +
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

/* BRAINTUNE_FAULT is read once: each number of ranks tries one point, on its last rank. */
static const char *const points[] = {"tune.sound", "tune.frames", "tune.responses", "tune.targets"};

/* The first try fails on all ranks alike, the second finds nothing in its way. */
static void a_fault_is_everyones(void **state)
{
    (void)state;
    bt_kept_voxels kept = voxels(all, 0.4);
    const bt_targets_options brain = {.kind = BT_TARGETS_BRAIN, .rows = rows, .subject = "S1", .voxels = &kept};
    const bt_targets_options file = {.kind = BT_TARGETS_FILE, .rows = rows, .file = file_path()};
    expect_ok(bt_agree(all, bt_comm_rank(all) == 0 ? write_vectors(18) : BT_OK));
    for (int again = 0; again < 2; ++again) {
        bt_targets *targets = NULL, *vectors = NULL;
        bt_frames *made = NULL;
        reader r = open_reader();
        bt_status status = read_windows(&r);
        if (status == BT_OK) status = read_frames(&r, true, &made);
        if (status == BT_OK) status = bt_targets_create(&brain, all, &targets);
        if (status == BT_OK) status = bt_targets_create(&file, all, &vectors);
        expect_near((double)status, (double)(again ? BT_OK : BT_ERR_FILE), 0);
        if (!again) assert_non_null(strstr(bt_error_message(), "injected failure at tune."));
        bt_targets_destroy(&targets);
        bt_targets_destroy(&vectors);
        bt_frames_destroy(&made);
        close_reader(&r);
    }
    bt_kept_voxels_clear(&kept);
}

int main(int argc, char **argv)
{
    int provided = 0, failed = 0, anywhere = 0;
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return 1;
    char fault[64];
    int size = 1, rank = 0;
    (void)MPI_Comm_size(MPI_COMM_WORLD, &size);
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    (void)snprintf(fault, sizeof fault, "%s:fail:%d", points[(size - 1) % 4], size - 1);
    (void)setenv("BRAINTUNE_FAULT", fault, 1);
    bt_fault_rank(rank);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_is_everyones), /* the first */
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
