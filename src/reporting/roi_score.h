/* What one ROI scores: means over voxels and their intervals. Rule "voxels" of SCIENCE 3.1: all voxels of the ROI that
 * are kept, pooled, both hemispheres. */
#ifndef BT_REPORTING_ROI_SCORE_H
#define BT_REPORTING_ROI_SCORE_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    double value, se, ci_low, ci_high; /* NAN where not defined (no voxel; fewer than two for se) */
    size_t n, n_dropped;               /* voxels of the ROI that count and that do not */
} bt_roi_score;

/* kept[v]: value[v] is finite and, with a ceiling, ceiling[v] > above. All arrays (n_voxel); ceiling may be NULL. */
void bt_voxels_keep(const float *value, const float *ceiling, double above, size_t n_voxel, uint8_t *kept);

/* Mean over the kept voxels of `member`; se = sd (n - 1) / sqrt n; interval +- 1.96 se. */
bt_roi_score bt_roi_mean(const uint8_t *member, const uint8_t *kept, const float *value, size_t n_voxel);
/* mean(value) / mean(ceiling); se by linearisation: sd(value - ratio ceiling) / (mean(ceiling) sqrt n). */
bt_roi_score bt_roi_ratio(const uint8_t *member, const uint8_t *kept, const float *value, const float *ceiling,
                          size_t n_voxel);

#endif
