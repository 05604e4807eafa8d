#include "tuning/targets.h"

#include "base/memory.h"
#include "tuning/targets_parts.h"

#include <assert.h>
#include <string.h>

bt_status bt_targets_share(bt_targets *targets, size_t n_column, const bt_comm *comm)
{
    bt_status status = BT_OK;
    targets->n_column = n_column;
    targets->mine = bt_partition((size_t)bt_comm_rank(comm), (size_t)bt_comm_size(comm), n_column);
    BT_ALLOC(targets->values, bt_rows_count(targets->rows) * (targets->mine.high - targets->mine.low));
cleanup:
    return status;
}

/* Every row of a story that the subject heard predicts itself. */
static bt_status prepare(const bt_targets_options *options, bt_targets *targets)
{
    bt_status status = BT_OK;
    const size_t n_row = bt_rows_count(options->rows), n_story = bt_rows_stories(options->rows);
    targets->kind = options->kind;
    targets->rows = options->rows;
    targets->random = options->random;
    BT_ALLOC(targets->source, n_row);
    BT_ALLOC(targets->used, n_row);
    BT_ALLOC(targets->heard, n_story);
    for (size_t s = 0; s < n_story; ++s) {
        const bt_rows_story story = bt_rows_story_at(options->rows, s);
        targets->heard[s] = options->kind == BT_TARGETS_FILE || bt_rows_has(options->rows, options->subject, s);
        for (size_t row = story.first_row; row < story.first_row + story.n_row; ++row) {
            targets->source[row] = row;
            targets->used[row] = targets->heard[s];
        }
    }
cleanup:
    return status;
}

bt_status bt_targets_create(const bt_targets_options *options, const bt_comm *comm, bt_targets **out)
{
    bt_status status = BT_OK;
    bt_targets *targets = bt_calloc(1, sizeof *targets);
    *out = NULL;
    BT_TRY(bt_agree(comm, targets ? prepare(options, targets) : BT_ERR_MEMORY));
    BT_TRY(options->kind == BT_TARGETS_FILE ? bt_targets_read_file(options, comm, targets)
                                            : bt_targets_read_brain(options, comm, targets));
    if (options->kind == BT_TARGETS_RANDOM) BT_TRY(bt_agree(comm, bt_targets_draw(targets, 0)));
    for (size_t row = 0; row < bt_rows_count(targets->rows); ++row) targets->n_used += targets->used[row];
    *out = targets;
    targets = NULL;
cleanup:
    bt_targets_destroy(&targets);
    return status;
}

void bt_targets_destroy(bt_targets **targets)
{
    bt_targets *const old = *targets;
    if (!old) return;
    bt_free(old->values);
    bt_free(old->source);
    bt_free(old->used);
    bt_free(old->heard);
    bt_free(old);
    *targets = NULL;
}

size_t bt_targets_columns(const bt_targets *targets)
{
    return targets->n_column;
}

bt_range bt_targets_range(const bt_targets *targets)
{
    return targets->mine;
}

size_t bt_targets_used(const bt_targets *targets)
{
    return targets->n_used;
}

const bool *bt_targets_used_rows(const bt_targets *targets)
{
    return targets->used;
}

size_t bt_targets_source(const bt_targets *targets, size_t row)
{
    return targets->source[row];
}

bt_status bt_targets_epoch(bt_targets *targets, size_t epoch)
{
    if (targets->kind != BT_TARGETS_RANDOM || targets->random.draw == BT_DRAW_ONCE) return BT_OK;
    return bt_targets_draw(targets, epoch);
}

void bt_targets_read(const bt_targets *targets, const size_t *rows, size_t n, float *out)
{
    const size_t width = targets->mine.high - targets->mine.low;
    for (size_t i = 0; i < n && width > 0; ++i) {
        assert(targets->used[rows[i]]);
        memcpy(out + i * width, targets->values + targets->source[rows[i]] * width, width * sizeof *out);
    }
}

double bt_targets_bytes(const bt_rows *rows, size_t n_column, int n_rank)
{
    const bt_range widest = bt_partition(0, (size_t)n_rank, n_column);
    return (double)bt_rows_count(rows) *
           ((double)(widest.high - widest.low) * sizeof(float) + sizeof(size_t) + sizeof(bool));
}

bt_status bt_targets_record(const bt_targets_options *options, const char *prefix, const char *store, bt_recipe *recipe)
{
    bt_status status = BT_OK;
    bt_text key = {0};
    char *path = NULL;
    if (options->kind == BT_TARGETS_FILE) return bt_recipe_input(recipe, prefix, options->file, store);
    for (size_t s = 0; s < bt_rows_stories(options->rows); ++s) {
        const char *const story = bt_rows_story_at(options->rows, s).name;
        if (!bt_rows_has(options->rows, options->subject, s)) continue;
        bt_free(path);
        bt_text_clear(&key);
        path = bt_dataset_responses_path(bt_rows_dataset(options->rows), options->subject, story);
        BT_CHECK(path, BT_ERR_MEMORY, "%s: out of memory", story);
        BT_TRY(bt_text_add(&key, "%s.%s", prefix, story));
        BT_TRY(bt_recipe_input(recipe, key.data, path, store));
    }
cleanup:
    bt_free(path);
    bt_text_clear(&key);
    return status;
}
