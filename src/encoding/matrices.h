/* Plain feature matrices, side by side: PATH.npy or PATH.h5:/dataset (n_row, n_feature). */
#ifndef BT_ENCODING_MATRICES_H
#define BT_ENCODING_MATRICES_H

#include "base/status.h"
#include "base/text.h"

#include <stddef.h>

typedef struct bt_matrices bt_matrices;

/* Errors: BT_ERR_INPUT when rows differ between files (names both files and both counts). */
bt_status bt_matrices_open(const bt_names *specs, bt_matrices **out) BT_MUST_CHECK;
void bt_matrices_close(bt_matrices **matrices); /* takes NULL */
size_t bt_matrices_rows(const bt_matrices *matrices);
size_t bt_matrices_columns(const bt_matrices *matrices); /* of all of them */
size_t bt_matrices_count(const bt_matrices *matrices);
size_t bt_matrices_width(const bt_matrices *matrices, size_t i); /* columns of one */
const char *bt_matrices_name(const bt_matrices *matrices);       /* the first file's */
/* x (rows, columns). Errors: BT_ERR_INPUT for NaN or infinite values, naming the place. */
bt_status bt_matrices_read(const bt_matrices *matrices, double *x) BT_MUST_CHECK;

#endif
