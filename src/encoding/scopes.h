/* Which voxels share an alpha: alpha.scope=voxel | roi | one.
 *
 * A scope's alpha has the best sum, hence the best mean, of the selection score over the voxels of the scope that are
 * fitted, on all ranks. With `roi` a voxel of several ROIs counts to the first of them in the order of their labels,
 * and the voxels of none are one more scope, the last. */
#ifndef BT_ENCODING_SCOPES_H
#define BT_ENCODING_SCOPES_H

#include "dist/partition.h"
#include "encoding/inputs.h"
#include "encoding/voxels.h"

typedef struct {
    size_t n;     /* 0: every voxel has an alpha of its own */
    uint32_t *of; /* (my voxels) */
} bt_scopes;

/* Of the voxels `mine` among n_voxel. By each rank alone; says once what is shared. Errors: BT_ERR_INPUT of the label
 * files. */
bt_status bt_scopes_create(const bt_encode_plan *plan, const bt_inputs *in, size_t n_voxel, bt_range mine,
                           bt_scopes *out) BT_MUST_CHECK;
void bt_scopes_clear(bt_scopes *scopes);

/* score (n_alpha, my voxels), by the plan's rule -> best (n): index of each scope's alpha, and value (n): the sum of
 * its scores. Collective over comm, the ranks that share the voxels. */
bt_status bt_scopes_choose(const bt_scopes *scopes, const bt_comm *comm, const bt_voxels *voxels,
                           const bt_encode_plan *plan, const double *score, size_t *best, double *value) BT_MUST_CHECK;

#endif
