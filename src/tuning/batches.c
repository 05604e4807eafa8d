#include "tuning/batches.h"

#include "base/memory.h"
#include "base/random.h"

#include <assert.h>

struct bt_batches {
    bt_batches_options options;
    size_t n_used, n_batch;
    size_t *used;  /* (n_used) rows, in order of time */
    size_t *rows;  /* (n_used) in the order of this epoch */
    size_t *order; /* (n_used) */
    size_t *start; /* (n_batch + 1): batch i is rows[start[i] .. start[i + 1]) */
};

/* Batches of [low, high), from batch `n` on. */
static size_t cut(bt_batches *batches, size_t low, size_t high, size_t n)
{
    for (; low < high; low += batches->options.size) batches->start[n++] = low;
    batches->start[n] = high;
    return n;
}

static void cut_all(bt_batches *batches, const bt_rows *rows)
{
    if (batches->options.order == BT_BATCHES_SHUFFLED) {
        batches->n_batch = cut(batches, 0, batches->n_used, 0);
        return;
    }
    size_t low = 0;
    for (size_t s = 0; s < bt_rows_stories(rows); ++s) {
        const bt_rows_story story = bt_rows_story_at(rows, s);
        size_t high = low;
        while (high < batches->n_used && batches->used[high] < story.first_row + story.n_row) ++high;
        batches->n_batch = cut(batches, low, high, batches->n_batch);
        low = high;
    }
}

bt_status bt_batches_create(const bt_rows *rows, const bool *used, const bt_batches_options *options, bt_batches **out)
{
    bt_status status = BT_OK;
    bt_batches *batches = NULL;
    const size_t n_row = bt_rows_count(rows);
    *out = NULL;
    assert(options->size > 0);
    BT_ALLOC(batches, 1);
    batches->options = *options;
    BT_ALLOC(batches->used, n_row);
    BT_ALLOC(batches->rows, n_row);
    BT_ALLOC(batches->order, n_row);
    BT_ALLOC(batches->start, n_row + 1);
    for (size_t row = 0; row < n_row; ++row)
        if (!used || used[row]) batches->used[batches->n_used++] = row;
    BT_CHECK(batches->n_used > 0, BT_ERR_INPUT, "%s: none of its %zu rows has a target", bt_rows_key(rows), n_row);
    cut_all(batches, rows);
    bt_batches_epoch(batches, 0);
    *out = batches;
    batches = NULL;
cleanup:
    bt_batches_destroy(&batches);
    return status;
}

void bt_batches_destroy(bt_batches **batches)
{
    bt_batches *const old = *batches;
    if (!old) return;
    bt_free(old->used);
    bt_free(old->rows);
    bt_free(old->order);
    bt_free(old->start);
    bt_free(old);
    *batches = NULL;
}

size_t bt_batches_count(const bt_batches *batches)
{
    return batches->n_batch;
}

void bt_batches_epoch(bt_batches *batches, size_t epoch)
{
    const size_t n = batches->n_used;
    if (batches->options.order == BT_BATCHES_SHUFFLED) {
        bt_random random = bt_random_start(batches->options.seed, bt_random_stream("batches", epoch));
        bt_random_permutation(&random, n, batches->order);
    } else {
        for (size_t i = 0; i < n; ++i) batches->order[i] = i;
    }
    for (size_t i = 0; i < n; ++i) batches->rows[i] = batches->used[batches->order[i]];
}

const size_t *bt_batches_rows(const bt_batches *batches, size_t i, size_t *n)
{
    assert(i < batches->n_batch);
    *n = batches->start[i + 1] - batches->start[i];
    return batches->rows + batches->start[i];
}
