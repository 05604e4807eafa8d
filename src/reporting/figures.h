/* `braintune figures`: the table's figures as PDF, PNG, the CSV each one drew, and its caption. One rank; needs no MPI.
 */
#ifndef BT_REPORTING_FIGURES_H
#define BT_REPORTING_FIGURES_H

#include "store/stage.h"

/* results=DIR out=DIR (default RESULTS/figures) -> alignment_by_roi and alignment_by_layer as .pdf, .png, .csv, .txt.
 */
extern const bt_stage bt_figures_stage;

const char *bt_figure_name(size_t index); /* what draw= may name; NULL behind the last */

#endif
