/* A linear head, W x + b, from pooled hidden states to many targets, its columns spread over the ranks of a
 * communicator together with their optimiser state. Every rank sees the pooled states of all ranks' samples and
 * computes its own targets of them, so the head's gradients never travel: only states (n_row, n_hidden) and their
 * gradients do.
 *
 * For n_target = 50,000, n_hidden = 768 on P ranks: 614 MB / P of weights, gradients and moments on each; on 1 rank
 * n_row 768 x 50,000 x 6 flops a step. */
#ifndef BT_TUNING_HEAD_H
#define BT_TUNING_HEAD_H

#include "base/status.h"
#include "device/backward.h"
#include "device/device.h"
#include "dist/comm.h"
#include "dist/partition.h"
#include "tuning/loss.h"
#include "tuning/state.h"

#include <stddef.h>
#include <stdint.h>

typedef struct bt_head bt_head;

typedef struct {
    const char *name; /* of its vectors in a state and of its random stream: "UTS03"; borrowed */
    size_t n_hidden, n_target;
    bt_loss loss;
    uint64_t seed;
} bt_head_spec;

/* comm: the ranks that share the targets, bt_partition. Weights and biases are uniform in +-1 / sqrt(n_hidden), each
 * target from a random stream of its own. */
bt_status bt_head_create(bt_device *device, const bt_comm *comm, const bt_head_spec *spec, bt_head **out) BT_MUST_CHECK;
void bt_head_destroy(bt_head **head);
bt_range bt_head_targets(const bt_head *head); /* mine */

/* Collective. pooled (n, n_hidden) of all ranks' rows, equal on all; target (n, mine). Adds `scale` times the loss's
 * gradients to the head's, and gives this rank's part of those of the states, dpooled (n, n_hidden): the sum over ranks
 * is the whole. *loss: this rank's part of the sum over rows. prediction (n, mine) is filled. */
bt_status bt_head_learn(bt_head *head, const float *pooled, const float *target, size_t n, double scale, float *dpooled,
                        float *prediction, double *loss) BT_MUST_CHECK;
/* Collective. The same without gradients. */
bt_status bt_head_judge(bt_head *head, const float *pooled, const float *target, size_t n, float *prediction,
                        double *loss) BT_MUST_CHECK;

/* My gradients times `factor`; then the sum of their squares. */
bt_status bt_head_gradient(bt_head *head, double factor, double *squares) BT_MUST_CHECK;
/* Collective over `groups`, whose ranks hold the same targets of a head that is shared: their gradients are added. */
bt_status bt_head_join(bt_head *head, const bt_comm *groups) BT_MUST_CHECK;
/* One step of Adam, and the gradients are 0. */
bt_status bt_head_apply(bt_head *head, const bt_adam_spec *spec) BT_MUST_CHECK;

enum { BT_HEAD_PARTS = 6 }; /* weight (mine, n_hidden), bias (mine) and their two moments */
/* What a state holds of it: parts[BT_HEAD_PARTS], whose memory `host` (bt_head_floats elements) is the caller's.
 * bt_head_save fills it, bt_head_load takes it. */
size_t bt_head_floats(const bt_head *head);
bt_status bt_head_save(const bt_head *head, float *host, bt_state_part *parts) BT_MUST_CHECK;
void bt_head_parts(const bt_head *head, float *host, bt_state_part *parts);
bt_status bt_head_load(bt_head *head, const float *host) BT_MUST_CHECK;

#endif
