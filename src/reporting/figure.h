/* One figure: the numbers that are drawn, a caption that says how they were chosen, and what its gnuplot script needs.
 */
#ifndef BT_REPORTING_FIGURE_H
#define BT_REPORTING_FIGURE_H

#include "base/status.h"
#include "base/text.h"
#include "reporting/selection.h"

typedef struct {
    bt_text csv;     /* exactly what is drawn */
    bt_text caption; /* one paragraph */
    bt_text script;  /* gnuplot statements that set its variables */
} bt_figure;

/* Zero-initialised figures are filled; bt_figure_clear afterwards, also on failure. */
bt_status bt_figure_by_roi(const bt_selection *selection,
                           bt_figure *out) BT_MUST_CHECK; /* analysis/alignment_by_roi.gp */
bt_status bt_figure_by_layer(const bt_selection *selection,
                             bt_figure *out) BT_MUST_CHECK; /* analysis/alignment_by_layer.gp */
void bt_figure_clear(bt_figure *figure);

/* NAME = "text" with gnuplot's escapes; `breaks`: '_' becomes a line break. */
bt_status bt_figure_text(bt_text *script, const char *text, bool breaks) BT_MUST_CHECK;
/* array NAME[n] = [...] of the texts. */
bt_status bt_figure_texts(bt_text *script, const char *name, const bt_names *texts, bool breaks) BT_MUST_CHECK;
/* Sentences that both captions share: subjects, voxels, intervals, missing cells. */
bt_status bt_figure_conditions(const bt_selection *selection, bool over_subjects, bt_text *caption) BT_MUST_CHECK;

#endif
