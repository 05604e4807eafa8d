/* As many jobs of a fit as there are ranks, run at once, one on each: eigenproblems of splits, and behind the last of
 * these the refit's reduction, where its hat matrices are solved for (hats.h).
 *
 * PDSYEVD on P ranks takes about 2 / P of the time of LAPACK on one (measured for 2 and 4 ranks at orders of 2,000 and
 * 3,000), so S problems take 2 S / P one after another, and ceil(S / P) dealt; each rank keeps its split's pairs and
 * hands them out when that split is loaded. The reduction, which takes about as long as an eigenproblem, would be made
 * by every rank for itself; dealt, it is sent to all, each makes its share of the hat matrices, and all keep them. */
#ifndef BT_ENCODING_DEALT_H
#define BT_ENCODING_DEALT_H

#include "encoding/refit.h"
#include "encoding/search.h"

struct bt_dealt {
    size_t first, n; /* splits */
    bt_eigenpairs mine;
    bt_refit *refit; /* reduced by rank n; NULL: not dealt with them */
};

/* Whether job k of n_job is dealt on n_rank ranks: with all of n_rank, or as one of the rest. */
bool bt_dealt_has(size_t n_rank, size_t n_job, size_t k);

/* Collective over problem->comm. The group of jobs that `split` belongs to, if these are dealt, else NULL. refits: the
 * refit, without weights and of n_voxel voxels of this rank, may be one of them. */
bt_status bt_dealt_create(const bt_search_problem *problem, size_t split, bool refits, size_t n_voxel,
                          bt_dealt **out) BT_MUST_CHECK;
void bt_dealt_destroy(bt_dealt **dealt); /* takes NULL */

bool bt_dealt_covers(const bt_dealt *dealt, size_t split); /* NULL does not */

/* Behind a split that has taken its pairs: drops what no other job takes. */
void bt_dealt_end(bt_dealt **dealt, size_t split);

bt_refit *bt_dealt_refit(bt_dealt *dealt); /* becomes the caller's */

/* Bytes that stay on a rank, at most; refit: bt_refit_waiting_bytes, or 0 where it is never dealt. */
double bt_dealt_bytes(size_t n_rank, size_t n_split, size_t n_train, size_t n_feature, double refit);

#endif
