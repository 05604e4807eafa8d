/* Losses between predictions and targets, row by row; the columns may be spread over ranks: each rank adds up what its
 * columns give, the sums are added over ranks, and value and gradient follow from them.
 *
 *   mse          mean over targets of (y - t)^2
 *   correlation  1 - r, r = Sxz / sqrt(Sxx Szz + 1e-8) over targets, x = y - mean y, z = t - mean t (spatial
 * correlation) cosine_l2    mse + (1 - cos) / 2, cos = y.t / (max(|y|, 1e-8) max(|t|, 1e-8)) over targets
 *
 * The loss of a batch is the mean over its rows. */
#ifndef BT_TUNING_LOSS_H
#define BT_TUNING_LOSS_H

#include <stddef.h>

typedef enum { BT_LOSS_MSE, BT_LOSS_CORRELATION, BT_LOSS_COSINE_L2 } bt_loss;

/* Sums over targets of one row. */
typedef struct {
    double y, t, yy, tt, yt, squares; /* squares: of y - t */
} bt_loss_sums;
enum { BT_LOSS_SUMS = sizeof(bt_loss_sums) / sizeof(double) };

/* sums (n) of predictions y and targets t (n, d). */
void bt_loss_add_up(const float *y, const float *t, size_t n, size_t d, bt_loss_sums *sums);

/* The loss of a row with n_target targets in all. */
double bt_loss_value(bt_loss loss, const bt_loss_sums *sums, size_t n_target);

/* dy (n, d) = scale dloss/dy; sums (n) over all targets of each row. dy may be y. */
void bt_loss_gradient(bt_loss loss, const bt_loss_sums *sums, const float *y, const float *t, size_t n, size_t d,
                      size_t n_target, double scale, float *dy);

#endif
