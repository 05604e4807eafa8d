#include "encoding/search.h"

#include "base/fault.h"
#include "base/memory.h"
#include "encoding/dealt.h"
#include "encoding/fast_search.h"
#include "encoding/ridge.h"

#include <math.h>
#include <string.h>

struct bt_search {
    const bt_encode_plan *plan; /* borrowed */
    size_t n_train, n_held;
    size_t *train, *held; /* their indices */
    bt_search_method method;
    bt_fast_search *pairs; /* fast ... */
    bt_ridge *ridge;       /* ... or direct, with */
    float *y_train;        /* (n_train, block) */
    float *y_held;         /* (n_held, block) */
    double *prediction;    /* (n_held, block) */
    double *score;         /* (block) */
    double *scores;        /* (n_alpha, block) fast */
    bt_moments *moments;   /* (block) */
};

void bt_search_destroy(bt_search **search)
{
    bt_search *const old = *search;
    if (!old) return;
    bt_free(old->train);
    bt_free(old->held);
    bt_fast_search_destroy(&old->pairs);
    bt_ridge_destroy(&old->ridge);
    bt_free(old->y_train);
    bt_free(old->y_held);
    bt_free(old->prediction);
    bt_free(old->score);
    bt_free(old->scores);
    bt_free(old->moments);
    bt_free(old);
    *search = NULL;
}

bt_search_method bt_search_method_of(const bt_search *search)
{
    return search->method;
}

bool bt_search_is_faster(size_t n_train, size_t n_apply, size_t rank, size_t n_penalty)
{
    const double r = (double)rank, held = (double)n_apply, n = (double)n_train, k = (double)n_penalty;
    const double fast = r * (n + held + r) + 2 * k * r, direct = r * n + k * held * (r + 8);
    return fast < direct;
}

static bool takes_fast(const bt_encode_plan *plan, size_t n_train, size_t n_apply, size_t rank)
{
    if (plan->search == BT_SEARCH_AUTO) return bt_search_is_faster(n_train, n_apply, rank, plan->n_alpha);
    return plan->search == BT_SEARCH_FAST;
}

static bt_status begin(const bt_search_problem *problem, size_t split, bt_search *search, bt_parts *parts)
{
    bt_status status = BT_OK;
    search->plan = problem->plan;
    search->n_held = bt_folds_count(problem->folds, split, BT_ROW_VALIDATES);
    search->n_train = bt_folds_count(problem->folds, split, BT_ROW_TRAINS);
    search->method.n_rank = problem->n_rank;
    search->method.dual = bt_ridge_takes_dual(search->n_train, problem->design->n_feature);
    BT_ALLOC(search->train, search->n_train);
    BT_ALLOC(search->held, search->n_held);
    BT_ALLOC(search->moments, problem->block);
    bt_folds_rows(problem->folds, split, search->train, search->held);
    if (problem->n_rank <= 1) /* a spread factor takes its rows from the design */
        BT_TRY(bt_parts_take(problem->design, (bt_row_list){search->n_train, search->train},
                             (bt_row_list){search->n_held, search->held}, search->method.dual, parts));
    BT_TRY(bt_fault_point("encode.split"));
cleanup:
    return status;
}

static bt_status make_direct(const bt_search_problem *problem, bt_search *search)
{
    bt_status status = BT_OK;
    const size_t block = problem->block;
    BT_ALLOC(search->y_train, search->n_train * block);
    BT_ALLOC(search->y_held, search->n_held * block);
    BT_ALLOC(search->prediction, search->n_held * block);
    BT_ALLOC(search->score, block);
cleanup:
    return status;
}

/* From the factor, which is used up. Collective. */
static bt_status make(const bt_search_problem *problem, const bt_ridge_problem *part, bt_factor *factor,
                      bt_search *search)
{
    bt_status status = BT_OK;
    const bt_encode_plan *const plan = problem->plan;
    search->method.rank = factor->map.rank;
    search->method.fast = takes_fast(plan, search->n_train, search->n_held, factor->map.rank);
    search->method.precision = plan->precision;
    if (!search->method.fast) {
        status = bt_ridge_create_from(problem->device, part, factor, &search->ridge);
        BT_TRY(bt_agree(problem->comm, status == BT_OK ? make_direct(problem, search) : status));
        goto cleanup;
    }
    const bt_fast_problem pairs = {.factor = factor,
                                   .n_train = search->n_train,
                                   .n_apply = search->n_held,
                                   .penalty = plan->penalty,
                                   .n_penalty = plan->n_alpha,
                                   .rule = plan->rule,
                                   .precision = plan->precision,
                                   .exact = plan->point != NULL,
                                   .rough = problem->rough};
    BT_TRY(bt_fast_search_create(problem->comm, problem->device, &pairs, &search->pairs));
    search->method.precision = bt_fast_search_precision(search->pairs);
    search->method.bound = bt_fast_search_bound(search->pairs);
    search->method.rough = bt_fast_search_is_rough(search->pairs);
    search->scores = bt_calloc(plan->n_alpha * problem->block, sizeof *search->scores);
    BT_TRY(bt_agree(problem->comm, search->scores ? BT_OK : BT_ERR_MEMORY));
cleanup:
    return status;
}

bt_status bt_search_create(const bt_search_problem *problem, size_t split, bt_search **out)
{
    bt_status status = BT_OK;
    bt_parts parts = {0};
    bt_factor factor = {0};
    bt_search *search = bt_calloc(1, sizeof *search);
    *out = NULL;
    BT_TRY(bt_agree(problem->comm, search ? begin(problem, split, search, &parts) : BT_ERR_MEMORY));
    const bool spread = problem->n_rank > 1;
    bt_ridge_problem part = {.train = spread ? problem->design->x : parts.x_train,
                             .apply = spread ? problem->design->x : parts.x_apply,
                             .train_rows = spread ? search->train : NULL,
                             .apply_rows = spread ? search->held : NULL,
                             .n_rank = problem->n_rank,
                             .kernel = parts.kernel,
                             .cross = parts.cross,
                             .pairs = problem->dealt ? &problem->dealt->mine : NULL,
                             .owner = problem->dealt ? split - problem->dealt->first : 0,
                             .n_train = search->n_train,
                             .n_apply = search->n_held,
                             .n_feature = problem->design->n_feature,
                             .precision = problem->plan->precision,
                             .most_voxel = problem->block};
    BT_TRY(bt_factor_create(problem->comm, problem->device, &part, &factor));
    bt_parts_clear(&parts);
    part.train = part.apply = part.kernel = part.cross = NULL;
    BT_TRY(make(problem, &part, &factor, search));
    *out = search;
    search = NULL;
cleanup:
    bt_parts_clear(&parts);
    bt_factor_clear(&factor);
    bt_search_destroy(&search);
    return status;
}

/* ---- a block of voxels ---- */

static bt_status search_direct(const bt_search *search, const float *y, size_t n, double *score, size_t stride)
{
    bt_status status = BT_OK;
    const bt_encode_plan *const plan = search->plan;
    bt_take_rows(y, n, (bt_row_list){search->n_train, search->train}, search->y_train);
    bt_take_rows(y, n, (bt_row_list){search->n_held, search->held}, search->y_held);
    BT_TRY(bt_ridge_rotate(search->ridge, search->y_train, n));
    for (size_t a = 0; a < plan->n_alpha; ++a) {
        BT_TRY(bt_ridge_predict(search->ridge, plan->penalty[a], search->prediction));
        bt_score(plan->rule, search->y_held, search->prediction, search->n_held, n, search->score);
        for (size_t v = 0; v < n; ++v) score[a * stride + v] += search->score[v];
    }
cleanup:
    return status;
}

static bt_status search_fast(const bt_search *search, bt_block *block, const float *y, size_t n, double *score,
                             size_t stride, double *margin)
{
    bt_status status = BT_OK;
    const bt_row_list train = {search->n_train, search->train}, held = {search->n_held, search->held};
    BT_TRY(bt_fast_search_score(search->pairs, block, y, n, train, held, search->moments, search->scores, margin));
    for (size_t a = 0; a < search->plan->n_alpha; ++a)
        for (size_t v = 0; v < n; ++v) score[a * stride + v] += search->scores[a * n + v];
cleanup:
    return status;
}

bt_status bt_search_block(const bt_search *search, bt_block *block, const float *y, size_t n_voxel, double *score,
                          size_t stride, double *nothing, double *margin)
{
    bt_moments_of(y, n_voxel, search->held, search->n_held, search->moments);
    for (size_t v = 0; v < n_voxel; ++v)
        nothing[v] += search->moments[v].variance + search->moments[v].mean * search->moments[v].mean;
    return search->method.fast ? search_fast(search, block, y, n_voxel, score, stride, margin)
                               : search_direct(search, y, n_voxel, score, stride);
}

/* ---- memory ---- */

static size_t most_rank(size_t n_train, size_t n_feature)
{
    return n_train < n_feature ? n_train : n_feature;
}

static bt_fast_problem pairs_of(const bt_encode_plan *plan, const bt_search_sizes *s)
{
    return (bt_fast_problem){.n_train = s->n_train,
                             .n_apply = s->n_held,
                             .n_rank = s->n_rank,
                             .n_penalty = plan->n_alpha,
                             .rule = plan->rule,
                             .precision = plan->precision,
                             .rough = s->rough};
}

static bt_ridge_problem ridge_of(const bt_encode_plan *plan, const bt_search_sizes *s)
{
    static const double given = 0;
    return (bt_ridge_problem){.n_train = s->n_train,
                              .n_apply = s->n_held,
                              .n_feature = s->n_feature,
                              .cross = s->shares_kernel ? &given : NULL,
                              .n_rank = s->n_rank,
                              .precision = plan->precision,
                              .most_voxel = s->block};
}

double bt_search_bytes(const bt_encode_plan *plan, const bt_search_sizes *s)
{
    const size_t rank = most_rank(s->n_train, s->n_feature);
    const bt_fast_problem pairs = pairs_of(plan, s);
    const bt_ridge_problem ridge = ridge_of(plan, s);
    const double scores = 8.0 * (double)(plan->n_alpha * s->block);
    if (takes_fast(plan, s->n_train, s->n_held, rank)) return bt_fast_search_bytes(&pairs, rank) + scores;
    return bt_ridge_bytes(&ridge) + (double)s->block * (4.0 * (double)s->n_train + 12.0 * (double)s->n_held);
}

double bt_search_making_bytes(const bt_encode_plan *plan, const bt_search_sizes *s)
{
    const size_t rank = most_rank(s->n_train, s->n_feature);
    const bt_fast_problem pairs = pairs_of(plan, s);
    const bt_ridge_problem ridge = ridge_of(plan, s);
    const bool dual = bt_ridge_takes_dual(s->n_train, s->n_feature);
    const double rows = (double)(s->n_train + s->n_held);
    const size_t n_rank = s->n_rank ? s->n_rank : 1, width = dual && s->shares_kernel ? s->n_train : s->n_feature;
    const double parts = n_rank > 1 ? 0 : 8 * rows * (double)width;
    const double later =
        takes_fast(plan, s->n_train, s->n_held, rank)
            ? bt_fast_search_making_bytes(&pairs, rank)
            : bt_search_bytes(plan, s) + bt_components_bytes(rank, n_rank, s->n_train + s->n_held, BT_F64);
    return fmax(parts + bt_factor_bytes(&ridge), later);
}

double bt_search_block_bytes(const bt_encode_plan *plan, const bt_search_sizes *s)
{
    const bt_fast_problem pairs = pairs_of(plan, s);
    return bt_fast_search_block_bytes(&pairs, most_rank(s->n_train, s->n_feature), s->block);
}
