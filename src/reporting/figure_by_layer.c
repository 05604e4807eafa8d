/* Lines of alignment over layers, one per objective, one panel per model and ROI; bands over subjects and seeds. */
#include "reporting/figure.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const bt_selection *all;
    bt_names models;
    bt_legend legend;
    bt_text *csv;
    bt_text ranges; /* statements: which rows of the CSV are a panel's */
    size_t n_row;
    bool has_ceiling;
    bool over_subjects, over_runs; /* what bands span */
    bt_names missing;              /* "SERIES in ROI" */
} drawing;

typedef struct {
    const char *kind, *subject, *layer;
    size_t panel, model, roi, series; /* series = n_series: none */
    bt_cell cell;
} mark;

static const char *const columns[] = {"kind",    "panel_index", "model", "roi", "roi_index", "series",    "key_index",
                                      "subject", "layer",       "r",     "low", "high",      "n_subject", "n_seed"};
enum { N_COLUMN = sizeof columns / sizeof *columns };

static bt_status add_mark(drawing *draw, const mark *m)
{
    enum { NUMBER = 32, N_REAL = 5, N_INDEX = 3 };
    char real[N_REAL][NUMBER], index[N_INDEX][NUMBER];
    const bt_series *const s = m->series < draw->all->n_series ? &draw->all->series[m->series] : NULL;
    const double reals[N_REAL] = {m->cell.value, m->cell.low, m->cell.high,
                                  m->cell.n_subject ? (double)m->cell.n_subject : NAN,
                                  m->cell.n_seed ? (double)m->cell.n_seed : NAN};
    const size_t indices[N_INDEX] = {m->panel + 1, m->roi + 1, s ? bt_legend_index(&draw->legend, s) : 0};
    ++draw->n_row;
    for (size_t i = 0; i < N_REAL; ++i) bt_table_print(reals[i], real[i], NUMBER);
    for (size_t i = 0; i < N_INDEX; ++i) (void)snprintf(index[i], NUMBER, "%zu", indices[i]);
    const char *const cells[N_COLUMN] = {m->kind,
                                         index[0],
                                         draw->models.items[m->model],
                                         draw->all->rois.items[m->roi],
                                         index[1],
                                         s ? s->label : "",
                                         index[2],
                                         m->subject ? m->subject : "",
                                         m->layer,
                                         real[0],
                                         real[1],
                                         real[2],
                                         real[3],
                                         real[4]};
    return bt_table_add_row(draw->csv, cells, N_COLUMN);
}

/* The band below 5 subjects: from the least to the greatest of all subjects x seeds; none for a single value. */
static void span_runs(const drawing *draw, const mark *m, bt_cell *cell)
{
    const bt_selection *const all = draw->all;
    const size_t layer = bt_selection_layer(all, m->layer);
    size_t n = 0;
    cell->low = INFINITY;
    cell->high = -INFINITY;
    for (size_t subject = 0; subject < all->subjects.n; ++subject)
        for (size_t seed = 0; seed < all->seeds.n; ++seed) {
            const bt_measure *const one = bt_selection_measure(all, m->series, m->roi, layer, subject, seed);
            if (!one->n_row) continue;
            cell->low = fmin(cell->low, one->value);
            cell->high = fmax(cell->high, one->value);
            ++n;
        }
    if (n < 2) cell->low = cell->high = NAN;
}

static bt_status add_line(drawing *draw, mark *m)
{
    bt_status status = BT_OK;
    bool any = false;
    for (size_t i = 0; i < draw->all->n_number; ++i) {
        m->layer = draw->all->layers.items[i];
        m->cell = bt_selection_cell(draw->all, m->series, BT_ALL, m->roi, m->layer);
        if (!m->cell.n_subject) continue;
        any = true;
        if (!m->cell.over_subjects) span_runs(draw, m, &m->cell);
        draw->over_subjects = draw->over_subjects || m->cell.over_subjects;
        draw->over_runs = draw->over_runs || (!m->cell.over_subjects && !isnan(m->cell.low));
        BT_TRY(add_mark(draw, m));
    }
    if (!any) {
        bt_text text = {0};
        status = bt_text_add(&text, "%s in %s", draw->all->series[m->series].label, draw->all->rois.items[m->roi]);
        if (status == BT_OK) status = bt_names_add(&draw->missing, text.data);
        bt_text_clear(&text);
    }
cleanup:
    return status;
}

/* One subject's line, the mean over its seeds. */
static bt_status add_subject(drawing *draw, mark *m, size_t subject)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < draw->all->n_number; ++i) {
        m->layer = draw->all->layers.items[i];
        m->subject = draw->all->subjects.items[subject];
        m->cell = bt_selection_cell(draw->all, m->series, subject, m->roi, m->layer);
        m->cell.low = m->cell.high = NAN;
        if (m->cell.n_subject) BT_TRY(add_mark(draw, m));
    }
cleanup:
    return status;
}

/* Too few subjects for intervals, but several: each is drawn. */
static bool is_small(const bt_selection *all)
{
    return all->subjects.n > 1 && all->subjects.n < BT_STUDENT_FROM;
}

static bt_status add_panel(drawing *draw, size_t panel, size_t model, size_t roi)
{
    bt_status status = BT_OK;
    const bt_selection *const all = draw->all;
    mark m = {.panel = panel, .model = model, .roi = roi};
    const size_t row = draw->n_row;
    for (size_t i = 0; i < all->n_series; ++i) {
        if (!all->series[i].has_layers || strcmp(all->series[i].key.model, draw->models.items[model]) != 0) continue;
        m.series = i;
        m.kind = "line";
        m.subject = NULL;
        BT_TRY(add_line(draw, &m));
        m.kind = "subject";
        for (size_t s = 0; s < all->subjects.n && is_small(all); ++s) BT_TRY(add_subject(draw, &m, s));
    }
    const mark ceiling = {.kind = "ceiling",
                          .panel = panel,
                          .model = model,
                          .roi = roi,
                          .series = all->n_series,
                          .layer = "",
                          .cell = bt_selection_cell(all, all->n_series, BT_ALL, roi, "")};
    if (ceiling.cell.n_subject && !strcmp(all->query.metric, "r")) {
        draw->has_ceiling = true;
        BT_TRY(add_mark(draw, &ceiling));
    }
    BT_TRY(
        bt_text_add(&draw->ranges, "first[%zu] = %zu; last[%zu] = %zu; ", panel + 1, row, panel + 1, draw->n_row - 1));
cleanup:
    return status;
}

static bt_status add_script(const drawing *draw, bt_text *script)
{
    bt_status status = BT_OK;
    const bt_selection *const all = draw->all;
    bt_names panels = {0};
    bt_text title = {0};
    for (size_t model = 0; model < draw->models.n; ++model)
        for (size_t roi = 0; roi < all->rois.n; ++roi) {
            title.length = 0;
            BT_TRY(bt_text_add(&title, "%s%s%s", draw->models.n > 1 ? draw->models.items[model] : "",
                               draw->models.n > 1 ? ", " : "", all->rois.items[roi]));
            BT_TRY(bt_names_add(&panels, title.data));
        }
    BT_TRY(bt_text_add(script,
                       "n_panel = %zu; n_roi = %zu; n_model = %zu; n_subject = %zu; layer_low = %s; layer_high = %s; "
                       "metric = \"%s\"; ",
                       panels.n, all->rois.n, draw->models.n, all->subjects.n, all->layers.items[0],
                       all->layers.items[all->n_number - 1], all->query.metric));
    BT_TRY(bt_text_add(script, "array first[%zu]; array last[%zu]; %s", panels.n, panels.n, draw->ranges.data));
    BT_TRY(bt_figure_texts(script, "panel", &panels, ' '));
    BT_TRY(bt_figure_texts(script, "subject", &all->subjects, '_'));
    BT_TRY(bt_legend_script(&draw->legend, script));
cleanup:
    bt_names_clear(&panels);
    bt_text_clear(&title);
    return status;
}

static bt_status add_caption(const drawing *draw, bt_text *caption)
{
    bt_status status = BT_OK;
    const bt_selection *const all = draw->all;
    BT_TRY(bt_text_add(caption, "Alignment by layer: "));
    BT_TRY(bt_caption_measure(all, caption));
    for (size_t i = 0; i < draw->models.n; ++i)
        BT_TRY(bt_text_add(caption, "%s%s", i ? ", " : " Models: ", draw->models.items[i]));
    for (size_t i = 0; i < draw->legend.n; ++i)
        BT_TRY(bt_text_add(caption, "%s%s", i ? ", " : "; lines: ", draw->legend.items[i]->what));
    BT_TRY(bt_text_add(caption, ". One panel per ROI%s. Layer 0 is the encoder's input embedding, then one per block.",
                       draw->models.n > 1 ? " and model" : ""));
    BT_TRY(bt_text_add(caption, " Thick lines: mean over subjects%s.",
                       is_small(all) ? "; thin lines: single subjects" : ""));
    if (draw->over_subjects)
        BT_TRY(bt_text_add(caption, " Bands: 95 %% intervals over subjects (Student's t)."));
    else if (draw->over_runs)
        BT_TRY(bt_text_add(caption, " Bands: from the least to the greatest value of the subjects and seeds, which are "
                                    "too few for an interval."));
    if (draw->has_ceiling) BT_TRY(bt_text_add(caption, " %s", bt_caption_ceiling));
    BT_TRY(bt_caption_subjects(all, caption));
    BT_TRY(bt_caption_conditions(all, caption));
    BT_TRY(bt_caption_missing(all, &draw->missing, caption));
    BT_TRY(bt_text_add(caption, "\n"));
cleanup:
    return status;
}

bt_status bt_figure_by_layer(const bt_figure_source *source, bt_figure *out)
{
    bt_status status = BT_OK;
    size_t panel = 0;
    drawing draw = {.all = source->selection, .csv = &out->csv};
    if (!source->selection || !source->selection->n_number) return BT_OK;
    BT_TRY(bt_figure_models(draw.all, true, &draw.models));
    BT_TRY(bt_legend_create(draw.all, true, &draw.legend));
    BT_TRY(bt_table_add_row(&out->csv, columns, N_COLUMN));
    for (size_t model = 0; model < draw.models.n; ++model)
        for (size_t roi = 0; roi < draw.all->rois.n; ++roi) BT_TRY(add_panel(&draw, panel++, model, roi));
    BT_TRY(add_script(&draw, &out->script));
    BT_TRY(add_caption(&draw, &out->caption));
cleanup:
    bt_text_clear(&draw.ranges);
    bt_legend_clear(&draw.legend);
    bt_names_clear(&draw.models);
    bt_names_clear(&draw.missing);
    return status;
}
