/* Large products by tiles of our own. OpenBLAS's threads wait for each other panel by panel, so that one of them that
 * the machine slows down (a neighbour on its core, on a shared node) slows down all; here threads take small tiles as
 * they become free, and on undisturbed cores the tiles are as fast as OpenBLAS's.
 *
 * Panels of both operands are packed by all threads while they multiply the panels before, so that there is one
 * barrier a panel (384 or 256 deep). Every element of C is summed in one order, whatever the number of threads. */
#ifndef BT_DEVICE_TILES_H
#define BT_DEVICE_TILES_H

#include "device/internal.h"

/* Whether a product is large enough, on 2 to 8 threads (more were not measured) of a CPU with AVX-512. */
bool bt_tiles_take(const bt_device *device, size_t m, size_t n, size_t inner);

/* C (m, n) = alpha op(A) op(B) + beta C of matrices that bt_product has checked. */
bt_status bt_tiles_product(bt_device *device, bt_transpose op_a, bt_transpose op_b, double alpha, bt_matrix a,
                           bt_matrix b, double beta, bt_matrix c) BT_MUST_CHECK;

bool bt_tiles_take_gram(const bt_device *device, size_t n, size_t inner);
/* The upper triangle of G = X'X or X X' + beta G, as bt_product_gram; some of what is below may change. */
bt_status bt_tiles_gram(bt_device *device, bt_transpose op, bt_matrix x, double beta, bt_matrix g) BT_MUST_CHECK;

#endif
