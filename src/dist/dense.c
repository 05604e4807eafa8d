#include "dist/dense.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "dist/blacs.h"
#include "dist/internal.h"

#include <cblas.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

/* Below this order one rank's LAPACK is faster than a grid; up to so many ranks a Gram matrix is made in strips. */
enum { SHARED_FROM = 512, STRIPS = 8 };

/* Block edge; blocks that each process row has at least; sampled vectors per rank. */
enum { BLOCK = 64, BLOCKS_PER_ROW = 4, SAMPLES = 8 };

/* In units of n eps |A|; LAPACK's own tests allow 30, and what goes wrong is off by ten orders. */
static const double residual_bound = 50.0;

bt_dense_layout bt_dense_layout_for(size_t n)
{
    const size_t edge = n / (BLOCKS_PER_ROW * BLOCK); /* of a square grid */
    return (bt_dense_layout){.block = BLOCK, .most = edge ? edge * edge : 1};
}

static bt_status check_same(const bt_comm *comm, size_t m, size_t n)
{
    bt_status status = BT_OK;
    BT_TRY(bt_comm_same(comm, (int64_t)m, "a dense matrix's number of rows"));
    BT_TRY(bt_comm_same(comm, (int64_t)n, "a dense matrix's number of columns"));
cleanup:
    return status;
}

/* Both triangles of the replicated g (n, n) from my part of its lower one. */
static void put_symmetric(const bt_blacs_grid *grid, const bt_blacs_matrix *part, size_t n, double *g)
{
    for (size_t j = 0; j < part->local_columns; ++j) {
        const size_t column = bt_blacs_global(j, part->block, grid->column, grid->columns);
        for (size_t i = 0; i < part->local_rows; ++i) {
            const size_t row = bt_blacs_global(i, part->block, grid->row, grid->rows);
            if (row < column) continue;
            g[row * n + column] = part->data[j * part->local_rows + i];
            g[column * n + row] = part->data[j * part->local_rows + i];
        }
    }
}

/* X (m, n) row-major is ScaLAPACK's (n, m): X'X is A A' there, X X' is A'A. */
bt_status bt_dense_gram_grid(const bt_comm *comm, bt_dense_layout layout, const double *x, size_t m, size_t n,
                             bool rows, double *g)
{
    bt_status status = BT_OK;
    const size_t order = rows ? m : n;
    bt_blacs_grid grid = {0};
    bt_blacs_matrix a = {0}, c = {0};
    status = bt_blacs_open(comm, layout.most, &grid);
    if (status == BT_OK) status = bt_blacs_matrix_create(&grid, n, m, layout.block, &a);
    if (status == BT_OK) status = bt_blacs_matrix_create(&grid, order, order, layout.block, &c);
    if (status == BT_OK) status = bt_fault_point("dense.gram");
    BT_TRY(bt_agree(comm, status));
    if (grid.context >= 0) {
        bt_blacs_take(&grid, &a, x, NULL);
        bt_blacs_rank_update(&grid, rows, 1.0, &a, &c);
    }
    memset(g, 0, order * order * sizeof *g);
    put_symmetric(&grid, &c, order, g);
    BT_TRY(bt_comm_sum_f64(comm, g, order * order)); /* one rank has each element, the others add 0: exact */
cleanup:
    bt_blacs_matrix_clear(&a);
    bt_blacs_matrix_clear(&c);
    bt_blacs_close(&grid);
    return status;
}

bt_status bt_dense_gram(const bt_comm *comm, bt_device *device, const double *x, size_t m, size_t n, int rows,
                        double *g)
{
    bt_status status = BT_OK;
    const size_t order = rows ? m : n;
    BT_TRY(check_same(comm, m, n));
    if (bt_comm_size(comm) > 1 && order >= SHARED_FROM && m > 0 && n > 0) {
        BT_TRY(bt_comm_size(comm) <= STRIPS ? bt_dense_gram_strips(comm, device, x, m, n, rows, g)
                                            : bt_dense_gram_grid(comm, bt_dense_layout_for(order), x, m, n, rows, g));
        goto cleanup;
    }
    if (bt_comm_rank(comm) == 0) status = bt_dense_gram_strip(device, x, m, n, rows, (bt_range){0, order}, g);
    BT_TRY(bt_agree(comm, status));
    BT_TRY(bt_comm_broadcast(comm, 0, g, order * order * sizeof *g));
cleanup:
    return status;
}

bt_status bt_dense_eigen_grid(const bt_comm *comm, bt_dense_layout layout, const double *a, size_t n, double *values,
                              double *vectors)
{
    bt_status status = BT_OK;
    int info = 0;
    bt_blacs_grid grid = {0};
    bt_blacs_matrix local = {0}, z = {0};
    status = bt_blacs_open(comm, layout.most, &grid);
    if (status == BT_OK) status = bt_blacs_matrix_create(&grid, n, n, layout.block, &local);
    if (status == BT_OK) status = bt_blacs_matrix_create(&grid, n, n, layout.block, &z);
    if (status == BT_OK) status = bt_fault_point("dense.eigen");
    BT_TRY(bt_agree(comm, status));
    bt_blacs_take(&grid, &local, a, NULL);
    BT_TRY(bt_blacs_eigen(comm, &grid, &local, values, &z, &info));
    if (info != 0) status = bt_fail(BT_ERR_NUMERICS, "PDSYEVD of order %zu: info %d", n, info);
    BT_TRY(bt_agree(comm, status));
    memset(vectors, 0, n * n * sizeof *vectors);
    bt_blacs_put(&grid, &z, vectors);
    BT_TRY(bt_comm_sum_f64(comm, vectors, n * n)); /* one rank has each element, the others add 0: exact */
    BT_TRY(bt_comm_broadcast(comm, 0, values, n * sizeof *values));
cleanup:
    bt_blacs_matrix_clear(&local);
    bt_blacs_matrix_clear(&z);
    bt_blacs_close(&grid);
    return status;
}

static bt_status eigen_here(bt_device *device, const double *a, size_t n, double *values, double *vectors)
{
    bt_status status = BT_OK;
    bt_buffer *matrix = NULL, *spectrum = NULL;
    memcpy(vectors, a, n * n * sizeof *vectors);
    BT_TRY(bt_buffer_over(device, BT_F64, vectors, n * n, &matrix));
    BT_TRY(bt_buffer_over(device, BT_F64, values, n, &spectrum));
    BT_TRY(bt_eigen(device, bt_matrix_of(matrix, n, n), spectrum));
    BT_TRY(bt_buffer_read(matrix, 0, vectors, n * n));
    BT_TRY(bt_buffer_read(spectrum, 0, values, n));
cleanup:
    bt_buffer_destroy(&matrix);
    bt_buffer_destroy(&spectrum);
    return status;
}

static double largest(const double *values, size_t n)
{
    double most = 0.0;
    for (size_t i = 0; i < n; ++i)
        if (fabs(values[i]) > most) most = fabs(values[i]);
    return most;
}

/* The 2-norm in units of `scale`, so that squares neither overflow nor vanish. */
static double scaled_norm(const double *values, size_t n, double scale)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; ++i) sum += values[i] / scale * (values[i] / scale);
    return sqrt(sum);
}

/* NaN is the worst, as infinity, which survives MPI_MAX. */
static double worse(double a, double b)
{
    if (isnan(b)) return INFINITY;
    return b > a ? b : a;
}

/* Which vectors I look at: `total` of them, spread from the first to the last, are dealt to the ranks. */
static size_t sampled(const bt_comm *comm, size_t n, size_t index[SAMPLES])
{
    const size_t rank = (size_t)bt_comm_rank(comm), size = (size_t)bt_comm_size(comm);
    const size_t total = n < SAMPLES * size ? n : SAMPLES * size;
    size_t count = 0;
    for (size_t s = rank; s < total; s += size) index[count++] = total > 1 ? s * (n - 1) / (total - 1) : 0;
    return count;
}

/* worst[0] = |A v - w v| / (n eps |A|), worst[1] = |V v - e| / (n eps), the largest of `count` sampled vectors. */
static bt_status measure(const double *a, size_t n, const double *values, const double *vectors, const size_t *index,
                         size_t count, double worst[2])
{
    bt_status status = BT_OK;
    double *chosen = NULL, *product = NULL; /* (count, n) */
    const double unit = (double)n * DBL_EPSILON, most = largest(a, n * n), scale = most > 0.0 ? most : 1.0;
    const double norm = scaled_norm(a, n * n, scale);
    const int k = (int)count, order = (int)n;
    BT_ALLOC(chosen, count * n);
    BT_ALLOC(product, count * n);
    for (size_t s = 0; s < count; ++s) memcpy(chosen + s * n, vectors + index[s] * n, n * sizeof *chosen);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, k, order, order, 1.0, chosen, order, a, order, 0.0, product,
                order);
    for (size_t s = 0; s < count; ++s) {
        for (size_t i = 0; i < n; ++i) product[s * n + i] -= values[index[s]] * chosen[s * n + i];
        const double found = scaled_norm(product + s * n, n, scale) / (norm > 0.0 ? unit * norm : unit);
        worst[0] = worse(worst[0], found);
    }
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, k, order, order, 1.0, chosen, order, vectors, order, 0.0,
                product, order);
    for (size_t s = 0; s < count; ++s) {
        product[s * n + index[s]] -= 1.0;
        const double found = scaled_norm(product + s * n, n, 1.0) / unit;
        worst[1] = worse(worst[1], found);
    }
cleanup:
    bt_free(chosen);
    bt_free(product);
    return status;
}

bt_status bt_dense_check(const bt_comm *comm, const double *a, size_t n, const double *values, const double *vectors)
{
    bt_status status = BT_OK;
    size_t index[SAMPLES] = {0};
    double worst[2] = {0.0, 0.0};
    const size_t count = sampled(comm, n, index);
    if (count) status = measure(a, n, values, vectors, index, count, worst);
    BT_TRY(bt_agree(comm, status));
    BT_TRY(bt_comm_max_f64(comm, worst, 2));
    BT_CHECK(worst[0] <= residual_bound && worst[1] <= residual_bound, BT_ERR_NUMERICS,
             "eigenproblem of order %zu: |A v - w v| is %.3g n eps |A| and |V v - e| is %.3g n eps, the bound is %g", n,
             worst[0], worst[1], residual_bound);
cleanup:
    return status;
}

/* Each vector's largest component, the first of equals, becomes positive. */
static void orient(size_t n, double *vectors)
{
    for (size_t v = 0; v < n; ++v) {
        double *const vector = vectors + v * n;
        size_t at = 0;
        for (size_t i = 1; i < n; ++i)
            if (fabs(vector[i]) > fabs(vector[at])) at = i;
        if (vector[at] < 0.0)
            for (size_t i = 0; i < n; ++i) vector[i] = -vector[i];
    }
}

static bt_status check_finite(const double *a, size_t n)
{
    for (size_t i = 0; i < n * n; ++i)
        if (!isfinite(a[i]))
            return bt_fail(BT_ERR_NUMERICS,
                           "eigenproblem of order %zu: element (%zu, %zu) is not finite; look for NaN or huge values "
                           "in the features",
                           n, i / n, i % n);
    return BT_OK;
}

/* PDSYEVD with its check. BT_ERR_NUMERICS: the caller may still try LAPACK. */
static bt_status eigen_shared(const bt_comm *comm, const double *a, size_t n, double *values, double *vectors)
{
    const bt_status status = bt_dense_eigen_grid(comm, bt_dense_layout_for(n), a, n, values, vectors);
    return status == BT_OK ? bt_dense_check(comm, a, n, values, vectors) : status;
}

bt_status bt_dense_eigen(const bt_comm *comm, bt_device *device, const double *a, size_t n, double *values,
                         double *vectors)
{
    bt_status status = BT_OK;
    BT_TRY(check_same(comm, n, n));
    BT_CHECK(n <= INT_MAX, BT_ERR_INPUT, "eigenproblem of order %zu: LAPACK takes up to %d", n, INT_MAX);
    BT_TRY(bt_agree(comm, check_finite(a, n)));
    if (bt_comm_size(comm) > 1 && n >= SHARED_FROM) {
        status = eigen_shared(comm, a, n, values, vectors);
        if (status == BT_OK) orient(n, vectors);
        if (status != BT_ERR_NUMERICS) goto cleanup;
        bt_log_warn("%s; LAPACK on one rank takes over", bt_error_message());
        status = BT_OK;
    }
    if (bt_comm_rank(comm) == 0) status = eigen_here(device, a, n, values, vectors);
    BT_TRY(bt_agree(comm, status));
    BT_TRY(bt_comm_broadcast(comm, 0, values, n * sizeof *values));
    BT_TRY(bt_comm_broadcast(comm, 0, vectors, n * n * sizeof *vectors));
    BT_TRY(bt_dense_check(comm, a, n, values, vectors));
    orient(n, vectors);
cleanup:
    return status;
}

static double replicated(size_t size, size_t n, bool summed)
{
    return 8.0 * (double)n * (double)n * (double)(size - 1) * (summed ? 2 : 1);
}

double bt_dense_gram_sent(size_t size, size_t inner, size_t n)
{
    const bool shared = size > STRIPS && n >= SHARED_FROM;
    return replicated(size, n, shared) +
           (shared ? bt_blacs_sent(size, bt_dense_layout_for(n).most, 1.2 * (double)inner * (double)n) : 0);
}

double bt_dense_eigen_sent(size_t size, size_t n)
{
    const bool shared = size > 1 && n >= SHARED_FROM;
    const double check = 4 * 8.0 * (double)(size - 1), values = 8.0 * (double)n * (double)(size - 1);
    return replicated(size, n, shared) + values + check +
           (shared ? bt_blacs_sent(size, bt_dense_layout_for(n).most, BT_BLACS_EIGEN * (double)n * (double)n) : 0);
}
