/* One encoding model: cross-validation chooses each voxel's alpha, a refit on all rows predicts the test rows.
 *
 * A fit is n_split + 1 jobs: a search per split, and the refit behind them. Jobs are loaded, which takes the design,
 * and then look at block after block of voxels; as many may be loaded together as memory allows. */
#ifndef BT_ENCODING_FIT_H
#define BT_ENCODING_FIT_H

#include "dist/partition.h"
#include "encoding/refit.h"
#include "encoding/search.h"
#include "encoding/significance.h"
#include "encoding/voxels.h"

typedef struct {
    const bt_comm *comm; /* the ranks that share the voxels; all have the same design */
    bt_device *device;
    size_t n_test, n_feature;
    const bt_folds *folds;
    const bt_encode_plan *plan;
    const bt_voxels *voxels;
    const bt_null *null; /* NULL: no p */
    size_t block;        /* voxels at once */
    size_t n_rank;       /* comm's ranks when factors are spread over them, else 1 */
    bool weights, predictions;
} bt_fit_problem;

enum { BT_COUNT_KEPT, BT_COUNT_NAN, BT_COUNT_CONSTANT, BT_COUNT_POSITIVE, BT_COUNT_LOW, BT_COUNT_HIGH, BT_COUNTS };

/* Of this rank's voxels; NaN in every place of a voxel that cannot be fitted. Predictions of kept voxels. */
typedef struct {
    bt_fit_problem problem;
    size_t n_voxel, n_alpha, n_job;
    double *cv_score;   /* (n_alpha, n_voxel) mean over splits, of the plan's rule */
    double *nothing;    /* (n_voxel) mean over splits of mean y^2 */
    double *alpha;      /* (n_voxel) as given, not the penalty */
    double *r, *r2;     /* (n_voxel) over the test rows */
    double *explained;  /* (n_voxel) 1 - var e / var y over the test rows */
    double *p;          /* (n_voxel) of r, under problem.null; NaN without */
    float *weights;     /* (n_feature, n_voxel), or NULL */
    float *predictions; /* (n_test, n_voxel), or NULL */
    /* Over all ranks of comm: voxels kept, with NaN, without variance; of the kept ones those whose best validation
     * score beats predicting nothing, and of these those that chose the smallest or the largest penalty. */
    int64_t counts[BT_COUNTS];
    bt_search_method method; /* of the first split */
    bool has_hats;           /* of the refit */
    bt_search **searches;    /* (n_split) those that are loaded */
    bt_refit *refit;         /* when loaded */
    double *curves;          /* (n_split, n_alpha, n_voxel) with alphas=continuous, else NULL */
    size_t *choice;          /* (block) */
    double *penalty;         /* (block) */
    double *prediction;      /* (n_test, block) */
    double *score;           /* (block) */
} bt_fit;

/* This rank alone: room for the results. */
bt_status bt_fit_create(const bt_fit_problem *problem, bt_fit *out) BT_MUST_CHECK;
void bt_fit_clear(bt_fit *fit);

/* Collective over comm. Loads jobs [low, high). */
bt_status bt_fit_load(bt_fit *fit, const bt_fit_design *design, bt_range jobs) BT_MUST_CHECK;
void bt_fit_unload(bt_fit *fit);

/* What the loaded jobs make of my voxels [low, low + n), y (n_row, n) and y_test (n_test, n). The refit must come with
 * or behind all splits. One rank; with spread factors collective over comm, and n may be 0; what fails
 * then on one rank only is for the caller to agree on. */
bt_status bt_fit_block(bt_fit *fit, bt_block *block, size_t low, size_t n, const float *y,
                       const float *y_test) BT_MUST_CHECK;

/* Collective over comm: after all jobs. */
bt_status bt_fit_finish(bt_fit *fit) BT_MUST_CHECK;

/* Bytes per rank, at most. */
typedef struct {
    double results; /* per space, with my n_voxel voxels */
    double design;  /* of a space, while its jobs are made */
    double making;  /* a job while it is made, with what stays of it: */
    double job;
    double block; /* a block of voxels */
} bt_fit_bytes;

typedef struct {
    size_t n_row, n_test, n_feature;
    size_t n_delay; /* n_feature is n_delay times what is read */
    size_t n_split;
    size_t most_held, least_held; /* rows that a split holds out */
    size_t n_voxel, block;
    size_t n_rank; /* of bt_fit_problem */
    bool weights, predictions;
    const bt_null *null;
} bt_fit_sizes;

bt_fit_bytes bt_fit_bytes_of(const bt_fit_sizes *sizes, const bt_encode_plan *plan);

/* The best of (n_alpha) scores with stride `stride`: its index. */
size_t bt_choose(const double *score, size_t stride, const bt_encode_plan *plan);

#endif
