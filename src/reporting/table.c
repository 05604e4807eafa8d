#include "reporting/table.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const bt_table_columns[] = {
    "experiment", "preset", "stage", "family", "model",   "objective",  "target",    "tuned_subject", "subject",
    "seed",       "epoch",  "layer", "space",  "roi",     "hemisphere", "removed",   "task",          "split",
    "metric",     "value",  "se",    "ci_low", "ci_high", "n",          "n_dropped", "n_item",        "artefact",
};
const size_t bt_table_columns_count = sizeof bt_table_columns / sizeof *bt_table_columns;

/* Reads one cell from *at on; *at is then behind its separator, *last tells the end of the line. */
static bt_status read_cell(const char **at, char separator, bt_text *cell, bool *last)
{
    bt_status status = BT_OK;
    const char *p = *at;
    bool quoted = false;
    BT_TRY(bt_text_add(cell, "%s", ""));
    for (;; ++p) {
        BT_CHECK(!quoted || *p, BT_ERR_INPUT, "a quote that is never closed");
        if (*p == '"') {
            if (quoted && p[1] == '"')
                BT_TRY(bt_text_add_bytes(cell, p++, 1));
            else
                quoted = !quoted;
        } else if (!quoted && (*p == separator || *p == '\n' || *p == '\0')) {
            break;
        } else if (quoted || *p != '\r') {
            BT_TRY(bt_text_add_bytes(cell, p, 1));
        }
    }
    *last = *p != separator;
    *at = *p ? p + 1 : p;
cleanup:
    return status;
}

static bt_status read_line(const char **at, char separator, bt_names *cells, size_t *n)
{
    bt_status status = BT_OK;
    bt_text cell = {0};
    *n = 0;
    for (bool last = false; !last; ++*n) {
        cell.length = 0;
        BT_TRY(read_cell(at, separator, &cell, &last));
        BT_TRY(bt_names_add(cells, cell.data));
    }
cleanup:
    bt_text_clear(&cell);
    return status;
}

static bt_status read_comment(const char **at, bt_names *comments)
{
    const size_t length = strcspn(*at, "\r\n");
    bt_text line = {0};
    bt_status status = bt_text_add_bytes(&line, *at, length);
    if (status == BT_OK) status = bt_names_add(comments, line.data);
    bt_text_clear(&line);
    *at += length;
    *at += strspn(*at, "\r");
    if (**at == '\n') ++*at;
    return status;
}

static bt_status parse(const char *path, const char *text, bt_table *table)
{
    bt_status status = BT_OK;
    size_t line = 0, n = 0;
    const char separator = bt_ends_with(path, ".tsv") ? '\t' : ',';
    for (const char *at = text; *at; ++line) {
        if (*at == '#' && !table->columns.n) {
            BT_TRY(read_comment(&at, &table->comments));
        } else if (*at == '\n' || *at == '\r') {
            ++at;
        } else if (!table->columns.n) {
            BT_TRY(read_line(&at, separator, &table->columns, &n));
        } else {
            BT_TRY(read_line(&at, separator, &table->cells, &n));
            BT_CHECK(n == table->columns.n, BT_ERR_INPUT, "expected %zu cells as in the header, found %zu",
                     table->columns.n, n);
            ++table->n_row;
        }
    }
    BT_CHECK(table->columns.n, BT_ERR_INPUT, "no line of column names");
cleanup:
    if (status == BT_ERR_INPUT) (void)bt_fail_prefix(status, "%s:%zu", path, line + 1);
    return status;
}

bt_status bt_table_read(const char *path, bt_table *out)
{
    char *text = NULL;
    size_t size = 0;
    *out = (bt_table){0};
    bt_status status = bt_path_read(path, &text, &size);
    if (status == BT_OK) status = parse(path, text, out);
    bt_free(text);
    if (status != BT_OK) bt_table_clear(out);
    return status;
}

void bt_table_clear(bt_table *table)
{
    bt_names_clear(&table->comments);
    bt_names_clear(&table->columns);
    bt_names_clear(&table->cells);
    table->n_row = 0;
}

bt_status bt_table_check(const bt_table *table, const char *path)
{
    for (size_t i = 0; i < bt_table_columns_count; ++i)
        if (!bt_names_have(&table->columns, bt_table_columns[i]))
            return bt_fail(BT_ERR_INPUT, "%s: expected the column %s; run `braintune collect` again", path,
                           bt_table_columns[i]);
    return BT_OK;
}

const char *bt_table_cell(const bt_table *table, size_t row, const char *column)
{
    for (size_t i = 0; i < table->columns.n; ++i)
        if (!strcmp(table->columns.items[i], column)) return table->cells.items[row * table->columns.n + i];
    return "";
}

double bt_table_number(const bt_table *table, size_t row, const char *column)
{
    const char *const text = bt_table_cell(table, row, column);
    char *end;
    const double value = strtod(text, &end);
    return end == text ? (double)NAN : value;
}

static bt_status add_cell(bt_text *out, const char *cell)
{
    bt_status status = BT_OK;
    if (!cell[strcspn(cell, ",\"\r\n")]) return bt_text_add(out, "%s", cell);
    BT_TRY(bt_text_add(out, "\""));
    for (const char *at = cell; *at; ++at)
        BT_TRY(*at == '"' ? bt_text_add(out, "\"\"") : bt_text_add_bytes(out, at, 1));
    BT_TRY(bt_text_add(out, "\""));
cleanup:
    return status;
}

bt_status bt_table_add_row(bt_text *out, const char *const *cells, size_t n)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < n; ++i) {
        if (i) BT_TRY(bt_text_add(out, ","));
        BT_TRY(add_cell(out, cells[i]));
    }
    BT_TRY(bt_text_add(out, "\n"));
cleanup:
    return status;
}

void bt_table_print(double value, char *text, size_t size)
{
    if (isfinite(value))
        (void)snprintf(text, size, "%.9g", value);
    else
        text[0] = '\0';
}
