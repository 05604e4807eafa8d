/* Runs a gnuplot script without a display. */
#ifndef BT_REPORTING_GNUPLOT_H
#define BT_REPORTING_GNUPLOT_H

#include "base/status.h"

/* The script analysis/NAME.gp: below $BRAINTUNE_ANALYSIS, the source tree that this program was built from, or a folder
 * analysis above the program or in ../share/braintune. *path is a new string. BT_ERR_FILE names BRAINTUNE_ANALYSIS. */
bt_status bt_gnuplot_find(const char *name, char **path) BT_MUST_CHECK;

/* gnuplot -e `statements` SCRIPT. BT_ERR_FILE: gnuplot is not installed (names the package), or failed (its own words).
 */
bt_status bt_gnuplot_run(const char *script, const char *statements, const char *scratch) BT_MUST_CHECK;

#endif
