/* The stage `ceiling`: noise ceilings of a subject from the repeats of its test stories. */
#ifndef BT_ENCODING_CEILING_H
#define BT_ENCODING_CEILING_H

#include "encoding/design.h"
#include "encoding/responses.h"
#include "encoding/scores.h"
#include "store/stage.h"

#include <stddef.h>

extern const bt_stage bt_ceiling_stage;

/* powers (n_voxel) of the voxels [voxel, voxel + n_voxel) from repeats, read block by block; `drop` rows are left out
 * at the start of each story of `rows`. This rank alone. */
bt_status bt_powers_read(const bt_responses *repeats, const bt_story_rows *rows, size_t drop, bt_total_power rule,
                         size_t voxel, size_t n_voxel, bt_power *powers) BT_MUST_CHECK;

#endif
