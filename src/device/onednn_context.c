#include "device/onednn_context.h"

#include "base/memory.h"

bt_status bt_onednn_check(dnnl_status_t result, const char *what)
{
    if (result == dnnl_success) return BT_OK;
    if (result == dnnl_out_of_memory) return bt_fail(BT_ERR_MEMORY, "oneDNN %s: out of memory", what);
    return bt_fail(BT_ERR_INTERNAL, "oneDNN %s: status %d", what, (int)result);
}

static void context_destroy(void *state)
{
    bt_onednn_context *const c = state;
    for (size_t i = 0; i < BT_ONEDNN_PRODUCTS; ++i) bt_onednn_product_destroy(&c->products[i]);
    if (c->stream) (void)dnnl_stream_destroy(c->stream);
    if (c->engine) (void)dnnl_engine_destroy(c->engine);
    bt_free(c);
}

bt_status bt_onednn_context_get(bt_device *device, bt_onednn_context **out)
{
    bt_status status = BT_OK;
    bt_device_slot *const slot = &device->layers;
    bt_onednn_context *made = NULL;
    *out = slot->state;
    if (*out) return BT_OK;
    BT_ALLOC(made, 1);
    BT_TRY(bt_onednn_check(dnnl_engine_create(&made->engine, dnnl_cpu, 0), "engine"));
    BT_TRY(bt_onednn_check(dnnl_stream_create(&made->stream, made->engine, dnnl_stream_default_flags), "stream"));
    *slot = (bt_device_slot){.state = made, .destroy = context_destroy};
    *out = made;
    made = NULL;
cleanup:
    if (made) context_destroy(made);
    return status;
}
