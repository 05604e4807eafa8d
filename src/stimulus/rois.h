/* ROI labels of a subject: integers (n_voxel), 0 = none, or where labels overlap 0/1 masks (n_roi, n_voxel); and a
 * table of names, {"primary_auditory": 1, ...}: the label's value, or row + 1 of the masks. */
#ifndef BT_STIMULUS_ROIS_H
#define BT_STIMULUS_ROIS_H

#include "base/status.h"
#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

typedef struct {
    bt_names names; /* (n_roi), by label value */
    size_t n_voxel;
    int32_t *member; /* (n_roi, n_voxel) 0/1 */
} bt_rois;

/* `responses` names what has n_voxel columns, for the message of BT_ERR_INPUT when the labels are of another length. */
bt_status bt_rois_read(const char *labels, const char *names, size_t n_voxel, const char *responses,
                       bt_rois *out) BT_MUST_CHECK;
void bt_rois_clear(bt_rois *rois);

typedef struct {
    double mean;      /* NaN when no voxel counts */
    size_t n;         /* voxels that count */
    size_t n_dropped; /* voxels of the ROI below the threshold, without ceiling, or without score */
} bt_rois_score;

/* The rule "voxels": the mean over the ROI's voxels whose ceiling (n_voxel, NULL: none is known) is above the
 * threshold. */
bt_rois_score bt_rois_mean(const int32_t *member, const double *score, const double *ceiling, double threshold,
                           size_t n_voxel);

#endif
