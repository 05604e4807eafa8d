/* Significance of test correlations: how often a voxel's prediction would correlate as well as it does if it had
 * nothing to do with the response: a permutation test, one-sided, over the orders of test rows that arrangements.h
 * makes.
 *
 * p = (b + 1) / (n + 1), b of n draws whose correlation is no smaller than the observed one: the observation is one of
 * the orders, so that p is never 0 (Phipson and Smyth 2010). A prediction or response that does not vary has p = 1.
 * Means and variances over all test rows stay what they are when rows move within stories; so a draw's correlation is a
 * sum of products of moved blocks, and draws share these: per voxel n_row^2 / block products (n_row^2 for shifts) once,
 * and a sum of as many numbers as there are blocks per draw, in place of n_row products per draw: 13 times fewer
 * operations at 251 rows, blocks of 10 and 1,000 draws. Voxels go in small tiles, so that sums and draws of a tile stay
 * in cache, and nothing of the size draws x voxels exists.
 * Measured with 1,000 draws, 251 rows and 95,556 voxels on one core: 0.8 s (2.4 GFLOP) for blocks of 20, 1.4 s for
 * blocks of 10, 2.7 s (12 GFLOP) for the 250 shifts; with r alone the stage takes 0.9 s there.
 *
 * A draw moves the rows of all voxels alike. Nothing depends on ranks but through the rounding of predictions.
 *
 * False positives at p < 0.05, one test story of 251 rows, 400 draws, 3,000 voxels (standard error 0.004), responses
 * and predictions alike (the worlds of tests/unit/encoding/test_significance.c):
 *
 *   rows                          Student's t   rows   blocks of 5    10    15    20    30   shifts
 *   white                               0.048  0.045         0.047 0.046 0.048 0.045 0.049    0.044
 *   AR(1), 0.5                          0.090  0.091         0.056 0.052 0.052 0.050 0.051    0.046
 *   AR(1), 0.7                          0.163  0.163         0.078 0.061 0.062 0.055 0.055    0.050
 *   AR(1), 0.9                          0.313  0.308         0.160 0.109 0.091 0.075 0.067    0.059
 *   mean of 4 rows                      0.158  0.154         0.069 0.056 0.056 0.053 0.053    0.047
 *   mean of 4 rows of AR(1), 0.5        0.204  0.204         0.080 0.065 0.064 0.057 0.057    0.050
 *
 * Hence blocks of 20 rows by default. Shifts are the nearest to nominal, but one story of n rows has n - 1 of them
 * only: no p is below 1 / n, and few q are small.
 *
 * Outer folds (nested.h). The score is the mean over folds of r, so that each fold's rows are taken about their mean
 * and to a norm of 1, and a draw moves the held-out rows of all folds at once, within the part of a story that one fold
 * holds out, against predictions that stay. But each fold's model was trained on the responses that the others are
 * tested on: the r of two folds rise and fall together where there is nothing to be found, and rows that move under
 * standing predictions do not show it. With y the responses and H_fg the matrix that takes those of fold g to the
 * prediction of fold f, the sum over folds of y_f' H_fg y_g has, for white rows, the variance
 *     sum over f, g of |H_fg|^2 + tr(H_fg H_gf),
 * of which moved rows show the first term only. The second is at most the first (Cauchy and Schwarz), and equal to it
 * where H_fg = H_gf', as with folds of one size; refits of every draw would cost hundreds of encodings. Draws are hence
 * compared by their mean plus sqrt(2) times their distance from it: never too near, and close to nominal.
 *
 * False positives at p < 0.05 and p < 0.01, 1,500 voxels, 200 draws, blocks of 20 (standard error 0.006 and 0.003),
 * alphas chosen by voxel and fold (tests/parity/simulate_folds.py):
 *
 *   rows, features x delays, outer folds                               moved rows   times sqrt(2)
 *   6 x 80 of AR(1), 0.7; 5 x 3; 2                                    0.123 0.035     0.033 0.004
 *   6 x 80 of AR(1), 0.7; 5 x 3; 6                                    0.108 0.030     0.025 0.001
 *   6 x 80 white; 5 x 1; 3                                            0.110 0.026     0.024 0.003
 *   6 x 80 of AR(1), 0.7; 60 x 4; 3                                   0.109 0.045     0.041 0.005
 *   40 to 150, mean of 4 rows of AR(1), 0.5; 20 x 3; 3                0.123 0.042     0.045 0.005
 *   5 x 251 of AR(1), 0.7; 20 x 4; 5                                  0.140 0.049     0.053 0.008 */
#ifndef BT_ENCODING_SIGNIFICANCE_H
#define BT_ENCODING_SIGNIFICANCE_H

#include "encoding/arrangements.h"

typedef struct bt_null bt_null;

/* rows: the test rows that are scored. Errors: BT_ERR_USAGE as bt_arrangements_create. */
bt_status bt_null_create(const bt_permute_options *options, const bt_story_rows *rows, bt_null **out) BT_MUST_CHECK;
void bt_null_destroy(bt_null **null); /* takes NULL */

size_t bt_null_draws(const bt_null *null);  /* fewer than asked for where there are no more orders */
double bt_null_orders(const bt_null *null); /* that rows could be brought into, without their own */
double bt_null_bytes(const bt_null *null);  /* that stay, and that a call takes on all threads */
double bt_null_flops(const bt_null *null);  /* per voxel */

/* Of outer folds: parts, fold after fold, of which the first[f] .. first[f + 1] - 1 are fold f's (bt_nested_parts). */
bt_status bt_null_create_folds(const bt_permute_options *options, const bt_story_rows *parts, size_t n_fold,
                               const size_t *first, bt_null **out) BT_MUST_CHECK;

/* p (n_voxel); y (n_row, n_voxel), prediction (n_row, n_voxel). */
bt_status bt_null_p(const bt_null *null, const float *y, const double *prediction, size_t n_voxel,
                    double *p) BT_MUST_CHECK;

/* Of outer folds, whose predictions come one after another: a voxel's sums (bt_null_sums) over folds of r, of each draw
 * and of the rows in place, from 0. Adds a fold's: y and prediction (its rows, n_voxel), of voxel v to
 * sums (., bt_null_sums) at row at[v]. */
size_t bt_null_sums(const bt_null *null); /* 0 without outer folds */
bt_status bt_null_add(const bt_null *null, size_t fold, const float *y, const double *prediction, size_t n_voxel,
                      const size_t *at, double *sums) BT_MUST_CHECK;
/* After the last fold: p (n_voxel) of sums (n_voxel, bt_null_sums). */
void bt_null_p_of_sums(const bt_null *null, const double *sums, size_t n_voxel, double *p);

/* q (n) of the p (n) that are not NaN, by Benjamini and Hochberg (1995): the smallest false discovery rate at which
 * each is called significant. NaN where p is. */
bt_status bt_false_discovery(const double *p, size_t n, double *q) BT_MUST_CHECK;

#endif
