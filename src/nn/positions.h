/* Relative positions in attention: scores get a bias by the distance of query and key. A table that all blocks share
 * has a row per bucket of distances and a column per head; each block's gates scale it (device/layers.h). */
#ifndef BT_NN_POSITIONS_H
#define BT_NN_POSITIONS_H

#include "base/status.h"
#include "device/device.h"

#include <stddef.h>

/* Half of the buckets are for keys behind the query. Of each half, the first half holds one distance each, the rest
 * widens with the logarithm up to `farthest`, and the last holds all that is farther (Raffel et al. 2020). */
typedef struct {
    size_t n_bucket; /* at least 4 */
    size_t farthest; /* above n_bucket / 4 */
} bt_position_spec;

/* In float32, as transformers counts. distance: of the key from the query, in rows. */
size_t bt_position_bucket(const bt_position_spec *spec, ptrdiff_t distance);

/* Buckets of all distances below a reach that grows. Zero-initialise but for the spec. */
typedef struct {
    bt_position_spec spec;
    size_t *buckets; /* (2 reach - 1): of query - key = 1 - reach .. reach - 1 */
    size_t reach;
} bt_positions;

void bt_positions_clear(bt_positions *positions);
/* table (n_bucket, heads); distances (heads, 2 n - 1) for sequences of up to n rows, as bt_attention reads them. */
bt_status bt_positions_apply(bt_positions *positions, bt_device *device, bt_matrix table,
                             bt_matrix distances) BT_MUST_CHECK;
/* dtable += its adjoint, for as many rows as the latest apply or fewer. */
bt_status bt_positions_backward(const bt_positions *positions, bt_device *device, bt_matrix ddistances,
                                bt_matrix dtable) BT_MUST_CHECK;

/* x (n, heads width), dense, as (n heads, width); a matrix without buffer stays one. */
bt_matrix bt_by_head(bt_matrix x, size_t heads);

#endif
