#include "encoding/ridge.h"

#include "base/memory.h"
#include "device/spectral.h"

#include <string.h>

struct bt_ridge {
    bt_device *device; /* borrowed */
    bt_ridge_problem problem;
    bt_component_map map;
    double *singular;     /* (r) */
    bt_components *left;  /* (r, n_train) U' */
    bt_components *apply; /* (r, n_apply) P' */
    bt_components *right; /* (r, n_feature) V', float64; NULL unless weights will be asked */
    bt_block visitors;
    bt_buffer *response;  /* (n_train, most_voxel) Y */
    bt_buffer *rotated;   /* (r, most_voxel) q */
    bt_buffer *scaled;    /* (r, most_voxel) q, scaled per voxel */
    bt_buffer *predicted; /* (n_apply, most_voxel) */
    double *wide;         /* (n_train, most_voxel) responses on the host, where products are float64; else: */
    float *narrow;        /* (n_apply, most_voxel) predictions on the host */
    double *penalty;      /* (most_voxel) */
    size_t n_voxel;       /* of the block that was rotated */
};

double bt_ridge_bytes(const bt_ridge_problem *problem)
{
    const bt_ridge_problem *const p = problem;
    const size_t rank = p->n_train < p->n_feature ? p->n_train : p->n_feature, n_rank = p->n_rank ? p->n_rank : 1;
    const size_t widest = p->n_train > p->n_apply ? p->n_train : p->n_apply;
    const double r = (double)rank, t = (double)p->n_train, a = (double)p->n_apply, w = (double)p->most_voxel;
    const double element = (double)bt_dtype_size(p->precision), host = p->precision == BT_F64 ? 8 * t : 4 * a;
    const double factor = bt_components_bytes(rank, n_rank, p->n_train, p->precision) +
                          bt_components_bytes(rank, n_rank, p->n_apply, p->precision) +
                          bt_components_visit_bytes(rank, n_rank, widest, p->precision);
    const double weights = bt_components_bytes(rank, n_rank, p->n_feature, BT_F64) +
                           bt_components_visit_bytes(rank, n_rank, p->n_feature, BT_F64) +
                           8 * (r + 2 * (double)p->n_feature) * w;
    return factor + (host + element * (t + 2 * r + a) + 8) * w + (p->weights ? weights : 0);
}

static bt_status receive(bt_ridge *ridge, const bt_buffer *from, double *to, size_t n)
{
    if (ridge->problem.precision == BT_F64) return bt_buffer_read(from, 0, to, n);
    const bt_status status = bt_buffer_read(from, 0, ridge->narrow, n);
    for (size_t i = 0; status == BT_OK && i < n; ++i) to[i] = (double)ridge->narrow[i];
    return status;
}

/* My rows (., columns) of a factor, of which nothing is left. */
static bt_status put_rows(const bt_ridge *ridge, double **rows, size_t columns, bt_dtype type, bt_components **out)
{
    bt_status status = BT_OK;
    BT_TRY(bt_components_create(ridge->device, &ridge->map, columns, type, out));
    BT_TRY(bt_components_put(*out, *rows));
    bt_free(*rows);
    *rows = NULL;
cleanup:
    return status;
}

static bt_status make_buffers(bt_factor *factor, bt_ridge *ridge)
{
    bt_status status = BT_OK;
    const bt_ridge_problem *const p = &ridge->problem;
    const size_t r = ridge->map.rank, w = p->most_voxel;
    if (r == 0 || w == 0) goto cleanup; /* every prediction is 0 */
    BT_TRY(put_rows(ridge, &factor->left, p->n_train, p->precision, &ridge->left));
    BT_TRY(put_rows(ridge, &factor->apply, p->n_apply, p->precision, &ridge->apply));
    if (p->weights) BT_TRY(put_rows(ridge, &factor->right, p->n_feature, BT_F64, &ridge->right));
    if (p->precision == BT_F64) BT_ALLOC(ridge->wide, p->n_train * w);
    if (p->precision == BT_F32) BT_ALLOC(ridge->narrow, p->n_apply * w);
    BT_ALLOC(ridge->penalty, w);
    BT_TRY(bt_buffer_create(ridge->device, p->precision, p->n_train * w, &ridge->response));
    BT_TRY(bt_buffer_create(ridge->device, p->precision, r * w, &ridge->rotated));
    BT_TRY(bt_buffer_create(ridge->device, p->precision, r * w, &ridge->scaled));
    BT_TRY(bt_buffer_create(ridge->device, p->precision, p->n_apply * w, &ridge->predicted));
cleanup:
    return status;
}

bt_status bt_ridge_create_from(bt_device *device, const bt_ridge_problem *problem, bt_factor *factor, bt_ridge **out)
{
    bt_status status = BT_OK;
    bt_ridge *ridge = NULL;
    *out = NULL;
    BT_ALLOC(ridge, 1);
    *ridge = (bt_ridge){.device = device,
                        .problem = *problem,
                        .map = factor->map,
                        .singular = factor->singular,
                        .visitors = {.device = device}};
    ridge->problem.train = ridge->problem.apply = ridge->problem.kernel = ridge->problem.cross = NULL;
    factor->singular = NULL;
    BT_TRY(make_buffers(factor, ridge));
    *out = ridge;
    ridge = NULL;
cleanup:
    bt_factor_clear(factor);
    bt_ridge_destroy(&ridge);
    return status;
}

bt_status bt_ridge_create(const bt_comm *comm, bt_device *device, const bt_ridge_problem *problem, bt_ridge **out)
{
    bt_status status = BT_OK;
    bt_factor factor = {0};
    *out = NULL;
    BT_TRY(bt_factor_create(comm, device, problem, &factor));
    BT_TRY(bt_agree(comm, bt_ridge_create_from(device, problem, &factor, out)));
cleanup:
    bt_factor_clear(&factor);
    if (status != BT_OK) bt_ridge_destroy(out);
    return status;
}

void bt_ridge_destroy(bt_ridge **ridge)
{
    bt_ridge *const old = *ridge;
    if (!old) return;
    bt_free(old->singular);
    bt_components_destroy(&old->left);
    bt_components_destroy(&old->apply);
    bt_components_destroy(&old->right);
    bt_block_clear(&old->visitors);
    bt_buffer_destroy(&old->response);
    bt_buffer_destroy(&old->rotated);
    bt_buffer_destroy(&old->scaled);
    bt_buffer_destroy(&old->predicted);
    bt_free(old->wide);
    bt_free(old->narrow);
    bt_free(old->penalty);
    bt_free(old);
    *ridge = NULL;
}

size_t bt_ridge_rank(const bt_ridge *ridge)
{
    return ridge->map.rank;
}

const double *bt_ridge_singular(const bt_ridge *ridge)
{
    return ridge->singular;
}

static bt_status agree(const bt_ridge *ridge, bt_status status)
{
    return bt_component_agree(&ridge->map, status);
}

static bt_status send_response(bt_ridge *ridge, const float *y, size_t n)
{
    if (ridge->problem.precision == BT_F32) return bt_buffer_write(ridge->response, 0, y, n);
    for (size_t i = 0; i < n; ++i) ridge->wide[i] = (double)y[i];
    return bt_buffer_write(ridge->response, 0, ridge->wide, n);
}

bt_status bt_ridge_rotate(bt_ridge *ridge, const float *y, size_t n_voxel)
{
    bt_status status = BT_OK;
    const size_t r = ridge->map.rank, n_train = ridge->problem.n_train;
    ridge->n_voxel = n_voxel;
    if (r == 0) return BT_OK;
    BT_TRY(agree(ridge, send_response(ridge, y, n_train * n_voxel)));
    BT_TRY(bt_components_multiply(ridge->left, &ridge->visitors, bt_matrix_of(ridge->response, n_train, n_voxel), 0,
                                  bt_matrix_of(ridge->rotated, r, n_voxel)));
cleanup:
    return status;
}

bt_status bt_ridge_predict(bt_ridge *ridge, double penalty, double *prediction)
{
    for (size_t v = 0; ridge->penalty && v < ridge->n_voxel; ++v) ridge->penalty[v] = penalty;
    return bt_ridge_predict_each(ridge, ridge->penalty, prediction);
}

/* to (r, n_voxel) = diag(s / (s^2 + A_v)) q. */
static bt_status shrink(const bt_ridge *ridge, const double *penalty, bt_buffer *to)
{
    const size_t r = ridge->map.rank, n = ridge->n_voxel;
    return bt_shrink(ridge->device, bt_matrix_of(ridge->rotated, r, n), ridge->singular, penalty,
                     bt_matrix_of(to, r, n));
}

bt_status bt_ridge_predict_each(bt_ridge *ridge, const double *penalty, double *prediction)
{
    bt_status status = BT_OK;
    const size_t r = ridge->map.rank, n_apply = ridge->problem.n_apply, n_voxel = ridge->n_voxel;
    if (r == 0) {
        memset(prediction, 0, n_apply * n_voxel * sizeof *prediction);
        return BT_OK;
    }
    BT_TRY(agree(ridge, shrink(ridge, penalty, ridge->scaled)));
    BT_TRY(bt_components_combine(ridge->apply, &ridge->visitors, bt_matrix_of(ridge->scaled, r, n_voxel),
                                 bt_matrix_of(ridge->predicted, n_apply, n_voxel)));
    BT_TRY(agree(ridge, receive(ridge, ridge->predicted, prediction, n_apply * n_voxel)));
cleanup:
    return status;
}

/* q, scaled, and room for the weights on the device and on the host. */
static bt_status send_scaled(const bt_ridge *ridge, const double *penalty, bt_buffer **scaled, bt_buffer **product,
                             double **rows)
{
    bt_status status = BT_OK;
    const size_t r = ridge->map.rank, n_feature = ridge->problem.n_feature, n_voxel = ridge->n_voxel;
    BT_TRY(bt_buffer_create(ridge->device, BT_F64, r * n_voxel, scaled));
    BT_TRY(bt_buffer_create(ridge->device, BT_F64, n_feature * n_voxel, product));
    BT_ALLOC(*rows, n_feature * n_voxel);
    BT_TRY(shrink(ridge, penalty, *scaled));
cleanup:
    return status;
}

bt_status bt_ridge_weights(bt_ridge *ridge, const double *penalty, float *weights, size_t stride)
{
    bt_status status = BT_OK;
    bt_buffer *scaled = NULL, *product = NULL;
    double *rows = NULL;
    const size_t r = ridge->map.rank, n_feature = ridge->problem.n_feature, n_voxel = ridge->n_voxel;
    for (size_t f = 0; f < n_feature; ++f) memset(weights + f * stride, 0, n_voxel * sizeof *weights);
    if (r == 0) return BT_OK;
    BT_TRY(agree(ridge, send_scaled(ridge, penalty, &scaled, &product, &rows)));
    BT_TRY(bt_components_combine(ridge->right, &ridge->visitors, bt_matrix_of(scaled, r, n_voxel),
                                 bt_matrix_of(product, n_feature, n_voxel)));
    BT_TRY(agree(ridge, bt_buffer_read(product, 0, rows, n_feature * n_voxel)));
    for (size_t f = 0; f < n_feature; ++f)
        for (size_t v = 0; v < n_voxel; ++v) weights[f * stride + v] = (float)rows[f * n_voxel + v];
cleanup:
    bt_free(rows);
    bt_buffer_destroy(&product);
    bt_buffer_destroy(&scaled);
    return status;
}
