/* Convolution in groups by our own kernel, for numbers of channels per group that oneDNN is slow at; private to this
 * room. */
#ifndef BT_DEVICE_GROUPED_H
#define BT_DEVICE_GROUPED_H

#include "device/layers.h"

typedef struct bt_grouped bt_grouped;

/* weight NULL: to be packed later. */
bt_status bt_grouped_create(bt_device *device, const bt_convolution_spec *spec, const float *weight, const float *bias,
                            bt_grouped **out) BT_MUST_CHECK;
void bt_grouped_destroy(bt_grouped **grouped);
bt_status bt_grouped_apply(bt_grouped *grouped, size_t n, const float *x, float *y) BT_MUST_CHECK;

/* Other weights for the same shapes. bias NULL: zeros. */
void bt_grouped_pack(bt_grouped *grouped, const float *weight, const float *bias);
/* The weights of the adjoint: `weight` is that of the convolution of whose output this one's input is the gradient. */
void bt_grouped_pack_adjoint(bt_grouped *grouped, const float *weight);
/* Stride 1: dW[:, :, k] += sum_t dy[t]' x[t + k - before]. x (n, in), dy (rows of the spec, out). */
bt_status bt_grouped_weights_backward(bt_grouped *grouped, size_t n, const float *x, const float *dy,
                                      float *dweight) BT_MUST_CHECK;

#endif
