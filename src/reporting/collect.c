#include "reporting/collect.h"

#include "base/memory.h"
#include "reporting/listing.h"
#include "reporting/score_file.h"
#include "reporting/score_rows.h"
#include "reporting/table_head.h"
#include "reporting/tests_table.h"
#include "reporting/tuning_file.h"
#include "reporting/voxel_file.h"
#include "store/publish.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    bt_names artefacts;
    char *list, *experiment, *groups;
    int rule;
    bt_names hemispheres;
    double above;
} collect_options;

static const bt_setting settings[] = {
    {"artefacts", BT_SET_TEXTS, offsetof(collect_options, artefacts), BT_PATHS | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "score files, tuned models, or folders that hold some; empty: the store"},
    {"artefacts.list", BT_SET_TEXT, offsetof(collect_options, list), BT_PATHS | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "file that lists more, one a line; columns parted by tabs may follow, named in its first line: path, entry, set, "
     "model ..."},
    {"experiment", BT_SET_TEXT, offsetof(collect_options, experiment), BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "name for the table's first column"},
    {"ceiling.keep_above", BT_SET_REAL, offsetof(collect_options, above), 0, "0.4", NULL, 0, 1, "correlation",
     "voxels whose cc_max is not above this are dropped, and counted"},
    {"roi.groups", BT_SET_TEXT, offsetof(collect_options, groups), BT_PATHS | BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "groups.yaml, GROUP: [LABEL, ...]: ROIs of the table in place of single labels; A is L_A and R_A"},
    {"roi.score", BT_SET_CHOICE, offsetof(collect_options, rule), 0, "voxels", "voxels|labels|labels_zero_filled", 0, 0,
     NULL, "a ROI's mean: over its voxels, over its labels' means, or these with 0 for dropped voxels (released code)"},
    {"roi.hemisphere", BT_SET_TEXTS, offsetof(collect_options, hemispheres), 0, "both", NULL, 0, 0, NULL,
     "some of both, lh, rh: rows of the ROIs in both hemispheres together, in the left (labels L_A), in the right"},
};

/* The rows of one artefact, as text, and what sorts them. */
typedef struct {
    bt_text key, rows;
} part;

/* A row of the old table by its artefact. */
typedef struct {
    const char *digest;
    size_t row;
} old_row;

typedef struct {
    const collect_options *options;
    const char *folder; /* results */
    char *table_path, *voxels;
    bt_listing listing;
    bt_name_lists groups; /* of roi.groups */
    bt_text identity;     /* the first line of the table */
    bt_table old;         /* rows that may be taken over; empty when made under other settings */
    old_row *old_index;   /* (old.n_row), sorted */
    part *parts;          /* (listing.n) */
    bt_names remarks;     /* of the table's head: scores, stories, that differ between artefacts */
    size_t n_taken_over;
} collection;

static void clear(collection *all)
{
    for (size_t i = 0; i < all->listing.n && all->parts; ++i) {
        bt_text_clear(&all->parts[i].key);
        bt_text_clear(&all->parts[i].rows);
    }
    bt_free(all->parts);
    bt_free(all->table_path);
    bt_free(all->voxels);
    bt_free(all->old_index);
    bt_table_clear(&all->old);
    bt_listing_clear(&all->listing);
    bt_names_clear(&all->remarks);
    bt_name_lists_clear(&all->groups);
    bt_text_clear(&all->identity);
}

static int compare_old(const void *a, const void *b)
{
    const old_row *const left = a, *const right = b;
    const int by_digest = strcmp(left->digest, right->digest);
    return by_digest ? by_digest : (left->row > right->row) - (left->row < right->row);
}

static bool has_our_columns(const bt_table *table)
{
    bool ours = table->columns.n == BT_COLUMN_COUNT;
    for (size_t c = 0; c < BT_COLUMN_COUNT && ours; ++c) ours = !strcmp(table->columns.items[c], bt_table_columns[c]);
    return ours;
}

/* Keeps the old table only when it was made under the same settings, by its head. An unreadable one counts as none. */
static bt_status read_old(collection *all)
{
    bt_status status = BT_OK;
    if (!bt_path_exists(all->table_path)) return BT_OK;
    if (bt_table_read(all->table_path, &all->old) != BT_OK || !has_our_columns(&all->old) || !all->old.comments.n ||
        strcmp(all->old.comments.items[0], all->identity.data) != 0)
        bt_table_clear(&all->old);
    BT_ALLOC(all->old_index, all->old.n_row);
    for (size_t row = 0; row < all->old.n_row; ++row)
        all->old_index[row] = (old_row){bt_table_at(&all->old, row, BT_COLUMN_ARTEFACT), row};
    if (all->old.n_row) qsort(all->old_index, all->old.n_row, sizeof *all->old_index, compare_old);
cleanup:
    return status;
}

/* The first row of the index that does not sort before (digest, 0). */
static size_t first_old(const collection *all, const char *digest)
{
    size_t low = 0, high = all->old.n_row;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(all->old_index[middle].digest, digest) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The rows of one artefact from the old table, in their order, under the names they have now; nothing when it has none.
 */
static bt_status take_over(const collection *all, const bt_provenance *from, bt_text *rows)
{
    bt_status status = BT_OK;
    const char *cells[BT_COLUMN_COUNT];
    for (size_t i = first_old(all, from->digest); i < all->old.n_row && !strcmp(all->old_index[i].digest, from->digest);
         ++i) {
        for (size_t c = 0; c < BT_COLUMN_COUNT; ++c) cells[c] = bt_table_at(&all->old, all->old_index[i].row, c);
        cells[BT_COLUMN_ENTRY] = from->entry;
        cells[BT_COLUMN_SET] = from->set;
        BT_TRY(bt_table_add_row(rows, cells, BT_COLUMN_COUNT));
    }
cleanup:
    return status;
}

/* The table's parts in the order of what they are about. */
static bt_status make_key(const bt_facts *about, const char *digest, bt_text *key)
{
    return bt_text_add(key, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", about->preset, about->stage, about->model,
                       about->objective, about->target, about->tuned_subject, about->subject, about->seed, about->epoch,
                       digest);
}

static bt_status score_part(collection *all, bt_score_file *scores, const bt_provenance *from, bt_text *rows)
{
    bt_status status = BT_OK;
    if (bt_voxel_file_is_there(scores, all->voxels)) BT_TRY(take_over(all, from, rows));
    if (rows->length) {
        ++all->n_taken_over;
        goto cleanup;
    }
    const bt_roi_options rois = {.rule = (bt_roi_rule)all->options->rule,
                                 .path = all->options->groups,
                                 .groups = all->options->groups ? &all->groups : NULL,
                                 .hemispheres = &all->options->hemispheres};
    BT_TRY(bt_score_file_load(scores, &rois));
    BT_TRY(bt_score_rows(scores, from, all->options->above, rows));
    BT_TRY(bt_path_make(all->voxels)); /* not before there is something to put there */
    BT_TRY(bt_voxel_file_write(scores, all->voxels));
cleanup:
    return status;
}

static bt_status add_scores(collection *all, const bt_listed *item, const bt_provenance *from, part *out)
{
    bt_status status = BT_OK;
    bt_score_file scores;
    bool is_score = false;
    BT_TRY(bt_score_file_open(item->path, &scores, &is_score));
    BT_CHECK(is_score && !strcmp(scores.digest, item->digest), BT_ERR_INPUT,
             "%s: replaced while it was being collected; collect again", item->path);
    BT_TRY(bt_table_remark_scores(&scores, &all->remarks));
    BT_TRY(make_key(&scores.about, item->digest, &out->key));
    BT_TRY(score_part(all, &scores, from, &out->rows));
cleanup:
    bt_score_file_close(&scores);
    return status;
}

static bt_status add_tuning(collection *all, const bt_listed *item, const bt_provenance *from, part *out)
{
    bt_status status = BT_OK;
    bt_tuning_file tuning;
    bool is_tuning = false;
    BT_TRY(bt_tuning_file_open(item->path, &tuning, &is_tuning));
    BT_CHECK(is_tuning && !strcmp(tuning.digest, item->digest), BT_ERR_INPUT,
             "%s: replaced while it was being collected; collect again", item->path);
    BT_TRY(bt_table_remark_tuning(&tuning, &all->remarks));
    BT_TRY(make_key(&tuning.about, item->digest, &out->key));
    BT_TRY(take_over(all, from, &out->rows));
    all->n_taken_over += out->rows.length > 0;
    if (!out->rows.length) BT_TRY(bt_tuning_rows(&tuning, from, &out->rows));
cleanup:
    bt_tuning_file_close(&tuning);
    return status;
}

/* One row that says what is not there. */
static bt_status add_missing(const collection *all, const bt_listed *item, const bt_provenance *from, part *out)
{
    bt_status status = BT_OK;
    const bt_facts nothing = {0};
    const char *cells[BT_COLUMN_COUNT];
    bt_facts_cells(&nothing, from, cells);
    for (size_t c = BT_COLUMN_PRESET; c <= BT_COLUMN_EPOCH; ++c)
        cells[c] = bt_table_cell(&all->listing.list, item->row, bt_table_columns[c]);
    if (!*cells[BT_COLUMN_STAGE]) cells[BT_COLUMN_STAGE] = "encode";
    cells[BT_COLUMN_METRIC] = "missing";
    for (size_t c = BT_COLUMN_PRESET; c <= BT_COLUMN_EPOCH; ++c) BT_TRY(bt_text_add(&out->key, "%s\t", cells[c]));
    BT_TRY(bt_text_add(&out->key, "%s", item->path));
    BT_TRY(bt_table_add_row(&out->rows, cells, BT_COLUMN_COUNT));
cleanup:
    return status;
}

static bt_status add_parts(collection *all)
{
    bt_status status = BT_OK;
    BT_ALLOC(all->parts, all->listing.n);
    for (size_t i = 0; i < all->listing.n; ++i) {
        const bt_listed *const item = &all->listing.items[i];
        const bt_provenance from = {.experiment = all->options->experiment ? all->options->experiment : "",
                                    .entry = item->entry.data ? item->entry.data : "",
                                    .set = item->set.data ? item->set.data : "",
                                    .digest = item->digest};
        switch (item->kind) {
        case BT_LISTED_SCORES: BT_TRY(add_scores(all, item, &from, &all->parts[i])); break;
        case BT_LISTED_TUNING: BT_TRY(add_tuning(all, item, &from, &all->parts[i])); break;
        case BT_LISTED_MISSING: BT_TRY(add_missing(all, item, &from, &all->parts[i])); break;
        }
    }
cleanup:
    return status;
}

static size_t count(const bt_listing *listing, bt_listed_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < listing->n; ++i) n += listing->items[i].kind == kind;
    return n;
}

static bt_status find_artefacts(collection *all, const bt_stage_call *call)
{
    bt_status status = BT_OK;
    const collect_options *const options = all->options;
    char *const store[] = {call->common->store};
    const bt_names whole_store = {.n = 1, .items = (char **)(uintptr_t)store};
    const bool asked = options->artefacts.n || options->list;
    const bt_names *const paths = asked ? &options->artefacts : &whole_store;
    for (size_t i = 0; i < paths->n; ++i) {
        BT_CHECK(bt_path_exists(paths->items[i]), BT_ERR_INPUT, "%s=%s: no such file or folder%s",
                 asked ? "artefacts" : "store", paths->items[i],
                 asked ? "" : "; name score files in artefacts=, or run `braintune encode` first");
        BT_TRY(bt_listing_add(&all->listing, paths->items[i]));
    }
    if (options->list) BT_TRY(bt_listing_read(&all->listing, options->list));
    BT_CHECK(all->listing.n > count(&all->listing, BT_LISTED_MISSING), BT_ERR_INPUT,
             "%s: no score file there; run `braintune encode` first, or name its result in artefacts=",
             options->list ? options->list : paths->items[0]);
cleanup:
    return status;
}

/* A score file is read whole, and most of it goes into its voxel file. */
static bt_status report_estimate(const bt_stage_call *call, const bt_listing *listing)
{
    bt_estimate estimate = {.work = (double)(listing->n - count(listing, BT_LISTED_MISSING)),
                            .work_unit = "score files and tunings"};
    if (!count(listing, BT_LISTED_TUNING)) estimate.work_unit = "score files";
    for (size_t i = 0; i < listing->n; ++i) {
        const double bytes = listing->items[i].bytes;
        estimate.read_bytes += bytes;
        estimate.written_bytes += bytes;
        estimate.memory_bytes = fmax(estimate.memory_bytes, bytes);
    }
    return bt_estimate_report(call, &estimate);
}

static int compare_parts(const void *a, const void *b)
{
    return strcmp(((const part *)a)->key.data, ((const part *)b)->key.data);
}

static bt_status write_table(collection *all)
{
    bt_status status = BT_OK;
    bt_text text = {0}, rows = {0};
    qsort(all->parts, all->listing.n, sizeof *all->parts, compare_parts);
    bt_names_sort(&all->remarks);
    for (size_t i = 0; i < all->listing.n; ++i)
        BT_TRY(bt_text_add_bytes(&rows, all->parts[i].rows.data, all->parts[i].rows.length));
    BT_TRY(bt_text_add(&text, "%s\n", all->identity.data));
    BT_TRY(bt_table_head(&all->remarks, (bt_roi_rule)all->options->rule, all->options->above, rows.data, &text));
    BT_TRY(bt_table_add_row(&text, bt_table_columns, BT_COLUMN_COUNT));
    BT_TRY(bt_text_add_bytes(&text, rows.data, rows.length));
    bt_leftovers_remove(all->table_path, NULL);
    BT_TRY(bt_publish_bytes(all->table_path, text.data, text.length));
cleanup:
    bt_text_clear(&text);
    bt_text_clear(&rows);
    return status;
}

static bt_status add_result(const collection *all, bt_text *result)
{
    bt_status status = BT_OK;
    const size_t n_missing = count(&all->listing, BT_LISTED_MISSING), n = all->listing.n - n_missing;
    BT_TRY(bt_text_add(result, "%s: %zu artefact%s (%zu read anew)", all->table_path, n, n == 1 ? "" : "s",
                       n - all->n_taken_over));
    if (n_missing) BT_TRY(bt_text_add(result, ", %zu missing", n_missing));
    BT_TRY(bt_text_add(result, "\n"));
cleanup:
    return status;
}

static bt_status identify(collection *all)
{
    const collect_options *const o = all->options;
    const bt_table_settings made = {.experiment = o->experiment,
                                    .above = o->above,
                                    .rule = (bt_roi_rule)o->rule,
                                    .groups = o->groups ? &all->groups : NULL,
                                    .hemispheres = &o->hemispheres};
    return bt_table_identity(&made, &all->identity);
}

static bt_status check_hemispheres(const bt_names *asked)
{
    for (size_t i = 0; i < asked->n; ++i) {
        bool known = false;
        for (size_t h = 0; h < BT_HEMISPHERES; ++h) known = known || !strcmp(asked->items[i], bt_hemisphere_names[h]);
        if (!known)
            return bt_fail(BT_ERR_USAGE, "roi.hemisphere: expected some of both, lh, rh; found %s", asked->items[i]);
    }
    return asked->n ? BT_OK : bt_fail(BT_ERR_USAGE, "roi.hemisphere: expected some of both, lh, rh; found none");
}

static bt_status run(const bt_stage_call *call)
{
    bt_status status = BT_OK;
    collection all = {.options = call->options, .folder = call->common->out ? call->common->out : "results"};
    all.table_path = bt_path_join(all.folder, "table.csv");
    all.voxels = bt_path_join(all.folder, "voxels");
    if (!all.table_path || !all.voxels) BT_TRY(BT_ERR_MEMORY);
    BT_TRY(check_hemispheres(&all.options->hemispheres));
    BT_TRY(find_artefacts(&all, call));
    if (call->common->dry_run) {
        status = report_estimate(call, &all.listing);
        goto cleanup;
    }
    if (all.options->groups) BT_TRY(bt_name_lists_read(all.options->groups, &all.groups));
    BT_TRY(identify(&all));
    BT_TRY(read_old(&all));
    BT_TRY(add_parts(&all));
    BT_TRY(bt_path_make(all.folder));
    BT_TRY(write_table(&all));
    BT_TRY(bt_tests_write(all.folder));
    BT_TRY(add_result(&all, call->result));
cleanup:
    clear(&all);
    return status;
}

const bt_stage bt_collect_stage = {
    .name = "collect",
    .version = 1,
    .summary = "joins score files and tunings into one tidy table, paired tests and per-voxel files",
    .example = "braintune collect artefacts=scores_UTS01.h5,scores_UTS02.h5 out=results",
    .table = settings,
    .n_setting = sizeof settings / sizeof *settings,
    .serial = true,
    .options_size = sizeof(collect_options),
    .run = run,
};
