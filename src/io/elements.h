/* Numbers as foreign files store them: every integer and float type, either endian, any alignment. */
#ifndef BT_IO_ELEMENTS_H
#define BT_IO_ELEMENTS_H

#include "base/status.h"
#include "device/device.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum {
    BT_ELEMENT_I8,
    BT_ELEMENT_U8,
    BT_ELEMENT_I16,
    BT_ELEMENT_U16,
    BT_ELEMENT_I32,
    BT_ELEMENT_U32,
    BT_ELEMENT_I64,
    BT_ELEMENT_U64,
    BT_ELEMENT_F16,
    BT_ELEMENT_BF16,
    BT_ELEMENT_F32,
    BT_ELEMENT_F64
} bt_element;

size_t bt_element_size(bt_element element);
const char *bt_element_name(bt_element element); /* "int16" */
bool bt_element_is_integer(bt_element element);

/* out[i] = element i * stride of `bytes`, for i in [0, n). swap: the bytes are big-endian. type: BT_F32 or BT_F64. */
void bt_elements_convert(bt_element element, bool swap, const void *bytes, size_t stride, size_t n, bt_dtype type,
                         void *out);

/* *bytes = size times all of shape; false when that passes 2^63 - 1. */
bool bt_elements_span(int rank, const size_t *shape, size_t size, size_t *bytes);

#endif
