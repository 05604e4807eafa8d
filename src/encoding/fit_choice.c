#include "encoding/fit_choice.h"

#include "base/memory.h"
#include "encoding/choice.h"
#include "encoding/continuous.h"

#include <math.h>
#include <string.h>

enum { LOWEST = 1, HIGHEST = 2 };

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
static void take_alpha(bt_fit *fit, size_t v, size_t best)
{
    const bt_encode_plan *const plan = fit->problem.plan;
    bool lowest = false, highest = false;
    bt_choice_ends(plan, best, &lowest, &highest);
    fit->kept.alpha[v] = best;
    fit->kept.penalty[v] = fit->curves ? penalty_of_curve(fit, v, &lowest, &highest) : plan->penalty[best];
    fit->alpha[fit->fold * fit->n_voxel + v] =
        fit->curves ? bt_encode_plan_alpha(plan, fit->kept.penalty[v]) : plan->alpha[best];
    fit->kept.ends[v] = (unsigned char)((lowest ? LOWEST : 0) | (highest ? HIGHEST : 0));
}

/* Of voxels that are fitted: whether the best score beats predicting nothing, and at which end it lies. */
static void count(bt_fit *fit, size_t low, size_t n)
{
    for (size_t v = low; v < low + n; ++v) {
        const double score = fit->cv_score[fit->kept.alpha[v] * fit->n_voxel + v];
        const bool positive = fit->problem.plan->rule.kind == BT_SCORE_MSE ? score < fit->nothing[v] : score > 0;
        if (!positive || bt_voxels_state(fit->problem.voxels, v) != BT_VOXEL_KEPT) continue;
        ++fit->counts[BT_COUNT_POSITIVE];
        fit->counts[BT_COUNT_LOW] += (fit->kept.ends[v] & LOWEST) != 0;
        fit->counts[BT_COUNT_HIGH] += (fit->kept.ends[v] & HIGHEST) != 0;
    }
}

void bt_fit_choose(bt_fit *fit, size_t low, size_t n)
{
    average(fit, low, n);
    for (size_t v = low; v < low + n; ++v)
        take_alpha(fit, v, bt_choose(fit->cv_score + v, fit->n_voxel, fit->problem.plan));
    count(fit, low, n);
}

/* ---- several draws, or alphas that voxels share ---- */

bool bt_fit_waits(const bt_fit *fit)
{
    return fit->problem.scopes->n > 0 || fit->problem.bands.n_draw > 1;
}

/* best (n): of each scope, or of each voxel, the alpha; value (n): its score, in a scope the sum over voxels.
 * Collective. */
static bt_status find_best(const bt_fit *fit, size_t n, size_t *best, double *value)
{
    bt_status status = BT_OK;
    const bt_scopes *const scopes = fit->problem.scopes;
    if (scopes->n > 0) {
        BT_TRY(bt_scopes_choose(scopes, fit->problem.comm, fit->problem.voxels, fit->problem.plan, fit->cv_score, best,
                                value));
        goto cleanup;
    }
    for (size_t v = 0; v < n; ++v) {
        best[v] = bt_choose(fit->cv_score + v, fit->n_voxel, fit->problem.plan);
        value[v] = fit->cv_score[best[v] * fit->n_voxel + v];
    }
cleanup:
    return status;
}

/* Voxel v keeps this draw. */
static void keep_draw(bt_fit *fit, size_t v, size_t draw, size_t best)
{
    take_alpha(fit, v, best);
    fit->kept.draw[v] = draw;
    for (size_t a = 0; fit->kept.cv_score && a < fit->n_alpha; ++a)
        fit->kept.cv_score[a * fit->n_voxel + v] = fit->cv_score[a * fit->n_voxel + v];
}

/* cv_score becomes that of the kept draws. */
static void settle(bt_fit *fit)
{
    double *const last = fit->cv_score;
    if (fit->kept.cv_score) {
        fit->cv_score = fit->kept.cv_score;
        fit->kept.cv_score = last;
    }
    count(fit, 0, fit->n_voxel);
}

bt_status bt_fit_decide(bt_fit *fit, size_t draw)
{
    bt_status status = BT_OK;
    const bt_scopes *const scopes = fit->problem.scopes;
    const bt_score_kind kind = fit->problem.plan->rule.kind;
    const size_t n = scopes->n > 0 ? scopes->n : fit->n_voxel;
    size_t *const best = bt_calloc(n, sizeof *best);
    double *const value = bt_calloc(n, sizeof *value);
    BT_TRY(bt_agree(fit->problem.comm, best && value ? BT_OK : BT_ERR_MEMORY));
    average(fit, 0, fit->n_voxel);
    BT_TRY(find_best(fit, n, best, value));
    for (size_t v = 0; v < fit->n_voxel; ++v) {
        const size_t s = scopes->n > 0 ? scopes->of[v] : v;
        if (draw > 0 && !bt_score_is_better(value[s], fit->kept.score[v], kind)) continue;
        fit->kept.score[v] = value[s];
        keep_draw(fit, v, draw, best[s]);
    }
    if (draw + 1 == fit->problem.bands.n_draw)
        settle(fit);
    else
        bt_fit_reset(fit);
cleanup:
    bt_free(best);
    bt_free(value);
    return status;
}

bt_status bt_fit_uses(const bt_fit *fit, size_t draw, bool *uses)
{
    double n = 0;
    for (size_t v = 0; v < fit->n_voxel; ++v) n += fit->kept.draw[v] == draw;
    const bt_status status = bt_comm_max_f64(fit->problem.comm, &n, 1);
    *uses = n > 0;
    return status;
}
