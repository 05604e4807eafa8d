/* Training a speech model: forward from the front end's frames with activations kept, backward to the gradients of the
 * parameter table. While the convolutional front end is frozen its frames can be computed once and kept; when it is
 * trained too, forward begins with samples.
 *
 * Per micro-batch: forward, then the objective reads states and sets their gradients, then backward. Gradients of
 * parameters add up until bt_gradients_zero; nothing depends on which sequences share a micro-batch but rounding.
 * A training has
 * weights of its own: bt_model_states of the same model goes on with those that it was opened with. */
#ifndef BT_SPEECH_TRAINING_H
#define BT_SPEECH_TRAINING_H

#include "base/status.h"
#include "device/device.h"
#include "device/layers.h"
#include "nn/gradients.h"
#include "nn/parameters.h"
#include "nn/regularisation.h"
#include "speech/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Called in backward when elements [first, first + count) of the gradients' buffer will not change any more in this
 * call: a block's, from the last to the first, then the embedding's, then the front end's. Frozen parts are
 * left out. */
typedef struct {
    void (*call)(void *context, size_t first, size_t count); /* NULL: nobody waits */
    void *context;
} bt_gradients_ready;

/* Low-rank adapters (nn/lora.h) of every trained block: all other weights of the backbone are frozen. */
typedef struct {
    size_t rank; /* 0: none */
    double alpha;
    const char *const *targets; /* (n_target), of query, key, value, out (attention), up, down (feed-forward) */
    size_t n_target;
    uint64_t seed;
} bt_lora_options;

typedef struct {
    const size_t *layers; /* (n_layer), ascending: states that the objective reads; blocks above the last do not run */
    size_t n_layer;
    bool recompute; /* keep only the input of each block and run it again in backward: less memory, a third more time */
    size_t trained_blocks; /* SIZE_MAX: everything behind the front end; else that many blocks, from the last that runs
                              downwards: backward ends there */
    bt_lora_options lora;
    bool train_front_end; /* the convolutions too; with all blocks only */
    bt_regularisation regularisation;
    bt_gradients_ready ready;
} bt_training_options;

/* No layer yet; everything behind the front end, no adapters, nothing left out; spans of transformers' lengths. */
bt_training_options bt_training_defaults(void);

typedef struct bt_training bt_training;

/* The model must outlive the training. Errors: BT_ERR_USAGE for layers that it does not have, unknown targets, a
 * front end that is to be trained below frozen blocks, a regularisation that the model has no place for. */
bt_status bt_training_create(bt_model *model, const bt_training_options *options, bt_training **out) BT_MUST_CHECK;
void bt_training_destroy(bt_training **training);

/* Columns of the front end's frames. */
size_t bt_model_frame_width(const bt_model *model);
/* Frames of a ragged batch, bt_model_rows of each sequence; frames (n_row_total, width). */
bt_status bt_model_front_end(bt_model *model, const float *samples, const size_t *offsets, size_t n_sequence,
                             float *frames) BT_MUST_CHECK;

/* Bytes of activations for n_sequence sequences of n_row rows (bt_model_rows) each. */
size_t bt_training_bytes(const bt_training *training, size_t n_sequence, size_t n_row);

/* The next forward and its backward leave out what the options' regularisation says, by draws of its seed, the step and
 * the key of each of its n sequences: whatever sequences share a micro-batch. Without this call before it a forward
 * leaves out nothing. */
bt_status bt_training_draw(bt_training *training, uint64_t step, const uint64_t *keys, size_t n) BT_MUST_CHECK;

/* Sequence s is rows offsets[s] .. offsets[s+1] of frames (offsets[n_sequence], width), at least one each, of which the
 * first real[s] hold sound (bt_model_frames); real NULL: all do. Sets the gradients of the states to 0. */
bt_status bt_training_forward(bt_training *training, const float *frames, const size_t *offsets, const size_t *real,
                              size_t n_sequence) BT_MUST_CHECK;

/* With train_front_end, in place of bt_training_forward: sequence s is samples[offsets[s] .. offsets[s+1]), as
 * bt_model_front_end takes it (normalised here when facts.normalise says so). */
bt_status bt_training_forward_samples(bt_training *training, const float *samples, const size_t *offsets,
                                      size_t n_sequence) BT_MUST_CHECK;

/* State i of the options' layers after forward, (n_row_total, n_hidden), and the gradient of the loss with respect to
 * it, for the objective to set; both valid until backward. */
bt_matrix bt_training_state(const bt_training *training, size_t i);
bt_matrix bt_training_state_gradient(const bt_training *training, size_t i);
bt_sequences bt_training_sequences(const bt_training *training); /* lengths: rows that hold sound */

/* Once per forward. */
bt_status bt_training_backward(bt_training *training) BT_MUST_CHECK;

/* A model folder for transformers and bt_model_open, in the existing folder FOLDER: config.json and
 * preprocessor_config.json as they were read, model.safetensors with every tensor of the source under its name there,
 * as float32 and with the current weights (adapters merged), and braintune.json. The source's weights are read again:
 * its folder must still be there. One rank. */
bt_status bt_training_write(const bt_training *training, const char *folder,
                            const bt_model_identity *identity) BT_MUST_CHECK;

bt_parameters *bt_training_parameters(bt_training *training);
bt_gradients *bt_training_gradients(bt_training *training);

#endif
