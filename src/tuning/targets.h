/* What the rows are to predict: responses, responses out of place, or vectors from a file. Each rank holds its
 * bt_partition of the columns for all rows, (n_row, n_mine) float32.
 *
 * Validation of the random objective is against the true responses: make its validation targets with BT_TARGETS_BRAIN.
 */
#ifndef BT_TUNING_TARGETS_H
#define BT_TUNING_TARGETS_H

#include "base/status.h"
#include "dist/comm.h"
#include "dist/partition.h"
#include "store/recipe.h"
#include "tuning/rows.h"
#include "tuning/voxels.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    BT_TARGETS_BRAIN,  /* responses as stored, NaN as 0 */
    BT_TARGETS_RANDOM, /* the same out of place */
    BT_TARGETS_FILE /* HDF5: per story /STORY/rows (n_row, d), or /STORY/vectors (n_word, d) + /STORY/times (n_word) s
                     */
} bt_targets_kind;

typedef enum {
    /* Blocks of `block` rows of a story change places: block b goes to p(b), |p(b) - b| >= min(apart, floor(n_block /
     * 2)); rows behind the last whole block are not used. */
    BT_RANDOM_BLOCKS,
    /* Another story of the rows, never itself; cut, or filled up with rows of it drawn at random. */
    BT_RANDOM_OTHER_STORY,
    /* A story's rows shifted in a circle, by at least min(block * apart, floor(n_row / 2)) either way. */
    BT_RANDOM_CIRCULAR_SHIFT
} bt_random_method;

typedef enum { BT_DRAW_ONCE, BT_DRAW_EVERY_EPOCH } bt_random_draw;

typedef struct {
    int method; /* bt_random_method */
    size_t block, apart;
    int draw; /* bt_random_draw */
    uint64_t seed;
} bt_random_options;

/* Borrowed until the targets are there; the rows as long as they are. */
typedef struct {
    bt_targets_kind kind;
    const bt_rows *rows;
    const char *subject;          /* brain, random */
    const bt_kept_voxels *voxels; /* brain, random: the columns */
    bt_random_options random;
    const char *file; /* file */
    bool zscore;      /* file: each column per story over its rows, ddof 0, constant columns 0 */
} bt_targets_options;

typedef struct bt_targets bt_targets;

/* Collective. Rows of stories that the subject lacks are not used. Errors, BT_ERR_INPUT naming file, story, expected
 * and found: rows other than respdict's, voxels other than the ceilings', a story that the file lacks (nearest), other
 * widths, times that do not ascend; a story of fewer than two blocks; BT_ERR_USAGE: other_story with one story. */
bt_status bt_targets_create(const bt_targets_options *options, const bt_comm *comm, bt_targets **out) BT_MUST_CHECK;
void bt_targets_destroy(bt_targets **targets); /* takes NULL */

size_t bt_targets_columns(const bt_targets *targets); /* of all ranks */
bt_range bt_targets_range(const bt_targets *targets); /* mine */
size_t bt_targets_used(const bt_targets *targets);    /* rows that have a target */
/* (n_row): which they are, for bt_batches_create; valid as long as the targets. */
const bool *bt_targets_used_rows(const bt_targets *targets);

/* Before each epoch (from 0): draws anew where that is asked for. Which rows are used never changes. */
bt_status bt_targets_epoch(bt_targets *targets, size_t epoch) BT_MUST_CHECK;
/* out (n, n_mine) of used rows. */
void bt_targets_read(const bt_targets *targets, const size_t *rows, size_t n, float *out);
/* The row of the responses that `row` predicts in this epoch: itself but for the random objective. */
size_t bt_targets_source(const bt_targets *targets, size_t row);

/* Bytes per rank. */
double bt_targets_bytes(const bt_rows *rows, size_t n_column, int n_rank);
/* Contents of the files that are read, as inputs PREFIX.STORY or PREFIX. */
bt_status bt_targets_record(const bt_targets_options *options, const char *prefix, const char *store,
                            bt_recipe *recipe) BT_MUST_CHECK;

#endif
