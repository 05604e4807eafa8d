/* wav2vec2 against transformers (tests/parity/golden_models.py), and against itself: batches, layers, pooling. */
#include "support.h"

#include "io/audio.h"
#include "io/safetensors.h"
#include "speech/model.h"

static const char *const golden[] = {"odd", "even", "wrapped"};
enum { N_GOLDEN = sizeof golden / sizeof *golden, MOST_LAYERS = 8 };

static int setup(void **state)
{
    bt_device *device = NULL;
    if (bt_device_create(BT_DEVICE_CPU, &device) != BT_OK) return 1;
    *state = device;
    return 0;
}

static int teardown(void **state)
{
    bt_device *device = *state;
    bt_device_destroy(&device);
    return test_no_leak(state);
}

/* NAME among the golden models; valid for the next few calls. */
static const char *golden_folder(const char *name)
{
    static char paths[8][4096];
    static unsigned turn;
    char *const path = paths[turn++ % 8];
    (void)snprintf(path, sizeof paths[0], "%s/%s", test_file("golden/models"), name);
    return path;
}

static bt_model *opened(bt_device *device, const char *folder)
{
    bt_model *model = NULL;
    expect_ok(bt_model_open(folder, device, &model));
    return model;
}

static float *sound_of(const char *path, size_t *n)
{
    float *samples = NULL;
    int rate;
    expect_ok(bt_audio_read(path, 16000, &samples, n, &rate));
    return samples;
}

static size_t all_layers(const bt_model *model, size_t layers[MOST_LAYERS])
{
    const size_t n = bt_model_describe(model).n_layer;
    for (size_t i = 0; i < n; ++i) layers[i] = i;
    return n;
}

/* States of one sequence, (n_layer, n_frame, n_hidden) or pooled, allocated. */
static float *states_of(bt_model *model, const float *x, size_t n, const size_t *layers, size_t n_layer, bt_pool pool)
{
    const size_t offsets[] = {0, n}, rows = pool == BT_POOL_NONE ? bt_model_frames(model, n) : 1;
    float *const out = bt_calloc(n_layer * rows * bt_model_describe(model).n_hidden, sizeof *out);
    expect_ok(bt_model_states(model, x, offsets, 1, layers, n_layer, pool, out));
    return out;
}

/* Norm of the difference over the norm; rows of `truth` are every step-th of `result`. */
static double distance(const float *result, const float *truth, size_t rows, size_t step, size_t columns)
{
    double difference = 0, norm = 0;
    for (size_t i = 0; i < rows; ++i)
        for (size_t j = 0; j < columns; ++j) {
            const double a = (double)result[i * step * columns + j], b = (double)truth[i * columns + j];
            difference += (a - b) * (a - b);
            norm += b * b;
        }
    return sqrt(difference / norm);
}

/* --- parity ----------------------------------------------------------------------------------------------------------
 */

static float *tensor(const bt_checkpoint *from, const char *name, size_t *rows)
{
    const size_t index = bt_checkpoint_find(from, name);
    if (index == SIZE_MAX) return NULL;
    const bt_tensor_info info = bt_checkpoint_info(from, index);
    float *const values = bt_calloc(info.shape[0] * (info.rank > 1 ? info.shape[1] : 1), sizeof *values);
    expect_ok(bt_checkpoint_read(from, index, values));
    *rows = info.shape[0];
    return values;
}

/* Every layer of one sequence against tensors PREFIX.layer_NN, which hold every step-th frame. */
static void compare(bt_model *model, const bt_checkpoint *truth, const char *prefix, size_t step, const float *x,
                    size_t n)
{
    size_t layers[MOST_LAYERS], rows = 0;
    const size_t n_layer = all_layers(model, layers), frames = bt_model_frames(model, n);
    const size_t hidden = bt_model_describe(model).n_hidden;
    float *const states = states_of(model, x, n, layers, n_layer, BT_POOL_NONE);
    for (size_t i = 0; i < n_layer; ++i) {
        char name[64];
        (void)snprintf(name, sizeof name, "%s.layer_%02zu", prefix, i);
        float *const wanted = tensor(truth, name, &rows);
        assert_non_null(wanted);
        assert_int_equal(rows, (frames + step - 1) / step);
        expect_near(distance(states + i * frames * hidden, wanted, rows, step, hidden), 0, 1e-5);
        bt_free(wanted);
    }
    bt_free(states);
}

/* The golden states are a folder's second safetensors file: linked under the name that the reader knows. */
static bt_checkpoint *golden_states(const char *name)
{
    bt_checkpoint *truth = NULL;
    char file[64], folder[256], link[300];
    (void)snprintf(file, sizeof file, "%s/states.safetensors", name);
    (void)snprintf(folder, sizeof folder, "%s/%s", test_scratch(), name);
    (void)snprintf(link, sizeof link, "%s/model.safetensors", folder);
    char *const from = realpath(golden_folder(file), NULL);
    assert_non_null(from);
    expect_ok(bt_path_make(folder));
    if (!bt_path_exists(link)) assert_int_equal(symlink(from, link), 0);
    free(from);
    expect_ok(bt_checkpoint_open(folder, &truth));
    return truth;
}

static void parity(void **state)
{
    size_t n, rows;
    float *const sound = sound_of(test_file("audio-jfk/jfk_excerpt.wav"), &n);
    for (size_t g = 0; g < N_GOLDEN; ++g) {
        bt_model *model = opened(*state, golden_folder(golden[g]));
        bt_checkpoint *truth = golden_states(golden[g]);
        size_t compared = 0;
        for (;; ++compared) {
            char name[32];
            (void)snprintf(name, sizeof name, "sequence_%zu", compared);
            float *const part = tensor(truth, name, &rows);
            if (!part) break;
            const size_t first = (size_t)part[0], last = (size_t)part[1];
            assert_true(last <= n);
            compare(model, truth, name, compared == 0 ? 3 : 1, sound + first, last - first);
            bt_free(part);
        }
        assert_true(compared >= 2);
        bt_checkpoint_close(&truth);
        bt_model_close(&model);
    }
    bt_free(sound);
}

/* The whole recording, where the shared data are; every 50th frame. */
static void parity_whole(void **state)
{
    const char *const path = test_data("speech/jfk/jfk.wav");
    if (!path) skip();
    size_t n;
    float *const sound = sound_of(path, &n);
    for (size_t g = 0; g < N_GOLDEN; ++g) {
        bt_model *model = opened(*state, golden_folder(golden[g]));
        bt_checkpoint *truth = golden_states(golden[g]);
        compare(model, truth, "jfk", 50, sound, n);
        bt_checkpoint_close(&truth);
        bt_model_close(&model);
    }
    bt_free(sound);
}

/* --- facts -----------------------------------------------------------------------------------------------------------
 */

static void facts(void **state)
{
    bt_model *model = opened(*state, golden_folder("even"));
    const bt_model_facts facts = bt_model_describe(model);
    assert_string_equal(facts.family, "wav2vec2");
    assert_string_equal(facts.name, "even");
    assert_string_equal(facts.origin, "pretrained");
    assert_int_equal(facts.n_layer, 3);
    assert_int_equal(facts.n_hidden, 20);
    assert_int_equal(facts.rate, 16000);
    assert_false(facts.normalise);
    assert_int_equal(facts.minimum_samples, 400);
    assert_int_equal(facts.n_parameter, 12240 - 20); /* the index's total without masked_spec_embed */
    assert_int_equal(bt_model_frames(model, 399), 0);
    assert_int_equal(bt_model_frames(model, 400), 1);
    assert_int_equal(bt_model_frames(model, 1600), 4);
    assert_int_equal(bt_model_frames(model, 160000), 499);
    assert_int_equal(bt_model_frames(model, 257600), 804);
    expect_near(bt_model_frame_time(model, 0), 0.01, 1e-12);
    expect_near(bt_model_frame_time(model, 99), 1.99, 1e-12);
    assert_true(bt_model_flops(model, 32000) > 2 * bt_model_flops(model, 16000));
    bt_model_close(&model);
}

/* --- batches, layers, pooling
 * ------------------------------------------------------------------------------------------ */

/* Sequences of very different lengths, so many that they are worked through in several groups. */
static void batch_equals_single(void **state)
{
    enum { N = 12 };
    static const size_t lengths[N] = {24000, 400, 5000, 0, 0, 23999, 700, 0, 12345, 0, 401, 9000};
    bt_model *model = opened(*state, golden_folder("even"));
    size_t n, layers[MOST_LAYERS], offsets[N + 1] = {0}, total = 0, row = 0;
    float *const sound = sound_of(test_file("audio-jfk/jfk_excerpt.wav"), &n);
    float *const long_sound = bt_calloc(40 * n, sizeof *long_sound); /* 60 s: one sequence above a group's frames */
    for (size_t i = 0; i < 40 * n; ++i) long_sound[i] = sound[i % n];
    for (size_t s = 0; s < N; ++s) offsets[s + 1] = offsets[s] + (lengths[s] ? lengths[s] : 90000 + 100 * s);
    assert_true(offsets[N] <= 40 * n);
    const size_t n_layer = all_layers(model, layers), hidden = bt_model_describe(model).n_hidden;
    for (size_t s = 0; s < N; ++s) total += bt_model_frames(model, offsets[s + 1] - offsets[s]);
    float *const batch = bt_calloc(n_layer * total * hidden, sizeof *batch);
    float *const last = bt_calloc(n_layer * N * hidden, sizeof *last), *const mean = bt_calloc(n_layer * N * hidden,
                                                                                               sizeof *mean);
    expect_ok(bt_model_states(model, long_sound, offsets, N, layers, n_layer, BT_POOL_NONE, batch));
    expect_ok(bt_model_states(model, long_sound, offsets, N, layers, n_layer, BT_POOL_LAST, last));
    expect_ok(bt_model_states(model, long_sound, offsets, N, layers, n_layer, BT_POOL_MEAN, mean));
    for (size_t s = 0; s < N; ++s) {
        const size_t frames = bt_model_frames(model, offsets[s + 1] - offsets[s]);
        float *const alone =
            states_of(model, long_sound + offsets[s], offsets[s + 1] - offsets[s], layers, n_layer, BT_POOL_NONE);
        for (size_t i = 0; i < n_layer; ++i) {
            const float *const one = alone + i * frames * hidden;
            expect_near(distance(batch + (i * total + row) * hidden, one, frames, 1, hidden), 0, 2e-6);
            expect_near(distance(last + (i * N + s) * hidden, one + (frames - 1) * hidden, 1, 1, hidden), 0, 3e-6);
            float average[64] = {0};
            for (size_t f = 0; f < frames; ++f)
                for (size_t j = 0; j < hidden; ++j) average[j] += one[f * hidden + j] / (float)frames;
            expect_near(distance(mean + (i * N + s) * hidden, average, 1, 1, hidden), 0, 1e-5);
        }
        row += frames;
        bt_free(alone);
    }
    bt_free(batch);
    bt_free(last);
    bt_free(mean);
    bt_free(long_sound);
    bt_free(sound);
    bt_model_close(&model);
}

/* Equal sequences in one batch give equal bytes, and so does a second call. */
static void equal_windows(void **state)
{
    enum { N = 3 };
    bt_model *model = opened(*state, golden_folder("odd"));
    size_t n, layers[MOST_LAYERS], offsets[N + 1];
    float *const sound = sound_of(test_file("audio-jfk/jfk_excerpt.wav"), &n), *const copies =
                                                                                   bt_calloc(N * n, sizeof *copies);
    for (size_t s = 0; s < N; ++s) memcpy(copies + s * n, sound, n * sizeof *sound);
    for (size_t s = 0; s <= N; ++s) offsets[s] = s * n;
    const size_t n_layer = all_layers(model, layers), frames = bt_model_frames(model, n);
    const size_t size = frames * bt_model_describe(model).n_hidden;
    float *const a = bt_calloc(n_layer * N * size, sizeof *a), *const b = bt_calloc(n_layer * N * size, sizeof *b);
    expect_ok(bt_model_states(model, copies, offsets, N, layers, n_layer, BT_POOL_NONE, a));
    expect_ok(bt_model_states(model, copies, offsets, N, layers, n_layer, BT_POOL_NONE, b));
    assert_memory_equal(a, b, n_layer * N * size * sizeof *a);
    for (size_t i = 0; i < n_layer; ++i)
        for (size_t s = 1; s < N; ++s) assert_memory_equal(a + (i * N + s) * size, a + i * N * size, size * sizeof *a);
    bt_free(a);
    bt_free(b);
    bt_free(copies);
    bt_free(sound);
    bt_model_close(&model);
}

static void some_layers(void **state)
{
    static const size_t picked[] = {1, 2};
    bt_model *model = opened(*state, golden_folder("odd"));
    size_t n, layers[MOST_LAYERS];
    float *const sound = sound_of(test_file("audio-jfk/jfk_excerpt.wav"), &n);
    const size_t n_layer = all_layers(model, layers);
    const size_t size = bt_model_frames(model, n) * bt_model_describe(model).n_hidden;
    float *const all = states_of(model, sound, n, layers, n_layer, BT_POOL_NONE);
    float *const some = states_of(model, sound, n, picked, 2, BT_POOL_NONE);
    assert_memory_equal(some, all + size, 2 * size * sizeof *all);
    bt_free(all);
    bt_free(some);
    float out[1024];
    const size_t offsets[] = {0, 100}, beyond[] = {9}, mixed[] = {2, 1};
    expect_failure(bt_model_states(model, sound, offsets, 1, picked, 2, BT_POOL_LAST, out), BT_ERR_INPUT, "at least");
    expect_failure(bt_model_states(model, sound, offsets, 1, beyond, 1, BT_POOL_LAST, out), BT_ERR_USAGE, "layer 9");
    expect_failure(bt_model_states(model, sound, offsets, 1, mixed, 2, BT_POOL_LAST, out), BT_ERR_USAGE, "ascending");
    bt_free(sound);
    bt_model_close(&model);
}

/* Scaling the input changes nothing where it is normalised, and something where it is not. */
static void normalisation(void **state)
{
    static const size_t first[] = {0};
    for (size_t g = 0; g < 2; ++g) {
        bt_model *model = opened(*state, golden_folder(golden[g]));
        size_t n;
        float *const sound = sound_of(test_file("audio-jfk/jfk_excerpt.wav"), &n);
        float *const a = states_of(model, sound, n, first, 1, BT_POOL_MEAN);
        for (size_t i = 0; i < n; ++i) sound[i] = 0.003f * sound[i] + 0.1f;
        float *const b = states_of(model, sound, n, first, 1, BT_POOL_MEAN);
        const double change = distance(b, a, 1, 1, bt_model_describe(model).n_hidden);
        assert_true(bt_model_describe(model).normalise ? change < 0.05 : change > 0.1);
        bt_free(a);
        bt_free(b);
        bt_free(sound);
        bt_model_close(&model);
    }
}

/* --- random checkpoints
 * -------------------------------------------------------------------------------------------------- */

static void random_checkpoint(void **state)
{
    bt_model_random random = bt_model_tiny();
    char folder[256], again[256], weights[300], weights_again[300];
    (void)snprintf(folder, sizeof folder, "%s/tiny", test_scratch());
    (void)snprintf(again, sizeof again, "%s/again", test_scratch());
    (void)snprintf(weights, sizeof weights, "%s/model.safetensors", folder);
    (void)snprintf(weights_again, sizeof weights_again, "%s/model.safetensors", again);
    char *first = NULL, *second = NULL;
    size_t n, m, layers[MOST_LAYERS];
    random.n_block = 2;
    expect_ok(bt_path_make(folder));
    expect_ok(bt_path_make(again));
    expect_ok(bt_model_write_random(folder, &random));
    expect_ok(bt_model_write_random(again, &random));
    expect_ok(bt_path_read(weights, &first, &n));
    expect_ok(bt_path_read(weights_again, &second, &m));
    assert_int_equal(n, m);
    assert_memory_equal(first, second, n); /* a seed is a model */
    bt_free(second);
    random.seed += 1;
    expect_ok(bt_model_write_random(again, &random));
    expect_ok(bt_path_read(weights_again, &second, &m));
    assert_true(n == m && memcmp(first, second, n) != 0);
    bt_free(first);
    bt_free(second);
    bt_model *model = opened(*state, folder);
    assert_string_equal(bt_model_describe(model).name, "wav2vec2-tiny-random");
    assert_string_equal(bt_model_describe(model).origin, "random initialisation");
    float *const sound = sound_of(test_file("audio-jfk/jfk_excerpt.wav"), &n);
    const size_t n_layer = all_layers(model, layers), size = bt_model_frames(model, n) * random.n_hidden;
    float *const states = states_of(model, sound, n, layers, n_layer, BT_POOL_NONE);
    for (size_t i = 0; i < n_layer; ++i) {
        double squares = 0;
        for (size_t j = 0; j < size; ++j) squares += (double)states[i * size + j] * (double)states[i * size + j];
        expect_near(squares / (double)size, 1, 1e-3); /* every layer ends with a norm of unit scale */
    }
    bt_free(states);
    bt_free(sound);
    bt_model_close(&model);
    random.n_head = 3;
    expect_failure(bt_model_write_random(folder, &random), BT_ERR_USAGE, "3 heads");
}

/* Kernels 20, 8 and steps 10, 4: frame i sees samples 40 i .. 40 i + 89. */
static void random_checkpoint_of_other_convolutions(void **state)
{
    bt_model_random random = bt_model_tiny();
    char folder[256];
    (void)snprintf(folder, sizeof folder, "%s/two", test_scratch());
    random.n_block = 1;
    random.n_conv = 2;
    random.conv_kernels[0] = 20, random.conv_kernels[1] = 8;
    random.conv_strides[0] = 10, random.conv_strides[1] = 4;
    expect_ok(bt_path_make(folder));
    expect_ok(bt_model_write_random(folder, &random));
    bt_model *model = opened(*state, folder);
    assert_int_equal(bt_model_describe(model).minimum_samples, 90);
    assert_int_equal(bt_model_frames(model, 90 + 3 * 40 - 1), 3);
    assert_int_equal(bt_model_frames(model, 90 + 3 * 40), 4);
    bt_model_close(&model);
    random.conv_strides[1] = 0;
    expect_failure(bt_model_write_random(folder, &random), BT_ERR_USAGE, "strides must be at least 1");
    random.n_conv = BT_RANDOM_CONVOLUTIONS + 1;
    expect_failure(bt_model_write_random(folder, &random), BT_ERR_USAGE, "17 convolutions, at most 16");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parity),
                                       cmocka_unit_test(parity_whole),
                                       cmocka_unit_test(facts),
                                       cmocka_unit_test(batch_equals_single),
                                       cmocka_unit_test(equal_windows),
                                       cmocka_unit_test(some_layers),
                                       cmocka_unit_test(normalisation),
                                       cmocka_unit_test(random_checkpoint),
                                       cmocka_unit_test(random_checkpoint_of_other_convolutions)};
    return cmocka_run_group_tests_name("speech.wav2vec2", tests, setup, teardown);
}
