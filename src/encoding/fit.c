#include "encoding/fit.h"

#include "base/memory.h"
#include "encoding/choice.h"
#include "encoding/continuous.h"
#include "encoding/fast_search.h"
#include "encoding/ridge.h"

#include <math.h>
#include <string.h>

/* ---- life ---- */

static size_t most_split(const bt_nested *nested)
{
    size_t most = 0;
    for (size_t f = 0; f < nested->n_fold; ++f)
        if (nested->inner[f].n_split > most) most = nested->inner[f].n_split;
    return most;
}

/* By all folds together. */
static size_t rows_predicted(const bt_fit_problem *problem)
{
    return problem->nested->is_nested ? problem->nested->outer.n_row : problem->n_test;
}

bt_status bt_fit_create(const bt_fit_problem *problem, bt_fit *out)
{
    bt_status status = BT_OK;
    const size_t n = bt_voxels_count(problem->voxels), n_alpha = problem->plan->n_alpha;
    const size_t n_fold = problem->nested->n_fold, n_split = most_split(problem->nested);
    *out = (bt_fit){.problem = *problem, .n_voxel = n, .n_alpha = n_alpha, .n_fold = n_fold};
    BT_ALLOC(out->cv_score, n_alpha * n);
    BT_ALLOC(out->nothing, n);
    BT_ALLOC(out->alpha, n_fold * n);
    BT_ALLOC(out->r, n_fold * n);
    BT_ALLOC(out->r2, n_fold * n);
    BT_ALLOC(out->explained, n_fold * n);
    BT_ALLOC(out->searches, n_split);
    BT_ALLOC(out->choice, n);
    BT_ALLOC(out->penalty, n);
    if (problem->plan->point) BT_ALLOC(out->curves, n_split * n_alpha * n);
    BT_ALLOC(out->prediction, problem->n_test * problem->block);
    BT_ALLOC(out->score, problem->block);
    if (problem->weights) BT_ALLOC(out->weights, problem->n_feature * n);
    if (problem->predictions) BT_ALLOC(out->predictions, rows_predicted(problem) * n);
    if (n_fold > 1) BT_ALLOC(out->earlier, n_alpha * n);
    if (problem->nested->is_nested) {
        BT_ALLOC(out->held, problem->n_test);
        BT_ALLOC(out->y_held, problem->n_test * problem->block);
    }
    bt_fit_begin(out, 0);
cleanup:
    return status;
}

/* cv_score is of the folds before too. */
static void keep_scores(bt_fit *fit)
{
    for (size_t i = 0; i < fit->n_alpha * fit->n_voxel; ++i) fit->earlier[i] += fit->cv_score[i];
}

void bt_fit_begin(bt_fit *fit, size_t fold)
{
    const bt_nested *const nested = fit->problem.nested;
    const uint8_t *const away = bt_nested_away(nested, fold);
    fit->fold = fold;
    fit->n_job = nested->inner[fold].n_split + 1;
    fit->n_test = away ? bt_nested_held_out(nested, fold) : fit->problem.n_test;
    for (size_t i = 0, n = 0; away && i < nested->outer.n_row; ++i)
        if (away[i]) fit->held[n++] = i;
    if (fold == 0) return;
    keep_scores(fit);
    memset(fit->cv_score, 0, fit->n_alpha * fit->n_voxel * sizeof *fit->cv_score);
    memset(fit->nothing, 0, fit->n_voxel * sizeof *fit->nothing);
    if (fit->curves) memset(fit->curves, 0, most_split(nested) * fit->n_alpha * fit->n_voxel * sizeof *fit->curves);
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
    bt_free(fit->weights);
    bt_free(fit->predictions);
    bt_free(fit->searches);
    bt_free(fit->curves);
    bt_free(fit->choice);
    bt_free(fit->penalty);
    bt_free(fit->earlier);
    bt_free(fit->held);
    bt_free(fit->y_held);
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
                                       .folds = &fit->problem.nested->inner[fit->fold],
                                       .away = bt_nested_away(fit->problem.nested, fit->fold),
                                       .plan = fit->problem.plan,
                                       .block = fit->problem.block};
    for (size_t k = jobs.low; k < jobs.high && k < n_split; ++k) {
        BT_TRY(bt_search_create(&problem, k, &fit->searches[k]));
        if (k == 0 && fit->fold == 0) fit->method = bt_search_method_of(fit->searches[k]);
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
    counts[BT_COUNT_POSITIVE] += positive;
    counts[BT_COUNT_LOW] += positive && lowest;
    counts[BT_COUNT_HIGH] += positive && highest;
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

/* Means over splits. */
static void average(bt_fit *fit, size_t low, size_t n)
{
    const double n_split = (double)(fit->n_job - 1);
    for (size_t a = 0; a < fit->n_alpha; ++a)
        for (size_t v = low; v < low + n; ++v) fit->cv_score[a * fit->n_voxel + v] /= n_split;
    for (size_t v = low; v < low + n; ++v) fit->nothing[v] /= n_split;
}

/* Voxel v takes the alpha at `best`, or the best between those. */
static void take_choice(bt_fit *fit, size_t v, size_t best)
{
    const bt_encode_plan *const plan = fit->problem.plan;
    const double score = fit->cv_score[best * fit->n_voxel + v];
    bool lowest = false, highest = false;
    const bool positive = plan->rule.kind == BT_SCORE_MSE ? score < fit->nothing[v] : score > 0;
    bt_choice_ends(plan, best, &lowest, &highest);
    fit->choice[v] = best;
    fit->penalty[v] = fit->curves ? penalty_of_curve(fit, v, &lowest, &highest) : plan->penalty[best];
    fit->alpha[fit->fold * fit->n_voxel + v] =
        fit->curves ? bt_encode_plan_alpha(plan, fit->penalty[v]) : plan->alpha[best];
    if (bt_voxels_state(fit->problem.voxels, v) == BT_VOXEL_KEPT) count(positive, lowest, highest, fit->counts);
}

static bool shares(const bt_fit *fit)
{
    return fit->problem.scopes->n > 0;
}

/* Each voxel's own alpha. */
static void choose(bt_fit *fit, size_t low, size_t n)
{
    average(fit, low, n);
    for (size_t v = low; v < low + n; ++v)
        take_choice(fit, v, bt_choose(fit->cv_score + v, fit->n_voxel, fit->problem.plan));
}

bt_status bt_fit_share(bt_fit *fit)
{
    bt_status status = BT_OK;
    const bt_scopes *const scopes = fit->problem.scopes;
    size_t *const best = bt_calloc(scopes->n, sizeof *best);
    BT_TRY(bt_agree(fit->problem.comm, best ? BT_OK : BT_ERR_MEMORY));
    average(fit, 0, fit->n_voxel);
    BT_TRY(bt_scopes_choose(scopes, fit->problem.comm, fit->problem.voxels, fit->problem.plan, fit->cv_score, best));
    for (size_t v = 0; v < fit->n_voxel; ++v) take_choice(fit, v, best[scopes->of[v]]);
cleanup:
    bt_free(best);
    return status;
}

static void score_test(bt_fit *fit, const float *y_test, size_t low, size_t n)
{
    const size_t rows = fit->n_test, at = fit->fold * fit->n_voxel + low;
    bt_score((bt_score_rule){BT_SCORE_CORRELATION, false}, y_test, fit->prediction, rows, n, fit->r + at);
    bt_score((bt_score_rule){BT_SCORE_R2, false}, y_test, fit->prediction, rows, n, fit->r2 + at);
    bt_score((bt_score_rule){BT_SCORE_SIGNED_ROOT, false}, y_test, fit->prediction, rows, n, fit->score);
    for (size_t v = 0; v < n; ++v) fit->explained[at + v] = fit->score[v] * fabs(fit->score[v]);
    for (size_t i = 0; fit->predictions && i < rows; ++i) {
        float *const to = fit->predictions + (fit->held ? fit->held[i] : i) * fit->n_voxel + low;
        for (size_t v = 0; v < n; ++v) to[v] = (float)fit->prediction[i * n + v];
    }
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
    if (!shares(fit)) choose(fit, low, n);
    BT_TRY(bt_refit_predict(fit->refit, block, y, n, fit->choice + low, fit->penalty + low, fit->prediction));
    if (fit->held) bt_take_rows(y, n, (bt_row_list){fit->n_test, fit->held}, fit->y_held);
    score_test(fit, fit->held ? fit->y_held : y_test, low, n);
    if (fit->weights) BT_TRY(bt_refit_weights(fit->refit, fit->penalty + low, fit->weights + low, fit->n_voxel));
cleanup:
    return status;
}

/* NaN wherever a voxel could not be fitted. */
static void blank_excluded(bt_fit *fit)
{
    const size_t n = fit->n_voxel;
    for (size_t v = 0; v < n; ++v) {
        if (bt_voxels_state(fit->problem.voxels, v) == BT_VOXEL_KEPT) continue;
        for (size_t i = v; i < fit->n_fold * n; i += n)
            fit->alpha[i] = fit->r[i] = fit->r2[i] = fit->explained[i] = (double)NAN;
        for (size_t a = 0; a < fit->n_alpha; ++a) fit->cv_score[a * n + v] = (double)NAN;
        for (size_t f = 0; fit->weights && f < fit->problem.n_feature; ++f) fit->weights[f * n + v] = NAN;
        for (size_t i = 0; fit->predictions && i < rows_predicted(&fit->problem); ++i)
            fit->predictions[i * n + v] = NAN;
    }
}

static void count_states(bt_fit *fit)
{
    for (size_t v = 0; v < fit->n_voxel; ++v) {
        const bt_voxel_state state = bt_voxels_state(fit->problem.voxels, v);
        ++fit->counts[state == BT_VOXEL_KEPT  ? BT_COUNT_KEPT
                      : state == BT_VOXEL_NAN ? BT_COUNT_NAN
                                              : BT_COUNT_CONSTANT];
    }
}

bt_status bt_fit_finish(bt_fit *fit)
{
    count_states(fit);
    if (fit->earlier) {
        keep_scores(fit);
        for (size_t i = 0; i < fit->n_alpha * fit->n_voxel; ++i)
            fit->cv_score[i] = fit->earlier[i] / (double)fit->n_fold;
    }
    blank_excluded(fit);
    return bt_comm_sum_i64(fit->problem.comm, fit->counts, BT_COUNTS);
}

/* ---- memory ---- */

bt_fit_bytes bt_fit_bytes_of(const bt_fit_sizes *s, const bt_encode_plan *plan)
{
    const double w = (double)s->block, v = (double)s->n_voxel, p = (double)s->n_feature, n = (double)s->n_row;
    const double rows = n + (double)(s->nested ? 0 : s->n_test),
                 curves = plan->point ? (double)(s->most_split * plan->n_alpha) : 0;
    const bool dual = bt_ridge_takes_dual(s->least_train, s->n_feature);
    const bt_search_sizes search = {.n_train = s->most_train,
                                    .n_held = s->most_held,
                                    .n_feature = s->n_feature,
                                    .block = s->block,
                                    .shares_kernel = dual};
    const bt_refit_sizes refit = {.n_row = s->n_row,
                                  .n_test = s->n_test,
                                  .n_feature = s->n_feature,
                                  .n_voxel = s->n_voxel,
                                  .block = s->block,
                                  .weights = s->weights,
                                  .has_kernel = dual,
                                  .part = s->nested};
    const double predicted = (double)(s->nested ? s->n_row : s->n_test);
    const double outputs = (s->weights ? 4 * p : 0) + (s->predictions ? 4 * predicted : 0);
    const double folds = 4 * (double)s->n_fold + (double)(s->n_fold > 1 ? plan->n_alpha : 0);
    return (bt_fit_bytes){
        .results = v * (8 * ((double)plan->n_alpha + 5 + folds + curves) + outputs),
        .design = 8 * (rows * p * (1 + 2 / (double)s->n_delay) + (dual ? n * n : 0)),
        .making = fmax(bt_search_making_bytes(plan, &search), bt_refit_making_bytes(plan, &refit)),
        .job = fmax(bt_search_bytes(plan, &search), bt_refit_bytes(plan, &refit)),
        .block = bt_search_block_bytes(plan, &search) + w * (12 * rows + 28 * (double)s->n_test),
    };
}
