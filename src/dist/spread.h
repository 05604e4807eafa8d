/* The eigenproblem of a Gram matrix that no rank holds whole: its eigenvectors lie in rows over the ranks.
 *
 * PDSYRK and PDSYEVD work on parts that are taken from X, which every rank holds; PDGEMR2D brings the vectors from the
 * square grid to whole rows. Nothing of n^2 elements is on one rank, so LAPACK cannot take over: a result that does not
 * pass the check (|G v - a v| and V v - e of sampled vectors v, as in dense.h) ends with BT_ERR_NUMERICS.
 *
 * To rounding the pairs of dense.h, and as there the largest component of a vector is positive. */
#ifndef BT_DIST_SPREAD_H
#define BT_DIST_SPREAD_H

#include "base/status.h"
#include "dist/comm.h"
#include "dist/partition.h"

#include <stdbool.h>
#include <stddef.h>

/* Rows that rank `rank` of `size` has of n: bt_spread_height of them, the last ranks fewer or none. */
size_t bt_spread_height(size_t size, size_t n);
bt_range bt_spread_range(size_t rank, size_t size, size_t n);

/* Rows of x (., n_column), which is the same on all ranks. */
typedef struct {
    const double *x;     /* borrowed */
    const size_t *index; /* (n_row) which of them, or NULL: the first */
    size_t n_row, n_column;
} bt_spread_rows;

/* Collective; comm must have MPI. Eigenpairs of X X' (by_rows) or X'X, of order n, the largest value first: values (n)
 * on all ranks, *mine (my range of n, n) is allocated. Errors: BT_ERR_NUMERICS with the residual and the bound. */
bt_status bt_spread_eigen(const bt_comm *comm, const bt_spread_rows *rows, bool by_rows, double *values,
                          double **mine) BT_MUST_CHECK;

/* Bytes per rank, at most, that this takes on `size` ranks with what it returns. */
double bt_spread_eigen_bytes(size_t size, size_t n_row, size_t n_column, bool by_rows);
/* Bytes that all ranks send together, see bt_dense_eigen_sent. */
double bt_spread_eigen_sent(size_t size, size_t n_row, size_t n_column, bool by_rows);

#endif
