/* A convolution of kernel 3 and stride 2 as products, two output rows at a time in five instead of six of them; private
 * to this room.
 *
 * Rows of x with even numbers meet the outer taps only, a filter of two taps and stride 1, for which Winograd's minimal
 * filtering (1980) F(2, 2) needs three products for two outputs. With a .. e the five rows that a pair of outputs sees:
 *     y[2s]     = w0 a + w1 b + w2 c = (w0 + w2) c + w0 (a - c) + w1 b
 *     y[2s + 1] = w0 c + w1 d + w2 e = (w0 + w2) c + w2 (e - c) + w1 d
 * The differences cost half a bit of accuracy. */
#ifndef BT_DEVICE_PAIRED_H
#define BT_DEVICE_PAIRED_H

#include "device/layers.h"

#include <stdbool.h>

typedef struct bt_paired bt_paired;

bool bt_paired_takes(const bt_convolution_spec *spec);
/* weight (out, in, 3), bias (out) or NULL: host memory, read now. */
bt_status bt_paired_create(bt_device *device, const bt_convolution_spec *spec, const float *weight, const float *bias,
                           bt_paired **out) BT_MUST_CHECK;
void bt_paired_destroy(bt_paired **paired);
/* x (n, in), y (rows of the spec, out). */
bt_status bt_paired_apply(bt_paired *paired, size_t n, const float *x, float *y) BT_MUST_CHECK;

#endif
