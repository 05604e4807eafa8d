/* Convolution in groups by our own kernel, for numbers of channels per group that oneDNN is slow at; private to this
 * room. */
#ifndef BT_DEVICE_GROUPED_H
#define BT_DEVICE_GROUPED_H

#include "device/layers.h"

typedef struct bt_grouped bt_grouped;

bt_status bt_grouped_create(bt_device *device, const bt_convolution_spec *spec, const float *weight, const float *bias,
                            bt_grouped **out) BT_MUST_CHECK;
void bt_grouped_destroy(bt_grouped **grouped);
bt_status bt_grouped_apply(bt_grouped *grouped, size_t n, const float *x, float *y) BT_MUST_CHECK;

#endif
