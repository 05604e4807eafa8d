/* Inner product, convolution and bfloat16 products of oneDNN 2.x, private to this room. Sizes and packing as in
 * layers.h. */
#ifndef BT_DEVICE_ONEDNN_H
#define BT_DEVICE_ONEDNN_H

#include "device/layers.h"

typedef struct bt_onednn_layer bt_onednn_layer;

/* spec->kernel = 0: an inner product of `in` and `out` columns. weight, bias: host memory, read now; bias may be NULL.
 */
bt_status bt_onednn_layer_create(bt_device *device, const bt_convolution_spec *spec, const float *weight,
                                 const float *bias, bt_onednn_layer **out) BT_MUST_CHECK;
void bt_onednn_layer_destroy(bt_onednn_layer **layer);
/* x (n, in), y (rows of the spec, out). */
bt_status bt_onednn_layer_apply(bt_onednn_layer *layer, size_t n, float *x, float *y) BT_MUST_CHECK;

/* C = op(A) op(B) + beta C, float32; A and B rounded to bfloat16 on the way. */
bt_status bt_onednn_product_apply(bt_device *device, bt_transpose op_a, bt_transpose op_b, bt_matrix a, bt_matrix b,
                                  double beta, bt_matrix c) BT_MUST_CHECK;

#endif
