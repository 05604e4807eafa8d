/* From feature rows to the design matrix: z-scores, delays, stories one under another. All float64, row-major.
 *
 * DESIGN 7: features are z-scored per story, after trimming, before delays; delays run within a story, zeros entering.
 */
#ifndef BT_ENCODING_DESIGN_H
#define BT_ENCODING_DESIGN_H

#include "base/settings.h"
#include "base/status.h"
#include "stimulus/story_rows.h"

#include <stdbool.h>
#include <stddef.h>

/* delayed (n_row, n_delay n_feature): the columns of the first delay, then of the second, and so on; column f of delay
 * k at row i is x[i - k][f], 0 where that row does not exist. Zeroed on entry. */
void bt_delay(const double *x, size_t n_row, size_t n_feature, const bt_ints *delays, double *delayed, size_t n_all);

typedef struct {
    bool zscore;
    bt_ints delays;  /* borrowed, TR; at least one */
    bool stacked;    /* delays run over all rows as if they were one story (released code) */
    size_t drop;     /* rows left out at the start of each story ... */
    bool drop_first; /* ... before z-scoring and delaying (released code), else after */
} bt_design_options;

/* x (n_row, n_feature) of the stories `rows` is used up (its content changes). *design (*n_design_row, n_delay
 * n_feature) is allocated; rows are fewer by drop per story. Errors: BT_ERR_MEMORY; BT_ERR_USAGE when a story has no
 * more than `drop` rows. */
bt_status bt_design_create(double *x, const bt_story_rows *rows, size_t n_feature, const bt_design_options *options,
                           double **design, size_t *n_design_row) BT_MUST_CHECK;

#endif
