/* From the hidden states of a window to one vector, and back. */
#ifndef BT_TUNING_POOL_H
#define BT_TUNING_POOL_H

#include "base/status.h"
#include "device/layers.h"

#include <stddef.h>

typedef enum { BT_TUNE_POOL_MEAN, BT_TUNE_POOL_MAX, BT_TUNE_POOL_LAST } bt_tune_pool;

/* Zero-initialise. */
typedef struct {
    bt_tune_pool rule;
    bt_device *device; /* borrowed */
    size_t n_hidden;
    bt_buffer *pooled; /* (capacity, n_hidden) */
    size_t capacity;
    float *states; /* max: (n_frame_total, n_hidden) on the host */
    size_t *at;    /* max: (capacity, n_hidden) frame of the largest */
    size_t n_state;
} bt_pooling;

void bt_pooling_clear(bt_pooling *pooling);
/* states (n_frame_total, n_hidden) of n sequences, of which only rows that hold sound count (their lengths); pooled
 * (n, n_hidden) on the host. max takes the first of equal
 * frames.
 */
bt_status bt_pooling_forward(bt_pooling *pooling, bt_matrix states, bt_sequences sequences,
                             float *pooled) BT_MUST_CHECK;
/* dstates from dpooled (n, n_hidden), for the states of the latest forward; dstates must be 0 before (max, last). */
bt_status bt_pooling_backward(bt_pooling *pooling, const float *dpooled, bt_sequences sequences,
                              bt_matrix dstates) BT_MUST_CHECK;

#endif
