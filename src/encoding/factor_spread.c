#include "base/memory.h"
#include "encoding/factor.h"

#include <math.h>
#include <string.h>

enum { PIECE = 256 }; /* rows of a design on the device at a time */

/* A design's rows, a piece at a time on the device. */
typedef struct {
    bt_device *device;
    bt_spread_rows rows;
    double *host;      /* (PIECE, n_column) */
    bt_buffer *buffer; /* likewise */
} row_pieces;

static bt_status open_pieces(bt_device *device, bt_spread_rows rows, row_pieces *out)
{
    bt_status status = BT_OK;
    *out = (row_pieces){.device = device, .rows = rows};
    BT_ALLOC(out->host, PIECE * rows.n_column);
    BT_TRY(bt_buffer_create(device, BT_F64, PIECE * rows.n_column, &out->buffer));
cleanup:
    return status;
}

static void close_pieces(row_pieces *pieces)
{
    bt_free(pieces->host);
    bt_buffer_destroy(&pieces->buffer);
}

/* Rows from `low` on, n of them, are *out. */
static bt_status load_piece(row_pieces *pieces, size_t low, bt_matrix *out)
{
    bt_status status = BT_OK;
    const bt_spread_rows *const rows = &pieces->rows;
    const size_t left = rows->n_row - low, n = left < PIECE ? left : PIECE, width = rows->n_column;
    for (size_t i = 0; i < n; ++i)
        memcpy(pieces->host + i * width, rows->x + (rows->index ? rows->index[low + i] : low + i) * width,
               width * sizeof *pieces->host);
    BT_TRY(bt_buffer_write(pieces->buffer, 0, pieces->host, n * width));
    *out = bt_matrix_of(pieces->buffer, n, width);
cleanup:
    return status;
}

/* out (mine, n_row) = V' X', v (mine, n_column). */
static bt_status project(bt_device *device, bt_matrix v, bt_spread_rows rows, double *out)
{
    bt_status status = BT_OK;
    row_pieces pieces = {0};
    bt_buffer *product = NULL;
    double *host = NULL;
    bt_matrix x = {0};
    BT_TRY(open_pieces(device, rows, &pieces));
    BT_TRY(bt_buffer_create(device, BT_F64, v.rows * PIECE, &product));
    BT_ALLOC(host, v.rows * PIECE);
    for (size_t low = 0; low < rows.n_row; low += PIECE) {
        BT_TRY(load_piece(&pieces, low, &x));
        BT_TRY(bt_product(device, BT_PLAIN, BT_TRANSPOSED, 1, v, x, 0, bt_matrix_of(product, v.rows, x.rows)));
        BT_TRY(bt_buffer_read(product, 0, host, v.rows * x.rows));
        for (size_t k = 0; k < v.rows; ++k) memcpy(out + k * rows.n_row + low, host + k * x.rows, x.rows * sizeof *out);
    }
cleanup:
    bt_free(host);
    bt_buffer_destroy(&product);
    close_pieces(&pieces);
    return status;
}

/* out (mine, n_column) = U' X, u (mine, n_row). */
static bt_status gather_rows(bt_device *device, bt_matrix u, bt_spread_rows rows, bt_matrix out)
{
    bt_status status = BT_OK;
    row_pieces pieces = {0};
    bt_matrix x = {0};
    BT_TRY(open_pieces(device, rows, &pieces));
    for (size_t low = 0; low < rows.n_row; low += PIECE) {
        BT_TRY(load_piece(&pieces, low, &x));
        BT_TRY(bt_product(device, BT_PLAIN, BT_PLAIN, 1, bt_matrix_part(u, 0, low, u.rows, x.rows), x, low > 0, out));
    }
cleanup:
    close_pieces(&pieces);
    return status;
}

static bt_spread_rows train_of(const bt_ridge_problem *p)
{
    return (bt_spread_rows){p->train, p->train_rows, p->n_train, p->n_feature};
}

static bt_spread_rows apply_of(const bt_ridge_problem *p)
{
    return (bt_spread_rows){p->apply, p->apply_rows, p->n_apply, p->n_feature};
}

/* My eigenvectors (mine, n_feature) are V': U' = diag(1/s) V'X'. */
static bt_status finish_primal(bt_device *device, const bt_ridge_problem *p, bt_matrix vectors, const double *singular,
                               bt_factor *factor)
{
    bt_status status = BT_OK;
    BT_TRY(project(device, vectors, train_of(p), factor->left));
    bt_factor_divide(factor->left, singular, vectors.rows, p->n_train);
    BT_TRY(project(device, vectors, apply_of(p), factor->apply));
    if (p->weights) BT_TRY(bt_buffer_read(vectors.buffer, 0, factor->right, vectors.rows * p->n_feature));
cleanup:
    return status;
}

/* My eigenvectors (mine, n_train) are U': V' = diag(1/s) U'X. */
static bt_status finish_dual(bt_device *device, const bt_ridge_problem *p, bt_matrix vectors, const double *singular,
                             bt_factor *factor)
{
    bt_status status = BT_OK;
    bt_buffer *right = NULL;
    double *host = NULL;
    const size_t n_mine = vectors.rows;
    BT_TRY(bt_buffer_create(device, BT_F64, n_mine * p->n_feature, &right));
    BT_ALLOC(host, n_mine * p->n_feature);
    BT_TRY(bt_buffer_read(vectors.buffer, 0, factor->left, n_mine * p->n_train));
    BT_TRY(gather_rows(device, vectors, train_of(p), bt_matrix_of(right, n_mine, p->n_feature)));
    BT_TRY(bt_buffer_read(right, 0, host, n_mine * p->n_feature));
    bt_factor_divide(host, singular, n_mine, p->n_feature);
    BT_TRY(bt_buffer_write(right, 0, host, n_mine * p->n_feature));
    BT_TRY(project(device, bt_matrix_of(right, n_mine, p->n_feature), apply_of(p), factor->apply));
    if (!p->weights) goto cleanup;
    factor->right = host;
    host = NULL;
cleanup:
    bt_free(host);
    bt_buffer_destroy(&right);
    return status;
}

/* From values (n), the largest first, and my vectors (., n) of them. This rank alone. */
static bt_status finish(bt_device *device, const bt_ridge_problem *p, bool dual, const double *values,
                        const double *vectors, bt_factor *factor)
{
    bt_status status = BT_OK;
    bt_buffer *mine = NULL;
    const size_t n = factor->map.order;
    const bt_range range = bt_component_range(&factor->map);
    const size_t n_mine = range.high - range.low;
    BT_ALLOC(factor->singular, factor->map.rank);
    BT_ALLOC(factor->left, n_mine * p->n_train);
    BT_ALLOC(factor->apply, n_mine * p->n_apply);
    if (p->weights && (!dual || n_mine == 0)) BT_ALLOC(factor->right, n_mine * p->n_feature);
    for (size_t k = 0; k < factor->map.rank; ++k) factor->singular[k] = sqrt(values[k]);
    if (n_mine == 0) goto cleanup;
    BT_TRY(bt_buffer_create(device, BT_F64, n_mine * n, &mine));
    BT_TRY(bt_buffer_write(mine, 0, vectors, n_mine * n));
    const double *const singular = factor->singular + range.low;
    if (dual)
        BT_TRY(finish_dual(device, p, bt_matrix_of(mine, n_mine, n), singular, factor));
    else
        BT_TRY(finish_primal(device, p, bt_matrix_of(mine, n_mine, n), singular, factor));
cleanup:
    bt_buffer_destroy(&mine);
    return status;
}

bt_status bt_factor_create_spread(const bt_comm *comm, bt_device *device, const bt_ridge_problem *problem,
                                  bt_factor *out)
{
    bt_status status = BT_OK;
    const bool dual = bt_ridge_takes_dual(problem->n_train, problem->n_feature);
    const size_t n = dual ? problem->n_train : problem->n_feature;
    const bt_spread_rows rows = train_of(problem);
    double *values = bt_calloc(n, sizeof *values), *vectors = NULL;
    *out = (bt_factor){0};
    BT_TRY(bt_agree(comm, values ? BT_OK : BT_ERR_MEMORY));
    BT_TRY(bt_spread_eigen(comm, &rows, dual, values, &vectors));
    out->map = (bt_component_map){.rank = bt_factor_rank(values, n), .comm = comm, .order = n};
    BT_TRY(bt_agree(comm, finish(device, problem, dual, values, vectors, out)));
cleanup:
    bt_free(values);
    bt_free(vectors);
    if (status != BT_OK) bt_factor_clear(out);
    return status;
}

double bt_factor_spread_bytes(const bt_ridge_problem *problem)
{
    const bool dual = bt_ridge_takes_dual(problem->n_train, problem->n_feature);
    const size_t n = dual ? problem->n_train : problem->n_feature;
    const double h = (double)bt_spread_height(problem->n_rank, n), p = (double)problem->n_feature;
    const double rows = (double)(problem->n_train + problem->n_apply), right = dual ? 2 * p : problem->weights ? p : 0;
    const double local = h * (2 * (double)n + rows + right) + 2 * PIECE * (p + h);
    return fmax(8 * local, bt_spread_eigen_bytes(problem->n_rank, problem->n_train, problem->n_feature, dual));
}
