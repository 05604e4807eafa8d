/* results/voxels/MODEL_SUBJECT_DIGEST8.h5: the maps of one score file, small enough to keep when the store is purged.
 */
#ifndef BT_REPORTING_VOXEL_FILE_H
#define BT_REPORTING_VOXEL_FILE_H

#include "base/status.h"
#include "reporting/score_file.h"

#include <stdbool.h>

/* Writes /SPACE/{r, r2, alpha, cc_norm, spe, cv_score_best} and /{cc_max, sp, tp, explainable_variance, roi_label,
 * alphas}, those that there are, and the attributes of "/", atomically. A file of that name is left as it is: its name
 * holds the artefact's digest. */
bool bt_voxel_file_is_there(const bt_score_file *scores, const char *folder);
bt_status bt_voxel_file_write(const bt_score_file *scores, const char *folder) BT_MUST_CHECK;

#endif
