#include "base/memory.h"
#include "device/device.h"
#include "device/internal.h"

#include <assert.h>
#include <string.h>

size_t bt_dtype_size(bt_dtype type)
{
    switch (type) {
    case BT_F32: return sizeof(float);
    case BT_F64: return sizeof(double);
    case BT_I32: return sizeof(int32_t);
    case BT_BF16: return sizeof(uint16_t);
    }
    assert(!"a bt_dtype");
    return 0;
}

bt_status bt_buffer_create(bt_device *device, bt_dtype type, size_t count, bt_buffer **out)
{
    bt_status status = BT_OK;
    *out = NULL;
    bt_buffer *buffer = NULL;
    BT_ALLOC(buffer, 1);
    *buffer = (bt_buffer){.device = device, .type = type, .count = count};
    buffer->data = bt_calloc(count, bt_dtype_size(type));
    if (!buffer->data) {
        status = BT_ERR_MEMORY;
        goto cleanup;
    }
    *out = buffer;
    buffer = NULL;
cleanup:
    bt_buffer_destroy(&buffer);
    return status;
}

/* The part [offset, offset + count) must lie inside the buffer. */
static bt_status check_part(const bt_buffer *buffer, size_t offset, size_t count, const char *call)
{
    if (offset <= buffer->count && count <= buffer->count - offset) return BT_OK;
    return bt_fail(BT_ERR_INTERNAL, "%s: elements %zu to %zu + %zu are not inside a buffer of %zu", call, offset,
                   offset, count, buffer->count);
}

bt_status bt_buffer_view(bt_buffer *owner, size_t offset, size_t count, bt_buffer **out)
{
    *out = NULL;
    const bt_status status = check_part(owner, offset, count, "bt_buffer_view");
    if (status != BT_OK) return status;
    bt_buffer *const view = bt_calloc(1, sizeof *view);
    if (!view) return BT_ERR_MEMORY;
    *view = (bt_buffer){.device = owner->device,
                        .type = owner->type,
                        .count = count,
                        .data = (char *)owner->data + offset * bt_dtype_size(owner->type),
                        .is_view = true};
    *out = view;
    return BT_OK;
}

bt_status bt_buffer_over(bt_device *device, bt_dtype type, const void *host, size_t count, bt_buffer **out)
{
    *out = bt_calloc(1, sizeof **out);
    if (!*out) return BT_ERR_MEMORY;
    **out =
        (bt_buffer){.device = device, .type = type, .count = count, .data = (void *)(uintptr_t)host, .is_view = true};
    return BT_OK;
}

void bt_buffer_destroy(bt_buffer **buffer)
{
    if (!*buffer) return;
    if (!(*buffer)->is_view) bt_free((*buffer)->data);
    bt_free(*buffer);
    *buffer = NULL;
}

size_t bt_buffer_count(const bt_buffer *buffer)
{
    return buffer->count;
}

bt_dtype bt_buffer_type(const bt_buffer *buffer)
{
    return buffer->type;
}

/* By all threads where it is long. */
static void copy(const bt_device *device, const void *from, size_t bytes, void *to)
{
    enum { PIECE = 1 << 18 };
    if (from == to) return;
#pragma omp parallel for num_threads(device->n_thread) schedule(static) if (bytes > 2 * PIECE)
    for (size_t low = 0; low < bytes; low += PIECE)
        memcpy((char *)to + low, (const char *)from + low, bytes - low < PIECE ? bytes - low : PIECE);
}

bt_status bt_buffer_write(bt_buffer *buffer, size_t offset, const void *host, size_t count)
{
    const bt_status status = check_part(buffer, offset, count, "bt_buffer_write");
    if (status != BT_OK || count == 0) return status;
    const size_t size = bt_dtype_size(buffer->type);
    copy(buffer->device, host, count * size, (char *)buffer->data + offset * size);
    return BT_OK;
}

bt_status bt_buffer_read(const bt_buffer *buffer, size_t offset, void *host, size_t count)
{
    const bt_status status = check_part(buffer, offset, count, "bt_buffer_read");
    if (status != BT_OK || count == 0) return status;
    const size_t size = bt_dtype_size(buffer->type);
    copy(buffer->device, (const char *)buffer->data + offset * size, count * size, host);
    return BT_OK;
}

bt_status bt_buffer_add(bt_buffer *buffer, size_t offset, const float *host, size_t count)
{
    bt_status status = BT_OK;
    BT_TRY(check_part(buffer, offset, count, "bt_buffer_add"));
    BT_CHECK(buffer->type == BT_F32, BT_ERR_INTERNAL, "bt_buffer_add: expected float32 data");
    float *const to = (float *)buffer->data + offset;
#pragma omp parallel for num_threads(buffer->device->n_thread) schedule(static)
    for (size_t i = 0; i < count; ++i) to[i] += host[i];
cleanup:
    return status;
}

bt_matrix bt_matrix_of(bt_buffer *buffer, size_t rows, size_t columns)
{
    return (bt_matrix){.buffer = buffer, .rows = rows, .columns = columns, .stride = columns};
}

bt_matrix bt_matrix_part(bt_matrix whole, size_t row, size_t column, size_t rows, size_t columns)
{
    assert(row + rows <= whole.rows && column + columns <= whole.columns);
    return (bt_matrix){.buffer = whole.buffer,
                       .offset = whole.offset + row * whole.stride + column,
                       .rows = rows,
                       .columns = columns,
                       .stride = whole.stride};
}
