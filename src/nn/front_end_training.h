/* The convolutional front end in training: forward with what goes into every GELU kept, and the adjoint. One sequence
 * after the other, so that work memory is that of one sequence. */
#ifndef BT_NN_FRONT_END_TRAINING_H
#define BT_NN_FRONT_END_TRAINING_H

#include "base/status.h"
#include "device/layers.h"
#include "nn/arena.h"
#include "nn/front_end.h"
#include "nn/gradients.h"
#include "nn/parameters.h"

#include <stdbool.h>
#include <stddef.h>

/* A front end's parameters; borrowed. */
typedef struct {
    bt_device *device;
    bt_front_end_spec spec;
    bt_front_end_rows rows;
    const bt_parameters *parameters;
    const bt_gradients *gradients;
    bool again; /* keep nothing of the layers: run each sequence again in backward */
} bt_front_end_training;

/* Memory, in slots of an arena; layers not there take none. */
enum {
    BT_FRONT_SAMPLES, /* (1, samples of all sequences) */
    BT_FRONT_DFRAMES, /* (frames of all, channels): gradient of the frames; overwritten */
    BT_FRONT_FILTER,
    BT_FRONT_ACTIVE,                                      /* 2: outputs of even and odd layers, forward */
    BT_FRONT_BACK = BT_FRONT_ACTIVE + 2,                  /* 2: their gradients */
    BT_FRONT_AGAIN = BT_FRONT_BACK + 2,                   /* layer norm: a layer's norm or output, once more */
    BT_FRONT_KEPT,                                        /* per layer (rows, channels), before GELU and layer norm */
    BT_FRONT_TAPS = BT_FRONT_KEPT + BT_FRONT_END_LAYERS,  /* per layer from 1 on: weights, as products want them */
    BT_FRONT_DTAPS = BT_FRONT_TAPS + BT_FRONT_END_LAYERS, /* and their gradient */
    BT_FRONT_END_SLOTS = BT_FRONT_DTAPS + BT_FRONT_END_LAYERS
};

/* Sizes of a batch. Zero-initialise. */
typedef struct {
    size_t samples;
    size_t rows[BT_FRONT_END_LAYERS], longest[BT_FRONT_END_LAYERS]; /* of each layer, of all and of one sequence */
} bt_front_end_extent;

/* `times` sequences more of n_sample samples each. */
void bt_front_end_extend(const bt_front_end_spec *spec, size_t n_sample, size_t times, bt_front_end_extent *extent);

/* Forward is in phase `forward`, backward in phase `backward`, before which the gradient of the frames is set in phase
 * `dframes`. */
void bt_front_end_training_slots(const bt_front_end_training *front_end, const bt_front_end_extent *extent, int forward,
                                 int dframes, int backward, bt_arena_slot slots[BT_FRONT_END_SLOTS]);

/* samples: offsets of the sequences' samples; at: the slots' matrices, of which the samples are set; frames (frames of
 * all sequences, channels) is written. */
bt_status bt_front_end_forward(const bt_front_end_training *front_end, bt_sequences samples, const bt_matrix *at,
                               bt_matrix frames) BT_MUST_CHECK;
bt_status bt_front_end_backward(const bt_front_end_training *front_end, bt_sequences samples, const bt_matrix *at,
                                bt_matrix frames) BT_MUST_CHECK;

#endif
