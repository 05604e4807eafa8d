/* The design matrices of one space, and the rows of them that a factor is made of. */
#ifndef BT_ENCODING_PARTS_H
#define BT_ENCODING_PARTS_H

#include "encoding/block.h"

#include <stdbool.h>

/* Every rank of a group has them. */
typedef struct {
    size_t n_row, n_test, n_feature;
    double *x;      /* (n_row, n_feature) training rows, delays included */
    double *x_test; /* (n_test, n_feature) */
    double *kernel; /* (n_row, n_row) X X', shared by the fits that take the dual form; NULL: not made */
} bt_fit_design;

typedef struct {
    double *x_train, *x_apply; /* (n, n_feature); NULL where the kernels stand for them: */
    double *kernel, *cross;    /* (n_train, n_train), (n_apply, n_train) */
} bt_parts;

/* Training rows of the design that train, and those that are to be predicted. dual: the factor takes the kernel, which
 * is of the design's when it has one. One rank. Clear it on failure too. */
bt_status bt_parts_take(const bt_fit_design *design, bt_row_list train, bt_row_list apply, bool dual,
                        bt_parts *out) BT_MUST_CHECK;
void bt_parts_clear(bt_parts *parts);

#endif
