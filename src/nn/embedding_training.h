/* Feature projection, positional convolution and norm in training: forward with what its adjoint needs kept, and the
 * adjoint. */
#ifndef BT_NN_EMBEDDING_TRAINING_H
#define BT_NN_EMBEDDING_TRAINING_H

#include "base/status.h"
#include "device/layers.h"
#include "nn/embedding.h"
#include "nn/gradients.h"
#include "nn/parameters.h"
#include "nn/regularisation.h"

#include <stddef.h>

typedef struct bt_embedding_training bt_embedding_training;

/* What is kept of n rows between forward and backward. */
enum {
    BT_KEPT_NORMED,    /* (n, channels): frames after their norm */
    BT_KEPT_PROJECTED, /* (n, hidden) */
    BT_KEPT_POSITION,  /* (n, hidden): the convolution before GELU */
    BT_KEPT_EMBEDDED,  /* (n, hidden): the sum before the last norm */
    BT_EMBEDDING_KEPT
};

/* Work memory. */
enum {
    BT_WORK_DPOSITION,  /* (n, hidden); forward: GELU of the convolution */
    BT_WORK_DPROJECTED, /* (n, hidden) */
    BT_WORK_DNORMED,    /* (n, channels) */
    BT_EMBEDDING_WORK
};

void bt_embedding_training_shapes(const bt_embedding_spec *spec, size_t n, size_t kept[BT_EMBEDDING_KEPT][2],
                                  size_t work[BT_EMBEDDING_WORK][2]);

/* parameters and gradients are borrowed. */
bt_status bt_embedding_training_create(bt_device *device, const bt_embedding_spec *spec, const bt_embedding_rows *rows,
                                       const bt_parameters *parameters, bt_gradients *gradients,
                                       bt_embedding_training **out) BT_MUST_CHECK;
void bt_embedding_training_destroy(bt_embedding_training **embedding);

/* frames (n, channels) are read, out (n, hidden) written; frames and what the draws borrow are kept by the caller. */
bt_status bt_embedding_forward(bt_embedding_training *embedding, bt_matrix frames, bt_sequences sequences,
                               const bt_draws *draws, const bt_matrix *kept, const bt_matrix *work,
                               bt_matrix out) BT_MUST_CHECK;
/* Behind that forward. d (n, hidden): gradient of out; overwritten. dframes (n, channels), or without buffer when the
 * front end is frozen.
 */
bt_status bt_embedding_backward(bt_embedding_training *embedding, bt_matrix frames, bt_sequences sequences,
                                const bt_matrix *kept, const bt_matrix *work, bt_matrix d,
                                bt_matrix dframes) BT_MUST_CHECK;

#endif
