/* Plain arrays of foreign formats behind one face: .npy (C or Fortran order, either endian, f2 f4 f8, signed and
 * unsigned integers, bool), file.h5:/dataset, and what inspect needs to know of them. */
#ifndef BT_IO_ARRAY_H
#define BT_IO_ARRAY_H

#include "base/status.h"
#include "device/device.h"
#include "dist/comm.h"

#include <stdbool.h>
#include <stddef.h>

enum { BT_ARRAY_RANK = 4 };

typedef struct bt_array bt_array; /* an open array, header read and checked against the file's size */

/* `spec` is PATH.npy or PATH.h5:/dataset (also .hf5, .hdf, .hdf5). comm as for bt_h5_open: with more than one rank,
 * opening and closing are collective. Errors, BT_ERR_INPUT: bt_npy_open's and bt_h5_open's, no such data set, text. */
bt_status bt_array_open(const char *spec, const bt_comm *comm, bt_array **out) BT_MUST_CHECK;
void bt_array_close(bt_array **array);

int bt_array_rank(const bt_array *array);
size_t bt_array_extent(const bt_array *array, int axis); /* 1 beyond the rank */
bool bt_array_is_integer(const bt_array *array);
const char *bt_array_spec(const bt_array *array);

/* Columns [column, column + n_column) of rows [row, row + n_row) of a 2-D array (1-D: one column), as f32 or f64,
 * row-major (n_row, n_column). For 3-D arrays `slab` picks the slowest index (else 0), and rows and columns are the
 * last two axes. Independent. NaN passes. Out of range or 4-D: BT_ERR_INPUT. */
bt_status bt_array_read(const bt_array *array, size_t slab, size_t row, size_t n_row, size_t column, size_t n_column,
                        bt_dtype type, void *out) BT_MUST_CHECK;

/* Collective over comm (one rank: plain). My columns of the whole 2-D array (or slab of a 3-D one): ranks read row
 * blocks (aggregators) and an all-to-all transposes them into column blocks, since thin column slabs per rank are slow
 * at scale. My columns: this rank's bt_partition of the last axis. out (n_row, n_mine) float32; the same values on any
 * number of ranks. A failure on one rank is everyone's. */
bt_status bt_array_read_columns(const bt_array *array, const bt_comm *comm, size_t slab, float *out) BT_MUST_CHECK;
/* The same for other shares: rank r gets the columns [bounds[r], bounds[r + 1]), ascending and within the array. */
bt_status bt_array_read_spans(const bt_array *array, const bt_comm *comm, size_t slab, const size_t *bounds,
                              float *out) BT_MUST_CHECK;

/* Whole array, C order, as doubles, be it of integers or floats; *out allocated; shape 1 beyond the rank. One rank. */
bt_status bt_array_read_all(const char *spec, int *rank, size_t shape[BT_ARRAY_RANK], double **out) BT_MUST_CHECK;

/* Writes PATH.npy version 1.0, little endian, C order; type BT_F32, BT_F64 or BT_I32. On failure the file is removed.
 */
bt_status bt_npy_write(const char *path, bt_dtype type, int rank, const size_t *shape, const void *data) BT_MUST_CHECK;

/* The same in pieces, for arrays larger than memory: a file of zeros of the full size, then n elements from number
 * `first` on in C order, given with the same type and shape. Processes may fill different elements at once. */
bt_status bt_npy_reserve(const char *path, bt_dtype type, int rank, const size_t *shape) BT_MUST_CHECK;
bt_status bt_npy_fill(const char *path, bt_dtype type, int rank, const size_t *shape, size_t first, size_t n,
                      const void *data) BT_MUST_CHECK;

#endif
