#include "encoding/fast_search.h"

#include "base/memory.h"
#include "device/spectral.h"
#include "dist/dense.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { PANEL = 32 }; /* components whose near pairs are one product */

/* Near pairs of the components [low, high): columns [left, right) of D. */
typedef struct {
    size_t low, high, left, right;
    size_t offset; /* of the panel in the buffer */
} near_panel;

struct bt_fast_search {
    bt_device *device; /* borrowed */
    bt_fast_problem problem;
    size_t rank;
    bt_dtype paired;    /* of S q */
    double bound;       /* of float32 */
    double tau, middle; /* the share that is near; b of correlations */
    double *a;          /* (r) in units of the largest */
    double scale;       /* the largest a_i */
    double *diagonal;   /* (r) D_ii */
    near_panel *panels; /* (n_panel), 0 when only the diagonal is near */
    size_t n_panel;
    bt_buffer *left;      /* (r, n_train) U' */
    bt_buffer *projector; /* (n_apply, r) P diag(s), in units of the largest a_i */
    bt_buffer *far;       /* (r, r) S */
    bt_buffer *near;      /* the panels of D */
    bt_buffer *tables;    /* 2 or 3 times (n_penalty, r): beside t or u, beside v, and beside z */
};

static bool is_centred(bt_score_kind kind)
{
    return kind == BT_SCORE_SIGNED_ROOT || kind == BT_SCORE_CORRELATION;
}

static bool is_correlation(const bt_fast_search *pairs)
{
    return pairs->problem.rule.kind == BT_SCORE_CORRELATION;
}

void bt_fast_search_destroy(bt_fast_search **pairs)
{
    bt_fast_search *const old = *pairs;
    if (!old) return;
    bt_free(old->a);
    bt_free(old->diagonal);
    bt_free(old->panels);
    bt_buffer_destroy(&old->left);
    bt_buffer_destroy(&old->projector);
    bt_buffer_destroy(&old->far);
    bt_buffer_destroy(&old->near);
    bt_buffer_destroy(&old->tables);
    bt_free(old);
    *pairs = NULL;
}

bt_dtype bt_fast_search_precision(const bt_fast_search *pairs)
{
    return pairs->paired;
}

double bt_fast_search_bound(const bt_fast_search *pairs)
{
    return pairs->bound;
}

/* ---- pairs, near and far ---- */

static double smallest_penalty(const bt_fast_search *pairs)
{
    double least = INFINITY;
    for (size_t k = 0; k < pairs->problem.n_penalty; ++k)
        if (pairs->problem.penalty[k] < least) least = pairs->problem.penalty[k];
    return least / pairs->scale;
}

/* a_i descend: of two components the later one is the smaller. */
static bool is_near(const bt_fast_search *pairs, size_t i, size_t j, double least_penalty)
{
    const double large = pairs->a[i < j ? i : j], small = pairs->a[i < j ? j : i];
    return large - small <= pairs->tau * (small + least_penalty);
}

/* The near pairs as panels; none when there is the diagonal only. */
static bt_status find_near(bt_fast_search *pairs)
{
    bt_status status = BT_OK;
    const size_t r = pairs->rank;
    const double least = smallest_penalty(pairs);
    size_t left = 0, right = 0, offset = 0;
    bool any = false;
    BT_ALLOC(pairs->panels, (r + PANEL - 1) / PANEL);
    for (size_t low = 0; low < r; low += PANEL) {
        const size_t high = low + PANEL < r ? low + PANEL : r;
        while (!is_near(pairs, low, left, least)) ++left;
        if (right < high) right = high;
        while (right < r && is_near(pairs, high - 1, right, least)) ++right;
        pairs->panels[pairs->n_panel++] = (near_panel){low, high, left, right, offset};
        offset += (high - low) * (right - left);
    }
    for (size_t i = 0; i + 1 < r && !any; ++i) any = is_near(pairs, i, i + 1, least);
    if (!any) pairs->n_panel = 0;
cleanup:
    return status;
}

/* Row i of S (r) from row i of diag(s) M diag(s) in units of a_max^2. */
static void far_row(const bt_fast_search *pairs, size_t i, double least, const double *m, double *row)
{
    for (size_t j = 0; j < pairs->rank; ++j)
        row[j] = is_near(pairs, i, j, least) ? 0 : m[j] / (pairs->a[j] - pairs->a[i]);
}

/* M (r, r) becomes diag(s) M diag(s). */
static void scale_pairs(const bt_fast_search *pairs, double *m)
{
    const size_t r = pairs->rank;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < r; ++i)
        for (size_t j = 0; j < r; ++j) m[i * r + j] *= sqrt(pairs->a[i] * pairs->a[j]) / pairs->scale;
}

/* ---- precision ---- */

/* Of row i, over far pairs: sum_j S_ij^2 f_j for noise and for responses that follow the features, and the largest
 * |S_ij| sqrt(f_i f_j). */
typedef struct {
    double noise, follow, worst;
} row_size;

static row_size measure_row(const bt_fast_search *pairs, size_t i, double least, double sum_a, const double *m)
{
    row_size size = {0};
    const double noise = 1 / (double)pairs->problem.n_train;
    for (size_t j = 0; j < pairs->rank; ++j) {
        if (is_near(pairs, i, j, least)) continue;
        const double s = m[j] / (pairs->a[j] - pairs->a[i]);
        const double share = fmax(noise, sqrt(pairs->a[i] * pairs->a[j]) / sum_a);
        size.noise += s * s * noise;
        size.follow += s * s * pairs->a[j] / sum_a;
        size.worst = fmax(size.worst, fabs(s) * share);
    }
    return size;
}

/* What float32 would cost a mean squared error; see fast_search.h. Also the middle component of correlations: the mean
 * of the a_i, each as much as its terms weigh. */
static void measure(bt_fast_search *pairs, const double *m)
{
    enum { VOXELS = 8, PAIR = 32, BASE = 16 };
    const size_t r = pairs->rank;
    const double least = smallest_penalty(pairs), n = (double)pairs->problem.n_train;
    double sum_a = 0, noise = 0, follow = 0, mixed = 0, worst = 0, weight = 0, weighted = 0;
    for (size_t i = 0; i < r; ++i) sum_a += pairs->a[i];
#pragma omp parallel for schedule(static) reduction(+ : noise, follow, mixed, weight, weighted) reduction(max : worst)
    for (size_t i = 0; i < r; ++i) {
        const double w = 1 / (pairs->a[i] + least);
        const row_size size = measure_row(pairs, i, least, sum_a, m + i * r);
        noise += w * w * size.noise / n;
        follow += w * w * size.follow * pairs->a[i] / sum_a;
        mixed += w * w * size.noise * pairs->a[i] / sum_a;
        worst = fmax(worst, w * size.worst);
        weight += size.noise;
        weighted += size.noise * pairs->a[i];
    }
    const double spread = sqrt(fmax(noise, fmax(follow, mixed)));
    const double unit = (double)FLT_EPSILON / 2;
    pairs->bound = unit * (BASE + 2 * n / (double)pairs->problem.n_apply * (VOXELS * spread + PAIR * worst));
    pairs->middle = weight > 0 ? weighted / weight : 0.5;
}

/* ---- on the device ---- */

/* Host float64 rows into a buffer of either type. */
static bt_status put(bt_buffer *to, size_t offset, const double *from, size_t n, float *work)
{
    if (bt_buffer_type(to) == BT_F64) return bt_buffer_write(to, offset, from, n);
    for (size_t i = 0; i < n; ++i) work[i] = (float)from[i];
    return bt_buffer_write(to, offset, work, n);
}

static bt_status put_far(bt_fast_search *pairs, const double *m)
{
    bt_status status = BT_OK;
    double *row = NULL;
    float *work = NULL;
    const size_t r = pairs->rank;
    const double least = smallest_penalty(pairs);
    BT_ALLOC(row, r);
    BT_ALLOC(work, r);
    BT_TRY(bt_buffer_create(pairs->device, pairs->paired, r * r, &pairs->far));
    for (size_t i = 0; i < r; ++i) {
        far_row(pairs, i, least, m + i * r, row);
        BT_TRY(put(pairs->far, i * r, row, r, work));
    }
cleanup:
    bt_free(row);
    bt_free(work);
    return status;
}

static bt_status put_near(bt_fast_search *pairs, const double *m)
{
    bt_status status = BT_OK;
    double *row = NULL;
    float *work = NULL;
    const size_t r = pairs->rank;
    const double least = smallest_penalty(pairs);
    BT_ALLOC(pairs->diagonal, r);
    for (size_t i = 0; i < r; ++i) pairs->diagonal[i] = m[i * r + i];
    if (!pairs->n_panel) goto cleanup;
    const near_panel *const last = &pairs->panels[pairs->n_panel - 1];
    BT_ALLOC(row, r);
    BT_ALLOC(work, r);
    BT_TRY(bt_buffer_create(pairs->device, pairs->paired,
                            last->offset + (last->high - last->low) * (last->right - last->left), &pairs->near));
    for (size_t p = 0; p < pairs->n_panel; ++p) {
        const near_panel *const panel = &pairs->panels[p];
        const size_t width = panel->right - panel->left;
        for (size_t i = panel->low; i < panel->high; ++i) {
            for (size_t j = panel->left; j < panel->right; ++j)
                row[j - panel->left] = is_near(pairs, i, j, least) ? m[i * r + j] : 0;
            BT_TRY(put(pairs->near, panel->offset + (i - panel->low) * width, row, width, work));
        }
    }
cleanup:
    bt_free(row);
    bt_free(work);
    return status;
}

/* U' and P diag(s) / a_max. */
static bt_status put_factors(bt_fast_search *pairs, const bt_factor *factor, const double *apply)
{
    bt_status status = BT_OK;
    double *row = NULL;
    float *work = NULL;
    const size_t r = pairs->rank, n_train = pairs->problem.n_train, n_apply = pairs->problem.n_apply;
    BT_ALLOC(row, r);
    BT_ALLOC(work, n_train > r ? n_train : r);
    BT_TRY(bt_buffer_create(pairs->device, pairs->problem.precision, r * n_train, &pairs->left));
    BT_TRY(bt_buffer_create(pairs->device, pairs->problem.precision, n_apply * r, &pairs->projector));
    for (size_t i = 0; i < r; ++i) BT_TRY(put(pairs->left, i * n_train, factor->left + i * n_train, n_train, work));
    for (size_t i = 0; i < n_apply; ++i) {
        for (size_t k = 0; k < r; ++k) row[k] = apply[i * r + k] * factor->singular[k] / pairs->scale;
        BT_TRY(put(pairs->projector, i * r, row, r, work));
    }
cleanup:
    bt_free(row);
    bt_free(work);
    return status;
}

/* The weights of component i at penalty A: beside t (or u), v and z. */
static void weigh(const bt_fast_search *pairs, size_t i, double penalty, double weights[3])
{
    const double a = pairs->a[i], w = 1 / (a + penalty), b = pairs->middle;
    weights[0] = is_correlation(pairs) ? 2 * (b - a) * w / (b + penalty) : 2 * w;
    weights[1] = pairs->n_panel ? w * w : w * w * pairs->diagonal[i];
    weights[2] = w;
}

static bt_status put_tables(bt_fast_search *pairs)
{
    bt_status status = BT_OK;
    double *rows = NULL;
    float *work = NULL;
    const size_t r = pairs->rank, n = pairs->problem.n_penalty, n_table = is_correlation(pairs) ? 3 : 2;
    BT_ALLOC(rows, 3 * r);
    BT_ALLOC(work, r);
    BT_TRY(bt_buffer_create(pairs->device, pairs->paired, n_table * n * r, &pairs->tables));
    for (size_t k = 0; k < n; ++k) {
        for (size_t i = 0; i < r; ++i) {
            double weights[3];
            weigh(pairs, i, pairs->problem.penalty[k] / pairs->scale, weights);
            for (size_t t = 0; t < 3; ++t) rows[t * r + i] = weights[t];
        }
        for (size_t t = 0; t < n_table; ++t) BT_TRY(put(pairs->tables, (t * n + k) * r, rows + t * r, r, work));
    }
cleanup:
    bt_free(rows);
    bt_free(work);
    return status;
}

/* P, its columns centred where the rule asks for it. */
static bt_status take_apply(const bt_fast_search *pairs, const bt_factor *factor, double **out)
{
    bt_status status = BT_OK;
    const size_t r = pairs->rank, n = pairs->problem.n_apply;
    double *mean = NULL;
    BT_ALLOC(*out, n * r);
    BT_ALLOC(mean, r);
    for (size_t i = 0; i < n && is_centred(pairs->problem.rule.kind); ++i)
        for (size_t k = 0; k < r; ++k) mean[k] += factor->apply[i * r + k] / (double)n;
    for (size_t i = 0; i < n; ++i)
        for (size_t k = 0; k < r; ++k) (*out)[i * r + k] = factor->apply[i * r + k] - mean[k];
cleanup:
    bt_free(mean);
    return status;
}

static bt_status begin(bt_device *device, const bt_fast_problem *problem, bt_fast_search *pairs)
{
    bt_status status = BT_OK;
    const size_t r = problem->factor->rank;
    pairs->device = device;
    pairs->problem = *problem;
    pairs->problem.factor = NULL;
    pairs->rank = r;
    pairs->tau = problem->precision == BT_F32 ? 1e-3 : 1e-5;
    pairs->scale = r ? problem->factor->singular[0] * problem->factor->singular[0] : 1;
    BT_ALLOC(pairs->a, r);
    for (size_t i = 0; i < r; ++i)
        pairs->a[i] = problem->factor->singular[i] * problem->factor->singular[i] / pairs->scale;
cleanup:
    return status;
}

/* m (r, r) is M on entry. */
static bt_status fill(bt_fast_search *pairs, const bt_factor *factor, const double *apply, double *m)
{
    bt_status status = BT_OK;
    scale_pairs(pairs, m);
    measure(pairs, m);
    const bool wide = pairs->problem.precision == BT_F64 || pairs->problem.exact || is_correlation(pairs) ||
                      pairs->bound > BT_FAST_TOLERANCE;
    pairs->paired = wide ? BT_F64 : BT_F32;
    if (wide) pairs->tau = 1e-5;
    BT_TRY(find_near(pairs));
    BT_TRY(put_far(pairs, m));
    BT_TRY(put_near(pairs, m));
    BT_TRY(put_factors(pairs, factor, apply));
    BT_TRY(put_tables(pairs));
cleanup:
    return status;
}

bt_status bt_fast_search_create(const bt_comm *comm, bt_device *device, const bt_fast_problem *problem,
                                bt_fast_search **out)
{
    bt_status status = BT_OK;
    double *apply = NULL, *m = NULL;
    const size_t r = problem->factor->rank;
    bt_fast_search *pairs = bt_calloc(1, sizeof *pairs);
    *out = NULL;
    status = pairs ? begin(device, problem, pairs) : BT_ERR_MEMORY;
    if (status == BT_OK) status = take_apply(pairs, problem->factor, &apply);
    if (status == BT_OK && !(m = bt_calloc(r * r, sizeof *m))) status = BT_ERR_MEMORY;
    BT_TRY(bt_agree(comm, status));
    if (r > 0) {
        BT_TRY(bt_dense_gram(comm, device, apply, problem->n_apply, r, 0, m));
        BT_TRY(bt_agree(comm, fill(pairs, problem->factor, apply, m)));
    }
    *out = pairs;
    pairs = NULL;
cleanup:
    bt_fast_search_destroy(&pairs);
    bt_free(apply);
    bt_free(m);
    return status;
}

/* ---- a block of voxels ---- */

typedef struct {
    bt_matrix q, t, v, z; /* z: of correlations only */
} components;

/* q = U'Y and z (r, n_voxel) in the precision asked for, then in that of S q. */
static bt_status rotate(const bt_fast_search *pairs, bt_block *block, bt_matrix left, bt_matrix y, bt_transpose op,
                        bt_block_part part, bt_matrix *out)
{
    bt_status status = BT_OK;
    bt_matrix narrow = {0};
    const bt_dtype type = pairs->problem.precision;
    BT_TRY(bt_block_take(block, part, type, pairs->rank, y.columns, &narrow));
    BT_TRY(bt_product(pairs->device, op, BT_PLAIN, 1, left, y, 0, narrow));
    *out = narrow;
    if (pairs->paired == type) goto cleanup;
    BT_TRY(bt_block_take(block, part, pairs->paired, pairs->rank, y.columns, out));
    BT_TRY(bt_convert(pairs->device, narrow, *out));
cleanup:
    return status;
}

/* v = D q, or q itself where the table holds the diagonal. */
static bt_status multiply_near(const bt_fast_search *pairs, bt_block *block, bt_matrix q, bt_matrix *v)
{
    bt_status status = BT_OK;
    *v = q;
    if (!pairs->n_panel) return BT_OK;
    BT_TRY(bt_block_take(block, BT_PART_NEAR, pairs->paired, pairs->rank, q.columns, v));
    for (size_t p = 0; p < pairs->n_panel; ++p) {
        const near_panel *const panel = &pairs->panels[p];
        const size_t rows = panel->high - panel->low, width = panel->right - panel->left;
        bt_matrix d = bt_matrix_of(pairs->near, rows, width);
        d.offset = panel->offset;
        BT_TRY(bt_product(pairs->device, BT_PLAIN, BT_PLAIN, 1, d, bt_matrix_part(q, panel->left, 0, width, q.columns),
                          0, bt_matrix_part(*v, panel->low, 0, rows, q.columns)));
    }
cleanup:
    return status;
}

/* t = S q - z, or with correlations u = S q beside z. */
static bt_status multiply(const bt_fast_search *pairs, bt_block *block, bt_matrix train, bt_matrix apply, components *c)
{
    bt_status status = BT_OK;
    const size_t r = pairs->rank;
    const bt_matrix far = bt_matrix_of(pairs->far, r, r);
    const bt_block_part part = is_correlation(pairs) ? BT_PART_PROJECTED : BT_PART_PAIRED;
    BT_TRY(rotate(pairs, block, bt_matrix_of(pairs->left, r, pairs->problem.n_train), train, BT_PLAIN, BT_PART_ROTATED,
                  &c->q));
    BT_TRY(rotate(pairs, block, bt_matrix_of(pairs->projector, pairs->problem.n_apply, r), apply, BT_TRANSPOSED, part,
                  &c->z));
    c->t = c->z;
    if (is_correlation(pairs)) BT_TRY(bt_block_take(block, BT_PART_PAIRED, pairs->paired, r, train.columns, &c->t));
    BT_TRY(bt_product(pairs->device, BT_PLAIN, BT_PLAIN, 1, far, c->q, is_correlation(pairs) ? 0 : -1, c->t));
    BT_TRY(multiply_near(pairs, block, c->q, &c->v));
cleanup:
    return status;
}

static bt_matrix table(const bt_fast_search *pairs, size_t which)
{
    const size_t n = pairs->problem.n_penalty;
    bt_matrix out = bt_matrix_of(pairs->tables, n, pairs->rank);
    out.offset = which * n * pairs->rank;
    return out;
}

/* sums (n_penalty, n_voxel) of y'y - 2 y'p + p'p without y'y, or with correlations p'p and beside it y'p. */
static bt_status sum(const bt_fast_search *pairs, bt_block *block, const components *c, double *sums, double *cross)
{
    bt_status status = BT_OK;
    const size_t n = pairs->problem.n_penalty, n_voxel = c->q.columns;
    bt_spectral_sums task = {.x = c->q, .y = c->t, .z = c->v, .first = table(pairs, 0), .second = table(pairs, 1)};
    BT_TRY(bt_block_take(block, BT_PART_SUMS, BT_F64, n, n_voxel, &task.sums));
    BT_TRY(bt_spectral(pairs->device, &task));
    BT_TRY(bt_buffer_read(task.sums.buffer, 0, sums, n * n_voxel));
    if (!cross) goto cleanup;
    bt_spectral_sums more = {.x = c->q, .y = c->z, .first = table(pairs, 2)};
    BT_TRY(bt_block_take(block, BT_PART_MORE_SUMS, BT_F64, n, n_voxel, &more.sums));
    BT_TRY(bt_spectral(pairs->device, &more));
    BT_TRY(bt_buffer_read(more.sums.buffer, 0, cross, n * n_voxel));
cleanup:
    return status;
}

bt_status bt_fast_search_score(const bt_fast_search *pairs, bt_block *block, const float *y, size_t n_voxel,
                               bt_row_list train, bt_row_list apply, double *score)
{
    bt_status status = BT_OK;
    bt_matrix y_train = {0}, y_apply = {0};
    components c = {0};
    double *cross = NULL;
    bt_moments *moments = NULL;
    const size_t n = pairs->problem.n_penalty;
    const bt_dtype type = pairs->problem.precision;
    if (is_correlation(pairs)) BT_ALLOC(cross, n * n_voxel);
    BT_ALLOC(moments, n_voxel);
    memset(score, 0, n * n_voxel * sizeof *score);
    if (pairs->rank > 0 && n_voxel > 0) {
        BT_TRY(bt_block_send(block, BT_PART_RESPONSE, type, y, n_voxel, train, &y_train));
        BT_TRY(bt_block_send(block, BT_PART_HELD_OUT, type, y, n_voxel, apply, &y_apply));
        BT_TRY(multiply(pairs, block, y_train, y_apply, &c));
        BT_TRY(sum(pairs, block, &c, score, cross));
    }
    bt_moments_of(y, n_voxel, apply.index, apply.n, moments);
    for (size_t k = 0; k < n; ++k)
        for (size_t v = 0; v < n_voxel; ++v)
            score[k * n_voxel + v] = bt_score_of_sums(pairs->problem.rule, apply.n, moments[v], score[k * n_voxel + v],
                                                      cross ? cross[k * n_voxel + v] : 0);
cleanup:
    bt_free(cross);
    bt_free(moments);
    return status;
}

double bt_fast_search_bytes(const bt_fast_problem *problem, size_t rank)
{
    const double r = (double)rank, element = (double)bt_dtype_size(problem->precision);
    const double tables = (is_centred(problem->rule.kind) ? 3.0 : 2.0) * (double)problem->n_penalty * r;
    return element * r * (double)(problem->n_train + problem->n_apply) + 8.0 * (2 * r * r + tables);
}

double bt_fast_search_making_bytes(const bt_fast_problem *problem, size_t rank)
{
    const double r = (double)rank, m = (double)problem->n_apply;
    const double factor = r * (double)problem->n_train + m * r;
    const double gram = m * r + r * r; /* on the device */
    return 8 * (factor + m * r + r * r) + fmax(8 * gram, bt_fast_search_bytes(problem, rank));
}

double bt_fast_search_block_bytes(const bt_fast_problem *problem, size_t rank, size_t n_voxel)
{
    const double rows = (double)(problem->n_train + problem->n_apply), v = (double)n_voxel;
    const double response = problem->precision == BT_F64 ? 12 : 4;
    return v * (response * rows + 4.0 * 12.0 * (double)rank + 32.0 * (double)problem->n_penalty);
}
