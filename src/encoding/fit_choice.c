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

/* Of voxel v: the alpha at `best`, or the best between those. */
static void take_alpha(const bt_fit *fit, size_t v, size_t best, bt_fit_choice *to)
{
    const bt_encode_plan *const plan = fit->problem.plan;
    bool lowest = false, highest = false;
    bt_choice_ends(plan, best, &lowest, &highest);
    to->alpha[v] = best;
    to->penalty[v] = fit->curves ? penalty_of_curve(fit, v, &lowest, &highest) : plan->penalty[best];
    to->ends[v] = (unsigned char)((lowest ? LOWEST : 0) | (highest ? HIGHEST : 0));
}

/* Of the fold at work, what voxel v has kept. */
static void write_alpha(bt_fit *fit, size_t v)
{
    const bt_encode_plan *const plan = fit->problem.plan;
    fit->alpha[fit->fold * fit->n_voxel + v] =
        fit->curves ? bt_encode_plan_alpha(plan, fit->kept.penalty[v]) : plan->alpha[fit->kept.alpha[v]];
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
    for (size_t v = low; v < low + n; ++v) {
        take_alpha(fit, v, bt_choose(fit->cv_score + v, fit->n_voxel, fit->problem.plan), &fit->kept);
        write_alpha(fit, v);
    }
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

static bt_status make_choice(size_t n_voxel, bt_fit_choice *out)
{
    bt_status status = BT_OK;
    BT_ALLOC(out->alpha, n_voxel);
    BT_ALLOC(out->penalty, n_voxel);
    BT_ALLOC(out->ends, n_voxel);
    BT_ALLOC(out->score, n_voxel);
cleanup:
    return status;
}

void bt_fit_choice_clear(bt_fit_choice *choice)
{
    bt_free(choice->alpha);
    bt_free(choice->penalty);
    bt_free(choice->ends);
    bt_free(choice->draw);
    bt_free(choice->score);
    bt_free(choice->cv_score);
    *choice = (bt_fit_choice){0};
}

bt_status bt_fit_find(bt_fit *fit, bt_fit_choice *found)
{
    bt_status status = BT_OK;
    const bt_scopes *const scopes = fit->problem.scopes;
    const size_t n = scopes->n > 0 ? scopes->n : fit->n_voxel;
    size_t *const best = bt_calloc(n, sizeof *best);
    double *const value = bt_calloc(n, sizeof *value);
    BT_TRY(bt_agree(fit->problem.comm, best && value ? make_choice(fit->n_voxel, found) : BT_ERR_MEMORY));
    average(fit, 0, fit->n_voxel);
    BT_TRY(find_best(fit, n, best, value));
    for (size_t v = 0; v < fit->n_voxel; ++v) {
        const size_t s = scopes->n > 0 ? scopes->of[v] : v;
        found->score[v] = value[s];
        take_alpha(fit, v, best[s], found);
    }
cleanup:
    bt_free(best);
    bt_free(value);
    return status;
}

void bt_fit_keep(bt_fit *fit, size_t v, size_t draw, const bt_fit_choice *found, const double *cv_score)
{
    bt_fit_choice *const kept = &fit->kept;
    kept->alpha[v] = found->alpha[v];
    kept->penalty[v] = found->penalty[v];
    kept->ends[v] = found->ends[v];
    kept->score[v] = found->score[v];
    kept->draw[v] = draw;
    write_alpha(fit, v);
    for (size_t a = 0; kept->cv_score && a < fit->n_alpha; ++a)
        kept->cv_score[a * fit->n_voxel + v] = cv_score[a * fit->n_voxel + v];
}

void bt_fit_settle(bt_fit *fit)
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
    bt_fit_choice found = {0};
    BT_TRY(bt_fit_find(fit, &found));
    for (size_t v = 0; v < fit->n_voxel; ++v)
        if (draw == 0 || bt_score_is_better(found.score[v], fit->kept.score[v], fit->problem.plan->rule.kind))
            bt_fit_keep(fit, v, draw, &found, fit->cv_score);
    if (draw + 1 == fit->problem.bands.n_draw)
        bt_fit_settle(fit);
    else
        bt_fit_reset(fit);
cleanup:
    bt_fit_choice_clear(&found);
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
