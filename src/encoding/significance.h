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
 * only: no p is below 1 / n, and few q are small. */
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

/* p (n_voxel); y (n_row, n_voxel), prediction (n_row, n_voxel). */
bt_status bt_null_p(const bt_null *null, const float *y, const double *prediction, size_t n_voxel,
                    double *p) BT_MUST_CHECK;

/* q (n) of the p (n) that are not NaN, by Benjamini and Hochberg (1995): the smallest false discovery rate at which
 * each is called significant. NaN where p is. */
bt_status bt_false_discovery(const double *p, size_t n, double *q) BT_MUST_CHECK;

#endif
