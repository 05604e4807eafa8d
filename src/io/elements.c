#include "io/elements.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are converted from and to a little-endian machine");

static const struct {
    const char *name;
    unsigned char size;
    bool is_integer;
} elements[] = {
    [BT_ELEMENT_I8] = {"int8", 1, true},      [BT_ELEMENT_U8] = {"uint8", 1, true},
    [BT_ELEMENT_I16] = {"int16", 2, true},    [BT_ELEMENT_U16] = {"uint16", 2, true},
    [BT_ELEMENT_I32] = {"int32", 4, true},    [BT_ELEMENT_U32] = {"uint32", 4, true},
    [BT_ELEMENT_I64] = {"int64", 8, true},    [BT_ELEMENT_U64] = {"uint64", 8, true},
    [BT_ELEMENT_F16] = {"float16", 2, false}, [BT_ELEMENT_BF16] = {"bfloat16", 2, false},
    [BT_ELEMENT_F32] = {"float32", 4, false}, [BT_ELEMENT_F64] = {"float64", 8, false},
};

size_t bt_element_size(bt_element element)
{
    return elements[element].size;
}

const char *bt_element_name(bt_element element)
{
    return elements[element].name;
}

bool bt_element_is_integer(bt_element element)
{
    return elements[element].is_integer;
}

bool bt_elements_span(int rank, const size_t *shape, size_t size, size_t *bytes)
{
    size_t n = size;
    bool empty = false, fits = true;
    for (int i = 0; i < rank; ++i) {
        if (shape[i] == 0)
            empty = true;
        else
            fits = fits && !__builtin_mul_overflow(n, shape[i], &n);
    }
    *bytes = empty ? 0 : n;
    return fits && n <= INT64_MAX;
}

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float from_half(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = (half >> 10) & 0x1fu, fraction = half & 0x3ffu;
    if (exponent == 0x1f) return from_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent) return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
    const float tiny = (float)fraction * 0x1p-24f; /* zero and subnormal */
    return sign ? -tiny : tiny;
}

/* One block, aligned and in this machine's byte order. */
enum { BLOCK = 1024 };
typedef union {
    int8_t i8[BLOCK];
    uint8_t u8[BLOCK];
    int16_t i16[BLOCK];
    uint16_t u16[BLOCK];
    int32_t i32[BLOCK];
    uint32_t u32[BLOCK];
    int64_t i64[BLOCK];
    uint64_t u64[BLOCK];
    float f32[BLOCK];
    double f64[BLOCK];
} block;

static void gather(const unsigned char *bytes, size_t size, size_t stride, size_t n, block *to)
{
    if (stride == 1) {
        memcpy(to, bytes, n * size);
        return;
    }
    for (size_t i = 0; i < n; ++i) memcpy(to->u8 + i * size, bytes + i * stride * size, size);
}

static void swap_block(size_t size, size_t n, block *b)
{
    for (size_t i = 0; size == 2 && i < n; ++i) b->u16[i] = __builtin_bswap16(b->u16[i]);
    for (size_t i = 0; size == 4 && i < n; ++i) b->u32[i] = __builtin_bswap32(b->u32[i]);
    for (size_t i = 0; size == 8 && i < n; ++i) b->u64[i] = __builtin_bswap64(b->u64[i]);
}

#define CAST_ALL(to, from)                                                                                             \
    for (size_t i = 0; i < n; ++i) (to)[i] = (from)[i]

#define CONVERT_ALL(to, convert, from)                                                                                 \
    for (size_t i = 0; i < n; ++i) (to)[i] = convert((from)[i])

static float from_brain(uint16_t bits)
{
    return from_bits((uint32_t)bits << 16);
}

static void to_doubles(bt_element element, const block *b, size_t n, double *out)
{
    switch (element) {
    case BT_ELEMENT_I8: CAST_ALL(out, b->i8); break;
    case BT_ELEMENT_U8: CAST_ALL(out, b->u8); break;
    case BT_ELEMENT_I16: CAST_ALL(out, b->i16); break;
    case BT_ELEMENT_U16: CAST_ALL(out, b->u16); break;
    case BT_ELEMENT_I32: CAST_ALL(out, b->i32); break;
    case BT_ELEMENT_U32: CAST_ALL(out, b->u32); break;
    case BT_ELEMENT_I64: CONVERT_ALL(out, (double), b->i64); break;
    case BT_ELEMENT_U64: CONVERT_ALL(out, (double), b->u64); break;
    case BT_ELEMENT_F16: CONVERT_ALL(out, from_half, b->u16); break;
    case BT_ELEMENT_BF16: CONVERT_ALL(out, from_brain, b->u16); break;
    case BT_ELEMENT_F32: CAST_ALL(out, b->f32); break;
    case BT_ELEMENT_F64: CAST_ALL(out, b->f64); break;
    }
}

static void to_floats(bt_element element, const block *b, size_t n, float *out)
{
    switch (element) {
    case BT_ELEMENT_I8: CAST_ALL(out, b->i8); break;
    case BT_ELEMENT_U8: CAST_ALL(out, b->u8); break;
    case BT_ELEMENT_I16: CAST_ALL(out, b->i16); break;
    case BT_ELEMENT_U16: CAST_ALL(out, b->u16); break;
    case BT_ELEMENT_I32: CONVERT_ALL(out, (float), b->i32); break;
    case BT_ELEMENT_U32: CONVERT_ALL(out, (float), b->u32); break;
    case BT_ELEMENT_I64: CONVERT_ALL(out, (float), b->i64); break;
    case BT_ELEMENT_U64: CONVERT_ALL(out, (float), b->u64); break;
    case BT_ELEMENT_F16: CONVERT_ALL(out, from_half, b->u16); break;
    case BT_ELEMENT_BF16: CONVERT_ALL(out, from_brain, b->u16); break;
    case BT_ELEMENT_F32: CAST_ALL(out, b->f32); break;
    case BT_ELEMENT_F64: CONVERT_ALL(out, (float), b->f64); break;
    }
}

void bt_elements_convert(bt_element element, bool swap, const void *bytes, size_t stride, size_t n, bt_dtype type,
                         void *out)
{
    assert(type == BT_F32 || type == BT_F64);
    const size_t size = bt_element_size(element);
    const bool same = (type == BT_F32 && element == BT_ELEMENT_F32) || (type == BT_F64 && element == BT_ELEMENT_F64);
    if (same && !swap && stride == 1) {
        memcpy(out, bytes, n * size);
        return;
    }
    for (size_t done = 0; done < n; done += BLOCK) {
        const size_t here = n - done < BLOCK ? n - done : BLOCK;
        block b;
        gather((const unsigned char *)bytes + done * stride * size, size, stride, here, &b);
        if (swap) swap_block(size, here, &b);
        if (type == BT_F32)
            to_floats(element, &b, here, (float *)out + done);
        else
            to_doubles(element, &b, here, (double *)out + done);
    }
}
