/* A block in training: forward with what its adjoint needs kept, and the adjoint. Weights are read from the
 * parameter table at every call. */
#ifndef BT_NN_BLOCK_TRAINING_H
#define BT_NN_BLOCK_TRAINING_H

#include "base/status.h"
#include "device/layers.h"
#include "nn/block.h"
#include "nn/gradients.h"
#include "nn/parameters.h"
#include "nn/regularisation.h"

#include <stdbool.h>
#include <stddef.h>

/* A block's parameters; borrowed. */
typedef struct {
    bt_device *device;
    bt_block_spec spec;
    bt_block_rows rows;
    const bt_parameters *parameters;
    const bt_gradients *gradients; /* read by the adjoint only */
    bt_draws draws;
    uint64_t site;           /* the first of its draws' */
    bt_matrix adapter_input; /* (n, most columns of an input): work memory of adapters with dropout */
    bt_matrix adapter_low;   /* (n, 2 rank): the same */
    /* With positions: (heads, 2 reach - 1), and its gradient, which is added to; without buffer: not computed. */
    bt_matrix distances, ddistances;
} bt_block_training;

/* What is kept of n rows between forward and backward. */
enum {
    BT_KEPT_QUERY,      /* (n, hidden) */
    BT_KEPT_KEY_VALUE,  /* (n, 2 hidden) */
    BT_KEPT_CONTEXT,    /* (n, hidden), of the attention */
    BT_KEPT_SUM,        /* (n, hidden): x + attention */
    BT_KEPT_MIDDLE,     /* (n, hidden): its norm */
    BT_KEPT_UP,         /* (n, intermediate), before GELU */
    BT_KEPT_OUTER,      /* (n, hidden): post-norm, the sum before the last norm; pre-norm, the norm of x */
    BT_KEPT_GATE_UNITS, /* (n, heads BT_GATE_UNITS), with positions; else (n, 0) */
    BT_KEPT_GATES,      /* (n, heads), with positions; else (n, 0) */
    BT_BLOCK_KEPT
};

/* Work memory, which all blocks share. */
enum {
    BT_WORK_ACTIVE,      /* (n, intermediate): after GELU */
    BT_WORK_DUP,         /* (n, intermediate) */
    BT_WORK_DQUERY,      /* (n, hidden); before that gradients behind a dropout */
    BT_WORK_DKEY_VALUE,  /* (n, 2 hidden) */
    BT_WORK_DCONTEXT,    /* (n, hidden) */
    BT_WORK_DGATE_UNITS, /* as BT_KEPT_GATE_UNITS */
    BT_WORK_DGATES,      /* as BT_KEPT_GATES */
    BT_BLOCK_WORK
};

/* Rows and columns of each, for n rows. */
void bt_block_training_shapes(const bt_block_spec *spec, size_t n, size_t kept[BT_BLOCK_KEPT][2],
                              size_t work[BT_BLOCK_WORK][2]);

/* x (n, hidden) is read, out (n, hidden) written; both are kept by the caller. */
bt_status bt_block_forward(const bt_block_training *block, bt_matrix x, bt_sequences sequences, const bt_matrix *kept,
                           const bt_matrix *work, bt_matrix out) BT_MUST_CHECK;
/* d (n, hidden): gradient of out on entry; on return that of x, or when nothing below is trained (`last`) of no use.
 * Gradients of parameters are added to. */
bt_status bt_block_backward(const bt_block_training *block, bt_matrix x, bt_sequences sequences, const bt_matrix *kept,
                            const bt_matrix *work, bt_matrix d, bool last) BT_MUST_CHECK;

#endif
