/* What tests of trainings share: a golden model with a head, its sequences' frames and their targets
 * (tests/parity/golden_models.py). */
#ifndef BT_TESTS_TRAINING_WORLD_H
#define BT_TESTS_TRAINING_WORLD_H

#include "device_matrices.h"
#include "golden_models.h"

#include "device/backward.h"
#include "io/audio.h"
#include "nn/adam.h"
#include "speech/training.h"

enum { N_TARGET = 6, MOST_SEQUENCES = 4 };

/* A model in training with a head, its sequences' frames and their targets. */
typedef struct {
    bt_device *device;
    bt_model *model;
    bt_training *training;
    bt_checkpoint *truth;
    size_t n, hidden, offsets[MOST_SEQUENCES + 1]; /* sequences; their rows */
    size_t real[MOST_SEQUENCES];                   /* of them, those that hold sound */
    size_t sample_offsets[MOST_SEQUENCES + 1];
    float *samples, *frames, *target;
    bool from_samples;  /* the front end is trained */
    bt_parameters head; /* weight, bias */
    bt_gradients dhead;
    bt_matrix mean, dmean, out, dout;
} world;

/* --- the world -------------------------------------------------------------------------------------------------------
 */

static inline void load_frames(world *w, const char *name)
{
    bt_checkpoint *states = golden_file(name, "states.safetensors");
    size_t n_sample, count, *const offsets = w->sample_offsets;
    int rate;
    float *sound = NULL;
    expect_ok(bt_audio_read(test_file("audio-jfk/jfk_excerpt.wav"), 16000, &sound, &n_sample, &rate));
    w->samples = bt_calloc(MOST_SEQUENCES * n_sample, sizeof *w->samples);
    for (w->n = 0; w->n < MOST_SEQUENCES; ++w->n) {
        char key[32];
        (void)snprintf(key, sizeof key, "sequence_%zu", w->n);
        float *const part = tensor(states, key, &count);
        if (!part) break;
        const size_t first = (size_t)part[0], last = (size_t)part[1];
        memcpy(w->samples + offsets[w->n], sound + first, (last - first) * sizeof *sound);
        offsets[w->n + 1] = offsets[w->n] + last - first;
        w->offsets[w->n + 1] = w->offsets[w->n] + bt_model_rows(w->model, last - first);
        w->real[w->n] = bt_model_frames(w->model, last - first);
        bt_free(part);
    }
    w->frames = bt_calloc(w->offsets[w->n] * bt_model_frame_width(w->model), sizeof *w->frames);
    expect_ok(bt_model_front_end(w->model, w->samples, offsets, w->n, w->frames));
    bt_free(sound);
    bt_checkpoint_close(&states);
}

static inline void load_head(world *w)
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

static inline bt_training_options last_layer(const bt_model *model, size_t *layer)
{
    *layer = bt_model_describe(model).n_layer - 1;
    bt_training_options options = bt_training_defaults();
    options.layers = layer;
    options.n_layer = 1;
    return options;
}

static inline void world_open(world *w, bt_device *device, const char *name, const bt_training_options *options)
{
    size_t layer, count;
    *w = (world){.device = device};
    expect_ok(bt_model_open(test_path(test_file("golden/models"), name), device, &w->model));
    w->hidden = bt_model_describe(w->model).n_hidden;
    w->truth = golden_file(name, "gradients.safetensors");
    const bt_training_options usual = last_layer(w->model, &layer);
    expect_ok(bt_training_create(w->model, options ? options : &usual, &w->training));
    w->from_samples = options && options->train_front_end;
    load_frames(w, name);
    load_head(w);
    w->target = tensor(w->truth, "target", &count);
    assert_int_equal(count, w->n * N_TARGET);
    w->mean = empty(device, w->n, w->hidden);
    w->dmean = empty(device, w->n, w->hidden);
    w->out = empty(device, w->n, N_TARGET);
    w->dout = empty(device, w->n, N_TARGET);
}

static inline void world_close(world *w)
{
    bt_training_destroy(&w->training);
    bt_model_close(&w->model);
    bt_checkpoint_close(&w->truth);
    bt_gradients_clear(&w->dhead);
    bt_parameters_clear(&w->head);
    bt_free(w->samples);
    bt_free(w->frames);
    bt_free(w->target);
    bt_buffer_destroy(&w->mean.buffer);
    bt_buffer_destroy(&w->dmean.buffer);
    bt_buffer_destroy(&w->out.buffer);
    bt_buffer_destroy(&w->dout.buffer);
}

/* loss = mean over all sequences and targets of (head(mean(h)) - target)^2, of sequences first .. last; the gradient
 * of the training's layer `i`. */
static inline double objective(world *w, size_t i, size_t first, size_t last)
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
static inline double pass(world *w, size_t batch)
{
    double loss = 0;
    for (size_t first = 0; first < w->n; first += batch) {
        const size_t n = w->n - first < batch ? w->n - first : batch;
        expect_ok(w->from_samples
                      ? bt_training_forward_samples(w->training, w->samples, w->sample_offsets + first, n)
                      : bt_training_forward(w->training, w->frames, w->offsets + first, w->real + first, n));
        loss += objective(w, 0, first, first + n);
        expect_ok(bt_training_backward(w->training));
    }
    return loss;
}

static inline float *gradients_of(world *w, size_t *n)
{
    const bt_gradients *const g = bt_training_gradients(w->training);
    *n = g->n_trainable;
    return fetched(bt_matrix_of(g->values, 1, *n));
}

static inline double norm(const float *x, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; ++i) squares += (double)x[i] * (double)x[i];
    return sqrt(squares);
}

static inline double gap(const float *a, const float *b, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; ++i) squares += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(squares);
}

/* What backward says to be ready, from the end without gap. */
typedef struct {
    size_t calls, first, last; /* what was ready is [first, last) */
} buckets;

static inline void note_ready(void *context, size_t first, size_t count)
{
    buckets *const b = context;
    if (b->calls++ == 0) b->last = b->first = first + count;
    assert_int_equal(first + count, b->first);
    b->first = first;
}

#endif
