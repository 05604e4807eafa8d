/* The score file. All calls are of one rank, root. */
#ifndef BT_ENCODING_OUTPUT_H
#define BT_ENCODING_OUTPUT_H

#include "encoding/inputs.h"
#include "encoding/nested.h"
#include "encoding/refit.h"
#include "encoding/search.h"
#include "encoding/significance.h"
#include "io/hdf5.h"
#include "stimulus/powers.h"
#include "store/artefact.h"

#include <stdint.h>

enum { BT_MAP_R, BT_MAP_R2, BT_MAP_EXPLAINED, BT_MAP_P, BT_MAP_ALPHA }; /* the first rows of a space's maps; then: */

/* First rows of what has several, in the matrix (n, n_voxel) of a space's maps. */
typedef struct {
    size_t alpha;                      /* n_fold */
    size_t cv_score;                   /* n_alpha */
    size_t r_fold, r2_fold;            /* n_fold each, with outer folds */
    size_t r_split, r2_split, scaling; /* n_band each, with several bands */
    size_t n;
} bt_map_rows;

bt_map_rows bt_map_rows_of(size_t n_alpha, const bt_nested *nested, size_t n_band);

typedef struct {
    const bt_inputs *in;
    const bt_encode_options *options;
    const bt_encode_plan *plan;
    const bt_nested *nested;
    const bt_null *null;           /* or NULL */
    size_t n_voxel, n_row, n_test; /* rows of the fit and of the scores */
    bt_h5 *file;
    double *ceiling; /* (n_voxel) cc_max, NULL when none is known */
} bt_output;

/* Begins the file: attributes, ROI labels. `output` holds the borrowed members already. */
bt_status bt_output_begin(const bt_artefact *artefact, bt_output *output) BT_MUST_CHECK;

/* Ceilings from repeats: powers (n_voxel); or with NULL from the data set's file where that is the source. */
bt_status bt_output_ceilings(const bt_power *powers, size_t n_repeat, bt_output *output) BT_MUST_CHECK;

typedef struct {
    size_t index, n_band; /* of the space */
    const char *name;     /* its; empty for plain matrices */
    size_t n_feature;     /* columns of the design */
    size_t n_split;
    bt_search_method method;
    bt_refit_way way;      /* of the refit */
    const double *maps;    /* (bt_map_rows, n_voxel) */
    const int64_t *counts; /* (BT_COUNTS) of bt_fit */
} bt_output_space;

bt_status bt_output_add(const bt_output_space *space, bt_output *output) BT_MUST_CHECK;

bt_status bt_output_finish(bt_output *output) BT_MUST_CHECK; /* closes the file */
void bt_output_clear(bt_output *output);                     /* takes one that was not begun */

#endif
