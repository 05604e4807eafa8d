/* The stage: a whole small data set, its layout and agreement with itself, and the settings that it refuses. */
#include "stage_call.h"

#include "base/log.h"
#include "io/audio.h"
#include "io/hdf5.h"
#include "io/json.h"
#include "io/textgrid.h"
#include "simulate/files.h"
#include "simulate/settings.h"
#include "simulate/simulate.h"
#include "simulate/voxels.h"
#include "stimulus/dataset.h"
#include "stimulus/timing.h"
#include "stimulus/words.h"

#include <strings.h>

static const char small[] =
    "stories.count=2 stories.seconds=50 stories.repeats=3 stories.pretrain_count=1 subjects.count=2 voxels.null=3 "
    "voxels.language=4 "
    "voxels.primary_auditory=5 voxels.mixed=2 voices=kal16,slt vocabulary.categories=3 model.hidden=16 model.blocks=1 "
    "model.heads=2 model.channels=8 model.intermediate=8 model.position_kernel=4";
enum { VOXELS = 14, REPEATS = 3 };

/* Runs the stage with the small settings, then `more`, into `out`. */
static bt_status simulate(const char *out, const char *more, bt_text *result)
{
    bt_status status = BT_OK;
    bt_text words = {0};
    bt_comm *comm = NULL;
    BT_TRY(bt_comm_create(MPI_COMM_NULL, &comm));
    BT_TRY(bt_text_add(&words, "%s out=%s %s", small, out, more));
    BT_TRY(stage_call(&bt_simulate_stage, comm, words.data, result));
cleanup:
    bt_text_clear(&words);
    bt_comm_destroy(&comm);
    return status;
}

/* The data set that several tests look at. */
static const char *made(void)
{
    static char path[4200];
    if (path[0]) return path;
    (void)snprintf(path, sizeof path, "%s", test_path(test_scratch(), "made"));
    bt_text result = {0};
    expect_ok(simulate(path, "", &result));
    assert_non_null(strstr(result.data, "stories 2 + 1 test + 1 validation + 1 for pre-training"));
    assert_non_null(strstr(result.data, path));
    bt_text_clear(&result);
    return path;
}

static void check_responses(const char *path, bool test, size_t n_row)
{
    bt_h5 *file = NULL;
    bt_h5_shape shape;
    double *data = NULL, *repeats = NULL;
    expect_ok(bt_h5_open(path, NULL, &file));
    expect_ok(bt_h5_read_all(file, "/data", BT_F64, &shape, (void **)&data));
    assert_true(shape.rank == 2 && shape.shape[0] == n_row && shape.shape[1] == VOXELS && shape.element_size == 8);
    assert_int_equal(bt_h5_has(file, "/individual_repeats"), test);
    if (test) {
        expect_ok(bt_h5_read_all(file, "/individual_repeats", BT_F64, &shape, (void **)&repeats));
        assert_true(shape.rank == 3 && shape.shape[0] == REPEATS && shape.shape[1] == n_row);
        for (size_t i = 0; i < n_row * VOXELS; ++i) {
            const double sum = repeats[i] + repeats[n_row * VOXELS + i] + repeats[2 * n_row * VOXELS + i];
            expect_near(data[i], sum / REPEATS, 1e-12);
        }
    }
    bt_free(data);
    bt_free(repeats);
    expect_ok(bt_h5_close(&file));
}

static void rows_audio_and_respdict_agree(void **state)
{
    (void)state;
    bt_dataset *dataset = NULL;
    expect_ok(bt_dataset_open(made(), &dataset));
    const bt_names *const stories = bt_dataset_stories(dataset), *const subjects = bt_dataset_subjects(dataset);
    assert_int_equal(stories->n, 5);
    assert_int_equal(subjects->n, 2);
    for (size_t s = 0; s < stories->n; ++s) {
        size_t trs = 0;
        bt_audio_info info;
        double *const times = bt_calloc(200, sizeof *times);
        char *const audio = bt_dataset_audio_path(dataset, stories->items[s]);
        expect_ok(bt_dataset_scanner_trs(dataset, stories->items[s], &trs));
        expect_ok(bt_audio_inspect(audio, &info));
        bt_tr_times(trs - BT_PAD_TRS, 2.0045, 10.0235, 1, times);
        const double length = (double)info.frames / info.rate, last = times[trs - BT_PAD_TRS - 1];
        assert_true(last < length && last > length - 2 * 2.0045); /* the audio covers every row */
        for (size_t i = 0; i < subjects->n; ++i) {
            char *const path = bt_dataset_responses_path(dataset, subjects->items[i], stories->items[s]);
            const bool heard = strcmp(stories->items[s], "pretrain01") != 0;
            assert_int_equal(bt_dataset_has_responses(dataset, subjects->items[i], stories->items[s]), heard);
            if (heard) check_responses(path, !strcmp(stories->items[s], "test01"), trs - 20);
            bt_free(path);
        }
        bt_free(audio);
        bt_free(times);
    }
    bt_dataset_close(&dataset);
}

static void read_truth(const char *name, const char *path, bt_h5_shape *shape, double **values)
{
    bt_h5 *file = NULL;
    expect_ok(bt_h5_open(test_path(made(), name), NULL, &file));
    expect_ok(bt_h5_read_all(file, path, BT_F64, shape, (void **)values));
    expect_ok(bt_h5_close(&file));
}

/* Signals made again from the drivers and weights on file: their ceilings and correlations are those on file. */
static void truth_explains_the_responses(void **state)
{
    (void)state;
    bt_h5_shape shape;
    double *drivers = NULL, *weights = NULL, *snr = NULL, *cc_max = NULL, *r = NULL, *data = NULL, again[VOXELS];
    read_truth("truth/drivers.h5", "/test01/drivers", &shape, &drivers);
    const size_t n_row = shape.shape[0], n_driver = shape.shape[1];
    assert_int_equal(n_driver, 8 + 3);
    read_truth("truth/SIM02.h5", "/weights", &shape, &weights);
    assert_true(shape.shape[0] == n_driver && shape.shape[1] == VOXELS);
    read_truth("truth/SIM02.h5", "/snr", &shape, &snr);
    read_truth("truth/SIM02.h5", "/test01/cc_max", &shape, &cc_max);
    read_truth("truth/SIM02.h5", "/test01/r", &shape, &r);
    read_truth("derivative/preprocessed_data/SIM02/test01.hf5", "/data", &shape, &data);
    const bt_voxels voxels = {.n_voxel = VOXELS, .n_driver = n_driver, .snr = snr, .weights = weights};
    double *const signal = bt_calloc(n_row * VOXELS, sizeof *signal);
    bt_voxels_signal(&voxels, drivers, n_row, signal);
    bt_voxels_correlate(signal, data, n_row, VOXELS, again);
    for (size_t v = 0; v < VOXELS; ++v) expect_near(r[v], again[v], 1e-12);
    bt_voxels_ceiling(&voxels, signal, n_row, REPEATS, again);
    for (size_t v = 0; v < VOXELS; ++v) expect_near(cc_max[v], again[v], 1e-12);
    for (size_t v = 0; v < VOXELS - 3; ++v) assert_true(cc_max[v] > 0.3 && fabs(r[v] - cc_max[v]) < 0.4);
    for (size_t v = VOXELS - 3; v < VOXELS; ++v) assert_true(cc_max[v] == 0 && r[v] == 0 && snr[v] == 0);
    bt_free(signal);
    bt_free(drivers);
    bt_free(weights);
    bt_free(snr);
    bt_free(cc_max);
    bt_free(r);
    bt_free(data);
}

static void roles_and_labels_are_there(void **state)
{
    (void)state;
    bt_json *names = NULL, *model = NULL;
    int64_t label = 0;
    char *text = NULL;
    size_t size = 0;
    expect_ok(bt_path_read(test_path(made(), "stories.yaml"), &text, &size));
    assert_string_equal(text, "stories:\n  tune: [story01, story02]\n  encode: [story01, story02]\n"
                              "  validate: [validate01]\n  test: [test01]\n"
                              "  # sound and transcript only: nobody heard these\n  pretrain: [pretrain01]\n");
    bt_free(text);
    expect_ok(bt_json_read(test_path(made(), "derivative/rois/names.json"), &names));
    expect_ok(bt_json_int(names, "language", &label));
    assert_int_equal(label, BT_ROI_LANGUAGE);
    bt_json_close(&names);
    expect_ok(bt_json_read(test_path(made(), "model/braintune.json"), &model));
    expect_ok(bt_json_text(model, "origin", &text));
    assert_string_equal(text, "random initialisation");
    bt_free(text);
    bt_json_close(&model);
    assert_true(bt_path_exists(test_path(made(), "derivative/rois/SIM01.npy")));
    assert_true(bt_path_exists(test_path(made(), "truth/words/story01.csv")));
}

/* How often `label` is said in [low, high) s of a story, by its TextGrid. */
static double said(const char *story, const char *label, double low, double high)
{
    bt_textgrid grid = {0};
    const bt_tier *words = NULL;
    double sum = 0;
    char *const path = bt_path_of(made(), "derivative/TextGrids", story, ".TextGrid");
    expect_ok(bt_textgrid_read(path, &grid));
    expect_ok(bt_word_tier(&grid, path, &words));
    for (size_t i = 0; i < words->n; ++i) {
        const bt_mark *const mark = &words->marks[i];
        const double inside = fmin(mark->end, high) - fmax(mark->start, low);
        if (!strcasecmp(mark->label, label) && inside > 0) sum += inside / (mark->end - mark->start);
    }
    bt_textgrid_clear(&grid);
    bt_free(path);
    return sum;
}

/* Every row of the column "the" of targets/words.h5 against the transcript; stories that subjects tune on have none. */
static void targets_agree_with_transcripts(void **state)
{
    (void)state;
    bt_h5 *file = NULL;
    char *labels = NULL;
    size_t the = 0;
    double total = 0;
    char *const targets = bt_path_join(made(), "targets/words.h5"), *const phones =
                                                                        bt_path_join(made(), "targets/phones.h5");
    expect_ok(bt_h5_open(targets, NULL, &file));
    expect_ok(bt_h5_get_text(file, "/", "labels", &labels));
    for (const char *label = labels; label && strncmp(label, "the,", 4); ++the) label = strchr(label, ',') + 1;
    static const char *const stories[] = {"pretrain01", "validate01"};
    for (size_t s = 0; s < 2; ++s) {
        bt_h5_shape shape;
        float *rows = NULL;
        char *const path = bt_path_of("", stories[s], "rows", "");
        expect_ok(bt_h5_read_all(file, path, BT_F32, &shape, (void **)&rows));
        for (size_t i = 0; i < shape.shape[0]; ++i) {
            const double end = (double)(i + 11) * 2.0045 - 10.0235;
            const double expected = said(stories[s], "the", end - 2, end);
            expect_near(rows[i * shape.shape[1] + the], expected, 1e-5);
            total += expected;
        }
        bt_free(rows);
        bt_free(path);
    }
    assert_true(total > 5);
    assert_false(bt_h5_has(file, "/story01") || bt_h5_has(file, "/test01"));
    bt_free(labels);
    expect_ok(bt_h5_close(&file));
    assert_true(bt_path_exists(phones));
    bt_free(targets);
    bt_free(phones);
}

static void expect_same_file(const char *a, const char *b)
{
    char *x = NULL, *y = NULL;
    size_t nx = 0, ny = 0;
    expect_ok(bt_path_read(a, &x, &nx));
    expect_ok(bt_path_read(b, &y, &ny));
    if (nx != ny || memcmp(x, y, nx)) print_error("%s and %s differ\n", a, b);
    assert_int_equal(nx, ny);
    assert_memory_equal(x, y, nx);
    bt_free(x);
    bt_free(y);
}

static void expect_same_tree(const char *a, const char *b)
{
    bt_names names = {0}, others = {0};
    expect_ok(bt_path_list(a, &names));
    expect_ok(bt_path_list(b, &others));
    assert_int_equal(names.n, others.n);
    for (size_t i = 0; i < names.n; ++i) {
        char *const x = bt_path_join(a, names.items[i]), *const y = bt_path_join(b, names.items[i]);
        if (bt_path_is_directory(x))
            expect_same_tree(x, y);
        else
            expect_same_file(x, y);
        bt_free(x);
        bt_free(y);
    }
    bt_names_clear(&names);
    bt_names_clear(&others);
}

static void same_settings_same_bytes(void **state)
{
    (void)state;
    const char *const first = made(), *const again = test_path(test_scratch(), "again");
    bt_text result = {0}, done = {0};
    expect_ok(simulate(again, "", &result));
    expect_same_tree(first, again);
    expect_ok(simulate(again, "", &done)); /* finds it done, says the same */
    assert_string_equal(result.data, done.data);
    bt_text_clear(&result);
    bt_text_clear(&done);
    expect_failure(simulate(again, "seed=2", &result), BT_ERR_USAGE, "seed");
    bt_text_clear(&result);
}

static void dry_run_writes_nothing(void **state)
{
    (void)state;
    const char *const out = test_path(test_scratch(), "dry");
    bt_text result = {0};
    expect_ok(simulate(out, "dry_run=true", &result));
    assert_non_null(strstr(result.data, "seconds of speech"));
    assert_false(bt_path_exists(out));
    bt_text_clear(&result);
}

static void bad_settings_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *word, *part;
    } cases[] = {
        {"stories.seconds=20", "stories.seconds=20"},
        {"stories.seconds=0", "stories.seconds"},
        {"stories.repeats=1", "stories.repeats"},
        {"stories.pause_low=2", "stories.pause_low=2 is above stories.pause_high=0.4"},
        {"topics.shortest=30", "topics.shortest=30 is above topics.longest=15"},
        {"voices=slt,kal61", "kal16"},
        {"voices=", "voices"},
        {"snr.language=2,1", "snr.language"},
        {"snr.mixed=0.5", "snr.mixed"},
        {"noise.autocorrelation=1", "noise.autocorrelation"},
        {"model.heads=3", "model.heads=3 does not divide model.hidden=16"},
        {"model.position_groups=5", "model.position_groups=5"},
        {"model.kernels=10,3", "model.kernels has 2 numbers, model.strides 7"},
        {"vocabulary.words_per_category=2", "vocabulary.words_per_category"},
        {"voxel.null=3", "voxels.null"},
        {"timing.tr=0", "timing.tr"},
    };
    const char *const out = test_path(test_scratch(), "refused");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        bt_text result = {0};
        expect_failure(simulate(out, cases[i].word, &result), BT_ERR_USAGE, cases[i].part);
        assert_false(bt_path_exists(out));
        bt_text_clear(&result);
    }
}

static void no_voxels_at_all_are_refused(void **state)
{
    (void)state;
    bt_simulate_options options = {0};
    bt_settings settings = {0};
    char *words[] = {"voxels.null=0", "voxels.language=0", "voxels.mixed=0", "voxels.primary_auditory=0"};
    bt_settings_add(&settings, bt_simulate_stage.table, bt_simulate_stage.n_setting, &options);
    expect_ok(bt_settings_parse(&settings, 4, words));
    expect_failure(bt_simulate_check(&options), BT_ERR_USAGE, "voxels.*");
    bt_settings_clear(&settings);
}

static void unwritable_folders_are_named(void **state)
{
    (void)state;
    bt_text result = {0};
    expect_failure(simulate("/proc/nowhere/data", "", &result), BT_ERR_FILE, "/proc/nowhere");
    bt_text_clear(&result);
}

static int quiet(void **state)
{
    (void)state;
    bt_log_speak(false);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(rows_audio_and_respdict_agree, test_no_leak),
        cmocka_unit_test_teardown(truth_explains_the_responses, test_no_leak),
        cmocka_unit_test_teardown(roles_and_labels_are_there, test_no_leak),
        cmocka_unit_test_teardown(targets_agree_with_transcripts, test_no_leak),
        cmocka_unit_test_teardown(same_settings_same_bytes, test_no_leak),
        cmocka_unit_test_teardown(dry_run_writes_nothing, test_no_leak),
        cmocka_unit_test_teardown(bad_settings_are_refused, test_no_leak),
        cmocka_unit_test_teardown(no_voxels_at_all_are_refused, test_no_leak),
        cmocka_unit_test_teardown(unwritable_folders_are_named, test_no_leak),
    };
    return cmocka_run_group_tests(tests, quiet, NULL);
}
