/* The tidy table of results, results/table.csv: comment lines that begin with '#', a line of column names, one number
 * per row. Any CSV of that form is read (quoted cells, CRLF);
 * cells of a .tsv are parted by tabs. */
#ifndef BT_REPORTING_TABLE_H
#define BT_REPORTING_TABLE_H

#include "base/status.h"
#include "base/text.h"

#include <stddef.h>

/* The columns of SCIENCE 3.1, in order; an empty cell does not apply. */
extern const char *const bt_table_columns[];
extern const size_t bt_table_columns_count;

typedef struct {
    bt_names comments; /* with their '#' */
    bt_names columns;
    size_t n_row;
    bt_names cells; /* (n_row, n_column) */
} bt_table;

/* Errors: BT_ERR_INPUT naming file and line: no header, a row of another length, a quote that is never closed. */
bt_status bt_table_read(const char *path, bt_table *out) BT_MUST_CHECK;
void bt_table_clear(bt_table *table);
/* BT_ERR_INPUT naming the file unless the table has all the columns of bt_table_columns. */
bt_status bt_table_check(const bt_table *table, const char *path) BT_MUST_CHECK;

const char *bt_table_cell(const bt_table *table, size_t row, const char *column); /* "" when there is no such column */
double bt_table_number(const bt_table *table, size_t row, const char *column);    /* NAN when empty */

/* Adds one line; cells that need it are quoted. */
bt_status bt_table_add_row(bt_text *out, const char *const *cells, size_t n) BT_MUST_CHECK;
/* A number in the shortest of %.9g; not finite: "". `text` holds at least 32. */
void bt_table_print(double value, char *text, size_t size);

#endif
