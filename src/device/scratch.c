/* Work memory of a device, and checked access to the floats of a matrix. */
#include "base/memory.h"
#include "device/internal.h"

typedef struct {
    size_t bytes;
    void *block;
} scratch;

static void scratch_destroy(void *state)
{
    scratch *const work = state;
    bt_free(work->block);
    bt_free(work);
}

static bt_status grow(bt_device_slot *slot, size_t bytes, void **out)
{
    *out = NULL;
    if (!slot->state) {
        slot->state = bt_calloc(1, sizeof(scratch));
        if (!slot->state) return BT_ERR_MEMORY;
        slot->destroy = scratch_destroy;
    }
    scratch *const work = slot->state;
    if (bytes > work->bytes) {
        bt_free(work->block);
        work->bytes = 0;
        work->block = bt_calloc(bytes, 1);
        if (!work->block) return BT_ERR_MEMORY;
        work->bytes = bytes;
    }
    *out = work->block;
    return BT_OK;
}

bt_status bt_scratch(bt_device *device, size_t bytes, void **out)
{
    return grow(&device->scratch, bytes, out);
}

bt_status bt_scratch_parts(bt_device *device, const size_t *bytes, size_t n, void **parts)
{
    enum { ALIGNMENT = 64 };
    size_t total = 0;
    void *block = NULL;
    for (size_t i = 0; i < n; ++i) total += (bytes[i] + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    const bt_status status = total ? grow(&device->product, total, &block) : BT_OK;
    char *next = block;
    for (size_t i = 0; i < n; ++i) {
        parts[i] = bytes[i] && status == BT_OK ? next : NULL;
        if (parts[i]) next += (bytes[i] + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    return status;
}

bt_status bt_floats(bt_matrix matrix, const char *call, float **out)
{
    *out = NULL;
    if (!matrix.buffer || matrix.buffer->type != BT_F32)
        return bt_fail(BT_ERR_INTERNAL, "%s: expected float32 data", call);
    const size_t end = matrix.rows ? (matrix.rows - 1) * matrix.stride + matrix.columns : 0;
    if (matrix.offset > matrix.buffer->count || end > matrix.buffer->count - matrix.offset)
        return bt_fail(BT_ERR_INTERNAL, "%s: a (%zu, %zu) matrix of stride %zu at %zu leaves its buffer of %zu", call,
                       matrix.rows, matrix.columns, matrix.stride, matrix.offset, matrix.buffer->count);
    *out = (float *)matrix.buffer->data + matrix.offset;
    return BT_OK;
}

bt_status bt_floats_or_none(bt_matrix matrix, const char *call, float **out)
{
    *out = NULL;
    return matrix.buffer ? bt_floats(matrix, call, out) : BT_OK;
}
