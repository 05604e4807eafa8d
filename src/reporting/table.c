#include "reporting/table.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const bt_table_columns[BT_COLUMN_COUNT] = {
    "experiment", "preset", "stage",    "family", "model", "objective", "target",     "tuned_subject",
    "subject",    "seed",   "epoch",    "layer",  "space", "roi",       "hemisphere", "removed",
    "task",       "split",  "metric",   "value",  "se",    "ci_low",    "ci_high",    "n",
    "n_dropped",  "n_item", "artefact", "entry",  "set",   "origin",
};

/* Cuts one cell out of the text at *at, quotes taken off where it lies; *at is then behind its separator, *last tells
 * the end of the line. */
static bt_status cut_cell(char **at, char separator, const char **cell, bool *last)
{
    char *from = *at, *to = *at;
    bool quoted = false;
    for (;; ++from) {
        if (quoted && !*from) return bt_fail(BT_ERR_INPUT, "a quote that is never closed");
        if (*from == '"') {
            if (quoted && from[1] == '"')
                *to++ = *from++;
            else
                quoted = !quoted;
        } else if (!quoted && (*from == separator || *from == '\n' || *from == '\0')) {
            break;
        } else if (quoted || *from != '\r') {
            *to++ = *from;
        }
    }
    *cell = *at;
    *last = *from != separator;
    *at = *from ? from + 1 : from;
    *to = '\0';
    return BT_OK;
}

static bt_status read_names(char **at, char separator, bt_names *names)
{
    bt_status status = BT_OK;
    const char *cell = NULL;
    for (bool last = false; !last;) {
        BT_TRY(cut_cell(at, separator, &cell, &last));
        BT_TRY(bt_names_add(names, cell));
    }
cleanup:
    return status;
}

static bt_status make_room(bt_table *table)
{
    enum { START = 64 };
    const size_t width = table->columns.n, more = table->capacity ? 2 * table->capacity : START;
    if (table->n_row < table->capacity) return BT_OK;
    void *const grown = bt_regrow(table->cells, table->n_row * width, more * width, sizeof *table->cells);
    if (!grown) return BT_ERR_MEMORY;
    table->cells = grown;
    table->capacity = more;
    return BT_OK;
}

/* One row; cells that are too many are counted, not kept. */
static bt_status read_row(char **at, char separator, bt_table *table)
{
    bt_status status = BT_OK;
    const size_t width = table->columns.n;
    size_t n = 0;
    const char *cell = NULL;
    BT_TRY(make_room(table));
    for (bool last = false; !last; ++n) {
        BT_TRY(cut_cell(at, separator, &cell, &last));
        if (n < width) table->cells[table->n_row * width + n] = cell;
    }
    BT_CHECK(n == width, BT_ERR_INPUT, "expected %zu cells as in the header, found %zu", width, n);
    ++table->n_row;
cleanup:
    return status;
}

static bt_status read_comment(char **at, bt_names *comments)
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

static bt_status parse(char separator, bt_table *table, size_t *line)
{
    bt_status status = BT_OK;
    for (char *at = table->text; *at; ++*line) {
        if (*at == '#' && !table->n_row) {
            BT_TRY(read_comment(&at, &table->comments));
        } else if (*at == '\n' || *at == '\r') {
            ++at;
        } else if (!table->columns.n) {
            BT_TRY(read_names(&at, separator, &table->columns));
        } else {
            BT_TRY(read_row(&at, separator, table));
        }
    }
    BT_CHECK(table->columns.n, BT_ERR_INPUT, "no line of column names");
cleanup:
    return status;
}

bt_status bt_table_parse(const char *name, char *text, char separator, bt_table *out)
{
    size_t line = 0;
    *out = (bt_table){.text = text};
    const bt_status status = parse(separator, out, &line);
    if (status == BT_ERR_INPUT) (void)bt_fail_prefix(status, "%s:%zu", name, line + 1);
    if (status != BT_OK) bt_table_clear(out);
    return status;
}

bt_status bt_table_read(const char *path, bt_table *out)
{
    char *text = NULL;
    size_t size = 0;
    *out = (bt_table){0};
    const bt_status status = bt_path_read(path, &text, &size);
    return status == BT_OK ? bt_table_parse(path, text, bt_ends_with(path, ".tsv") ? '\t' : ',', out) : status;
}

void bt_table_clear(bt_table *table)
{
    bt_names_clear(&table->comments);
    bt_names_clear(&table->columns);
    bt_free(table->cells);
    bt_free(table->text);
    *table = (bt_table){0};
}

bt_status bt_table_check(const bt_table *table, const char *path)
{
    for (size_t i = 0; i < BT_COLUMN_COUNT; ++i)
        if (!bt_names_have(&table->columns, bt_table_columns[i]))
            return bt_fail(BT_ERR_INPUT, "%s: expected the column %s; run `braintune collect` again", path,
                           bt_table_columns[i]);
    return BT_OK;
}

size_t bt_table_column(const bt_table *table, const char *column)
{
    for (size_t i = 0; i < table->columns.n; ++i)
        if (!strcmp(table->columns.items[i], column)) return i;
    return SIZE_MAX;
}

const char *bt_table_at(const bt_table *table, size_t row, size_t column)
{
    return column == SIZE_MAX ? "" : table->cells[row * table->columns.n + column];
}

const char *bt_table_cell(const bt_table *table, size_t row, const char *column)
{
    return bt_table_at(table, row, bt_table_column(table, column));
}

double bt_table_value(const char *cell)
{
    char *end;
    const double value = strtod(cell, &end);
    return end == cell ? (double)NAN : value;
}

double bt_table_number(const bt_table *table, size_t row, const char *column)
{
    return bt_table_value(bt_table_cell(table, row, column));
}

bool bt_table_has(const bt_table *table, const char *column, const char *cell)
{
    const size_t at = bt_table_column(table, column);
    for (size_t row = 0; row < table->n_row; ++row)
        if (!strcmp(bt_table_at(table, row, at), cell)) return true;
    return false;
}

bool bt_table_cell_has(const char *cell, const char *item)
{
    const size_t length = strlen(item);
    for (const char *at = cell; at; at = strchr(at, ';')) {
        at += *at == ';';
        if (strcspn(at, ";") == length && !strncmp(at, item, length)) return true;
    }
    return false;
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
