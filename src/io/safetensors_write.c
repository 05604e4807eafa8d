#include "base/memory.h"
#include "base/text.h"
#include "io/elements.h"
#include "io/json.h"
#include "io/safetensors.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bt_status add_tensor(bt_text *header, const bt_tensor *tensor, size_t *offset)
{
    bt_status status = BT_OK;
    size_t span;
    BT_CHECK(bt_elements_span(tensor->rank, tensor->shape, sizeof(float), &span), BT_ERR_INTERNAL,
             "tensor %s: its shape passes any file's size", tensor->name);
    BT_TRY(bt_text_add(header, ","));
    BT_TRY(bt_json_quote(header, tensor->name));
    BT_TRY(bt_text_add(header, ":{\"dtype\":\"F32\",\"shape\":["));
    for (int i = 0; i < tensor->rank; ++i) BT_TRY(bt_text_add(header, "%s%zu", i ? "," : "", tensor->shape[i]));
    BT_TRY(bt_text_add(header, "],\"data_offsets\":[%zu,%zu]}", *offset, *offset + span));
    *offset += span;
cleanup:
    return status;
}

/* The length, the JSON, blanks so that the data begin at a multiple of 8. */
static bt_status make_header(const bt_tensor *tensors, size_t n, bt_text *header)
{
    enum { PREFIX = 8 };
    bt_status status = BT_OK;
    bt_text json = {0};
    size_t offset = 0;
    BT_TRY(bt_text_add(&json, "{\"__metadata__\":{\"format\":\"pt\"}"));
    for (size_t i = 0; i < n; ++i) BT_TRY(add_tensor(&json, &tensors[i], &offset));
    BT_TRY(bt_text_add(&json, "}"));
    while (json.length % PREFIX) BT_TRY(bt_text_add(&json, " "));
    const uint64_t length = json.length;
    BT_TRY(bt_text_add_bytes(header, (const char *)&length, PREFIX));
    BT_TRY(bt_text_add_bytes(header, json.data, json.length));
cleanup:
    bt_text_clear(&json);
    return status;
}

static size_t bytes_of(const bt_tensor *tensor)
{
    size_t bytes = 0;
    (void)!bt_elements_span(tensor->rank, tensor->shape, sizeof(float), &bytes); /* as when the header was made */
    return bytes;
}

static bt_status write_bytes(FILE *file, const char *path, const void *data, size_t size)
{
    errno = 0;
    if (size == 0 || fwrite(data, 1, size, file) == size) return BT_OK;
    return bt_fail(BT_ERR_FILE, "%s: cannot be written: %s", path, strerror(errno));
}

static bt_status write_tensors(FILE *file, const char *path, const bt_tensor *tensors, size_t n,
                               const bt_tensor_source *source)
{
    bt_status status = BT_OK;
    float *data = NULL;
    for (size_t i = 0; i < n; ++i) {
        const size_t bytes = bytes_of(&tensors[i]);
        if (source) {
            BT_ALLOC(data, bytes / sizeof *data);
            BT_TRY(source->give(source->context, i, data));
        }
        BT_TRY(write_bytes(file, path, source ? data : tensors[i].data, bytes));
        bt_free(data);
        data = NULL;
    }
cleanup:
    bt_free(data);
    return status;
}

static bt_status write_file(const char *path, const bt_tensor *tensors, size_t n, const bt_tensor_source *source)
{
    bt_status status = BT_OK;
    bt_text header = {0};
    FILE *file = NULL;
    BT_TRY(make_header(tensors, n, &header));
    file = fopen(path, "wb");
    BT_CHECK(file, BT_ERR_FILE, "%s: cannot be created: %s", path, strerror(errno));
    status = write_bytes(file, path, header.data, header.length);
    if (status == BT_OK) status = write_tensors(file, path, tensors, n, source);
    if (fclose(file) != 0 && status == BT_OK)
        status = bt_fail(BT_ERR_FILE, "%s: cannot be written: %s", path, strerror(errno));
    if (status != BT_OK) (void)unlink(path);
cleanup:
    bt_text_clear(&header);
    return status;
}

bt_status bt_safetensors_write(const char *path, const bt_tensor *tensors, size_t n)
{
    return write_file(path, tensors, n, NULL);
}

bt_status bt_safetensors_write_from(const char *path, const bt_tensor *tensors, size_t n, bt_tensor_source source)
{
    return write_file(path, tensors, n, &source);
}
