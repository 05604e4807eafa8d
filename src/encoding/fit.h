/* One encoding model: cross-validation chooses each voxel's alpha, a refit on all rows predicts the test rows. */
#ifndef BT_ENCODING_FIT_H
#define BT_ENCODING_FIT_H

#include "base/log.h"
#include "device/device.h"
#include "dist/comm.h"
#include "encoding/folds.h"
#include "encoding/options.h"
#include "encoding/voxels.h"

typedef struct {
    const bt_comm *comm; /* the ranks that share the voxels; all have the same design */
    bt_device *device;
    const double *x;      /* (n_row, n_feature) design of the training rows, delays included */
    const double *x_test; /* (n_test, n_feature) */
    size_t n_row, n_test, n_feature;
    const bt_folds *folds;
    const bt_encode_plan *plan;
    const bt_voxels *voxels;
    size_t block; /* voxels at once */
    bool weights, predictions;
    bt_progress *progress; /* counts voxels x fits; NULL: silent */
} bt_fit_problem;

enum { BT_COUNT_KEPT, BT_COUNT_NAN, BT_COUNT_CONSTANT, BT_COUNT_POSITIVE, BT_COUNT_LOW, BT_COUNT_HIGH, BT_COUNTS };

/* Of this rank's voxels; NaN in every place of a voxel that cannot be fitted. Predictions of kept voxels. */
typedef struct {
    size_t n_voxel, n_alpha;
    double *cv_score;   /* (n_alpha, n_voxel) mean over splits, of the plan's rule */
    double *alpha;      /* (n_voxel) as given, not the penalty */
    double *r, *r2;     /* (n_voxel) over the test rows */
    double *explained;  /* (n_voxel) 1 - var e / var y over the test rows */
    float *weights;     /* (n_feature, n_voxel), or NULL */
    float *predictions; /* (n_test, n_voxel), or NULL */
    /* Over all ranks of comm: voxels kept, with NaN, without variance; of the kept ones those whose best validation
     * score beats predicting nothing, and of these those that chose the smallest or the largest penalty. */
    int64_t counts[BT_COUNTS];
} bt_fit;

/* Collective over comm. */
bt_status bt_fit_create(const bt_fit_problem *problem, bt_fit *out) BT_MUST_CHECK;
void bt_fit_clear(bt_fit *fit);

/* Bytes that this takes per rank, at most, with n_voxel voxels of its own in blocks of `block`; n_apply: the largest
 * number of rows that are predicted at once, held out or of the test. */
double bt_fit_bytes(size_t n_row, size_t n_test, size_t n_apply, size_t n_feature, size_t n_voxel, size_t block,
                    const bt_encode_plan *plan, bool weights, bool predictions);

/* The best of (n_alpha) scores with stride `stride`: its index. */
size_t bt_choose(const double *score, size_t stride, const bt_encode_plan *plan);

#endif
