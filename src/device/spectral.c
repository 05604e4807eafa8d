#include "device/spectral.h"

#include "base/memory.h"
#include "device/internal.h"
#include "device/kernels/kernels.h"

#include <omp.h>
#include <string.h>

enum { DEPTH = 2 * BT_SPECTRAL_ROWS };

static float *f32_at(bt_matrix m, size_t row, size_t column)
{
    return (float *)m.buffer->data + m.offset + row * m.stride + column;
}

static double *f64_at(bt_matrix m, size_t row, size_t column)
{
    return (double *)m.buffer->data + m.offset + row * m.stride + column;
}

static bool is_inside(bt_matrix m)
{
    if (m.rows == 0 || m.columns == 0) return true;
    return m.buffer && m.offset + (m.rows - 1) * m.stride + m.columns <= m.buffer->count;
}

/* ---- weighted sums ---- */

static bool is_like(bt_matrix m, bt_dtype type, size_t rows, size_t columns)
{
    return m.buffer && m.buffer->type == type && m.rows == rows && m.columns == columns && is_inside(m);
}

static bt_status check(const bt_spectral_sums *t)
{
    const bt_dtype type = t->x.buffer ? t->x.buffer->type : BT_I32;
    const size_t n = t->x.rows, v = t->x.columns, k = t->first.rows;
    const bool alone = !t->z.buffer && !t->second.buffer;
    if ((type == BT_F32 || type == BT_F64) && is_like(t->x, type, n, v) && is_like(t->y, type, n, v) &&
        is_like(t->first, type, k, n) && is_like(t->sums, BT_F64, k, v) &&
        (alone || (is_like(t->z, type, n, v) && is_like(t->second, type, k, n))))
        return BT_OK;
    return bt_fail(BT_ERR_INTERNAL, "bt_spectral: %zu weights of %zu components and %zu columns do not fit", k, n, v);
}

/* The kernels' table: per block of components the weights, second behind first. */
static void fill_f32(const bt_spectral_sums *t, float *table)
{
    const size_t n = t->x.rows, n_weight = t->first.rows;
    for (size_t low = 0; low < n; low += BT_SPECTRAL_ROWS)
        for (size_t k = 0; k < n_weight; ++k, table += DEPTH)
            for (size_t i = 0; i < BT_SPECTRAL_ROWS; ++i) {
                table[i] = low + i < n ? *f32_at(t->first, k, low + i) : 0.0F;
                table[BT_SPECTRAL_ROWS + i] = low + i < n && t->second.buffer ? *f32_at(t->second, k, low + i) : 0.0F;
            }
}

static void fill_f64(const bt_spectral_sums *t, double *table)
{
    const size_t n = t->x.rows, n_weight = t->first.rows;
    for (size_t low = 0; low < n; low += BT_SPECTRAL_ROWS)
        for (size_t k = 0; k < n_weight; ++k, table += DEPTH)
            for (size_t i = 0; i < BT_SPECTRAL_ROWS; ++i) {
                table[i] = low + i < n ? *f64_at(t->first, k, low + i) : 0.0;
                table[BT_SPECTRAL_ROWS + i] = low + i < n && t->second.buffer ? *f64_at(t->second, k, low + i) : 0.0;
            }
}

static void sum_f32(const bt_device *device, const bt_spectral_sums *t, const float *table)
{
    const size_t n_column = t->x.columns, n_weight = t->first.rows;
    const bt_kernels *const kernels = bt_kernels_best();
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t v = 0; v < n_column; v += BT_LANES)
        for (size_t k = 0; k < n_weight; k += BT_SPECTRAL_WEIGHTS) {
            const bt_spectral_f32 task = {.x = f32_at(t->x, 0, v),
                                          .y = f32_at(t->y, 0, v),
                                          .z = t->z.buffer ? f32_at(t->z, 0, v) : NULL,
                                          .x_stride = t->x.stride,
                                          .y_stride = t->y.stride,
                                          .z_stride = t->z.stride,
                                          .n_component = t->x.rows,
                                          .n_lane = bt_least(n_column - v, BT_LANES),
                                          .table = table + k * DEPTH,
                                          .n_weight = bt_least(n_weight - k, BT_SPECTRAL_WEIGHTS),
                                          .n_table = n_weight,
                                          .sums = f64_at(t->sums, k, v),
                                          .sums_stride = t->sums.stride};
            kernels->spectral_f32(&task);
        }
}

static void sum_f64(const bt_device *device, const bt_spectral_sums *t, const double *table)
{
    const size_t n_column = t->x.columns, n_weight = t->first.rows;
    const bt_kernels *const kernels = bt_kernels_best();
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t v = 0; v < n_column; v += BT_SPECTRAL_LANES)
        for (size_t k = 0; k < n_weight; k += BT_SPECTRAL_WEIGHTS) {
            const bt_spectral_f64 task = {.x = f64_at(t->x, 0, v),
                                          .y = f64_at(t->y, 0, v),
                                          .z = t->z.buffer ? f64_at(t->z, 0, v) : NULL,
                                          .x_stride = t->x.stride,
                                          .y_stride = t->y.stride,
                                          .z_stride = t->z.stride,
                                          .n_component = t->x.rows,
                                          .n_lane = bt_least(n_column - v, BT_SPECTRAL_LANES),
                                          .table = table + k * DEPTH,
                                          .n_weight = bt_least(n_weight - k, BT_SPECTRAL_WEIGHTS),
                                          .n_table = n_weight,
                                          .sums = f64_at(t->sums, k, v),
                                          .sums_stride = t->sums.stride};
            kernels->spectral_f64(&task);
        }
}

bt_status bt_spectral(bt_device *device, const bt_spectral_sums *task)
{
    bt_status status = BT_OK;
    void *table = NULL;
    BT_TRY(check(task));
    const bt_dtype type = task->x.buffer->type;
    const size_t n_block = (task->x.rows + BT_SPECTRAL_ROWS - 1) / BT_SPECTRAL_ROWS;
    BT_TRY(bt_scratch(device, n_block * task->first.rows * DEPTH * bt_dtype_size(type), &table));
    if (type == BT_F32) {
        fill_f32(task, table);
        sum_f32(device, task, table);
    } else {
        fill_f64(task, table);
        sum_f64(device, task, table);
    }
cleanup:
    return status;
}

/* ---- precision ---- */

static void convert_row(bt_matrix from, bt_matrix to, size_t row)
{
    const size_t n = from.columns;
    if (from.buffer->type == BT_F32) {
        const float *const x = f32_at(from, row, 0);
        double *const y = f64_at(to, row, 0);
        for (size_t i = 0; i < n; ++i) y[i] = (double)x[i];
    } else {
        const double *const x = f64_at(from, row, 0);
        float *const y = f32_at(to, row, 0);
        for (size_t i = 0; i < n; ++i) y[i] = (float)x[i];
    }
}

static bool is_real(const bt_buffer *buffer)
{
    return buffer && (buffer->type == BT_F32 || buffer->type == BT_F64);
}

bt_status bt_convert(bt_device *device, bt_matrix from, bt_matrix to)
{
    bt_status status = BT_OK;
    BT_CHECK(is_real(from.buffer) && is_real(to.buffer) && from.rows == to.rows && from.columns == to.columns &&
                 is_inside(from) && is_inside(to),
             BT_ERR_INTERNAL, "bt_convert: (%zu, %zu) into (%zu, %zu)", from.rows, from.columns, to.rows, to.columns);
    const bool same = from.buffer->type == to.buffer->type;
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t row = 0; row < from.rows; ++row) {
        if (!same)
            convert_row(from, to, row);
        else if (from.buffer->type == BT_F32)
            memcpy(f32_at(to, row, 0), f32_at(from, row, 0), from.columns * sizeof(float));
        else
            memcpy(f64_at(to, row, 0), f64_at(from, row, 0), from.columns * sizeof(double));
    }
cleanup:
    return status;
}

/* weight (n) = s / (s^2 + penalty). */
static void shrink_weights(double s, const double *penalty, size_t n, double *weight)
{
    for (size_t v = 0; v < n; ++v) weight[v] = s / (s * s + penalty[v]);
}

/* One row of bt_shrink. */
static void shrink_row(bt_matrix q, size_t k, const double *weight, bt_matrix to)
{
    const size_t n = q.columns;
    const bool single = q.buffer->type == BT_F32, narrow = to.buffer->type == BT_F32;
    for (size_t v = 0; v < n && single && narrow; ++v)
        *f32_at(to, k, v) = (float)((double)*f32_at(q, k, v) * weight[v]);
    for (size_t v = 0; v < n && single && !narrow; ++v) *f64_at(to, k, v) = (double)*f32_at(q, k, v) * weight[v];
    for (size_t v = 0; v < n && !single && narrow; ++v) *f32_at(to, k, v) = (float)(*f64_at(q, k, v) * weight[v]);
    for (size_t v = 0; v < n && !single && !narrow; ++v) *f64_at(to, k, v) = *f64_at(q, k, v) * weight[v];
}

bt_status bt_shrink(bt_device *device, bt_matrix q, const double *singular, const double *penalty, bt_matrix to)
{
    bt_status status = BT_OK;
    double *weights = NULL; /* (n_thread, q.columns) */
    BT_CHECK(is_real(q.buffer) && is_real(to.buffer) && q.rows == to.rows && q.columns == to.columns && is_inside(q) &&
                 is_inside(to),
             BT_ERR_INTERNAL, "bt_shrink: (%zu, %zu) into (%zu, %zu)", q.rows, q.columns, to.rows, to.columns);
    BT_ALLOC(weights, (size_t)device->n_thread * q.columns);
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t k = 0; k < q.rows; ++k) {
        double *const weight = weights + (size_t)omp_get_thread_num() * q.columns;
        shrink_weights(singular[k], penalty, q.columns, weight);
        shrink_row(q, k, weight, to);
    }
cleanup:
    bt_free(weights);
    return status;
}

/* to (n) = from[column[j]], or from[j]. */
static void pick_f32(const float *from, const size_t *column, size_t n, float *to)
{
    if (!column) memcpy(to, from, n * sizeof *to);
    for (size_t j = 0; column && j < n; ++j) to[j] = from[column[j]];
}

static void pick_f64(const float *from, const size_t *column, size_t n, double *to)
{
    for (size_t j = 0; j < n; ++j) to[j] = (double)from[column ? column[j] : j];
}

bt_status bt_write_picked(bt_device *device, const bt_picked *from, bt_matrix to)
{
    bt_status status = BT_OK;
    BT_CHECK(is_real(to.buffer) && is_inside(to) && (from->column || to.columns <= from->stride), BT_ERR_INTERNAL,
             "bt_write_picked: (., %zu) into (%zu, %zu)", from->stride, to.rows, to.columns);
    for (size_t j = 0; from->column && j < to.columns; ++j)
        BT_CHECK(from->column[j] < from->stride, BT_ERR_INTERNAL, "bt_write_picked: column %zu of %zu", from->column[j],
                 from->stride);
    const bool single = to.buffer->type == BT_F32;
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t i = 0; i < to.rows; ++i) {
        const float *const row = from->host + (from->row ? from->row[i] : i) * from->stride;
        if (single)
            pick_f32(row, from->column, to.columns, f32_at(to, i, 0));
        else
            pick_f64(row, from->column, to.columns, f64_at(to, i, 0));
    }
cleanup:
    return status;
}
