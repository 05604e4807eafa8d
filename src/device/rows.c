/* Picking and averaging rows, and their adjoints. */
#include "device/backward.h"
#include "device/internal.h"
#include "device/layers.h"

#include <string.h>

bt_status bt_rows_gather(bt_device *device, bt_matrix x, const size_t *rows, bt_matrix out)
{
    bt_status status = BT_OK;
    (void)device;
    float *from = NULL, *to = NULL;
    BT_TRY(bt_floats(x, "bt_rows_gather", &from));
    BT_TRY(bt_floats(out, "bt_rows_gather", &to));
    BT_CHECK(x.columns == out.columns, BT_ERR_INTERNAL, "bt_rows_gather: %zu columns into %zu", x.columns, out.columns);
    for (size_t i = 0; i < out.rows; ++i) {
        BT_CHECK(rows[i] < x.rows, BT_ERR_INTERNAL, "bt_rows_gather: row %zu of %zu", rows[i], x.rows);
        memcpy(to + i * out.stride, from + rows[i] * x.stride, x.columns * sizeof *to);
    }
cleanup:
    return status;
}

static bt_status check_rows(const char *call, const size_t *rows, size_t n, bt_matrix x, bt_matrix vector)
{
    if (vector.buffer && (vector.rows != 1 || vector.columns != x.columns))
        return bt_fail(BT_ERR_INTERNAL, "%s: a vector (%zu, %zu) beside rows of %zu columns", call, vector.rows,
                       vector.columns, x.columns);
    for (size_t i = 0; i < n; ++i)
        if (rows[i] >= x.rows) return bt_fail(BT_ERR_INTERNAL, "%s: row %zu of %zu", call, rows[i], x.rows);
    return BT_OK;
}

bt_status bt_rows_replace(bt_device *device, const size_t *rows, size_t n, bt_matrix vector, bt_matrix x)
{
    bt_status status = BT_OK;
    float *from = NULL, *to = NULL;
    (void)device;
    BT_TRY(check_rows("bt_rows_replace", rows, n, x, vector));
    BT_TRY(bt_floats(vector, "bt_rows_replace", &from));
    BT_TRY(bt_floats(x, "bt_rows_replace", &to));
    for (size_t i = 0; i < n; ++i) memcpy(to + rows[i] * x.stride, from, x.columns * sizeof *to);
cleanup:
    return status;
}

bt_status bt_rows_replace_backward(bt_device *device, const size_t *rows, size_t n, bt_matrix dx, bt_matrix dvector)
{
    bt_status status = BT_OK;
    float *from = NULL, *to = NULL;
    BT_TRY(check_rows("bt_rows_replace_backward", rows, n, dx, dvector));
    BT_TRY(bt_floats(dx, "bt_rows_replace_backward", &from));
    BT_TRY(bt_floats_or_none(dvector, "bt_rows_replace_backward", &to));
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t j = 0; j < dx.columns; ++j) {
        double sum = 0;
        for (size_t i = 0; i < n; ++i) {
            sum += (double)from[rows[i] * dx.stride + j];
            from[rows[i] * dx.stride + j] = 0.0f;
        }
        if (to) to[j] += (float)sum;
    }
cleanup:
    return status;
}

/* A table, and a matrix whose columns are rows of it. */
static bt_status check_columns(const char *call, bt_matrix table, const size_t *rows, bt_matrix columns)
{
    bt_status status = BT_OK;
    BT_CHECK(table.columns == columns.rows, BT_ERR_INTERNAL, "%s: rows of %zu, columns of %zu", call, table.columns,
             columns.rows);
    for (size_t i = 0; i < columns.columns; ++i)
        BT_CHECK(rows[i] < table.rows, BT_ERR_INTERNAL, "%s: row %zu of %zu", call, rows[i], table.rows);
cleanup:
    return status;
}

bt_status bt_rows_to_columns(bt_device *device, bt_matrix x, const size_t *rows, bt_matrix out)
{
    bt_status status = BT_OK;
    (void)device;
    float *from = NULL, *to = NULL;
    BT_TRY(check_columns("bt_rows_to_columns", x, rows, out));
    BT_TRY(bt_floats(x, "bt_rows_to_columns", &from));
    BT_TRY(bt_floats(out, "bt_rows_to_columns", &to));
    for (size_t j = 0; j < out.rows; ++j)
        for (size_t i = 0; i < out.columns; ++i) to[j * out.stride + i] = from[rows[i] * x.stride + j];
cleanup:
    return status;
}

bt_status bt_rows_to_columns_backward(bt_device *device, bt_matrix dy, const size_t *rows, bt_matrix dx)
{
    bt_status status = BT_OK;
    (void)device;
    float *from = NULL, *to = NULL;
    BT_TRY(check_columns("bt_rows_to_columns_backward", dx, rows, dy));
    BT_TRY(bt_floats(dy, "bt_rows_to_columns_backward", &from));
    BT_TRY(bt_floats(dx, "bt_rows_to_columns_backward", &to));
    for (size_t j = 0; j < dy.rows; ++j)
        for (size_t i = 0; i < dy.columns; ++i) to[rows[i] * dx.stride + j] += from[j * dy.stride + i];
cleanup:
    return status;
}

static void mean_of_rows(const float *x, size_t n, size_t stride, size_t columns, float *out)
{
    memset(out, 0, columns * sizeof *out);
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < columns; ++j) out[j] += x[i * stride + j];
    for (size_t j = 0; j < columns && n > 0; ++j) out[j] /= (float)n;
}

bt_status bt_rows_mean(bt_device *device, bt_matrix x, bt_sequences sequences, bt_matrix out)
{
    bt_status status = BT_OK;
    float *from = NULL, *to = NULL;
    BT_TRY(bt_floats(x, "bt_rows_mean", &from));
    BT_TRY(bt_floats(out, "bt_rows_mean", &to));
    BT_CHECK(x.columns == out.columns && out.rows == sequences.n && x.rows >= sequences.offsets[sequences.n],
             BT_ERR_INTERNAL, "bt_rows_mean: (%zu, %zu) of %zu sequences into (%zu, %zu)", x.rows, x.columns,
             sequences.n, out.rows, out.columns);
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t s = 0; s < sequences.n; ++s) {
        const size_t first = sequences.offsets[s];
        const size_t n = sequences.lengths ? sequences.lengths[s] : sequences.offsets[s + 1] - first;
        mean_of_rows(from + first * x.stride, n, x.stride, x.columns, to + s * out.stride);
    }
cleanup:
    return status;
}

bt_status bt_rows_mean_backward(bt_device *device, bt_matrix dy, bt_sequences sequences, bt_matrix dx)
{
    bt_status status = BT_OK;
    float *from = NULL, *to = NULL;
    BT_TRY(bt_floats(dy, "bt_rows_mean_backward", &from));
    BT_TRY(bt_floats(dx, "bt_rows_mean_backward", &to));
    BT_CHECK(dx.columns == dy.columns && dy.rows == sequences.n && dx.rows >= sequences.offsets[sequences.n],
             BT_ERR_INTERNAL, "bt_rows_mean_backward: (%zu, %zu) of %zu sequences to (%zu, %zu)", dy.rows, dy.columns,
             sequences.n, dx.rows, dx.columns);
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t s = 0; s < sequences.n; ++s) {
        const size_t first = sequences.offsets[s], rows = sequences.offsets[s + 1] - first;
        const size_t n = sequences.lengths ? sequences.lengths[s] : rows;
        for (size_t i = 0; i < rows; ++i)
            for (size_t j = 0; j < dx.columns; ++j)
                to[(first + i) * dx.stride + j] = i < n ? from[s * dy.stride + j] / (float)n : 0.0f; /* dx = dy / n */
    }
cleanup:
    return status;
}
