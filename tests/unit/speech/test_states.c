/* Hidden states of every family and arrangement against transformers (tests/parity/golden_models.py), and against
 * themselves: batches, layers, pooling. */
#include "device_matrices.h"
#include "golden_models.h"

#include "io/audio.h"

enum { MOST_LAYERS = 8 };

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
static double relative_gap(const float *result, const float *truth, size_t rows, size_t step, size_t columns)
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

static void link_file(const char *from, const char *to)
{
    char *const whole = realpath(from, NULL);
    assert_non_null(whole);
    assert_int_equal(symlink(whole, to), 0);
    free(whole);
}

/* --- parity ----------------------------------------------------------------------------------------------------------
 */

/* A golden tensor of rows of n_hidden units. */
static float *rows_called(const bt_checkpoint *truth, const char *prefix, const char *what, size_t hidden, size_t *rows)
{
    char name[64];
    size_t count;
    (void)snprintf(name, sizeof name, "%s.%s", prefix, what);
    float *const wanted = tensor(truth, name, &count);
    assert_non_null(wanted);
    *rows = count / hidden;
    return wanted;
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
        char what[32];
        (void)snprintf(what, sizeof what, "layer_%02zu", i);
        float *const wanted = rows_called(truth, prefix, what, hidden, &rows);
        assert_int_equal(rows, (frames + step - 1) / step);
        expect_near(relative_gap(states + i * frames * hidden, wanted, rows, step, hidden), 0, 1e-5);
        bt_free(wanted);
    }
    bt_free(states);
}

/* Samples [*first, *last) of the excerpt that sequence `s` is; false: there is none. */
static bool sequence_at(const bt_checkpoint *truth, size_t s, char prefix[32], size_t *first, size_t *last)
{
    size_t count;
    (void)snprintf(prefix, 32, "sequence_%zu", s);
    float *const part = tensor(truth, prefix, &count);
    if (!part) return false;
    *first = (size_t)part[0];
    *last = (size_t)part[1];
    bt_free(part);
    return true;
}

static void parity(void **state)
{
    size_t n, first, last;
    char prefix[32];
    float *const sound = sound_of(test_file("audio-jfk/jfk_excerpt.wav"), &n);
    for (size_t g = 0; g < N_GOLDEN; ++g) {
        bt_model *model = golden_model(*state, golden[g]);
        bt_checkpoint *truth = golden_file(golden[g], "states.safetensors");
        size_t compared = 0;
        for (; sequence_at(truth, compared, prefix, &first, &last); ++compared) {
            assert_true(last <= n);
            compare(model, truth, prefix, compared == 0 ? 3 : 1, sound + first, last - first);
        }
        assert_true(compared >= 1);
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
    static const char *const names[] = {"even", "large"};
    for (size_t g = 0; g < 2; ++g) {
        bt_model *model = golden_model(*state, names[g]);
        bt_checkpoint *truth = golden_file(names[g], "states.safetensors");
        compare(model, truth, "jfk", 50, sound, n);
        bt_checkpoint_close(&truth);
        bt_model_close(&model);
    }
    bt_free(sound);
}

/* --- Whisper's choices -----------------------------------------------------------------------------------------------
 */

/* The last frame that holds sound whole, or the one behind it; attention over the sound only. */
static void whisper_input(void **state)
{
    bt_model *model = golden_model(*state, "whisper");
    bt_checkpoint *truth = golden_file("whisper", "states.safetensors");
    const size_t hidden = bt_model_describe(model).n_hidden;
    size_t n, first, last, rows, layers[MOST_LAYERS];
    const size_t n_layer = all_layers(model, layers);
    char prefix[32];
    float *const sound = sound_of(test_file("audio-jfk/jfk_excerpt.wav"), &n);
    for (size_t s = 0; sequence_at(truth, s, prefix, &first, &last); ++s) {
        const size_t length = last - first, frames = bt_model_frames(model, length);
        float *const all = states_of(model, sound + first, length, layers, n_layer, BT_POOL_NONE);
        float *const full = states_of(model, sound + first, length, layers, n_layer, BT_POOL_LAST);
        bt_model_set_input(model, &(bt_model_input){.one_past = true});
        float *const past = states_of(model, sound + first, length, layers, n_layer, BT_POOL_LAST);
        bt_model_set_input(model, &(bt_model_input){.only_sound = true});
        float *const alone = states_of(model, sound + first, length, layers, n_layer, BT_POOL_NONE);
        bt_model_set_input(model, &(bt_model_input){0});
        float *const after = rows_called(truth, prefix, "after", hidden, &rows);
        float *const cut = rows_called(truth, prefix, "short", hidden, &rows);
        assert_int_equal(rows, frames);
        for (size_t i = 0; i < n_layer; ++i)
            expect_near(relative_gap(full + i * hidden, all + ((i + 1) * frames - 1) * hidden, 1, 1, hidden), 0, 1e-5);
        if (length / 160 % 2 == 0) expect_near(relative_gap(past, after, n_layer, 1, hidden), 0, 1e-5);
        expect_near(relative_gap(alone, all, frames, 1, hidden), 0, 1e-6);
        expect_near(relative_gap(alone + (n_layer - 1) * frames * hidden, cut, frames, 1, hidden), 0, 1e-5);
        assert_true(relative_gap(all + (n_layer - 1) * frames * hidden, cut, frames, 1, hidden) > 1e-2);
        bt_free(all);
        bt_free(full);
        bt_free(past);
        bt_free(alone);
        bt_free(after);
        bt_free(cut);
    }
    bt_free(sound);
    bt_checkpoint_close(&truth);
    bt_model_close(&model);
}

/* --- facts -----------------------------------------------------------------------------------------------------------
 */

static void facts(void **state)
{
    bt_model *model = golden_model(*state, "even");
    const bt_model_facts facts = bt_model_describe(model);
    assert_string_equal(facts.family, "wav2vec2");
    assert_string_equal(facts.name, "even");
    assert_string_equal(facts.origin, "pretrained");
    assert_int_equal(facts.n_layer, 3);
    assert_int_equal(facts.n_hidden, 20);
    assert_int_equal(facts.rate, 16000);
    assert_false(facts.normalise);
    assert_int_equal(facts.minimum_samples, 400);
    assert_int_equal(facts.n_parameter, 12240); /* the total of the index */
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

static void facts_of_whisper(void **state)
{
    bt_model *model = golden_model(*state, "whisper30");
    const bt_model_facts facts = bt_model_describe(model);
    assert_string_equal(facts.family, "whisper");
    assert_int_equal(facts.n_layer, 3);
    assert_false(facts.normalise);
    assert_int_equal(facts.minimum_samples, 320);
    assert_int_equal(facts.maximum_samples, 480000);
    assert_int_equal(bt_model_frames(model, 257600), 805); /* 16.1 s */
    assert_int_equal(bt_model_frames(model, 257599), 804);
    assert_int_equal(bt_model_frames(model, 480000), 1500);
    assert_int_equal(bt_model_rows(model, 257600), 1500);
    const double whole = bt_model_flops(model, 257600);
    bt_model_set_input(model, &(bt_model_input){.only_sound = true});
    assert_int_equal(bt_model_rows(model, 257600), 805);
    assert_true(bt_model_flops(model, 257600) < 0.6 * whole);
    bt_model_set_input(model, &(bt_model_input){.only_sound = true, .one_past = true});
    assert_int_equal(bt_model_rows(model, 257600), 806);
    assert_int_equal(bt_model_rows(model, 480000), 1500);
    expect_near(bt_model_frame_time(model, 99), 1.99, 1e-12);
    bt_model_close(&model);
}

/* --- batches, layers, pooling
 * ------------------------------------------------------------------------------------------ */

/* Sequences of very different lengths, so many that they are worked through in several groups. */
static void check_batch(bt_device *device, const char *name)
{
    enum { N = 12 };
    static const size_t lengths[N] = {24000, 400, 5000, 0, 0, 23999, 700, 0, 12345, 0, 401, 9000};
    bt_model *model = golden_model(device, name);
    const size_t most = bt_model_describe(model).maximum_samples;
    size_t n, layers[MOST_LAYERS], offsets[N + 1] = {0}, total = 0, row = 0;
    float *const sound = sound_of(test_file("audio-jfk/jfk_excerpt.wav"), &n);
    float *const long_sound = bt_calloc(40 * n, sizeof *long_sound); /* 60 s: one sequence above a group's frames */
    for (size_t i = 0; i < 40 * n; ++i) long_sound[i] = sound[i % n];
    for (size_t s = 0; s < N; ++s) {
        const size_t length = lengths[s] ? lengths[s] : 90000 + 100 * s;
        offsets[s + 1] = offsets[s] + (length < most ? length : most);
    }
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
            expect_near(relative_gap(batch + (i * total + row) * hidden, one, frames, 1, hidden), 0, 2e-6);
            expect_near(relative_gap(last + (i * N + s) * hidden, one + (frames - 1) * hidden, 1, 1, hidden), 0, 3e-6);
            float average[64] = {0};
            for (size_t f = 0; f < frames; ++f)
                for (size_t j = 0; j < hidden; ++j) average[j] += one[f * hidden + j] / (float)frames;
            expect_near(relative_gap(mean + (i * N + s) * hidden, average, 1, 1, hidden), 0, 1e-5);
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

static void batch_equals_single(void **state)
{
    check_batch(*state, "even");
    check_batch(*state, "large");
    check_batch(*state, "wavlm");
    check_batch(*state, "wavlm_large");
    check_batch(*state, "whisper");
}

/* Equal sequences in one batch give equal bytes, and so does a second call. */
static void equal_windows(void **state)
{
    enum { N = 3 };
    bt_model *model = golden_model(*state, "odd");
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
    bt_model *model = golden_model(*state, "odd");
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
    const size_t offsets[] = {0, 100}, beyond[] = {9}, mixed[] = {2, 1}, too_long[] = {0, 32001};
    expect_failure(bt_model_states(model, sound, offsets, 1, picked, 2, BT_POOL_LAST, out), BT_ERR_INPUT, "at least");
    expect_failure(bt_model_states(model, sound, offsets, 1, beyond, 1, BT_POOL_LAST, out), BT_ERR_USAGE, "layer 9");
    expect_failure(bt_model_states(model, sound, offsets, 1, mixed, 2, BT_POOL_LAST, out), BT_ERR_USAGE, "ascending");
    bt_model_close(&model);
    model = golden_model(*state, "whisper");
    expect_failure(bt_model_states(model, sound, too_long, 1, picked, 2, BT_POOL_LAST, out), BT_ERR_INPUT, "at most");
    bt_free(sound);
    bt_model_close(&model);
}

/* Scaling the input changes nothing where it is normalised, and something where it is not. */
static void normalisation(void **state)
{
    static const size_t first[] = {0};
    for (size_t g = 0; g < 2; ++g) {
        bt_model *model = golden_model(*state, golden[g]);
        size_t n;
        float *const sound = sound_of(test_file("audio-jfk/jfk_excerpt.wav"), &n);
        float *const a = states_of(model, sound, n, first, 1, BT_POOL_MEAN);
        for (size_t i = 0; i < n; ++i) sound[i] = 0.003f * sound[i] + 0.1f;
        float *const b = states_of(model, sound, n, first, 1, BT_POOL_MEAN);
        const double change = relative_gap(b, a, 1, 1, bt_model_describe(model).n_hidden);
        assert_true(bt_model_describe(model).normalise ? change < 0.05 : change > 0.1);
        bt_free(a);
        bt_free(b);
        bt_free(sound);
        bt_model_close(&model);
    }
}

/* The same weights as an archive of torch.save in two shards. */
static void pickled_checkpoint(void **state)
{
    static const char *const files[] = {"config.json", "preprocessor_config.json"};
    static const char *const shards[] = {"pytorch_model.bin.index.json", "pytorch_model-00001-of-00002.bin",
                                         "pytorch_model-00002-of-00002.bin"};
    bt_model *plain = golden_model(*state, "hubert"), *pickled = NULL;
    size_t n, layers[MOST_LAYERS];
    char folder[256];
    (void)snprintf(folder, sizeof folder, "%s/pickled", test_scratch());
    expect_ok(bt_path_make(folder));
    for (size_t i = 0; i < 2; ++i)
        link_file(test_path(test_file("golden/models/hubert"), files[i]), test_path(folder, files[i]));
    for (size_t i = 0; i < 3; ++i)
        link_file(test_path(test_file("golden/archives/sharded"), shards[i]), test_path(folder, shards[i]));
    expect_ok(bt_model_open(folder, *state, &pickled));
    float *const sound = sound_of(test_file("audio-jfk/jfk_excerpt.wav"), &n);
    const size_t n_layer = all_layers(plain, layers);
    float *const a = states_of(plain, sound, n, layers, n_layer, BT_POOL_MEAN);
    float *const b = states_of(pickled, sound, n, layers, n_layer, BT_POOL_MEAN);
    assert_memory_equal(a, b, n_layer * bt_model_describe(plain).n_hidden * sizeof *a);
    bt_free(a);
    bt_free(b);
    bt_free(sound);
    bt_model_close(&plain);
    bt_model_close(&pickled);
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
    bt_model *model = NULL;
    expect_ok(bt_model_open(folder, *state, &model));
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
    bt_model *model = NULL;
    expect_ok(bt_model_open(folder, *state, &model));
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
                                       cmocka_unit_test(whisper_input),
                                       cmocka_unit_test(facts),
                                       cmocka_unit_test(facts_of_whisper),
                                       cmocka_unit_test(batch_equals_single),
                                       cmocka_unit_test(equal_windows),
                                       cmocka_unit_test(some_layers),
                                       cmocka_unit_test(normalisation),
                                       cmocka_unit_test(pickled_checkpoint),
                                       cmocka_unit_test(random_checkpoint),
                                       cmocka_unit_test(random_checkpoint_of_other_convolutions)};
    return cmocka_run_group_tests_name("speech.states", tests, setup, teardown);
}
