/* Adapters that drop some of what they read, as peft's lora_dropout: y = x W0' + b + scale (D x) A' B'. W0 and the
 * product cannot be merged then, so the adapted row itself is not read. */
#ifndef BT_NN_LORA_TRAINING_H
#define BT_NN_LORA_TRAINING_H

#include "base/status.h"
#include "device/layers.h"
#include "nn/gradients.h"
#include "nn/parameters.h"

#include <stddef.h>

/* One adapted map (nn/lora.h) over n rows; borrowed. */
typedef struct {
    bt_device *device;
    const bt_parameters *parameters;
    const bt_gradients *gradients; /* read by the adjoint only */
    size_t weight;                 /* its derived row */
    bt_dropout drop;
    bt_sequences sequences;
    bt_matrix input; /* (n, in): work memory */
    bt_matrix low;   /* (n, 2 rank): work memory */
} bt_lora_map;

/* x (n, in), bias (1, out) or without buffer, y (n, out). */
bt_status bt_lora_forward(const bt_lora_map *map, bt_matrix x, bt_matrix bias, bt_matrix y) BT_MUST_CHECK;
/* dx = beta dx + dy W0 + D (scale dy B A); dA and dB are added to. dx may be without buffer, but not dy. */
bt_status bt_lora_backward(const bt_lora_map *map, bt_matrix x, bt_matrix dy, double beta, bt_matrix dx) BT_MUST_CHECK;

#endif
