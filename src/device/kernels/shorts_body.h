/* Products of 16-bit integers, for the instruction set that the including file chose before. */
#ifndef BT_DEVICE_KERNELS_SHORTS_BODY_H
#define BT_DEVICE_KERNELS_SHORTS_BODY_H

#include "device/kernels/lanes.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef bits loose_bits __attribute__((aligned(4), may_alias));

enum { PAIRS = BT_SHORT_CHUNK / 2, AHEAD = 8 };

/* sum + a0 b0 + a1 b1 of the pairs in each lane. */
BT_INLINE bits add_pairs(bits sum, bits a, bits b)
{
#if defined __AVX512VNNI__
    return (bits)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
#else
    return sum + ((a << 16) >> 16) * ((b << 16) >> 16) + (a >> 16) * (b >> 16);
#endif
}

/* Adds a chunk's sums to those before, in the units of its lines. */
BT_INLINE void add_chunk(const int32_t *a, const int32_t *b, const float *a_unit, const float *b_unit,
                         vector total[BT_SHORT_ROWS][VECTORS])
{
    bits sum[BT_SHORT_ROWS][VECTORS];
#pragma GCC unroll 16
    for (size_t i = 0; i < BT_SHORT_ROWS; ++i)
#pragma GCC unroll 2
        for (size_t v = 0; v < VECTORS; ++v) sum[i][v] = (bits){0};
    for (size_t k = 0; k < PAIRS; ++k, a += BT_SHORT_LEFT, b += BT_LANES) {
        bits right[VECTORS];
#pragma GCC unroll 2
        for (size_t v = 0; v < VECTORS; ++v) {
            right[v] = *(const loose_bits *)(b + v * WIDTH);
            __builtin_prefetch(b + AHEAD * BT_LANES + v * WIDTH);
        }
#pragma GCC unroll 16
        for (size_t i = 0; i < BT_SHORT_ROWS; ++i)
#pragma GCC unroll 2
            for (size_t v = 0; v < VECTORS; ++v) sum[i][v] = add_pairs(sum[i][v], a[i] - (bits){0}, right[v]);
    }
#pragma GCC unroll 16
    for (size_t i = 0; i < BT_SHORT_ROWS; ++i)
#pragma GCC unroll 2
        for (size_t v = 0; v < VECTORS; ++v)
            total[i][v] += a_unit[i] * load(b_unit + v * WIDTH) * __builtin_convertvector(sum[i][v], vector);
}

BT_INLINE void put_row(const bt_short_product *task, const vector *total, float *to)
{
    if (task->n_lane < BT_LANES)
        for (size_t lane = 0; lane < task->n_lane; ++lane) {
            const float value = total[lane / WIDTH][lane % WIDTH];
            to[lane] = task->adds ? to[lane] + value : value;
        }
    else
        for (size_t v = 0; v < VECTORS; ++v)
            store(to + v * WIDTH, task->adds ? load(to + v * WIDTH) + total[v] : total[v]);
}

static void kernel_short_product(const bt_short_product *task)
{
    enum { A_CHUNK = PAIRS * BT_SHORT_LEFT, B_CHUNK = PAIRS * BT_LANES };
    vector total[BT_SHORT_ROWS][VECTORS];
    memset(total, 0, sizeof total);
    for (size_t i = 0; i < task->n_row; ++i)
        for (size_t v = 0; v < VECTORS; ++v) __builtin_prefetch(task->c + i * task->c_stride + v * WIDTH, 1);
    for (size_t c = 0; c < task->n_chunk; ++c)
        add_chunk(task->a + c * A_CHUNK, task->b + c * B_CHUNK, task->a_unit + c * BT_SHORT_LEFT,
                  task->b_unit + c * BT_LANES, total);
    for (size_t i = 0; i < task->n_row; ++i) put_row(task, total[i], task->c + i * task->c_stride);
}

/* The finest unit that keeps each element and the norm of the chunk in range; 0 for zeros. */
BT_INLINE void find_units(const float *x, size_t lanes, float *scale, float *unit)
{
    float most[BT_LANES] = {0}, squares[BT_LANES] = {0}; /* of elements as shares of the largest */
    for (size_t k = 0; k < BT_SHORT_CHUNK; ++k)
        for (size_t lane = 0; lane < lanes; ++lane) {
            const float size = fabsf(x[k * lanes + lane]);
            most[lane] = most[lane] > size ? most[lane] : size;
        }
    for (size_t lane = 0; lane < lanes; ++lane) scale[lane] = most[lane] > FLT_MIN ? 1 / most[lane] : 0;
    for (size_t k = 0; k < BT_SHORT_CHUNK; ++k)
        for (size_t lane = 0; lane < lanes; ++lane) {
            const float share = x[k * lanes + lane] * scale[lane];
            squares[lane] += share * share;
        }
    for (size_t lane = 0; lane < lanes; ++lane) {
        const float norm = BT_SHORT_NORM / sqrtf(squares[lane] > 1 ? squares[lane] : 1);
        const float top = norm < BT_SHORT_MOST ? norm : BT_SHORT_MOST; /* what the largest becomes */
        unit[lane] = scale[lane] > 0 ? most[lane] / top : 0;
        scale[lane] *= top;
    }
}

BT_INLINE void pack_lanes(const float *x, size_t lanes, int32_t *pairs, float *unit)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    float scale[BT_LANES];
    find_units(x, lanes, scale, unit);
    for (size_t k = 0; k < PAIRS; ++k, x += 2 * lanes, pairs += lanes)
        for (size_t lane = 0; lane < lanes; lane += WIDTH) {
            const vector by = load(scale + lane);
            const bits low = (bits)(load(x + lane) * by + magic) - (bits)fill(magic);
            const bits high = (bits)(load(x + lanes + lane) * by + magic) - (bits)fill(magic);
            *(loose_bits *)(pairs + lane) = (low & 0xffff) | (high << 16);
        }
}

static void kernel_short_pack(const float *x, size_t lanes, int32_t *pairs, float *unit)
{
    if (lanes == BT_LANES)
        pack_lanes(x, BT_LANES, pairs, unit);
    else
        pack_lanes(x, BT_SHORT_LEFT, pairs, unit);
}

#endif
