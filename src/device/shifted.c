#include "device/shifted.h"

#include "base/memory.h"
#include "device/internal.h"
#include "device/kernels/kernels.h"
#include "device/reflectors.h"
#include "device/threads.h"

#include <omp.h>
#include <stdatomic.h>
#include <string.h>

void dsytrd_sy2sb_(const char *uplo, const int *n, const int *kd, double *a, const int *lda, double *ab,
                   const int *ldab, double *tau, double *work, const int *lwork, int *info, size_t uplo_length);
void dpbtrf_(const char *uplo, const int *n, const int *kd, double *ab, const int *ldab, int *info, size_t uplo_length);

enum { BAND = 64 }; /* elements below the diagonal that are left */

/* A = Q B Q', B (n, BAND + 1): row j is B[j .. j + BAND, j]. */
typedef struct {
    size_t n;
    double *band;
} banded;

/* tau (n): of Q's reflectors, which a holds then. */
static bt_status reduce(bt_matrix a, double *tau, banded *to)
{
    bt_status status = BT_OK;
    double *work = NULL, query = 0;
    const int ask = -1, n = (int)a.rows, stride = (int)a.stride, kd = BAND, ldab = BAND + 1;
    int info = 0;
    *to = (banded){.n = a.rows};
    BT_ALLOC(to->band, a.rows * (BAND + 1));
    dsytrd_sy2sb_("L", &n, &kd, bt_doubles(a), &stride, to->band, &ldab, tau, &query, &ask, &info, 1);
    const int lwork = (int)query;
    BT_ALLOC(work, (size_t)lwork);
    dsytrd_sy2sb_("L", &n, &kd, bt_doubles(a), &stride, to->band, &ldab, tau, work, &lwork, &info, 1);
    BT_CHECK(info == 0, BT_ERR_INTERNAL, "DSYTRD_SY2SB: info %d", info);
cleanup:
    bt_free(work);
    return status;
}

/* Factors (n_shift) of n (BAND + 1) numbers, by Cholesky: L of B + shift. */
static bt_status factorise(const banded *b, const double *shift, size_t n_shift, double *factors)
{
    atomic_int failed = 0;
    const size_t n = b->n;
#pragma omp parallel for schedule(dynamic)
    for (size_t k = 0; k < n_shift; ++k) {
        double *const l = factors + k * n * (BAND + 1);
        const int order = (int)n, kd = BAND, ldab = BAND + 1;
        int info = 0;
        memcpy(l, b->band, n * (BAND + 1) * sizeof *l);
        for (size_t j = 0; j < n; ++j) l[j * (BAND + 1)] += shift[k];
        dpbtrf_("L", &order, &kd, l, &ldab, &info, 1);
        if (info != 0) atomic_store(&failed, info);
    }
    if (!atomic_load(&failed)) return BT_OK;
    return bt_fail(BT_ERR_NUMERICS, "a shifted matrix of order %zu is not positive definite (row %d)", n,
                   atomic_load(&failed));
}

/* Row i of b (., n) becomes column i of x, n_row of them, the others 0. */
static void take(bt_matrix b, size_t row, size_t n_row, double *x)
{
    memset(x, 0, b.columns * BT_LANES * sizeof *x);
    for (size_t j = 0; j < b.columns; ++j)
        for (size_t i = 0; i < n_row; ++i) x[j * BT_LANES + i] = bt_doubles(b)[(row + i) * b.stride + j];
}

static void put(const double *x, size_t n_row, bt_matrix out, size_t row)
{
    for (size_t i = 0; i < n_row; ++i) {
        const size_t at = out.offset + (row + i) * out.stride;
        if (out.buffer->type == BT_F64)
            for (size_t j = 0; j < out.columns; ++j) ((double *)out.buffer->data)[at + j] = x[j * BT_LANES + i];
        else
            for (size_t j = 0; j < out.columns; ++j) ((float *)out.buffer->data)[at + j] = (float)x[j * BT_LANES + i];
    }
}

/* out: per shift b (B + shift)^-1. */
static bt_status solve_all(bt_device *device, const double *factors, size_t n_shift, bt_matrix b, bt_matrix out)
{
    bt_status status = BT_OK;
    double *rooms = NULL;
    const bt_kernels *const kernels = bt_kernels_best();
    const size_t n = b.columns, n_tile = (b.rows + BT_LANES - 1) / BT_LANES;
    BT_ALLOC(rooms, (size_t)device->n_thread * n * BT_LANES);
#pragma omp parallel for num_threads(device->n_thread) schedule(dynamic)
    for (size_t task = 0; task < n_shift * n_tile; ++task) {
        const size_t k = task / n_tile, row = task % n_tile * BT_LANES,
                     m = b.rows - row < BT_LANES ? b.rows - row : BT_LANES;
        double *const x = rooms + (size_t)omp_get_thread_num() * n * BT_LANES;
        take(b, row, m, x);
        kernels->band_solve(factors + k * n * (BAND + 1), n, BAND, x);
        put(x, m, out, k * b.rows + row);
    }
cleanup:
    bt_free(rooms);
    return status;
}

bt_status bt_shifted_reduce(bt_device *device, bt_matrix a, bt_buffer *tau, const double *shift, size_t n_shift,
                            bt_matrix b, bt_matrix out)
{
    bt_status status = BT_OK;
    banded reduced = {0};
    double *factors = NULL;
    BT_TRY(bt_check_matrix(a, "A"));
    BT_TRY(bt_check_matrix(b, "B"));
    BT_TRY(bt_check_matrix(out, "X"));
    BT_CHECK(a.rows == a.columns && b.columns == a.rows && out.columns == a.rows && out.rows == n_shift * b.rows &&
                 bt_buffer_type(a.buffer) == BT_F64 && bt_buffer_type(b.buffer) == BT_F64 &&
                 bt_buffer_type(tau) == BT_F64 && bt_buffer_count(tau) >= a.rows,
             BT_ERR_INTERNAL, "bt_solve_shifted: %zu shifts of (%zu, %zu) by (%zu, %zu) into (%zu, %zu)", n_shift,
             a.rows, a.columns, b.rows, b.columns, out.rows, out.columns);
    if (a.rows == 0 || b.rows == 0 || n_shift == 0) goto cleanup;
    BT_TRY(reduce(a, tau->data, &reduced));
    BT_TRY(bt_reflect(device, &(bt_reflectors){bt_doubles(a), tau->data, a.rows, a.stride, BAND}, BT_PLAIN, b));
    BT_ALLOC(factors, n_shift * a.rows * (BAND + 1));
    BT_TRY(factorise(&reduced, shift, n_shift, factors));
    BT_TRY(solve_all(device, factors, n_shift, b, out));
cleanup:
    bt_free(reduced.band);
    bt_free(factors);
    return status;
}

bt_status bt_shifted_turn(bt_device *device, bt_matrix a, const bt_buffer *tau, bt_matrix rows)
{
    if (rows.rows == 0) return BT_OK;
    return bt_reflect(device, &(bt_reflectors){bt_doubles(a), tau->data, a.rows, a.stride, BAND}, BT_TRANSPOSED, rows);
}

bt_status bt_solve_shifted(bt_device *device, bt_matrix a, const double *shift, size_t n_shift, bt_matrix b,
                           bt_matrix out)
{
    bt_status status = BT_OK;
    bt_buffer *tau = NULL;
    BT_TRY(bt_buffer_create(device, BT_F64, a.rows, &tau));
    BT_TRY(bt_shifted_reduce(device, a, tau, shift, n_shift, b, out));
    BT_TRY(bt_shifted_turn(device, a, tau, out));
cleanup:
    bt_buffer_destroy(&tau);
    return status;
}

double bt_solve_shifted_bytes(size_t n, size_t n_row, size_t n_shift)
{
    const double rooms = (double)(bt_threads_get() * BT_LANES), factors = (BAND + 1) * (double)(n_shift + 1);
    return 8 * (double)n * (rooms + factors + BAND) + bt_reflect_bytes(n, BAND, n_shift * n_row);
}
