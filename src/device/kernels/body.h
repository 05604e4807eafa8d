/* The kernels, for the instruction set that the including file chose before. Included by baseline.c, v3.c and v4.c. */
#ifndef BT_DEVICE_KERNELS_BODY_H
#define BT_DEVICE_KERNELS_BODY_H

#include "device/kernels/attend.h"
#include "device/kernels/lanes.h"

#include <math.h>
#include <string.h>

static void kernel_gelu(const float *x, float *out, size_t n)
{
    size_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH) store(out + i, gelu(load(x + i)));
    if (i == n) return;
    float rest[WIDTH] = {0};
    memcpy(rest, x + i, (n - i) * sizeof *x);
    store(rest, gelu(load(rest)));
    memcpy(out + i, rest, (n - i) * sizeof *x);
}

/* The upper half of a float, rounded; what is not a number stays one. The compiler vectorises it. */
static void kernel_halves(const float *x, uint16_t *out, size_t n)
{
    for (size_t i = 0; i < n; ++i) {
        uint32_t u;
        memcpy(&u, x + i, sizeof u);
        const uint32_t rounded = (u + 0x7fff + (u >> 16 & 1)) >> 16, none = u >> 16 | 0x40;
        out[i] = (uint16_t)((u & 0x7fffffff) > 0x7f800000 ? none : rounded);
    }
}

static void kernel_subtract(const float *x, const float *y, float *out, size_t n)
{
    size_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH) store(out + i, load(x + i) - load(y + i));
    for (; i < n; ++i) out[i] = x[i] - y[i];
}

static void kernel_add(const float *x, const float *y, bool active, float *out, size_t n)
{
    size_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH) {
        const vector sum = load(x + i) + load(y + i);
        store(out + i, active ? gelu(sum) : sum);
    }
    if (i == n) return;
    for (size_t j = i; j < n; ++j) out[j] = x[j] + y[j];
    if (active) kernel_gelu(out + i, out + i, n - i);
}

static void kernel_gelu_backward(const float *x, const float *dy, float *dx, size_t n)
{
    size_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH) store(dx + i, load(dy + i) * gelu_slope(load(x + i)));
    if (i == n) return;
    float rest[WIDTH] = {0}, drest[WIDTH] = {0};
    memcpy(rest, x + i, (n - i) * sizeof *x);
    memcpy(drest, dy + i, (n - i) * sizeof *x);
    store(drest, load(drest) * gelu_slope(load(rest)));
    memcpy(dx + i, drest, (n - i) * sizeof *x);
}

/* --- rows of a product with one panel ------------------------------------------------------------------------------
 */

/* Up to n_lane of a row's BT_LANES. */
BT_INLINE void panel_row(const bt_panel_rows *task, const float *c, bool active, float *out)
{
    float part[BT_LANES] __attribute__((aligned(64)));
    float *const to = task->n_lane == BT_LANES ? out : part;
    for (size_t lane = 0; lane < BT_LANES; lane += WIDTH) {
        const vector y = load(c + lane) + load(task->bias + lane);
        store(to + lane, active ? gelu(y) : y);
    }
    if (to == part) memcpy(out, part, task->n_lane * sizeof *out);
}

BT_INLINE void panel_finish(const bt_panel_rows *task, const float *c, size_t row, size_t n_row)
{
    for (size_t r = 0; r < n_row; ++r) {
        const size_t at = (row + r) * task->out_stride;
        panel_row(task, c + r * BT_LANES, task->gelu, task->out + at);
        if (task->before) panel_row(task, c + r * BT_LANES, false, task->before + at);
    }
}

static void kernel_panel_rows(const bt_panel_rows *task, size_t n_row)
{
    float c[TILE_ROWS * BT_LANES] __attribute__((aligned(64)));
    for (size_t row = 0; row < n_row; row += TILE_ROWS) {
        const size_t rows = n_row - row < TILE_ROWS ? n_row - row : TILE_ROWS;
        tile_some(rows, task->depth, task->a + row * task->a_step, task->a_step, 1, task->panel, NULL, c);
        panel_finish(task, c, row, rows);
    }
}

static void kernel_signal_slope(const bt_signal_slope *task, size_t n_frame, double *sums)
{
    const float one = 1.0f;
    float d[BT_SLOPE_FRAMES * BT_LANES] __attribute__((aligned(64)));
    float part[TILE_ROWS * BT_LANES] __attribute__((aligned(64)));
    for (size_t f = 0; f < n_frame; ++f) {
        float *const to = d + f * BT_LANES;
        kernel_gelu_backward(task->h + f * task->h_stride, task->da + f * task->da_stride, to, task->n_lane);
        for (size_t lane = task->n_lane; lane < BT_LANES; ++lane) to[lane] = 0.0f;
    }
    for (size_t k = 0; k <= task->kernel; k += TILE_ROWS) {
        const size_t left = task->kernel - k, rows = left < TILE_ROWS ? left : TILE_ROWS;
        tile_some(rows, n_frame, task->x + k, 1, task->stride, d, NULL, part);
        for (size_t i = 0; i < rows * BT_LANES; ++i) sums[k * BT_LANES + i] += (double)part[i];
    }
    tile_some(1, n_frame, &one, 0, 0, d, NULL, part);
    for (size_t lane = 0; lane < BT_LANES; ++lane) sums[task->kernel * BT_LANES + lane] += (double)part[lane];
}

/* --- layer norm -----------------------------------------------------------------------------------------------------
 */

BT_INLINE float lane_sum(vector v)
{
    float sum = 0.0f;
    for (int i = 0; i < WIDTH; ++i) sum += v[i];
    return sum;
}

/* out = x + residual; returns the sum of the row. */
BT_INLINE float norm_join(const bt_norm_rows *task, const float *x, const float *residual, float *out)
{
    vector sums = fill(0.0f);
    size_t j = 0;
    for (; j + WIDTH <= task->columns; j += WIDTH) {
        const vector y = residual ? load(x + j) + load(residual + j) : load(x + j);
        sums += y;
        store(out + j, y);
    }
    float sum = lane_sum(sums);
    for (; j < task->columns; ++j) {
        out[j] = residual ? x[j] + residual[j] : x[j];
        sum += out[j];
    }
    return sum;
}

BT_INLINE float norm_squares(const float *row, size_t columns, float mean)
{
    vector sums = fill(0.0f);
    size_t j = 0;
    for (; j + WIDTH <= columns; j += WIDTH) {
        const vector y = load(row + j) - mean;
        sums += y * y;
    }
    float sum = lane_sum(sums);
    for (; j < columns; ++j) sum += (row[j] - mean) * (row[j] - mean);
    return sum;
}

static void kernel_norm_rows(const bt_norm_rows *task, size_t first, size_t last)
{
    const float n = (float)task->columns;
    for (size_t i = first; i < last; ++i) {
        float *const out = task->out + i * task->out_stride;
        const float *const residual = task->residual ? task->residual + i * task->residual_stride : NULL;
        const float mean = norm_join(task, task->x + i * task->x_stride, residual, out) / n;
        const float inverse = 1.0f / sqrtf(norm_squares(out, task->columns, mean) / n + task->epsilon);
        size_t j = 0;
        for (; j + WIDTH <= task->columns; j += WIDTH)
            store(out + j, (load(out + j) - mean) * inverse * load(task->scale + j) + load(task->shift + j));
        for (; j < task->columns; ++j) out[j] = (out[j] - mean) * inverse * task->scale[j] + task->shift[j];
    }
}

static void kernel_norm_moments(const float *x, size_t n, float epsilon, float moments[2])
{
    vector sums = fill(0.0f);
    size_t j = 0;
    for (; j + WIDTH <= n; j += WIDTH) sums += load(x + j);
    float sum = lane_sum(sums);
    for (; j < n; ++j) sum += x[j];
    moments[0] = sum / (float)n;
    moments[1] = 1.0f / sqrtf(norm_squares(x, n, moments[0]) / (float)n + epsilon);
}

static void kernel_norm_backward(const float *x, const float *scale, const float moments[2], const float *dy, float *dx,
                                 size_t n)
{
    const float mean = moments[0], inverse = moments[1];
    vector plain = fill(0.0f), weighted = fill(0.0f);
    size_t j = 0;
    for (; j + WIDTH <= n; j += WIDTH) {
        const vector g = load(dy + j) * load(scale + j);
        plain += g;
        weighted += g * ((load(x + j) - mean) * inverse);
    }
    float g_mean = lane_sum(plain), gh_mean = lane_sum(weighted);
    for (; j < n; ++j) {
        g_mean += dy[j] * scale[j];
        gh_mean += dy[j] * scale[j] * (x[j] - mean) * inverse;
    }
    g_mean /= (float)n;
    gh_mean /= (float)n;
    for (j = 0; j + WIDTH <= n; j += WIDTH) {
        const vector h = (load(x + j) - mean) * inverse;
        store(dx + j, (load(dy + j) * load(scale + j) - g_mean - h * gh_mean) * inverse);
    }
    for (; j < n; ++j) dx[j] = (dy[j] * scale[j] - g_mean - (x[j] - mean) * inverse * gh_mean) * inverse;
}

/* --- sums over rows --------------------------------------------------------------------------------------------------
 * A few rows in single precision, then on in double. */

enum { SUM_ROWS = 16 };

BT_INLINE void sum_take(vector part, double *sums)
{
    for (size_t i = 0; i < WIDTH; ++i) sums[i] += (double)part[i];
}

static void kernel_column_sums(const float *x, size_t stride, size_t n_row, size_t columns, double *sums)
{
    for (size_t first = 0; first < n_row; first += SUM_ROWS) {
        const size_t last = first + SUM_ROWS < n_row ? first + SUM_ROWS : n_row;
        size_t j = 0;
        for (; j + WIDTH <= columns; j += WIDTH) {
            vector part = fill(0.0f);
            for (size_t r = first; r < last; ++r) part += load(x + r * stride + j);
            sum_take(part, sums + j);
        }
        for (; j < columns; ++j)
            for (size_t r = first; r < last; ++r) sums[j] += (double)x[r * stride + j];
    }
}

static void kernel_norm_columns(const float *x, size_t x_stride, const float *dy, size_t dy_stride,
                                const float *moments, size_t n_row, size_t columns, double *dscale, double *dshift)
{
    for (size_t first = 0; first < n_row; first += SUM_ROWS) {
        const size_t last = first + SUM_ROWS < n_row ? first + SUM_ROWS : n_row;
        size_t j = 0;
        for (; j + WIDTH <= columns; j += WIDTH) {
            vector scale = fill(0.0f), shift = fill(0.0f);
            for (size_t r = first; r < last; ++r) {
                const vector d = load(dy + r * dy_stride + j);
                scale += d * ((load(x + r * x_stride + j) - moments[2 * r]) * moments[2 * r + 1]);
                shift += d;
            }
            sum_take(scale, dscale + j);
            sum_take(shift, dshift + j);
        }
        for (; j < columns; ++j)
            for (size_t r = first; r < last; ++r) {
                const float d = dy[r * dy_stride + j];
                dscale[j] += (double)(d * ((x[r * x_stride + j] - moments[2 * r]) * moments[2 * r + 1]));
                dshift[j] += (double)d;
            }
    }
}

/* --- moments of a signal and of its windows --------------------------------------------------------------------------
 */

enum { MOMENT_ROWS = 4, SUMS = 4 };

static void kernel_centred_sums(const float *x, size_t n, double centre, double *sums)
{
    double plain[SUMS * WIDE] = {0}, squares[SUMS * WIDE] = {0};
    size_t i = 0;
    for (; i + SUMS * WIDE <= n; i += SUMS * WIDE)
        for (size_t j = 0; j < SUMS * WIDE; ++j) {
            const double y = (double)x[i + j] - centre;
            plain[j] += y;
            squares[j] += y * y;
        }
    for (size_t j = 0; i < n; ++i, ++j) {
        const double y = (double)x[i] - centre;
        plain[j] += y;
        squares[j] += y * y;
    }
    sums[0] = sums[1] = 0;
    for (size_t j = 0; j < SUMS * WIDE; ++j) {
        sums[0] += plain[j];
        sums[1] += squares[j];
    }
}

/* sums[r, 0 .. 2 WIDE) of MOMENT_ROWS rows over the frames; x in double, readable BT_MOMENT_PAD behind the last frame.
 */
BT_INLINE void moment_tile(const double *left, size_t left_row, size_t left_step, const double *right, size_t n_frame,
                           size_t stride, double sums[MOMENT_ROWS][2 * WIDE])
{
    wide sum[MOMENT_ROWS][2];
    for (size_t r = 0; r < MOMENT_ROWS; ++r) sum[r][0] = sum[r][1] = (wide){0};
    for (size_t f = 0; f < n_frame; ++f) {
        const wide low = *(const loose_wide *)(right + f * stride);
        const wide high = *(const loose_wide *)(right + f * stride + WIDE);
#pragma GCC unroll 4
        for (size_t r = 0; r < MOMENT_ROWS; ++r) {
            const double x = left[r * left_row + f * left_step];
            sum[r][0] += x * low;
            sum[r][1] += x * high;
        }
    }
    for (size_t r = 0; r < MOMENT_ROWS; ++r)
        for (size_t i = 0; i < WIDE; ++i) {
            sums[r][i] = sum[r][0][i];
            sums[r][WIDE + i] = sum[r][1][i];
        }
}

static void kernel_moments(const float *x, size_t n_frame, size_t kernel, size_t stride, double *work, double *sums)
{
    const double one = 1.0;
    const size_t n = (n_frame - 1) * stride + kernel;
    for (size_t i = 0; i < n; ++i) work[i] = (double)x[i];
    memset(work + n, 0, BT_MOMENT_PAD * sizeof *work);
    double part[MOMENT_ROWS][2 * WIDE];
    for (size_t j = 0; j < kernel; j += 2 * WIDE) {
        const size_t columns = kernel - j < 2 * WIDE ? kernel - j : 2 * WIDE;
        for (size_t i = 0; i < kernel; i += MOMENT_ROWS) {
            moment_tile(work + i, 1, stride, work + j, n_frame, stride, part);
            for (size_t r = 0; r < MOMENT_ROWS && i + r < kernel; ++r)
                for (size_t c = 0; c < columns; ++c) sums[(i + r) * kernel + j + c] += part[r][c];
        }
        moment_tile(&one, 0, 0, work + j, n_frame, stride, part);
        for (size_t c = 0; c < columns; ++c) sums[kernel * kernel + j + c] += part[0][c];
    }
}

#endif
