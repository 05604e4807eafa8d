#include "encoding/fit.h"

#include "base/memory.h"
#include "encoding/continuous.h"
#include "encoding/fast_search.h"
#include "encoding/ridge.h"

#include <math.h>
#include <string.h>

static bool is_better(double a, double b, bt_score_kind kind)
{
    return kind == BT_SCORE_MSE ? a < b : a > b;
}

size_t bt_choose(const double *score, size_t stride, const bt_encode_plan *plan)
{
    size_t best = 0;
    for (size_t a = 1; a < plan->n_alpha; ++a) {
        const double here = score[a * stride], there = score[best * stride];
        const bool ties_win = plan->ties == BT_TIES_LARGER && plan->penalty[a] > plan->penalty[best];
        if (is_better(here, there, plan->rule.kind) || (here == there && ties_win)) best = a;
    }
    return best;
}

/* ---- life ---- */

bt_status bt_fit_create(const bt_fit_problem *problem, bt_fit *out)
{
    bt_status status = BT_OK;
    const size_t n = bt_voxels_count(problem->voxels), n_alpha = problem->plan->n_alpha;
    *out = (bt_fit){.problem = *problem, .n_voxel = n, .n_alpha = n_alpha, .n_job = problem->folds->n_split + 1};
    BT_ALLOC(out->cv_score, n_alpha * n);
    BT_ALLOC(out->nothing, n);
    BT_ALLOC(out->alpha, n);
    BT_ALLOC(out->r, n);
    BT_ALLOC(out->r2, n);
    BT_ALLOC(out->explained, n);
    BT_ALLOC(out->p, n);
    BT_ALLOC(out->searches, problem->folds->n_split);
    BT_ALLOC(out->choice, problem->block);
    BT_ALLOC(out->penalty, problem->block);
    if (problem->plan->point) BT_ALLOC(out->curves, problem->folds->n_split * n_alpha * n);
    BT_ALLOC(out->prediction, problem->n_test * problem->block);
    BT_ALLOC(out->score, problem->block);
    if (problem->weights) BT_ALLOC(out->weights, problem->n_feature * n);
    if (problem->predictions) BT_ALLOC(out->predictions, problem->n_test * n);
cleanup:
    return status;
}

void bt_fit_unload(bt_fit *fit)
{
    for (size_t k = 0; fit->searches && k + 1 < fit->n_job; ++k) bt_search_destroy(&fit->searches[k]);
    bt_refit_destroy(&fit->refit);
}

void bt_fit_clear(bt_fit *fit)
{
    bt_fit_unload(fit);
    bt_free(fit->cv_score);
    bt_free(fit->nothing);
    bt_free(fit->alpha);
    bt_free(fit->r);
    bt_free(fit->r2);
    bt_free(fit->explained);
    bt_free(fit->p);
    bt_free(fit->weights);
    bt_free(fit->predictions);
    bt_free(fit->searches);
    bt_free(fit->curves);
    bt_free(fit->choice);
    bt_free(fit->penalty);
    bt_free(fit->prediction);
    bt_free(fit->score);
    *fit = (bt_fit){0};
}

bt_status bt_fit_load(bt_fit *fit, const bt_fit_design *design, bt_range jobs)
{
    bt_status status = BT_OK;
    const size_t n_split = fit->n_job - 1;
    const bt_search_problem problem = {.comm = fit->problem.comm,
                                       .device = fit->problem.device,
                                       .design = design,
                                       .folds = fit->problem.folds,
                                       .plan = fit->problem.plan,
                                       .block = fit->problem.block,
                                       .n_rank = fit->problem.n_rank};
    for (size_t k = jobs.low; k < jobs.high && k < n_split; ++k) {
        BT_TRY(bt_search_create(&problem, k, &fit->searches[k]));
        if (k == 0) fit->method = bt_search_method_of(fit->searches[k]);
    }
    if (jobs.high <= n_split) goto cleanup;
    BT_TRY(bt_refit_create(&problem, fit->n_voxel, fit->problem.weights, &fit->refit));
    fit->has_hats = bt_refit_has_hats(fit->refit);
cleanup:
    return status;
}

/* ---- a block of voxels ---- */

static void count(bool positive, bool lowest, bool highest, int64_t counts[BT_COUNTS])
{
    ++counts[BT_COUNT_KEPT];
    counts[BT_COUNT_POSITIVE] += positive;
    counts[BT_COUNT_LOW] += positive && lowest;
    counts[BT_COUNT_HIGH] += positive && highest;
}

/* The penalty at `best`, and whether it is an end of the grid. */
static double penalty_of_grid(const bt_encode_plan *plan, size_t best, bool *lowest, bool *highest)
{
    *lowest = *highest = true;
    for (size_t a = 0; a < plan->n_alpha; ++a) {
        if (plan->penalty[a] < plan->penalty[best]) *lowest = false;
        if (plan->penalty[a] > plan->penalty[best]) *highest = false;
    }
    return plan->penalty[best];
}

static double penalty_of_curve(const bt_fit *fit, size_t voxel, bool *lowest, bool *highest)
{
    const bt_encode_plan *const plan = fit->problem.plan;
    const bt_continuous curve = {.kind = plan->rule.kind,
                                 .n_split = fit->n_job - 1,
                                 .n_point = fit->n_alpha,
                                 .low = plan->penalty[0],
                                 .high = plan->penalty[fit->n_alpha - 1],
                                 .point = plan->point,
                                 .score = fit->curves + voxel,
                                 .stride = fit->n_voxel};
    return bt_continuous_best(&curve, lowest, highest);
}

/* Voxel low + v: its alpha. */
static void choose_one(bt_fit *fit, size_t low, size_t v)
{
    const bt_encode_plan *const plan = fit->problem.plan;
    const size_t best = bt_choose(fit->cv_score + low + v, fit->n_voxel, plan);
    const double score = fit->cv_score[best * fit->n_voxel + low + v];
    const bt_voxel_state state = bt_voxels_state(fit->problem.voxels, low + v);
    bool lowest = false, highest = false;
    const bool positive = plan->rule.kind == BT_SCORE_MSE ? score < fit->nothing[low + v] : score > 0;
    fit->choice[v] = best;
    fit->penalty[v] = fit->curves ? penalty_of_curve(fit, low + v, &lowest, &highest)
                                  : penalty_of_grid(plan, best, &lowest, &highest);
    fit->alpha[low + v] = fit->curves ? bt_encode_plan_alpha(plan, fit->penalty[v]) : plan->alpha[best];
    if (state != BT_VOXEL_KEPT)
        ++fit->counts[state == BT_VOXEL_NAN ? BT_COUNT_NAN : BT_COUNT_CONSTANT];
    else
        count(positive, lowest, highest, fit->counts);
}

/* Means over splits, and each voxel's alpha. */
static void choose(bt_fit *fit, size_t low, size_t n)
{
    const double n_split = (double)(fit->n_job - 1);
    for (size_t a = 0; a < fit->n_alpha; ++a)
        for (size_t v = low; v < low + n; ++v) fit->cv_score[a * fit->n_voxel + v] /= n_split;
    for (size_t v = 0; v < n; ++v) {
        fit->nothing[low + v] /= n_split;
        choose_one(fit, low, v);
    }
}

static void score_test(bt_fit *fit, const float *y_test, size_t low, size_t n)
{
    const size_t rows = fit->problem.n_test;
    bt_score((bt_score_rule){BT_SCORE_CORRELATION, false}, y_test, fit->prediction, rows, n, fit->r + low);
    bt_score((bt_score_rule){BT_SCORE_R2, false}, y_test, fit->prediction, rows, n, fit->r2 + low);
    bt_score((bt_score_rule){BT_SCORE_SIGNED_ROOT, false}, y_test, fit->prediction, rows, n, fit->score);
    for (size_t v = 0; v < n; ++v) fit->explained[low + v] = fit->score[v] * fabs(fit->score[v]);
    for (size_t i = 0; fit->predictions && i < rows; ++i)
        for (size_t v = 0; v < n; ++v) fit->predictions[i * fit->n_voxel + low + v] = (float)fit->prediction[i * n + v];
}

/* Scores of split k, added to the sums over splits, and kept where the best of a continuum is sought. */
static bt_status search_split(bt_fit *fit, bt_block *block, size_t k, size_t low, size_t n, const float *y)
{
    bt_status status = BT_OK;
    double *const sums = fit->cv_score + low, *const nothing = fit->nothing + low;
    if (!fit->curves) return bt_search_block(fit->searches[k], block, y, n, sums, fit->n_voxel, nothing);
    double *const curve = fit->curves + k * fit->n_alpha * fit->n_voxel + low;
    BT_TRY(bt_search_block(fit->searches[k], block, y, n, curve, fit->n_voxel, nothing));
    for (size_t a = 0; a < fit->n_alpha; ++a)
        for (size_t v = 0; v < n; ++v) sums[a * fit->n_voxel + v] += curve[a * fit->n_voxel + v];
cleanup:
    return status;
}

bt_status bt_fit_block(bt_fit *fit, bt_block *block, size_t low, size_t n, const float *y, const float *y_test)
{
    bt_status status = BT_OK;
    for (size_t k = 0; k + 1 < fit->n_job; ++k)
        if (fit->searches[k]) BT_TRY(search_split(fit, block, k, low, n, y));
    if (!fit->refit) goto cleanup;
    choose(fit, low, n);
    BT_TRY(bt_refit_predict(fit->refit, block, y, n, fit->choice, fit->penalty, fit->prediction));
    score_test(fit, y_test, low, n);
    if (fit->weights) BT_TRY(bt_refit_weights(fit->refit, fit->penalty, fit->weights + low, fit->n_voxel));
    if (fit->problem.null && n > 0) BT_TRY(bt_null_p(fit->problem.null, y_test, fit->prediction, n, fit->p + low));
cleanup:
    return status;
}

/* NaN wherever a voxel could not be fitted. */
static void blank_excluded(bt_fit *fit)
{
    const size_t n = fit->n_voxel;
    for (size_t v = 0; v < n; ++v) {
        if (!fit->problem.null) fit->p[v] = (double)NAN;
        if (bt_voxels_state(fit->problem.voxels, v) == BT_VOXEL_KEPT) continue;
        fit->alpha[v] = fit->r[v] = fit->r2[v] = fit->explained[v] = fit->p[v] = (double)NAN;
        for (size_t a = 0; a < fit->n_alpha; ++a) fit->cv_score[a * n + v] = (double)NAN;
        for (size_t f = 0; fit->weights && f < fit->problem.n_feature; ++f) fit->weights[f * n + v] = NAN;
        for (size_t i = 0; fit->predictions && i < fit->problem.n_test; ++i) fit->predictions[i * n + v] = NAN;
    }
}

bt_status bt_fit_finish(bt_fit *fit)
{
    blank_excluded(fit);
    return bt_comm_sum_i64(fit->problem.comm, fit->counts, BT_COUNTS);
}

/* ---- memory ---- */

bt_fit_bytes bt_fit_bytes_of(const bt_fit_sizes *s, const bt_encode_plan *plan)
{
    const double w = (double)s->block, v = (double)s->n_voxel, p = (double)s->n_feature, n = (double)s->n_row;
    const double rows = (double)(s->n_row + s->n_test), curves = plan->point ? (double)(s->n_split * plan->n_alpha) : 0;
    const bool kernel = s->n_rank == 1 && bt_ridge_takes_dual(s->n_row - s->most_held, s->n_feature);
    const bt_search_sizes search = {.n_train = s->n_row - s->least_held,
                                    .n_held = s->most_held,
                                    .n_feature = s->n_feature,
                                    .block = s->block,
                                    .n_rank = s->n_rank,
                                    .shares_kernel = kernel};
    const bt_refit_sizes refit = {.n_row = s->n_row,
                                  .n_test = s->n_test,
                                  .n_feature = s->n_feature,
                                  .n_voxel = s->n_voxel,
                                  .block = s->block,
                                  .weights = s->weights,
                                  .n_rank = s->n_rank,
                                  .has_kernel = kernel};
    const double outputs = (s->weights ? 4 * p : 0) + (s->predictions ? 4 * (double)s->n_test : 0);
    return (bt_fit_bytes){
        .results = v * (8 * ((double)plan->n_alpha + 8 + curves) + outputs),
        .design = 8 * (rows * p * (1 + 2 / (double)s->n_delay) + (kernel ? n * n : 0)),
        .making = fmax(bt_search_making_bytes(plan, &search), bt_refit_making_bytes(plan, &refit)),
        .job = fmax(bt_search_bytes(plan, &search), bt_refit_bytes(plan, &refit)),
        .block = bt_search_block_bytes(plan, &search) + w * (12 * rows + 24 * (double)s->n_test) +
                 (s->null ? bt_null_bytes(s->null) : 0),
    };
}
