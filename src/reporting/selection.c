#include "reporting/selection.h"

#include "base/memory.h"
#include "reporting/statistics.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The columns that are read of every row, looked up once. */
typedef struct {
    bt_series_columns series;
    size_t stage, metric, split, hemisphere, removed, roi, layer, subject, seed, value, low, high, n, n_dropped;
} columns;

static columns find_columns(const bt_table *table)
{
    return (columns){.series = bt_series_find_columns(table),
                     .stage = bt_table_column(table, "stage"),
                     .metric = bt_table_column(table, "metric"),
                     .split = bt_table_column(table, "split"),
                     .hemisphere = bt_table_column(table, "hemisphere"),
                     .removed = bt_table_column(table, "removed"),
                     .roi = bt_table_column(table, "roi"),
                     .layer = bt_table_column(table, "layer"),
                     .subject = bt_table_column(table, "subject"),
                     .seed = bt_table_column(table, "seed"),
                     .value = bt_table_column(table, "value"),
                     .low = bt_table_column(table, "ci_low"),
                     .high = bt_table_column(table, "ci_high"),
                     .n = bt_table_column(table, "n"),
                     .n_dropped = bt_table_column(table, "n_dropped")};
}

static bool is(const bt_table *table, size_t row, size_t column, const char *value)
{
    return !strcmp(bt_table_at(table, row, column), value);
}

static bool is_number(const char *text)
{
    return *text && !text[strspn(text, "0123456789")];
}

static bool is_chosen(const bt_names *wanted, const char *cell)
{
    for (size_t i = 0; i < wanted->n; ++i)
        if (bt_table_cell_has(cell, wanted->items[i])) return true;
    return false;
}

typedef enum { KIND_NONE, KIND_SCORE, KIND_CEILING, KIND_MISSING } row_kind;

static row_kind kind_of(const bt_selection *all, const columns *at, size_t row)
{
    const bt_table *const table = all->table;
    const bt_query *const query = &all->query;
    const row_kind kind = is(table, row, at->metric, query->metric) ? KIND_SCORE
                          : is(table, row, at->metric, "cc_max")    ? KIND_CEILING
                          : is(table, row, at->metric, "missing")   ? KIND_MISSING
                                                                    : KIND_NONE;
    if (kind == KIND_NONE || !is(table, row, at->stage, "encode")) return KIND_NONE;
    if (kind != KIND_MISSING && !is(table, row, at->hemisphere, "both")) return KIND_NONE;
    if (kind == KIND_SCORE && !(is(table, row, at->removed, "none") && is(table, row, at->split, "test")))
        return KIND_NONE;
    if (query->entries && query->entries->n && !is_chosen(query->entries, bt_table_at(table, row, at->series.entry)))
        return KIND_NONE;
    if (kind != KIND_CEILING && query->models && query->models->n &&
        !is_chosen(query->models, bt_table_at(table, row, at->series.set)) &&
        !bt_names_have(query->models, bt_table_at(table, row, at->series.objective)) &&
        !bt_names_have(query->models, bt_table_at(table, row, at->series.model)))
        return KIND_NONE;
    return kind;
}

static bt_series_key key_of(const bt_selection *all, const columns *at, size_t row)
{
    bt_series_key key = bt_series_key_of(all->table, &at->series, row);
    if (all->query.entries && all->query.entries->n) key.entry = "";
    return key;
}

static bt_status add_once(bt_names *names, const char *item)
{
    return bt_names_have(names, item) ? BT_OK : bt_names_add(names, item);
}

static size_t find(const bt_names *names, const char *item)
{
    size_t at = 0;
    while (at < names->n && strcmp(names->items[at], item) != 0) ++at;
    return at;
}

/* --- what there is ---------------------------------------------------------------------------------------------------
 */

static void note_layer(bt_series *series, const char *layer)
{
    const bool is_mean = bt_starts_with(layer, "mean:");
    if (is_mean) series->mean = layer;
    if (is_number(layer) && (!*series->deepest || atoi(layer) > atoi(series->deepest))) series->deepest = layer;
    series->has_layers = series->has_layers || is_mean || is_number(layer);
}

static bt_status note_row(bt_selection *all, const columns *at, size_t row, row_kind kind)
{
    bt_status status = BT_OK;
    size_t series = 0;
    const bt_series_key key = key_of(all, at, row);
    const char *const layer = bt_table_at(all->table, row, at->layer);
    BT_TRY(add_once(&all->subjects, bt_table_at(all->table, row, at->subject)));
    BT_TRY(add_once(&all->seeds, bt_table_at(all->table, row, at->seed)));
    if (kind == KIND_MISSING && bt_series_find(all->series, all->n_series, &key) < all->n_series) goto cleanup;
    BT_TRY(add_once(&all->layers, layer));
    if (kind == KIND_CEILING) goto cleanup;
    BT_TRY(bt_series_note(&all->series, &all->n_series, &all->capacity, &key, &series));
    note_layer(&all->series[series], layer);
    if (kind == KIND_SCORE) BT_TRY(add_once(&all->rois, bt_table_at(all->table, row, at->roi)));
cleanup:
    return status;
}

/* Missing ones last: they join the series that their plan describes, as far as it does. */
static bt_status note_rows(bt_selection *all, const columns *at)
{
    bt_status status = BT_OK;
    BT_TRY(bt_names_add(&all->layers, "")); /* of ceilings, whether there are any or not */
    for (int missing = 0; missing < 2; ++missing)
        for (size_t row = 0; row < all->table->n_row; ++row) {
            const row_kind kind = kind_of(all, at, row);
            if (kind != KIND_NONE && (kind == KIND_MISSING) == missing) BT_TRY(note_row(all, at, row, kind));
        }
cleanup:
    return status;
}

static bt_status list_names(const bt_names *names, bt_text *out)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < names->n; ++i) BT_TRY(bt_text_add(out, "%s%s", i ? ", " : "", names->items[i]));
cleanup:
    return status;
}

/* The query's regions in its order; without any, all but "all". */
static bt_status choose_rois(bt_selection *all, const char *path)
{
    bt_status status = BT_OK;
    bt_names chosen = {0};
    bt_text there = {0};
    const bt_names *const wanted = all->query.regions;
    BT_TRY(list_names(&all->rois, &there));
    for (size_t i = 0; wanted && i < wanted->n; ++i) {
        BT_CHECK(bt_names_have(&all->rois, wanted->items[i]), BT_ERR_INPUT, "%s: regions: no ROI %s; there are: %s",
                 path, wanted->items[i], there.data);
        BT_TRY(add_once(&chosen, wanted->items[i]));
    }
    for (size_t i = 0; i < all->rois.n && !(wanted && wanted->n); ++i)
        if (strcmp(all->rois.items[i], "all") != 0 || all->rois.n == 1)
            BT_TRY(bt_names_add(&chosen, all->rois.items[i]));
    bt_names_clear(&all->rois);
    all->rois = chosen;
    chosen = (bt_names){0};
cleanup:
    bt_names_clear(&chosen);
    bt_text_clear(&there);
    return status;
}

/* Numbers before other texts, ascending. */
static int compare_numbers(const void *a, const void *b)
{
    const char *const left = *(char *const *)a, *const right = *(char *const *)b;
    if (is_number(left) != is_number(right)) return is_number(left) ? -1 : 1;
    return is_number(left) ? atoi(left) - atoi(right) : strcmp(left, right);
}

static void choose_layer(bt_series *series, const char *rule)
{
    if (!series->has_layers) return;
    if (!strcmp(rule, "mean"))
        series->layer = *series->mean ? series->mean : series->deepest;
    else
        series->layer = !strcmp(rule, "last") ? series->deepest : rule;
}

static bt_status finish_lists(bt_selection *all, const char *path)
{
    bt_status status = BT_OK;
    BT_TRY(choose_rois(all, path));
    bt_names_sort(&all->subjects);
    qsort(all->seeds.items, all->seeds.n, sizeof(char *), compare_numbers);
    qsort(all->layers.items, all->layers.n, sizeof(char *), compare_numbers);
    while (all->n_number < all->layers.n && is_number(all->layers.items[all->n_number])) ++all->n_number;
    BT_TRY(bt_series_finish(all->series, all->n_series));
    for (size_t i = 0; i < all->n_series; ++i) choose_layer(&all->series[i], all->query.layers);
cleanup:
    return status;
}

/* --- values ----------------------------------------------------------------------------------------------------------
 */

static size_t place_of(const bt_selection *all, size_t series, size_t roi, size_t layer, size_t subject, size_t seed)
{
    return (((series * all->rois.n + roi) * all->layers.n + layer) * all->subjects.n + subject) * all->seeds.n + seed;
}

const bt_measure *bt_selection_measure(const bt_selection *all, size_t series, size_t roi, size_t layer, size_t subject,
                                       size_t seed)
{
    return &all->measures[place_of(all, series, roi, layer, subject, seed)];
}

size_t bt_selection_layer(const bt_selection *all, const char *layer)
{
    const size_t at = find(&all->layers, layer);
    return at < all->layers.n ? at : SIZE_MAX;
}

static void add_measure(bt_measure *sum, const bt_table *table, const columns *at, size_t row, double value)
{
    ++sum->n_row;
    sum->value += value;
    sum->low += bt_table_value(bt_table_at(table, row, at->low));
    sum->high += bt_table_value(bt_table_at(table, row, at->high));
    sum->n_voxel = bt_table_value(bt_table_at(table, row, at->n));
    sum->n_dropped = bt_table_value(bt_table_at(table, row, at->n_dropped));
}

static bt_status note_missing(bt_selection *all, const columns *at, size_t row, const bt_series *series)
{
    return bt_missing_note(&all->missing, series->label, bt_table_at(all->table, row, at->subject),
                           bt_table_at(all->table, row, at->seed));
}

/* Rows without a number, and of ROIs that are not wanted, are left out. */
static bt_status take_row(bt_selection *all, const columns *at, size_t row, row_kind kind)
{
    const bt_table *const table = all->table;
    const bt_series_key key = key_of(all, at, row);
    const size_t series = kind == KIND_CEILING ? all->n_series : bt_series_find(all->series, all->n_series, &key);
    if (kind == KIND_MISSING) return note_missing(all, at, row, &all->series[series]);
    const size_t roi = find(&all->rois, bt_table_at(table, row, at->roi));
    const double value = bt_table_value(bt_table_at(table, row, at->value));
    if (roi == all->rois.n || !isfinite(value)) return BT_OK;
    const size_t place =
        place_of(all, series, roi, find(&all->layers, bt_table_at(table, row, at->layer)),
                 find(&all->subjects, bt_table_at(table, row, at->subject)),
                 find(&all->seeds, kind == KIND_CEILING ? all->seeds.items[0] : bt_table_at(table, row, at->seed)));
    add_measure(&all->measures[place], table, at, row, value);
    return BT_OK;
}

/* Sums to means. */
static void finish_measures(bt_selection *all, size_t n)
{
    for (size_t i = 0; i < n; ++i) {
        bt_measure *const measure = &all->measures[i];
        const size_t series = i / (n / (all->n_series + 1));
        if (!measure->n_row) continue;
        measure->value /= measure->n_row;
        measure->low /= measure->n_row;
        measure->high /= measure->n_row;
        all->n_averaged +=
            series < all->n_series && measure->n_row > 1 && all->series[series].key.tuned_on != BT_TUNED_ON_OTHERS;
    }
}

static bt_status take_rows(bt_selection *all, const columns *at)
{
    bt_status status = BT_OK;
    const size_t n = place_of(all, all->n_series + 1, 0, 0, 0, 0);
    BT_ALLOC(all->measures, n);
    for (size_t row = 0; row < all->table->n_row; ++row) {
        const row_kind kind = kind_of(all, at, row);
        if (kind != KIND_NONE) BT_TRY(take_row(all, at, row, kind));
    }
    finish_measures(all, n);
cleanup:
    return status;
}

/* --- life ------------------------------------------------------------------------------------------------------------
 */

static bt_status check_names(const bt_table *table, const char *path, const char *key, const bt_names *wanted,
                             const char *const *which, size_t n_which)
{
    bt_status status = BT_OK;
    bt_names there = {0};
    bt_text list = {0};
    for (size_t i = 0; wanted && i < wanted->n; ++i) {
        bool found = false;
        for (size_t row = 0; row < table->n_row && !found; ++row)
            for (size_t c = 0; c < n_which; ++c)
                found = found || bt_table_cell_has(bt_table_cell(table, row, which[c]), wanted->items[i]);
        if (found) continue;
        for (size_t row = 0; row < table->n_row; ++row)
            if (*bt_table_cell(table, row, which[0])) BT_TRY(add_once(&there, bt_table_cell(table, row, which[0])));
        BT_TRY(list_names(&there, &list));
        BT_TRY(bt_fail(BT_ERR_INPUT, "%s: %s: nothing there is called %s; column %s holds: %s", path, key,
                       wanted->items[i], which[0], list.data ? list.data : "nothing"));
    }
cleanup:
    bt_names_clear(&there);
    bt_text_clear(&list);
    return status;
}

static bt_status check_query(const bt_table *table, const char *path, const bt_query *query)
{
    static const char *const entries[] = {"entry"}, *const models[] = {"set", "objective", "model"};
    const bt_status status = check_names(table, path, "from", query->entries, entries, 1);
    return status == BT_OK ? check_names(table, path, "models", query->models, models, 3) : status;
}

bt_status bt_selection_create(const bt_table *table, const char *path, const bt_query *query, bt_selection *out)
{
    bt_status status = BT_OK;
    const columns at = find_columns(table);
    *out = (bt_selection){.table = table, .query = *query};
    if (!query->metric) out->query.metric = "r";
    if (!query->layers) out->query.layers = "mean";
    BT_TRY(check_query(table, path, query));
    BT_TRY(note_rows(out, &at));
    BT_CHECK(out->rois.n, BT_ERR_INPUT, "%s: expected rows of metric %s, found none; collect score files first", path,
             out->query.metric);
    BT_TRY(finish_lists(out, path));
    BT_TRY(take_rows(out, &at));
cleanup:
    if (status != BT_OK) bt_selection_clear(out);
    return status;
}

void bt_selection_clear(bt_selection *all)
{
    bt_series_clear(all->series, all->n_series);
    bt_free(all->measures);
    bt_names_clear(&all->rois);
    bt_names_clear(&all->subjects);
    bt_names_clear(&all->seeds);
    bt_names_clear(&all->layers);
    bt_names_clear(&all->missing);
    *all = (bt_selection){0};
}

/* --- means -----------------------------------------------------------------------------------------------------------
 */

/* The mean over the seeds of one subject; n_subject is 0 or 1. */
static bt_cell subject_cell(const bt_selection *all, size_t series, size_t subject, size_t roi, size_t layer)
{
    bt_cell cell = {.value = NAN, .low = NAN, .high = NAN};
    double value = 0, low = 0, high = 0;
    for (size_t seed = 0; seed < all->seeds.n && layer != SIZE_MAX; ++seed) {
        const bt_measure *const measure = bt_selection_measure(all, series, roi, layer, subject, seed);
        if (!measure->n_row) continue;
        ++cell.n_seed;
        value += measure->value;
        low += measure->low;
        high += measure->high;
        cell.n_voxel = measure->n_voxel;
    }
    if (!cell.n_seed) return cell;
    cell.n_subject = 1;
    cell.value = value / (double)cell.n_seed;
    cell.low = low / (double)cell.n_seed;
    cell.high = high / (double)cell.n_seed;
    return cell;
}

bt_cell bt_selection_cell(const bt_selection *all, size_t series, size_t subject, size_t roi, const char *layer)
{
    double sum = 0, squares = 0, errors = 0;
    bt_cell mean = {.value = NAN, .low = NAN, .high = NAN};
    const size_t depth = bt_selection_layer(all, layer);
    if (subject != BT_ALL) return subject_cell(all, series, subject, roi, depth);
    for (size_t i = 0; i < all->subjects.n; ++i) {
        const bt_cell one = subject_cell(all, series, i, roi, depth);
        if (!one.n_subject) continue;
        ++mean.n_subject;
        if (one.n_seed > mean.n_seed) mean.n_seed = one.n_seed;
        mean.n_voxel += one.n_voxel;
        sum += one.value;
        squares += one.value * one.value;
        errors += (one.high - one.low) * (one.high - one.low) / 4;
    }
    if (!mean.n_subject) return mean;
    const double n = (double)mean.n_subject;
    mean.value = sum / n;
    mean.over_subjects = mean.n_subject >= BT_STUDENT_FROM;
    const double variance = fmax(0, squares - n * mean.value * mean.value) / (n - 1);
    const double half = mean.over_subjects ? bt_student_quantile(0.975, n - 1) * sqrt(variance / n) : sqrt(errors) / n;
    mean.low = mean.value - half;
    mean.high = mean.value + half;
    return mean;
}
