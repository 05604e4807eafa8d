/* Gradients and steps of a whole model against PyTorch (tests/parity/golden_models.py), and against themselves:
 * micro-batches, recomputation, several layers. */
#include "device_matrices.h"

#include "device/backward.h"
#include "io/audio.h"
#include "io/safetensors.h"
#include "nn/adam.h"
#include "speech/training.h"

static const char *const golden[] = {"odd", "even", "wrapped"};
enum { N_GOLDEN = sizeof golden / sizeof *golden, N_TARGET = 6, MOST_SEQUENCES = 4, N_STEP = 10 };

/* A model in training with a head, its sequences' frames and their targets. */
typedef struct {
    bt_device *device;
    bt_model *model;
    bt_training *training;
    bt_checkpoint *truth;
    size_t n, hidden, offsets[MOST_SEQUENCES + 1]; /* sequences; their frames */
    float *frames, *target;
    bt_parameters head; /* weight, bias */
    bt_gradients dhead;
    bt_matrix mean, dmean, out, dout;
} world;

/* A golden folder's file FILE as a checkpoint: linked under the name that the reader knows. */
static bt_checkpoint *golden_file(const char *name, const char *file)
{
    bt_checkpoint *truth = NULL;
    char from[4096], folder[256], link[300];
    (void)snprintf(from, sizeof from, "%s/%s/%s", test_file("golden/models"), name, file);
    (void)snprintf(folder, sizeof folder, "%s/%s-%s", test_scratch(), name, file);
    (void)snprintf(link, sizeof link, "%s/model.safetensors", folder);
    char *const real = realpath(from, NULL);
    assert_non_null(real);
    expect_ok(bt_path_make(folder));
    if (!bt_path_exists(link)) assert_int_equal(symlink(real, link), 0);
    free(real);
    expect_ok(bt_checkpoint_open(folder, &truth));
    return truth;
}

static float *tensor(const bt_checkpoint *from, const char *name, size_t *count)
{
    const size_t index = bt_checkpoint_find(from, name);
    if (index == SIZE_MAX) return NULL;
    const bt_tensor_info info = bt_checkpoint_info(from, index);
    *count = 1;
    for (int i = 0; i < info.rank; ++i) *count *= info.shape[i];
    float *const values = bt_calloc(*count, sizeof *values);
    expect_ok(bt_checkpoint_read(from, index, values));
    return values;
}

/* --- the world -------------------------------------------------------------------------------------------------------
 */

static void load_frames(world *w, const char *name)
{
    bt_checkpoint *states = golden_file(name, "states.safetensors");
    size_t n_sample, count, offsets[MOST_SEQUENCES + 1] = {0};
    int rate;
    float *sound = NULL;
    expect_ok(bt_audio_read(test_file("audio-jfk/jfk_excerpt.wav"), 16000, &sound, &n_sample, &rate));
    float *const samples = bt_calloc(MOST_SEQUENCES * n_sample, sizeof *samples);
    for (w->n = 0; w->n < MOST_SEQUENCES; ++w->n) {
        char key[32];
        (void)snprintf(key, sizeof key, "sequence_%zu", w->n);
        float *const part = tensor(states, key, &count);
        if (!part) break;
        const size_t first = (size_t)part[0], last = (size_t)part[1];
        memcpy(samples + offsets[w->n], sound + first, (last - first) * sizeof *samples);
        offsets[w->n + 1] = offsets[w->n] + last - first;
        w->offsets[w->n + 1] = w->offsets[w->n] + bt_model_frames(w->model, last - first);
        bt_free(part);
    }
    w->frames = bt_calloc(w->offsets[w->n] * bt_model_frame_width(w->model), sizeof *w->frames);
    expect_ok(bt_model_front_end(w->model, samples, offsets, w->n, w->frames));
    bt_free(samples);
    bt_free(sound);
    bt_checkpoint_close(&states);
}

static void load_head(world *w)
{
    static const char *const names[] = {"head.weight", "head.bias"};
    const bt_parameter rows[] = {
        {.name = names[0],
         .rank = 2,
         .shape = {N_TARGET, w->hidden},
         .role = BT_ROLE_HEAD,
         .trainable = true,
         .decay = true},
        {.name = names[1], .rank = 1, .shape = {N_TARGET}, .role = BT_ROLE_HEAD, .trainable = true}};
    size_t count;
    for (size_t i = 0; i < 2; ++i) expect_ok(bt_parameters_add(&w->head, &rows[i], NULL));
    expect_ok(bt_buffer_create(w->device, BT_F32, w->head.n_value, &w->head.values));
    for (size_t i = 0; i < 2; ++i) {
        float *const values = tensor(w->truth, names[i], &count);
        assert_int_equal(count, w->head.rows[i].count);
        expect_ok(bt_buffer_write(w->head.values, w->head.rows[i].offset, values, count));
        bt_free(values);
    }
    expect_ok(bt_gradients_create(&w->dhead, w->device, &w->head));
}

static bt_training_options last_layer(const bt_model *model, size_t *layer)
{
    *layer = bt_model_describe(model).n_layer - 1;
    return (bt_training_options){.layers = layer, .n_layer = 1};
}

static void world_open(world *w, bt_device *device, const char *name, const bt_training_options *options)
{
    size_t layer, count;
    *w = (world){.device = device};
    expect_ok(bt_model_open(test_path(test_file("golden/models"), name), device, &w->model));
    w->hidden = bt_model_describe(w->model).n_hidden;
    w->truth = golden_file(name, "gradients.safetensors");
    const bt_training_options usual = last_layer(w->model, &layer);
    expect_ok(bt_training_create(w->model, options ? options : &usual, &w->training));
    load_frames(w, name);
    load_head(w);
    w->target = tensor(w->truth, "target", &count);
    assert_int_equal(count, w->n * N_TARGET);
    w->mean = empty(device, w->n, w->hidden);
    w->dmean = empty(device, w->n, w->hidden);
    w->out = empty(device, w->n, N_TARGET);
    w->dout = empty(device, w->n, N_TARGET);
}

static void world_close(world *w)
{
    bt_training_destroy(&w->training);
    bt_model_close(&w->model);
    bt_checkpoint_close(&w->truth);
    bt_gradients_clear(&w->dhead);
    bt_parameters_clear(&w->head);
    bt_free(w->frames);
    bt_free(w->target);
    bt_buffer_destroy(&w->mean.buffer);
    bt_buffer_destroy(&w->dmean.buffer);
    bt_buffer_destroy(&w->out.buffer);
    bt_buffer_destroy(&w->dout.buffer);
}

/* loss = mean over all sequences and targets of (head(mean(h)) - target)^2, of sequences first .. last; the gradient
 * of the training's layer `i`. */
static double objective(world *w, size_t i, size_t first, size_t last)
{
    const size_t n = last - first;
    const bt_sequences sequences = bt_training_sequences(w->training);
    const bt_matrix weight = bt_parameter_matrix(&w->head, 0), bias = bt_parameter_matrix(&w->head, 1);
    const bt_matrix mean = bt_matrix_part(w->mean, first, 0, n, w->hidden),
                    out = bt_matrix_part(w->out, first, 0, n, N_TARGET);
    const bt_matrix dmean = bt_matrix_part(w->dmean, first, 0, n, w->hidden);
    const bt_matrix dout = bt_matrix_part(w->dout, first, 0, n, N_TARGET);
    double loss = 0;
    expect_ok(bt_rows_mean(w->device, bt_training_state(w->training, i), sequences, mean));
    expect_ok(bt_linear_forward(w->device, mean, weight, bias, out));
    float *const y = fetched(out);
    for (size_t j = 0; j < n * N_TARGET; ++j) {
        const double e = (double)y[j] - (double)w->target[first * N_TARGET + j];
        loss += e * e / (double)(w->n * N_TARGET);
        y[j] = (float)(2 * e / (double)(w->n * N_TARGET));
    }
    expect_ok(bt_buffer_write(dout.buffer, dout.offset, y, n * N_TARGET));
    bt_free(y);
    expect_ok(bt_linear_backward(w->device, mean, weight, dout, 0, dmean, bt_gradient_matrix(&w->dhead, 0),
                                 bt_gradient_matrix(&w->dhead, 1)));
    expect_ok(bt_rows_mean_backward(w->device, dmean, sequences, bt_training_state_gradient(w->training, i)));
    return loss;
}

/* Forward and backward over all sequences, `batch` at a time. */
static double pass(world *w, size_t batch)
{
    double loss = 0;
    for (size_t first = 0; first < w->n; first += batch) {
        const size_t n = w->n - first < batch ? w->n - first : batch;
        expect_ok(bt_training_forward(w->training, w->frames, w->offsets + first, n));
        loss += objective(w, 0, first, first + n);
        expect_ok(bt_training_backward(w->training));
    }
    return loss;
}

static float *gradients_of(world *w, size_t *n)
{
    const bt_gradients *const g = bt_training_gradients(w->training);
    *n = g->n_trainable;
    return fetched(bt_matrix_of(g->values, 1, *n));
}

static double norm(const float *x, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; ++i) squares += (double)x[i] * (double)x[i];
    return sqrt(squares);
}

static double gap(const float *a, const float *b, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; ++i) squares += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(squares);
}

/* --- parity ----------------------------------------------------------------------------------------------------------
 */

/* Every trainable row has a golden gradient. Those of the keys' biases are 0 up to rounding: they shift all scores of a
 * query alike. */
static size_t compare(const world *w, const bt_parameters *table, const bt_gradients *gradients, double whole)
{
    size_t compared = 0, count;
    for (size_t i = 0; i < table->n; ++i) {
        char name[160];
        const bt_parameter *const row = &table->rows[i];
        (void)snprintf(name, sizeof name, "gradient.%s", row->name);
        float *const wanted = tensor(w->truth, name, &count);
        if (!row->trainable) {
            assert_null(wanted);
            assert_true(row->derivation != BT_DERIVED_NOT || !bt_gradient_matrix(gradients, i).buffer);
            continue;
        }
        assert_non_null(wanted);
        assert_int_equal(count, row->count);
        float *const ours = fetched(bt_gradient_matrix(gradients, i));
        const double error = gap(ours, wanted, count), size = norm(wanted, count);
        if (!(error <= 1e-4 * size + 1e-7 * whole))
            print_error("%s: norm %g, error %g; norm of all gradients %g\n", row->name, size, error, whole);
        assert_true(error <= 1e-4 * size + 1e-7 * whole);
        ++compared;
        bt_free(wanted);
        bt_free(ours);
    }
    return compared;
}

static void gradient_parity(void **state)
{
    for (size_t g = 0; g < N_GOLDEN; ++g) {
        world w;
        size_t n;
        world_open(&w, *state, golden[g], NULL);
        float *const loss = tensor(w.truth, "loss", &n);
        expect_near(pass(&w, w.n), (double)*loss, 1e-5 * (double)*loss);
        float *const all = gradients_of(&w, &n);
        const double whole = norm(all, n);
        const size_t n_block = bt_model_describe(w.model).n_layer - 1;
        assert_int_equal(compare(&w, bt_training_parameters(w.training), bt_training_gradients(w.training), whole),
                         9 + 16 * n_block);
        assert_int_equal(compare(&w, &w.head, &w.dhead, whole), 2);
        bt_free(all);
        bt_free(loss);
        world_close(&w);
    }
}

/* Ten steps of Adam with two rates and decay. */
static void steps_parity(void **state)
{
    for (size_t g = 0; g < N_GOLDEN; ++g) {
        world w;
        size_t n;
        bt_adam backbone, head;
        bt_adam_options options = bt_adam_defaults();
        const double rates[BT_ROLES] = {[BT_ROLE_BACKBONE] = 5e-4, [BT_ROLE_HEAD] = 1e-3};
        options.decay = 0.01;
        world_open(&w, *state, golden[g], NULL);
        float *const losses = tensor(w.truth, "losses", &n);
        assert_int_equal(n, N_STEP);
        assert_true((double)losses[N_STEP - 1] < 0.95 * (double)losses[0]);
        expect_ok(bt_adam_create(&backbone, &options, *state, bt_training_parameters(w.training), BT_EVERY_OWNER));
        expect_ok(bt_adam_create(&head, &options, *state, &w.head, BT_EVERY_OWNER));
        for (size_t step = 0; step < N_STEP; ++step) {
            expect_ok(bt_gradients_zero(bt_training_gradients(w.training)));
            expect_ok(bt_gradients_zero(&w.dhead));
            expect_near(pass(&w, w.n), (double)losses[step], 1e-4 * (double)losses[step]);
            expect_ok(bt_adam_apply(&backbone, bt_training_gradients(w.training), rates));
            expect_ok(bt_adam_apply(&head, &w.dhead, rates));
        }
        bt_adam_clear(&backbone);
        bt_adam_clear(&head);
        bt_free(losses);
        world_close(&w);
    }
}

/* --- against itself --------------------------------------------------------------------------------------------------
 */

static void micro_batches(void **state)
{
    world w;
    size_t n;
    world_open(&w, *state, "odd", NULL);
    const double loss = pass(&w, w.n);
    float *const whole = gradients_of(&w, &n);
    expect_ok(bt_gradients_zero(bt_training_gradients(w.training)));
    expect_near(pass(&w, 1), loss, 1e-6 * loss);
    float *const parts = gradients_of(&w, &n);
    expect_near(gap(parts, whole, n) / norm(whole, n), 0, 2e-6);
    bt_free(whole);
    bt_free(parts);
    world_close(&w);
}

static void recomputed(void **state)
{
    world w;
    size_t n, layer = 3;
    bt_training_options options = {.layers = &layer, .n_layer = 1};
    world_open(&w, *state, "odd", &options);
    (void)pass(&w, w.n);
    float *const kept = gradients_of(&w, &n);
    const size_t bytes = bt_training_bytes(w.training, 8, 499);
    world_close(&w);
    options.recompute = true;
    world_open(&w, *state, "odd", &options);
    (void)pass(&w, w.n);
    float *const again = gradients_of(&w, &n);
    assert_memory_equal(kept, again, n * sizeof *kept);
    assert_true(bt_training_bytes(w.training, 8, 499) < bytes);
    bt_free(kept);
    bt_free(again);
    world_close(&w);
}

/* Gradients of two layers' losses are the sum of each one's; blocks above the last layer have none. */
static void two_layers(void **state)
{
    static const size_t layers[] = {0, 2};
    float *parts[3];
    size_t n = 0;
    for (size_t i = 0; i < 3; ++i) {
        world w;
        const bt_training_options options = {.layers = layers + (i == 1), .n_layer = i == 2 ? 2 : 1};
        world_open(&w, *state, "odd", &options);
        expect_ok(bt_training_forward(w.training, w.frames, w.offsets, w.n));
        for (size_t l = 0; l < options.n_layer; ++l) (void)objective(&w, l, 0, w.n);
        expect_ok(bt_training_backward(w.training));
        parts[i] = gradients_of(&w, &n);
        world_close(&w);
    }
    for (size_t j = 0; j < n; ++j) parts[0][j] += parts[1][j];
    expect_near(gap(parts[0], parts[2], n) / norm(parts[2], n), 0, 2e-6);
    assert_true(norm(parts[0], n / 3) > 0);
    for (size_t j = n - 24; j < n; ++j) assert_true(parts[2][j] == 0); /* the last block's norm */
    for (size_t i = 0; i < 3; ++i) bt_free(parts[i]);
}

/* --- buckets ---------------------------------------------------------------------------------------------------------
 */

typedef struct {
    size_t calls, first, last; /* what was ready is [first, last) */
} buckets;

static void note_ready(void *context, size_t first, size_t count)
{
    buckets *const b = context;
    if (b->calls++ == 0) b->last = b->first = first + count;
    assert_int_equal(first + count, b->first);
    b->first = first;
}

/* Buckets come from the end and cover the trainable rows without gap; frozen rows take no memory. */
static void ready_buckets(void **state)
{
    world w;
    buckets b = {0};
    size_t layer = 3;
    const bt_training_options options = {.layers = &layer, .n_layer = 1, .ready = {note_ready, &b}};
    world_open(&w, *state, "odd", &options);
    (void)pass(&w, w.n);
    const bt_gradients *const g = bt_training_gradients(w.training);
    assert_int_equal(b.calls, 4);
    assert_int_equal(b.first, 0);
    assert_int_equal(b.last, g->n_trainable);
    assert_true(bt_buffer_count(g->values) < g->table->n_value);
    world_close(&w);
}

static void refused(void **state)
{
    bt_model *model = NULL;
    bt_training *training = NULL;
    const size_t beyond = 9, offsets[] = {0, 0};
    bt_training_options options = {.layers = &beyond, .n_layer = 1};
    const float none = 0;
    expect_ok(bt_model_open(test_path(test_file("golden/models"), "even"), *state, &model));
    expect_failure(bt_training_create(model, &options, &training), BT_ERR_USAGE, "layer 9");
    assert_null(training);
    options.n_layer = 0;
    expect_failure(bt_training_create(model, &options, &training), BT_ERR_USAGE, "no layer");
    options = last_layer(model, &(size_t){0});
    expect_ok(bt_training_create(model, &options, &training));
    expect_failure(bt_training_backward(training), BT_ERR_INTERNAL, "no forward");
    expect_failure(bt_training_forward(training, &none, offsets, 1), BT_ERR_INTERNAL, "no frame");
    bt_training_destroy(&training);
    bt_training_destroy(&training);
    bt_model_close(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradient_parity), cmocka_unit_test(steps_parity),
                                       cmocka_unit_test(micro_batches),   cmocka_unit_test(recomputed),
                                       cmocka_unit_test(two_layers),      cmocka_unit_test(ready_buckets),
                                       cmocka_unit_test(refused)};
    return cmocka_run_group_tests_name("speech.training", tests, setup, teardown);
}
