/* The engine and stream of a device, for the files that call oneDNN; private to this room. */
#ifndef BT_DEVICE_ONEDNN_CONTEXT_H
#define BT_DEVICE_ONEDNN_CONTEXT_H

#include "device/internal.h"

#include <oneapi/dnnl/dnnl.h>

enum { BT_ONEDNN_PRODUCTS = 64 }; /* that are kept for the latest shapes */

typedef struct bt_onednn_product bt_onednn_product;

typedef struct {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    bt_onednn_product *products[BT_ONEDNN_PRODUCTS]; /* of onednn_product.c; NULL behind the last */
    size_t next_product;
} bt_onednn_context;

bt_status bt_onednn_check(dnnl_status_t result, const char *what) BT_MUST_CHECK;
/* Made at first use, kept with the device. */
bt_status bt_onednn_context_get(bt_device *device, bt_onednn_context **out) BT_MUST_CHECK;
void bt_onednn_product_destroy(bt_onednn_product **product);

#endif
