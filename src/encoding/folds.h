/* Cross-validation: which rows each split holds out. */
#ifndef BT_ENCODING_FOLDS_H
#define BT_ENCODING_FOLDS_H

#include "base/status.h"
#include "encoding/design.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    BT_CV_STORIES, /* whole stories, dealt in order into n_fold folds; fewer stories than that: each its own fold */
    BT_CV_CHUNKS,  /* per repeat floor(held_out n / chunk) chunks drawn from the floor(n / chunk) whole ones; the tail
                      always trains; repeats may overlap (the Huth lab's scheme, SCIENCE annex E) */
    BT_CV_KFOLD,   /* n_fold contiguous blocks of rows as equal as possible */
    BT_CV_GIVEN    /* a file: a fold id per row, ids below 0 always train; or a (n_split, n_row) mask, 1 = held out */
} bt_cv_scheme;

typedef struct {
    bt_cv_scheme scheme;
    size_t n_fold;    /* stories, kfold */
    size_t n_repeat;  /* chunks */
    size_t chunk;     /* rows */
    double held_out;  /* fraction of the rows, chunks */
    uint64_t seed;    /* chunks */
    const char *file; /* given: PATH.npy or PATH.h5:/dataset */
    bool outer;       /* the keys are cv.outer and cv.outer.n, which is n_fold and n_repeat */
    bool removal;     /* they are remove.cv and remove.cv.n_fold */
} bt_cv_options;

enum { BT_ROW_TRAINS, BT_ROW_VALIDATES, BT_ROW_AWAY }; /* away: held out by an outer fold */

typedef struct {
    size_t n_split, n_row;
    uint8_t *role; /* (n_split, n_row) */
} bt_folds;

/* Same on every rank. Errors: BT_ERR_USAGE for a scheme that would hold out everything or nothing in a split, naming
 * the key and the numbers; BT_ERR_INPUT for such a file, or one of another length. */
bt_status bt_folds_create(const bt_cv_options *options, const bt_story_rows *rows, bt_folds *out) BT_MUST_CHECK;
/* The same of the rows that are not marked in away (n_row), as if there were no others; splits of a file that leave no
 * row to train or to validate are left out. */
bt_status bt_folds_create_within(const bt_cv_options *options, const bt_story_rows *rows, const uint8_t *away,
                                 bt_folds *out) BT_MUST_CHECK;
void bt_folds_clear(bt_folds *folds);
size_t bt_folds_count(const bt_folds *folds, size_t split, uint8_t role); /* rows that have it */
/* Indices of the rows, ascending: those that train and those that validate. */
void bt_folds_rows(const bt_folds *folds, size_t split, size_t *train, size_t *validate);

#endif
