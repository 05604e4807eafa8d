/* BLACS process grids and ScaLAPACK's block-cyclic layout. No other room includes this. */
#ifndef BT_DIST_BLACS_H
#define BT_DIST_BLACS_H

#include "base/status.h"
#include "dist/comm.h"

#include <stddef.h>

/* The first rows * columns ranks have a place, row-major: place (p, q) is rank p * columns + q. The others have
 * context = -1 and never enter BLACS, which leaks on ranks that it leaves out. */
typedef struct {
    bt_comm *members; /* the ranks with a place, or those without */
    int handle, context;
    int rows, columns;
    int row, column; /* mine; -1 without a place */
} bt_blacs_grid;

/* Rows and columns of a grid on up to `size` ranks: as many of them as columns <= 3 rows allows, and of equal numbers
 * the squarer grid. */
void bt_blacs_shape(size_t size, int *rows, int *columns);

/* Collective over comm, which must have MPI: a grid on up to `most` ranks. Combines are set to be repeatable. */
bt_status bt_blacs_open(const bt_comm *comm, size_t most, bt_blacs_grid *grid) BT_MUST_CHECK;
/* Likewise: one row of all ranks. */
bt_status bt_blacs_open_row(const bt_comm *comm, bt_blacs_grid *grid) BT_MUST_CHECK;
void bt_blacs_close(bt_blacs_grid *grid); /* collective; a zeroed grid is let alone */

/* Elements that PDSYEVD of order n sends, at most, are this times n^2 / edge a rank of edge^2 (counted for dense.h). */
enum { BT_BLACS_EIGEN = 24 };
/* Bytes that the ranks of a grid on up to `most` of `size` ranks send together when each sends elements / edge. */
double bt_blacs_sent(size_t size, size_t most, double elements);

/* Of n rows (columns) in blocks, dealt to `extent` places in turn: how many place `place` has, and the global number of
 * its `local`-th. */
size_t bt_blacs_count(size_t n, size_t block, int place, int extent);
size_t bt_blacs_global(size_t local, size_t block, int place, int extent);

/* A block-cyclic matrix, column-major on each rank. Errors: BT_ERR_INPUT when a size passes ScaLAPACK's 32-bit numbers.
 */
typedef struct {
    size_t rows, columns, block;
    size_t local_rows, local_columns; /* 0 on ranks without a place */
    int descriptor[9];
    double *data; /* (local_columns, local_rows) */
} bt_blacs_matrix;

bt_status bt_blacs_matrix_create(const bt_blacs_grid *grid, size_t rows, size_t columns, size_t block,
                                 bt_blacs_matrix *out) BT_MUST_CHECK;
void bt_blacs_matrix_clear(bt_blacs_matrix *matrix);

/* Between a matrix and `whole`, all of it in column-major order: (columns, rows) in our words. put writes my part of
 * `whole` and leaves the rest; take's j-th column is column index[j] of `whole`, with NULL column j. */
void bt_blacs_take(const bt_blacs_grid *grid, bt_blacs_matrix *matrix, const double *whole, const size_t *index);
void bt_blacs_put(const bt_blacs_grid *grid, const bt_blacs_matrix *matrix, double *whole);

/* C = alpha A A' (transposed = 0) or alpha A'A, the lower triangle. Collective over the ranks with a place. */
void bt_blacs_rank_update(const bt_blacs_grid *grid, int transposed, double alpha, const bt_blacs_matrix *a,
                          bt_blacs_matrix *c);

/* to = from, of equal shape, from one grid to another; `to` lies on all ranks and they all call. */
void bt_blacs_copy(const bt_blacs_matrix *from, const bt_blacs_grid *grid, bt_blacs_matrix *to);

/* Eigenpairs of the lower triangle of a: values (n) ascending, vectors in the columns of z; a is lost. *info is
 * PDSYEVD's. Collective over the ranks with a place; comm agrees on failures before PDSYEVD starts, so ranks without a
 * place call it too. */
bt_status bt_blacs_eigen(const bt_comm *comm, const bt_blacs_grid *grid, bt_blacs_matrix *a, double *values,
                         bt_blacs_matrix *z, int *info) BT_MUST_CHECK;

#endif
