/* The validation scores of a fit's splits, summed over them.
 *
 * Where that is faster they come from rough searches first (fast_search.h), which choose the same alphas: a voxel whose
 * best score leads by less than the margin is scored again in float32, with others when there are PIECE = 512 of them,
 * and takes these scores. Where more than a quarter of a block's voxels had to be, the fit goes on in float32 alone.
 * Rough are `search=auto`, fits whose splits all look at a block together and whose refit comes behind (responses that
 * are held in memory), whose voxels choose an alpha each, and grids with steps of STEP = 1.5 in the penalty or more: at
 * finer ones neighbours differ by less than the margin. */
#ifndef BT_ENCODING_FIT_SEARCH_H
#define BT_ENCODING_FIT_SEARCH_H

#include "encoding/fit.h"

/* Whether fits may be rough, of n_draw draws of bands' scalings. */
bool bt_fit_may_be_rough(const bt_encode_plan *plan, size_t n_draw);

/* Adds the scores of the splits that are loaded to those of my voxels [low, low + n); y as in bt_fit_block, and
 * collective as it is. */
bt_status bt_fit_search(bt_fit *fit, bt_block *block, size_t low, size_t n, const float *y) BT_MUST_CHECK;

/* The same for voxels that are kept to be scored again; behind the last block. One rank. */
bt_status bt_fit_search_again(bt_fit *fit, bt_block *block) BT_MUST_CHECK;

bt_status bt_fit_again_create(const bt_fit *fit, bt_fit_again *out) BT_MUST_CHECK;
void bt_fit_again_clear(bt_fit_again *again);
double bt_fit_again_bytes(size_t n_row, size_t block, size_t n_alpha);

#endif
