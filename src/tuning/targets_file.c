/* Vectors of a file: rows as they are, or word-timed ones brought to the TR times. */
#include "base/fault.h"
#include "base/memory.h"
#include "io/array.h"
#include "io/hdf5.h"
#include "stimulus/timing.h"
#include "stimulus/zscore.h"
#include "tuning/targets_parts.h"

#include <math.h>
#include <stdio.h>

enum { COLUMNS_AT_A_TIME = 256 };

/* One story of the file on its way into the targets. */
typedef struct {
    const bt_targets_options *options;
    const bt_comm *comm;
    bt_targets *targets;
    bt_rows_story story;
    bt_array *array; /* /STORY/rows or /STORY/vectors */
    bool timed;      /* the latter */
    double *times;   /* (n_in) s */
    size_t n_in;     /* rows in the file */
    float *in;       /* (n_in, n_mine) */
    double *block;   /* (n_in, COLUMNS_AT_A_TIME) */
    double *at_trs;  /* (n_trigger, COLUMNS_AT_A_TIME) */
} reading;

static void clear(reading *r)
{
    bt_array_close(&r->array);
    bt_free(r->times);
    bt_free(r->in);
    bt_free(r->block);
    bt_free(r->at_trs);
}

/* "FILE:/STORY/NAME", a new string. */
static char *spec_of(const reading *r, const char *name)
{
    bt_text spec = {0};
    if (bt_text_add(&spec, "%s:/%s/%s", r->options->file, r->story.name, name) != BT_OK) bt_text_clear(&spec);
    return spec.data;
}

/* Which of the two forms the story has; this rank alone. */
static bt_status find_form(const bt_h5 *file, reading *r)
{
    bt_status status = BT_OK;
    bt_names stories = {0};
    const char *const story = r->story.name, *nearest = NULL;
    char path[512];
    BT_TRY(bt_h5_list(file, "/", &stories));
    if (!bt_names_have(&stories, story)) nearest = bt_nearest(story, (const char *const *)stories.items, stories.n);
    BT_CHECK(
        bt_names_have(&stories, story), BT_ERR_INPUT,
        "%s: no group /%s among its %zu, but %s names that story%s%s%s; add it to the file, or leave the story out",
        r->options->file, story, stories.n, bt_rows_key(r->options->rows), nearest ? " (is it '" : "",
        nearest ? nearest : "", nearest ? "'?)" : "");
    (void)snprintf(path, sizeof path, "/%s/vectors", story);
    r->timed = bt_h5_has(file, path);
    (void)snprintf(path, sizeof path, "/%s/rows", story);
    BT_CHECK(r->timed != bt_h5_has(file, path), BT_ERR_INPUT,
             "%s: /%s: expected either rows (n_tr, d) or vectors (n_word, d) with times (n_word), found %s",
             r->options->file, story, r->timed ? "both" : "neither");
cleanup:
    bt_names_clear(&stories);
    return status;
}

static bt_status check_shape(const reading *r)
{
    bt_status status = BT_OK;
    const char *const name = bt_array_spec(r->array);
    const size_t n_column = bt_array_extent(r->array, 1);
    BT_CHECK(bt_array_rank(r->array) == 2 && n_column > 0 && r->n_in > 0, BT_ERR_INPUT,
             "%s: expected (%s, d), found %d dimensions or none of length above 0", name, r->timed ? "n_word" : "n_tr",
             bt_array_rank(r->array));
    BT_CHECK(r->timed || r->n_in == r->story.n_row, BT_ERR_INPUT,
             "%s: story %s: expected %zu rows, the scanner TRs of %s/derivative/respdict.json minus 20, found %zu",
             name, r->story.name, r->story.n_row, bt_dataset_root(bt_rows_dataset(r->options->rows)), r->n_in);
    BT_CHECK(!r->targets->values || n_column == r->targets->n_column, BT_ERR_INPUT,
             "%s: story %s: expected %zu columns as in the stories before it, found %zu", name, r->story.name,
             r->targets->n_column, n_column);
cleanup:
    return status;
}

/* Seconds that ascend and reach the TR times. */
static bt_status check_times(const reading *r, const char *name)
{
    bt_status status = BT_OK;
    const double first = r->story.time[0], last = r->story.time[r->story.n_trigger - 1];
    for (size_t i = 0; i < r->n_in; ++i) {
        BT_CHECK(isfinite(r->times[i]), BT_ERR_INPUT, "%s: entry %zu: expected a time in seconds, found %g", name, i,
                 r->times[i]);
        BT_CHECK(i == 0 || r->times[i] >= r->times[i - 1], BT_ERR_INPUT,
                 "%s: entry %zu: expected times that ascend, found %g s behind %g s", name, i, r->times[i],
                 r->times[i - 1]);
    }
    BT_CHECK(r->times[0] <= last && r->times[r->n_in - 1] >= first, BT_ERR_INPUT,
             "%s: %g to %g s, but the volumes of story %s are from %g to %g s; expected seconds from the sound's start",
             name, r->times[0], r->times[r->n_in - 1], r->story.name, first, last);
cleanup:
    return status;
}

static bt_status read_times(reading *r)
{
    bt_status status = BT_OK;
    int rank = 0;
    size_t shape[BT_ARRAY_RANK] = {0};
    char *const spec = spec_of(r, "times");
    if (!spec) return BT_ERR_MEMORY;
    BT_TRY(bt_array_read_all(spec, &rank, shape, &r->times));
    BT_CHECK(rank == 1 && shape[0] == r->n_in, BT_ERR_INPUT, "%s: expected %zu times, one for each vector, found %zu%s",
             spec, r->n_in, shape[0], rank == 1 ? "" : " in more than one dimension");
    BT_TRY(check_times(r, spec));
cleanup:
    bt_free(spec);
    return status;
}

static bt_status allocate(reading *r)
{
    bt_status status = BT_OK;
    if (!r->targets->values) BT_TRY(bt_targets_share(r->targets, bt_array_extent(r->array, 1), r->comm));
    BT_ALLOC(r->in, r->n_in * (r->targets->mine.high - r->targets->mine.low));
    BT_ALLOC(r->block, r->n_in * COLUMNS_AT_A_TIME);
    BT_ALLOC(r->at_trs, r->story.n_trigger * COLUMNS_AT_A_TIME);
cleanup:
    return status;
}

/* My columns [low, low + n) to the rows of the story. */
static bt_status deliver(const reading *r, size_t low, size_t n)
{
    bt_status status = BT_OK;
    const size_t width = r->targets->mine.high - r->targets->mine.low;
    double *rows = r->block;
    for (size_t i = 0; i < r->n_in; ++i)
        for (size_t c = 0; c < n; ++c) {
            const double value = (double)r->in[i * width + low + c];
            BT_CHECK(isfinite(value), BT_ERR_INPUT, "%s: row %zu, column %zu: expected a finite number, found %g",
                     bt_array_spec(r->array), i, r->targets->mine.low + low + c, value);
            r->block[i * n + c] = value;
        }
    if (r->timed) {
        BT_TRY(bt_lanczos_resample(r->times, r->n_in, r->block, n, r->story.time, r->story.n_trigger, BT_LANCZOS_LOBES,
                                   r->at_trs));
        rows = r->at_trs + BT_TRIM_START * n;
    }
    if (r->options->zscore) bt_zscore(rows, r->story.n_row, n);
    for (size_t i = 0; i < r->story.n_row; ++i)
        for (size_t c = 0; c < n; ++c)
            r->targets->values[(r->story.first_row + i) * width + low + c] = (float)rows[i * n + c];
cleanup:
    return status;
}

static bt_status deliver_all(const reading *r)
{
    bt_status status = bt_fault_point("tune.targets");
    const size_t width = r->targets->mine.high - r->targets->mine.low;
    for (size_t low = 0; low < width && status == BT_OK; low += COLUMNS_AT_A_TIME)
        status = deliver(r, low, width - low < COLUMNS_AT_A_TIME ? width - low : COLUMNS_AT_A_TIME);
    return status;
}

/* Collective. */
static bt_status read_story(const bt_h5 *file, reading *r)
{
    bt_status status = BT_OK;
    char *spec = NULL;
    BT_TRY(bt_agree(r->comm, find_form(file, r)));
    spec = spec_of(r, r->timed ? "vectors" : "rows");
    BT_TRY(bt_agree(r->comm, spec ? BT_OK : BT_ERR_MEMORY));
    BT_TRY(bt_array_open(spec, r->comm, &r->array));
    r->n_in = bt_array_extent(r->array, 0);
    status = check_shape(r);
    if (status == BT_OK && r->timed) status = read_times(r);
    if (status == BT_OK) status = allocate(r);
    BT_TRY(bt_agree(r->comm, status));
    BT_TRY(bt_array_read_columns(r->array, r->comm, 0, r->in));
    BT_TRY(bt_agree(r->comm, deliver_all(r)));
cleanup:
    bt_free(spec);
    return status;
}

bt_status bt_targets_read_file(const bt_targets_options *options, const bt_comm *comm, bt_targets *targets)
{
    bt_status status = BT_OK;
    bt_h5 *file = NULL;
    BT_TRY(bt_h5_open(options->file, comm, &file));
    for (size_t s = 0; s < bt_rows_stories(options->rows); ++s) {
        reading r = {.options = options, .comm = comm, .targets = targets, .story = bt_rows_story_at(options->rows, s)};
        status = read_story(file, &r);
        clear(&r);
        if (status != BT_OK) goto cleanup;
    }
cleanup:
    bt_h5_abandon(&file);
    return status;
}
