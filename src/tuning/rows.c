#include "tuning/rows.h"

#include "base/log.h"
#include "base/memory.h"
#include "stimulus/dataset_responses.h"
#include "stimulus/timing.h"

#include <assert.h>

typedef struct {
    size_t first_row, n_row, n_trigger;
    double *trigger, *time; /* (n_trigger) s */
    char *report;           /* path; NULL unless timing.source=trfile */
} story_facts;

struct bt_rows {
    char *key;
    const bt_dataset *dataset;
    bt_names names;
    story_facts *stories; /* (names.n) */
    size_t n_row, n_skipped;
};

/* Subjects that have responses to the story; says who has none, or fails there. */
static bt_status count_heard(const bt_rows_options *options, const char *story, size_t *n_heard, size_t *n_skipped)
{
    bt_status status = BT_OK;
    char *path = NULL;
    *n_heard = 0;
    for (size_t i = 0; i < options->subjects->n; ++i) {
        const char *const subject = options->subjects->items[i];
        if (bt_dataset_has_responses(options->dataset, subject, story)) {
            ++*n_heard;
            continue;
        }
        bt_free(path);
        path = bt_dataset_responses_path(options->dataset, subject, story);
        if (!path) return BT_ERR_MEMORY;
        BT_CHECK(options->skip_missing, BT_ERR_INPUT,
                 "%s: not there; subject %s has no responses to story %s of %s: leave the story out, or take "
                 "stories.missing=skip",
                 path, subject, story, options->key);
        bt_log_info("%s: subject %s has no responses to story %s; skipped", options->key, subject, story);
        ++*n_skipped;
    }
cleanup:
    bt_free(path);
    return status;
}

/* Each subject needs at least one of the stories. */
static bt_status check_subjects(const bt_rows_options *options, const bt_names *stories)
{
    bt_status status = BT_OK;
    bt_text wanted = {0};
    for (size_t i = 0; i < options->subjects->n; ++i) {
        const char *const subject = options->subjects->items[i];
        bool any = false;
        for (size_t s = 0; s < stories->n && !any; ++s)
            any = bt_dataset_has_responses(options->dataset, subject, stories->items[s]);
        if (any) continue;
        BT_TRY(bt_names_join(stories, &wanted));
        status = bt_fail(BT_ERR_INPUT,
                         "%s: subject %s has responses to none of the stories of %s (%s); name one that it heard, or "
                         "leave the subject out",
                         bt_dataset_root(options->dataset), subject, options->key, wanted.data ? wanted.data : "");
        goto cleanup;
    }
cleanup:
    bt_text_clear(&wanted);
    return status;
}

static bt_status choose_stories(const bt_rows_options *options, bt_rows *rows)
{
    bt_status status = BT_OK;
    bt_names all = {0};
    for (size_t i = 0; i < options->subjects->n; ++i)
        BT_TRY(bt_dataset_check_subject(options->dataset, options->subjects->items[i]));
    status = bt_stories_resolve(options->dataset, options->list, &all);
    if (status != BT_OK) BT_TRY(bt_fail_prefix(status, "%s", options->key));
    for (size_t s = 0; s < all.n; ++s) {
        size_t n_heard = 0;
        BT_TRY(count_heard(options, all.items[s], &n_heard, &rows->n_skipped));
        if (n_heard > 0 || options->subjects->n == 0) BT_TRY(bt_names_add(&rows->names, all.items[s]));
    }
    BT_TRY(check_subjects(options, &all));
cleanup:
    bt_names_clear(&all);
    return status;
}

static bt_status time_story(const bt_rows_options *options, const char *name, story_facts *story)
{
    bt_status status = BT_OK;
    bt_timing start = *options->timing;
    size_t scanner_trs = 0, n = 0;
    start.at = BT_TIMES_START;
    BT_TRY(bt_dataset_scanner_trs(options->dataset, name, &scanner_trs));
    BT_TRY(bt_story_times(options->dataset, name, &start, &story->trigger, &story->n_trigger));
    BT_TRY(bt_story_times(options->dataset, name, options->timing, &story->time, &n));
    story->n_row = bt_dataset_stored_rows(scanner_trs);
    if (options->timing->source == BT_TIMES_TRFILE) {
        story->report = bt_story_report_path(options->timing, name);
        if (!story->report) status = BT_ERR_MEMORY;
    }
    assert(n == story->n_trigger && story->n_row + BT_TRIM_START + BT_TRIM_END == n);
cleanup:
    return status;
}

bt_status bt_rows_create(const bt_rows_options *options, bt_rows **out)
{
    bt_status status = BT_OK;
    bt_rows *rows = NULL;
    *out = NULL;
    BT_ALLOC(rows, 1);
    rows->dataset = options->dataset;
    rows->key = bt_strdup(options->key);
    BT_CHECK(rows->key, BT_ERR_MEMORY, "%s: out of memory", options->key);
    BT_TRY(choose_stories(options, rows));
    BT_ALLOC(rows->stories, rows->names.n);
    for (size_t s = 0; s < rows->names.n; ++s) {
        rows->stories[s].first_row = rows->n_row;
        BT_TRY(time_story(options, rows->names.items[s], &rows->stories[s]));
        rows->n_row += rows->stories[s].n_row;
    }
    *out = rows;
    rows = NULL;
cleanup:
    bt_rows_destroy(&rows);
    return status;
}

void bt_rows_destroy(bt_rows **rows)
{
    bt_rows *const old = *rows;
    if (!old) return;
    for (size_t s = 0; old->stories && s < old->names.n; ++s) {
        bt_free(old->stories[s].trigger);
        bt_free(old->stories[s].time);
        bt_free(old->stories[s].report);
    }
    bt_free(old->stories);
    bt_names_clear(&old->names);
    bt_free(old->key);
    bt_free(old);
    *rows = NULL;
}

size_t bt_rows_count(const bt_rows *rows)
{
    return rows->n_row;
}

size_t bt_rows_stories(const bt_rows *rows)
{
    return rows->names.n;
}

bt_rows_story bt_rows_story_at(const bt_rows *rows, size_t story)
{
    assert(story < rows->names.n);
    const story_facts *const facts = &rows->stories[story];
    return (bt_rows_story){.name = rows->names.items[story],
                           .first_row = facts->first_row,
                           .n_row = facts->n_row,
                           .n_trigger = facts->n_trigger,
                           .trigger = facts->trigger,
                           .time = facts->time,
                           .tr = (facts->trigger[facts->n_trigger - 1] - facts->trigger[0]) /
                                 (double)(facts->n_trigger - 1)};
}

const bt_names *bt_rows_names(const bt_rows *rows)
{
    return &rows->names;
}

const bt_dataset *bt_rows_dataset(const bt_rows *rows)
{
    return rows->dataset;
}

const char *bt_rows_key(const bt_rows *rows)
{
    return rows->key;
}

size_t bt_rows_story_of(const bt_rows *rows, size_t row)
{
    size_t low = 0, high = rows->names.n;
    assert(row < rows->n_row);
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (rows->stories[middle].first_row <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

bool bt_rows_has(const bt_rows *rows, const char *subject, size_t story)
{
    return bt_dataset_has_responses(rows->dataset, subject, rows->names.items[story]);
}

size_t bt_rows_skipped(const bt_rows *rows)
{
    return rows->n_skipped;
}

bt_status bt_rows_check_apart(const bt_rows *a, const bt_rows *b)
{
    for (size_t s = 0; s < a->names.n; ++s)
        if (bt_names_have(&b->names, a->names.items[s]))
            return bt_fail(BT_ERR_USAGE, "%s, %s: story %s is in both; a story that validates must not train", a->key,
                           b->key, a->names.items[s]);
    return BT_OK;
}

bt_status bt_rows_describe(const bt_rows *rows, bt_text *out)
{
    bt_status status = BT_OK;
    for (size_t s = 0; s < rows->names.n; ++s)
        BT_TRY(bt_text_add(out, "%s%s of %zu rows", s ? ", " : "", rows->names.items[s], rows->stories[s].n_row));
cleanup:
    return status;
}

/* An input NAME.STORY by the content of the file at `path`, which is freed. */
static bt_status record_file(bt_recipe *recipe, const char *name, const char *story, char *path, const char *store)
{
    bt_status status = BT_OK;
    bt_text key = {0};
    BT_CHECK(path, BT_ERR_MEMORY, "%s: out of memory", story);
    BT_TRY(bt_text_add(&key, "%s.%s", name, story));
    BT_TRY(bt_recipe_input(recipe, key.data, path, store));
cleanup:
    bt_text_clear(&key);
    bt_free(path);
    return status;
}

bt_status bt_rows_record(const bt_rows *rows, const char *store, bt_recipe *recipe)
{
    bt_status status = BT_OK;
    bt_text names = {0}, key = {0}, counts = {0};
    for (size_t s = 0; s < rows->names.n; ++s) {
        const char *const story = rows->names.items[s];
        const char *const report = rows->stories[s].report;
        BT_TRY(bt_text_add(&counts, "%s%zu", s ? "," : "", rows->stories[s].n_trigger));
        BT_TRY(record_file(recipe, "audio", story, bt_dataset_audio_path(rows->dataset, story), store));
        if (report) BT_TRY(record_file(recipe, "report", story, bt_strdup(report), store));
    }
    BT_TRY(bt_names_join(&rows->names, &names));
    BT_TRY(bt_text_add(&key, "%s.n_tr", rows->key));
    BT_TRY(bt_recipe_setting(recipe, rows->key, names.data));
    BT_TRY(bt_recipe_setting(recipe, key.data, counts.data));
cleanup:
    bt_text_clear(&names);
    bt_text_clear(&key);
    bt_text_clear(&counts);
    return status;
}
