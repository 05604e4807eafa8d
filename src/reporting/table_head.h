/* The comment lines of results/table.csv. */
#ifndef BT_REPORTING_TABLE_HEAD_H
#define BT_REPORTING_TABLE_HEAD_H

#include "base/status.h"
#include "base/text.h"
#include "reporting/score_file.h"
#include "reporting/tuning_file.h"

/* What changes rows; experiment and groups may be NULL. */
typedef struct {
    const char *experiment;
    double above;
    bt_roi_rule rule;
    const bt_name_lists *groups;
    const bt_names *hemispheres;
} bt_table_settings;

/* The first line, without its end: format and settings. Rows of a table with another first line are not taken over. */
bt_status bt_table_identity(const bt_table_settings *made, bt_text *out) BT_MUST_CHECK;
/* The other lines: every metric that occurs in `rows` (CSV lines in the order of bt_table_columns), how ROI scores and
 * intervals are made, and `remarks`. */
bt_status bt_table_head(const bt_names *remarks, bt_roi_rule rule, double above, const char *rows,
                        bt_text *out) BT_MUST_CHECK;

/* What one artefact says of its scores and stories, each remark once: "score: ...", "stories: ...". */
bt_status bt_table_remark_scores(const bt_score_file *scores, bt_names *remarks) BT_MUST_CHECK;
bt_status bt_table_remark_tuning(const bt_tuning_file *tuning, bt_names *remarks) BT_MUST_CHECK;

#endif
