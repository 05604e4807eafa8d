#include "reporting/collect.h"

#include "base/log.h"
#include "base/memory.h"
#include "io/foreign.h"
#include "reporting/score_file.h"
#include "reporting/score_rows.h"
#include "reporting/table.h"
#include "reporting/table_head.h"
#include "reporting/voxel_file.h"
#include "store/publish.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    bt_names artefacts;
    char *experiment;
    double above;
} collect_options;

static const bt_setting settings[] = {
    {"artefacts", BT_SET_TEXTS, offsetof(collect_options, artefacts), BT_PATHS | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "score files, or folders that hold some; empty: the store"},
    {"experiment", BT_SET_TEXT, offsetof(collect_options, experiment), BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "name for the table's first column"},
    {"ceiling.keep_above", BT_SET_REAL, offsetof(collect_options, above), 0, "0.4", NULL, 0, 1, "correlation",
     "voxels whose cc_max is not above this are dropped, and counted"},
};

/* The rows of one artefact, as text, and what sorts them. */
typedef struct {
    char *key;
    bt_text rows;
} part;

typedef struct {
    const collect_options *options;
    const char *folder; /* results */
    char *table_path, *voxels;
    bt_table old; /* rows that may be taken over; empty when made under other settings */
    size_t n, capacity;
    part *parts;
    bt_names digests, definitions; /* of what was collected; "metric: words" that differ between score files */
    size_t n_taken_over;
    bool dry;             /* look, but read no maps and write nothing */
    bt_estimate estimate; /* of what was found */
} collection;

static void clear(collection *all)
{
    for (size_t i = 0; i < all->n; ++i) {
        bt_free(all->parts[i].key);
        bt_text_clear(&all->parts[i].rows);
    }
    bt_free(all->parts);
    bt_free(all->table_path);
    bt_free(all->voxels);
    bt_table_clear(&all->old);
    bt_names_clear(&all->digests);
    bt_names_clear(&all->definitions);
}

/* Keeps the old table only when it was made under the same settings, by its head. An unreadable one counts as none. */
static bt_status read_old(collection *all)
{
    bt_status status = BT_OK;
    bt_text identity = {0};
    if (!bt_path_exists(all->table_path)) return BT_OK;
    BT_TRY(bt_table_identity(all->options->experiment, all->options->above, &identity));
    if (bt_table_read(all->table_path, &all->old) != BT_OK || bt_table_check(&all->old, all->table_path) != BT_OK ||
        !all->old.comments.n || strcmp(all->old.comments.items[0], identity.data) != 0)
        bt_table_clear(&all->old);
cleanup:
    bt_text_clear(&identity);
    return status;
}

/* The rows of one artefact from the old table, in their order; nothing when it has none. */
static bt_status take_over(const collection *all, const char *digest, bt_text *rows)
{
    bt_status status = BT_OK;
    const size_t width = all->old.columns.n;
    for (size_t row = 0; row < all->old.n_row; ++row)
        if (!strcmp(bt_table_cell(&all->old, row, "artefact"), digest))
            BT_TRY(bt_table_add_row(rows, (const char *const *)all->old.cells.items + row * width, width));
cleanup:
    return status;
}

static bt_status make_rows(collection *all, bt_score_file *scores, bt_text *rows)
{
    bt_status status = BT_OK;
    if (bt_voxel_file_is_there(scores, all->voxels)) BT_TRY(take_over(all, scores->digest, rows));
    if (rows->length) {
        ++all->n_taken_over;
        goto cleanup;
    }
    BT_TRY(bt_score_file_load(scores));
    BT_TRY(bt_score_rows(scores, all->options->experiment ? all->options->experiment : "", all->options->above, rows));
    BT_TRY(bt_path_make(all->voxels)); /* not before there is something to put there */
    BT_TRY(bt_voxel_file_write(scores, all->voxels));
cleanup:
    return status;
}

static bt_status add_definition(collection *all, const bt_score_file *scores)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    if (!*scores->score) return BT_OK;
    BT_TRY(bt_text_add(&text, "%s%s%s", scores->score, *scores->penalty ? "; penalty " : "", scores->penalty));
    if (!bt_names_have(&all->definitions, text.data)) BT_TRY(bt_names_add(&all->definitions, text.data));
cleanup:
    bt_text_clear(&text);
    return status;
}

static bt_status add_part(collection *all, bt_score_file *scores)
{
    bt_status status = BT_OK;
    bt_text key = {0};
    part added = {0};
    if (bt_names_have(&all->digests, scores->digest)) return BT_OK;
    BT_TRY(bt_names_add(&all->digests, scores->digest));
    BT_TRY(add_definition(all, scores));
    BT_TRY(make_rows(all, scores, &added.rows));
    BT_TRY(bt_text_add(&key, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", scores->preset, scores->stage, scores->model,
                       scores->objective, scores->tuned_subject, scores->subject, scores->seed, scores->epoch,
                       scores->digest));
    added.key = key.data;
    key = (bt_text){0};
    BT_GROW(all->parts, all->n, all->capacity);
    all->parts[all->n++] = added;
    added = (part){0};
cleanup:
    bt_text_clear(&key);
    bt_text_clear(&added.rows);
    bt_free(added.key);
    return status;
}

/* A score file is read whole, and most of it goes into its voxel file. */
static bt_status estimate_part(collection *all, const char *path, const bt_score_file *scores)
{
    struct stat facts;
    if (bt_names_have(&all->digests, scores->digest)) return BT_OK;
    const double bytes = stat(path, &facts) == 0 ? (double)facts.st_size : 0;
    ++all->estimate.work;
    all->estimate.read_bytes += bytes;
    all->estimate.written_bytes += bytes;
    all->estimate.memory_bytes = fmax(all->estimate.memory_bytes, bytes);
    return bt_names_add(&all->digests, scores->digest);
}

static bt_status add_file(collection *all, const char *path, bool must)
{
    bt_status status = BT_OK;
    bt_score_file scores;
    bool is_score = false;
    BT_TRY(bt_file_check(path));
    BT_TRY(bt_score_file_open(path, &scores, &is_score));
    BT_CHECK(is_score || !must, BT_ERR_INPUT, "%s: expected a score file of `braintune encode`, found another file",
             path);
    if (!is_score) goto cleanup;
    status = all->dry ? estimate_part(all, path, &scores) : add_part(all, &scores);
    bt_score_file_close(&scores);
cleanup:
    return status;
}

static bt_status add_folder(collection *all, const char *path, bool with_encode)
{
    bt_status status = BT_OK;
    bt_names names = {0};
    char *child = NULL;
    BT_TRY(bt_path_list(path, &names));
    for (size_t i = 0; i < names.n; ++i) {
        child = bt_path_join(path, names.items[i]);
        if (!child) BT_TRY(BT_ERR_MEMORY);
        if (with_encode && !strcmp(names.items[i], "encode") && bt_path_is_directory(child))
            BT_TRY(add_folder(all, child, false));
        else if (names.items[i][0] != '.' && bt_ends_with(names.items[i], ".h5"))
            BT_TRY(add_file(all, child, false));
        bt_free(child);
        child = NULL;
    }
cleanup:
    bt_free(child);
    bt_names_clear(&names);
    return status;
}

static bt_status add_all(collection *all, const bt_stage_call *call)
{
    bt_status status = BT_OK;
    const collect_options *const options = call->options;
    char *const store[] = {call->common->store};
    const bt_names whole_store = {.n = 1, .items = (char **)(uintptr_t)store};
    const bt_names *const paths = options->artefacts.n ? &options->artefacts : &whole_store;
    for (size_t i = 0; i < paths->n; ++i) {
        BT_CHECK(bt_path_exists(paths->items[i]), BT_ERR_INPUT, "%s=%s: no such file or folder%s",
                 options->artefacts.n ? "artefacts" : "store", paths->items[i],
                 options->artefacts.n ? "" : "; name score files in artefacts=, or run `braintune encode` first");
        if (bt_path_is_directory(paths->items[i]))
            BT_TRY(add_folder(all, paths->items[i], true));
        else
            BT_TRY(add_file(all, paths->items[i], true));
    }
    BT_CHECK(
        all->digests.n, BT_ERR_INPUT,
        "%s: no score file there; run `braintune encode` first, or name its result in artefacts=", paths->items[0]);
cleanup:
    return status;
}

static int compare_parts(const void *a, const void *b)
{
    return strcmp(((const part *)a)->key, ((const part *)b)->key);
}

static bt_status write_table(collection *all)
{
    bt_status status = BT_OK;
    bt_text text = {0}, rows = {0};
    qsort(all->parts, all->n, sizeof *all->parts, compare_parts);
    bt_names_sort(&all->definitions);
    for (size_t i = 0; i < all->n; ++i)
        BT_TRY(bt_text_add_bytes(&rows, all->parts[i].rows.data, all->parts[i].rows.length));
    BT_TRY(bt_table_identity(all->options->experiment, all->options->above, &text));
    BT_TRY(bt_text_add(&text, "\n"));
    BT_TRY(bt_table_head(&all->definitions, all->options->above, rows.data, &text));
    BT_TRY(bt_table_add_row(&text, bt_table_columns, bt_table_columns_count));
    BT_TRY(bt_text_add_bytes(&text, rows.data, rows.length));
    bt_leftovers_remove(all->table_path, NULL);
    BT_TRY(bt_publish_bytes(all->table_path, text.data, text.length));
cleanup:
    bt_text_clear(&text);
    bt_text_clear(&rows);
    return status;
}

static bt_status run(const bt_stage_call *call)
{
    bt_status status = BT_OK;
    collection all = {.options = call->options,
                      .folder = call->common->out ? call->common->out : "results",
                      .dry = call->common->dry_run,
                      .estimate = {.work_unit = "score files"}};
    all.table_path = bt_path_join(all.folder, "table.csv");
    all.voxels = bt_path_join(all.folder, "voxels");
    if (!all.table_path || !all.voxels) BT_TRY(BT_ERR_MEMORY);
    if (all.dry) {
        BT_TRY(add_all(&all, call));
        status = bt_estimate_report(call, &all.estimate);
        goto cleanup;
    }
    BT_TRY(read_old(&all));
    BT_TRY(add_all(&all, call));
    BT_TRY(write_table(&all));
    BT_TRY(bt_text_add(call->result, "%s: %zu artefact%s (%zu read anew)\n", all.table_path, all.n,
                       all.n == 1 ? "" : "s", all.n - all.n_taken_over));
cleanup:
    clear(&all);
    return status;
}

const bt_stage bt_collect_stage = {
    .name = "collect",
    .version = 1,
    .summary = "joins score files into one tidy table and per-voxel files",
    .example = "braintune collect artefacts=scores_UTS01.h5,scores_UTS02.h5 out=results",
    .table = settings,
    .n_setting = sizeof settings / sizeof *settings,
    .serial = true,
    .options_size = sizeof(collect_options),
    .run = run,
};
