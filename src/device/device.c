#include "device/device.h"

#include "base/clock.h"
#include "base/memory.h"
#include "device/internal.h"
#include "device/kernels/kernels.h"
#include "device/library.h"
#include "device/threads.h"

#include <stdio.h>

struct bt_event {
    double seconds;
};

bt_status bt_device_create(bt_device_kind kind, bt_device **out)
{
    *out = NULL;
    if (kind != BT_DEVICE_CPU) return bt_fail(BT_ERR_USAGE, "device kind %d: this build has the CPU only", (int)kind);
    bt_device *const device = bt_calloc(1, sizeof *device);
    if (!device) return BT_ERR_MEMORY;
    device->kind = kind;
    device->n_thread = bt_threads_get();
    *out = device;
    return BT_OK;
}

static void slot_clear(bt_device_slot *slot)
{
    if (slot->destroy) slot->destroy(slot->state);
    *slot = (bt_device_slot){0};
}

void bt_device_destroy(bt_device **device)
{
    if (!*device) return;
    slot_clear(&(*device)->layers);
    slot_clear(&(*device)->scratch);
    slot_clear(&(*device)->product);
    bt_free(*device);
    *device = NULL;
}

bt_status bt_device_wait(bt_device *device)
{
    (void)device; /* an operation of the CPU is done when its call returns */
    return BT_OK;
}

bt_status bt_device_describe(const bt_device *device, char *text, size_t size)
{
    char openblas[256], onednn[64];
    const bt_status status = bt_openblas_check();
    if (status != BT_OK) return status;
    bt_openblas_name(openblas, sizeof openblas);
    bt_onednn_name(onednn, sizeof onednn);
    const int length =
        snprintf(text, size, "%s\n%s\n%d thread%s of %d allowed CPU%s", openblas, onednn, device->n_thread,
                 device->n_thread == 1 ? "" : "s", bt_threads_allowed(), bt_threads_allowed() == 1 ? "" : "s");
    if (length < 0 || (size_t)length >= size)
        return bt_fail(BT_ERR_INTERNAL, "the description of the device needs %d bytes, not %zu", length + 1, size);
    return BT_OK;
}

bt_status bt_device_set_products(bt_device *device, bt_dtype type, bool force)
{
    if (type == BT_BF16 && !force && !bt_kernels_have_bf16())
        return bt_fail(BT_ERR_USAGE, "precision=bf16: this CPU has neither AVX512-BF16 nor AMX, so float32 is faster; "
                                     "precision.force=true takes bfloat16 all the same");
    device->products = type;
    return BT_OK;
}

bt_status bt_event_record(bt_device *device, bt_event **out)
{
    (void)device;
    *out = bt_calloc(1, sizeof **out);
    if (!*out) return BT_ERR_MEMORY;
    (*out)->seconds = bt_seconds();
    return BT_OK;
}

bt_status bt_event_elapsed(const bt_event *from, const bt_event *to, double *seconds)
{
    *seconds = to->seconds - from->seconds;
    return BT_OK;
}

void bt_event_destroy(bt_event **event)
{
    bt_free(*event);
    *event = NULL;
}
