/* Losses of tuning over epochs, training and validation, one panel per model and objective; below, validation r. */
#include "reporting/figure.h"
#include "reporting/runs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const bt_runs *runs;
    bt_text *csv;
    bt_text ranges; /* statements: which rows of the CSV are a panel's */
    size_t n_row;
    bool has_r, has_mean;
} drawing;

static const char *const curve_names[BT_CURVE_COUNT] = {"train", "validate", "r"};
static const char *const columns[] = {"kind",  "series_index", "series", "tuned_subject", "seed",
                                      "curve", "metric",       "epoch",  "value"};
enum { N_COLUMN = sizeof columns / sizeof *columns };

static bt_status add_point(drawing *draw, const char *kind, size_t series, const bt_run *run, bt_curve_kind curve,
                           double epoch, double value)
{
    enum { NUMBER = 32 };
    char place[NUMBER], x[NUMBER], y[NUMBER];
    const bool mean = !strcmp(kind, "mean");
    ++draw->n_row;
    (void)snprintf(place, sizeof place, "%zu", series + 1);
    bt_table_print(epoch, x, sizeof x);
    bt_table_print(value, y, sizeof y);
    const char *const cells[N_COLUMN] = {kind,
                                         place,
                                         draw->runs->series[series].label,
                                         mean ? "" : run->tuned_subject,
                                         mean ? "" : run->seed,
                                         curve_names[curve],
                                         curve == BT_CURVE_R ? "r" : run->loss,
                                         x,
                                         y};
    return bt_table_add_row(draw->csv, cells, N_COLUMN);
}

static bt_status add_run(drawing *draw, const bt_run *run)
{
    bt_status status = BT_OK;
    for (int c = 0; c < BT_CURVE_COUNT; ++c) {
        const bt_curve *const curve = &run->curves[c];
        for (size_t i = 0; i < curve->n; ++i)
            BT_TRY(add_point(draw, "run", run->series, run, (bt_curve_kind)c, curve->epoch[i], curve->value[i]));
        draw->has_r = draw->has_r || (c == BT_CURVE_R && curve->n);
        for (size_t i = 0; i < curve->n && c != BT_CURVE_TRAIN; ++i)
            if (curve->epoch[i] == run->best_epoch)
                BT_TRY(add_point(draw, "best", run->series, run, (bt_curve_kind)c, curve->epoch[i], curve->value[i]));
    }
cleanup:
    return status;
}

static bool value_at(const bt_curve *curve, double epoch, double *value)
{
    for (size_t i = 0; i < curve->n; ++i)
        if (curve->epoch[i] == epoch) {
            *value = curve->value[i];
            return true;
        }
    return false;
}

/* The mean over the runs of a series at those epochs that all of them have. */
static bt_status add_mean(drawing *draw, size_t series, const bt_run *first, size_t n, bt_curve_kind which)
{
    bt_status status = BT_OK;
    const bt_curve *const lead = &first->curves[which];
    if (n < 2) return BT_OK;
    for (size_t i = 0; i < lead->n; ++i) {
        double sum = 0, value = 0;
        size_t count = 0;
        for (; count < n && value_at(&first[count].curves[which], lead->epoch[i], &value); ++count) sum += value;
        if (count < n) continue;
        BT_TRY(add_point(draw, "mean", series, first, which, lead->epoch[i], sum / (double)n));
        draw->has_mean = true;
    }
cleanup:
    return status;
}

static bt_status add_series(drawing *draw, size_t series, const bt_run *first, size_t n)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < n; ++i) BT_TRY(add_run(draw, &first[i]));
    for (int c = 0; c < BT_CURVE_COUNT; ++c) BT_TRY(add_mean(draw, series, first, n, (bt_curve_kind)c));
cleanup:
    return status;
}

static bt_status add_numbers(drawing *draw)
{
    bt_status status = BT_OK;
    const bt_runs *const runs = draw->runs;
    BT_TRY(bt_table_add_row(draw->csv, columns, N_COLUMN));
    BT_TRY(bt_text_add(&draw->ranges, "array first[%zu]; array last[%zu]; ", runs->n_series, runs->n_series));
    for (size_t from = 0, to = 0; from < runs->n; from = to) {
        const size_t series = runs->items[from].series, row = draw->n_row;
        while (to < runs->n && runs->items[to].series == series) ++to;
        BT_TRY(add_series(draw, series, &runs->items[from], to - from));
        BT_TRY(bt_text_add(&draw->ranges, "first[%zu] = %zu; last[%zu] = %zu; ", series + 1, row, series + 1,
                           draw->n_row - 1));
    }
cleanup:
    return status;
}

/* --- layout ----------------------------------------------------------------------------------------------------------
 */

/* Panels of losses share their axis when they predict fMRI with the same loss: then it can be compared. */
static bool share_axis(const bt_runs *runs, size_t a, size_t b)
{
    const char *loss[2] = {"", ""};
    const size_t which[2] = {a, b};
    bool fmri = true;
    for (size_t k = 0; k < 2; ++k)
        for (size_t i = 0; i < runs->n; ++i)
            if (runs->items[i].series == which[k]) {
                loss[k] = runs->items[i].loss;
                fmri = fmri && *runs->items[i].tuned_subject;
            }
    return a == b || (fmri && !strcmp(loss[0], loss[1]));
}

static void measure(const bt_runs *runs, size_t series, double *low, double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (size_t i = 0; i < runs->n; ++i)
        for (int c = 0; c < BT_CURVE_R && share_axis(runs, series, runs->items[i].series); ++c)
            for (size_t k = 0; k < runs->items[i].curves[c].n; ++k) {
                *low = fmin(*low, runs->items[i].curves[c].value[k]);
                *high = fmax(*high, runs->items[i].curves[c].value[k]);
            }
    if (*low > *high) *low = *high = 0;
}

static const char *loss_words(const char *loss)
{
    return !strcmp(loss, "mse")           ? "loss (mean squared error)"
           : !strcmp(loss, "one_minus_r") ? "loss (1 - r over targets)"
           : !strcmp(loss, "cosine_l2")   ? "loss (squared error + cosine)"
                                          : "loss";
}

/* Where each series has its panel: a line per model, as many beside each other as the model with most has, up to 6. */
static bt_status add_places(const bt_runs *runs, bt_text *script)
{
    enum { MOST = 6 };
    bt_status status = BT_OK;
    size_t column = 0, line = 0, n_column = 0;
    BT_TRY(bt_text_add(script, "array panel_column[%zu]; array panel_line[%zu]; array own_axis[%zu]; ", runs->n_series,
                       runs->n_series, runs->n_series));
    for (size_t i = 0; i < runs->n_series; ++i) {
        const bool same_model = i && !strcmp(runs->series[i].key.model, runs->series[i - 1].key.model);
        column = same_model && column + 1 < MOST ? column + 1 : 0;
        line += i && !column;
        if (column + 1 > n_column) n_column = column + 1;
        BT_TRY(bt_text_add(script, "panel_column[%zu] = %zu; panel_line[%zu] = %zu; own_axis[%zu] = %d; ", i + 1,
                           column, i + 1, line, i + 1, !column || !share_axis(runs, i, i - 1)));
    }
    BT_TRY(bt_text_add(script, "n_column = %zu; n_line = %zu; ", n_column, line + 1));
cleanup:
    return status;
}

static const char *loss_of(const bt_runs *runs, size_t series)
{
    const char *loss = "";
    for (size_t i = 0; i < runs->n; ++i)
        if (runs->items[i].series == series) loss = runs->items[i].loss;
    return loss;
}

static bt_status add_script(const drawing *draw, bt_text *script)
{
    bt_status status = BT_OK;
    const bt_runs *const runs = draw->runs;
    const size_t n = runs->n_series;
    bt_names panels = {0}, axes = {0};
    bt_text title = {0};
    BT_TRY(bt_text_add(script, "%s", draw->ranges.data));
    BT_TRY(add_places(runs, script));
    BT_TRY(bt_text_add(script, "n_panel = %zu; has_r = %d; ", n, draw->has_r));
    BT_TRY(bt_text_add(script, "array colour[%zu]; array low[%zu]; array high[%zu]; ", n, n, n));
    for (size_t i = 0; i < n; ++i) {
        double low = 0, high = 0;
        measure(runs, i, &low, &high);
        BT_TRY(bt_text_add(script, "colour[%zu] = %u; low[%zu] = %.9g; high[%zu] = %.9g; ", i + 1,
                           runs->series[i].colour, i + 1, low, i + 1, high));
        title.length = 0;
        BT_TRY(bt_text_add(&title, "%s\n%s", runs->series[i].key.model, runs->series[i].what));
        BT_TRY(bt_names_add(&panels, title.data));
        BT_TRY(bt_names_add(&axes, loss_words(loss_of(runs, i))));
    }
    BT_TRY(bt_figure_texts(script, "panel", &panels, '_'));
    BT_TRY(bt_figure_texts(script, "axis", &axes, '_'));
cleanup:
    bt_names_clear(&panels);
    bt_names_clear(&axes);
    bt_text_clear(&title);
    return status;
}

/* "8 wav2vec2-base (brain) (S01, S02, ...; seeds 0, 1)" */
static bt_status add_count(const bt_runs *runs, size_t series, bt_text *caption)
{
    bt_status status = BT_OK;
    bt_names subjects = {0}, seeds = {0};
    size_t n = 0;
    for (size_t k = 0; k < runs->n; ++k) {
        const bt_run *const run = &runs->items[k];
        if (run->series != series) continue;
        ++n;
        if (*run->tuned_subject && !bt_names_have(&subjects, run->tuned_subject))
            BT_TRY(bt_names_add(&subjects, run->tuned_subject));
        if (*run->seed && !bt_names_have(&seeds, run->seed)) BT_TRY(bt_names_add(&seeds, run->seed));
    }
    BT_TRY(bt_text_add(caption, "%zu of %s", n, runs->series[series].label));
    for (size_t i = 0; i < subjects.n; ++i)
        BT_TRY(bt_text_add(caption, "%s %s", i ? "," : ", subjects", subjects.items[i]));
    for (size_t i = 0; i < seeds.n; ++i) BT_TRY(bt_text_add(caption, "%s %s", i ? "," : ", seeds", seeds.items[i]));
cleanup:
    bt_names_clear(&subjects);
    bt_names_clear(&seeds);
    return status;
}

static bt_status add_caption(const drawing *draw, const bt_table *table, bt_text *caption)
{
    bt_status status = BT_OK;
    const bt_runs *const runs = draw->runs;
    BT_TRY(bt_text_add(caption,
                       "Tuning: loss by epoch, dashed on the training stories (mean over the epoch, under the weights "
                       "of each step), solid on the validation stories (after the epoch)."));
    if (draw->has_r)
        BT_TRY(bt_text_add(caption, " Below: mean over the tuned voxels of the correlation between the head's output "
                                    "and the response to the validation stories."));
    BT_TRY(bt_text_add(caption,
                       " Thin lines: single tunings%s. Circles: the epoch whose state was kept. Panels of "
                       "models tuned on fMRI with the same loss share their axis. n:",
                       draw->has_mean ? "; thick lines: their mean, over the epochs that all of them have" : ""));
    for (size_t i = 0; i < runs->n_series; ++i) {
        BT_TRY(bt_text_add(caption, "%s ", i ? ";" : ""));
        BT_TRY(add_count(runs, i, caption));
    }
    BT_TRY(bt_text_add(caption, "."));
    BT_TRY(bt_caption_remarks(table, "tuning stories", caption));
    for (size_t i = 0; i < runs->missing.n; ++i)
        BT_TRY(bt_text_add(caption, "%s%s", i ? "; " : " Missing: ", runs->missing.items[i]));
    BT_TRY(bt_text_add(caption, "%s\n", runs->missing.n ? "." : ""));
cleanup:
    return status;
}

bt_status bt_figure_losses(const bt_figure_source *source, bt_figure *out)
{
    bt_status status = BT_OK;
    bt_runs runs = {0};
    drawing draw = {.runs = &runs, .csv = &out->csv};
    BT_TRY(bt_runs_create(source->table, source->query->models, &runs));
    if (!runs.n) goto cleanup;
    BT_TRY(add_numbers(&draw));
    BT_TRY(add_script(&draw, &out->script));
    BT_TRY(add_caption(&draw, source->table, &out->caption));
cleanup:
    bt_text_clear(&draw.ranges);
    bt_runs_clear(&runs);
    return status;
}
