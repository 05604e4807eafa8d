/* Bars of alignment per ROI and series, one panel per model; single subjects over them, joined from bar to bar. */
#include "reporting/figure.h"

#include "base/memory.h"
#include "reporting/tests_table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double group_width = 0.8; /* of the distance between two ROIs */

typedef struct {
    const bt_selection *all;
    const bt_tests *tests;
    bt_names models;
    bt_legend legend;
    size_t n_slot; /* bars of a ROI in the panel that has the most */
    double width;  /* of a bar */
    double *place; /* (n_series), of each bar in the ROI at hand */
    bt_text *csv;
    bool over_subjects, has_seeds, has_ceiling;
    size_t n_star, n_hatched;
    bt_names missing; /* "SERIES in ROI" */
} drawing;

/* One row of the CSV; cells that do not apply are NULL or NAN. */
typedef struct {
    const char *kind, *subject, *seed, *layer;
    size_t panel, roi, series; /* series = n_series: none */
    double x, x_to, r_to;
    bt_cell cell;
} mark;

static const char *const columns[] = {"kind",    "panel", "panel_index", "roi",    "roi_index", "series", "key_index",
                                      "subject", "seed",  "layer",       "x",      "r",         "ci_low", "ci_high",
                                      "x_to",    "r_to",  "n_subject",   "n_seed", "n_voxel"};
enum { N_COLUMN = sizeof columns / sizeof *columns };

static bt_status add_mark(const drawing *draw, const mark *m)
{
    enum { NUMBER = 32, N_REAL = 9, N_INDEX = 3 };
    char real[N_REAL][NUMBER], index[N_INDEX][NUMBER];
    const bt_series *const s = m->series < draw->all->n_series ? &draw->all->series[m->series] : NULL;
    const double reals[N_REAL] = {m->x,
                                  m->cell.value,
                                  m->cell.low,
                                  m->cell.high,
                                  m->x_to,
                                  m->r_to,
                                  m->cell.n_subject ? (double)m->cell.n_subject : NAN,
                                  m->cell.n_seed ? (double)m->cell.n_seed : NAN,
                                  m->cell.n_voxel > 0 ? m->cell.n_voxel : NAN};
    const size_t indices[N_INDEX] = {m->panel + 1, m->roi + 1, s ? bt_legend_index(&draw->legend, s) : 0};
    for (size_t i = 0; i < N_REAL; ++i) bt_table_print(reals[i], real[i], NUMBER);
    for (size_t i = 0; i < N_INDEX; ++i) (void)snprintf(index[i], NUMBER, "%zu", indices[i]);
    const char *const cells[N_COLUMN] = {m->kind,
                                         draw->models.items[m->panel],
                                         index[0],
                                         draw->all->rois.items[m->roi],
                                         index[1],
                                         s ? s->label : "",
                                         index[2],
                                         m->subject ? m->subject : "",
                                         m->seed ? m->seed : "",
                                         m->layer ? m->layer : "",
                                         real[0],
                                         real[1],
                                         real[2],
                                         real[3],
                                         real[4],
                                         real[5],
                                         real[6],
                                         real[7],
                                         real[8]};
    return bt_table_add_row(draw->csv, cells, N_COLUMN);
}

static mark start_mark(const char *kind, size_t panel, size_t roi, size_t series)
{
    return (mark){.kind = kind,
                  .panel = panel,
                  .roi = roi,
                  .series = series,
                  .x = NAN,
                  .x_to = NAN,
                  .r_to = NAN,
                  .cell = {.value = NAN, .low = NAN, .high = NAN}};
}

/* Where a subject's point stands in its bar. */
static double beside(const drawing *draw, size_t subject)
{
    const size_t n = draw->all->subjects.n;
    return n > 1 ? ((double)subject / ((double)n - 1) - 0.5) * 0.5 * draw->width : 0;
}

/* --- one bar ---------------------------------------------------------------------------------------------------------
 */

static bt_status add_seeds(drawing *draw, const mark *at, size_t subject, double x)
{
    bt_status status = BT_OK;
    const bt_selection *const all = draw->all;
    const size_t layer = bt_selection_layer(all, at->layer);
    for (size_t seed = 0; seed < all->seeds.n; ++seed) {
        const bt_measure *const one = bt_selection_measure(all, at->series, at->roi, layer, subject, seed);
        mark point = *at;
        if (!one->n_row) continue;
        point.kind = "seed";
        point.subject = all->subjects.items[subject];
        point.seed = all->seeds.items[seed];
        point.x = x;
        point.cell = (bt_cell){.value = one->value, .low = NAN, .high = NAN, .n_voxel = one->n_voxel};
        BT_TRY(add_mark(draw, &point));
        draw->has_seeds = true;
    }
cleanup:
    return status;
}

static bt_status add_points(drawing *draw, const mark *bar)
{
    bt_status status = BT_OK;
    const bt_selection *const all = draw->all;
    for (size_t i = 0; i < all->subjects.n; ++i) {
        mark point = *bar;
        point.kind = "subject";
        point.subject = all->subjects.items[i];
        point.x = bar->x + beside(draw, i);
        point.cell = bt_selection_cell(all, bar->series, i, bar->roi, bar->layer);
        point.cell.low = point.cell.high = NAN; /* over voxels; not drawn */
        if (!point.cell.n_subject) continue;
        if (point.cell.n_seed > 1) BT_TRY(add_seeds(draw, bar, i, point.x));
        BT_TRY(add_mark(draw, &point));
    }
cleanup:
    return status;
}

/* A star where the bar differs from its model's base. */
static bt_status add_star(drawing *draw, const mark *bar)
{
    bt_status status = BT_OK;
    double top = fmax(bar->cell.value, isnan(bar->cell.high) ? bar->cell.value : bar->cell.high);
    for (size_t i = 0; i < draw->tests->n; ++i) {
        const bt_test *const test = &draw->tests->items[i];
        if (test->kind != BT_TEST_WILCOXON || test->of.a != bar->series || test->roi != bar->roi ||
            draw->all->series[test->of.b].is_tuned || !(test->p_holm <= 0.05))
            continue;
        mark star = *bar;
        for (size_t s = 0; s < draw->all->subjects.n; ++s) {
            const bt_cell one = bt_selection_cell(draw->all, bar->series, s, bar->roi, bar->layer);
            if (one.n_subject) top = fmax(top, one.value);
        }
        star.kind = "star";
        star.cell = (bt_cell){.value = top, .low = NAN, .high = NAN};
        BT_TRY(add_mark(draw, &star));
        ++draw->n_star;
    }
cleanup:
    return status;
}

static bt_status add_missing(drawing *draw, mark *bar)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    bar->kind = "missing";
    BT_TRY(add_mark(draw, bar));
    ++draw->n_hatched;
    BT_TRY(bt_text_add(&text, "%s in %s", draw->all->series[bar->series].label, draw->all->rois.items[bar->roi]));
    if (!bt_names_have(&draw->missing, text.data)) BT_TRY(bt_names_add(&draw->missing, text.data));
cleanup:
    bt_text_clear(&text);
    return status;
}

static bt_status add_bar(drawing *draw, size_t panel, size_t roi, size_t series, double x)
{
    bt_status status = BT_OK;
    mark bar = start_mark("bar", panel, roi, series);
    bar.x = x;
    bar.layer = draw->all->series[series].layer;
    bar.cell = bt_selection_cell(draw->all, series, BT_ALL, roi, bar.layer);
    if (!bar.cell.n_subject) return add_missing(draw, &bar);
    draw->over_subjects = draw->over_subjects || bar.cell.over_subjects;
    BT_TRY(add_mark(draw, &bar));
    BT_TRY(add_points(draw, &bar));
    BT_TRY(add_star(draw, &bar));
cleanup:
    return status;
}

/* --- one ROI of one panel --------------------------------------------------------------------------------------------
 */

/* The next series of the panel's model from `series` on that has a value of this subject; n_series when none has. */
static size_t next_of_subject(const drawing *draw, size_t panel, size_t roi, size_t series, size_t subject)
{
    const bt_selection *const all = draw->all;
    for (; series < all->n_series; ++series)
        if (!all->series[series].is_control && bt_figure_shows(&all->series[series], draw->models.items[panel]) &&
            bt_selection_cell(all, series, subject, roi, all->series[series].layer).n_subject)
            return series;
    return series;
}

/* Thin lines that join one subject's points, from bar to bar. */
static bt_status add_pairs(drawing *draw, size_t panel, size_t roi, size_t subject)
{
    bt_status status = BT_OK;
    const bt_selection *const all = draw->all;
    for (size_t a = next_of_subject(draw, panel, roi, 0, subject), b; a < all->n_series; a = b) {
        b = next_of_subject(draw, panel, roi, a + 1, subject);
        if (b == all->n_series) break;
        mark line = start_mark("pair", panel, roi, a);
        line.subject = all->subjects.items[subject];
        line.layer = all->series[a].layer;
        line.cell.value = bt_selection_cell(all, a, subject, roi, line.layer).value;
        line.x = draw->place[a] + beside(draw, subject);
        line.x_to = draw->place[b] + beside(draw, subject);
        line.r_to = bt_selection_cell(all, b, subject, roi, all->series[b].layer).value;
        BT_TRY(add_mark(draw, &line));
    }
cleanup:
    return status;
}

static bt_status add_roi(drawing *draw, size_t panel, size_t roi)
{
    bt_status status = BT_OK;
    const bt_selection *const all = draw->all;
    size_t n = 0, slot = 0;
    for (size_t i = 0; i < all->n_series; ++i) n += bt_figure_shows(&all->series[i], draw->models.items[panel]);
    for (size_t i = 0; i < all->n_series; ++i)
        if (bt_figure_shows(&all->series[i], draw->models.items[panel]))
            draw->place[i] = (double)roi + draw->width * ((double)slot++ - ((double)n - 1) / 2);
    for (size_t i = 0; i < all->n_series; ++i)
        if (bt_figure_shows(&all->series[i], draw->models.items[panel]))
            BT_TRY(add_bar(draw, panel, roi, i, draw->place[i]));
    for (size_t i = 0; i < all->subjects.n; ++i) BT_TRY(add_pairs(draw, panel, roi, i));
    mark ceiling = start_mark("ceiling", panel, roi, all->n_series);
    ceiling.x = (double)roi;
    ceiling.cell = bt_selection_cell(all, all->n_series, BT_ALL, roi, "");
    if (!ceiling.cell.n_subject || strcmp(all->query.metric, "r") != 0) goto cleanup;
    draw->has_ceiling = true;
    BT_TRY(add_mark(draw, &ceiling));
cleanup:
    return status;
}

static bt_status add_numbers(drawing *draw)
{
    bt_status status = BT_OK;
    BT_TRY(bt_table_add_row(draw->csv, columns, N_COLUMN));
    for (size_t panel = 0; panel < draw->models.n; ++panel)
        for (size_t roi = 0; roi < draw->all->rois.n; ++roi) BT_TRY(add_roi(draw, panel, roi));
cleanup:
    return status;
}

/* --- layout ----------------------------------------------------------------------------------------------------------
 */

/* ROI names break at '_'. Lengths in characters. */
typedef struct {
    size_t longest, longest_word, lines;
} label_size;

static label_size measure_labels(const bt_names *rois)
{
    label_size size = {0};
    for (size_t i = 0; i < rois->n; ++i) {
        size_t lines = 0;
        if (strlen(rois->items[i]) > size.longest) size.longest = strlen(rois->items[i]);
        for (const char *at = rois->items[i]; *at; ++lines) {
            const size_t word = strcspn(at, "_");
            if (word > size.longest_word) size.longest_word = word;
            at += word + (at[word] == '_');
        }
        if (lines > size.lines) size.lines = lines;
    }
    return size;
}

/* One column of a journal, or two; panels side by side while their bars can be told apart, else below each other. */
static bt_status add_script(const drawing *draw, bt_text *script)
{
    bt_status status = BT_OK;
    enum { CROWDED = 14, FULL = 48 }; /* bars in 8.9 cm, in 18.3 cm */
    const size_t n_panel = draw->models.n, n_roi = draw->all->rois.n, n_bar = n_roi * draw->n_slot;
    const bool wide = n_panel * n_bar > CROWDED || n_roi > 6;
    const size_t most = n_bar > FULL ? 1 : FULL / n_bar, n_column = n_panel < most ? n_panel : most;
    const double per_roi = (wide ? 16.5 : 7.2) / (double)(n_roi * n_column); /* cm */
    const label_size label = measure_labels(&draw->all->rois);
    const bool turned = 0.135 * (double)label.longest_word > per_roi;
    BT_TRY(bt_text_add(script,
                       "n_panel = %zu; n_column = %zu; n_roi = %zu; bar_width = %.9g; wide = %d; turned = %d; "
                       "label_lines = %zu; metric = \"%s\"; n_missing = %zu; ",
                       n_panel, n_column, n_roi, draw->width, wide, turned,
                       turned ? (label.longest + 4) / 5 : label.lines, draw->all->query.metric, draw->n_hatched));
    BT_TRY(bt_figure_texts(script, "roi", &draw->all->rois, turned ? ' ' : '\n'));
    BT_TRY(bt_figure_texts(script, "panel", &draw->models, '_'));
    BT_TRY(bt_legend_script(&draw->legend, script));
cleanup:
    return status;
}

/* --- caption ---------------------------------------------------------------------------------------------------------
 */

static bt_status add_bars(const drawing *draw, bt_text *caption)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(caption, " Bars%s, from left to right:", draw->models.n > 1 ? " (a panel per model)" : ""));
    for (size_t i = 0; i < draw->legend.n; ++i)
        BT_TRY(bt_text_add(caption, "%s %s%s", i ? ";" : "", draw->legend.items[i]->is_control ? "control: " : "",
                           draw->legend.items[i]->what));
    BT_TRY(bt_text_add(caption, ". Circles: single subjects%s, joined from bar to bar by thin lines%s.",
                       draw->has_seeds ? " (mean over seeds)" : "",
                       draw->has_seeds ? "; dots: single seeds of a subject" : ""));
    if (draw->has_ceiling) BT_TRY(bt_text_add(caption, " %s", bt_caption_ceiling));
    if (draw->n_hatched) BT_TRY(bt_text_add(caption, " Hatched, of no height that means anything: missing."));
cleanup:
    return status;
}

static bt_status add_statistics(const drawing *draw, bt_text *caption)
{
    bt_status status = BT_OK;
    size_t n_test = 0, n_hopeless = 0, n_pair = 0, holm = 0;
    for (size_t i = 0; i < draw->tests->n; ++i) {
        const bt_test *const test = &draw->tests->items[i];
        if (test->kind != BT_TEST_WILCOXON) continue;
        ++n_test;
        n_hopeless += bt_test_is_hopeless(test);
        if (test->n_pair > n_pair) n_pair = test->n_pair;
        if (test->holm_size > holm) holm = test->holm_size;
    }
    BT_TRY(bt_text_add(caption, "%s",
                       draw->over_subjects
                           ? " Error bars: 95 % intervals over subjects (Student's t)."
                           : " Error bars: 95 % intervals over voxels taken as independent, since there are fewer than "
                             "5 subjects; they say nothing of other subjects."));
    if (!n_test) goto cleanup;
    BT_TRY(bt_text_add(caption,
                       " Tests: Wilcoxon's signed-rank test, paired, exact, two-sided, over up to %zu subjects; Holm's "
                       "correction within each comparison of two objectives over models and ROIs (up to %zu tests).",
                       n_pair, holm));
    if (n_hopeless == n_test)
        BT_TRY(bt_text_add(caption, " No difference can be significant at this n."));
    else
        BT_TRY(bt_text_add(caption, " Stars: corrected p <= 0.05 against the base model (%zu)%s.", draw->n_star,
                           n_hopeless ? "; some tests cannot be significant at their n" : ""));
cleanup:
    return status;
}

static bt_status add_caption(const drawing *draw, bt_text *caption)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(caption, "Alignment by ROI: "));
    BT_TRY(bt_caption_measure(draw->all, caption));
    BT_TRY(add_bars(draw, caption));
    BT_TRY(bt_caption_layers(draw->all, caption));
    BT_TRY(bt_caption_subjects(draw->all, caption));
    BT_TRY(add_statistics(draw, caption));
    BT_TRY(bt_caption_conditions(draw->all, caption));
    BT_TRY(bt_caption_missing(draw->all, &draw->missing, caption));
    BT_TRY(bt_text_add(caption, "\n"));
cleanup:
    return status;
}

static void measure_panels(drawing *draw)
{
    for (size_t panel = 0; panel < draw->models.n; ++panel) {
        size_t n = 0;
        for (size_t i = 0; i < draw->all->n_series; ++i)
            n += bt_figure_shows(&draw->all->series[i], draw->models.items[panel]);
        if (n > draw->n_slot) draw->n_slot = n;
    }
    draw->width = group_width / (double)draw->n_slot;
}

bt_status bt_figure_by_roi(const bt_figure_source *source, bt_figure *out)
{
    bt_status status = BT_OK;
    drawing draw = {.all = source->selection, .tests = source->tests, .csv = &out->csv};
    if (!source->selection) return BT_OK;
    BT_TRY(bt_figure_models(draw.all, false, &draw.models));
    BT_TRY(bt_legend_create(draw.all, false, &draw.legend));
    BT_ALLOC(draw.place, draw.all->n_series);
    measure_panels(&draw);
    BT_TRY(add_numbers(&draw));
    BT_TRY(add_script(&draw, &out->script));
    BT_TRY(add_caption(&draw, &out->caption));
    if (draw.tests->n) BT_TRY(bt_tests_text(draw.all, draw.tests, BT_TEST_WILCOXON, &out->tests));
cleanup:
    bt_free(draw.place);
    bt_legend_clear(&draw.legend);
    bt_names_clear(&draw.models);
    bt_names_clear(&draw.missing);
    return status;
}
