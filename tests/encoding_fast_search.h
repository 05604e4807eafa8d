/* One run of the fast search, for tests that hold it against others. */
#ifndef BT_TESTS_ENCODING_FAST_SEARCH_H
#define BT_TESTS_ENCODING_FAST_SEARCH_H

#include "encoding_support.h"

#include "encoding/fast_search.h"
#include "encoding/ridge.h"

typedef struct {
    const bt_comm *comm;
    bt_device *device;
    bt_ridge_problem ridge;
    bt_row_list train, apply; /* rows of y */
    const float *y;           /* (rows, n_voxel) */
    size_t n_voxel;
    const double *penalty;
    size_t n_penalty;
    bt_score_rule rule;
    bt_dtype precision;
    double *margin; /* (n_penalty, n_voxel), of rough scores; NULL: these are not */
} fast_run;

typedef struct {
    double bound;
    bt_dtype paired;
    bool spread; /* the factor, over ranks */
    bool rough;
} fast_facts;

/* score (n_penalty, n_voxel). Collective over the comm. */
static inline fast_facts fast_scores(const fast_run *run, double *score)
{
    bt_factor factor = {0};
    bt_fast_search *pairs = NULL;
    bt_block block = {.device = run->device};
    expect_ok(bt_factor_create(run->comm, run->device, &run->ridge, &factor));
    fast_facts facts = {.spread = factor.map.comm != NULL};
    const bt_fast_problem wanted = {.factor = &factor,
                                    .n_train = run->train.n,
                                    .n_apply = run->apply.n,
                                    .penalty = run->penalty,
                                    .n_penalty = run->n_penalty,
                                    .rule = run->rule,
                                    .precision = run->precision,
                                    .rough = run->margin != NULL};
    expect_ok(bt_fast_search_create(run->comm, run->device, &wanted, &pairs));
    bt_factor_clear(&factor);
    bt_moments *const moments = bt_calloc(run->n_voxel, sizeof *moments);
    bt_moments_of(run->y, run->n_voxel, run->apply.index, run->apply.n, moments);
    expect_ok(
        bt_fast_search_score(pairs, &block, run->y, run->n_voxel, run->train, run->apply, moments, score, run->margin));
    bt_free(moments);
    facts.bound = bt_fast_search_bound(pairs);
    facts.rough = bt_fast_search_is_rough(pairs);
    facts.paired = bt_fast_search_precision(pairs);
    bt_fast_search_destroy(&pairs);
    bt_block_clear(&block);
    return facts;
}

#endif
