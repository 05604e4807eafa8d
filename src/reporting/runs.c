#include "reporting/runs.h"

#include "base/memory.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    bt_series_columns series;
    size_t stage, metric, split, roi, seed, epoch, value, artefact;
} columns;

static columns find_columns(const bt_table *table)
{
    return (columns){.series = bt_series_find_columns(table),
                     .stage = bt_table_column(table, "stage"),
                     .metric = bt_table_column(table, "metric"),
                     .split = bt_table_column(table, "split"),
                     .roi = bt_table_column(table, "roi"),
                     .seed = bt_table_column(table, "seed"),
                     .epoch = bt_table_column(table, "epoch"),
                     .value = bt_table_column(table, "value"),
                     .artefact = bt_table_column(table, "artefact")};
}

static bool is_wanted(const bt_table *table, const columns *at, size_t row, const bt_names *models)
{
    if (strcmp(bt_table_at(table, row, at->stage), "tune") != 0) return false;
    if (!models || !models->n) return true;
    for (size_t i = 0; i < models->n; ++i)
        if (bt_table_cell_has(bt_table_at(table, row, at->series.set), models->items[i])) return true;
    return bt_names_have(models, bt_table_at(table, row, at->series.objective)) ||
           bt_names_have(models, bt_table_at(table, row, at->series.model));
}

/* A tuning's series leaves out the epoch, which is a point of its curves, and whom it predicts. */
static bt_series_key key_of(const bt_table *table, const columns *at, size_t row)
{
    bt_series_key key = bt_series_key_of(table, &at->series, row);
    key.epoch = key.entry = "";
    key.tuned_on = bt_is_joint(bt_table_at(table, row, at->series.tuned_subject)) ? BT_TUNED_JOINTLY : BT_TUNED_ON_SELF;
    return key;
}

/* True for metrics that are losses. */
static bool is_loss(const char *metric)
{
    static const char *const losses[] = {"mse", "one_minus_r", "cosine_l2", "loss"};
    for (size_t i = 0; i < sizeof losses / sizeof *losses; ++i)
        if (!strcmp(metric, losses[i])) return true;
    return false;
}

static bt_status find_run(bt_runs *runs, const bt_table *table, const columns *at, size_t row, bt_run **out)
{
    bt_status status = BT_OK;
    const char *const artefact = bt_table_at(table, row, at->artefact);
    const bt_series_key key = key_of(table, at, row);
    size_t found = runs->n;
    while (found-- > 0)
        if (!strcmp(runs->items[found].artefact, artefact)) break;
    if (found == SIZE_MAX) {
        found = runs->n;
        BT_GROW(runs->items, runs->n, runs->capacity);
        bt_run *const run = &runs->items[runs->n++];
        *run = (bt_run){.tuned_subject = bt_table_at(table, row, at->series.tuned_subject),
                        .seed = bt_table_at(table, row, at->seed),
                        .artefact = artefact,
                        .loss = "",
                        .best_epoch = NAN};
        BT_TRY(bt_series_note(&runs->series, &runs->n_series, &runs->series_capacity, &key, &run->series));
    }
    *out = &runs->items[found];
cleanup:
    return status;
}

static bt_status add_point(bt_curve *curve, double epoch, double value)
{
    bt_status status = BT_OK;
    size_t capacity = curve->capacity;
    BT_GROW(curve->epoch, curve->n, capacity);
    capacity = curve->capacity;
    BT_GROW(curve->value, curve->n, capacity);
    curve->capacity = capacity;
    curve->epoch[curve->n] = epoch;
    curve->value[curve->n++] = value;
cleanup:
    return status;
}

static bt_status note_missing(bt_runs *runs, const bt_table *table, const columns *at, size_t row)
{
    bt_status status = BT_OK;
    bt_text label = {0};
    BT_TRY(bt_text_add(&label, "%s (%s)", bt_table_at(table, row, at->series.model),
                       bt_table_at(table, row, at->series.objective)));
    BT_TRY(bt_missing_note(&runs->missing, label.data, bt_table_at(table, row, at->series.tuned_subject),
                           bt_table_at(table, row, at->seed)));
cleanup:
    bt_text_clear(&label);
    return status;
}

static bt_status take_row(bt_runs *runs, const bt_table *table, const columns *at, size_t row)
{
    bt_status status = BT_OK;
    bt_run *run = NULL;
    const char *const metric = bt_table_at(table, row, at->metric);
    const double epoch = bt_table_value(bt_table_at(table, row, at->epoch));
    const double value = bt_table_value(bt_table_at(table, row, at->value));
    if (!strcmp(metric, "missing")) return note_missing(runs, table, at, row);
    BT_TRY(find_run(runs, table, at, row, &run));
    if (!strcmp(metric, "best_epoch")) run->best_epoch = value;
    if (!isfinite(epoch) || !isfinite(value)) goto cleanup;
    if (is_loss(metric)) {
        const bool train = !strcmp(bt_table_at(table, row, at->split), "train");
        run->loss = metric;
        BT_TRY(add_point(&run->curves[train ? BT_CURVE_TRAIN : BT_CURVE_VALIDATE], epoch, value));
    } else if (!strcmp(metric, "r") && !strcmp(bt_table_at(table, row, at->roi), "all")) {
        BT_TRY(add_point(&run->curves[BT_CURVE_R], epoch, value));
    }
cleanup:
    return status;
}

/* Points of one epoch become their mean; ascending by epoch. */
static void join_epochs(bt_curve *curve)
{
    size_t kept = 0;
    for (size_t i = 0; i < curve->n; ++i) {
        double sum = 0, n = 0;
        bool before = false;
        for (size_t j = 0; j < kept; ++j) before = before || curve->epoch[j] == curve->epoch[i];
        if (before) continue;
        for (size_t j = i; j < curve->n; ++j) {
            if (curve->epoch[j] != curve->epoch[i]) continue;
            sum += curve->value[j];
            n += 1;
        }
        curve->epoch[kept] = curve->epoch[i];
        curve->value[kept++] = sum / n;
    }
    curve->n = kept;
}

/* Series in their final order, and the runs by them. */
static bt_status finish(bt_runs *runs)
{
    bt_status status = BT_OK;
    bt_series_key *keys = NULL;
    BT_ALLOC(keys, runs->n);
    for (size_t i = 0; i < runs->n; ++i) keys[i] = runs->series[runs->items[i].series].key;
    BT_TRY(bt_series_finish(runs->series, runs->n_series));
    for (size_t i = 0; i < runs->n; ++i) {
        runs->items[i].series = bt_series_find(runs->series, runs->n_series, &keys[i]);
        for (size_t c = 0; c < BT_CURVE_COUNT; ++c) join_epochs(&runs->items[i].curves[c]);
    }
cleanup:
    bt_free(keys);
    return status;
}

static int compare_runs(const void *a, const void *b)
{
    const bt_run *const left = a, *const right = b;
    if (left->series != right->series) return left->series < right->series ? -1 : 1;
    const int order = strcmp(left->tuned_subject, right->tuned_subject);
    return order ? order : strcmp(left->seed, right->seed);
}

bt_status bt_runs_create(const bt_table *table, const bt_names *models, bt_runs *out)
{
    bt_status status = BT_OK;
    const columns at = find_columns(table);
    *out = (bt_runs){0};
    for (size_t row = 0; row < table->n_row; ++row)
        if (is_wanted(table, &at, row, models)) BT_TRY(take_row(out, table, &at, row));
    BT_TRY(finish(out));
    if (out->n) qsort(out->items, out->n, sizeof *out->items, compare_runs);
cleanup:
    if (status != BT_OK) bt_runs_clear(out);
    return status;
}

void bt_runs_clear(bt_runs *runs)
{
    for (size_t i = 0; i < runs->n; ++i)
        for (size_t c = 0; c < BT_CURVE_COUNT; ++c) {
            bt_free(runs->items[i].curves[c].epoch);
            bt_free(runs->items[i].curves[c].value);
        }
    bt_free(runs->items);
    bt_series_clear(runs->series, runs->n_series);
    bt_names_clear(&runs->missing);
    *runs = (bt_runs){0};
}
