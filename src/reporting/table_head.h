/* The comment lines of results/table.csv. */
#ifndef BT_REPORTING_TABLE_HEAD_H
#define BT_REPORTING_TABLE_HEAD_H

#include "base/status.h"
#include "base/text.h"

/* The first line, without its end: format and the settings that change rows. Rows of a table with another first line
 * are not taken over. `experiment` may be NULL. */
bt_status bt_table_identity(const char *experiment, double above, bt_text *out) BT_MUST_CHECK;
/* The other lines: every metric that occurs in `rows` (CSV lines in the order of bt_table_columns), how ROI scores and
 * intervals are made, and `definitions` (the score files' own words). */
bt_status bt_table_head(const bt_names *definitions, double above, const char *rows, bt_text *out) BT_MUST_CHECK;

#endif
