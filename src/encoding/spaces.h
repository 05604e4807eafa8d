/* Feature spaces: what is encoded, one after another. A space is the plain matrices of features= and test.features=,
 * side by side, or from feature files a layer, a space by name, or several joined ("envelope+word_rate"). */
#ifndef BT_ENCODING_SPACES_H
#define BT_ENCODING_SPACES_H

#include "base/status.h"
#include "base/text.h"
#include "encoding/design.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct bt_spaces bt_spaces;

/* Plain matrices: one space with an empty name; test may be empty. Reads headers only. */
bt_status bt_spaces_open_matrices(const bt_names *train, const bt_names *test, bt_spaces **out) BT_MUST_CHECK;

/* Feature files; layers "0", "6", "all", and names; both empty: every space of the files. Errors: BT_ERR_INPUT for a
 * space that is in no file (naming the nearest) or in two. */
bt_status bt_spaces_open_files(const bt_names *files, const bt_names *layers, const bt_names *names,
                               bt_spaces **out) BT_MUST_CHECK;
void bt_spaces_close(bt_spaces **spaces); /* takes NULL */

/* Joined spaces whose variance is partitioned: of at most so many parts. */
enum { BT_MOST_PARTS = 3 };

/* All subsets of the parts of each joined space become spaces, "a" and "a+b", where they are not among them. Errors:
 * BT_ERR_USAGE when no space is joined, one of more than BT_MOST_PARTS, or when two parts have one name. */
bt_status bt_spaces_add_subsets(bt_spaces *spaces) BT_MUST_CHECK;
bool bt_spaces_is_partitioned(const bt_spaces *spaces, size_t space); /* its subsets were added */
/* Names of the parts whose bits are in `set`, joined, added to `out`. */
bt_status bt_spaces_subset_name(const bt_names *parts, unsigned set, const char *between, bt_text *out) BT_MUST_CHECK;

size_t bt_spaces_count(const bt_spaces *spaces);
const char *bt_spaces_name(const bt_spaces *spaces, size_t space);
/* What a space is joined of, in order: names (of plain matrices their files without folder and
 * extension), and features of each. */
const bt_names *bt_spaces_parts(const bt_spaces *spaces, size_t space);
size_t bt_spaces_part_width(const bt_spaces *spaces, size_t space, size_t index);
size_t bt_spaces_width(const bt_spaces *spaces, size_t space); /* features, before delays */

/* Where rows must come from and how many they must be: the responses, for comparison and for the message. */
typedef struct {
    const bt_names *stories;   /* of the data set; NULL for plain matrices */
    const bt_names *responses; /* files; one a story with a data set */
    const bt_story_rows *rows; /* of the responses */
    bool test;                 /* plain: test.features, else features */
} bt_spaces_rows;

/* x (n_row, width) float64 of all the rows. Feature files are cut [10:-5]. Errors: BT_ERR_INPUT for rows that do not
 * match the responses (names both files and both counts), and for NaN or infinite features (names the place). */
bt_status bt_spaces_read(const bt_spaces *spaces, size_t space, const bt_spaces_rows *wanted, double **x) BT_MUST_CHECK;

/* Only the check of the rows, from headers; feature files are checked when they are read. */
bt_status bt_spaces_check_rows(const bt_spaces *spaces, const bt_spaces_rows *wanted) BT_MUST_CHECK;

#endif
