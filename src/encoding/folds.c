#include "encoding/folds.h"

#include "base/memory.h"
#include "base/random.h"
#include "dist/partition.h"
#include "io/array.h"

#include <math.h>
#include <string.h>

static const char *scheme_key(const bt_cv_options *options)
{
    return options->outer ? "cv.outer" : options->removal ? "remove.cv" : "cv.scheme";
}

static const char *count_key(const bt_cv_options *options)
{
    return options->outer ? "cv.outer.n" : options->removal ? "remove.cv.n_fold" : "cv.n_fold";
}

static bt_status make_room(bt_folds *folds, size_t n_split, size_t n_row)
{
    bt_status status = BT_OK;
    BT_ALLOC(folds->role, n_split * n_row);
    folds->n_split = n_split;
    folds->n_row = n_row;
cleanup:
    return status;
}

static bt_status fold_stories(const bt_cv_options *options, const bt_story_rows *rows, bt_folds *folds)
{
    bt_status status = BT_OK;
    const size_t n_row = bt_story_rows_count(rows);
    const size_t n_fold = rows->n_story < options->n_fold ? rows->n_story : options->n_fold;
    BT_CHECK(n_fold >= 2, BT_ERR_USAGE,
             "%s=stories: expected at least 2 stories and %s of 2 or more, found %zu %s and %s=%zu, which would hold "
             "out everything; give more stories, stories=, or %s=chunks",
             scheme_key(options), count_key(options), rows->n_story, rows->n_story == 1 ? "story" : "stories",
             count_key(options), options->n_fold, scheme_key(options));
    BT_TRY(make_room(folds, n_fold, n_row));
    for (size_t k = 0; k < n_fold; ++k) {
        const bt_range held = bt_partition(k, n_fold, rows->n_story);
        memset(folds->role + k * n_row + rows->start[held.low], 1, rows->start[held.high] - rows->start[held.low]);
    }
cleanup:
    return status;
}

static bt_status fold_chunks(const bt_cv_options *options, size_t n_row, bt_folds *folds)
{
    bt_status status = BT_OK;
    size_t *order = NULL;
    const size_t n_chunk = n_row / options->chunk;
    const size_t n_held = (size_t)floor(options->held_out * (double)n_row / (double)options->chunk);
    BT_CHECK(n_held > 0, BT_ERR_USAGE,
             "cv.chunk=%zu, cv.held_out=%g: %zu rows hold out no whole chunk; take a smaller cv.chunk or a larger "
             "cv.held_out",
             options->chunk, options->held_out, n_row);
    BT_CHECK(n_held <= n_chunk && n_held * options->chunk < n_row, BT_ERR_USAGE,
             "cv.chunk=%zu, cv.held_out=%g: all %zu rows would be held out; take a smaller cv.held_out", options->chunk,
             options->held_out, n_row);
    BT_TRY(make_room(folds, options->n_repeat, n_row));
    BT_ALLOC(order, n_chunk);
    for (size_t k = 0; k < options->n_repeat; ++k) {
        bt_random random =
            bt_random_start(options->seed, bt_random_stream(options->outer ? "cv.outer" : "cv.chunks", k));
        bt_random_permutation(&random, n_chunk, order);
        for (size_t c = 0; c < n_held; ++c)
            memset(folds->role + k * n_row + order[c] * options->chunk, 1, options->chunk);
    }
cleanup:
    bt_free(order);
    return status;
}

static bt_status fold_blocks(const bt_cv_options *options, size_t n_row, bt_folds *folds)
{
    bt_status status = BT_OK;
    BT_CHECK(options->n_fold >= 2 && options->n_fold <= n_row, BT_ERR_USAGE,
             "%s: expected 2 to %zu (the rows), found %zu; one fold would hold out everything", count_key(options),
             n_row, options->n_fold);
    BT_TRY(make_room(folds, options->n_fold, n_row));
    for (size_t k = 0; k < options->n_fold; ++k) {
        const bt_range held = bt_partition(k, options->n_fold, n_row);
        memset(folds->role + k * n_row + held.low, 1, held.high - held.low);
    }
cleanup:
    return status;
}

/* One split per distinct id, ascending; negative ids always train. */
static bt_status fold_ids(const char *file, const double *id, size_t n_row, bt_folds *folds)
{
    bt_status status = BT_OK;
    double *distinct = NULL;
    size_t n = 0;
    for (size_t i = 0; i < n_row; ++i)
        BT_CHECK(isfinite(id[i]), BT_ERR_INPUT,
                 "%s: row %zu: expected a fold id, or one below 0 for a row that always trains; found %g", file, i,
                 id[i]);
    BT_ALLOC(distinct, n_row);
    for (double last = -1;; last = distinct[n++]) {
        double next = INFINITY;
        for (size_t i = 0; i < n_row; ++i)
            if (id[i] > last && id[i] >= 0 && id[i] < next) next = id[i];
        if (isinf(next)) break;
        distinct[n] = next;
    }
    BT_TRY(make_room(folds, n, n_row));
    for (size_t k = 0; k < n; ++k)
        for (size_t i = 0; i < n_row; ++i) folds->role[k * n_row + i] = id[i] == distinct[k];
cleanup:
    bt_free(distinct);
    return status;
}

static bt_status fold_masks(const char *file, const double *mask, size_t n_split, size_t n_row, bt_folds *folds)
{
    bt_status status = BT_OK;
    BT_TRY(make_room(folds, n_split, n_row));
    for (size_t i = 0; i < n_split * n_row; ++i) {
        BT_CHECK(mask[i] == 0 || mask[i] == 1, BT_ERR_INPUT,
                 "%s: split %zu, row %zu: expected 0 (trains) or 1 (held out), found %g", file, i / n_row, i % n_row,
                 mask[i]);
        folds->role[i] = mask[i] == 1;
    }
cleanup:
    return status;
}

static bt_status fold_file(const bt_cv_options *options, size_t n_row, bt_folds *folds)
{
    bt_status status = BT_OK;
    double *values = NULL;
    int rank = 0;
    size_t shape[BT_ARRAY_RANK] = {0};
    BT_CHECK(options->file, BT_ERR_USAGE, "cv.folds: expected a file with cv.scheme=given, found nothing");
    BT_TRY(bt_array_read_all(options->file, &rank, shape, &values));
    BT_CHECK(rank == 1 || rank == 2, BT_ERR_INPUT,
             "%s: cv.folds: expected a fold id per row or a (n_split, n_row) mask, found %d dimensions", options->file,
             rank);
    BT_CHECK(shape[rank - 1] == n_row, BT_ERR_INPUT, "%s: cv.folds: expected %zu rows as the responses, found %zu",
             options->file, n_row, shape[rank - 1]);
    if (rank == 1)
        BT_TRY(fold_ids(options->file, values, n_row, folds));
    else
        BT_TRY(fold_masks(options->file, values, shape[0], n_row, folds));
    BT_CHECK(folds->n_split > 0, BT_ERR_INPUT, "%s: cv.folds: expected at least one split, found none", options->file);
    for (size_t k = 0; k < folds->n_split; ++k) {
        const size_t held = bt_folds_count(folds, k, BT_ROW_VALIDATES);
        BT_CHECK(held > 0 && held < n_row, BT_ERR_INPUT,
                 "%s: cv.folds: split %zu holds out %s (%zu of %zu rows); a split needs rows to train and to validate",
                 options->file, k, held ? "everything" : "nothing", held, n_row);
    }
cleanup:
    bt_free(values);
    return status;
}

bt_status bt_folds_create(const bt_cv_options *options, const bt_story_rows *rows, bt_folds *out)
{
    bt_status status = BT_OK;
    const size_t n_row = bt_story_rows_count(rows);
    *out = (bt_folds){0};
    switch (options->scheme) {
    case BT_CV_STORIES: BT_TRY(fold_stories(options, rows, out)); break;
    case BT_CV_CHUNKS: BT_TRY(fold_chunks(options, n_row, out)); break;
    case BT_CV_KFOLD: BT_TRY(fold_blocks(options, n_row, out)); break;
    case BT_CV_GIVEN: BT_TRY(fold_file(options, n_row, out)); break;
    }
cleanup:
    if (status != BT_OK) bt_folds_clear(out);
    return status;
}

/* ---- within what an outer fold leaves ---- */

/* The stories of the rows that are left. */
static bt_status stories_left(const bt_story_rows *rows, const uint8_t *away, bt_story_rows *left)
{
    bt_status status = BT_OK;
    size_t *length = NULL, n = 0;
    BT_ALLOC(length, rows->n_story);
    for (size_t s = 0; s < rows->n_story; ++s) {
        for (size_t i = rows->start[s]; i < rows->start[s + 1]; ++i) length[n] += away[i] == 0;
        n += length[n] > 0;
    }
    BT_TRY(bt_story_rows_create(n, length, left));
cleanup:
    bt_free(length);
    return status;
}

/* Splits of the rows that are left, on all rows. */
static bt_status spread(const bt_folds *part, const uint8_t *away, size_t n_row, bt_folds *out)
{
    bt_status status = BT_OK;
    BT_TRY(make_room(out, part->n_split, n_row));
    for (size_t k = 0; k < part->n_split; ++k) {
        const uint8_t *from = part->role + k * part->n_row;
        for (size_t i = 0; i < n_row; ++i) out->role[k * n_row + i] = away[i] ? BT_ROW_AWAY : *from++;
    }
cleanup:
    return status;
}

/* Splits of a file, which are of all rows. */
static bt_status restrict_to(const char *file, const uint8_t *away, bt_folds *folds)
{
    size_t n = 0;
    const size_t n_row = folds->n_row;
    for (size_t k = 0; k < folds->n_split; ++k) {
        uint8_t *const role = folds->role + n * n_row;
        memmove(role, folds->role + k * n_row, n_row);
        for (size_t i = 0; i < n_row; ++i)
            if (away[i]) role[i] = BT_ROW_AWAY;
        n += bt_folds_count(folds, n, BT_ROW_TRAINS) > 0 && bt_folds_count(folds, n, BT_ROW_VALIDATES) > 0;
    }
    folds->n_split = n;
    if (n > 0) return BT_OK;
    return bt_fail(BT_ERR_INPUT,
                   "%s: cv.folds: no split has rows to train and to validate beside those of an outer fold", file);
}

bt_status bt_folds_create_within(const bt_cv_options *options, const bt_story_rows *rows, const uint8_t *away,
                                 bt_folds *out)
{
    bt_status status = BT_OK;
    bt_story_rows left = {0};
    bt_folds part = {0};
    *out = (bt_folds){0};
    if (options->scheme == BT_CV_GIVEN) {
        BT_TRY(bt_folds_create(options, rows, out));
        BT_TRY(restrict_to(options->file, away, out));
        goto cleanup;
    }
    BT_TRY(stories_left(rows, away, &left));
    BT_TRY(bt_folds_create(options, &left, &part));
    BT_TRY(spread(&part, away, bt_story_rows_count(rows), out));
cleanup:
    bt_folds_clear(&part);
    bt_story_rows_clear(&left);
    if (status != BT_OK) bt_folds_clear(out);
    return status;
}

void bt_folds_clear(bt_folds *folds)
{
    bt_free(folds->role);
    *folds = (bt_folds){0};
}

size_t bt_folds_count(const bt_folds *folds, size_t split, uint8_t role)
{
    size_t n = 0;
    for (size_t i = 0; i < folds->n_row; ++i) n += folds->role[split * folds->n_row + i] == role;
    return n;
}

void bt_folds_rows(const bt_folds *folds, size_t split, size_t *train, size_t *validate)
{
    const uint8_t *const role = folds->role + split * folds->n_row;
    for (size_t i = 0; i < folds->n_row; ++i) {
        if (role[i] == BT_ROW_TRAINS) *train++ = i;
        if (role[i] == BT_ROW_VALIDATES) *validate++ = i;
    }
}
