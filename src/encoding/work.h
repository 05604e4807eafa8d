/* The work of one `encode` run over a grid of ranks: groups of ranks take layers (spaces) each, the ranks of a group
 * share the voxels; world rank 0 writes. */
#ifndef BT_ENCODING_WORK_H
#define BT_ENCODING_WORK_H

#include "device/device.h"
#include "dist/grid.h"
#include "encoding/fit.h"
#include "encoding/inputs.h"
#include "encoding/removal.h"
#include "store/stage.h"

typedef struct {
    const bt_stage_call *call;
    const bt_encode_options *options;
    const bt_inputs *in;
    const bt_encode_plan *plan;
    const bt_nested *nested;
    bt_removal *removal; /* what is taken out of the features first, or NULL */
    const bt_null *null; /* of the test correlations; NULL: p is not asked for */
} bt_work_problem;

/* How the work is cut. The block of voxels is a fixed number, halved only where memory asks for it, so that two runs on
 * as many ranks give the same bytes. */
typedef struct {
    size_t most_feature;   /* columns of the widest design */
    size_t n_group;        /* groups of ranks, each with spaces of its own */
    size_t n_share;        /* ranks of a group */
    size_t n_mine;         /* voxels of a rank, at most */
    size_t block;          /* voxels at once */
    size_t spaces_at_once; /* spaces whose fits are loaded together ... */
    size_t jobs_at_once;   /* ... and how many jobs (splits, refit) of each, of one outer fold */
    size_t n_rank;         /* a group's ranks where factors do not fit into one and are spread over them, else 1 */
    size_t n_pass;         /* over the responses, of a group */
    bool held;             /* the responses stay in memory */
    double bytes, memory;  /* per rank: what is taken with the responses, and allowed */
    double response_bytes; /* of that, what the held responses take */
} bt_work_cut;

/* Collective over the call's comm. Errors: BT_ERR_USAGE when even the smallest block does not fit into memory=. */
bt_status bt_work_plan(const bt_work_problem *problem, const bt_grid *grid, bt_work_cut *cut) BT_MUST_CHECK;

/* The same for n_group groups of `share` ranks, which need not be there. False: it does not fit into `memory` bytes a
 * rank, and cut->bytes is what it needs. */
bool bt_work_cut_of(const bt_work_problem *problem, size_t n_group, size_t share, double memory, bt_work_cut *cut);

/* Fits of a voxel in these spaces: splits of all draws and folds, and a refit a fold. */
size_t bt_work_jobs(const bt_work_problem *problem, bt_range spaces);

/* Collective. The grid of layer x voxel; with weights or predictions one group only, since root writes them in parts.
 */
bt_status bt_work_grid(const bt_work_problem *problem, bt_grid **out) BT_MUST_CHECK;

/* Collective. Computes all spaces and writes the artefact's temporary. */
bt_status bt_work_run(const bt_work_problem *problem, const bt_artefact *artefact) BT_MUST_CHECK;

/* Products, Gram matrices and eigenproblems of one space over all ranks. */
double bt_work_flops(const bt_work_problem *problem, size_t n_feature, size_t n_band);

/* Bytes that the n_rank ranks of a group send together for one space of n_feature columns and n_band bands, counted as
 * dist/count.h does, without the few bytes of agreements: the model of SCALING.md. With bands at most: every draw is
 * refitted when a voxel keeps it, and a coordinate search tries some of them. */
double bt_work_sent_bytes(const bt_work_problem *problem, const bt_work_cut *cut, size_t n_rank, size_t n_feature,
                          size_t n_band);
/* And of reading the responses where they are held. */
double bt_work_dealt_bytes(const bt_work_problem *problem, const bt_work_cut *cut, size_t n_rank);

/* Whether a search takes all of n_penalty alphas by one product, of the sizes of a split. */
bool bt_work_is_fast(const bt_encode_plan *plan, size_t n, size_t held, size_t rank, size_t n_penalty);

/* Collective. What the run would take, added to call->result. */
bt_status bt_work_estimate(const bt_work_problem *problem) BT_MUST_CHECK;

#endif
