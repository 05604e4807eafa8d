/* The thin singular value decomposition of training rows by the smaller Gram matrix, and other rows in its basis.
 *
 * Its rows, one per component, are on every rank, or spread over the ranks where they do not fit. Spread, only the Gram
 * matrix and its eigenproblem are ScaLAPACK's: every rank holds the design, so it makes its own rows of U', P' and V'
 * from its own eigenvectors, and nothing is sent for them. */
#ifndef BT_ENCODING_FACTOR_H
#define BT_ENCODING_FACTOR_H

#include "base/status.h"
#include "device/device.h"
#include "encoding/components.h"

#include <stdbool.h>
#include <stddef.h>

/* Of a Gram matrix of order n: values (n) ascending, vectors (n, n) in rows. */
typedef struct {
    double *values, *vectors;
} bt_eigenpairs;

typedef struct {
    const double *train; /* (n_train, n_feature), borrowed during create only */
    const double *apply; /* (n_apply, n_feature): rows to predict, likewise */
    size_t n_train, n_apply, n_feature;
    const double *kernel; /* (n_train, n_train) X X' and */
    const double *cross;  /* (n_apply, n_train) X_apply X', when the caller has both; likewise, of the dual form */
    const bt_eigenpairs *pairs; /* of the Gram matrix, which rank `owner` has found before; NULL: not yet found */
    size_t owner;
    size_t n_rank; /* above 1: spread over that many ranks; then neither kernel nor cross, and */
    const size_t *train_rows, *apply_rows; /* (n_train), (n_apply) which rows of train and apply; NULL: the first */
    bt_dtype precision;                    /* BT_F32 or BT_F64, of the products over voxels */
    bool weights;                          /* bt_ridge_weights will be asked */
    size_t most_voxel;                     /* widest block that will be rotated */
} bt_ridge_problem;

typedef struct {
    bt_component_map map; /* r = map.rank components are kept: a_i > 10 n eps a_max */
    double *singular;     /* (r) s, descending; of the rest my rows: */
    double *left;         /* (mine, n_train) U', of unit norm */
    double *apply;        /* (mine, n_apply) P' = V' X_apply' */
    double *right;        /* (mine, n_feature) V'; NULL unless problem->weights */
} bt_factor;

/* Whether the Gram matrix of rows is cheaper than that of features, its eigenproblem and the factors with it. */
bool bt_ridge_takes_dual(size_t n_train, size_t n_feature);

/* Collective over comm, which must outlive what is spread over it; problem->train and ->apply equal on all ranks, and
 * so is a result that is not spread. */
bt_status bt_factor_create(const bt_comm *comm, bt_device *device, const bt_ridge_problem *problem,
                           bt_factor *out) BT_MUST_CHECK;
void bt_factor_clear(bt_factor *factor);
/* The same, spread; bt_factor_create calls it. */
bt_status bt_factor_create_spread(const bt_comm *comm, bt_device *device, const bt_ridge_problem *problem,
                                  bt_factor *out) BT_MUST_CHECK;
double bt_factor_spread_bytes(const bt_ridge_problem *problem);
/* How many of the values (n), the largest first, are kept. */
size_t bt_factor_rank(const double *values, size_t n);
/* Row k of x (rows, columns) is divided by by[k]. */
void bt_factor_divide(double *x, const double *by, size_t rows, size_t columns);

/* Bytes that create takes at most, what it returns with it; what the problem points to is not counted. */
double bt_factor_bytes(const bt_ridge_problem *problem);

#endif
