#include "base/log.h"
#include "base/memory.h"
#include "device/device.h"
#include "device/internal.h"
#include "device/reflectors.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

/* LAPACK's symmetric eigensolvers; Debian's OpenBLAS has no header for them. Fortran passes the lengths of texts last.
 */
void dsytrd_(const char *uplo, const int *n, double *a, const int *lda, double *d, double *e, double *tau, double *work,
             const int *lwork, int *info, size_t uplo_length);
void dstedc_(const char *compz, const int *n, double *d, double *e, double *z, const int *ldz, double *work,
             const int *lwork, int *iwork, const int *liwork, int *info, size_t compz_length);
void dsyev_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
            const int *lwork, int *info, size_t jobz_length, size_t uplo_length);

/* DSTEDC's workspace 1 + 4 n + n^2 passes 2^31 - 1 above this. */
enum { DSTEDC_LARGEST = 46338 };

/* Elements are multiplied so that squares neither overflow nor vanish; the factor is 1 for sizes that are usual. */
static double scale(bt_matrix a)
{
    static const double small = 1e-140, large = 1e140;
    double most = 0;
    for (size_t i = 0; i < a.rows; ++i)
        for (size_t j = i; j < a.rows; ++j) most = fmax(most, fabs(bt_doubles(a)[i * a.stride + j]));
    if (most == 0 || (most >= small && most <= large)) return 1;
    for (size_t i = 0; i < a.rows; ++i)
        for (size_t j = i; j < a.rows; ++j) bt_doubles(a)[i * a.stride + j] /= most;
    return 1 / most;
}

/* ---- DSYTRD, DSTEDC, and our own product with DSYTRD's reflectors ---- */

/* Values, the elements beside the diagonal, and reflectors. */
typedef struct {
    double *values, *beside, *tau; /* (n) */
} tridiagonal;

static bt_status reduce(bt_matrix a, tridiagonal *t, int *info)
{
    bt_status status = BT_OK;
    double *work = NULL, query = 0;
    const int ask = -1, n = (int)a.rows, stride = (int)a.stride;
    dsytrd_("L", &n, bt_doubles(a), &stride, t->values, t->beside, t->tau, &query, &ask, info, 1);
    const int lwork = (int)query;
    BT_ALLOC(work, (size_t)lwork);
    dsytrd_("L", &n, bt_doubles(a), &stride, t->values, t->beside, t->tau, work, &lwork, info, 1);
cleanup:
    bt_free(work);
    return status;
}

/* vectors (n, n) of the tridiagonal matrix, in rows. */
static bt_status divide(tridiagonal *t, size_t order, double *vectors, int *info)
{
    bt_status status = BT_OK;
    double *work = NULL, query = 0;
    int *iwork = NULL, iquery = 0;
    const int ask = -1, n = (int)order;
    dstedc_("I", &n, t->values, t->beside, vectors, &n, &query, &ask, &iquery, &ask, info, 1);
    const int lwork = (int)query, liwork = iquery;
    BT_ALLOC(work, (size_t)lwork);
    BT_ALLOC(iwork, (size_t)liwork);
    dstedc_("I", &n, t->values, t->beside, vectors, &n, work, &lwork, iwork, &liwork, info, 1);
cleanup:
    bt_free(work);
    bt_free(iwork);
    return status;
}

/* Rows and columns turn into each other without harm: the matrix is symmetric, and LAPACK's eigenvector columns are
 * rows here. *info is LAPACK's; above DSTEDC_LARGEST it is set without a try. */
static bt_status divide_and_conquer(bt_device *device, bt_matrix a, double *values, int *info)
{
    bt_status status = BT_OK;
    const size_t n = a.rows;
    tridiagonal t = {.values = values};
    bt_buffer *vectors = NULL;
    *info = 1;
    if (n > DSTEDC_LARGEST) return BT_OK;
    BT_ALLOC(t.beside, n);
    BT_ALLOC(t.tau, n);
    const double factor = scale(a);
    BT_TRY(reduce(a, &t, info));
    BT_TRY(bt_buffer_create(device, BT_F64, n * n, &vectors));
    if (*info == 0) BT_TRY(divide(&t, n, vectors->data, info));
    if (*info != 0) goto cleanup;
    const bt_reflectors q = {.a = bt_doubles(a), .tau = t.tau, .n = n, .stride = a.stride, .offset = 1};
    BT_TRY(bt_reflect(device, &q, BT_TRANSPOSED, bt_matrix_of(vectors, n, n)));
    for (size_t i = 0; i < n; ++i) {
        memcpy(bt_doubles(a) + i * a.stride, (double *)vectors->data + i * n, n * sizeof(double));
        values[i] /= factor;
    }
cleanup:
    bt_free(t.beside);
    bt_free(t.tau);
    bt_buffer_destroy(&vectors);
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
    BT_TRY(bt_check_matrix(a, "A"));
    BT_CHECK(bt_buffer_type(a.buffer) == BT_F64 && bt_buffer_type(values) == BT_F64, BT_ERR_INTERNAL,
             "the eigenproblem needs float64");
    BT_CHECK(a.rows == a.columns && bt_buffer_count(values) >= a.rows, BT_ERR_INTERNAL,
             "eigenproblem of (%zu, %zu) with room for %zu values", a.rows, a.columns, bt_buffer_count(values));
    for (size_t i = 0; i < a.rows; ++i)
        for (size_t j = i; j < a.rows; ++j) /* what LAPACK reads */
            BT_CHECK(isfinite(bt_doubles(a)[i * a.stride + j]), BT_ERR_NUMERICS,
                     "eigenproblem of order %zu: element (%zu, %zu) is not finite; look for NaN or huge values in the "
                     "features",
                     a.rows, i, j);
cleanup:
    return status;
}

bt_status bt_eigen(bt_device *device, bt_matrix a, bt_buffer *values)
{
    bt_status status = BT_OK;
    double *kept = NULL; /* A, for a second try */
    const size_t n = a.rows;
    int info = 0;
    BT_TRY(check_eigen(a, values));
    if (n == 0) goto cleanup;
    BT_ALLOC(kept, n * n);
    for (size_t i = 0; i < n; ++i) memcpy(kept + i * n, bt_doubles(a) + i * a.stride, n * sizeof *kept);
    BT_TRY(divide_and_conquer(device, a, values->data, &info));
    if (info == 0) goto cleanup;
    bt_log_warn("DSTEDC did not solve an eigenproblem of order %zu (info %d); the slower DSYEV takes over", n, info);
    for (size_t i = 0; i < n; ++i) memcpy(bt_doubles(a) + i * a.stride, kept + i * n, n * sizeof *kept);
    BT_TRY(implicit_ql(bt_doubles(a), (int)n, (int)a.stride, values->data, &info));
    BT_CHECK(info == 0, BT_ERR_NUMERICS, "neither DSTEDC nor DSYEV solved an eigenproblem of order %zu (info %d)", n,
             info);
cleanup:
    bt_free(kept);
    return status;
}
