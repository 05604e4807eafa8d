/* Other orders of test rows, for the null of a test correlation: what the draws of a permutation test move.
 *
 * Rows move within their story only. BLOCKS: a story's rows are cut into blocks of `block` rows, the last one shorter
 * where it must be, and these change places without replacement; all of them, so that no row stays by construction.
 * SHIFTS: a story is turned, row i to row (i + s) mod n, each story by its own s. All s count: without the small ones
 * the orders would be no group, and the test would be wrong (6 false positives in place of 5 where rows are alike).
 *
 * The order in which everything stays in place is never drawn: it is the observation, which p = (b + 1) / (n + 1)
 * counts already. Where there are few other orders (at most 64 times the draws) they are drawn without replacement, so
 * that no order counts twice; where there are no more than the draws, each is taken once. What is drawn depends on the
 * seed and on the stories' lengths only. */
#ifndef BT_ENCODING_ARRANGEMENTS_H
#define BT_ENCODING_ARRANGEMENTS_H

#include "base/status.h"
#include "stimulus/story_rows.h"

#include <stdint.h>

typedef enum { BT_PERMUTE_NONE, BT_PERMUTE_BLOCKS, BT_PERMUTE_SHIFTS } bt_permute;

typedef struct {
    bt_permute kind;
    size_t block; /* rows, of blocks */
    size_t draws;
    uint64_t seed;
} bt_permute_options;

/* Rows [from, from + n) of one array that come to lie at [to, to + n). */
typedef struct {
    size_t from, to, n;
} bt_move;

/* One story's. A draw is a list of moves that cover the story; different draws share most of theirs. */
typedef struct {
    size_t n_move, n_piece; /* moves there are, and of a draw */
    bt_move *move;          /* (n_move) */
    uint32_t *draw;         /* (n_draw, n_piece) indices of moves */
} bt_story_moves;

typedef struct {
    size_t n_story, n_draw;
    double n_other; /* orders there are, without the one in place */
    bt_story_moves *story;
} bt_arrangements;

/* Errors: BT_ERR_USAGE naming significance.block when no story can be moved. */
bt_status bt_arrangements_create(const bt_permute_options *options, const bt_story_rows *rows,
                                 bt_arrangements *out) BT_MUST_CHECK;
void bt_arrangements_clear(bt_arrangements *arrangements);

#endif
