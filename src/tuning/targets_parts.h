/* What the files of tuning/targets.h share. */
#ifndef BT_TUNING_TARGETS_PARTS_H
#define BT_TUNING_TARGETS_PARTS_H

#include "base/random.h"
#include "tuning/targets.h"

struct bt_targets {
    bt_targets_kind kind;
    const bt_rows *rows;
    size_t n_column;
    bt_range mine;
    float *values;  /* (n_row, n_mine) */
    size_t *source; /* (n_row): which row of the values a row predicts */
    bool *used;     /* (n_row) */
    size_t n_used;
    bool *heard; /* (n_story): the subject has responses */
    bt_random_options random;
};

/* Collective. Finds the columns and this rank's share, then fills `values`. */
bt_status bt_targets_read_brain(const bt_targets_options *options, const bt_comm *comm,
                                bt_targets *targets) BT_MUST_CHECK;
bt_status bt_targets_read_file(const bt_targets_options *options, const bt_comm *comm,
                               bt_targets *targets) BT_MUST_CHECK;

/* Draws the sources of all stories; rows that get none are not used. The draw of a story depends on the seed, the
 * story's name and the epoch only. */
bt_status bt_targets_draw(bt_targets *targets, size_t epoch) BT_MUST_CHECK;

/* position (n): where each of n blocks goes, at least `apart` places away; apart <= n / 2, so that there is a way. */
bt_status bt_place_blocks(bt_random *random, size_t n, size_t apart, size_t *position) BT_MUST_CHECK;

/* values (n_row, n_mine) zeroed, of this rank's bt_partition of n_column columns. This rank alone. */
bt_status bt_targets_share(bt_targets *targets, size_t n_column, const bt_comm *comm) BT_MUST_CHECK;

#endif
