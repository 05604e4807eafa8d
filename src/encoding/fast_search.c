#include "encoding/fast_search_parts.h"

#include "base/memory.h"
#include "dist/dense.h"

#include <float.h>
#include <math.h>
#include <string.h>

static bool is_centred(bt_score_kind kind)
{
    return kind == BT_SCORE_SIGNED_ROOT || kind == BT_SCORE_CORRELATION;
}

void bt_fast_search_destroy(bt_fast_search **pairs)
{
    bt_fast_search *const old = *pairs;
    if (!old) return;
    bt_free(old->a);
    bt_free(old->diagonal);
    bt_free(old->panels);
    bt_components_destroy(&old->left);
    bt_components_destroy(&old->projector);
    bt_shorts_clear(&old->short_left);
    bt_shorts_clear(&old->short_projector);
    bt_components_destroy(&old->far);
    bt_components_destroy(&old->near);
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

bool bt_fast_search_is_rough(const bt_fast_search *pairs)
{
    return pairs->short_left.n_line > 0;
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
    size_t left = 0, right = 0;
    bool any = false;
    BT_ALLOC(pairs->panels, (r + BT_PANEL - 1) / BT_PANEL);
    for (size_t low = 0; low < r; low += BT_PANEL) {
        const size_t high = low + BT_PANEL < r ? low + BT_PANEL : r;
        while (!is_near(pairs, low, left, least)) ++left;
        if (right < high) right = high;
        while (right < r && is_near(pairs, high - 1, right, least)) ++right;
        pairs->panels[pairs->n_panel++] = (bt_near_panel){low, high, left, right};
        if (pairs->widest < right - left) pairs->widest = right - left;
    }
    for (size_t i = 0; i + 1 < r && !any; ++i) any = is_near(pairs, i, i + 1, least);
    if (!any) pairs->n_panel = 0;
cleanup:
    return status;
}

/* My rows of M (mine, r) become those of diag(s) M diag(s). */
static void scale_pairs(const bt_fast_search *pairs, double *m)
{
    const size_t r = pairs->rank, low = pairs->mine.low;
#pragma omp parallel for schedule(static)
    for (size_t i = low; i < pairs->mine.high; ++i)
        for (size_t j = 0; j < r; ++j) m[(i - low) * r + j] *= sqrt(pairs->a[i] * pairs->a[j]) / pairs->scale;
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

/* Sums over rows, and the largest. */
typedef struct {
    double noise, follow, mixed, weight, weighted, worst;
} matrix_size;

static matrix_size measure_mine(const bt_fast_search *pairs, const double *m)
{
    const size_t r = pairs->rank, low = pairs->mine.low;
    const double least = smallest_penalty(pairs), n = (double)pairs->problem.n_train;
    double sum_a = 0, noise = 0, follow = 0, mixed = 0, worst = 0, weight = 0, weighted = 0;
    for (size_t i = 0; i < r; ++i) sum_a += pairs->a[i];
#pragma omp parallel for schedule(static) reduction(+ : noise, follow, mixed, weight, weighted) reduction(max : worst)
    for (size_t i = low; i < pairs->mine.high; ++i) {
        const double w = 1 / (pairs->a[i] + least);
        const row_size size = measure_row(pairs, i, least, sum_a, m + (i - low) * r);
        noise += w * w * size.noise / n;
        follow += w * w * size.follow * pairs->a[i] / sum_a;
        mixed += w * w * size.noise * pairs->a[i] / sum_a;
        worst = fmax(worst, w * size.worst);
        weight += size.noise;
        weighted += size.noise * pairs->a[i];
    }
    return (matrix_size){noise, follow, mixed, weight, weighted, worst};
}

/* What float32 would cost a mean squared error; see fast_search.h. Also the middle component of correlations: the mean
 * of the a_i, each as much as its terms weigh. Equal on all ranks; collective where pairs are spread. */
static bt_status measure(bt_fast_search *pairs, const double *m)
{
    enum { VOXELS = 8, PAIR = 32, BASE = 16, SUMS = 5 };
    bt_status status = BT_OK;
    matrix_size size = measure_mine(pairs, m);
    if (pairs->map.comm) {
        double sums[SUMS] = {size.noise, size.follow, size.mixed, size.weight, size.weighted};
        BT_TRY(bt_comm_sum_f64(pairs->map.comm, sums, SUMS));
        BT_TRY(bt_comm_max_f64(pairs->map.comm, &size.worst, 1));
        size = (matrix_size){sums[0], sums[1], sums[2], sums[3], sums[4], size.worst};
        BT_TRY(bt_comm_broadcast(pairs->map.comm, 0, &size, sizeof size));
    }
    const double spread = sqrt(fmax(size.noise, fmax(size.follow, size.mixed)));
    const double unit = (double)FLT_EPSILON / 2,
                 ratio = (double)pairs->problem.n_train / (double)pairs->problem.n_apply;
    pairs->bound = unit * (BASE + 2 * ratio * (VOXELS * spread + PAIR * size.worst));
    pairs->middle = size.weight > 0 ? size.weighted / size.weight : 0.5;
cleanup:
    return status;
}

/* ---- on the device ---- */

/* Host float64 rows into a buffer of either type. */
static bt_status put(bt_buffer *to, size_t offset, const double *from, size_t n, float *work)
{
    if (bt_buffer_type(to) == BT_F64) return bt_buffer_write(to, offset, from, n);
    for (size_t i = 0; i < n; ++i) work[i] = (float)from[i];
    return bt_buffer_write(to, offset, work, n);
}

/* What rows are made of: my rows of diag(s) M diag(s) in units of a_max^2 (mine, r), or of P' (mine, n_apply). */
typedef struct {
    const bt_fast_search *pairs;
    double least; /* penalty */
    const double *m, *apply;
} row_source;

/* Of S. */
static void make_far(const void *context, size_t i, double *row)
{
    const row_source *const from = context;
    const bt_fast_search *const pairs = from->pairs;
    const double *const m = from->m + (i - pairs->mine.low) * pairs->rank, a = pairs->a[i];
    size_t low = i, high = i + 1; /* the near ones, which stay 0 */
    while (low > 0 && is_near(pairs, i, low - 1, from->least)) --low;
    while (high < pairs->rank && is_near(pairs, i, high, from->least)) ++high;
    for (size_t j = 0; j < low; ++j) row[j] = m[j] / (pairs->a[j] - a);
    for (size_t j = high; j < pairs->rank; ++j) row[j] = m[j] / (pairs->a[j] - a);
}

/* Of D, from its panel's left. */
static void make_near(const void *context, size_t i, double *row)
{
    const row_source *const from = context;
    const bt_fast_search *const pairs = from->pairs;
    const bt_near_panel *const panel = &pairs->panels[i / BT_PANEL];
    const double *const m = from->m + (i - pairs->mine.low) * pairs->rank;
    for (size_t j = panel->left; j < panel->right; ++j)
        if (is_near(pairs, i, j, from->least)) row[j - panel->left] = m[j];
}

/* Of diag(s) P' / a_max. */
static void make_projector(const void *context, size_t i, double *row)
{
    const row_source *const from = context;
    const bt_fast_search *const pairs = from->pairs;
    const size_t n = pairs->problem.n_apply;
    const double *const apply = from->apply + (i - pairs->mine.low) * n;
    const double s = sqrt(pairs->a[i] / pairs->scale);
    for (size_t j = 0; j < n; ++j) row[j] = apply[j] * s;
}

static bt_status put_matrices(bt_fast_search *pairs, const bt_factor *factor, const double *apply, const double *m)
{
    bt_status status = BT_OK;
    const row_source from = {pairs, smallest_penalty(pairs), m, apply};
    const bt_dtype type = pairs->problem.precision;
    bt_device *const device = pairs->device;
    BT_TRY(bt_components_create(device, &pairs->map, pairs->rank, pairs->paired, &pairs->far));
    BT_TRY(bt_components_fill(pairs->far, make_far, &from));
    if (pairs->n_panel) {
        BT_TRY(bt_components_create(device, &pairs->map, pairs->widest, pairs->paired, &pairs->near));
        BT_TRY(bt_components_fill(pairs->near, make_near, &from));
    }
    BT_TRY(bt_components_create(device, &pairs->map, pairs->problem.n_train, type, &pairs->left));
    BT_TRY(bt_components_put(pairs->left, factor->left));
    BT_TRY(bt_components_create(device, &pairs->map, pairs->problem.n_apply, type, &pairs->projector));
    BT_TRY(bt_components_fill(pairs->projector, make_projector, &from));
cleanup:
    return status;
}

/* D_ii of all. Collective where pairs are spread. */
static bt_status take_diagonal(const bt_fast_search *pairs, const double *m)
{
    const size_t low = pairs->mine.low;
    for (size_t i = low; i < pairs->mine.high; ++i) pairs->diagonal[i] = m[(i - low) * pairs->rank + i];
    return pairs->map.comm ? bt_comm_sum_f64(pairs->map.comm, pairs->diagonal, pairs->rank) : BT_OK;
}

/* The weights of component i at penalty A: beside t (or u), v and z. */
static void weigh(const bt_fast_search *pairs, size_t i, double penalty, double weights[3])
{
    const double a = pairs->a[i], w = 1 / (a + penalty), b = pairs->middle;
    weights[0] = bt_fast_search_correlates(pairs) ? 2 * (b - a) * w / (b + penalty) : 2 * w;
    weights[1] = pairs->n_panel ? w * w : w * w * pairs->diagonal[i];
    weights[2] = w;
}

static bt_status put_tables(bt_fast_search *pairs)
{
    bt_status status = BT_OK;
    double *rows = NULL;
    float *work = NULL;
    const size_t r = pairs->rank, n = pairs->problem.n_penalty, n_table = bt_fast_search_correlates(pairs) ? 3 : 2;
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

/* *out: my rows of P', about their means where the rule asks for it; they are then in *own. */
static bt_status take_apply(const bt_fast_search *pairs, const bt_factor *factor, double **own, const double **out)
{
    bt_status status = BT_OK;
    const size_t n = pairs->problem.n_apply, n_mine = pairs->mine.high - pairs->mine.low;
    *out = factor->apply;
    if (!is_centred(pairs->problem.rule.kind)) goto cleanup;
    BT_ALLOC(*own, n_mine * n);
    for (size_t k = 0; k < n_mine; ++k) {
        const double *const row = factor->apply + k * n;
        double mean = 0;
        for (size_t i = 0; i < n; ++i) mean += row[i] / (double)n;
        for (size_t i = 0; i < n; ++i) (*own)[k * n + i] = row[i] - mean;
    }
    *out = *own;
cleanup:
    return status;
}

static bt_status begin(bt_device *device, const bt_fast_problem *problem, bt_fast_search *pairs)
{
    bt_status status = BT_OK;
    const size_t r = problem->factor->map.rank;
    *pairs = (bt_fast_search){.device = device,
                              .problem = *problem,
                              .rank = r,
                              .map = problem->factor->map,
                              .mine = bt_component_range(&problem->factor->map),
                              .tau = problem->precision == BT_F32 ? 1e-3 : 1e-5,
                              .scale = r ? problem->factor->singular[0] * problem->factor->singular[0] : 1};
    pairs->problem.factor = NULL;
    BT_ALLOC(pairs->a, r);
    BT_ALLOC(pairs->diagonal, r);
    for (size_t i = 0; i < r; ++i)
        pairs->a[i] = problem->factor->singular[i] * problem->factor->singular[i] / pairs->scale;
cleanup:
    return status;
}

bool bt_fast_search_may_be_rough(bt_score_rule rule, bt_dtype precision, bool exact)
{
    return rule.kind != BT_SCORE_CORRELATION && precision == BT_F32 && !exact;
}

/* With its rows and components. */
static bool can_be_rough(const bt_fast_problem *problem, size_t rank)
{
    enum { LEAST = 512 };
    const size_t few = problem->n_apply < rank ? problem->n_apply : rank;
    return problem->rough && few >= LEAST &&
           bt_fast_search_may_be_rough(problem->rule, problem->precision, problem->exact);
}

typedef struct {
    bt_device *device;
    bt_shorts *to;
} short_rows;

static bt_status pack_short(void *context, size_t row, bt_matrix rows)
{
    const short_rows *const s = context;
    (void)row; /* all rows at once */
    return bt_shorts_of_rows(s->device, rows, s->to);
}

static bt_status make_rough(bt_fast_search *pairs)
{
    bt_status status = BT_OK;
    bt_block none = {.device = pairs->device};
    short_rows left = {pairs->device, &pairs->short_left}, projector = {pairs->device, &pairs->short_projector};
    if (pairs->map.comm || pairs->paired != BT_F32 || !can_be_rough(&pairs->problem, pairs->rank)) return BT_OK;
    BT_TRY(bt_components_visit(pairs->left, &none, pack_short, &left));
    BT_TRY(bt_components_visit(pairs->projector, &none, pack_short, &projector));
cleanup:
    return status;
}

/* m (mine, r) is M on entry. This rank alone. */
static bt_status fill(bt_fast_search *pairs, const bt_factor *factor, const double *apply, const double *m)
{
    bt_status status = BT_OK;
    BT_TRY(find_near(pairs));
    BT_TRY(put_matrices(pairs, factor, apply, m));
    BT_TRY(put_tables(pairs));
    BT_TRY(make_rough(pairs));
cleanup:
    return status;
}

static void choose_precision(bt_fast_search *pairs)
{
    const bool wide = pairs->problem.precision == BT_F64 || pairs->problem.exact || bt_fast_search_correlates(pairs) ||
                      pairs->bound > BT_FAST_TOLERANCE;
    pairs->paired = wide ? BT_F64 : BT_F32;
    if (wide) pairs->tau = 1e-5;
}

/* My rows of M = P'P while those of P' come by. */
typedef struct {
    bt_device *device;
    bt_matrix mine, m; /* (mine, n_apply), (mine, r) */
} gram_rows;

static bt_status multiply_gram(void *context, size_t row, bt_matrix rows)
{
    const gram_rows *const g = context;
    return bt_product(g->device, BT_PLAIN, BT_TRANSPOSED, 1, g->mine, rows, 0,
                      bt_matrix_part(g->m, 0, row, g->mine.rows, rows.rows));
}

static bt_status send_apply(const bt_fast_search *pairs, const double *apply, gram_rows *g, bt_components **all)
{
    bt_status status = BT_OK;
    const size_t n = pairs->problem.n_apply, n_mine = pairs->mine.high - pairs->mine.low;
    *g = (gram_rows){.device = pairs->device};
    BT_TRY(bt_components_create(pairs->device, &pairs->map, n, BT_F64, all));
    BT_TRY(bt_components_put(*all, apply));
    g->mine = bt_matrix_of(NULL, n_mine, n);
    g->m = bt_matrix_of(NULL, n_mine, pairs->rank);
    BT_TRY(bt_buffer_over(pairs->device, BT_F64, apply, n_mine * n, &g->mine.buffer));
    BT_TRY(bt_buffer_create(pairs->device, BT_F64, n_mine * pairs->rank, &g->m.buffer));
cleanup:
    return status;
}

/* m (mine, r) of spread rows apply (mine, n_apply). Collective. */
static bt_status gram_of_spread(const bt_fast_search *pairs, const double *apply, double *m)
{
    bt_status status = BT_OK;
    bt_components *all = NULL;
    gram_rows g = {0};
    bt_block block = {.device = pairs->device};
    const size_t n_mine = pairs->mine.high - pairs->mine.low;
    BT_TRY(bt_component_agree(&pairs->map, send_apply(pairs, apply, &g, &all)));
    BT_TRY(bt_components_visit(all, &block, n_mine > 0 ? multiply_gram : NULL, &g));
    BT_TRY(bt_component_agree(&pairs->map, bt_buffer_read(g.m.buffer, 0, m, n_mine * pairs->rank)));
cleanup:
    bt_buffer_destroy(&g.mine.buffer);
    bt_buffer_destroy(&g.m.buffer);
    bt_components_destroy(&all);
    bt_block_clear(&block);
    return status;
}

bt_status bt_fast_search_create(const bt_comm *comm, bt_device *device, const bt_fast_problem *problem,
                                bt_fast_search **out)
{
    bt_status status = BT_OK;
    double *own = NULL, *m = NULL;
    const double *apply = NULL;
    const size_t r = problem->factor->map.rank;
    bt_fast_search *pairs = bt_calloc(1, sizeof *pairs);
    *out = NULL;
    status = pairs ? begin(device, problem, pairs) : BT_ERR_MEMORY;
    if (status == BT_OK) status = take_apply(pairs, problem->factor, &own, &apply);
    if (status == BT_OK && !(m = bt_calloc((pairs->mine.high - pairs->mine.low) * r, sizeof *m)))
        status = BT_ERR_MEMORY;
    BT_TRY(bt_agree(comm, status));
    if (r > 0) {
        BT_TRY(pairs->map.comm ? gram_of_spread(pairs, apply, m)
                               : bt_dense_gram(comm, device, apply, r, problem->n_apply, 1, m));
        scale_pairs(pairs, m);
        BT_TRY(measure(pairs, m));
        choose_precision(pairs);
        BT_TRY(take_diagonal(pairs, m));
        BT_TRY(bt_agree(comm, fill(pairs, problem->factor, apply, m)));
    }
    *out = pairs;
    pairs = NULL;
cleanup:
    bt_fast_search_destroy(&pairs);
    bt_free(own);
    bt_free(m);
    return status;
}

/* ---- memory ---- */

static size_t ranks_of(const bt_fast_problem *problem)
{
    return problem->n_rank ? problem->n_rank : 1;
}

double bt_fast_search_bytes(const bt_fast_problem *problem, size_t rank)
{
    const size_t n_rank = ranks_of(problem);
    const double r = (double)rank;
    const double tables = (is_centred(problem->rule.kind) ? 3.0 : 2.0) * (double)problem->n_penalty * r;
    const double rough = n_rank == 1 && can_be_rough(problem, rank)
                             ? bt_shorts_bytes(rank, problem->n_train) + bt_shorts_bytes(rank, problem->n_apply)
                             : 0;
    return bt_components_bytes(rank, n_rank, problem->n_train + problem->n_apply, problem->precision) +
           bt_components_bytes(rank, n_rank, 2 * rank, BT_F64) + 8.0 * (tables + 2 * r) + rough;
}

double bt_fast_search_making_bytes(const bt_fast_problem *problem, size_t rank)
{
    const size_t n_rank = ranks_of(problem), n = problem->n_train, m = problem->n_apply;
    const double all = bt_components_bytes(rank, n_rank, 1, BT_F64); /* a column, of my rows */
    const double kept = all * (double)(n + 2 * m + rank);            /* factor, P' centred, M */
    const double gram = all * (double)(m * (n_rank > 1 ? 2 : 1) + rank) +
                        bt_components_visit_bytes(rank, n_rank, m, BT_F64); /* on the device */
    return kept + fmax(gram, bt_fast_search_bytes(problem, rank));
}

double bt_fast_search_block_bytes(const bt_fast_problem *problem, size_t rank, size_t n_voxel)
{
    const size_t n_rank = ranks_of(problem), n = problem->n_train > rank ? problem->n_train : rank;
    const double rows = (double)(problem->n_train + problem->n_apply), v = (double)n_voxel;
    const double response = problem->precision == BT_F64 ? 12 : 4;
    const size_t at_once = problem->n_train > problem->n_apply ? problem->n_train : problem->n_apply;
    const double rough = n_rank == 1 && can_be_rough(problem, rank) ? bt_shorts_bytes(n_voxel, at_once) : 0;
    return rough + v * (response * rows + 4.0 * 12.0 * (double)rank + 32.0 * (double)problem->n_penalty) +
           1.5 * bt_components_visit_bytes(rank, n_rank, n, BT_F64);
}
