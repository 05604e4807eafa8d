#include "stimulus/story_rows.h"

#include "base/memory.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

bt_status bt_story_rows_create(size_t n_story, const size_t *length, bt_story_rows *out)
{
    bt_status status = BT_OK;
    *out = (bt_story_rows){0};
    BT_ALLOC(out->start, n_story + 1);
    out->n_story = n_story;
    for (size_t s = 0; s < n_story; ++s) out->start[s + 1] = out->start[s] + length[s];
cleanup:
    return status;
}

/* Whether an id that begins at `row` was already used before. */
static bool used_before(const double *id, size_t row)
{
    for (size_t i = 0; i + 1 < row; ++i)
        if (id[i] == id[row]) return true;
    return false;
}

bt_status bt_story_rows_from_ids(const char *name, const double *id, size_t n_row, bt_story_rows *out)
{
    bt_status status = BT_OK;
    size_t n_story = 0;
    *out = (bt_story_rows){0};
    BT_CHECK(n_row > 0, BT_ERR_INPUT, "%s: expected a story id per row, found no rows", name);
    BT_ALLOC(out->start, n_row + 1);
    for (size_t i = 0; i < n_row; ++i) {
        if (i > 0 && id[i] == id[i - 1]) continue;
        BT_CHECK(isfinite(id[i]), BT_ERR_INPUT, "%s: row %zu: expected a story id, found %g", name, i, id[i]);
        BT_CHECK(!used_before(id, i), BT_ERR_INPUT,
                 "%s: story %g comes back at row %zu; expected the rows of a story to lie together", name, id[i], i);
        out->start[n_story++] = i;
    }
    out->start[n_story] = n_row;
    out->n_story = n_story;
cleanup:
    if (status != BT_OK) bt_story_rows_clear(out);
    return status;
}

bt_status bt_story_rows_copy(const bt_story_rows *from, size_t drop, bt_story_rows *out)
{
    bt_status status = BT_OK;
    *out = (bt_story_rows){0};
    BT_ALLOC(out->start, from->n_story + 1);
    out->n_story = from->n_story;
    for (size_t s = 0; s <= from->n_story; ++s) out->start[s] = from->start[s] - s * drop;
cleanup:
    return status;
}

void bt_story_rows_clear(bt_story_rows *rows)
{
    bt_free(rows->start);
    *rows = (bt_story_rows){0};
}

size_t bt_story_rows_count(const bt_story_rows *rows)
{
    return rows->n_story ? rows->start[rows->n_story] : 0;
}

size_t bt_kept_rows(const bt_story_rows *rows, size_t drop)
{
    size_t n = 0;
    for (size_t s = 0; s < rows->n_story; ++s) {
        const size_t length = rows->start[s + 1] - rows->start[s];
        n += length > drop ? length - drop : 0;
    }
    return n;
}

void bt_drop_rows(const bt_story_rows *rows, size_t drop, float *values, size_t n_voxel)
{
    size_t kept = 0;
    for (size_t s = 0; s < rows->n_story; ++s)
        for (size_t i = rows->start[s] + drop; i < rows->start[s + 1]; ++i, ++kept)
            if (kept != i) memmove(values + kept * n_voxel, values + i * n_voxel, n_voxel * sizeof *values);
}
