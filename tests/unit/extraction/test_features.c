/* Stage features with a tiny random model: each way of extraction against the model called by hand on the same samples,
 * and against each other. */
#include "made_up_dataset.h"
#include "stage_call.h"

#include "extraction/features.h"
#include "io/safetensors.h"
#include "speech/model.h"
#include "stimulus/features_file.h"
#include "stimulus/timing.h"

static char model_folder[256];

/* The folder of a tiny random model, made once. */
static const char *model(void)
{
    if (model_folder[0]) return model_folder;
    const bt_model_random tiny = bt_model_tiny();
    (void)snprintf(model_folder, sizeof model_folder, "%s", test_path(test_scratch(), "tiny"));
    expect_ok(bt_path_make(model_folder));
    expect_ok(bt_model_write_random(model_folder, &tiny));
    return model_folder;
}

/* Runs features with model=, store= and more words, alone. */
static bt_status run(const char *words)
{
    bt_comm *comm = NULL;
    bt_text line = {0};
    expect_ok(bt_comm_create(MPI_COMM_NULL, &comm));
    expect_ok(bt_text_add(&line, "model=%s store=%s/store %s", model(), test_scratch(), words));
    const bt_status status = stage_call(&bt_features_stage, comm, line.data, NULL);
    bt_text_clear(&line);
    bt_comm_destroy(&comm);
    return status;
}

/* run() with audio=ROOT/stimuli/apple.wav out=ROOT/NAME.h5; the path of the result. */
static const char *extract(const char *root, const char *name, const char *words)
{
    bt_text line = {0};
    const char *const out = test_path(root, name);
    expect_ok(bt_text_add(&line, "audio=%s/stimuli/apple.wav out=%s %s", root, out, words));
    expect_ok(run(line.data));
    bt_text_clear(&line);
    return out;
}

/* A root with stimuli/apple.wav of so many seconds. */
static const char *with_sound(const char *name, double seconds)
{
    const char *const root = made_up_root(name);
    made_up_sound(root, "apple", seconds);
    return root;
}

/* One space of one story; the caller frees it. */
static float *rows_of(const char *path, const char *story, const char *space, size_t *n, size_t *d)
{
    bt_features *features = NULL;
    float *rows = NULL;
    expect_ok(bt_features_open(path, &features));
    expect_ok(bt_features_read(features, story, space, &rows, n, d));
    bt_features_close(&features);
    return rows;
}

static double *times_of(const char *path, const char *dataset, size_t *n)
{
    bt_text spec = {0};
    int rank = 0;
    size_t shape[BT_ARRAY_RANK] = {0};
    double *times = NULL;
    expect_ok(bt_text_add(&spec, "%s:%s", path, dataset));
    expect_ok(bt_array_read_all(spec.data, &rank, shape, &times));
    *n = shape[0];
    bt_text_clear(&spec);
    return times;
}

/* |a - b| / |b| */
static double distance(const float *a, const float *b, size_t n)
{
    double above = 0, below = 0;
    for (size_t i = 0; i < n; ++i) {
        above += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        below += (double)b[i] * b[i];
    }
    return sqrt(above / below);
}

/* The model, called by hand. */
typedef struct {
    bt_device *device;
    bt_model *model;
    bt_model_facts facts;
    float *samples;
    size_t n_sample;
} by_hand;

static by_hand start_by_hand_with(const char *folder, const char *root)
{
    by_hand hand = {0};
    int rate = 0;
    expect_ok(bt_device_create(BT_DEVICE_CPU, &hand.device));
    expect_ok(bt_model_open(folder, hand.device, &hand.model));
    hand.facts = bt_model_describe(hand.model);
    expect_ok(bt_audio_read(test_path(root, "stimuli/apple.wav"), 16000, &hand.samples, &hand.n_sample, &rate));
    return hand;
}

static by_hand start_by_hand(const char *root)
{
    return start_by_hand_with(model(), root);
}

static void end_by_hand(by_hand *hand)
{
    bt_free(hand->samples);
    bt_model_close(&hand->model);
    bt_device_destroy(&hand->device);
}

static void test_frames(void **state)
{
    (void)state;
    const char *const root = with_sound("frames", 1.7);
    const char *const out = extract(root, "frames.h5", "mode=frames");
    (void)extract(root, "frames.h5", "mode=frames whisper.input=short"); /* without meaning here, hence the same */
    by_hand hand = start_by_hand(root);
    const size_t n_frame = bt_model_frames(hand.model, hand.n_sample), offsets[2] = {0, hand.n_sample};
    float *const wanted = bt_calloc(n_frame * hand.facts.n_hidden, sizeof *wanted);
    for (size_t layer = 0; layer < hand.facts.n_layer; ++layer) {
        size_t n = 0, d = 0;
        char *const name = bt_layer_name(layer);
        float *const rows = rows_of(out, "apple", name, &n, &d);
        expect_ok(bt_model_states(hand.model, hand.samples, offsets, 1, &layer, 1, BT_POOL_NONE, wanted));
        assert_int_equal(n, n_frame);
        assert_int_equal(d, hand.facts.n_hidden);
        assert_true(distance(rows, wanted, n * d) < 1e-6);
        bt_free(rows);
        bt_free(name);
    }
    size_t n_time = 0;
    double *const times = times_of(out, "/apple/times", &n_time);
    assert_int_equal(n_time, n_frame);
    for (size_t f = 0; f < n_frame; ++f) expect_near(times[f], bt_model_frame_time(hand.model, f), 1e-12);
    bt_free(times);
    bt_free(wanted);
    end_by_hand(&hand);
}

/* Row j is the pooled state of the samples that annex C gives to window j. */
static void compare_windows(const char *out, const by_hand *hand, double context, double stride, bt_pool pool)
{
    const size_t layer = hand->facts.n_layer - 1;
    char *const name = bt_layer_name(layer);
    float *const wanted = bt_calloc(hand->facts.n_hidden, sizeof *wanted);
    size_t n = 0, d = 0, n_time = 0;
    float *const rows = rows_of(out, "apple", name, &n, &d);
    double *const times = times_of(out, "/apple/times", &n_time);
    assert_int_equal(n, (size_t)((double)hand->n_sample / 16000 / stride + 1e-9));
    assert_int_equal(n_time, n);
    for (size_t j = 0; j < n; ++j) {
        size_t low = 0, high = 0;
        bt_window_samples(j, 16000, context, stride, &low, &high);
        const size_t offsets[2] = {0, high - low};
        expect_ok(bt_model_states(hand->model, hand->samples + low, offsets, 1, &layer, 1, pool, wanted));
        assert_true(distance(rows + j * d, wanted, d) < 1e-5);
        expect_near(times[j], stride * (double)(j + 1), 1e-9);
    }
    bt_free(rows);
    bt_free(times);
    bt_free(wanted);
    bt_free(name);
}

static void test_windows(void **state)
{
    (void)state;
    const char *const root = with_sound("windows", 3.05);
    by_hand hand = start_by_hand(root);
    compare_windows(extract(root, "last.h5", "window.context=1.2 window.stride=0.2"), &hand, 1.2, 0.2, BT_POOL_LAST);
    compare_windows(extract(root, "mean.h5", "window.context=0.5 window.stride=0.3 pool=mean"), &hand, 0.5, 0.3,
                    BT_POOL_MEAN);
    compare_windows(extract(root, "short.h5", "window.context=0 window.stride=0.1"), &hand, 0, 0.1, BT_POOL_LAST);
    end_by_hand(&hand);
}

/* Whisper's settings reach the model, and the result says so; inputs beyond two seconds are more than this one takes.
 */
static void test_whisper(void **state)
{
    (void)state;
    static const struct {
        const char *words, *name, *attribute;
        bt_model_input input;
    } cases[] = {{"", "plain.h5", "pad30", {0}},
                 {"whisper.frame=one_past", "past.h5", "pad30", {.one_past = true}},
                 {"whisper.input=short", "short.h5", "short", {.only_sound = true}}};
    const char *const root = with_sound("whisper", 2.6);
    char folder[256];
    (void)snprintf(folder, sizeof folder, "%s", test_file("golden/models/whisper"));
    by_hand hand = start_by_hand_with(folder, root);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        bt_text words = {0};
        bt_h5 *file = NULL;
        char *value = NULL;
        expect_ok(bt_text_add(&words, "model=%s window.context=1 window.stride=0.5 %s", folder, cases[i].words));
        const char *const out = extract(root, cases[i].name, words.data);
        bt_model_set_input(hand.model, &cases[i].input);
        compare_windows(out, &hand, 1, 0.5, BT_POOL_LAST);
        expect_ok(bt_h5_open(out, NULL, &file));
        expect_ok(bt_h5_get_text(file, "/", "whisper.input", &value));
        assert_string_equal(value, cases[i].attribute);
        bt_free(value);
        bt_h5_abandon(&file);
        bt_text_clear(&words);
    }
    end_by_hand(&hand);
    bt_text line = {0};
    expect_ok(bt_text_add(&line, "model=%s audio=%s/stimuli/apple.wav", folder, root));
    expect_failure(run(line.data), BT_ERR_USAGE, "window.context: windows of 16.1 s; model whisper takes at most 2 s");
    expect_ok(bt_text_add(&line, " mode=frames"));
    expect_failure(run(line.data), BT_ERR_INPUT, "2.6 s of sound; model whisper takes at most 2 s");
    bt_text_clear(&line);
}

/* Rows at TR times are the Lanczos sum of the rows at window ends. */
static void test_resampled(void **state)
{
    (void)state;
    const char *const root = with_sound("resampled", 14);
    const char *const plain = extract(root, "plain.h5", "window.context=1 window.stride=0.2");
    const char *const at_trs =
        extract(root, "trs.h5", "window.context=1 window.stride=0.2 tr=1.5 n_tr=11 tr.start=-0.7");
    size_t n = 0, d = 0, n_window = 0, n_time = 0;
    float *const windows = rows_of(plain, "apple", "layer_01", &n_window, &d);
    float *const rows = rows_of(at_trs, "apple", "layer_01", &n, &d);
    double *const ends = times_of(plain, "/apple/times", &n_time), *const times =
                                                                       times_of(at_trs, "/apple/times", &n_time);
    assert_int_equal(n, 11);
    assert_int_equal(n_time, 11);
    double *const wide = bt_calloc(n_window * d, sizeof *wide), *const summed = bt_calloc(n * d, sizeof *summed);
    float *const wanted = bt_calloc(n * d, sizeof *wanted);
    for (size_t i = 0; i < n_window * d; ++i) wide[i] = windows[i];
    expect_ok(bt_lanczos_resample(ends, n_window, wide, d, times, n, BT_LANCZOS_LOBES, summed));
    for (size_t i = 0; i < n * d; ++i) wanted[i] = (float)summed[i];
    for (size_t i = 0; i < n; ++i) expect_near(times[i], -0.7 + ((double)i + 0.5) * 1.5, 1e-9);
    assert_true(distance(rows, wanted, n * d) < 1e-6);
    void *const all[] = {windows, rows, ends, times, wide, summed, wanted};
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i) bt_free(all[i]);
}

/* A story of a data set is its audio at respdict's times. */
static void test_dataset(void **state)
{
    (void)state;
    const char *const root = made_up_dataset("dataset");
    bt_text line = {0};
    size_t n = 0, d = 0, n_other = 0;
    expect_ok(
        bt_text_add(&line, "dataset=%s layers=0,2 window.context=0.9 window.stride=0.5 out=%s/set.h5", root, root));
    expect_ok(run(line.data));
    bt_text_clear(&line);
    const char *const set = test_path(root, "set.h5");
    const char *const plain =
        extract(root, "plain.h5", "layers=2 window.context=0.9 window.stride=0.5 tr=2.0045 n_tr=27 tr.start=-10.0235");
    float *const rows = rows_of(set, "apple", "layer_02", &n, &d), *const other = rows_of(plain, "apple", "layer_02",
                                                                                          &n_other, &d);
    assert_int_equal(n, 32 - 5);
    assert_int_equal(n_other, n);
    assert_true(distance(rows, other, n * d) < 1e-6);
    bt_free(rows);
    bt_free(other);
    bt_features *features = NULL;
    expect_ok(bt_features_open(set, &features));
    assert_int_equal(bt_features_stories(features)->n, 2);
    assert_int_equal(bt_features_spaces(features)->n, 2);
    assert_string_equal(bt_features_spaces(features)->items[1], "layer_02");
    bt_features_close(&features);
}

/* n_tr left out: as many TRs as the sound holds. */
static void test_automatic_count(void **state)
{
    (void)state;
    const char *const root = with_sound("count", 9.9);
    size_t n = 0, d = 0;
    bt_free(rows_of(extract(root, "a.h5", "layers=0 window.context=0.2 window.stride=0.5 tr=2"), "apple", "layer_00",
                    &n, &d));
    assert_int_equal(n, 4);
}

static void test_memory_does_not_matter(void **state)
{
    (void)state;
    const char *const root = with_sound("memory", 4);
    size_t n = 0, d = 0;
    const char *const words = "layers=1 window.context=0.4 window.stride=0.2";
    bt_text small = {0};
    expect_ok(bt_text_add(&small, "%s memory=1MiB", words));
    float *const rows = rows_of(extract(root, "large.h5", words), "apple", "layer_01", &n, &d);
    float *const other = rows_of(extract(root, "small.h5", small.data), "apple", "layer_01", &n, &d);
    assert_true(distance(other, rows, n * d) < 1e-6);
    bt_free(rows);
    bt_free(other);
    bt_text_clear(&small);
}

static void test_attributes(void **state)
{
    (void)state;
    const char *const root = with_sound("attributes", 2);
    bt_h5 *file = NULL;
    const char *const names[] = {"recipe", "stage",          "model",         "family", "origin", "stories",
                                 "mode",   "window.context", "window.stride", "pool",   "layers"};
    char *value = NULL;
    expect_ok(bt_h5_open(extract(root, "a.h5", "layers=0 window.context=0.3"), NULL, &file));
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) assert_true(bt_h5_has_attribute(file, "/", names[i]));
    expect_ok(bt_h5_get_text(file, "/", "window.context", &value));
    expect_near(atof(value), 0.3, 1e-12);
    bt_free(value);
    expect_ok(bt_h5_get_text(file, "/", "stories", &value));
    assert_string_equal(value, "apple");
    bt_free(value);
    assert_false(bt_h5_has_attribute(file, "/", "timing.tr")); /* audio= makes no use of it, nor frames of windows */
    bt_h5_abandon(&file);
    expect_ok(bt_h5_open(extract(root, "frames.h5", "layers=0 mode=frames"), NULL, &file));
    assert_false(bt_h5_has_attribute(file, "/", "window.context"));
    assert_false(bt_h5_has_attribute(file, "/", "pool"));
    bt_h5_abandon(&file);
}

static void test_again(void **state)
{
    (void)state;
    const char *const root = with_sound("again", 2);
    bt_text line = {0};
    (void)extract(root, "a.h5", "mode=frames");
    (void)extract(root, "a.h5", "mode=frames memory=4GiB");
    (void)extract(root, "a.h5", "mode=frames layers=4,2,0,1,3"); /* all, spelled out */
    expect_ok(bt_text_add(&line, "audio=%s/stimuli/apple.wav out=%s/a.h5 layers=0 mode=frames", root, root));
    expect_failure(run(line.data), BT_ERR_USAGE, "layers");
    bt_text_clear(&line);
}

static void test_dry_run(void **state)
{
    (void)state;
    const char *const root = with_sound("dry", 5);
    bt_comm *comm = NULL;
    bt_text line = {0}, result = {0};
    expect_ok(bt_comm_create(MPI_COMM_NULL, &comm));
    expect_ok(bt_text_add(&line, "model=%s store=%s/s audio=%s/stimuli/apple.wav out=%s/a.h5 dry_run=true", model(),
                          root, root, root));
    expect_ok(stage_call(&bt_features_stage, comm, line.data, &result));
    assert_non_null(strstr(result.data, "50 windows"));
    assert_false(bt_path_exists(test_path(root, "a.h5")));
    assert_false(bt_path_exists(test_path(root, "s")));
    bt_text_clear(&line);
    bt_text_clear(&result);
    bt_comm_destroy(&comm);
}

/* "%R" in words stands for the root. */
static bt_status run_in(const char *root, const char *words)
{
    bt_text line = {0};
    for (const char *at = words; *at; ++at)
        if (at[0] == '%' && at[1] == 'R') {
            expect_ok(bt_text_add(&line, "%s", root));
            ++at;
        } else {
            expect_ok(bt_text_add(&line, "%c", *at));
        }
    expect_ok(bt_text_add(&line, " out=%s/bad.h5", root));
    const bt_status status = run(line.data);
    assert_false(bt_path_exists(test_path(root, "bad.h5")));
    bt_text_clear(&line);
    return status;
}

static void test_bad_settings(void **state)
{
    (void)state;
    const char *const root = made_up_dataset("bad-settings");
    static const struct {
        const char *words, *said;
    } cases[] = {
        {"layers=all", "give audio=FILES or dataset=DIR"},
        {"dataset=%R audio=%R/stimuli/apple.wav", "both were given"},
        {"dataset=%R mode=frames", "mode=frames: with dataset="},
        {"dataset=%R tr=2", "tr: it has no meaning with dataset="},
        {"audio=%R/stimuli/apple.wav stories=apple", "stories: it has no meaning with audio="},
        {"audio=%R/stimuli/apple.wav timing.tr=2", "timing.tr: it has no meaning with audio="},
        {"audio=%R/stimuli/apple.wav mode=frames pool=mean", "pool: it has no meaning with mode=frames"},
        {"audio=%R/stimuli/apple.wav mode=frames tr=2", "tr: it has no meaning with mode=frames"},
        {"audio=%R/stimuli/apple.wav n_tr=5", "n_tr: it has no meaning without tr="},
        {"audio=%R/stimuli/apple.wav tr=2 n_tr=1", "n_tr=1"},
        {"audio=%R/stimuli/apple.wav layers=0,99", "found '99'"},
        {"audio=%R/stimuli/apple.wav layers=last", "found 'last'"},
        {"audio=%R/stimuli/apple.wav layers=1,1", "1 is listed twice"},
        {"audio=%R/stimuli/apple.wav window.stride=0.01", "window.stride: the first window holds 0.01 s"},
        {"audio=%R/stimuli/apple.wav,%R/other/apple.flac", "would both be /apple"},
        {"audio=%R/stimuli/apple.wav grid.subject=2", "grid.subject"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        expect_failure(run_in(root, cases[i].words), BT_ERR_USAGE, cases[i].said);
}

static void test_bad_inputs(void **state)
{
    (void)state;
    const char *const root = made_up_dataset("bad-inputs");
    made_up_sound(root, "crumb", 0.01);
    expect_failure(run_in(root, "audio=%R/stimuli/crumb.wav"), BT_ERR_INPUT,
                   "crumb.wav: 0.01 s of sound are shorter than one window");
    expect_failure(run_in(root, "audio=%R/stimuli/crumb.wav mode=frames"), BT_ERR_INPUT,
                   "crumb.wav: 0.01 s of sound are shorter than the model's shortest input");
    expect_failure(run_in(root, "audio=%R/stimuli/apple.wav tr=30"), BT_ERR_INPUT, "hold fewer than 2 TRs");
    expect_failure(run_in(root, "audio=%R/stimuli/cake.wav"), BT_ERR_INPUT, "cake.wav");
    expect_failure(run_in(root, "dataset=%R stories=aple"), BT_ERR_INPUT, "did you mean 'apple'?");
    expect_failure(run_in(root, "dataset=%R/nowhere"), BT_ERR_INPUT, "not a folder");
    (void)made_up_text(root, "stimuli/bread.wav", "/annex/objects/MD5E-s5--0.wav\n");
    expect_failure(run_in(root, "dataset=%R"), BT_ERR_INPUT, "datalad get");
}

/* A model whose weights overflow float32 gives states that are not finite. */
static void test_states_that_are_not_finite(void **state)
{
    (void)state;
    const char *const root = with_sound("infinite", 2);
    char broken[256], safetensors[300];
    bt_checkpoint *checkpoint = NULL;
    bt_comm *comm = NULL;
    bt_text line = {0};
    (void)snprintf(broken, sizeof broken, "%s/broken", root);
    (void)snprintf(safetensors, sizeof safetensors, "%s/model.safetensors", broken);
    const bt_model_random tiny = bt_model_tiny();
    expect_ok(bt_path_make(broken));
    expect_ok(bt_model_write_random(broken, &tiny));
    expect_ok(bt_checkpoint_open(broken, &checkpoint));
    const size_t n = bt_checkpoint_count(checkpoint);
    bt_tensor *const tensors = bt_calloc(n, sizeof *tensors);
    float **const values = bt_calloc(n, sizeof *values);
    for (size_t t = 0; t < n; ++t) {
        const bt_tensor_info info = bt_checkpoint_info(checkpoint, t);
        size_t count = 1;
        for (int axis = 0; axis < info.rank; ++axis) count *= info.shape[axis];
        values[t] = bt_calloc(count, sizeof **values);
        expect_ok(bt_checkpoint_read(checkpoint, t, values[t]));
        for (size_t i = 0; i < count && strstr(info.name, "feed_forward"); ++i)
            values[t][i] = values[t][i] < 0 ? -3e38F : 3e38F;
        tensors[t] = (bt_tensor){.name = bt_strdup(info.name), .rank = info.rank, .data = values[t]};
        memcpy(tensors[t].shape, info.shape, sizeof info.shape);
    }
    bt_checkpoint_close(&checkpoint);
    expect_ok(bt_safetensors_write(safetensors, tensors, n));
    for (size_t t = 0; t < n; ++t) {
        bt_free(values[t]);
        bt_free((void *)(uintptr_t)tensors[t].name);
    }
    bt_free(values);
    bt_free(tensors);
    expect_ok(bt_comm_create(MPI_COMM_NULL, &comm));
    const char *const modes[] = {"mode=frames", "mode=windows window.context=0.2", "tr=0.5 window.context=0.2"};
    for (size_t i = 0; i < 3; ++i) {
        bt_text_clear(&line);
        expect_ok(bt_text_add(&line, "model=%s store=%s/s audio=%s/stimuli/apple.wav out=%s/a.h5 %s", broken, root,
                              root, root, modes[i]));
        expect_failure(stage_call(&bt_features_stage, comm, line.data, NULL), BT_ERR_NUMERICS, "is not finite");
        assert_false(bt_path_exists(test_path(root, "a.h5")));
    }
    bt_text_clear(&line);
    bt_comm_destroy(&comm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_whisper),
        cmocka_unit_test(test_resampled),
        cmocka_unit_test(test_dataset),
        cmocka_unit_test(test_automatic_count),
        cmocka_unit_test(test_memory_does_not_matter),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_dry_run),
        cmocka_unit_test(test_bad_settings),
        cmocka_unit_test(test_bad_inputs),
        cmocka_unit_test(test_states_that_are_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, test_no_leak);
}
