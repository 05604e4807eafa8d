#include "encoding/ridge.h"

#include "base/memory.h"

#include <string.h>

struct bt_ridge {
    bt_device *device; /* borrowed */
    bt_ridge_problem problem;
    bt_factor factor;
    bt_buffer *left;      /* (r, n_train) U' */
    bt_buffer *apply;     /* (n_apply, r) P diag(s / (s^2 + A)), rewritten per penalty */
    bt_buffer *response;  /* (n_train, most_voxel) Y */
    bt_buffer *rotated;   /* (r, most_voxel) q */
    bt_buffer *scaled;    /* (r, most_voxel) q, scaled per voxel */
    bt_buffer *predicted; /* (n_apply, most_voxel) */
    double *host;         /* (most_host) staging in float64 ... */
    float *host_f32;      /* ... and in float32 where the products are */
    double *host_rotated; /* (r, most_voxel) q */
    size_t most_host;
    size_t n_voxel; /* of the block that was rotated */
};

static size_t largest(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Elements of the largest thing that passes between host and device. */
static size_t staging_size(const bt_ridge_problem *p, size_t rank)
{
    const size_t block = largest(largest(p->n_train, p->n_apply), largest(rank, p->n_feature)) * p->most_voxel;
    return largest(block, largest(rank * p->n_train, p->n_apply * rank));
}

double bt_ridge_bytes(const bt_ridge_problem *problem)
{
    const bt_ridge_problem *const p = problem;
    const size_t rank = p->n_train < p->n_feature ? p->n_train : p->n_feature;
    const double r = (double)rank, t = (double)p->n_train, a = (double)p->n_apply, w = (double)p->most_voxel;
    const double element = (double)bt_dtype_size(p->precision);
    const double staging = (double)staging_size(p, rank) * (8.0 + 4.0);
    const double factor = 8 * (a * r + (p->weights ? r * (double)p->n_feature : 0));
    const double weights = p->weights ? 8 * (r * (double)p->n_feature + (r + (double)p->n_feature) * w) : 0;
    return factor + staging + element * (r * t + a * r + (t + 2 * r + a) * w) + 8.0 * r * w + weights;
}

/* Host float64 -> device, in the precision of the products. */
static bt_status send(bt_ridge *ridge, bt_buffer *to, const double *from, size_t n)
{
    if (ridge->problem.precision == BT_F64) return bt_buffer_write(to, 0, from, n);
    for (size_t i = 0; i < n; ++i) ridge->host_f32[i] = (float)from[i];
    return bt_buffer_write(to, 0, ridge->host_f32, n);
}

static bt_status receive(bt_ridge *ridge, const bt_buffer *from, double *to, size_t n)
{
    if (ridge->problem.precision == BT_F64) return bt_buffer_read(from, 0, to, n);
    const bt_status status = bt_buffer_read(from, 0, ridge->host_f32, n);
    for (size_t i = 0; status == BT_OK && i < n; ++i) to[i] = (double)ridge->host_f32[i];
    return status;
}

static bt_status make_buffers(bt_ridge *ridge)
{
    bt_status status = BT_OK;
    const bt_ridge_problem *const p = &ridge->problem;
    const size_t r = ridge->factor.rank, w = p->most_voxel;
    ridge->most_host = staging_size(p, r);
    BT_ALLOC(ridge->host, ridge->most_host);
    if (p->precision == BT_F32) BT_ALLOC(ridge->host_f32, ridge->most_host);
    if (r == 0 || w == 0) goto cleanup; /* every prediction is 0 */
    BT_ALLOC(ridge->host_rotated, r * w);
    BT_TRY(bt_buffer_create(ridge->device, p->precision, r * p->n_train, &ridge->left));
    BT_TRY(bt_buffer_create(ridge->device, p->precision, p->n_apply * r, &ridge->apply));
    BT_TRY(bt_buffer_create(ridge->device, p->precision, p->n_train * w, &ridge->response));
    BT_TRY(bt_buffer_create(ridge->device, p->precision, r * w, &ridge->rotated));
    BT_TRY(bt_buffer_create(ridge->device, p->precision, r * w, &ridge->scaled));
    BT_TRY(bt_buffer_create(ridge->device, p->precision, p->n_apply * w, &ridge->predicted));
    BT_TRY(send(ridge, ridge->left, ridge->factor.left, r * p->n_train));
    bt_free(ridge->factor.left); /* the device has it */
    ridge->factor.left = NULL;
cleanup:
    return status;
}

bt_status bt_ridge_create_from(bt_device *device, const bt_ridge_problem *problem, bt_factor *factor, bt_ridge **out)
{
    bt_status status = BT_OK;
    bt_ridge *ridge = NULL;
    *out = NULL;
    BT_ALLOC(ridge, 1);
    ridge->device = device;
    ridge->problem = *problem;
    ridge->problem.train = ridge->problem.apply = ridge->problem.kernel = ridge->problem.cross = NULL;
    ridge->factor = *factor;
    *factor = (bt_factor){0};
    BT_TRY(make_buffers(ridge));
    *out = ridge;
    ridge = NULL;
cleanup:
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
    bt_factor_clear(&old->factor);
    bt_buffer_destroy(&old->left);
    bt_buffer_destroy(&old->apply);
    bt_buffer_destroy(&old->response);
    bt_buffer_destroy(&old->rotated);
    bt_buffer_destroy(&old->scaled);
    bt_buffer_destroy(&old->predicted);
    bt_free(old->host);
    bt_free(old->host_f32);
    bt_free(old->host_rotated);
    bt_free(old);
    *ridge = NULL;
}

size_t bt_ridge_rank(const bt_ridge *ridge)
{
    return ridge->factor.rank;
}

const double *bt_ridge_singular(const bt_ridge *ridge)
{
    return ridge->factor.singular;
}

static bool is_empty(const bt_ridge *ridge)
{
    return ridge->factor.rank == 0 || ridge->n_voxel == 0;
}

bt_status bt_ridge_rotate(bt_ridge *ridge, const float *y, size_t n_voxel)
{
    bt_status status = BT_OK;
    const size_t r = ridge->factor.rank, n_train = ridge->problem.n_train;
    ridge->n_voxel = n_voxel;
    if (is_empty(ridge)) return BT_OK;
    if (ridge->problem.precision == BT_F32) {
        BT_TRY(bt_buffer_write(ridge->response, 0, y, n_train * n_voxel));
    } else {
        for (size_t i = 0; i < n_train * n_voxel; ++i) ridge->host[i] = (double)y[i];
        BT_TRY(bt_buffer_write(ridge->response, 0, ridge->host, n_train * n_voxel));
    }
    BT_TRY(bt_product(ridge->device, BT_PLAIN, BT_PLAIN, 1, bt_matrix_of(ridge->left, r, n_train),
                      bt_matrix_of(ridge->response, n_train, n_voxel), 0, bt_matrix_of(ridge->rotated, r, n_voxel)));
    BT_TRY(receive(ridge, ridge->rotated, ridge->host_rotated, r * n_voxel));
cleanup:
    return status;
}

static bt_status predict(bt_ridge *ridge, bt_buffer *rotated, double *prediction)
{
    bt_status status = BT_OK;
    const size_t r = ridge->factor.rank, n_apply = ridge->problem.n_apply, n_voxel = ridge->n_voxel;
    BT_TRY(bt_product(ridge->device, BT_PLAIN, BT_PLAIN, 1, bt_matrix_of(ridge->apply, n_apply, r),
                      bt_matrix_of(rotated, r, n_voxel), 0, bt_matrix_of(ridge->predicted, n_apply, n_voxel)));
    BT_TRY(receive(ridge, ridge->predicted, prediction, n_apply * n_voxel));
cleanup:
    return status;
}

bt_status bt_ridge_predict(bt_ridge *ridge, double penalty, double *prediction)
{
    bt_status status = BT_OK;
    const size_t r = ridge->factor.rank, n_apply = ridge->problem.n_apply;
    const double *const s = ridge->factor.singular;
    if (is_empty(ridge)) {
        memset(prediction, 0, n_apply * ridge->n_voxel * sizeof *prediction);
        return BT_OK;
    }
    for (size_t i = 0; i < n_apply; ++i)
        for (size_t k = 0; k < r; ++k)
            ridge->host[i * r + k] = ridge->factor.apply[i * r + k] * s[k] / (s[k] * s[k] + penalty);
    BT_TRY(send(ridge, ridge->apply, ridge->host, n_apply * r));
    BT_TRY(predict(ridge, ridge->rotated, prediction));
cleanup:
    return status;
}

/* host (r, n_voxel) = diag(s / (s^2 + A_v)) q. */
static void scale_each(bt_ridge *ridge, const double *penalty)
{
    const size_t n_voxel = ridge->n_voxel;
    for (size_t k = 0; k < ridge->factor.rank; ++k) {
        const double s = ridge->factor.singular[k];
        for (size_t v = 0; v < n_voxel; ++v)
            ridge->host[k * n_voxel + v] = ridge->host_rotated[k * n_voxel + v] * s / (s * s + penalty[v]);
    }
}

bt_status bt_ridge_predict_each(bt_ridge *ridge, const double *penalty, double *prediction)
{
    bt_status status = BT_OK;
    const size_t r = ridge->factor.rank, n_apply = ridge->problem.n_apply;
    if (is_empty(ridge)) {
        memset(prediction, 0, n_apply * ridge->n_voxel * sizeof *prediction);
        return BT_OK;
    }
    scale_each(ridge, penalty);
    BT_TRY(send(ridge, ridge->scaled, ridge->host, r * ridge->n_voxel));
    BT_TRY(send(ridge, ridge->apply, ridge->factor.apply, n_apply * r));
    BT_TRY(predict(ridge, ridge->scaled, prediction));
cleanup:
    return status;
}

bt_status bt_ridge_weights(bt_ridge *ridge, const double *penalty, float *weights, size_t stride)
{
    bt_status status = BT_OK;
    bt_buffer *right = NULL, *product = NULL;
    const size_t r = ridge->factor.rank, n_feature = ridge->problem.n_feature, n_voxel = ridge->n_voxel;
    for (size_t f = 0; f < n_feature; ++f) memset(weights + f * stride, 0, n_voxel * sizeof *weights);
    if (is_empty(ridge)) return BT_OK;
    scale_each(ridge, penalty);
    BT_TRY(bt_buffer_create(ridge->device, BT_F64, r * n_feature, &right));
    BT_TRY(bt_buffer_create(ridge->device, BT_F64, (r + n_feature) * n_voxel, &product));
    BT_TRY(bt_buffer_write(right, 0, ridge->factor.right, r * n_feature));
    BT_TRY(bt_buffer_write(product, 0, ridge->host, r * n_voxel));
    bt_matrix w = bt_matrix_of(product, n_feature, n_voxel);
    w.offset = r * n_voxel;
    BT_TRY(bt_product(ridge->device, BT_TRANSPOSED, BT_PLAIN, 1, bt_matrix_of(right, r, n_feature),
                      bt_matrix_of(product, r, n_voxel), 0, w));
    BT_TRY(bt_buffer_read(product, w.offset, ridge->host, n_feature * n_voxel));
    for (size_t f = 0; f < n_feature; ++f)
        for (size_t v = 0; v < n_voxel; ++v) weights[f * stride + v] = (float)ridge->host[f * n_voxel + v];
cleanup:
    bt_buffer_destroy(&product);
    bt_buffer_destroy(&right);
    return status;
}
