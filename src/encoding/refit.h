/* The fit on all training rows at each voxel's chosen alpha, and its predictions for the test rows.
 *
 * Voxels with one alpha share their hat matrix H_A = P diag(s / (s^2 + A)) U' (n_test, n_row), so that a prediction is
 * one product with H_A in place of two with U' and P; with few test rows that is far cheaper, and what it takes to make
 * H_A for every alpha comes back over the voxels. The cheaper way is taken. */
#ifndef BT_ENCODING_REFIT_H
#define BT_ENCODING_REFIT_H

#include "encoding/factor.h"
#include "encoding/search.h"

typedef struct bt_refit bt_refit;

/* How it predicts: responses are rotated by U', or hat matrices, of the factor or solved for (hats.h). */
typedef enum { BT_REFIT_ROTATES, BT_REFIT_HATS, BT_REFIT_SOLVED_HATS } bt_refit_kind;
typedef struct {
    bt_refit_kind kind;
    size_t n_solved; /* alphas that were solved for; the others are mixed of these */
} bt_refit_way;

/* Collective over problem->comm. n_voxel: how many this rank will predict, the most of all ranks counts; weights:
 * bt_refit_weights will be asked. A refit that problem->dealt has is taken from it. */
bt_status bt_refit_create(const bt_search_problem *problem, size_t n_voxel, bool weights, bt_refit **out) BT_MUST_CHECK;
void bt_refit_destroy(bt_refit **refit); /* takes NULL */

bt_refit_way bt_refit_way_of(const bt_refit *refit);

/* Whether hat matrices are the cheaper way for that many voxels a rank: not of a spread factor, whose rows no rank has
 * all; for a grid of penalties, with at most 16 times the memory of U', 4 times that of solving, and fewer operations.
 */
bool bt_refit_takes_hats(const bt_encode_plan *plan, const bt_ridge_problem *problem, size_t n_voxel);

/* Ahead of that, where hats are solved for that take at most twice the memory of U' (bt_refit_can_wait), without
 * weights: begun, or *out NULL, collective over problem->comm; the reduction of `owner`, by that rank alone; and, again
 * collective, what all make of it. */
bool bt_refit_can_wait(const bt_encode_plan *plan, const bt_ridge_problem *problem, size_t n_voxel);
bt_status bt_refit_begin(const bt_search_problem *problem, size_t n_voxel, bt_refit **out) BT_MUST_CHECK;
bt_status bt_refit_reduce(const bt_search_problem *problem, bt_refit *refit) BT_MUST_CHECK;
bt_status bt_refit_finish(const bt_search_problem *problem, size_t owner, bt_refit *refit) BT_MUST_CHECK;

/* prediction (n_test, n_voxel), with bands (n_band, n_test, n_voxel), of y (n_row, n_voxel) at penalty (n_voxel);
 * choice (n_voxel): its index, where penalties come from a grid. One rank, as is the next; of a spread factor as
 * bt_ridge_predict. */
bt_status bt_refit_predict(const bt_refit *refit, bt_block *block, const float *y, size_t n_voxel, const size_t *choice,
                           const double *penalty, double *prediction) BT_MUST_CHECK;
/* weights (n_feature, stride) of the block that was predicted last, columns 0 .. n_voxel - 1. */
bt_status bt_refit_weights(const bt_refit *refit, const double *penalty, float *weights, size_t stride) BT_MUST_CHECK;

/* Sizes of a refit, with the voxels of this rank. */
typedef struct {
    size_t n_row, n_test, n_feature, n_voxel, block; /* n_test: of all bands */
    size_t n_rank;                                   /* that the factor is spread over; 1: whole on each */
    bool weights, has_kernel;
    bool split; /* n_test is of several bands */
    bool part;  /* some of the rows train and some are predicted: an outer fold */
} bt_refit_sizes;

/* Bytes, at most: of hats that are there before, what stays, and what create takes with that. */
double bt_refit_waiting_bytes(const bt_encode_plan *plan, const bt_refit_sizes *sizes);
double bt_refit_bytes(const bt_encode_plan *plan, const bt_refit_sizes *sizes);
double bt_refit_making_bytes(const bt_encode_plan *plan, const bt_refit_sizes *sizes);

#endif
