/* Tiles of large products, for AVX-512, which the including file chose before. */
#ifndef BT_DEVICE_KERNELS_PRODUCTS_H
#define BT_DEVICE_KERNELS_PRODUCTS_H

#include "device/kernels/lanes.h"

#include <string.h>

/* Accumulators fill 28 of 32 registers; a row of b takes two, an element of a one. */
enum { PRODUCT_ROWS = 14, PRODUCT_VECTORS = 2 };

#define ELEMENT float
#define VECTOR  vector
#define LOOSE   loose
#define TASK    bt_product_f32
#define PRODUCT kernel_product_f32
#include "device/kernels/product_body.h"
#undef ELEMENT
#undef VECTOR
#undef LOOSE
#undef TASK
#undef PRODUCT

#define ELEMENT double
#define VECTOR  wide
#define LOOSE   loose_wide
#define TASK    bt_product_f64
#define PRODUCT kernel_product_f64
#include "device/kernels/product_body.h"
#undef ELEMENT
#undef VECTOR
#undef LOOSE
#undef TASK
#undef PRODUCT

#define PRODUCT_TILES                                                                                                  \
    .product_f32 = kernel_product_f32, .product_f64 = kernel_product_f64, .product_rows = PRODUCT_ROWS,                \
    .product_bytes = PRODUCT_VECTORS * sizeof(vector)

#endif
