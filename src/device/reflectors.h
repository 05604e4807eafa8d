/* Products with the orthogonal matrix that LAPACK's reductions of symmetric matrices leave behind as reflectors. No
 * other room includes this. */
#ifndef BT_DEVICE_REFLECTORS_H
#define BT_DEVICE_REFLECTORS_H

#include "device/device.h"

/* Q = H_0 H_1 .. of order n, H_j = I - tau_j v_j v_j'. v_j is 0 before element j + offset, 1 there, and behind it what
 * row j of `a` holds (the lower triangle's column j for LAPACK); n - offset of them. */
typedef struct {
    const double *a; /* (n, n) with `stride` */
    const double *tau;
    size_t n, stride, offset;
} bt_reflectors;

/* r (m, n), either type, becomes r Q (BT_PLAIN) or r Q' (BT_TRANSPOSED).
 *
 * Reflectors are taken in blocks I - V T V' (Schreiber & Van Loan 1989), T from V'V: 4 m n (n - offset) operations less
 * what the triangle saves, nearly all in products. LAPACK's own DORMTR takes 32 at a time. */
bt_status bt_reflect(bt_device *device, const bt_reflectors *q, bt_transpose op, bt_matrix r) BT_MUST_CHECK;

/* Bytes that it takes, at most. */
double bt_reflect_bytes(size_t n, size_t offset, size_t m);

#endif
