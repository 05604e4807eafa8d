/* NumPy's .npy: header versions 1 to 3, C or Fortran order, either endian, up to four axes. */
#ifndef BT_IO_NPY_H
#define BT_IO_NPY_H

#include "base/status.h"
#include "io/elements.h"

#include <stdbool.h>
#include <stddef.h>

enum { BT_NPY_RANK = 4 };

typedef struct bt_npy bt_npy;

typedef struct {
    bt_element element;
    bool swap; /* big-endian */
    bool fortran;
    int rank;
    size_t shape[BT_NPY_RANK]; /* 1 beyond the rank */
} bt_npy_info;

/* Errors, BT_ERR_INPUT: what bt_file_check says, no .npy, objects (pickle is never read), text, records, complex
 * numbers, more axes, a header that is no header, a file that is shorter or longer than its header says. */
bt_status bt_npy_open(const char *path, bt_npy **out) BT_MUST_CHECK;
void bt_npy_close(bt_npy **npy);
bt_npy_info bt_npy_describe(const bt_npy *npy);

/* As bt_array_read; axes (slab, row, column), those that are missing of extent 1: (n) is n rows. All in range. */
bt_status bt_npy_read(const bt_npy *npy, size_t slab, size_t row, size_t n_row, size_t column, size_t n_column,
                      bt_dtype type, void *out) BT_MUST_CHECK;
/* Every element, in C order. */
bt_status bt_npy_read_all(const bt_npy *npy, double *out) BT_MUST_CHECK;

/* The header's text {'descr': ...} of `length` bytes; `path` is for messages. */
bt_status bt_npy_parse(const char *path, const char *text, size_t length, bt_npy_info *info) BT_MUST_CHECK;

#endif
