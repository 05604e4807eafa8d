/* One encoding model: cross-validation chooses each voxel's alpha, a refit on all rows predicts the test rows; or, with
 * outer folds, one such model a fold, of the rows that it leaves, which predicts those that it holds out.
 *
 * A fold is n_split + 1 jobs: a search per split, and the refit behind them. Jobs are loaded, which takes the design,
 * and then look at block after block of voxels; as many may be loaded together as memory allows. With bands the splits
 * come once for each draw of their scalings, and the refit once for each draw that a voxel has kept. */
#ifndef BT_ENCODING_FIT_H
#define BT_ENCODING_FIT_H

#include "dist/partition.h"
#include "encoding/nested.h"
#include "encoding/refit.h"
#include "encoding/scopes.h"
#include "encoding/search.h"
#include "encoding/significance.h"
#include "encoding/voxels.h"

typedef struct {
    const bt_comm *comm; /* the ranks that share the voxels; all have the same design */
    bt_device *device;
    size_t n_test, n_feature;
    const bt_nested *nested;
    const bt_encode_plan *plan;
    const bt_voxels *voxels;
    const bt_scopes *scopes; /* of these voxels; n of 0: every voxel has its own alpha */
    const bt_null *null;     /* NULL: no p */
    bt_bands bands;          /* becomes the fit's */
    size_t block;            /* voxels at once */
    size_t n_rank;           /* comm's ranks when factors are spread over them, else 1 */
    bool weights, predictions;
} bt_fit_problem;

enum {
    BT_COUNT_KEPT,
    BT_COUNT_NAN,
    BT_COUNT_CONSTANT,
    BT_COUNT_POSITIVE,
    BT_COUNT_LOW,
    BT_COUNT_HIGH,
    BT_COUNT_ROUGH,
    BT_COUNT_AGAIN,
    BT_COUNTS
};

/* What each voxel has chosen so far in the fold at work, (n_voxel). */
typedef struct {
    size_t *alpha;       /* its index */
    double *penalty;     /* at it */
    unsigned char *ends; /* of the grid that it lies at */
    size_t *draw;        /* of the bands' scalings */
    double *score;       /* by which it was kept, in a scope the sum over voxels */
    double *cv_score;    /* (n_alpha, n_voxel) of the draw; NULL with one */
} bt_fit_choice;

/* Room for the predictions of a block. */
typedef struct {
    size_t *held;       /* (n_test) rows that the fold holds out, NULL without outer folds */
    size_t *pick;       /* (block) places of the voxels whose draw is at work, and of those: */
    size_t *choice;     /* (block) index of alpha */
    double *penalty;    /* (block) */
    float *y, *y_test;  /* (n_row, block) with several bands, (n_test, block) */
    float *weights;     /* (n_feature, block), with several bands, as the next */
    double *factor;     /* (n_feature) */
    double *total;      /* (n_test, block) */
    double *prediction; /* (n_band, n_test, block) */
    double *score;      /* (block) */
} bt_fit_room;

/* Voxels that rough searches leave undecided (fit_search.h). */
typedef struct {
    double *margin;          /* (n_alpha, block) of the block at work */
    size_t n;                /* voxels that are kept to be scored again, of few at most: */
    size_t *pick;            /* (few) which */
    float *y;                /* (n_row, few) */
    double *score, *nothing; /* (n_alpha, few), (few) */
} bt_fit_again;

/* Of this rank's voxels; NaN in every place of a voxel that cannot be fitted. Predictions of kept voxels. */
typedef struct {
    bt_fit_problem problem;
    size_t n_voxel, n_row, n_alpha, n_fold;
    size_t fold, n_job, n_test; /* the fold at work, its jobs, and the rows that it predicts */
    double *cv_score;           /* (n_alpha, n_voxel) mean over splits and folds, of the plan's rule */
    double *nothing;            /* (n_voxel) mean over the fold's splits of mean y^2 */
    double *alpha;              /* (n_fold, n_voxel) as given, not the penalty */
    double *r, *r2;             /* (n_fold, n_voxel) over the predicted rows */
    double *explained;          /* (n_fold, n_voxel) 1 - var e / var y over them */
    double *p;                  /* (n_voxel) of r, under problem.null; NaN without */
    double *draws;              /* (n_voxel, bt_null_sums) with outer folds and a null, else NULL */
    float *weights;             /* (n_feature, n_voxel), or NULL */
    float *predictions;         /* (n_test, n_voxel), with outer folds (n_row, n_voxel), or NULL */
    /* Over all ranks of comm: voxels kept, with NaN, without variance; and summed over folds of the kept ones those
     * whose best validation score beats predicting nothing, and of these those that chose the smallest or the largest
     * penalty; and those whose search was rough, and of these those that were scored again. */
    int64_t counts[BT_COUNTS];
    bt_search_method method; /* of the first split */
    bt_refit_way way;        /* of the refit */
    bt_search **searches;    /* (n_split) those that are loaded */
    bt_refit *refit;         /* when loaded */
    double *curves;          /* (n_split, n_alpha, n_voxel) with alphas=continuous, else NULL */
    double *earlier;         /* (n_alpha, n_voxel) cv_score summed over the folds before; NULL with one */
    bt_dealt *dealt;         /* what is found for the jobs that come next; NULL: nothing */
    size_t at_work;          /* the draw whose jobs are loaded */
    bt_fit_choice kept;
    bt_fit_room room;
    bool rough; /* of the splits that are loaded; with: */
    bt_fit_again again;
    /* With several bands (n_band, n_voxel), means over folds; else NULL: */
    double *r_split, *r2_split; /* the bands' shares in r and r2 */
    double *scaling;            /* gamma */
} bt_fit;

/* This rank alone: room for the results; the first fold is at work. */
bt_status bt_fit_create(const bt_fit_problem *problem, bt_fit *out) BT_MUST_CHECK;
void bt_fit_clear(bt_fit *fit);

/* This rank alone: turns to a fold, after all jobs of those before. */
void bt_fit_begin(bt_fit *fit, size_t fold);

/* Collective over comm. Loads jobs [low, high) of the fold. */
bt_status bt_fit_load(bt_fit *fit, const bt_fit_design *design, bt_range jobs) BT_MUST_CHECK;
void bt_fit_unload(bt_fit *fit);

/* What the loaded jobs make of my voxels [low, low + n), y (n_row, n) and y_test (n_test, n) unless nested. The refit
 * must come with or behind all splits; where it waits, behind them and bt_fit_decide. One rank; with spread factors
 * collective over comm, and n may be 0; what fails then on one rank only is for the caller to agree on. */
bt_status bt_fit_block(bt_fit *fit, bt_block *block, size_t low, size_t n, const float *y,
                       const float *y_test) BT_MUST_CHECK;

/* Whether the refit must wait for all splits of all voxels: they share alphas, or there are draws to choose from. */
bool bt_fit_waits(const bt_fit *fit);

/* Collective over comm, after all splits of all my voxels with a draw, in order: voxels keep it where it is better than
 * those before. After the last one all is chosen. */
bt_status bt_fit_decide(bt_fit *fit, size_t draw) BT_MUST_CHECK;

/* Collective over comm: whether any voxel has kept the draw. */
bt_status bt_fit_uses(const bt_fit *fit, size_t draw, bool *uses) BT_MUST_CHECK;

/* Scores start from 0 again. This rank alone. */
void bt_fit_reset(bt_fit *fit);

/* Collective over comm: after all jobs. */
bt_status bt_fit_finish(bt_fit *fit) BT_MUST_CHECK;

/* Bytes per rank, at most. */
typedef struct {
    double results; /* per space, with my n_voxel voxels */
    double design;  /* of a space, while its jobs are made */
    double dealt;   /* what waits for jobs (dealt.h) */
    double making;  /* a job while it is made, with what stays of it: */
    double job;
    double block; /* a block of voxels */
} bt_fit_bytes;

typedef struct {
    size_t n_row, n_test, n_feature;
    size_t n_delay; /* n_feature is n_delay times what is read */
    size_t n_fold, most_split;
    size_t n_band, n_draw;                     /* at most */
    size_t most_train, least_train, most_held; /* rows of a split that train, and validate */
    bool nested;
    size_t n_voxel, block;
    size_t n_rank, n_share; /* of bt_fit_problem; ranks of comm where factors are whole, else 1 */
    bool weights, predictions;
    const bt_null *null;
} bt_fit_sizes;

bt_fit_bytes bt_fit_bytes_of(const bt_fit_sizes *sizes, const bt_encode_plan *plan);

#endif
