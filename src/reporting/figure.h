/* One figure: the numbers that are drawn, a caption that says how they were chosen, and what its gnuplot script needs.
 */
#ifndef BT_REPORTING_FIGURE_H
#define BT_REPORTING_FIGURE_H

#include "base/status.h"
#include "base/text.h"
#include "reporting/paired_tests.h"
#include "reporting/selection.h"

typedef struct {
    bt_text csv;     /* exactly what is drawn; empty: there is nothing to draw */
    bt_text caption; /* one paragraph */
    bt_text script;  /* gnuplot statements that set its variables */
    bt_text tests;   /* of what is drawn, as CSV; empty where nothing is tested */
} bt_figure;

/* What figures are made from; borrowed. */
typedef struct {
    const bt_table *table;
    const bt_query *query;
    const bt_selection *selection; /* NULL when the table holds no scores */
    const bt_tests *tests;         /* of the selection */
} bt_figure_source;

/* Zero-initialised figures are filled; bt_figure_clear afterwards, also on failure. Each has its script
 * analysis/NAME.gp. */
bt_status bt_figure_by_roi(const bt_figure_source *source, bt_figure *out) BT_MUST_CHECK;
bt_status bt_figure_by_layer(const bt_figure_source *source, bt_figure *out) BT_MUST_CHECK;
bt_status bt_figure_losses(const bt_figure_source *source, bt_figure *out) BT_MUST_CHECK;
void bt_figure_clear(bt_figure *figure);

/* "text" with gnuplot's escapes; each '_' becomes `joint`: '_' itself, a blank, a line break. */
bt_status bt_figure_text(bt_text *script, const char *text, char joint) BT_MUST_CHECK;
/* array NAME[n] = [...] of the texts; NAME_count = n. */
bt_status bt_figure_texts(bt_text *script, const char *name, const bt_names *texts, char joint) BT_MUST_CHECK;

/* The legend: what series of all models are called, each once. */
typedef struct {
    size_t n, capacity;
    const bt_series **items; /* the first series of each name and colour; borrowed */
} bt_legend;

bt_status bt_legend_create(const bt_selection *selection, bool layered_only, bt_legend *out) BT_MUST_CHECK;
void bt_legend_clear(bt_legend *legend);
size_t bt_legend_index(const bt_legend *legend, const bt_series *series); /* from 1; 0 when it is not there */
/* key[], colour[], shade[] for the script. */
bt_status bt_legend_script(const bt_legend *legend, bt_text *script) BT_MUST_CHECK;

/* The models that a figure has a panel for: those with layers, or all when `layered_only` is false and none has. */
bt_status bt_figure_models(const bt_selection *selection, bool layered_only, bt_names *models) BT_MUST_CHECK;
/* True for a series that is drawn in a model's panel: the model's own, and controls. */
bool bt_figure_shows(const bt_series *series, const char *model);

/* Sentences that captions share. */
extern const char bt_caption_ceiling[];
bt_status bt_caption_measure(const bt_selection *selection, bt_text *caption) BT_MUST_CHECK; /* what the number is */
bt_status bt_caption_layers(const bt_selection *selection, bt_text *caption) BT_MUST_CHECK; /* the rule of each model */
bt_status bt_caption_conditions(const bt_selection *selection,
                                bt_text *caption) BT_MUST_CHECK; /* ROIs, voxels, stories */
bt_status bt_caption_subjects(const bt_selection *selection, bt_text *caption) BT_MUST_CHECK;
bt_status bt_caption_missing(const bt_selection *selection, const bt_names *cells, bt_text *caption) BT_MUST_CHECK;
/* " KEY: ..." of the table's head, each once, as sentences. */
bt_status bt_caption_remarks(const bt_table *table, const char *key, bt_text *caption) BT_MUST_CHECK;

#endif
