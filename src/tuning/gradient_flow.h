/* Gradients on their way from the ranks that made them to those that use them, and values back: what a trainer does
 * with an exchange (dist/exchange.h), bucket by bucket while the last backward pass of a step goes on. A bucket is what
 * one stage of that pass finishes, a block's parameters for example; each rank keeps a slice of every bucket.
 *
 * On one rank nothing is copied: the slices are the whole buckets and the gradients stay where they are. */
#ifndef BT_TUNING_GRADIENT_FLOW_H
#define BT_TUNING_GRADIENT_FLOW_H

#include "base/status.h"
#include "dist/comm.h"
#include "dist/exchange.h"
#include "nn/gradients.h"

#include <stddef.h>

typedef struct bt_gradient_flow bt_gradient_flow;

/* Collective. parameters and gradients of one table; both are borrowed. */
bt_status bt_gradient_flow_create(const bt_comm *comm, bt_parameters *parameters, const bt_gradients *gradients,
                                  bt_gradient_flow **out) BT_MUST_CHECK;
void bt_gradient_flow_destroy(bt_gradient_flow **flow); /* takes NULL; not while gradients are under way */

/* Mine: one a bucket, in elements of the trainable ordering. */
size_t bt_gradient_flow_slices(const bt_gradient_flow *flow);
bt_range bt_gradient_flow_slice(const bt_gradient_flow *flow, size_t i);

/* Before a step's first backward pass. */
void bt_gradient_flow_expect(bt_gradient_flow *flow);
/* Elements [first, first + count) will not change any more; buckets that are whole start. */
bt_status bt_gradient_flow_take(bt_gradient_flow *flow, size_t first, size_t count) BT_MUST_CHECK;
/* Collective: takes what no backward pass has handed over (ranks without rows, rows without gradient), waits, and
 * leaves the sums over ranks in the gradients of my slices. *squares: of them. */
bt_status bt_gradient_flow_finish(bt_gradient_flow *flow, double *squares) BT_MUST_CHECK;
/* Collective: my slices' values go to all ranks, and derived values follow. */
bt_status bt_gradient_flow_share(bt_gradient_flow *flow) BT_MUST_CHECK;

/* Room for all trainable elements, free between steps. */
float *bt_gradient_flow_vector(bt_gradient_flow *flow);
/* Since the last call: bytes and messages sent, seconds of waiting. */
bt_exchange_count bt_gradient_flow_counted(bt_gradient_flow *flow);

#endif
