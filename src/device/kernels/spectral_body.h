/* Weighted sums over components, for the instruction set that the including file chose before. */
#ifndef BT_DEVICE_KERNELS_SPECTRAL_BODY_H
#define BT_DEVICE_KERNELS_SPECTRAL_BODY_H

#include "device/kernels/lanes.h"

enum { SPECTRAL_DEPTH = 2 * BT_SPECTRAL_ROWS };

enum { CACHE_LINE = 64 };

/* `bytes` from here: rows lie too far apart for the CPU to see them coming. */
BT_INLINE void fetch(const void *from, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += CACHE_LINE) __builtin_prefetch((const char *)from + at);
}

/* to (BT_SPECTRAL_ROWS, BT_LANES) = a b for n_row rows, zeros below and beside; as many rows behind them, up to n_left
 * from a on, are fetched. */
BT_INLINE void products_f32(const float *a, size_t a_stride, const float *b, size_t b_stride, size_t n_row,
                            size_t n_left, size_t n_lane, float *to)
{
    for (size_t i = 0; i < n_row; ++i, to += BT_LANES) {
        const float *const left = a + i * a_stride, *const right = b + i * b_stride;
        if (i + BT_SPECTRAL_ROWS < n_left) {
            fetch(left + BT_SPECTRAL_ROWS * a_stride, BT_LANES * sizeof *left);
            fetch(right + BT_SPECTRAL_ROWS * b_stride, BT_LANES * sizeof *right);
        }
        if (n_lane == BT_LANES)
            for (size_t lane = 0; lane < BT_LANES; lane += WIDTH)
                store(to + lane, load(left + lane) * load(right + lane));
        else
            for (size_t lane = 0; lane < BT_LANES; ++lane) to[lane] = lane < n_lane ? left[lane] * right[lane] : 0.0f;
    }
    memset(to, 0, (BT_SPECTRAL_ROWS - n_row) * BT_LANES * sizeof *to);
}

static void kernel_spectral_f32(const bt_spectral_f32 *task)
{
    float products[SPECTRAL_DEPTH * BT_LANES] __attribute__((aligned(64)));
    float part[BT_SPECTRAL_WEIGHTS * BT_LANES] __attribute__((aligned(64)));
    double sums[BT_SPECTRAL_WEIGHTS * BT_LANES];
    const size_t depth = task->z ? SPECTRAL_DEPTH : BT_SPECTRAL_ROWS;
    const float *table = task->table;
    memset(sums, 0, task->n_weight * BT_LANES * sizeof *sums);
    for (size_t low = 0; low < task->n_component; low += BT_SPECTRAL_ROWS) {
        const size_t left = task->n_component - low, n = left < BT_SPECTRAL_ROWS ? left : BT_SPECTRAL_ROWS;
        const float *const x = task->x + low * task->x_stride;
        products_f32(x, task->x_stride, task->y + low * task->y_stride, task->y_stride, n, left, task->n_lane,
                     products);
        if (task->z)
            products_f32(x, task->x_stride, task->z + low * task->z_stride, task->z_stride, n, left, task->n_lane,
                         products + BT_SPECTRAL_ROWS * BT_LANES);
        for (size_t k = 0; k < task->n_weight; k += TILE_ROWS)
            tile_some(task->n_weight - k < TILE_ROWS ? task->n_weight - k : TILE_ROWS, depth,
                      table + k * SPECTRAL_DEPTH, SPECTRAL_DEPTH, 1, products, NULL, part + k * BT_LANES);
        for (size_t i = 0; i < task->n_weight * BT_LANES; ++i) sums[i] += (double)part[i];
        table += task->n_table * SPECTRAL_DEPTH;
    }
    for (size_t k = 0; k < task->n_weight; ++k)
        memcpy(task->sums + k * task->sums_stride, sums + k * BT_LANES, task->n_lane * sizeof *sums);
}

enum { WIDE_VECTORS = BT_SPECTRAL_LANES / WIDE };

BT_INLINE wide load_wide(const double *x)
{
    return *(const loose_wide *)x;
}

BT_INLINE void store_wide(double *x, wide v)
{
    *(loose_wide *)x = v;
}

/* c (rows, BT_SPECTRAL_LANES) += sum_k a[r * a_row + k] b[k * BT_SPECTRAL_LANES + lane]. */
BT_INLINE void tile_wide(size_t rows, size_t depth, const double *a, size_t a_row, const double *b, double *c)
{
    wide sum[TILE_ROWS][WIDE_VECTORS];
#pragma GCC unroll 8
    for (size_t r = 0; r < rows; ++r)
#pragma GCC unroll 8
        for (size_t v = 0; v < WIDE_VECTORS; ++v) sum[r][v] = load_wide(c + r * BT_SPECTRAL_LANES + v * WIDE);
    for (size_t k = 0; k < depth; ++k) {
#pragma GCC unroll 8
        for (size_t r = 0; r < rows; ++r) {
            const double x = a[r * a_row + k];
#pragma GCC unroll 8
            for (size_t v = 0; v < WIDE_VECTORS; ++v) sum[r][v] += x * load_wide(b + k * BT_SPECTRAL_LANES + v * WIDE);
        }
    }
#pragma GCC unroll 8
    for (size_t r = 0; r < rows; ++r)
#pragma GCC unroll 8
        for (size_t v = 0; v < WIDE_VECTORS; ++v) store_wide(c + r * BT_SPECTRAL_LANES + v * WIDE, sum[r][v]);
}

BT_INLINE void products_f64(const double *a, size_t a_stride, const double *b, size_t b_stride, size_t n_row,
                            size_t n_lane, double *to)
{
    for (size_t i = 0; i < n_row; ++i, to += BT_SPECTRAL_LANES)
        for (size_t lane = 0; lane < BT_SPECTRAL_LANES; ++lane)
            to[lane] = lane < n_lane ? a[i * a_stride + lane] * b[i * b_stride + lane] : 0.0;
    memset(to, 0, (BT_SPECTRAL_ROWS - n_row) * BT_SPECTRAL_LANES * sizeof *to);
}

static void kernel_spectral_f64(const bt_spectral_f64 *task)
{
    double products[SPECTRAL_DEPTH * BT_SPECTRAL_LANES] __attribute__((aligned(64)));
    double sums[BT_SPECTRAL_WEIGHTS * BT_SPECTRAL_LANES];
    const size_t depth = task->z ? SPECTRAL_DEPTH : BT_SPECTRAL_ROWS;
    const double *table = task->table;
    memset(sums, 0, task->n_weight * BT_SPECTRAL_LANES * sizeof *sums);
    for (size_t low = 0; low < task->n_component; low += BT_SPECTRAL_ROWS) {
        const size_t n = task->n_component - low < BT_SPECTRAL_ROWS ? task->n_component - low : BT_SPECTRAL_ROWS;
        const double *const x = task->x + low * task->x_stride;
        products_f64(x, task->x_stride, task->y + low * task->y_stride, task->y_stride, n, task->n_lane, products);
        if (task->z)
            products_f64(x, task->x_stride, task->z + low * task->z_stride, task->z_stride, n, task->n_lane,
                         products + BT_SPECTRAL_ROWS * BT_SPECTRAL_LANES);
        size_t k = 0;
        for (; k + TILE_ROWS <= task->n_weight; k += TILE_ROWS)
            tile_wide(TILE_ROWS, depth, table + k * SPECTRAL_DEPTH, SPECTRAL_DEPTH, products,
                      sums + k * BT_SPECTRAL_LANES);
        for (; k < task->n_weight; ++k)
            tile_wide(1, depth, table + k * SPECTRAL_DEPTH, SPECTRAL_DEPTH, products, sums + k * BT_SPECTRAL_LANES);
        table += task->n_table * SPECTRAL_DEPTH;
    }
    for (size_t k = 0; k < task->n_weight; ++k)
        memcpy(task->sums + k * task->sums_stride, sums + k * BT_SPECTRAL_LANES, task->n_lane * sizeof *sums);
}

#endif
