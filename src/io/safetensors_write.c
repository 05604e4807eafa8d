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

static bool write_data(FILE *file, const bt_tensor *tensors, size_t n)
{
    bool written = true;
    for (size_t i = 0; written && i < n; ++i) {
        size_t bytes;
        (void)!bt_elements_span(tensors[i].rank, tensors[i].shape, sizeof(float), &bytes);
        written = bytes == 0 || fwrite(tensors[i].data, 1, bytes, file) == bytes;
    }
    return written;
}

bt_status bt_safetensors_write(const char *path, const bt_tensor *tensors, size_t n)
{
    bt_status status = BT_OK;
    bt_text header = {0};
    BT_TRY(make_header(tensors, n, &header));
    FILE *const file = fopen(path, "wb");
    BT_CHECK(file, BT_ERR_FILE, "%s: cannot be created: %s", path, strerror(errno));
    errno = 0;
    const bool written = fwrite(header.data, 1, header.length, file) == header.length && write_data(file, tensors, n);
    const int error = errno;
    const bool closed = fclose(file) == 0;
    status = written && closed
                 ? BT_OK
                 : bt_fail(BT_ERR_FILE, "%s: cannot be written: %s", path, strerror(error ? error : errno));
    if (status != BT_OK) (void)unlink(path);
cleanup:
    bt_text_clear(&header);
    return status;
}
