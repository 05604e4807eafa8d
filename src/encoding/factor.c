#include "encoding/factor.h"

#include "base/memory.h"
#include "dist/dense.h"
#include "dist/partition.h"

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

/* c = op(a) op(b), host to host, float64. */
static bt_status multiply(bt_device *device, host_matrix a, host_matrix b, double *c)
{
    bt_status status = BT_OK;
    bt_buffer *left = NULL, *right = NULL, *product = NULL;
    const size_t m = a.op == BT_PLAIN ? a.rows : a.columns, n = b.op == BT_PLAIN ? b.columns : b.rows;
    BT_TRY(bt_buffer_over(device, BT_F64, a.values, a.rows * a.columns, &left));
    BT_TRY(bt_buffer_over(device, BT_F64, b.values, b.rows * b.columns, &right));
    BT_TRY(bt_buffer_over(device, BT_F64, c, m * n, &product));
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
    if (dual && p->kernel) return bt_dense_eigen(comm, device, p->kernel, n, values, vectors);
    double *const gram = bt_calloc(n * n, sizeof *gram);
    BT_TRY(bt_agree(comm, gram ? BT_OK : BT_ERR_MEMORY));
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

void bt_factor_divide(double *x, const double *by, size_t rows, size_t columns)
{
    for (size_t k = 0; k < rows; ++k)
        for (size_t i = 0; i < columns; ++i) x[k * columns + i] /= by[k];
}

/* What the ranks make of the eigenvectors together: each its rows of every matrix. */
typedef struct {
    const bt_comm *comm;
    bt_device *device;
    const double *vectors; /* (r, order) */
    size_t order, r;
    bt_range mine; /* of the r rows */
    const double *singular;
} projection;

/* My rows of vectors times op(x), divided by s unless `plain`, into out (r, columns). */
static bt_status project(const projection *p, host_matrix x, bool plain, double *out)
{
    const size_t low = p->mine.low, n = p->mine.high - low, columns = x.op == BT_PLAIN ? x.columns : x.rows;
    const host_matrix rows = {BT_PLAIN, p->vectors + low * p->order, n, p->order};
    if (n == 0) return BT_OK;
    const bt_status status = multiply(p->device, rows, x, out + low * columns);
    if (status == BT_OK && !plain) bt_factor_divide(out + low * columns, p->singular + low, n, columns);
    return status;
}

/* Everybody's rows to all. Collective. */
static bt_status share(const projection *p, size_t columns, double *out)
{
    bt_status status = BT_OK;
    const size_t size = (size_t)bt_comm_size(p->comm);
    for (size_t owner = 0; owner < size && size > 1; ++owner) {
        const bt_range range = bt_partition(owner, size, p->r);
        BT_TRY(bt_comm_broadcast(p->comm, (int)owner, out + range.low * columns,
                                 (range.high - range.low) * columns * sizeof *out));
    }
cleanup:
    return status;
}

/* Eigenvectors are V': U' = diag(1/s) V'X', P' = V' X_apply'. */
static bt_status finish_primal(const projection *made, const bt_ridge_problem *p, bt_factor *factor)
{
    bt_status status = BT_OK;
    const size_t width = p->n_feature;
    BT_TRY(project(made, (host_matrix){BT_TRANSPOSED, p->train, p->n_train, width}, false, factor->left));
    BT_TRY(project(made, (host_matrix){BT_TRANSPOSED, p->apply, p->n_apply, width}, true, factor->apply));
    if (p->weights) memcpy(factor->right, made->vectors, made->r * width * sizeof *factor->right);
cleanup:
    return status;
}

/* Eigenvectors are U': P' = diag(1/s) U' (X X_apply'), V' = diag(1/s) U'X. */
static bt_status finish_dual(const projection *made, const bt_ridge_problem *p, bt_factor *factor)
{
    bt_status status = BT_OK;
    double *kernel = NULL;
    const double *cross = p->cross;
    const host_matrix train = {BT_PLAIN, p->train, p->n_train, p->n_feature};
    memcpy(factor->left, made->vectors, made->r * p->n_train * sizeof *factor->left);
    if (!cross) {
        BT_ALLOC(kernel, p->n_apply * p->n_train);
        BT_TRY(multiply(made->device, (host_matrix){BT_PLAIN, p->apply, p->n_apply, p->n_feature},
                        (host_matrix){BT_TRANSPOSED, p->train, p->n_train, p->n_feature}, kernel));
        cross = kernel;
    }
    BT_TRY(project(made, (host_matrix){BT_TRANSPOSED, cross, p->n_apply, p->n_train}, false, factor->apply));
    if (p->weights) BT_TRY(project(made, train, false, factor->right));
cleanup:
    bt_free(kernel);
    return status;
}

static bt_status make_room(const bt_ridge_problem *p, size_t r, bt_factor *factor)
{
    bt_status status = BT_OK;
    BT_ALLOC(factor->left, r * p->n_train);
    BT_ALLOC(factor->apply, r * p->n_apply);
    if (p->weights) BT_ALLOC(factor->right, r * p->n_feature);
cleanup:
    return status;
}

/* Collective. */
static bt_status finish(const bt_comm *comm, bt_device *device, const bt_ridge_problem *p, bool dual,
                        const double *vectors, bt_factor *factor)
{
    bt_status status = BT_OK;
    const size_t r = factor->map.rank;
    const projection made = {.comm = comm,
                             .device = device,
                             .vectors = vectors,
                             .order = factor->map.order,
                             .r = r,
                             .mine = bt_partition((size_t)bt_comm_rank(comm), (size_t)bt_comm_size(comm), r),
                             .singular = factor->singular};
    if (r == 0) return BT_OK;
    BT_TRY(bt_agree(comm, make_room(p, r, factor)));
    BT_TRY(bt_agree(comm, dual ? finish_dual(&made, p, factor) : finish_primal(&made, p, factor)));
    BT_TRY(share(&made, p->n_apply, factor->apply));
    if (!dual) BT_TRY(share(&made, p->n_train, factor->left));
    if (dual && p->weights) BT_TRY(share(&made, p->n_feature, factor->right));
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
    BT_TRY(finish(comm, device, problem, dual, vectors, out));
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
