/* Praat TextGrids: long, short and chronological text format; UTF-8 and UTF-16; LF and CRLF; interval and point tiers;
 * doubled quotes and newlines inside labels. Declared sizes that lie are corrected and counted; overlaps up to 1e-4 s
 * and gaps are accepted and counted; intervals out of order and larger overlaps are errors, and so is a file that ends
 * before its last tier does. */
#ifndef BT_IO_TEXTGRID_H
#define BT_IO_TEXTGRID_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    double start, end; /* seconds; equal for a point */
    char *label;       /* UTF-8, outer white space kept */
} bt_mark;

typedef struct {
    char *name;
    bool is_points;
    double start, end; /* seconds, as declared */
    size_t n;
    bt_mark *marks;
} bt_tier;

/* Zero-initialise; bt_textgrid_read does it too. */
typedef struct {
    double start, end; /* seconds */
    size_t n;
    bt_tier *tiers;
    size_t n_odd; /* sizes that lied, small gaps and overlaps: accepted, counted */
} bt_textgrid;

bt_status bt_textgrid_read(const char *path, bt_textgrid *out) BT_MUST_CHECK; /* errors name file and line */
/* The same from memory; `name` stands for the file in messages. */
bt_status bt_textgrid_parse(const char *bytes, size_t size, const char *name, bt_textgrid *out) BT_MUST_CHECK;
bt_status bt_textgrid_write(const char *path, const bt_textgrid *grid) BT_MUST_CHECK; /* long format, UTF-8 */
void bt_textgrid_clear(bt_textgrid *grid);
/* By name, case-insensitive: the first of the '|'-separated names that exists; NULL when none. */
const bt_tier *bt_textgrid_tier(const bt_textgrid *grid, const char *names);

#endif
