#include "base/log.h"
#include "base/memory.h"
#include "device/device.h"
#include "device/internal.h"
#include "device/tiles.h"

#include <cblas.h>
#include <limits.h>
#include <math.h>
#include <string.h>

bt_status bt_check_matrix(bt_matrix m, const char *name)
{
    if (m.rows > INT_MAX || m.columns > INT_MAX || m.stride > INT_MAX)
        return bt_fail(BT_ERR_INPUT, "matrix %s (%zu, %zu): OpenBLAS takes up to %d rows and columns; use fewer", name,
                       m.rows, m.columns, INT_MAX);
    if (m.rows == 0 || m.columns == 0) return BT_OK;
    const size_t end = m.offset + (m.rows - 1) * m.stride + m.columns;
    if (m.stride < m.columns || end > bt_buffer_count(m.buffer))
        return bt_fail(BT_ERR_INTERNAL, "matrix %s (%zu, %zu), offset %zu, stride %zu, is not inside a buffer of %zu",
                       name, m.rows, m.columns, m.offset, m.stride, bt_buffer_count(m.buffer));
    return BT_OK;
}

static bt_status check_types(bt_dtype type, bt_dtype other)
{
    if (type == other && (type == BT_F32 || type == BT_F64)) return BT_OK;
    return bt_fail(BT_ERR_INTERNAL, "a product needs matrices of one type, float32 or float64");
}

static int leading(bt_matrix m)
{
    return m.stride ? (int)m.stride : 1;
}

static CBLAS_TRANSPOSE cblas_op(bt_transpose op)
{
    return op == BT_PLAIN ? CblasNoTrans : CblasTrans;
}

static float *f32_of(bt_matrix m)
{
    return (float *)m.buffer->data + m.offset;
}

bt_status bt_product(bt_device *device, bt_transpose op_a, bt_transpose op_b, double alpha, bt_matrix a, bt_matrix b,
                     double beta, bt_matrix c)
{
    bt_status status = BT_OK;
    const bt_dtype type = bt_buffer_type(c.buffer);
    BT_TRY(check_types(type, bt_buffer_type(a.buffer)));
    BT_TRY(check_types(type, bt_buffer_type(b.buffer)));
    BT_TRY(bt_check_matrix(a, "A"));
    BT_TRY(bt_check_matrix(b, "B"));
    BT_TRY(bt_check_matrix(c, "C"));
    const size_t m = op_a == BT_PLAIN ? a.rows : a.columns, inner = op_a == BT_PLAIN ? a.columns : a.rows;
    const size_t n = op_b == BT_PLAIN ? b.columns : b.rows, inner_b = op_b == BT_PLAIN ? b.rows : b.columns;
    BT_CHECK(inner == inner_b && c.rows == m && c.columns == n, BT_ERR_INTERNAL,
             "product of (%zu, %zu) and (%zu, %zu) into (%zu, %zu)", m, inner, inner_b, n, c.rows, c.columns);
    if (m == 0 || n == 0) goto cleanup;
    if (bt_tiles_take(device, m, n, inner))
        BT_TRY(bt_tiles_product(device, op_a, op_b, alpha, a, b, beta, c));
    else if (type == BT_F32)
        cblas_sgemm(CblasRowMajor, cblas_op(op_a), cblas_op(op_b), (int)m, (int)n, (int)inner, (float)alpha, f32_of(a),
                    leading(a), f32_of(b), leading(b), (float)beta, f32_of(c), leading(c));
    else
        cblas_dgemm(CblasRowMajor, cblas_op(op_a), cblas_op(op_b), (int)m, (int)n, (int)inner, alpha, bt_doubles(a),
                    leading(a), bt_doubles(b), leading(b), beta, bt_doubles(c), leading(c));
cleanup:
    return status;
}

/* The lower triangle from the upper one, in tiles that stay in the cache. */
static void mirror_f32(float *g, size_t n, size_t stride)
{
    enum { TILE = 64 };
    for (size_t row = 0; row < n; row += TILE)
        for (size_t column = 0; column <= row; column += TILE)
            for (size_t i = row; i < row + TILE && i < n; ++i)
                for (size_t j = column; j < column + TILE && j < i; ++j) g[i * stride + j] = g[j * stride + i];
}

static void mirror_f64(double *g, size_t n, size_t stride)
{
    enum { TILE = 64 };
    for (size_t row = 0; row < n; row += TILE)
        for (size_t column = 0; column <= row; column += TILE)
            for (size_t i = row; i < row + TILE && i < n; ++i)
                for (size_t j = column; j < column + TILE && j < i; ++j) g[i * stride + j] = g[j * stride + i];
}

bt_status bt_product_gram(bt_device *device, bt_transpose op, bt_matrix x, double beta, bt_matrix g)
{
    bt_status status = BT_OK;
    const bt_dtype type = bt_buffer_type(g.buffer);
    BT_TRY(check_types(type, bt_buffer_type(x.buffer)));
    BT_TRY(bt_check_matrix(x, "X"));
    BT_TRY(bt_check_matrix(g, "G"));
    const size_t n = op == BT_PLAIN ? x.rows : x.columns, inner = op == BT_PLAIN ? x.columns : x.rows;
    BT_CHECK(g.rows == n && g.columns == n, BT_ERR_INTERNAL, "Gram matrix of order %zu into (%zu, %zu)", n, g.rows,
             g.columns);
    if (n == 0) goto cleanup;
    if (bt_tiles_take_gram(device, n, inner))
        BT_TRY(bt_tiles_gram(device, op, x, beta, g));
    else if (type == BT_F32)
        cblas_ssyrk(CblasRowMajor, CblasUpper, cblas_op(op), (int)n, (int)inner, 1.0F, f32_of(x), leading(x),
                    (float)beta, f32_of(g), leading(g));
    else
        cblas_dsyrk(CblasRowMajor, CblasUpper, cblas_op(op), (int)n, (int)inner, 1.0, bt_doubles(x), leading(x), beta,
                    bt_doubles(g), leading(g));
    if (type == BT_F32)
        mirror_f32(f32_of(g), n, g.stride);
    else
        mirror_f64(bt_doubles(g), n, g.stride);
cleanup:
    return status;
}
