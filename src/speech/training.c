/* What trainings of all families have in common. */
#include "speech/training.h"

#include "base/memory.h"
#include "base/random.h"
#include "speech/encoder.h"
#include "speech/family.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

static bt_status fill(bt_training *t, bt_model *model, const bt_training_options *options)
{
    bt_status status = BT_OK;
    BT_ALLOC(t->layers, options->n_layer);
    BT_ALLOC(t->states, options->n_layer);
    BT_ALLOC(t->dstates, options->n_layer);
    memcpy(t->layers, options->layers, options->n_layer * sizeof *t->layers);
    t->n_layer = options->n_layer;
    t->recompute = options->recompute;
    t->train_front_end = options->train_front_end;
    t->ready = options->ready;
    t->regularisation = options->regularisation;
    BT_TRY(bt_gradients_create(&t->gradients, model->device, t->parameters));
cleanup:
    return status;
}

bt_training_options bt_training_defaults(void)
{
    return (bt_training_options){.trained_blocks = SIZE_MAX,
                                 .regularisation = {.time = {.length = 10, .least = 2}, .feature = {.length = 10}}};
}

bt_status bt_lora_targets(const bt_lora_options *options, bool targets[BT_LORA_TARGETS])
{
    static const char *const names[BT_LORA_TARGETS] = {
        [BT_LORA_QUERY] = "query", [BT_LORA_KEY] = "key", [BT_LORA_VALUE] = "value",
        [BT_LORA_OUT] = "out",     [BT_LORA_UP] = "up",   [BT_LORA_DOWN] = "down"};
    for (size_t i = 0; i < BT_LORA_TARGETS; ++i) targets[i] = false;
    for (size_t t = 0; t < options->n_target; ++t) {
        size_t i = 0;
        while (i < BT_LORA_TARGETS && strcmp(names[i], options->targets[t])) ++i;
        if (i == BT_LORA_TARGETS || targets[i])
            return bt_fail(BT_ERR_USAGE, "LoRA target \"%s\" %s; expected some of query, key, value, out, up, down",
                           options->targets[t], i < BT_LORA_TARGETS ? "comes twice" : "is unknown");
        targets[i] = true;
    }
    return BT_OK;
}

bt_status bt_training_create(bt_model *model, const bt_training_options *options, bt_training **out)
{
    bt_status status = BT_OK;
    bt_training *training = NULL;
    *out = NULL;
    BT_CHECK(options->n_layer > 0, BT_ERR_USAGE, "training model %s: no layer to read; expected at least one",
             model->facts.name);
    BT_TRY(bt_model_check_layers(model, options->layers, options->n_layer));
    BT_TRY(bt_encoder_training_create(bt_encoder_of(model), options, &training));
    training->model = model;
    BT_TRY(fill(training, model, options));
    *out = training;
    training = NULL;
cleanup:
    bt_training_destroy(&training);
    return status;
}

void bt_training_destroy(bt_training **training)
{
    bt_training *const t = *training;
    if (!t) return;
    bt_gradients_clear(&t->gradients);
    bt_ragged_clear(&t->frames);
    bt_ragged_clear(&t->samples);
    bt_free(t->real);
    bt_free(t->keys);
    bt_free(t->layers);
    bt_free(t->states);
    bt_free(t->dstates);
    bt_encoder_training_destroy(t);
    *training = NULL;
}

size_t bt_model_frame_width(const bt_model *model)
{
    const bt_encoder *const encoder = bt_encoder_of_const(model);
    return encoder->input->width(encoder);
}

bt_status bt_model_front_end(bt_model *model, const float *samples, const size_t *offsets, size_t n_sequence,
                             float *frames)
{
    const bt_status status = bt_model_check_sequences(model, offsets, n_sequence);
    return status == BT_OK ? bt_encoder_front_end(bt_encoder_of(model), samples, offsets, n_sequence, frames) : status;
}

size_t bt_training_bytes(const bt_training *training, size_t n_sequence, size_t n_row)
{
    return bt_encoder_training_bytes(training, n_sequence, n_row);
}

bt_status bt_training_draw(bt_training *t, uint64_t step, const uint64_t *keys, size_t n)
{
    bt_status status = BT_OK;
    if (n > t->key_capacity) {
        bt_free(t->keys);
        t->key_capacity = 0;
        BT_ALLOC(t->keys, n);
        t->key_capacity = n;
    }
    t->step_key = bt_random_at(bt_random_at(t->regularisation.seed, bt_random_stream("regularisation", 0)), step);
    for (size_t s = 0; s < n; ++s) t->keys[s] = bt_random_at(t->step_key, keys[s]);
    t->n_drawn = n;
cleanup:
    return status;
}

/* What bt_training_draw said is of this forward alone. */
static bt_status take_draws(bt_training *t, size_t n_sequence)
{
    if (t->n_drawn != 0 && t->n_drawn != n_sequence)
        return bt_fail(BT_ERR_INTERNAL, "forward in training: %zu keys of draws for %zu sequences", t->n_drawn,
                       n_sequence);
    t->draws = (bt_draws){.rates = &t->regularisation, .step = t->step_key, .keys = t->n_drawn != 0 ? t->keys : NULL};
    t->n_drawn = 0;
    return BT_OK;
}

/* Rows of the sequences whose samples are given, or which are frames themselves. */
static bt_status take_sequences(bt_training *t, const size_t *offsets, const size_t *real, size_t n_sequence)
{
    bt_status status = BT_OK;
    BT_CHECK(n_sequence > 0, BT_ERR_INTERNAL, "forward in training: no sequence");
    BT_TRY(take_draws(t, n_sequence));
    BT_TRY(bt_ragged_reset(&t->frames, n_sequence));
    BT_TRY(bt_ragged_reset(&t->samples, n_sequence));
    if (n_sequence > t->real_capacity) {
        bt_free(t->real);
        t->real_capacity = 0;
        BT_ALLOC(t->real, n_sequence);
        t->real_capacity = n_sequence;
    }
    for (size_t s = 0; s < n_sequence; ++s) {
        const size_t length = offsets[s + 1] - offsets[s];
        const size_t n_row = t->train_front_end ? bt_model_rows(t->model, length) : length;
        t->real[s] = t->train_front_end ? bt_model_frames(t->model, length) : real ? real[s] : n_row;
        BT_CHECK(t->real[s] > 0 && t->real[s] <= n_row, BT_ERR_INTERNAL,
                 "forward in training: sequence %zu has no frame", s);
        bt_ragged_set(&t->frames, s, n_row);
        bt_ragged_set(&t->samples, s, t->train_front_end ? length : 0);
    }
cleanup:
    return status;
}

bt_status bt_training_forward(bt_training *t, const float *frames, const size_t *offsets, const size_t *real,
                              size_t n_sequence)
{
    bt_status status = BT_OK;
    BT_CHECK(!t->train_front_end, BT_ERR_INTERNAL, "bt_training_forward: a front end in training wants samples");
    BT_TRY(take_sequences(t, offsets, real, n_sequence));
    BT_TRY(bt_encoder_training_forward(t, frames + offsets[0] * bt_model_frame_width(t->model)));
    t->waits = true;
cleanup:
    return status;
}

bt_status bt_training_forward_samples(bt_training *t, const float *samples, const size_t *offsets, size_t n_sequence)
{
    bt_status status = BT_OK;
    BT_CHECK(t->train_front_end, BT_ERR_INTERNAL,
             "bt_training_forward_samples: a frozen front end's frames are wanted");
    BT_TRY(bt_model_check_sequences(t->model, offsets, n_sequence));
    BT_TRY(take_sequences(t, offsets, NULL, n_sequence));
    BT_TRY(bt_encoder_training_forward(t, samples + offsets[0]));
    t->waits = true;
cleanup:
    return status;
}

bt_matrix bt_training_state(const bt_training *training, size_t i)
{
    assert(i < training->n_layer);
    return training->states[i];
}

bt_matrix bt_training_state_gradient(const bt_training *training, size_t i)
{
    assert(i < training->n_layer);
    return training->dstates[i];
}

bt_sequences bt_training_sequences(const bt_training *training)
{
    bt_sequences sequences = bt_ragged_view(&training->frames);
    sequences.lengths = training->real;
    return sequences;
}

bt_status bt_training_backward(bt_training *t)
{
    if (!t->waits) return bt_fail(BT_ERR_INTERNAL, "bt_training_backward: no forward before it");
    t->waits = false;
    return bt_encoder_training_backward(t);
}

bt_parameters *bt_training_parameters(bt_training *training)
{
    return training->parameters;
}

bt_gradients *bt_training_gradients(bt_training *training)
{
    return &training->gradients;
}
