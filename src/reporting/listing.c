#include "reporting/listing.h"

#include "base/memory.h"
#include "io/foreign.h"
#include "reporting/score_file.h"
#include "reporting/tuning_file.h"

#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

/* What a line of the list says of the artefact that it names. */
typedef struct {
    const char *entry, *set;
} labels;

static const labels unlabelled = {"", ""};

static double bytes_of(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 ? (double)facts.st_size : 0;
}

/* Joins `label` unless it is there. */
static bt_status join(bt_text *all, const char *label)
{
    if (!*label || (all->length && bt_table_cell_has(all->data, label))) return BT_OK;
    return bt_text_add(all, "%s%s", all->length ? ";" : "", label);
}

static bt_status add_labels(bt_listed *item, const labels *more)
{
    const bt_status status = join(&item->entry, more->entry);
    return status == BT_OK ? join(&item->set, more->set) : status;
}

static void clear_item(bt_listed *item)
{
    bt_free(item->path);
    bt_text_clear(&item->entry);
    bt_text_clear(&item->set);
}

static bt_listed *find(const bt_listing *listing, const char *digest)
{
    for (size_t i = 0; i < listing->n && *digest; ++i)
        if (!strcmp(listing->items[i].digest, digest)) return &listing->items[i];
    return NULL;
}

static bt_status add_item(bt_listing *listing, const bt_listed *facts, const char *path, const labels *said)
{
    bt_status status = BT_OK;
    bt_listed *const known = find(listing, facts->digest);
    bt_listed item = *facts;
    if (known) return add_labels(known, said);
    item.path = bt_strdup(path);
    if (!item.path) BT_TRY(BT_ERR_MEMORY);
    BT_TRY(add_labels(&item, said));
    BT_GROW(listing->items, listing->n, listing->capacity);
    listing->items[listing->n++] = item;
    item = (bt_listed){0};
cleanup:
    clear_item(&item);
    return status;
}

static bt_status add_scores(bt_listing *listing, const char *path, const labels *said, bool must)
{
    bt_status status = BT_OK;
    bt_score_file scores;
    bt_listed item = {.kind = BT_LISTED_SCORES, .bytes = bytes_of(path)};
    bool is_score = false;
    BT_TRY(bt_file_check(path));
    BT_TRY(bt_score_file_open(path, &scores, &is_score));
    BT_CHECK(is_score || !must, BT_ERR_INPUT,
             "%s: expected a score file of `braintune encode` or a tuned model's folder, found another file", path);
    if (!is_score) goto cleanup;
    memcpy(item.digest, scores.digest, sizeof item.digest);
    status = add_item(listing, &item, path, said);
    bt_score_file_close(&scores);
cleanup:
    return status;
}

static bt_status add_tuning(bt_listing *listing, const char *folder, const labels *said, bool *found)
{
    bt_status status = BT_OK;
    bt_tuning_file tuning;
    bt_listed item = {.kind = BT_LISTED_TUNING};
    BT_TRY(bt_tuning_file_open(folder, &tuning, found));
    if (!*found) goto cleanup;
    item.bytes = bytes_of(bt_h5_path(tuning.file));
    memcpy(item.digest, tuning.digest, sizeof item.digest);
    status = add_item(listing, &item, folder, said);
    bt_tuning_file_close(&tuning);
cleanup:
    return status;
}

/* One of a folder's members; `depth` more levels may be entered, by folders named encode and tune. */
static bt_status add_member(bt_listing *listing, const char *path, const labels *said, int depth);

static bt_status add_folder(bt_listing *listing, const char *path, const labels *said, int depth)
{
    bt_status status = BT_OK;
    bt_names names = {0};
    char *child = NULL;
    BT_TRY(bt_path_list(path, &names));
    for (size_t i = 0; i < names.n; ++i) {
        if (names.items[i][0] == '.') continue;
        child = bt_path_join(path, names.items[i]);
        if (!child) BT_TRY(BT_ERR_MEMORY);
        BT_TRY(add_member(listing, child, said, depth));
        bt_free(child);
        child = NULL;
    }
cleanup:
    bt_free(child);
    bt_names_clear(&names);
    return status;
}

static bt_status add_member(bt_listing *listing, const char *path, const labels *said, int depth)
{
    const char *const name = bt_path_base(path);
    bool found = false;
    if (!bt_path_is_directory(path)) return bt_ends_with(name, ".h5") ? add_scores(listing, path, said, false) : BT_OK;
    const bt_status status = add_tuning(listing, path, said, &found);
    if (status != BT_OK || found || !depth || (strcmp(name, "encode") != 0 && strcmp(name, "tune") != 0)) return status;
    return add_folder(listing, path, said, depth - 1);
}

/* tuning.h5 stands for the folder that it is in. */
static bt_status add_history(bt_listing *listing, const char *path, const labels *said)
{
    bool found = false;
    char *const folder = bt_path_parent(path);
    bt_status status = folder ? add_tuning(listing, folder, said, &found) : BT_ERR_MEMORY;
    if (status == BT_OK && !found)
        status = bt_fail(BT_ERR_INPUT, "%s: expected recipe.json beside it, found none; name the tuned model's folder",
                         path);
    bt_free(folder);
    return status;
}

static bt_status add_path(bt_listing *listing, const char *path, const labels *said)
{
    bool found = false;
    if (!strcmp(bt_path_base(path), BT_TUNING_NAME)) return add_history(listing, path, said);
    if (!bt_path_is_directory(path)) return add_scores(listing, path, said, true);
    const bt_status status = add_tuning(listing, path, said, &found);
    return status != BT_OK || found ? status : add_folder(listing, path, said, 1);
}

bt_status bt_listing_add(bt_listing *listing, const char *path)
{
    return add_path(listing, path, &unlabelled);
}

/* True when the list says what its artefacts are about. */
static bool describes(const bt_table *list)
{
    static const char *const columns[] = {"model", "objective", "tuned_subject", "subject"};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; ++i)
        if (bt_table_column(list, columns[i]) != SIZE_MAX) return true;
    return false;
}

static bt_status add_line(bt_listing *listing, const char *list_file, size_t row)
{
    bt_status status = BT_OK;
    const bt_table *const list = &listing->list;
    const char *const path = bt_table_cell(list, row, "path");
    const labels said = {bt_table_cell(list, row, "entry"), bt_table_cell(list, row, "set")};
    const bt_listed missing = {.kind = BT_LISTED_MISSING, .row = row};
    const bool there = bt_path_exists(path);
    BT_CHECK(there || describes(list), BT_ERR_INPUT,
             "%s: %s: no such file or folder; take it out of the list, or run `braintune encode` first", list_file,
             path);
    BT_TRY(there ? add_path(listing, path, &said) : add_item(listing, &missing, path, &said));
cleanup:
    return status;
}

bt_status bt_listing_read(bt_listing *listing, const char *list_file)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    char *file = NULL;
    size_t size = 0;
    BT_TRY(bt_path_read(list_file, &file, &size));
    const char *first = file;
    while (*first == '#' && strchr(first, '\n')) first = strchr(first, '\n') + 1;
    const bool named = bt_starts_with(first, "path") && strchr("\t\r\n", first[strlen("path")]);
    BT_TRY(bt_text_add(&text, "%s%s", named ? "" : "path\n", file));
    char *const lines = text.data;
    text = (bt_text){0};
    BT_TRY(bt_table_parse(list_file, lines, '\t', &listing->list));
    for (size_t row = 0; row < listing->list.n_row; ++row) BT_TRY(add_line(listing, list_file, row));
cleanup:
    bt_text_clear(&text);
    bt_free(file);
    return status;
}

void bt_listing_clear(bt_listing *listing)
{
    for (size_t i = 0; i < listing->n; ++i) clear_item(&listing->items[i]);
    bt_free(listing->items);
    bt_table_clear(&listing->list);
    *listing = (bt_listing){0};
}
