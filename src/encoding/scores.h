/* Scores of predictions, voxel by voxel, and noise ceilings. Sums in float64; matrices (n_row, n_voxel) row-major.
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

/* Powers after Sahani & Linden 2003 and Schoppe et al. 2016 from repeats R_n of the same stimulus, n = 1..N:
 *     TP = mean_n var(R_n),  SP = (N var(mean_n R_n) - TP) / (N - 1),  variances over time with ddof 1. */
typedef struct {
    double signal, total;
    double variance; /* of the mean over repeats, ddof 1 */
} bt_power;

typedef enum {
    BT_TOTAL_POWER_DATA, /* TP from the repeats */
    BT_TOTAL_POWER_ONE   /* TP = 1, for responses that were z-scored (released code) */
} bt_total_power;

/* Accumulates one repeat after another: zero-initialise sum (n_row, n_voxel) and power (n_voxel). */
void bt_power_add(const float *repeat, size_t n_row, size_t n_voxel, double *sum, bt_power *power);
/* After n_repeat >= 2 of them; sum becomes the mean over repeats. */
void bt_power_finish(size_t n_repeat, size_t n_row, size_t n_voxel, bt_total_power rule, double *sum, bt_power *power);

/* sqrt(SP / var(mean)): the correlation that a perfect model would have with the mean over repeats. NaN where SP is
 * not positive. Schoppe: 1 / sqrt(1 + NP / (N SP)). */
double bt_ceiling(bt_power power);

#endif
