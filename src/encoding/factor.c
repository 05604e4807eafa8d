#include "encoding/factor.h"

#include "base/memory.h"
#include "dist/dense.h"

#include <float.h>
#include <math.h>
#include <string.h>

bool bt_ridge_takes_dual(size_t n_train, size_t n_feature)
{
    const double n = (double)n_train, p = (double)n_feature, least = n < p ? n : p, eigen = 9;
    const double dual = n * n * p + eigen * n * n * n, primal = p * p * n + eigen * p * p * p + 2 * n * p * least;
    return dual < primal;
}

void bt_factor_clear(bt_factor *factor)
{
    bt_free(factor->singular);
    bt_free(factor->left);
    bt_free(factor->apply);
    bt_free(factor->right);
    *factor = (bt_factor){0};
}

typedef struct {
    bt_transpose op;
    const double *values; /* (rows, columns) */
    size_t rows, columns;
} host_matrix;

static bt_status put(bt_device *device, const host_matrix *host, bt_buffer **out)
{
    const bt_status status = bt_buffer_create(device, BT_F64, host->rows * host->columns, out);
    return status == BT_OK ? bt_buffer_write(*out, 0, host->values, host->rows * host->columns) : status;
}

/* c = op(a) op(b), host to host, float64. */
static bt_status multiply(bt_device *device, host_matrix a, host_matrix b, double *c)
{
    bt_status status = BT_OK;
    bt_buffer *left = NULL, *right = NULL, *product = NULL;
    const size_t m = a.op == BT_PLAIN ? a.rows : a.columns, n = b.op == BT_PLAIN ? b.columns : b.rows;
    BT_TRY(put(device, &a, &left));
    BT_TRY(put(device, &b, &right));
    BT_TRY(bt_buffer_create(device, BT_F64, m * n, &product));
    BT_TRY(bt_product(device, a.op, b.op, 1, bt_matrix_of(left, a.rows, a.columns),
                      bt_matrix_of(right, b.rows, b.columns), 0, bt_matrix_of(product, m, n)));
    BT_TRY(bt_buffer_read(product, 0, c, m * n));
cleanup:
    bt_buffer_destroy(&product);
    bt_buffer_destroy(&right);
    bt_buffer_destroy(&left);
    return status;
}

size_t bt_factor_rank(const double *values, size_t n)
{
    const double bound = 10.0 * (double)n * DBL_EPSILON * fmax(values[0], 0);
    size_t rank = 0;
    while (rank < n && values[rank] > bound) ++rank;
    return rank;
}

/* Keeps the eigenpairs that carry something, largest first; values (n) and vectors (n, n) are reversed in place. */
static bt_status keep(double *values, double *vectors, size_t n, bt_factor *factor)
{
    bt_status status = BT_OK;
    double *row = NULL;
    BT_ALLOC(row, n);
    for (size_t low = 0, high = n - 1; low < high; ++low, --high) {
        const double value = values[low];
        values[low] = values[high];
        values[high] = value;
        memcpy(row, vectors + low * n, n * sizeof *row);
        memcpy(vectors + low * n, vectors + high * n, n * sizeof *row);
        memcpy(vectors + high * n, row, n * sizeof *row);
    }
    factor->map = (bt_component_map){.rank = bt_factor_rank(values, n), .order = n};
    BT_ALLOC(factor->singular, factor->map.rank);
    for (size_t k = 0; k < factor->map.rank; ++k) factor->singular[k] = sqrt(values[k]);
cleanup:
    bt_free(row);
    return status;
}

/* Found before, from their owner. */
static bt_status take_pairs(const bt_comm *comm, const bt_ridge_problem *p, size_t n, double *values, double *vectors)
{
    bt_status status = BT_OK;
    if ((size_t)bt_comm_rank(comm) == p->owner) {
        memcpy(values, p->pairs->values, n * sizeof *values);
        memcpy(vectors, p->pairs->vectors, n * n * sizeof *vectors);
    }
    BT_TRY(bt_comm_broadcast(comm, (int)p->owner, values, n * sizeof *values));
    BT_TRY(bt_comm_broadcast(comm, (int)p->owner, vectors, n * n * sizeof *vectors));
cleanup:
    return status;
}

/* Collective. */
static bt_status solve(const bt_comm *comm, bt_device *device, const bt_ridge_problem *p, bool dual, size_t n,
                       double *values, double *vectors)
{
    bt_status status = BT_OK;
    double *const gram = bt_calloc(n * n, sizeof *gram);
    BT_TRY(bt_agree(comm, gram ? BT_OK : BT_ERR_MEMORY));
    if (dual && p->kernel)
        memcpy(gram, p->kernel, n * n * sizeof *gram);
    else
        BT_TRY(bt_dense_gram(comm, device, p->train, p->n_train, p->n_feature, dual, gram));
    BT_TRY(bt_dense_eigen(comm, device, gram, n, values, vectors));
cleanup:
    bt_free(gram);
    return status;
}

/* Eigenpairs of X'X or X X': vectors (n, n), rows of the largest values first. Collective. */
static bt_status decompose(const bt_comm *comm, bt_device *device, const bt_ridge_problem *p, bool dual,
                           double *vectors, bt_factor *factor)
{
    bt_status status = BT_OK;
    const size_t n = dual ? p->n_train : p->n_feature;
    double *const values = bt_calloc(n, sizeof *values);
    BT_TRY(bt_agree(comm, values && vectors ? BT_OK : BT_ERR_MEMORY));
    BT_TRY(p->pairs ? take_pairs(comm, p, n, values, vectors) : solve(comm, device, p, dual, n, values, vectors));
    BT_TRY(bt_agree(comm, keep(values, vectors, n, factor)));
cleanup:
    bt_free(values);
    return status;
}

static void divide_rows(double *x, const double *by, size_t rows, size_t columns)
{
    for (size_t k = 0; k < rows; ++k)
        for (size_t i = 0; i < columns; ++i) x[k * columns + i] /= by[k];
}

/* Eigenvectors are V': U' = diag(1/s) V'X', P' = V' X_apply'. */
static bt_status finish_primal(bt_device *device, const bt_ridge_problem *p, double *vectors, bt_factor *factor)
{
    bt_status status = BT_OK;
    const size_t r = factor->map.rank;
    const host_matrix right = {BT_PLAIN, vectors, r, p->n_feature};
    BT_TRY(multiply(device, right, (host_matrix){BT_TRANSPOSED, p->train, p->n_train, p->n_feature}, factor->left));
    divide_rows(factor->left, factor->singular, r, p->n_train);
    BT_TRY(multiply(device, right, (host_matrix){BT_TRANSPOSED, p->apply, p->n_apply, p->n_feature}, factor->apply));
    if (p->weights) memcpy(factor->right, vectors, r * p->n_feature * sizeof *vectors);
cleanup:
    return status;
}

/* Eigenvectors are U': P' = diag(1/s) U' (X X_apply'), V' = diag(1/s) U'X. */
static bt_status finish_dual(bt_device *device, const bt_ridge_problem *p, const double *vectors, bt_factor *factor)
{
    bt_status status = BT_OK;
    double *kernel = NULL;
    const double *cross = p->cross;
    const size_t r = factor->map.rank;
    memcpy(factor->left, vectors, r * p->n_train * sizeof *vectors);
    if (!cross) {
        BT_ALLOC(kernel, p->n_apply * p->n_train);
        BT_TRY(multiply(device, (host_matrix){BT_PLAIN, p->apply, p->n_apply, p->n_feature},
                        (host_matrix){BT_TRANSPOSED, p->train, p->n_train, p->n_feature}, kernel));
        cross = kernel;
    }
    BT_TRY(multiply(device, (host_matrix){BT_PLAIN, vectors, r, p->n_train},
                    (host_matrix){BT_TRANSPOSED, cross, p->n_apply, p->n_train}, factor->apply));
    divide_rows(factor->apply, factor->singular, r, p->n_apply);
    if (p->weights) {
        BT_TRY(multiply(device, (host_matrix){BT_PLAIN, vectors, r, p->n_train},
                        (host_matrix){BT_PLAIN, p->train, p->n_train, p->n_feature}, factor->right));
        divide_rows(factor->right, factor->singular, r, p->n_feature);
    }
cleanup:
    bt_free(kernel);
    return status;
}

static bt_status finish(bt_device *device, const bt_ridge_problem *p, bool dual, double *vectors, bt_factor *factor)
{
    bt_status status = BT_OK;
    const size_t r = factor->map.rank;
    if (r == 0) return BT_OK;
    BT_ALLOC(factor->left, r * p->n_train);
    BT_ALLOC(factor->apply, r * p->n_apply);
    if (p->weights) BT_ALLOC(factor->right, r * p->n_feature);
    if (dual)
        BT_TRY(finish_dual(device, p, vectors, factor));
    else
        BT_TRY(finish_primal(device, p, vectors, factor));
cleanup:
    return status;
}

bt_status bt_factor_create(const bt_comm *comm, bt_device *device, const bt_ridge_problem *problem, bt_factor *out)
{
    bt_status status = BT_OK;
    if (problem->n_rank > 1) return bt_factor_create_spread(comm, device, problem, out);
    const bool dual = bt_ridge_takes_dual(problem->n_train, problem->n_feature);
    const size_t n = dual ? problem->n_train : problem->n_feature;
    double *const vectors = bt_calloc(n * n, sizeof *vectors);
    *out = (bt_factor){0};
    BT_TRY(decompose(comm, device, problem, dual, vectors, out));
    BT_TRY(bt_agree(comm, finish(device, problem, dual, vectors, out)));
cleanup:
    bt_free(vectors);
    if (status != BT_OK) bt_factor_clear(out);
    return status;
}

double bt_factor_bytes(const bt_ridge_problem *problem)
{
    if (problem->n_rank > 1) return bt_factor_spread_bytes(problem);
    const bool dual = bt_ridge_takes_dual(problem->n_train, problem->n_feature);
    const double n = (double)problem->n_train, p = (double)problem->n_feature, m = (double)problem->n_apply;
    const double order = dual ? n : p, r = n < p ? n : p, right = problem->weights ? r * p : 0;
    const double eigen = 7 * order * order; /* vectors and Gram matrix, its copies, workspace of 2 */
    const double factors = order * order + r * n + m * r + right;
    const double train = dual && problem->cross ? 0 : n * p, apply = dual && problem->cross ? m * n : m * p;
    const double largest = dual ? fmax(apply + train + m * n, m * n + order * order + m * r)
                                : fmax(order * order + train + r * n, order * order + apply + m * r);
    const double cross = dual && !problem->cross ? m * n : 0;
    return 8 * fmax(eigen, factors + cross + largest + right);
}
