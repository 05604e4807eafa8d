/* Element by element: clearing, copying, adding, scaling, squares. */
#include "device/backward.h"
#include "device/internal.h"

#include <string.h>

enum { ELEMENTS_AT_A_TIME = 4096 };

static bt_status check_same(const char *call, bt_matrix x, bt_matrix y)
{
    if (x.rows == y.rows && x.columns == y.columns) return BT_OK;
    return bt_fail(BT_ERR_INTERNAL, "%s: (%zu, %zu) beside (%zu, %zu)", call, x.rows, x.columns, y.rows, y.columns);
}

/* A matrix without gaps is a line, so that one of few long rows is shared over the threads too. */
static bt_matrix in_pieces(bt_matrix x)
{
    if (x.stride != x.columns && x.rows != 1) return x;
    x.columns *= x.rows;
    x.stride = x.columns;
    x.rows = 1;
    return x;
}

bt_status bt_matrix_clear(bt_device *device, bt_matrix x)
{
    bt_status status = BT_OK;
    float *to = NULL;
    BT_TRY(bt_floats(x, "bt_matrix_clear", &to));
    x = in_pieces(x);
#pragma omp parallel for collapse(2) num_threads(device->n_thread) schedule(static)
    for (size_t i = 0; i < x.rows; ++i)
        for (size_t j = 0; j < x.columns; j += ELEMENTS_AT_A_TIME)
            memset(to + i * x.stride + j, 0,
                   (x.columns - j < ELEMENTS_AT_A_TIME ? x.columns - j : ELEMENTS_AT_A_TIME) * sizeof *to);
cleanup:
    return status;
}

bt_status bt_matrix_copy(bt_device *device, bt_matrix x, bt_matrix out)
{
    bt_status status = BT_OK;
    float *from = NULL, *to = NULL;
    BT_TRY(check_same("bt_matrix_copy", x, out));
    BT_TRY(bt_floats(x, "bt_matrix_copy", &from));
    BT_TRY(bt_floats(out, "bt_matrix_copy", &to));
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t i = 0; i < x.rows; ++i) memcpy(to + i * out.stride, from + i * x.stride, x.columns * sizeof *to);
cleanup:
    return status;
}

bt_status bt_matrix_add(bt_device *device, bt_matrix x, bt_matrix y, bt_matrix out)
{
    bt_status status = BT_OK;
    float *a = NULL, *b = NULL, *to = NULL;
    BT_TRY(check_same("bt_matrix_add", x, out));
    BT_TRY(check_same("bt_matrix_add", y, out));
    BT_TRY(bt_floats(x, "bt_matrix_add", &a));
    BT_TRY(bt_floats(y, "bt_matrix_add", &b));
    BT_TRY(bt_floats(out, "bt_matrix_add", &to));
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t i = 0; i < x.rows; ++i)
        for (size_t j = 0; j < x.columns; ++j) to[i * out.stride + j] = a[i * x.stride + j] + b[i * y.stride + j];
cleanup:
    return status;
}

bt_status bt_matrix_scale(bt_device *device, double factor, bt_matrix x)
{
    bt_status status = BT_OK;
    float *to = NULL;
    BT_TRY(bt_floats(x, "bt_matrix_scale", &to));
    x = in_pieces(x);
#pragma omp parallel for collapse(2) num_threads(device->n_thread) schedule(static)
    for (size_t i = 0; i < x.rows; ++i)
        for (size_t first = 0; first < x.columns; first += ELEMENTS_AT_A_TIME)
            for (size_t j = first; j < first + ELEMENTS_AT_A_TIME && j < x.columns; ++j)
                to[i * x.stride + j] *= (float)factor;
cleanup:
    return status;
}

static double squares(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; ++i) sum += (double)x[i] * (double)x[i];
    return sum;
}

/* Pieces of a fixed size are added in order: the sum does not depend on the threads. */
bt_status bt_matrix_squares(bt_device *device, bt_matrix x, double *sum)
{
    bt_status status = BT_OK;
    float *from = NULL;
    void *memory = NULL;
    *sum = 0;
    BT_TRY(bt_floats(x, "bt_matrix_squares", &from));
    x = in_pieces(x);
    const size_t pieces = (x.columns + ELEMENTS_AT_A_TIME - 1) / ELEMENTS_AT_A_TIME, n = x.rows * pieces;
    if (n == 0) goto cleanup;
    BT_TRY(bt_scratch(device, n * sizeof(double), &memory));
    double *const parts = memory;
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t p = 0; p < n; ++p) {
        const size_t first = p % pieces * ELEMENTS_AT_A_TIME, left = x.columns - first;
        parts[p] = squares(from + p / pieces * x.stride + first, left < ELEMENTS_AT_A_TIME ? left : ELEMENTS_AT_A_TIME);
    }
    for (size_t p = 0; p < n; ++p) *sum += parts[p];
cleanup:
    return status;
}
