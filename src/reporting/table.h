/* The tidy table of results, results/table.csv: comment lines that begin with '#', a line of column names, one number
 * per row. Any CSV of that form is read (quoted cells, CRLF);
 * cells of a .tsv are parted by tabs. */
#ifndef BT_REPORTING_TABLE_H
#define BT_REPORTING_TABLE_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* What stands in a row, in order; an empty cell does not apply. */
enum {
    BT_COLUMN_EXPERIMENT,
    BT_COLUMN_PRESET,
    BT_COLUMN_STAGE,
    BT_COLUMN_FAMILY,
    BT_COLUMN_MODEL,
    BT_COLUMN_OBJECTIVE,
    BT_COLUMN_TARGET,
    BT_COLUMN_TUNED_SUBJECT,
    BT_COLUMN_SUBJECT,
    BT_COLUMN_SEED,
    BT_COLUMN_EPOCH,
    BT_COLUMN_LAYER,
    BT_COLUMN_SPACE,
    BT_COLUMN_ROI,
    BT_COLUMN_HEMISPHERE,
    BT_COLUMN_REMOVED,
    BT_COLUMN_TASK,
    BT_COLUMN_SPLIT,
    BT_COLUMN_METRIC,
    BT_COLUMN_VALUE,
    BT_COLUMN_SE,
    BT_COLUMN_CI_LOW,
    BT_COLUMN_CI_HIGH,
    BT_COLUMN_N,
    BT_COLUMN_N_DROPPED,
    BT_COLUMN_N_ITEM,
    BT_COLUMN_ARTEFACT,
    BT_COLUMN_ENTRY,  /* of the experiment's file: "encode.alignment"; several joined by ';' */
    BT_COLUMN_SET,    /* of models there: "brain", "one-roi"; several joined by ';' */
    BT_COLUMN_ORIGIN, /* how the model came about, in words: "simulated pre-training" */
    BT_COLUMN_COUNT
};
extern const char *const bt_table_columns[BT_COLUMN_COUNT];

typedef struct {
    bt_names comments; /* with their '#' */
    bt_names columns;
    size_t n_row, capacity;
    char *text;         /* the file, cut into cells where it lies */
    const char **cells; /* (n_row, n_column) */
} bt_table;

/* Errors: BT_ERR_INPUT naming file and line: no header, a row of another length, a quote that is never closed. */
bt_status bt_table_read(const char *path, bt_table *out) BT_MUST_CHECK;
/* The same of a text, which the table takes over on success and frees on failure; `name` is for messages. */
bt_status bt_table_parse(const char *name, char *text, char separator, bt_table *out) BT_MUST_CHECK;
void bt_table_clear(bt_table *table);
/* BT_ERR_INPUT naming the file unless the table has all the columns of bt_table_columns. */
bt_status bt_table_check(const bt_table *table, const char *path) BT_MUST_CHECK;

size_t bt_table_column(const bt_table *table, const char *column);         /* SIZE_MAX when there is no such column */
const char *bt_table_at(const bt_table *table, size_t row, size_t column); /* "" for SIZE_MAX */
const char *bt_table_cell(const bt_table *table, size_t row, const char *column);
double bt_table_number(const bt_table *table, size_t row, const char *column);  /* NAN when empty */
double bt_table_value(const char *cell);                                        /* NAN when it is no number */
bool bt_table_has(const bt_table *table, const char *column, const char *cell); /* in any row */
/* True when `item` is one of those that a cell joins by ';'. */
bool bt_table_cell_has(const char *cell, const char *item);

/* Adds one line; cells that need it are quoted. */
bt_status bt_table_add_row(bt_text *out, const char *const *cells, size_t n) BT_MUST_CHECK;
/* A number in the shortest of %.9g; not finite: "". `text` holds at least 32. */
void bt_table_print(double value, char *text, size_t size);

#endif
