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

/* Of a voxel's responses over some rows, ddof 0. */
typedef struct {
    double mean, variance;
} bt_moments;

/* moments (n_voxel) of the rows `row` (n_row) of y (., n_voxel); row NULL: of the first n_row. */
void bt_moments_of(const float *y, size_t n_voxel, const size_t *row, size_t n_row, bt_moments *moments);

/* The score of a voxel from sums over n_row rows of responses y and predictions p.
 * r2, mse: error = sum p^2 - 2 y p. Signed root: the same with p about its mean. Correlation: error = sum p^2 and cross
 * = sum y p, both with p about its mean. */
double bt_score_of_sums(bt_score_rule rule, size_t n_row, bt_moments y, double error, double cross);

#endif
