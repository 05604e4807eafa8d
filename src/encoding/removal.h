/* Features without what other features say of them linearly: X - F W, by which the low-level feature analysis asks what
 * is left of an alignment (SCIENCE 4.2).
 *
 * F, delayed, predicts every column of X by ridge on the training rows of all stories: each column has an alpha of its
 * own, of the best mean r2 over splits (those of the encoding, or its own: remove.cv), and a refit on all training
 * rows; both training and test rows lose the prediction. The engine is that of the encoding (search.h, refit.h), with
 * columns in the place of voxels, in float64. With outer folds this is done for each: the rows that the fold leaves
 * train, choose alphas on its splits and lose the prediction as those do that it holds out, which change neither W nor
 * the alphas.
 *
 * X and F are z-scored before, over all rows of a story (where folds cut stories, those held out too, as the design of
 * the encoding is); F as one concatenation over the rows that train, and over those that do not. Residuals are not
 * z-scored again: where F explains a feature almost wholly, that would make what is left as large as the other
 * features. Of a feature that F explains but for 1e-10 of its squares nothing is left: rounding, and what the smallest
 * alpha shrinks, look like the feature itself, and a correlation does not see how small a prediction is. */
#ifndef BT_ENCODING_REMOVAL_H
#define BT_ENCODING_REMOVAL_H

#include "encoding/inputs.h"
#include "encoding/nested.h"

typedef struct bt_removal bt_removal;

typedef struct {
    const bt_encode_options *options;
    const bt_encode_plan *plan;
    const bt_inputs *in; /* in->removed is F */
    const bt_nested *nested;
} bt_removal_problem;

/* This rank alone; what the problem points to must outlive it. */
bt_status bt_removal_create(const bt_removal_problem *problem, bt_removal **out) BT_MUST_CHECK;
void bt_removal_destroy(bt_removal **removal); /* takes NULL */

/* Collective over comm, whose ranks share the columns. Residuals of one space in an outer fold, kept on rank 0, which
 * reads everything. */
bt_status bt_removal_run(bt_removal *removal, const bt_comm *comm, bt_device *device, size_t space,
                         size_t fold) BT_MUST_CHECK;
/* Rank 0 after the run: x (n_row, width) of the training or test rows, before delays; the caller frees it. */
void bt_removal_take(bt_removal *removal, bool test, double **x);

/* Bytes that a run takes at most, for spaces of up to `width` features. */
double bt_removal_bytes(const bt_removal *removal, size_t width);

#endif
