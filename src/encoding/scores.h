/* Scores of predictions, voxel by voxel. Sums in float64; matrices (n_row, n_voxel) row-major.
 *
 * DESIGN 7. A voxel whose responses do not vary over the rows has the score 0: such rows say nothing of any model. A
 * prediction that does not vary has the correlation 0. */
#ifndef BT_ENCODING_SCORES_H
#define BT_ENCODING_SCORES_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum {
    BT_SCORE_R2,          /* 1 - mean e^2 / var y */
    BT_SCORE_MSE,         /* mean e^2; the smallest is the best */
    BT_SCORE_SIGNED_ROOT, /* sgn(R) sqrt|R|, R = 1 - var e / v; v = var y, or (1 + var y) / 2 (released code) */
    BT_SCORE_CORRELATION  /* Pearson */
} bt_score_kind;

typedef struct {
    bt_score_kind kind;
    bool released_variance; /* v = (1 + var y) / 2 */
} bt_score_rule;

/* score (n_voxel); y (n_row, n_voxel), prediction (n_row, n_voxel). */
void bt_score(bt_score_rule rule, const float *y, const double *prediction, size_t n_row, size_t n_voxel,
              double *score);

/* mean y^2, which is the mse of predicting nothing. */
void bt_score_nothing(const float *y, size_t n_row, size_t n_voxel, double *score);

#endif
