/* A linear layer whose weights change: products of BLAS on the weights where they lie, or of bfloat16 copies. */
#include "device/backward.h"
#include "device/internal.h"
#include "device/kernels/kernels.h"
#include "device/onednn.h"

#include <string.h>

enum { COLUMNS_AT_A_TIME = 64 };

void bt_halves(const bt_device *device, const float *x, size_t stride, size_t rows, size_t columns, uint16_t *out)
{
    const bt_kernels *const kernels = bt_kernels_best();
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t i = 0; i < rows; ++i) kernels->halves(x + i * stride, out + i * columns, columns);
}

bt_status bt_layer_product(bt_device *device, bt_transpose op_a, bt_transpose op_b, bt_matrix a, bt_matrix b,
                           double beta, bt_matrix c)
{
    return device->products == BT_BF16 ? bt_onednn_product_apply(device, op_a, op_b, a, b, beta, c)
                                       : bt_product(device, op_a, op_b, 1, a, b, beta, c);
}

static bt_status check_linear(bt_matrix x, bt_matrix weight, bt_matrix bias, bt_matrix y)
{
    if (x.rows != y.rows || x.columns != weight.columns || y.columns != weight.rows ||
        (bias.buffer && bias.columns != y.columns))
        return bt_fail(BT_ERR_INTERNAL, "linear: (%zu, %zu) to (%zu, %zu) through weight (%zu, %zu), bias (%zu)",
                       x.rows, x.columns, y.rows, y.columns, weight.rows, weight.columns, bias.columns);
    return BT_OK;
}

bt_status bt_linear_forward(bt_device *device, bt_matrix x, bt_matrix weight, bt_matrix bias, bt_matrix y)
{
    bt_status status = BT_OK;
    float *b = NULL, *to = NULL;
    BT_TRY(check_linear(x, weight, bias, y));
    BT_TRY(bt_floats_or_none(bias, "bt_linear_forward", &b));
    BT_TRY(bt_floats(y, "bt_linear_forward", &to));
    if (b) {
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
        for (size_t i = 0; i < y.rows; ++i) memcpy(to + i * y.stride, b, y.columns * sizeof *to);
    }
    BT_TRY(bt_layer_product(device, BT_PLAIN, BT_TRANSPOSED, x, weight, b ? 1 : 0, y)); /* y = x W' + b */
cleanup:
    return status;
}

/* Rows are added in order: the sum does not depend on the threads. */
bt_status bt_add_column_sums(bt_device *device, bt_matrix x, bt_matrix sums)
{
    bt_status status = BT_OK;
    float *from = NULL, *to = NULL;
    BT_TRY(bt_floats(x, "bt_add_column_sums", &from));
    BT_TRY(bt_floats(sums, "bt_add_column_sums", &to));
    BT_CHECK(sums.columns == x.columns, BT_ERR_INTERNAL, "bt_add_column_sums: %zu columns to %zu", x.columns,
             sums.columns);
    const bt_kernels *const kernels = bt_kernels_best();
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t first = 0; first < x.columns; first += COLUMNS_AT_A_TIME) {
        const size_t n = x.columns - first < COLUMNS_AT_A_TIME ? x.columns - first : COLUMNS_AT_A_TIME;
        double sum[COLUMNS_AT_A_TIME] = {0};
        kernels->column_sums(from + first, x.stride, x.rows, n, sum);
        for (size_t j = 0; j < n; ++j) to[first + j] += (float)sum[j];
    }
cleanup:
    return status;
}

bt_status bt_linear_backward(bt_device *device, bt_matrix x, bt_matrix weight, bt_matrix dy, double beta, bt_matrix dx,
                             bt_matrix dweight, bt_matrix dbias)
{
    bt_status status = BT_OK;
    BT_TRY(check_linear(x, weight, dbias, dy));
    if (dx.buffer) BT_TRY(bt_layer_product(device, BT_PLAIN, BT_PLAIN, dy, weight, beta, dx));        /* dx = dy W */
    if (dweight.buffer) BT_TRY(bt_layer_product(device, BT_TRANSPOSED, BT_PLAIN, dy, x, 1, dweight)); /* dW += dy' x */
    if (dbias.buffer) BT_TRY(bt_add_column_sums(device, dy, dbias));                                  /* db += 1' dy */
cleanup:
    return status;
}
