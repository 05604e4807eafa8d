/* Adam over a parameter table: moments for the trainable elements that this rank owns, a rate per role, decay for rows
 * that say so. */
#ifndef BT_NN_ADAM_H
#define BT_NN_ADAM_H

#include "base/status.h"
#include "nn/gradients.h"
#include "nn/parameters.h"

#include <stdbool.h>
#include <stddef.h>

enum { BT_ROLES = BT_ROLE_FROZEN + 1 };

typedef struct {
    double beta1, beta2, epsilon;
    double decay;   /* of rows that decay: torch.optim.Adam's weight_decay, added to the gradient */
    bool decoupled; /* torch.optim.AdamW's instead: rate decay w is taken from the weight */
} bt_adam_options;

bt_adam_options bt_adam_defaults(void); /* 0.9, 0.999, 1e-8, 0, false */

/* Elements [first, first + count) of the trainable ordering (nn/gradients.h). */
typedef struct {
    size_t first, count;
} bt_trainable_range;

/* Zero-initialise. */
typedef struct {
    bt_adam_options options;
    bt_device *device;             /* borrowed */
    bt_parameters *table;          /* borrowed */
    const bt_gradients *gradients; /* borrowed */
    bt_trainable_range *ranges;    /* (n_range), ascending */
    size_t n_range;
    bt_buffer *moments[2]; /* mean and square; one range after the other */
    size_t step;           /* steps done */
} bt_adam;

/* ranges (n_range): what to update, ascending and apart; NULL: everything. The gradients are those of `table`. */
bt_status bt_adam_create(bt_adam *adam, const bt_adam_options *options, bt_parameters *table,
                         const bt_gradients *gradients, const bt_trainable_range *ranges, size_t n_range) BT_MUST_CHECK;
void bt_adam_clear(bt_adam *adam);

/* One step of the ranges; rates (BT_ROLES), by role. Then the table's derived rows are computed again when the ranges
 * are everything; else exchange what other ranks moved and call bt_parameters_derive. */
bt_status bt_adam_apply(bt_adam *adam, const double *rates) BT_MUST_CHECK;

/* Moment 0 (mean) or 1 (square) of trainable elements [offset, offset + count), which must lie in one range. */
bt_status bt_adam_read(const bt_adam *adam, int which, size_t offset, size_t count, float *host) BT_MUST_CHECK;
bt_status bt_adam_write(bt_adam *adam, int which, size_t offset, size_t count, const float *host) BT_MUST_CHECK;

#endif
