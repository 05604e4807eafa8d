/* Validation scores of every voxel at every alpha, one split at a time.
 *
 * Two ways with the same results to rounding: `fast`, one product for all alphas (fast_search.h), and `direct`, one
 * product per alpha. `auto` takes the one with fewer operations. */
#ifndef BT_ENCODING_SEARCH_H
#define BT_ENCODING_SEARCH_H

#include "encoding/bands.h"
#include "encoding/block.h"
#include "encoding/factor.h"
#include "encoding/folds.h"
#include "encoding/options.h"
#include "encoding/parts.h"

#include "dist/comm.h"

typedef struct bt_search bt_search;
typedef struct bt_dealt bt_dealt; /* dealt.h */

typedef struct {
    const bt_comm *comm; /* the ranks that share the voxels */
    bt_device *device;
    const bt_fit_design *design; /* borrowed during create only */
    const bt_folds *folds;
    const uint8_t *away; /* (n_row) rows that an outer fold holds out, which the refit predicts; NULL: the test rows */
    const bt_bands *bands; /* the refit predicts each band's part; NULL: one prediction */
    const bt_encode_plan *plan;
    bt_dealt *dealt; /* eigenpairs of the split, or the refit, found before; NULL: not */
    bool rough;      /* rough scores are wanted too, where they can be had (fast_search.h) */
    size_t block;    /* voxels at once, at most */
    size_t n_rank;   /* comm's ranks when factors are spread over them, 1 when every rank has all of each */
} bt_search_problem;

/* What a search does, for the log and the file. */
typedef struct {
    bool fast, dual;
    bool rough;         /* rough scores can be had */
    bt_dtype precision; /* of the product that decides it */
    double bound;       /* fast: error of float32, relative to the variance of y */
    size_t rank;
    size_t n_rank; /* that have a part of the factor each; 1: all have all */
} bt_search_method;

/* Collective over problem->comm. */
bt_status bt_search_create(const bt_search_problem *problem, size_t split, bt_search **out) BT_MUST_CHECK;
void bt_search_destroy(bt_search **search); /* takes NULL */

bt_search_method bt_search_method_of(const bt_search *search);

/* Adds to score (n_alpha, stride) the scores of y (n_row, n_voxel), and to nothing (n_voxel) mean y^2, the mean squared
 * error of predicting nothing. margin NULL, or, of rough scores, (n_alpha, n_voxel): what they may be off by is
 * added. One rank; with spread factors collective, n_voxel may be 0, and all ranks get the worst
 * status. */
bt_status bt_search_block(const bt_search *search, bt_block *block, const float *y, size_t n_voxel, double *score,
                          size_t stride, double *nothing, double *margin) BT_MUST_CHECK;

/* Whether the fast search takes fewer operations, for n_penalty alphas at rank r. */
bool bt_search_is_faster(size_t n_train, size_t n_apply, size_t rank, size_t n_penalty);

/* Sizes of a split, at most. */
typedef struct {
    size_t n_train, n_held, n_feature, block;
    size_t n_rank;      /* of bt_search_problem */
    bool shares_kernel; /* fits of the dual form take their kernel from the design's */
    bool rough;         /* of bt_search_problem */
} bt_search_sizes;

/* Bytes, at most: what stays, what create takes with that, and what a block of voxels adds. */
double bt_search_bytes(const bt_encode_plan *plan, const bt_search_sizes *sizes);
double bt_search_making_bytes(const bt_encode_plan *plan, const bt_search_sizes *sizes);
double bt_search_block_bytes(const bt_encode_plan *plan, const bt_search_sizes *sizes);

#endif
