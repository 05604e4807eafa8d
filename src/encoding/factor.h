/* The thin singular value decomposition of training rows by the smaller Gram matrix, and other rows in its basis. */
#ifndef BT_ENCODING_FACTOR_H
#define BT_ENCODING_FACTOR_H

#include "encoding/ridge.h"

typedef struct {
    size_t rank;      /* r, components kept: a_i > 10 n eps a_max */
    double *singular; /* (r) s, descending */
    double *left;     /* (r, n_train) U', rows of unit norm */
    double *apply;    /* (n_apply, r) X_apply V */
    double *right;    /* (r, n_feature) V'; NULL unless problem->weights */
} bt_factor;

/* Collective over comm; problem->train and ->apply equal on all ranks, and so is the result. */
bt_status bt_factor_create(const bt_comm *comm, bt_device *device, const bt_ridge_problem *problem,
                           bt_factor *out) BT_MUST_CHECK;
void bt_factor_clear(bt_factor *factor);

#endif
