/* front_end.share: what is shared, what stays exact, and the error that is written, on speech. */
#include "made_up_dataset.h"
#include "stage_call.h"

#include "extraction/features.h"
#include "extraction/states.h"
#include "speech/model.h"
#include "stimulus/features_file.h"
#include "stimulus/timing.h"

#include <unistd.h>

/* Of the excerpt's 15 windows the first 3 are cut; share=0.4 makes passes of windows 3 to 6, 7 to 10, 11 to 14. */
#define SETTINGS "window.context=0.3 window.stride=0.1"
enum { RATE = 16000, N_WINDOW = 15, FIRST_WHOLE = 3, OF_A_PASS = 4, MOST = 8192 };

typedef struct {
    bt_device *device;
    bt_model *model;
    bt_model_facts facts;
    float *samples;
    size_t n_sample;
    char folder[256], out[256];
} world;

static void open_world(const char *folder, world *w)
{
    int rate = 0;
    *w = (world){0};
    (void)snprintf(w->folder, sizeof w->folder, "%s", folder);
    expect_ok(bt_device_create(BT_DEVICE_CPU, &w->device));
    expect_ok(bt_model_open(folder, w->device, &w->model));
    w->facts = bt_model_describe(w->model);
    expect_ok(bt_audio_read(test_file("audio-jfk/jfk_excerpt.wav"), RATE, &w->samples, &w->n_sample, &rate));
}

static void close_world(world *w)
{
    bt_free(w->samples);
    bt_model_close(&w->model);
    bt_device_destroy(&w->device);
}

/* Group norm behind do_normalize. */
static void open_tiny(world *w)
{
    const bt_model_random tiny = bt_model_tiny();
    char folder[256];
    (void)snprintf(folder, sizeof folder, "%s", test_path(test_scratch(), "tiny"));
    expect_ok(bt_path_make(folder));
    expect_ok(bt_model_write_random(folder, &tiny));
    open_world(folder, w);
}

static void link_file(const char *folder, const char *model, const char *name)
{
    char target[512], path[512];
    (void)snprintf(target, sizeof target, "%s/%s", test_path(test_file("golden/models"), model), name);
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(symlink(target, path), 0);
}

/* Layer norm, with do_normalize or without. */
static void open_large(bool normalise, world *w)
{
    char folder[256];
    (void)snprintf(folder, sizeof folder, "%s", test_path(test_scratch(), normalise ? "large-normalised" : "large"));
    expect_ok(bt_path_make(folder));
    link_file(folder, "large", "config.json");
    link_file(folder, "large", "model.safetensors");
    (void)made_up_text(folder, "preprocessor_config.json",
                       normalise ? "{\"do_normalize\": true}" : "{\"do_normalize\": false}");
    open_world(folder, w);
}

static bt_status run(world *w, const char *name, const char *words)
{
    bt_comm *comm = NULL;
    bt_text line = {0};
    (void)snprintf(w->out, sizeof w->out, "%s", test_path(test_scratch(), name));
    expect_ok(bt_comm_create(MPI_COMM_NULL, &comm));
    expect_ok(bt_text_add(&line, "model=%s audio=%s store=%s/store out=%s %s", w->folder,
                          test_file("audio-jfk/jfk_excerpt.wav"), test_scratch(), w->out, words));
    const bt_status status = stage_call(&bt_features_stage, comm, line.data, NULL);
    bt_text_clear(&line);
    bt_comm_destroy(&comm);
    return status;
}

/* Rows of a layer of the latest result, N_WINDOW of them; the caller frees them. */
static float *rows_of(const world *w, size_t layer)
{
    bt_features *features = NULL;
    float *rows = NULL;
    size_t n = 0, d = 0;
    char *const space = bt_layer_name(layer);
    expect_ok(bt_features_open(w->out, &features));
    expect_ok(bt_features_read(features, "jfk_excerpt", space, &rows, &n, &d));
    assert_int_equal(n, N_WINDOW);
    assert_int_equal(d, w->facts.n_hidden);
    bt_features_close(&features);
    bt_free(space);
    return rows;
}

static double distance(const float *a, const float *b, size_t n)
{
    double above = 0, below = 0;
    for (size_t i = 0; i < n; ++i) {
        above += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        below += (double)b[i] * b[i];
    }
    return sqrt(above / below);
}

/* The state of window j as a sequence of its own. */
static void exact_state(const world *w, size_t j, size_t layer, bt_pool pool, float *state)
{
    size_t low = 0, high = 0;
    bt_window_samples(j, RATE, 0.3, 0.1, &low, &high);
    const size_t offsets[2] = {0, high - low};
    expect_ok(bt_model_states(w->model, w->samples + low, offsets, 1, &layer, 1, pool, state));
}

/* The same from one run of the front end over windows [first, first + OF_A_PASS). */
static void shared_state(const world *w, size_t first, size_t j, size_t layer, bt_pool pool, float *state)
{
    static float frames[MOST];
    size_t begin = 0, end = 0, low = 0, high = 0, unused = 0;
    const size_t width = bt_model_frame_width(w->model);
    bt_window_samples(first, RATE, 0.3, 0.1, &begin, &unused);
    bt_window_samples(first + OF_A_PASS - 1, RATE, 0.3, 0.1, &unused, &end);
    bt_window_samples(j, RATE, 0.3, 0.1, &low, &high);
    const size_t whole[2] = {0, end - begin}, slice[2] = {0, bt_model_rows(w->model, high - low)};
    assert_true(bt_model_rows(w->model, end - begin) * width <= MOST);
    expect_ok(bt_model_front_end(w->model, w->samples + begin, whole, 1, frames));
    expect_ok(
        bt_model_states_of_frames(w->model, frames + (low - begin) / 320 * width, slice, 1, &layer, 1, pool, state));
}

static double attribute(const world *w, const char *path, const char *name)
{
    bt_h5 *file = NULL;
    double value = NAN;
    expect_ok(bt_h5_open(w->out, NULL, &file));
    expect_ok(bt_h5_get_real(file, path, name, &value));
    bt_h5_abandon(&file);
    return value;
}

/* The largest distance of rows [low, high) of all layers from windows of their own. */
static double farthest(const world *w, size_t low, size_t high)
{
    float state[64];
    double most = 0;
    for (size_t layer = 0; layer < w->facts.n_layer; ++layer) {
        float *const rows = rows_of(w, layer);
        for (size_t j = low; j < high; ++j) {
            exact_state(w, j, layer, BT_POOL_LAST, state);
            most = fmax(most, distance(rows + j * w->facts.n_hidden, state, w->facts.n_hidden));
        }
        bt_free(rows);
    }
    return most;
}

/* A pass of one window is that window; so is a window that is cut at the start of the sound. */
static void test_exact(void **state)
{
    (void)state;
    world w;
    open_tiny(&w);
    expect_ok(run(&w, "stride.h5", SETTINGS " front_end.share=0.1"));
    assert_true(farthest(&w, 0, N_WINDOW) < 1e-6);
    assert_true(attribute(&w, "/", "front_end.error.max") == 0);
    expect_ok(run(&w, "shared.h5", SETTINGS " front_end.share=0.4"));
    assert_true(farthest(&w, 0, FIRST_WHOLE) < 1e-6);
    assert_true(farthest(&w, FIRST_WHOLE, N_WINDOW) > 1e-4);
    close_world(&w);
}

static void compare_passes(world *w, const char *name, const char *words, bt_pool pool)
{
    float wanted[64];
    const size_t layer = w->facts.n_layer - 1, n_hidden = w->facts.n_hidden;
    expect_ok(run(w, name, words));
    float *const rows = rows_of(w, layer);
    for (size_t j = FIRST_WHOLE; j < N_WINDOW; ++j) {
        shared_state(w, FIRST_WHOLE + (j - FIRST_WHOLE) / OF_A_PASS * OF_A_PASS, j, layer, pool, wanted);
        assert_true(distance(rows + j * n_hidden, wanted, n_hidden) < 2e-6);
    }
    bt_free(rows);
}

static void test_passes(void **state)
{
    (void)state;
    world w;
    open_tiny(&w);
    compare_passes(&w, "last.h5", SETTINGS " front_end.share=0.4", BT_POOL_LAST);
    compare_passes(&w, "mean.h5", SETTINGS " front_end.share=0.4 pool=mean", BT_POOL_MEAN);
    close_world(&w);
}

/* The rows of the measured windows are the shared states: their distances from exact ones are what is written. */
static void test_error(void **state)
{
    (void)state;
    enum { N = 8 };
    world w;
    float exact[64];
    double sum_of_all = 0, most_of_all = 0;
    open_tiny(&w);
    expect_ok(run(&w, "error.h5", SETTINGS " front_end.share=0.4"));
    for (size_t layer = 0; layer < w.facts.n_layer; ++layer) {
        float *const rows = rows_of(&w, layer);
        double sum = 0, most = 0;
        char path[64];
        (void)snprintf(path, sizeof path, "/jfk_excerpt/layer_%02zu", layer);
        for (size_t i = 0; i < N; ++i) {
            const size_t j = FIRST_WHOLE + (size_t)(((double)i + 0.5) / N * (N_WINDOW - FIRST_WHOLE));
            exact_state(&w, j, layer, BT_POOL_LAST, exact);
            const double far = distance(rows + j * w.facts.n_hidden, exact, w.facts.n_hidden);
            sum += far;
            most = fmax(most, far);
        }
        assert_true(most > 1e-4);
        expect_near(attribute(&w, path, "front_end.error.mean"), sum / N, 1e-6);
        expect_near(attribute(&w, path, "front_end.error.max"), most, 1e-6);
        sum_of_all += sum / N / (double)w.facts.n_layer;
        most_of_all = fmax(most_of_all, most);
        bt_free(rows);
    }
    expect_near(attribute(&w, "/", "front_end.error.mean"), sum_of_all, 1e-6);
    expect_near(attribute(&w, "/", "front_end.error.max"), most_of_all, 1e-6);
    assert_true(attribute(&w, "/jfk_excerpt", "front_end.error.windows") == N);
    close_world(&w);
}

/* Where every frame is normalised by itself a window's frames are the same in any stretch, unless do_normalize takes
 * the stretch's mean and variance. */
static void test_layer_norm(void **state)
{
    (void)state;
    world w;
    open_large(false, &w);
    expect_ok(run(&w, "large.h5", SETTINGS " front_end.share=0.4"));
    assert_true(farthest(&w, 0, N_WINDOW) < 2e-6);
    assert_true(attribute(&w, "/", "front_end.error.max") < 2e-6);
    close_world(&w);
    open_large(true, &w);
    expect_ok(run(&w, "normalised.h5", SETTINGS " front_end.share=0.4"));
    assert_true(attribute(&w, "/", "front_end.error.max") > 1e-5);
    close_world(&w);
}

/* A sound of cut windows only has nothing to measure. */
static void test_nothing_shared(void **state)
{
    (void)state;
    world w;
    bt_h5 *file = NULL;
    open_tiny(&w);
    expect_ok(run(&w, "short.h5", "window.context=4 window.stride=0.1 front_end.share=1"));
    assert_true(attribute(&w, "/", "front_end.error.windows") == 0);
    expect_ok(bt_h5_open(w.out, NULL, &file));
    assert_false(bt_h5_has_attribute(file, "/", "front_end.error.mean"));
    assert_false(bt_h5_has_attribute(file, "/jfk_excerpt/layer_00", "front_end.error.mean"));
    bt_h5_abandon(&file);
    close_world(&w);
}

static void test_flops(void **state)
{
    (void)state;
    world w;
    open_tiny(&w);
    bt_extraction extraction = {.model = w.model, .facts = w.facts, .context = 0.3, .stride = 0.1, .batch = 1};
    const double window = bt_model_flops(w.model, 6400), alone = bt_states_flops(&extraction, w.n_sample);
    expect_near(alone / (N_WINDOW * window), 1, 1e-12);
    extraction.share = 0.1;
    expect_near(bt_states_flops(&extraction, w.n_sample) / alone, 1, 1e-12);
    extraction.share = 0.4;
    const double front_end = FIRST_WHOLE * bt_model_flops_to_frames(w.model, 6400) +
                             (N_WINDOW - FIRST_WHOLE) / OF_A_PASS * bt_model_flops_to_frames(w.model, 6400 + 4800);
    const double rest = N_WINDOW * bt_model_flops_of_frames(w.model, bt_model_rows(w.model, 6400));
    expect_near(bt_states_flops(&extraction, w.n_sample) / (front_end + rest), 1, 1e-12);
    close_world(&w);
}

static void test_refusals(void **state)
{
    (void)state;
    world w;
    open_tiny(&w);
    expect_failure(run(&w, "no.h5", "window.context=0.3 window.stride=0.05 front_end.share=1"), BT_ERR_USAGE,
                   "frames of model wav2vec2-tiny-random are 0.02 s apart, and window.stride=0.05 is no multiple");
    expect_failure(run(&w, "no.h5", SETTINGS " front_end.share=0.05"), BT_ERR_USAGE,
                   "no two windows end within 0.05 s");
    expect_failure(run(&w, "no.h5", "mode=frames front_end.share=1"), BT_ERR_USAGE,
                   "front_end.share: it has no meaning with mode=frames");
    close_world(&w);
    open_world(test_path(test_file("golden/models"), "whisper"), &w);
    expect_failure(run(&w, "no.h5", SETTINGS " front_end.share=1"), BT_ERR_USAGE,
                   "frames of model whisper (whisper) know their place in the window and cannot be shared");
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),      cmocka_unit_test(test_passes),         cmocka_unit_test(test_error),
        cmocka_unit_test(test_layer_norm), cmocka_unit_test(test_nothing_shared), cmocka_unit_test(test_flops),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, test_no_leak);
}
