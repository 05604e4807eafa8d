/* The thin singular value decomposition of training rows by the smaller Gram matrix, and other rows in its basis. */
#ifndef BT_ENCODING_FACTOR_H
#define BT_ENCODING_FACTOR_H

#include "base/status.h"
#include "device/device.h"
#include "dist/comm.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const double *train; /* (n_train, n_feature), borrowed during create only */
    const double *apply; /* (n_apply, n_feature): rows to predict, likewise */
    size_t n_train, n_apply, n_feature;
    const double *kernel; /* (n_train, n_train) X X' and */
    const double *cross;  /* (n_apply, n_train) X_apply X', when the caller has both; likewise, of the dual form */
    bt_dtype precision;   /* BT_F32 or BT_F64, of the products over voxels */
    bool weights;         /* bt_ridge_weights will be asked */
    size_t most_voxel;    /* widest block that will be rotated */
} bt_ridge_problem;

typedef struct {
    size_t rank;      /* r, components kept: a_i > 10 n eps a_max */
    double *singular; /* (r) s, descending */
    double *left;     /* (r, n_train) U', rows of unit norm */
    double *apply;    /* (n_apply, r) X_apply V */
    double *right;    /* (r, n_feature) V'; NULL unless problem->weights */
} bt_factor;

/* Whether the Gram matrix of rows is cheaper than that of features, its eigenproblem and the factors with it. */
bool bt_ridge_takes_dual(size_t n_train, size_t n_feature);

/* Collective over comm; problem->train and ->apply equal on all ranks, and so is the result. */
bt_status bt_factor_create(const bt_comm *comm, bt_device *device, const bt_ridge_problem *problem,
                           bt_factor *out) BT_MUST_CHECK;
void bt_factor_clear(bt_factor *factor);

/* Bytes that create takes at most, what it returns with it; what the problem points to is not counted. */
double bt_factor_bytes(const bt_ridge_problem *problem);

#endif
