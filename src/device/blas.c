#include "base/log.h"
#include "base/memory.h"
#include "device/device.h"
#include "device/internal.h"

#include <cblas.h>
#include <limits.h>
#include <math.h>
#include <string.h>

/* LAPACK's symmetric eigensolvers; Debian's OpenBLAS has no header for them. Fortran passes the lengths of texts last.
 */
void dsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
             const int *lwork, int *iwork, const int *liwork, int *info, size_t jobz_length, size_t uplo_length);
void dsyev_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
            const int *lwork, int *info, size_t jobz_length, size_t uplo_length);

/* DSYEVD's workspace 1 + 6 n + 2 n^2 passes 2^31 - 1 above this. */
enum { DSYEVD_LARGEST = 32766 };

static bt_status check_matrix(bt_matrix m, const char *name)
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

static double *f64_of(bt_matrix m)
{
    return (double *)m.buffer->data + m.offset;
}

bt_status bt_product(bt_device *device, bt_transpose op_a, bt_transpose op_b, double alpha, bt_matrix a, bt_matrix b,
                     double beta, bt_matrix c)
{
    (void)device;
    bt_status status = BT_OK;
    const bt_dtype type = bt_buffer_type(c.buffer);
    BT_TRY(check_types(type, bt_buffer_type(a.buffer)));
    BT_TRY(check_types(type, bt_buffer_type(b.buffer)));
    BT_TRY(check_matrix(a, "A"));
    BT_TRY(check_matrix(b, "B"));
    BT_TRY(check_matrix(c, "C"));
    const size_t m = op_a == BT_PLAIN ? a.rows : a.columns, inner = op_a == BT_PLAIN ? a.columns : a.rows;
    const size_t n = op_b == BT_PLAIN ? b.columns : b.rows, inner_b = op_b == BT_PLAIN ? b.rows : b.columns;
    BT_CHECK(inner == inner_b && c.rows == m && c.columns == n, BT_ERR_INTERNAL,
             "product of (%zu, %zu) and (%zu, %zu) into (%zu, %zu)", m, inner, inner_b, n, c.rows, c.columns);
    if (m == 0 || n == 0) goto cleanup;
    if (type == BT_F32)
        cblas_sgemm(CblasRowMajor, cblas_op(op_a), cblas_op(op_b), (int)m, (int)n, (int)inner, (float)alpha, f32_of(a),
                    leading(a), f32_of(b), leading(b), (float)beta, f32_of(c), leading(c));
    else
        cblas_dgemm(CblasRowMajor, cblas_op(op_a), cblas_op(op_b), (int)m, (int)n, (int)inner, alpha, f64_of(a),
                    leading(a), f64_of(b), leading(b), beta, f64_of(c), leading(c));
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
    (void)device;
    bt_status status = BT_OK;
    const bt_dtype type = bt_buffer_type(g.buffer);
    BT_TRY(check_types(type, bt_buffer_type(x.buffer)));
    BT_TRY(check_matrix(x, "X"));
    BT_TRY(check_matrix(g, "G"));
    const size_t n = op == BT_PLAIN ? x.rows : x.columns, inner = op == BT_PLAIN ? x.columns : x.rows;
    BT_CHECK(g.rows == n && g.columns == n, BT_ERR_INTERNAL, "Gram matrix of order %zu into (%zu, %zu)", n, g.rows,
             g.columns);
    if (n == 0) goto cleanup;
    if (type == BT_F32) {
        cblas_ssyrk(CblasRowMajor, CblasUpper, cblas_op(op), (int)n, (int)inner, 1.0F, f32_of(x), leading(x),
                    (float)beta, f32_of(g), leading(g));
        mirror_f32(f32_of(g), n, g.stride);
    } else {
        cblas_dsyrk(CblasRowMajor, CblasUpper, cblas_op(op), (int)n, (int)inner, 1.0, f64_of(x), leading(x), beta,
                    f64_of(g), leading(g));
        mirror_f64(f64_of(g), n, g.stride);
    }
cleanup:
    return status;
}

/* Rows and columns turn into each other without harm: the matrix is symmetric, and LAPACK's eigenvector columns are
 * rows here. *info is LAPACK's; above DSYEVD_LARGEST it is set without a try. */
static bt_status divide_and_conquer(double *a, int n, int stride, double *values, int *info)
{
    bt_status status = BT_OK;
    double *work = NULL, query = 0.0;
    int *iwork = NULL, iquery = 0;
    const int ask = -1;
    *info = n;
    if (n > DSYEVD_LARGEST) goto cleanup;
    dsyevd_("V", "L", &n, a, &stride, values, &query, &ask, &iquery, &ask, info, 1, 1);
    if (*info != 0) goto cleanup;
    const int lwork = (int)query, liwork = iquery;
    BT_ALLOC(work, (size_t)lwork);
    BT_ALLOC(iwork, (size_t)liwork);
    dsyevd_("V", "L", &n, a, &stride, values, work, &lwork, iwork, &liwork, info, 1, 1);
cleanup:
    bt_free(work);
    bt_free(iwork);
    return status;
}

static bt_status implicit_ql(double *a, int n, int stride, double *values, int *info)
{
    bt_status status = BT_OK;
    double *work = NULL, query = 0.0;
    const int ask = -1;
    dsyev_("V", "L", &n, a, &stride, values, &query, &ask, info, 1, 1);
    if (*info != 0) goto cleanup;
    const int lwork = (int)query;
    BT_ALLOC(work, (size_t)lwork);
    dsyev_("V", "L", &n, a, &stride, values, work, &lwork, info, 1, 1);
cleanup:
    bt_free(work);
    return status;
}

static bt_status check_eigen(bt_matrix a, const bt_buffer *values)
{
    bt_status status = BT_OK;
    BT_TRY(check_matrix(a, "A"));
    BT_CHECK(bt_buffer_type(a.buffer) == BT_F64 && bt_buffer_type(values) == BT_F64, BT_ERR_INTERNAL,
             "the eigenproblem needs float64");
    BT_CHECK(a.rows == a.columns && bt_buffer_count(values) >= a.rows, BT_ERR_INTERNAL,
             "eigenproblem of (%zu, %zu) with room for %zu values", a.rows, a.columns, bt_buffer_count(values));
    for (size_t i = 0; i < a.rows; ++i)
        for (size_t j = i; j < a.rows; ++j) /* what LAPACK reads */
            BT_CHECK(isfinite(f64_of(a)[i * a.stride + j]), BT_ERR_NUMERICS,
                     "eigenproblem of order %zu: element (%zu, %zu) is not finite; look for NaN or huge values in the "
                     "features",
                     a.rows, i, j);
cleanup:
    return status;
}

bt_status bt_eigen(bt_device *device, bt_matrix a, bt_buffer *values)
{
    (void)device;
    bt_status status = BT_OK;
    double *kept = NULL; /* A, for a second try */
    const size_t n = a.rows;
    int info = 0;
    BT_TRY(check_eigen(a, values));
    if (n == 0) goto cleanup;
    BT_ALLOC(kept, n * n);
    for (size_t i = 0; i < n; ++i) memcpy(kept + i * n, f64_of(a) + i * a.stride, n * sizeof *kept);
    BT_TRY(divide_and_conquer(f64_of(a), (int)n, leading(a), values->data, &info));
    if (info == 0) goto cleanup;
    bt_log_warn("DSYEVD did not solve an eigenproblem of order %zu (info %d); the slower DSYEV takes over", n, info);
    for (size_t i = 0; i < n; ++i) memcpy(f64_of(a) + i * a.stride, kept + i * n, n * sizeof *kept);
    BT_TRY(implicit_ql(f64_of(a), (int)n, leading(a), values->data, &info));
    BT_CHECK(info == 0, BT_ERR_NUMERICS, "neither DSYEVD nor DSYEV solved an eigenproblem of order %zu (info %d)", n,
             info);
cleanup:
    bt_free(kept);
    return status;
}
