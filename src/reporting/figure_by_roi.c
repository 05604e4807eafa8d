/* Bars of alignment per ROI and series, single subjects over them, the noise ceiling above. */
#include "reporting/figure.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double group_width = 0.8; /* of the distance between two ROIs */

typedef struct {
    const bt_selection *selection;
    double width; /* of a bar */
    bt_text *csv;
    bool over_subjects;
    bt_names missing; /* "ROI of SERIES" */
} drawing;

static double place(const drawing *draw, size_t roi, size_t series)
{
    return (double)roi + draw->width * ((double)series - ((double)draw->selection->n_series - 1) / 2);
}

static bt_status add_row(const drawing *draw, const char *kind, size_t roi, size_t series, const char *subject,
                         const char *layer, double x, const bt_cell *cell)
{
    enum { NUMBER = 32 };
    char number[6][NUMBER];
    const bt_series *const s = series < draw->selection->n_series ? &draw->selection->series[series] : NULL;
    const double values[] = {x, cell->value, cell->low, cell->high, cell->n_voxel};
    for (size_t i = 0; i < 5; ++i) bt_table_print(values[i], number[i], NUMBER);
    (void)snprintf(number[5], NUMBER, "%zu", s ? series + 1 : 0);
    const char *const cells[] = {kind,
                                 draw->selection->rois.items[roi],
                                 s ? s->label : "",
                                 number[5],
                                 subject,
                                 layer,
                                 number[0],
                                 number[1],
                                 number[2],
                                 number[3],
                                 number[4]};
    return bt_table_add_row(draw->csv, cells, sizeof cells / sizeof *cells);
}

static bt_status add_bar(drawing *draw, size_t roi, size_t series)
{
    bt_status status = BT_OK;
    bt_text missing = {0};
    const bt_selection *const all = draw->selection;
    const bt_series *const s = &all->series[series];
    const char *const name = all->rois.items[roi];
    const double x = place(draw, roi, series);
    const bt_cell mean = bt_selection_cell(all, s, NULL, name, s->layer);
    if (!mean.n_subject) {
        BT_TRY(bt_text_add(&missing, "%s in %s", s->label, name));
        BT_TRY(bt_names_add(&draw->missing, missing.data));
        goto cleanup;
    }
    draw->over_subjects = draw->over_subjects || mean.over_subjects;
    BT_TRY(add_row(draw, "bar", roi, series, "", s->layer, x, &mean));
    for (size_t i = 0; i < all->subjects.n; ++i) {
        const char *const subject = all->subjects.items[i];
        const bt_cell one = bt_selection_cell(all, s, subject, name, s->layer);
        const double spread = all->subjects.n > 1 ? ((double)i / ((double)all->subjects.n - 1) - 0.5) * 0.5 : 0.25;
        if (one.n_subject)
            BT_TRY(add_row(draw, "subject", roi, series, subject, s->layer, x + spread * draw->width, &one));
    }
cleanup:
    bt_text_clear(&missing);
    return status;
}

static bt_status add_numbers(drawing *draw)
{
    bt_status status = BT_OK;
    static const char *const columns[] = {"kind", "roi", "series", "series_index", "subject", "layer",
                                          "x",    "r",   "ci_low", "ci_high",      "n_voxel"};
    BT_TRY(bt_table_add_row(draw->csv, columns, sizeof columns / sizeof *columns));
    for (size_t roi = 0; roi < draw->selection->rois.n; ++roi) {
        for (size_t series = 0; series < draw->selection->n_series; ++series) BT_TRY(add_bar(draw, roi, series));
        const bt_cell ceiling = bt_selection_cell(draw->selection, NULL, NULL, draw->selection->rois.items[roi], "");
        if (ceiling.n_subject)
            BT_TRY(add_row(draw, "ceiling", roi, draw->selection->n_series, "", "", (double)roi, &ceiling));
    }
cleanup:
    return status;
}

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

static bt_status add_script(const drawing *draw, bt_text *script)
{
    bt_status status = BT_OK;
    enum { CROWDED = 14 }; /* bars beyond which the figure takes two columns */
    const bt_selection *const all = draw->selection;
    const bool wide = all->rois.n * all->n_series > CROWDED || all->rois.n > 6;
    const double per_roi = (wide ? 16.5 : 7.2) / (double)all->rois.n; /* cm */
    const label_size label = measure_labels(&all->rois);
    const bool turned = 0.15 * (double)label.longest_word > per_roi;
    BT_TRY(bt_text_add(
        script, "n_series = %zu; n_roi = %zu; bar_width = %.9g; wide = %d; turned = %d; label_lines = %zu; ",
        all->n_series, all->rois.n, draw->width, wide, turned, turned ? (label.longest + 3) / 4 : label.lines));
    BT_TRY(bt_figure_texts(script, "roi", &all->rois, !turned));
    BT_TRY(bt_text_add(script, "array series[%zu]; array colour[%zu]; array shade[%zu]; ", all->n_series, all->n_series,
                       all->n_series));
    for (size_t i = 0; i < all->n_series; ++i) {
        BT_TRY(bt_text_add(script, "colour[%zu] = %u; shade[%zu] = %g; series[%zu] = ", i + 1, all->series[i].colour,
                           i + 1, all->series[i].shade, i + 1));
        BT_TRY(bt_figure_text(script, all->series[i].label, false));
        BT_TRY(bt_text_add(script, "; "));
    }
cleanup:
    return status;
}

static bt_status add_caption(const drawing *draw, bt_text *caption)
{
    bt_status status = BT_OK;
    const bt_selection *const all = draw->selection;
    BT_TRY(bt_text_add(caption,
                       "Alignment by ROI: Pearson correlation r between predicted and measured responses to the test "
                       "story, not divided by the noise ceiling. Bars, from left to right:"));
    for (size_t i = 0; i < all->n_series; ++i) {
        const bt_series *const s = &all->series[i];
        BT_TRY(bt_text_add(caption, "%s %s", i ? ";" : "", s->label));
        if (bt_starts_with(s->layer, "mean:"))
            BT_TRY(bt_text_add(caption,
                               ", mean of each voxel's r over layers %s (the upper half of those fitted; no layer "
                               "was chosen by its test score)",
                               s->layer + strlen("mean:")));
        else if (*s->layer)
            BT_TRY(bt_text_add(caption, ", layer %s (the deepest fitted)", s->layer));
    }
    BT_TRY(bt_text_add(caption, ". Points: single subjects. Dashed: noise ceiling, the mean of cc_max over the same "
                                "voxels."));
    BT_TRY(bt_figure_conditions(all, draw->over_subjects, caption));
    for (size_t i = 0; i < draw->missing.n; ++i)
        BT_TRY(bt_text_add(caption, "%s%s", i ? ", " : " Missing: ", draw->missing.items[i]));
    BT_TRY(bt_text_add(caption, "%s\n", draw->missing.n ? "." : ""));
cleanup:
    return status;
}

bt_status bt_figure_by_roi(const bt_selection *selection, bt_figure *out)
{
    bt_status status = BT_OK;
    drawing draw = {.selection = selection, .width = group_width / (double)selection->n_series, .csv = &out->csv};
    BT_TRY(add_numbers(&draw));
    BT_TRY(add_script(&draw, &out->script));
    BT_TRY(add_caption(&draw, &out->caption));
cleanup:
    bt_names_clear(&draw.missing);
    return status;
}
