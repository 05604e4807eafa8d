#include "reporting/selection.h"

#include "base/memory.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { STUDENT_FROM = 5 };

static bool is(const bt_table *table, size_t row, const char *column, const char *value)
{
    return !strcmp(bt_table_cell(table, row, column), value);
}

static bool is_number(const char *text)
{
    return *text && !text[strspn(text, "0123456789")];
}

static bool is_of(const bt_table *table, size_t row, const bt_series *series)
{
    return is(table, row, "model", series->model) && is(table, row, "objective", series->objective) &&
           is(table, row, "preset", series->preset);
}

static bt_status add_once(bt_names *names, const char *item)
{
    return bt_names_have(names, item) ? BT_OK : bt_names_add(names, item);
}

/* Objectives in the order in which they are drawn, with Okabe and Ito's colours that are told apart by everyone. */
static const struct {
    const char *objective;
    unsigned colour;
} palette[] = {{"pretrained", 0x0072B2}, {"untrained", 0x56B4E9}, {"brain", 0xD55E00}, {"random", 0xE69F00},
               {"teacher", 0x009E73},    {"stimulus", 0xCC79A7},  {"file", 0xF0E442}};
enum { N_PALETTE = sizeof palette / sizeof *palette };

static size_t place_of(const char *objective)
{
    size_t at = 0;
    while (at < N_PALETTE && strcmp(palette[at].objective, objective) != 0) ++at;
    return at;
}

/* Grey for controls; an objective that is not in the palette takes its colours in turn. */
static unsigned choose_colour(const bt_series *series, size_t index)
{
    const size_t at = place_of(series->objective);
    if (series->is_control) return 0x999999;
    return palette[at < N_PALETTE ? at : index % N_PALETTE].colour;
}

/* The second, third ... model with the same colours is drawn paler. */
static double choose_shade(const bt_series *all, size_t index)
{
    size_t before = 0;
    for (size_t i = 0; i < index; ++i) before += !all[i].is_control && all[i].colour == all[index].colour;
    return before == 0 ? 0.95 : before == 1 ? 0.55 : 0.3;
}

static void clear_series(bt_series *series)
{
    bt_free(series->label);
    bt_free(series->model);
    bt_free(series->objective);
    bt_free(series->preset);
    bt_free(series->layer);
}

static bt_status start_series(const bt_table *table, size_t row, bt_series *series)
{
    series->model = bt_strdup(bt_table_cell(table, row, "model"));
    series->objective = bt_strdup(bt_table_cell(table, row, "objective"));
    series->preset = bt_strdup(bt_table_cell(table, row, "preset"));
    series->layer = bt_strdup(bt_table_cell(table, row, "layer"));
    series->is_control = is(table, row, "family", "lowlevel");
    return series->model && series->objective && series->preset && series->layer ? BT_OK : BT_ERR_MEMORY;
}

/* The layer rule: a mean over layers wins over a single layer, a deeper one over a shallower. */
static bt_status note_layer(bt_series *series, const char *layer)
{
    const bool better =
        bt_starts_with(layer, "mean:") || (is_number(layer) && !bt_starts_with(series->layer, "mean:") &&
                                           (!is_number(series->layer) || atoi(layer) > atoi(series->layer)));
    series->has_layers = series->has_layers || is_number(layer);
    if (!better) return BT_OK;
    bt_free(series->layer);
    series->layer = bt_strdup(layer);
    return series->layer ? BT_OK : BT_ERR_MEMORY;
}

static bt_status note_series(bt_selection *selection, size_t row)
{
    bt_status status = BT_OK;
    const bt_table *const table = selection->table;
    size_t at = 0;
    while (at < selection->n_series && !is_of(table, row, &selection->series[at])) ++at;
    if (at == selection->n_series) {
        BT_GROW(selection->series, selection->n_series, selection->capacity);
        ++selection->n_series;
        BT_TRY(start_series(table, row, &selection->series[at]));
    }
    BT_TRY(note_layer(&selection->series[at], bt_table_cell(table, row, "layer")));
cleanup:
    return status;
}

static int compare_series(const void *a, const void *b)
{
    const bt_series *const left = a, *const right = b;
    if (left->is_control != right->is_control) return left->is_control ? 1 : -1;
    const int by_model = strcmp(left->model, right->model);
    if (by_model) return by_model;
    const size_t first = place_of(left->objective), second = place_of(right->objective);
    if (first != second) return first < second ? -1 : 1;
    const int by_objective = strcmp(left->objective, right->objective);
    return by_objective ? by_objective : strcmp(left->preset, right->preset);
}

static int compare_numbers(const void *a, const void *b)
{
    return atoi(*(char *const *)a) - atoi(*(char *const *)b);
}

/* model (objective), the preset too where several are compared. */
static bt_status name_series(bt_selection *selection)
{
    bt_status status = BT_OK;
    bt_text label = {0};
    bool presets_differ = false;
    for (size_t i = 1; i < selection->n_series; ++i)
        presets_differ = presets_differ || strcmp(selection->series[i].preset, selection->series[0].preset) != 0;
    for (size_t i = 0; i < selection->n_series; ++i) {
        bt_series *const series = &selection->series[i];
        label = (bt_text){0};
        BT_TRY(bt_text_add(&label, "%s%s", series->is_control ? "control: " : "",
                           *series->model ? series->model : "scores"));
        if (*series->objective && !series->is_control) BT_TRY(bt_text_add(&label, " (%s)", series->objective));
        if (presets_differ) BT_TRY(bt_text_add(&label, ", %s", series->preset));
        series->label = label.data;
        label = (bt_text){0};
        series->colour = choose_colour(series, i);
        series->shade = choose_shade(selection->series, i);
    }
cleanup:
    bt_text_clear(&label);
    return status;
}

static void drop_all(bt_names *rois)
{
    size_t kept = 0;
    if (rois->n < 2) return;
    for (size_t i = 0; i < rois->n; ++i)
        if (strcmp(rois->items[i], "all") != 0)
            rois->items[kept++] = rois->items[i];
        else
            bt_free(rois->items[i]);
    rois->n = kept;
}

static bt_status note_rows(bt_selection *selection)
{
    bt_status status = BT_OK;
    const bt_table *const table = selection->table;
    for (size_t row = 0; row < table->n_row; ++row) {
        if (!is(table, row, "metric", "r")) continue;
        const char *const layer = bt_table_cell(table, row, "layer");
        BT_TRY(note_series(selection, row));
        BT_TRY(add_once(&selection->rois, bt_table_cell(table, row, "roi")));
        BT_TRY(add_once(&selection->subjects, bt_table_cell(table, row, "subject")));
        if (is_number(layer)) BT_TRY(add_once(&selection->layers, layer));
    }
cleanup:
    return status;
}

static size_t find(const bt_names *names, const char *item)
{
    size_t at = 0;
    while (at < names->n && strcmp(names->items[at], item) != 0) ++at;
    return at;
}

/* When all lists are in their final order. Rows without a number, and of ROIs that are not drawn, are left out. */
static bt_status note_entries(bt_selection *selection)
{
    bt_status status = BT_OK;
    const bt_table *const table = selection->table;
    for (size_t row = 0; row < table->n_row; ++row) {
        const bool is_ceiling = is(table, row, "metric", "cc_max");
        bt_entry entry = {.series = SIZE_MAX,
                          .roi = find(&selection->rois, bt_table_cell(table, row, "roi")),
                          .subject = find(&selection->subjects, bt_table_cell(table, row, "subject")),
                          .layer = bt_table_cell(table, row, "layer"),
                          .value = bt_table_number(table, row, "value"),
                          .low = bt_table_number(table, row, "ci_low"),
                          .high = bt_table_number(table, row, "ci_high"),
                          .n_voxel = bt_table_number(table, row, "n")};
        if (!is_ceiling && !is(table, row, "metric", "r")) continue;
        if (!isfinite(entry.value) || entry.roi == selection->rois.n) continue;
        for (size_t i = 0; i < selection->n_series && !is_ceiling; ++i)
            if (is_of(table, row, &selection->series[i])) entry.series = i;
        BT_GROW(selection->entries, selection->n_entry, selection->entry_capacity);
        selection->entries[selection->n_entry++] = entry;
    }
cleanup:
    return status;
}

bt_status bt_selection_create(const bt_table *table, const char *path, bt_selection *out)
{
    bt_status status = BT_OK;
    *out = (bt_selection){.table = table};
    BT_TRY(note_rows(out));
    BT_CHECK(out->n_series, BT_ERR_INPUT, "%s: expected rows of metric r, found none; collect score files first", path);
    drop_all(&out->rois);
    bt_names_sort(&out->subjects);
    if (out->layers.n) qsort(out->layers.items, out->layers.n, sizeof(char *), compare_numbers);
    qsort(out->series, out->n_series, sizeof *out->series, compare_series);
    BT_TRY(name_series(out));
    BT_TRY(note_entries(out));
cleanup:
    if (status != BT_OK) bt_selection_clear(out);
    return status;
}

void bt_selection_clear(bt_selection *selection)
{
    for (size_t i = 0; i < selection->n_series; ++i) clear_series(&selection->series[i]);
    bt_free(selection->series);
    bt_free(selection->entries);
    bt_names_clear(&selection->rois);
    bt_names_clear(&selection->subjects);
    bt_names_clear(&selection->layers);
    *selection = (bt_selection){0};
}

/* The mean over the rows of one subject; n_subject is 0 or 1. */
static bt_cell subject_cell(const bt_selection *selection, size_t series, size_t subject, size_t roi, const char *layer)
{
    bt_cell cell = {.value = NAN, .low = NAN, .high = NAN};
    double n_row = 0, value = 0, low = 0, high = 0;
    for (size_t i = 0; i < selection->n_entry; ++i) {
        const bt_entry *const entry = &selection->entries[i];
        if (entry->series != series || entry->roi != roi || entry->subject != subject ||
            strcmp(entry->layer, layer) != 0)
            continue;
        n_row += 1;
        value += entry->value;
        low += entry->low;
        high += entry->high;
        cell.n_voxel = entry->n_voxel;
    }
    if (n_row == 0.0) return cell;
    cell.n_subject = 1;
    cell.value = value / n_row;
    cell.low = low / n_row;
    cell.high = high / n_row;
    return cell;
}

/* The 0.975 quantile of Student's t; 1.96 beyond 30 degrees of freedom. */
static double student(size_t freedom)
{
    static const double quantile[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                                      2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
                                      2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
    return freedom <= sizeof quantile / sizeof *quantile ? quantile[freedom - 1] : 1.96;
}

bt_cell bt_selection_cell(const bt_selection *selection, const bt_series *series, const char *subject, const char *roi,
                          const char *layer)
{
    double sum = 0, squares = 0, errors = 0;
    bt_cell all = {.value = NAN, .low = NAN, .high = NAN};
    const size_t which = series ? (size_t)(series - selection->series) : SIZE_MAX, where = find(&selection->rois, roi);
    if (subject) return subject_cell(selection, which, find(&selection->subjects, subject), where, layer);
    for (size_t i = 0; i < selection->subjects.n; ++i) {
        const bt_cell one = subject_cell(selection, which, i, where, layer);
        if (!one.n_subject) continue;
        ++all.n_subject;
        all.n_voxel += one.n_voxel;
        sum += one.value;
        squares += one.value * one.value;
        errors += (one.high - one.low) * (one.high - one.low) / 4;
    }
    if (!all.n_subject) return all;
    const double n = (double)all.n_subject;
    all.value = sum / n;
    all.over_subjects = all.n_subject >= STUDENT_FROM;
    const double variance = fmax(0, squares - n * all.value * all.value) / (n - 1);
    const double half = all.over_subjects ? student(all.n_subject - 1) * sqrt(variance / n) : sqrt(errors) / n;
    all.low = all.value - half;
    all.high = all.value + half;
    return all;
}
