/* GELU and its adjoint, the adjoint of layer norm, weight norm and its adjoint. */
#include "device/backward.h"
#include "device/internal.h"
#include "device/kernels/kernels.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { COLUMNS_AT_A_TIME = 64 };

static bt_status check_same(const char *call, bt_matrix x, bt_matrix y)
{
    if (x.rows == y.rows && x.columns == y.columns) return BT_OK;
    return bt_fail(BT_ERR_INTERNAL, "%s: (%zu, %zu) beside (%zu, %zu)", call, x.rows, x.columns, y.rows, y.columns);
}

/* --- GELU -----------------------------------------------------------------------------------------------------------
 */

bt_status bt_gelu_forward(bt_device *device, bt_matrix x, bt_matrix y)
{
    bt_status status = BT_OK;
    float *from = NULL, *to = NULL;
    BT_TRY(check_same("bt_gelu_forward", x, y));
    BT_TRY(bt_floats(x, "bt_gelu_forward", &from));
    BT_TRY(bt_floats(y, "bt_gelu_forward", &to));
    const bt_kernels *const kernels = bt_kernels_best();
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t i = 0; i < x.rows; ++i) kernels->gelu(from + i * x.stride, to + i * y.stride, x.columns);
cleanup:
    return status;
}

bt_status bt_gelu_backward(bt_device *device, bt_matrix x, bt_matrix dy, bt_matrix dx)
{
    bt_status status = BT_OK;
    float *at = NULL, *from = NULL, *to = NULL;
    BT_TRY(check_same("bt_gelu_backward", x, dy));
    BT_TRY(check_same("bt_gelu_backward", x, dx));
    BT_TRY(bt_floats(x, "bt_gelu_backward", &at));
    BT_TRY(bt_floats(dy, "bt_gelu_backward", &from));
    BT_TRY(bt_floats(dx, "bt_gelu_backward", &to));
    const bt_kernels *const kernels = bt_kernels_best();
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t i = 0; i < x.rows; ++i)
        kernels->gelu_backward(at + i * x.stride, from + i * dy.stride, to + i * dx.stride, x.columns);
cleanup:
    return status;
}

/* --- layer norm -----------------------------------------------------------------------------------------------------
 */

typedef struct {
    bt_matrix x_shape, dy_shape, dx_shape;
    const float *x, *scale, *dy;
    float *dx, *dscale, *dshift;
    float *moments; /* (rows, 2): mean and 1 / deviation */
} norm_call;

/* Columns from `first` on; rows are added in order. */
static void norm_columns(const norm_call *c, size_t first)
{
    const size_t left = c->x_shape.columns - first, n = left < COLUMNS_AT_A_TIME ? left : COLUMNS_AT_A_TIME;
    double dscale[COLUMNS_AT_A_TIME] = {0}, dshift[COLUMNS_AT_A_TIME] = {0};
    bt_kernels_best()->norm_columns(c->x + first, c->x_shape.stride, c->dy + first, c->dy_shape.stride, c->moments,
                                    c->x_shape.rows, n, dscale, dshift); /* dscale += dy h, dshift += dy */
    for (size_t j = 0; j < n && c->dscale; ++j) c->dscale[first + j] += (float)dscale[j];
    for (size_t j = 0; j < n && c->dshift; ++j) c->dshift[first + j] += (float)dshift[j];
}

static void norm_all(const norm_call *c, double epsilon, int n_thread)
{
    const bt_kernels *const kernels = bt_kernels_best();
    const size_t rows = c->x_shape.rows, columns = c->x_shape.columns;
#pragma omp parallel num_threads(n_thread)
    {
#pragma omp for schedule(static)
        for (size_t i = 0; i < rows; ++i)
            kernels->norm_moments(c->x + i * c->x_shape.stride, columns, (float)epsilon, c->moments + 2 * i);
        if (c->dscale || c->dshift) {
#pragma omp for schedule(static)
            for (size_t first = 0; first < columns; first += COLUMNS_AT_A_TIME) norm_columns(c, first);
        }
        if (c->dx) {
#pragma omp for schedule(static)
            for (size_t i = 0; i < rows; ++i)
                kernels->norm_backward(c->x + i * c->x_shape.stride, c->scale, c->moments + 2 * i,
                                       c->dy + i * c->dy_shape.stride, c->dx + i * c->dx_shape.stride, columns);
        }
    }
}

bt_status bt_layer_norm_backward(bt_device *device, bt_matrix x, bt_matrix scale, double epsilon, bt_matrix dy,
                                 bt_matrix dx, bt_matrix dscale, bt_matrix dshift)
{
    bt_status status = BT_OK;
    norm_call call = {.x_shape = x, .dy_shape = dy, .dx_shape = dx};
    float *at = NULL, *gain = NULL, *from = NULL;
    void *memory = NULL;
    BT_TRY(check_same("bt_layer_norm_backward", x, dy));
    if (dx.buffer) BT_TRY(check_same("bt_layer_norm_backward", x, dx));
    BT_CHECK(scale.columns == x.columns && (!dscale.buffer || dscale.columns == x.columns) &&
                 (!dshift.buffer || dshift.columns == x.columns),
             BT_ERR_INTERNAL, "bt_layer_norm_backward: %zu columns, scale %zu", x.columns, scale.columns);
    BT_TRY(bt_floats(x, "bt_layer_norm_backward", &at));
    BT_TRY(bt_floats(scale, "bt_layer_norm_backward", &gain));
    BT_TRY(bt_floats(dy, "bt_layer_norm_backward", &from));
    BT_TRY(bt_floats_or_none(dx, "bt_layer_norm_backward", &call.dx));
    BT_TRY(bt_floats_or_none(dscale, "bt_layer_norm_backward", &call.dscale));
    BT_TRY(bt_floats_or_none(dshift, "bt_layer_norm_backward", &call.dshift));
    BT_TRY(bt_scratch(device, 2 * x.rows * sizeof *call.moments, &memory));
    call.x = at;
    call.scale = gain;
    call.dy = from;
    call.moments = memory;
    norm_all(&call, epsilon, device->n_thread);
cleanup:
    return status;
}

/* --- weight norm ----------------------------------------------------------------------------------------------------
 */

static bt_status check_weight_norm(bt_matrix g, bt_matrix v, bt_matrix w)
{
    if (g.rows * g.columns == v.columns && v.rows == w.rows && v.columns == w.columns) return BT_OK;
    return bt_fail(BT_ERR_INTERNAL, "weight norm: %zu sizes of directions (%zu, %zu), weights (%zu, %zu)",
                   g.rows * g.columns, v.rows, v.columns, w.rows, w.columns);
}

/* out[j] = sum over n rows of a[:, j] b[:, j], for a few columns. */
static void column_products(const float *a, size_t a_stride, const float *b, size_t b_stride, size_t n, size_t columns,
                            double *out)
{
    memset(out, 0, columns * sizeof *out);
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < columns; ++j) out[j] += (double)a[i * a_stride + j] * (double)b[i * b_stride + j];
}

static size_t columns_from(size_t first, bt_matrix matrix)
{
    return matrix.columns - first < COLUMNS_AT_A_TIME ? matrix.columns - first : COLUMNS_AT_A_TIME;
}

bt_status bt_weight_norm_forward(bt_device *device, bt_matrix g, bt_matrix v, bt_matrix w)
{
    bt_status status = BT_OK;
    float *size = NULL, *from = NULL, *to = NULL;
    size_t zeros = SIZE_MAX; /* a column without direction */
    BT_TRY(check_weight_norm(g, v, w));
    BT_TRY(bt_floats(g, "bt_weight_norm_forward", &size));
    BT_TRY(bt_floats(v, "bt_weight_norm_forward", &from));
    BT_TRY(bt_floats(w, "bt_weight_norm_forward", &to));
#pragma omp parallel for num_threads(device->n_thread) schedule(static) reduction(min : zeros)
    for (size_t first = 0; first < v.columns; first += COLUMNS_AT_A_TIME) {
        const size_t n = columns_from(first, v);
        double factor[COLUMNS_AT_A_TIME];
        column_products(from + first, v.stride, from + first, v.stride, v.rows, n, factor);
        for (size_t j = 0; j < n; ++j) {
            if (factor[j] == 0 && first + j < zeros) zeros = first + j;
            factor[j] = (double)size[first + j] / sqrt(factor[j]);
        }
        for (size_t i = 0; i < v.rows; ++i)
            for (size_t j = 0; j < n; ++j) /* w = g / |v| v */
                to[i * w.stride + first + j] = (float)(factor[j] * (double)from[i * v.stride + first + j]);
    }
    BT_CHECK(zeros == SIZE_MAX, BT_ERR_INPUT,
             "the direction of kernel element %zu is all zeros; weight norm needs a direction", zeros);
cleanup:
    return status;
}

bt_status bt_weight_norm_backward(bt_device *device, bt_matrix g, bt_matrix v, bt_matrix dw, bt_matrix dg, bt_matrix dv)
{
    bt_status status = BT_OK;
    float *size = NULL, *direction = NULL, *from = NULL, *dsize = NULL, *to = NULL;
    BT_TRY(check_weight_norm(g, v, dw));
    if (dg.buffer) BT_TRY(check_weight_norm(dg, v, dw));
    if (dv.buffer) BT_TRY(check_weight_norm(g, dv, dw));
    BT_TRY(bt_floats(g, "bt_weight_norm_backward", &size));
    BT_TRY(bt_floats(v, "bt_weight_norm_backward", &direction));
    BT_TRY(bt_floats(dw, "bt_weight_norm_backward", &from));
    BT_TRY(bt_floats_or_none(dg, "bt_weight_norm_backward", &dsize));
    BT_TRY(bt_floats_or_none(dv, "bt_weight_norm_backward", &to));
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t first = 0; first < v.columns; first += COLUMNS_AT_A_TIME) {
        const size_t n = columns_from(first, v);
        double squares[COLUMNS_AT_A_TIME], along[COLUMNS_AT_A_TIME];
        column_products(direction + first, v.stride, direction + first, v.stride, v.rows, n, squares);
        column_products(from + first, dw.stride, direction + first, v.stride, v.rows, n, along);
        for (size_t j = 0; j < n && dsize; ++j)
            dsize[first + j] += (float)(along[j] / sqrt(squares[j])); /* dg += dw . v / |v| */
        for (size_t i = 0; i < v.rows && to; ++i)
            for (size_t j = 0; j < n; ++j) { /* dv += g / |v| (dw - v (dw . v) / |v|^2) */
                const double across = (double)from[i * dw.stride + first + j] -
                                      (double)direction[i * v.stride + first + j] * along[j] / squares[j];
                to[i * dv.stride + first + j] += (float)((double)size[first + j] / sqrt(squares[j]) * across);
            }
    }
cleanup:
    return status;
}
