/* Fits of a few spaces in passes over the responses: as many of their jobs as memory allows are loaded together, and
 * every block of voxels is looked at by all of them. */
#ifndef BT_ENCODING_PASS_H
#define BT_ENCODING_PASS_H

#include "base/log.h"
#include "encoding/work.h"

typedef struct {
    const bt_work_problem *problem;
    const bt_work_cut *cut;
    const bt_comm *group; /* ranks that share the voxels */
    bt_device *device;
    bt_voxels *voxels;
    const bt_scopes *scopes; /* of them */
    bt_progress *progress;   /* counts voxels x jobs */
} bt_pass;

/* Collective over the group. fits (spaces.high - spaces.low) are created and finished; clear them on failure too. */
bt_status bt_pass_run(const bt_pass *pass, bt_range spaces, bt_fit *fits) BT_MUST_CHECK;

#endif
