/* results/tests.csv: paired comparisons, one a row; comment lines that begin with '#' define the tests. */
#ifndef BT_REPORTING_TESTS_TABLE_H
#define BT_REPORTING_TESTS_TABLE_H

#include "base/status.h"
#include "base/text.h"
#include "reporting/paired_tests.h"

/* Reads FOLDER/table.csv and writes FOLDER/tests.csv, atomically: everything that can be compared there, with r and the
 * mean over the upper half of the layers. Without scores it holds its head alone. */
bt_status bt_tests_write(const char *folder) BT_MUST_CHECK;

/* The whole text of such a file, of one kind of test or of all (only < 0). */
bt_status bt_tests_text(const bt_selection *selection, const bt_tests *tests, int only, bt_text *out) BT_MUST_CHECK;

#endif
