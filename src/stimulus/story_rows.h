/* Rows of several stories one under another. */
#ifndef BT_STIMULUS_STORY_ROWS_H
#define BT_STIMULUS_STORY_ROWS_H

#include "base/status.h"

#include <stddef.h>

/* Story s has rows [start[s], start[s + 1]). */
typedef struct {
    size_t n_story;
    size_t *start; /* (n_story + 1), start[0] = 0 */
} bt_story_rows;

/* From the stories' lengths. Errors: BT_ERR_MEMORY. */
bt_status bt_story_rows_create(size_t n_story, const size_t *length, bt_story_rows *out) BT_MUST_CHECK;
/* From a story id per row; a story's rows lie together. Errors: BT_ERR_INPUT naming `name` and the row at which an id
 * comes back. */
bt_status bt_story_rows_from_ids(const char *name, const double *id, size_t n_row, bt_story_rows *out) BT_MUST_CHECK;
/* Without the first `drop` rows of each story, which must have more. */
bt_status bt_story_rows_copy(const bt_story_rows *from, size_t drop, bt_story_rows *out) BT_MUST_CHECK;
void bt_story_rows_clear(bt_story_rows *rows);
size_t bt_story_rows_count(const bt_story_rows *rows); /* of all stories */

/* Rows left when the first `drop` of every story go; and n_voxel columns of them moved up, in place. */
size_t bt_kept_rows(const bt_story_rows *rows, size_t drop);
void bt_drop_rows(const bt_story_rows *rows, size_t drop, float *values, size_t n_voxel);

#endif
