/* The small printed table of quickstart. */
#ifndef BT_REPORTING_SUMMARY_H
#define BT_REPORTING_SUMMARY_H

#include "base/status.h"
#include "base/text.h"

/* Adds to `out`: alignment (mean r over voxels, 95 % interval) by layer (lines) and ROI (columns) of each model in
 * table_csv, then its mean over the upper layers, the controls, the noise ceiling; where models were tuned, the paired
 * differences between objectives (mean and 95 % interval over seeds x subjects, each seed); and how to read it. */
bt_status bt_summary(const char *table_csv, bt_text *out) BT_MUST_CHECK;

#endif
