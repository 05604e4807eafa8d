/* From front-end frames to the encoder's input embedding: feature projection, positional convolution, norm. */
#ifndef BT_NN_EMBEDDING_H
#define BT_NN_EMBEDDING_H

#include "base/status.h"
#include "device/layers.h"
#include "nn/parameters.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    size_t channels, hidden;
    size_t kernel,
        groups;      /* of the positional convolution; frames around it are zero, as many rows come out as go in */
    double epsilon;  /* of the layer norms */
    bool frame_norm; /* before the projection */
    bool norm;       /* of the sum; not where every block begins with a norm */
} bt_embedding_spec;

/* Rows of the parameter table; those of norms that are not there are not looked at. */
typedef struct {
    size_t frame_scale, frame_shift;     /* norm before the projection */
    size_t project_weight, project_bias; /* channels to hidden */
    size_t position_weight, position_bias;
    size_t norm_scale, norm_shift; /* norm of the sum */
    size_t masked;                 /* what masked frames are in training */
} bt_embedding_rows;

typedef struct bt_embedding bt_embedding;

bt_status bt_embedding_create(bt_device *device, const bt_embedding_spec *spec, const bt_parameters *parameters,
                              const bt_embedding_rows *rows, bt_embedding **out) BT_MUST_CHECK;
void bt_embedding_destroy(bt_embedding **embedding);

/* x = norm(p + gelu(convolution(p))), p = W norm(frames) + b. frames (n, channels) is overwritten by its norm, if any;
 * position (n, hidden) is work memory; x (n, hidden). */
bt_status bt_embedding_apply(bt_embedding *embedding, bt_matrix frames, bt_sequences sequences, bt_matrix position,
                             bt_matrix x) BT_MUST_CHECK;

double bt_embedding_flops(const bt_embedding_spec *spec, size_t n);

#endif
