/* The trainable elements of a table as one vector, in the gradients' order: what ranks share out, exchange and write to
 * checkpoints. In the table itself frozen rows lie between them. */
#ifndef BT_NN_TRAINABLE_H
#define BT_NN_TRAINABLE_H

#include "base/status.h"
#include "nn/gradients.h"
#include "nn/parameters.h"

#include <stddef.h>

/* `count` elements of row `row` from `first` on. */
typedef struct {
    size_t row, first, count;
} bt_trainable_piece;

/* The piece of [offset, offset + count) that begins at `offset` and ends with its row or before; 0 < count. */
bt_trainable_piece bt_trainable_at(const bt_gradients *gradients, size_t offset, size_t count);

/* Values of trainable elements [offset, offset + count). After a write: bt_parameters_derive. */
bt_status bt_parameters_read_trainable(const bt_parameters *table, const bt_gradients *gradients, size_t offset,
                                       size_t count, float *host) BT_MUST_CHECK;
bt_status bt_parameters_write_trainable(bt_parameters *table, const bt_gradients *gradients, size_t offset,
                                        size_t count, const float *host) BT_MUST_CHECK;

#endif
