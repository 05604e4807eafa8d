/* Ridge regression of many voxels on one design matrix, at any number of penalties, from one eigenproblem.
 *
 * Training rows X (n_train, n_feature) = U S V'. The smaller Gram matrix (X'X: primal, X X': dual) has eigenpairs
 * a = s^2; those with a_i <= 10 n eps a_max are dropped, r remain. With q = U'Y the weights at penalty A are
 * V diag(s / (s^2 + A)) q, and the predictions for other rows X_apply are P diag(s / (s^2 + A)) q, P = X_apply V. U has
 * unit-norm columns, so that q is well conditioned in float32 where X'Y is not.
 *
 * Gram matrix, eigenproblem and the factors U', P are float64; the products over voxels are of the asked precision. */
#ifndef BT_ENCODING_RIDGE_H
#define BT_ENCODING_RIDGE_H

#include "encoding/factor.h"

typedef struct bt_ridge bt_ridge;

/* Collective over comm, every rank with the same problem. `device` must outlive it. Errors: BT_ERR_NUMERICS,
 * BT_ERR_MEMORY. */
bt_status bt_ridge_create(const bt_comm *comm, bt_device *device, const bt_ridge_problem *problem,
                          bt_ridge **out) BT_MUST_CHECK;
/* From a factor of the problem, which is used up. One rank. */
bt_status bt_ridge_create_from(bt_device *device, const bt_ridge_problem *problem, bt_factor *factor,
                               bt_ridge **out) BT_MUST_CHECK;
void bt_ridge_destroy(bt_ridge **ridge); /* takes NULL */

size_t bt_ridge_rank(const bt_ridge *ridge);            /* r */
const double *bt_ridge_singular(const bt_ridge *ridge); /* (r) s, descending */
double bt_ridge_bytes(const bt_ridge_problem *problem); /* what stays and a block take, at most */
/* The calls below are of one rank; of a factor that is spread they are collective, n_voxel may be 0, and all ranks get
 * the worst status. Takes a block of responses y (n_train, n_voxel), n_voxel <= most_voxel. */
bt_status bt_ridge_rotate(bt_ridge *ridge, const float *y, size_t n_voxel) BT_MUST_CHECK;
/* prediction (n_apply, n_voxel) of the block at one penalty A >= 0, ... */
bt_status bt_ridge_predict(bt_ridge *ridge, double penalty, double *prediction) BT_MUST_CHECK;
/* ... or at each voxel's own, penalty (n_voxel). */
bt_status bt_ridge_predict_each(bt_ridge *ridge, const double *penalty, double *prediction) BT_MUST_CHECK;
/* weights (n_feature, stride), columns 0 .. n_voxel - 1 are filled. */
bt_status bt_ridge_weights(bt_ridge *ridge, const double *penalty, float *weights, size_t stride) BT_MUST_CHECK;

#endif
