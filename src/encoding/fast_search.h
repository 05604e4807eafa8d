/* The validation scores of one split at every penalty, for the price of one product: the fast search.
 *
 * With the factor's a_i = s_i^2, q = U'y and P = X_apply V, the prediction at penalty A is P diag(s_i w_i) q with
 * w_i = 1 / (a_i + A). Its squared error needs two sums per penalty,
 *
 *     y'p = sum_i w_i q_i z_i,                    z = diag(s) P'y,
 *     p'p = sum_ij w_i w_j q_i q_j D_ij,          D_ij = s_i s_j M_ij,  M = P'P,
 *
 * and the second would be a product per penalty. But w_i w_j = (w_i - w_j) / (a_j - a_i), so that
 *
 *     sum over far pairs = 2 sum_i w_i q_i u_i,   u = S q,  S_ij = D_ij / (a_j - a_i), antisymmetric:
 *
 * one product for all penalties. Near pairs, |a_i - a_j| <= tau (min(a_i, a_j) + A_min), and i = j keep the product.
 * There w_i w_j = (w_i^2 + w_j^2) / 2 - (w_i - w_j)^2 / 2, whose last term is at most tau^2 / 2 of the rest and is left
 * out; with D limited to the near pairs, a narrow band since the a_i are sorted,
 *
 *     sum over near pairs = sum_i w_i^2 q_i v_i,  v = D q.
 *
 * Together y'y - 2 y'p + p'p = y'y + sum_i (2 w_i q_i t_i + w_i^2 q_i v_i) with t = S q - z.
 *
 * Correlations need p'p by itself and relative to its own size, which for A above all a_i is far below its terms. Since
 * S is antisymmetric, sum_i q_i u_i = 0, and any constant may be taken off the w_i beside u: correlations take the
 * weight of a component in the middle, w_i - 1 / (b + A) = (b - a_i) / ((a_i + A) (b + A)).
 *
 * Variances of errors (signed root) and of predictions (correlation) are the same sums with P's columns centred. All
 * a_i and A are in units of a_max, so that float32 holds every weight.
 *
 * Cost per voxel: 2 r (n_train + n_apply + r), and O(r) per penalty.
 *
 * Precision. u_i adds terms as large as D_ij / (a_j - a_i); rounding them costs the mean squared error, relative to the
 * variance of y,
 *
 *     2 eps (n_train / n_apply) sqrt(sum_ij (S_ij w_i)^2 f_i f_j),  f_i the share of y'y in q_i^2.
 *
 * The bound takes the largest of this over noise (f_i = 1 / n_train) and over responses that follow the features
 * (f_i = a_i / sum a), VOXELS = 8 times, for voxels that are worse than the typical one; the single worst pair at such
 * shares, PAIR = 32 times, since of many voxels one has much in just these two; and BASE = 16 eps for q and z. Where it
 * passes BT_FAST_TOLERANCE, S q is float64, and so it is for correlations, which divide by p'p, and where the best of
 * a continuum of penalties is sought; q and z stay in the precision that was asked for, since no small difference
 * divides their errors.
 *
 * Rough scores take q and z from U', P' and Y in 16 bits (device/shorts.h), which CPUs multiply twice as fast; S q and
 * all sums stay as they are. An error d of q moves a mean squared error by (2 / n_apply) sum_i d_i w_i s_i P_i'(p - y),
 * with |P_i|^2 about s_i^2 n_apply / n_train; with d_i of BT_SHORT_ERROR, independent of each other
 * and of p - y, by at most
 *
 *     2 BT_SHORT_ERROR / sqrt(n_apply) |y| |p - y| / n_apply max_i s_i^2 w_i,
 *
 * one standard deviation, and an error of z does the same. Between neighbouring alphas most of it cancels: measured
 * were 0.1 to 0.25 of BT_SHORT_ERROR / sqrt(n_apply), at most 1. Scores are told apart where they differ by more than
 * the margin, ROUGH = 12 times that times the norms and the largest s_i^2 w_i; a signed root sgn(R) sqrt|R| by the
 * margin of R over sqrt|R|, or twice its root where R is as small. fit_search.h scores the other voxels again.
 * Correlations, quotients of small differences, are never rough, nor is anything of few rows or components, where it
 * would win no time.
 */
#ifndef BT_ENCODING_FAST_SEARCH_H
#define BT_ENCODING_FAST_SEARCH_H

#include "encoding/block.h"
#include "encoding/factor.h"
#include "encoding/scores.h"

typedef struct bt_fast_search bt_fast_search;

typedef struct {
    const bt_factor *factor; /* borrowed during create only */
    size_t n_train, n_apply;
    size_t n_rank;         /* that the factor is spread over; 1: whole on each; for the bytes only */
    const double *penalty; /* (n_penalty), above 0; borrowed */
    size_t n_penalty;
    bt_score_rule rule;
    bt_dtype precision; /* of q and z; S q is of this or better */
    bool exact;         /* S q is float64 whatever the bound says */
    bool rough;         /* a rough score is wanted too, where it can be had */
} bt_fast_problem;

/* Largest error of a mean squared error relative to the variance of y that float32 may cost. */
#define BT_FAST_TOLERANCE 5e-6

/* Whether searches of such a kind are ever rough. */
bool bt_fast_search_may_be_rough(bt_score_rule rule, bt_dtype precision, bool exact);

/* Collective over comm; the factor is equal on all ranks, or spread over them, and so is the search then. */
bt_status bt_fast_search_create(const bt_comm *comm, bt_device *device, const bt_fast_problem *problem,
                                bt_fast_search **out) BT_MUST_CHECK;
void bt_fast_search_destroy(bt_fast_search **pairs); /* takes NULL */

bt_dtype bt_fast_search_precision(const bt_fast_search *pairs); /* of S q */
double bt_fast_search_bound(const bt_fast_search *pairs);       /* what float32 would cost it */
bool bt_fast_search_is_rough(const bt_fast_search *pairs);      /* rough scores can be had */

/* score (n_penalty, n_voxel) of y (., n_voxel), of which `train` and `apply` are the rows; moments (n_voxel) are those
 * of `apply`; margin NULL, or, of rough scores, (n_penalty, n_voxel), which is added to. One rank; of a spread search
 * it is collective, n_voxel may be 0, and all ranks get the worst status. */
bt_status bt_fast_search_score(const bt_fast_search *pairs, bt_block *block, const float *y, size_t n_voxel,
                               bt_row_list train, bt_row_list apply, const bt_moments *moments, double *score,
                               double *margin) BT_MUST_CHECK;

/* Bytes at rank r, at most: what stays, what create takes with that and the factor, and what a block of n_voxel adds.
 */
double bt_fast_search_bytes(const bt_fast_problem *problem, size_t rank);
double bt_fast_search_making_bytes(const bt_fast_problem *problem, size_t rank);
double bt_fast_search_block_bytes(const bt_fast_problem *problem, size_t rank, size_t n_voxel);

#endif
