#include "encoding/fit.h"

#include "base/fault.h"
#include "base/memory.h"
#include "encoding/ridge.h"
#include "encoding/search.h"

#include <math.h>
#include <string.h>

double bt_fit_bytes(size_t n_row, size_t n_test, size_t n_apply, size_t n_feature, size_t n_voxel, size_t block,
                    const bt_encode_plan *plan, bool weights, bool predictions)
{
    const bt_ridge_problem ridge = {.n_train = n_row,
                                    .n_apply = n_apply,
                                    .n_feature = n_feature,
                                    .precision = plan->precision,
                                    .weights = weights,
                                    .most_voxel = block};
    const double rows = (double)(n_row + n_test), w = (double)block, v = (double)n_voxel;
    const double designs = 8 * rows * (double)n_feature * 2;
    const double blocks = w * (4 * 2 + 8) * rows;
    const double results = v * (8 * (double)(plan->n_alpha + 6) + (weights ? 4 * (double)n_feature : 0) +
                                (predictions ? 4 * (double)n_test : 0));
    return bt_ridge_bytes(&ridge) + designs + blocks + results;
}

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

static bt_status make_room(const bt_fit_problem *problem, bt_fit *fit)
{
    bt_status status = BT_OK;
    const size_t n = fit->n_voxel;
    BT_ALLOC(fit->cv_score, fit->n_alpha * n);
    BT_ALLOC(fit->alpha, n);
    BT_ALLOC(fit->r, n);
    BT_ALLOC(fit->r2, n);
    BT_ALLOC(fit->explained, n);
    if (problem->weights) BT_ALLOC(fit->weights, problem->n_feature * n);
    if (problem->predictions) BT_ALLOC(fit->predictions, problem->n_test * n);
cleanup:
    return status;
}

void bt_fit_clear(bt_fit *fit)
{
    bt_free(fit->cv_score);
    bt_free(fit->alpha);
    bt_free(fit->r);
    bt_free(fit->r2);
    bt_free(fit->explained);
    bt_free(fit->weights);
    bt_free(fit->predictions);
    *fit = (bt_fit){0};
}

static void count(const bt_encode_plan *plan, size_t best, bool positive, int64_t counts[BT_COUNTS])
{
    bool lowest = true, highest = true;
    for (size_t a = 0; a < plan->n_alpha; ++a) {
        if (plan->penalty[a] < plan->penalty[best]) lowest = false;
        if (plan->penalty[a] > plan->penalty[best]) highest = false;
    }
    ++counts[BT_COUNT_KEPT];
    counts[BT_COUNT_POSITIVE] += positive;
    counts[BT_COUNT_LOW] += positive && lowest;
    counts[BT_COUNT_HIGH] += positive && highest;
}

/* Each voxel's alpha from its validation scores; penalty (n_voxel) for the refit. */
static void choose_all(const bt_fit_problem *problem, const double *nothing, bt_fit *fit, double *penalty)
{
    const bt_encode_plan *const plan = problem->plan;
    for (size_t v = 0; v < fit->n_voxel; ++v) {
        const size_t best = bt_choose(fit->cv_score + v, fit->n_voxel, plan);
        const bt_voxel_state state = bt_voxels_state(problem->voxels, v);
        penalty[v] = plan->penalty[best];
        fit->alpha[v] = plan->alpha[best];
        if (state != BT_VOXEL_KEPT) {
            ++fit->counts[state == BT_VOXEL_NAN ? BT_COUNT_NAN : BT_COUNT_CONSTANT];
            continue;
        }
        const double score = fit->cv_score[best * fit->n_voxel + v];
        const bool positive = plan->rule.kind == BT_SCORE_MSE ? score < nothing[v] : score > 0;
        count(plan, best, positive, fit->counts);
    }
}

typedef struct {
    float *y, *y_test;
    double *prediction, *score;
} block_room;

static bt_status make_block(const bt_fit_problem *problem, block_room *room)
{
    bt_status status = BT_OK;
    BT_ALLOC(room->y, problem->n_row * problem->block);
    BT_ALLOC(room->y_test, problem->n_test * problem->block);
    BT_ALLOC(room->prediction, problem->n_test * problem->block);
    BT_ALLOC(room->score, problem->block);
cleanup:
    return status;
}

static void clear_block(block_room *room)
{
    bt_free(room->y);
    bt_free(room->y_test);
    bt_free(room->prediction);
    bt_free(room->score);
}

static void score_test(const bt_fit_problem *problem, const block_room *room, size_t low, size_t n, bt_fit *fit)
{
    const size_t rows = problem->n_test;
    bt_score((bt_score_rule){BT_SCORE_CORRELATION, false}, room->y_test, room->prediction, rows, n, fit->r + low);
    bt_score((bt_score_rule){BT_SCORE_R2, false}, room->y_test, room->prediction, rows, n, fit->r2 + low);
    bt_score((bt_score_rule){BT_SCORE_SIGNED_ROOT, false}, room->y_test, room->prediction, rows, n, room->score);
    for (size_t v = 0; v < n; ++v) fit->explained[low + v] = room->score[v] * fabs(room->score[v]);
    for (size_t i = 0; fit->predictions && i < rows; ++i)
        for (size_t v = 0; v < n; ++v)
            fit->predictions[i * fit->n_voxel + low + v] = (float)room->prediction[i * n + v];
}

static bt_status refit_blocks(const bt_fit_problem *problem, bt_ridge *ridge, const double *penalty, bt_fit *fit)
{
    bt_status status = BT_OK;
    block_room room = {0};
    BT_TRY(make_block(problem, &room));
    for (size_t low = 0; low < fit->n_voxel; low += problem->block) {
        const size_t n = fit->n_voxel - low < problem->block ? fit->n_voxel - low : problem->block;
        BT_TRY(bt_voxels_read(problem->voxels, low, n, room.y, room.y_test));
        BT_TRY(bt_ridge_rotate(ridge, room.y, n));
        BT_TRY(bt_ridge_predict_each(ridge, penalty + low, room.prediction));
        score_test(problem, &room, low, n, fit);
        if (fit->weights) BT_TRY(bt_ridge_weights(ridge, penalty + low, fit->weights + low, fit->n_voxel));
        if (problem->progress) bt_progress_add(problem->progress, (int64_t)n);
    }
cleanup:
    clear_block(&room);
    return status;
}

/* Collective. */
static bt_status refit(const bt_fit_problem *problem, const double *penalty, bt_fit *fit)
{
    bt_status status = BT_OK;
    bt_ridge *ridge = NULL;
    const bt_ridge_problem all = {.train = problem->x,
                                  .apply = problem->x_test,
                                  .n_train = problem->n_row,
                                  .n_apply = problem->n_test,
                                  .n_feature = problem->n_feature,
                                  .precision = problem->plan->precision,
                                  .weights = problem->weights,
                                  .most_voxel = problem->block};
    BT_TRY(bt_agree(problem->comm, bt_fault_point("encode.refit")));
    BT_TRY(bt_ridge_create(problem->comm, problem->device, &all, &ridge));
    BT_TRY(bt_agree(problem->comm, refit_blocks(problem, ridge, penalty, fit)));
cleanup:
    bt_ridge_destroy(&ridge);
    return status;
}

/* NaN wherever a voxel could not be fitted. */
static void blank_excluded(const bt_fit_problem *problem, bt_fit *fit)
{
    const size_t n = fit->n_voxel;
    for (size_t v = 0; v < n; ++v) {
        if (bt_voxels_state(problem->voxels, v) == BT_VOXEL_KEPT) continue;
        fit->alpha[v] = fit->r[v] = fit->r2[v] = fit->explained[v] = (double)NAN;
        for (size_t a = 0; a < fit->n_alpha; ++a) fit->cv_score[a * n + v] = (double)NAN;
        for (size_t f = 0; fit->weights && f < problem->n_feature; ++f) fit->weights[f * n + v] = NAN;
        for (size_t i = 0; fit->predictions && i < problem->n_test; ++i) fit->predictions[i * n + v] = NAN;
    }
}

bt_status bt_fit_create(const bt_fit_problem *problem, bt_fit *out)
{
    bt_status status = BT_OK;
    double *nothing = NULL, *penalty = NULL;
    *out = (bt_fit){.n_voxel = bt_voxels_count(problem->voxels), .n_alpha = problem->plan->n_alpha};
    nothing = bt_calloc(out->n_voxel, sizeof *nothing);
    penalty = bt_calloc(out->n_voxel, sizeof *penalty);
    BT_TRY(bt_agree(problem->comm, nothing && penalty ? make_room(problem, out) : BT_ERR_MEMORY));
    BT_TRY(bt_search(problem, out->cv_score, nothing));
    choose_all(problem, nothing, out, penalty);
    BT_TRY(refit(problem, penalty, out));
    blank_excluded(problem, out);
    BT_TRY(bt_comm_sum_i64(problem->comm, out->counts, BT_COUNTS));
cleanup:
    bt_free(nothing);
    bt_free(penalty);
    if (status != BT_OK) bt_fit_clear(out);
    return status;
}
