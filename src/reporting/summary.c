#include "reporting/summary.h"

#include "reporting/selection.h"

#include <stdio.h>
#include <string.h>

enum { LABEL_WIDTH = 32, CELL_WIDTH = 25, ROIS_A_LINE = 4 };

typedef struct {
    const bt_selection *all;
    size_t first, last; /* ROIs of this block of columns */
    bt_text *out;
    bool over_subjects;
} block;

/* `text` is cut to its column with "..". */
static bt_status add_label(bt_text *out, const char *text)
{
    if (strlen(text) < LABEL_WIDTH) return bt_text_add(out, "%-*s", LABEL_WIDTH, text);
    return bt_text_add(out, "%.*s.. ", LABEL_WIDTH - 3, text);
}

static bt_status end_line(bt_text *out)
{
    while (out->length && out->data[out->length - 1] == ' ') out->data[--out->length] = '\0';
    return bt_text_add(out, "\n");
}

static bt_status add_line(block *b, const char *label, const bt_series *series, const char *layer)
{
    bt_status status = BT_OK;
    char text[64];
    BT_TRY(add_label(b->out, label));
    for (size_t roi = b->first; roi < b->last; ++roi) {
        const bt_cell cell = bt_selection_cell(b->all, series, NULL, b->all->rois.items[roi], layer);
        if (cell.n_subject)
            (void)snprintf(text, sizeof text, "%6.3f [%.3f, %.3f]", cell.value, cell.low, cell.high);
        else
            (void)snprintf(text, sizeof text, "%6s", "-");
        b->over_subjects = b->over_subjects || cell.over_subjects;
        BT_TRY(bt_text_add(b->out, "%-*s", CELL_WIDTH, text));
    }
    BT_TRY(end_line(b->out));
cleanup:
    return status;
}

static bt_status add_series(block *b, const bt_series *series)
{
    bt_status status = BT_OK;
    char label[64];
    if (!series->has_layers) {
        BT_TRY(add_line(b, series->label, series, series->layer));
        goto cleanup;
    }
    BT_TRY(bt_text_add(b->out, "%s\n", series->label));
    for (size_t i = 0; i < b->all->layers.n; ++i) {
        (void)snprintf(label, sizeof label, "  layer %s", b->all->layers.items[i]);
        BT_TRY(add_line(b, label, series, b->all->layers.items[i]));
    }
    if (bt_starts_with(series->layer, "mean:")) {
        (void)snprintf(label, sizeof label, "  mean of layers %s", series->layer + strlen("mean:"));
        BT_TRY(add_line(b, label, series, series->layer));
    }
cleanup:
    return status;
}

static bt_status add_block(block *b)
{
    bt_status status = BT_OK;
    BT_TRY(add_label(b->out, ""));
    for (size_t roi = b->first; roi < b->last; ++roi)
        BT_TRY(bt_text_add(b->out, " %-*s", CELL_WIDTH - 1, b->all->rois.items[roi]));
    BT_TRY(end_line(b->out));
    for (size_t i = 0; i < b->all->n_series; ++i) BT_TRY(add_series(b, &b->all->series[i]));
    BT_TRY(add_line(b, "noise ceiling (cc_max)", NULL, ""));
cleanup:
    return status;
}

static bt_status add_notes(const block *b)
{
    bt_status status = BT_OK;
    const size_t n = b->all->subjects.n;
    BT_TRY(bt_text_add(b->out,
                       "r: mean over the ROI's voxels of the correlation between predicted and measured responses to "
                       "the test story; mean over %zu subject%s",
                       n, n == 1 ? "" : "s"));
    for (size_t i = 0; i < n; ++i)
        if (b->all->subjects.items[i][0])
            BT_TRY(bt_text_add(b->out, "%s %s", i ? "," : ":", b->all->subjects.items[i]));
    BT_TRY(bt_text_add(b->out, "\n[low, high]: 95 %% interval over %s\n",
                       b->over_subjects ? "subjects (Student's t)" : "voxels, taken as independent"));
cleanup:
    return status;
}

bt_status bt_summary(const char *table_csv, bt_text *out)
{
    bt_status status = BT_OK;
    bt_table table = {0};
    bt_selection selection = {0};
    BT_CHECK(bt_path_exists(table_csv), BT_ERR_INPUT, "%s: no such table; run `braintune collect` first", table_csv);
    BT_TRY(bt_table_read(table_csv, &table));
    BT_TRY(bt_table_check(&table, table_csv));
    BT_TRY(bt_selection_create(&table, table_csv, &selection));
    block b = {.all = &selection, .out = out};
    for (; b.first < selection.rois.n; b.first = b.last) {
        b.last = b.first + ROIS_A_LINE < selection.rois.n ? b.first + ROIS_A_LINE : selection.rois.n;
        BT_TRY(add_block(&b));
        BT_TRY(bt_text_add(out, "\n"));
    }
    BT_TRY(add_notes(&b));
cleanup:
    bt_selection_clear(&selection);
    bt_table_clear(&table);
    return status;
}
