/* Draws of a dropout. */
#ifndef BT_DEVICE_DROPOUT_H
#define BT_DEVICE_DROPOUT_H

#include "device/kernels/kernels.h"
#include "device/layers.h"

#include <stddef.h>

/* Of head h in sequence s. */
bt_attend_drop bt_head_drop(const bt_dropout *drop, size_t s, size_t h);

#endif
