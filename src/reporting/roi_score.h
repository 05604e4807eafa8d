/* What one ROI scores: means over voxels and their intervals, by one of the rules of SCIENCE 3.1.
 *
 * voxels: all voxels of the ROI that are kept, pooled. labels: the mean over the kept voxels of each of the ROI's
 * labels, left and right joined, then the unweighted mean over those labels that have any. labels_zero_filled: the
 * same, with 0 for the voxels that are not kept (the follow-up's released code, there on a surface), so that they pull
 * the mean towards 0. Numbers of different rules are not comparable. */
#ifndef BT_REPORTING_ROI_SCORE_H
#define BT_REPORTING_ROI_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { BT_ROI_VOXELS, BT_ROI_LABELS, BT_ROI_LABELS_ZERO_FILLED } bt_roi_rule;

/* The parts of a ROI that are averaged: one with the rule voxels, else one a label. */
typedef struct {
    size_t n_part, n_voxel;
    const uint8_t *member; /* (n_part, n_voxel) 0/1 */
    bool zero_filled;
} bt_roi;

typedef struct {
    double value, se, ci_low, ci_high; /* NAN where not defined (no voxel; fewer than two for se) */
    size_t n, n_dropped;               /* voxels of the ROI that are kept and that are not */
} bt_roi_score;

/* kept[v]: value[v] is finite and, with a ceiling, ceiling[v] > above. All arrays (n_voxel); ceiling may be NULL. */
void bt_voxels_keep(const float *value, const float *ceiling, double above, size_t n_voxel, uint8_t *kept);

/* kept, value, ceiling (n_voxel). The mean; se = sqrt(sum of s^2 / n over parts) / parts, s with n - 1; interval
 * +- 1.96 se. */
bt_roi_score bt_roi_mean(const bt_roi *roi, const uint8_t *kept, const float *value);
/* mean(value) / mean(ceiling); se by linearisation: that of value - ratio ceiling, divided by mean(ceiling). */
bt_roi_score bt_roi_ratio(const bt_roi *roi, const uint8_t *kept, const float *value, const float *ceiling);

#endif
