/* Lines of alignment over layers, one per ROI, one panel per model; ceilings dashed in the ROI's colour. */
#include "reporting/figure.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    const bt_selection *selection;
    bt_text *csv;
    bool over_subjects;
    size_t n_panel;
} drawing;

static bt_status add_row(const drawing *draw, const char *kind, size_t panel, size_t roi, const char *layer, double x,
                         const bt_cell *cell)
{
    enum { NUMBER = 32 };
    char number[6][NUMBER], place[NUMBER];
    const double values[] = {x, cell->value, cell->low, cell->high, cell->n_voxel};
    for (size_t i = 0; i < 5; ++i) bt_table_print(values[i], number[i], NUMBER);
    (void)snprintf(number[5], NUMBER, "%zu", panel + 1);
    (void)snprintf(place, sizeof place, "%zu", roi + 1);
    const char *const cells[] = {kind,      draw->selection->series[panel].label,
                                 number[5], draw->selection->rois.items[roi],
                                 place,     layer,
                                 number[0], number[1],
                                 number[2], number[3],
                                 number[4]};
    return bt_table_add_row(draw->csv, cells, sizeof cells / sizeof *cells);
}

/* One ROI's line; its points stand a little beside the layer's number so that error bars do not hide each other. */
static bt_status add_line(drawing *draw, size_t panel, size_t roi)
{
    bt_status status = BT_OK;
    const bt_selection *const all = draw->selection;
    const double beside = 0.05 * ((double)roi - ((double)all->rois.n - 1) / 2);
    for (size_t i = 0; i < all->layers.n; ++i) {
        const char *const layer = all->layers.items[i];
        const bt_cell cell = bt_selection_cell(all, &all->series[panel], NULL, all->rois.items[roi], layer);
        double x = 0;
        if (!cell.n_subject || sscanf(layer, "%lf", &x) != 1) continue;
        draw->over_subjects = draw->over_subjects || cell.over_subjects;
        BT_TRY(add_row(draw, "line", panel, roi, layer, x + beside, &cell));
    }
    const bt_cell ceiling = bt_selection_cell(all, NULL, NULL, all->rois.items[roi], "");
    if (ceiling.n_subject) BT_TRY(add_row(draw, "ceiling", panel, roi, "", 0, &ceiling));
cleanup:
    return status;
}

static bt_status add_script(const drawing *draw, bt_text *script)
{
    static const unsigned colours[] = {0x0072B2, 0xD55E00, 0x009E73, 0x999999, 0xE69F00, 0xCC79A7, 0x56B4E9, 0x000000};
    enum { N_COLOUR = sizeof colours / sizeof *colours };
    bt_status status = BT_OK;
    const bt_selection *const all = draw->selection;
    bt_names panels = {0};
    size_t longest = 0;
    for (size_t i = 0; i < all->rois.n; ++i)
        if (strlen(all->rois.items[i]) > longest) longest = strlen(all->rois.items[i]);
    for (size_t i = 0; i < draw->n_panel; ++i) BT_TRY(bt_names_add(&panels, all->series[i].label));
    BT_TRY(bt_text_add(
        script, "n_panel = %zu; n_roi = %zu; longest = %zu; layer_low = %s; layer_high = %s; array colour[%zu]; ",
        draw->n_panel, all->rois.n, longest, all->layers.items[0], all->layers.items[all->layers.n - 1], all->rois.n));
    for (size_t i = 0; i < all->rois.n; ++i)
        BT_TRY(bt_text_add(script, "colour[%zu] = %u; ", i + 1, colours[i % N_COLOUR]));
    BT_TRY(bt_figure_texts(script, "roi", &all->rois, false));
    BT_TRY(bt_figure_texts(script, "panel", &panels, false));
cleanup:
    bt_names_clear(&panels);
    return status;
}

bt_status bt_figure_by_layer(const bt_selection *selection, bt_figure *out)
{
    static const char *const columns[] = {"kind", "panel", "panel_index", "roi",     "roi_index", "layer",
                                          "x",    "r",     "ci_low",      "ci_high", "n_voxel"};
    bt_status status = BT_OK;
    drawing draw = {.selection = selection, .csv = &out->csv};
    while (draw.n_panel < selection->n_series && selection->series[draw.n_panel].has_layers) ++draw.n_panel;
    if (!draw.n_panel) goto cleanup;
    BT_TRY(bt_table_add_row(&out->csv, columns, sizeof columns / sizeof *columns));
    for (size_t panel = 0; panel < draw.n_panel; ++panel)
        for (size_t roi = 0; roi < selection->rois.n; ++roi) BT_TRY(add_line(&draw, panel, roi));
    BT_TRY(add_script(&draw, &out->script));
    BT_TRY(bt_text_add(&out->caption,
                       "Alignment by layer: Pearson correlation r between predicted and measured responses to the test "
                       "story, one line per ROI%s, not divided by the noise ceiling. Layer 0 is the encoder's input "
                       "embedding, then one per block. Points stand beside their layer's number so that intervals do "
                       "not hide each other. Dashed, in the ROI's colour: noise ceiling, the mean of cc_max.",
                       draw.n_panel > 1 ? " and one panel per model" : ""));
    BT_TRY(bt_figure_conditions(selection, draw.over_subjects, &out->caption));
    BT_TRY(bt_text_add(&out->caption, "\n"));
cleanup:
    return status;
}
