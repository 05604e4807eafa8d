/* Table rows of one score file: per ROI x layer r, r2, spe, r_norm and r_norm_ratio; per ROI cc_max. */
#ifndef BT_REPORTING_SCORE_ROWS_H
#define BT_REPORTING_SCORE_ROWS_H

#include "base/status.h"
#include "base/text.h"
#include "reporting/score_file.h"

/* `scores` is loaded. Layers in order, then their upper half as `mean:LOW-HIGH` (each voxel's mean over those layers),
 * then spaces that are no layer (their name is the model, the layer is empty), then the ceilings. `above`: voxels whose
 * cc_max is not above it do not count. */
bt_status bt_score_rows(const bt_score_file *scores, const bt_provenance *from, double above,
                        bt_text *out) BT_MUST_CHECK;

#endif
