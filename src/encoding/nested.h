/* Nested cross-validation: each outer fold holds out rows, all of the search and the refit see the others, and the
 * predictions of the held-out rows are scored. Without cv.outer there is one such fold, which holds out nothing, and
 * test rows of their own are predicted. */
#ifndef BT_ENCODING_NESTED_H
#define BT_ENCODING_NESTED_H

#include "encoding/options.h"

typedef struct {
    size_t n_fold;
    bool is_nested;  /* there are outer folds */
    bt_folds *inner; /* (n_fold) splits of the rows that are left */
    bt_folds outer;  /* n_fold splits: the rows that validate are predicted; empty without outer folds */
} bt_nested;

/* Same on every rank. Errors: of bt_folds_create. */
bt_status bt_nested_create(const bt_encode_plan *plan, const bt_story_rows *rows, bt_nested *out) BT_MUST_CHECK;
void bt_nested_clear(bt_nested *nested);

/* Marks (n_row) of the rows that a fold holds out; NULL: none. */
const uint8_t *bt_nested_away(const bt_nested *nested, size_t fold);

/* What each fold holds out, fold after fold, in parts that lie together in one story; first (n_fold + 1): each fold's
 * first part. The caller clears and frees both. */
bt_status bt_nested_parts(const bt_nested *nested, const bt_story_rows *rows, bt_story_rows *parts,
                          size_t **first) BT_MUST_CHECK;

size_t bt_nested_held_out(const bt_nested *nested, size_t fold); /* rows */
size_t bt_nested_most_held_out(const bt_nested *nested);

#endif
