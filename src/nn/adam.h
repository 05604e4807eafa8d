/* Adam over a parameter table: moments for trainable rows that this rank owns, a rate per role, decay for rows that say
 * so. Derived rows are computed again after a step. */
#ifndef BT_NN_ADAM_H
#define BT_NN_ADAM_H

#include "base/status.h"
#include "nn/gradients.h"
#include "nn/parameters.h"

#include <stddef.h>

enum { BT_ROLES = BT_ROLE_FROZEN + 1, BT_EVERY_OWNER = -1 };

typedef struct {
    double beta1, beta2, epsilon;
    double decay; /* added to the gradient of rows that decay: torch.optim.Adam's weight_decay */
} bt_adam_options;

bt_adam_options bt_adam_defaults(void); /* 0.9, 0.999, 1e-8, 0 */

/* Zero-initialise. */
typedef struct {
    bt_adam_options options;
    bt_device *device;    /* borrowed */
    bt_parameters *table; /* borrowed */
    size_t *offsets;      /* (table->n) of a row's moments; SIZE_MAX: none */
    bt_buffer *first, *second;
    size_t step; /* steps done */
} bt_adam;

/* owner: rank whose rows to update, or BT_EVERY_OWNER. */
bt_status bt_adam_create(bt_adam *adam, const bt_adam_options *options, bt_device *device, bt_parameters *table,
                         int owner) BT_MUST_CHECK;
void bt_adam_clear(bt_adam *adam);

/* One step. rates (BT_ROLES), by role. With an owner, rows of other ranks are as before: exchange them, then call
 * bt_parameters_derive. */
bt_status bt_adam_apply(bt_adam *adam, const bt_gradients *gradients, const double *rates) BT_MUST_CHECK;

/* Moment 0 (mean) or 1 (square) of a row, dense (1, count); without buffer where there is none. */
bt_matrix bt_adam_moment(const bt_adam *adam, size_t index, int which);

#endif
