#include "encoding/fit.h"

#include "base/memory.h"
#include "encoding/dealt.h"
#include "encoding/fit_choice.h"
#include "encoding/fit_search.h"
#include "encoding/fit_test.h"
#include "encoding/hats.h"
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

/* What the choice of alphas and draws needs. */
static bt_status make_choice_room(bt_fit *fit)
{
    bt_status status = BT_OK;
    const size_t n = fit->n_voxel, n_score = fit->n_alpha * n;
    BT_ALLOC(fit->nothing, n);
    BT_ALLOC(fit->kept.alpha, n);
    BT_ALLOC(fit->kept.penalty, n);
    BT_ALLOC(fit->kept.ends, n);
    BT_ALLOC(fit->kept.draw, n);
    BT_ALLOC(fit->kept.score, n);
    if (fit->problem.bands.n_draw > 1) BT_ALLOC(fit->kept.cv_score, n_score);
    if (fit->n_fold > 1) BT_ALLOC(fit->earlier, n_score);
    if (fit->problem.plan->point) BT_ALLOC(fit->curves, most_split(fit->problem.nested) * n_score);
cleanup:
    return status;
}

/* What the predictions of a block need. */
static bt_status make_test_room(bt_fit *fit)
{
    bt_status status = BT_OK;
    const bt_fit_problem *const problem = &fit->problem;
    const size_t n_band = problem->bands.n_band, n_block = problem->n_test * problem->block;
    BT_ALLOC(fit->room.pick, problem->block);
    BT_ALLOC(fit->room.choice, problem->block);
    BT_ALLOC(fit->room.penalty, problem->block);
    BT_ALLOC(fit->room.score, problem->block);
    BT_ALLOC(fit->room.prediction, n_band * n_block);
    BT_ALLOC(fit->room.y_test, n_block);
    if (problem->nested->is_nested) BT_ALLOC(fit->room.held, problem->n_test);
    if (n_band == 1) goto cleanup;
    BT_ALLOC(fit->room.total, n_block);
    BT_ALLOC(fit->room.y, fit->n_row * problem->block);
    BT_ALLOC(fit->r_split, n_band * fit->n_voxel);
    BT_ALLOC(fit->r2_split, n_band * fit->n_voxel);
    BT_ALLOC(fit->scaling, n_band * fit->n_voxel);
    BT_ALLOC(fit->room.factor, problem->n_feature);
    if (problem->weights) BT_ALLOC(fit->room.weights, problem->n_feature * problem->block);
cleanup:
    return status;
}

bt_status bt_fit_create(const bt_fit_problem *problem, bt_fit *out)
{
    bt_status status = BT_OK;
    const size_t n = bt_voxels_count(problem->voxels), n_fold = problem->nested->n_fold;
    *out = (bt_fit){.problem = *problem,
                    .n_voxel = n,
                    .n_row = bt_voxels_train_rows(problem->voxels),
                    .n_alpha = problem->plan->n_alpha,
                    .n_fold = n_fold};
    BT_ALLOC(out->cv_score, out->n_alpha * n);
    BT_ALLOC(out->alpha, n_fold * n);
    BT_ALLOC(out->r, n_fold * n);
    BT_ALLOC(out->r2, n_fold * n);
    BT_ALLOC(out->explained, n_fold * n);
    BT_ALLOC(out->searches, most_split(problem->nested));
    BT_ALLOC(out->p, n);
    if (problem->null && bt_null_sums(problem->null)) BT_ALLOC(out->draws, n * bt_null_sums(problem->null));
    if (problem->weights) BT_ALLOC(out->weights, problem->n_feature * n);
    if (problem->predictions) BT_ALLOC(out->predictions, rows_predicted(problem) * n);
    BT_TRY(make_choice_room(out));
    BT_TRY(make_test_room(out));
    if (bt_fit_may_be_rough(problem->plan, problem->bands.n_draw)) BT_TRY(bt_fit_again_create(out, &out->again));
    bt_fit_begin(out, 0);
cleanup:
    return status;
}

/* cv_score is of the folds before too. */
static void keep_scores(bt_fit *fit)
{
    for (size_t i = 0; i < fit->n_alpha * fit->n_voxel; ++i) fit->earlier[i] += fit->cv_score[i];
}

void bt_fit_reset(bt_fit *fit)
{
    const size_t n_score = fit->n_alpha * fit->n_voxel;
    memset(fit->cv_score, 0, n_score * sizeof *fit->cv_score);
    memset(fit->nothing, 0, fit->n_voxel * sizeof *fit->nothing);
    if (fit->curves) memset(fit->curves, 0, most_split(fit->problem.nested) * n_score * sizeof *fit->curves);
}

void bt_fit_begin(bt_fit *fit, size_t fold)
{
    const bt_nested *const nested = fit->problem.nested;
    const uint8_t *const away = bt_nested_away(nested, fold);
    fit->fold = fold;
    fit->n_job = nested->inner[fold].n_split + 1;
    fit->n_test = away ? bt_nested_held_out(nested, fold) : fit->problem.n_test;
    for (size_t i = 0, n = 0; away && i < nested->outer.n_row; ++i)
        if (away[i]) fit->room.held[n++] = i;
    if (fold == 0) return;
    keep_scores(fit);
    bt_fit_reset(fit);
}

void bt_fit_unload(bt_fit *fit)
{
    for (size_t k = 0; fit->searches && k + 1 < fit->n_job; ++k) bt_search_destroy(&fit->searches[k]);
    bt_refit_destroy(&fit->refit);
}

static void clear_test_room(bt_fit *fit)
{
    bt_free(fit->room.held);
    bt_free(fit->room.pick);
    bt_free(fit->room.choice);
    bt_free(fit->room.penalty);
    bt_free(fit->room.y);
    bt_free(fit->room.y_test);
    bt_free(fit->room.weights);
    bt_free(fit->room.factor);
    bt_free(fit->room.prediction);
    bt_free(fit->room.total);
    bt_free(fit->room.score);
}

void bt_fit_clear(bt_fit *fit)
{
    bt_fit_unload(fit);
    bt_dealt_destroy(&fit->dealt);
    bt_free(fit->cv_score);
    bt_free(fit->nothing);
    bt_free(fit->alpha);
    bt_free(fit->r);
    bt_free(fit->r2);
    bt_free(fit->explained);
    bt_free(fit->p);
    bt_free(fit->draws);
    bt_free(fit->weights);
    bt_free(fit->predictions);
    bt_free(fit->searches);
    bt_free(fit->curves);
    bt_fit_choice_clear(&fit->kept);
    bt_free(fit->earlier);
    bt_free(fit->r_split);
    bt_free(fit->r2_split);
    bt_free(fit->scaling);
    clear_test_room(fit);
    bt_fit_again_clear(&fit->again);
    bt_bands_clear(&fit->problem.bands);
    *fit = (bt_fit){0};
}

/* Eigenpairs of split k, where they are dealt, with the jobs of its group. Collective. */
static bt_status deal(bt_fit *fit, const bt_search_problem *problem, size_t k)
{
    const bool refits = fit->problem.bands.n_draw == 1 && !fit->problem.weights;
    if (bt_dealt_covers(fit->dealt, k)) return BT_OK;
    bt_dealt_destroy(&fit->dealt);
    return bt_dealt_create(problem, k, refits, fit->n_voxel, &fit->dealt);
}

bt_status bt_fit_load(bt_fit *fit, const bt_fit_design *design, bt_range jobs)
{
    bt_status status = BT_OK;
    const size_t n_split = fit->n_job - 1;
    const bool together = jobs.low == 0 && jobs.high == n_split;
    bt_search_problem problem = {.comm = fit->problem.comm,
                                 .device = fit->problem.device,
                                 .design = design,
                                 .folds = &fit->problem.nested->inner[fit->fold],
                                 .away = bt_nested_away(fit->problem.nested, fit->fold),
                                 .bands = fit->problem.bands.n_band > 1 ? &fit->problem.bands : NULL,
                                 .plan = fit->problem.plan,
                                 .rough = together && bt_fit_may_be_rough(fit->problem.plan, fit->problem.bands.n_draw),
                                 .block = fit->problem.block,
                                 .n_rank = fit->problem.n_rank};
    fit->rough = false;
    for (size_t k = jobs.low; k < jobs.high && k < n_split; ++k) {
        BT_TRY(deal(fit, &problem, k));
        problem.dealt = fit->dealt;
        BT_TRY(bt_search_create(&problem, k, &fit->searches[k]));
        bt_dealt_end(&fit->dealt, k);
        fit->rough = fit->rough || bt_search_method_of(fit->searches[k]).rough;
        if (k == 0 && fit->fold == 0 && fit->at_work == 0) fit->method = bt_search_method_of(fit->searches[k]);
    }
    if (jobs.high <= n_split) goto cleanup;
    problem.dealt = fit->dealt;
    BT_TRY(bt_refit_create(&problem, fit->n_voxel, fit->problem.weights, &fit->refit));
    bt_dealt_destroy(&fit->dealt);
    fit->way = bt_refit_way_of(fit->refit);
cleanup:
    return status;
}

/* ---- a block of voxels ---- */

bt_status bt_fit_block(bt_fit *fit, bt_block *block, size_t low, size_t n, const float *y, const float *y_test)
{
    bt_status status = BT_OK;
    BT_TRY(bt_fit_search(fit, block, low, n, y));
    if (!fit->refit) goto cleanup;
    if (!bt_fit_waits(fit)) bt_fit_choose(fit, low, n);
    BT_TRY(bt_fit_test(fit, block, low, n, y, y_test));
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
        fit->p[v] = (double)NAN;
        for (size_t i = v; i < fit->n_fold * n; i += n)
            fit->alpha[i] = fit->r[i] = fit->r2[i] = fit->explained[i] = (double)NAN;
        for (size_t i = v; fit->scaling && i < fit->problem.bands.n_band * n; i += n)
            fit->r_split[i] = fit->r2_split[i] = fit->scaling[i] = (double)NAN;
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
    if (fit->draws) bt_null_p_of_sums(fit->problem.null, fit->draws, fit->n_voxel, fit->p);
    blank_excluded(fit);
    return bt_comm_sum_i64(fit->problem.comm, fit->counts, BT_COUNTS);
}

/* ---- memory ---- */

bt_fit_bytes bt_fit_bytes_of(const bt_fit_sizes *s, const bt_encode_plan *plan)
{
    const double w = (double)s->block, v = (double)s->n_voxel, p = (double)s->n_feature, n = (double)s->n_row;
    const double rows = n + (double)(s->nested ? 0 : s->n_test),
                 curves = plan->point ? (double)(s->most_split * plan->n_alpha) : 0;
    const bool kernel = s->n_rank == 1 && bt_ridge_takes_dual(s->least_train, s->n_feature);
    const bool rough = bt_fit_may_be_rough(plan, s->n_draw);
    const bt_search_sizes search = {.n_train = s->most_train,
                                    .n_held = s->most_held,
                                    .n_feature = s->n_feature,
                                    .block = s->block,
                                    .n_rank = s->n_rank,
                                    .shares_kernel = kernel,
                                    .rough = rough};
    const bt_refit_sizes refit = {.n_row = s->n_row,
                                  .n_test = s->n_test * s->n_band,
                                  .n_feature = s->n_feature,
                                  .n_voxel = s->n_voxel,
                                  .block = s->block,
                                  .weights = s->weights,
                                  .n_rank = s->n_rank,
                                  .has_kernel = kernel,
                                  .part = s->nested,
                                  .split = s->n_band > 1};
    const double predicted = (double)(s->nested ? s->n_row : s->n_test);
    const double outputs = (s->weights ? 4 * p : 0) + (s->predictions ? 4 * predicted : 0) +
                           (s->null ? 8 * (double)bt_null_sums(s->null) : 0);
    const double copies = (double)((s->n_fold > 1) + (s->n_draw > 1)), bands = s->n_band > 1 ? (double)s->n_band : 0;
    const double folds = 4 * (double)s->n_fold + copies * (double)plan->n_alpha;
    const double seen = plan->bands == BT_BANDS_COORDINATE ? (double)s->n_draw : 0; /* as coordinates.h keeps them */
    const double tests = (double)s->n_test * (32 + (bands > 0 ? 8 * (bands + 1) : 0));
    const bool refits = s->n_draw == 1 && s->n_share <= BT_HATS_RANKS;
    const double picked = bands > 0 ? 4 * (n + (s->weights ? p : 0)) : 0;
    return (bt_fit_bytes){
        .results =
            v * (8 * ((double)plan->n_alpha + 7 + folds + 3 * bands + curves + seen * ((double)plan->n_alpha + 4)) +
                 outputs),
        .design = 8 * (rows * p * (1 + (bands > 0) + 2 / (double)s->n_delay) + (kernel ? n * n : 0)),
        .dealt = bt_dealt_bytes(s->n_share, s->most_split, s->most_train, s->n_feature,
                                refits ? bt_refit_waiting_bytes(plan, &refit) : 0),
        .making = fmax(bt_search_making_bytes(plan, &search), bt_refit_making_bytes(plan, &refit)),
        .job = fmax(bt_search_bytes(plan, &search), bt_refit_bytes(plan, &refit)),
        .block = bt_search_block_bytes(plan, &search) + w * (12 * rows + tests + picked + 32) +
                 (s->null ? bt_null_bytes(s->null) : 0) +
                 (rough ? bt_fit_again_bytes(s->n_row, s->block, plan->n_alpha) : 0),
    };
}
