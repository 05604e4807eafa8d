/* Eigenproblems of as many splits as there are ranks, solved at once, one on each rank.
 *
 * PDSYEVD on P ranks takes about 2 / P of the time of LAPACK on one (measured for 2 and 4 ranks at orders of 2,000 and
 * 3,000), so S problems take 2 S / P one after another, and ceil(S / P) dealt. Each rank keeps the eigenvectors of its
 * split until that split is loaded, and then hands them out. */
#ifndef BT_ENCODING_DEALT_H
#define BT_ENCODING_DEALT_H

#include "encoding/search.h"

struct bt_dealt {
    size_t first, n; /* splits */
    bt_eigenpairs mine;
};

/* Whether split k of n_split is dealt on n_rank ranks: with all of n_rank, or as one of the rest. */
bool bt_dealt_has(size_t n_rank, size_t n_split, size_t k);

/* Collective over problem->comm. The group of splits that `split` belongs to. */
bt_status bt_dealt_create(const bt_search_problem *problem, size_t split, bt_dealt **out) BT_MUST_CHECK;
void bt_dealt_destroy(bt_dealt **dealt); /* takes NULL */

/* Bytes that stay on a rank, at most. */
double bt_dealt_bytes(size_t n_rank, size_t n_split, size_t n_train, size_t n_feature);

#endif
