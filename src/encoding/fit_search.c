#include "encoding/fit_search.h"

#include "base/memory.h"
#include "encoding/choice.h"
#include "encoding/fast_search.h"

#include <math.h>
#include <string.h>

enum { PIECE = 512, MOST_ALPHAS = 64 }; /* voxels that are scored again together; alphas of a coarse grid */
static const double STEP = 1.5;

static bool is_coarse(const bt_encode_plan *plan)
{
    if (plan->n_alpha > MOST_ALPHAS) return false;
    for (size_t a = 0; a < plan->n_alpha; ++a)
        for (size_t b = 0; b < a; ++b)
            if (fabs(log(plan->penalty[a] / plan->penalty[b])) < log(STEP)) return false;
    return true;
}

bool bt_fit_may_be_rough(const bt_encode_plan *plan, size_t n_draw)
{
    return plan->search == BT_SEARCH_AUTO &&
           bt_fast_search_may_be_rough(plan->rule, plan->precision, plan->point != NULL) &&
           plan->alpha_scope == BT_SCOPE_VOXEL && n_draw == 1 && bt_shorts_are_fast() && is_coarse(plan);
}

bt_status bt_fit_again_create(const bt_fit *fit, bt_fit_again *out)
{
    bt_status status = BT_OK;
    BT_ALLOC(out->margin, fit->n_alpha * fit->problem.block);
    BT_ALLOC(out->pick, PIECE);
    BT_ALLOC(out->y, fit->n_row * PIECE);
    BT_ALLOC(out->score, fit->n_alpha * PIECE);
    BT_ALLOC(out->nothing, PIECE);
cleanup:
    return status;
}

void bt_fit_again_clear(bt_fit_again *again)
{
    bt_free(again->margin);
    bt_free(again->pick);
    bt_free(again->y);
    bt_free(again->score);
    bt_free(again->nothing);
    *again = (bt_fit_again){0};
}

double bt_fit_again_bytes(size_t n_row, size_t block, size_t n_alpha)
{
    return 8.0 * (double)(n_alpha * (block + PIECE)) + PIECE * (16.0 + 4.0 * (double)n_row);
}

/* Scores of split k, added to the sums over splits, and kept where the best of a continuum is sought. */
static bt_status search_split(bt_fit *fit, bt_block *block, size_t k, size_t low, size_t n, const float *y,
                              double *margin)
{
    bt_status status = BT_OK;
    double *const sums = fit->cv_score + low, *const nothing = fit->nothing + low;
    if (!fit->curves) return bt_search_block(fit->searches[k], block, y, n, sums, fit->n_voxel, nothing, margin);
    double *const curve = fit->curves + k * fit->n_alpha * fit->n_voxel + low;
    BT_TRY(bt_search_block(fit->searches[k], block, y, n, curve, fit->n_voxel, nothing, NULL));
    for (size_t a = 0; a < fit->n_alpha; ++a)
        for (size_t v = 0; v < n; ++v) sums[a * fit->n_voxel + v] += curve[a * fit->n_voxel + v];
cleanup:
    return status;
}

/* Whether the best score leads by more than the margin; score and margin of a voxel, some elements apart. */
static bool is_decided(const bt_fit *fit, const double *score, const double *margin, size_t apart)
{
    const size_t n = fit->n_voxel, best = bt_choose(score, n, fit->problem.plan);
    for (size_t a = 0; a < fit->n_alpha; ++a) {
        const double lead = fabs(score[a * n] - score[best * n]);
        if (a != best && !(lead > margin[a * apart] && lead > margin[best * apart])) return false; /* nor is NaN */
    }
    return true;
}

bt_status bt_fit_search_again(bt_fit *fit, bt_block *block)
{
    bt_status status = BT_OK;
    bt_fit_again *const again = &fit->again;
    const size_t n = again->n;
    if (n == 0) goto cleanup;
    for (size_t i = 1; n < PIECE && i < fit->n_row; ++i)
        memmove(again->y + i * n, again->y + i * PIECE, n * sizeof(float));
    memset(again->score, 0, fit->n_alpha * n * sizeof *again->score);
    for (size_t k = 0; k + 1 < fit->n_job; ++k)
        BT_TRY(bt_search_block(fit->searches[k], block, again->y, n, again->score, n, again->nothing, NULL));
    for (size_t a = 0; a < fit->n_alpha; ++a)
        for (size_t v = 0; v < n; ++v) fit->cv_score[a * fit->n_voxel + again->pick[v]] = again->score[a * n + v];
    again->n = 0;
cleanup:
    return status;
}

/* Keeps the responses of voxels that are undecided, and scores them again once there are many. */
static bt_status keep_undecided(bt_fit *fit, bt_block *block, size_t low, size_t n, const float *y)
{
    bt_status status = BT_OK;
    bt_fit_again *const again = &fit->again;
    size_t n_undecided = 0;
    for (size_t v = 0; v < n; ++v) {
        if (is_decided(fit, fit->cv_score + low + v, again->margin + v, n)) continue;
        for (size_t i = 0; i < fit->n_row; ++i) again->y[i * PIECE + again->n] = y[i * n + v];
        again->pick[again->n++] = low + v;
        ++n_undecided;
        if (again->n == PIECE) BT_TRY(bt_fit_search_again(fit, block));
    }
    fit->counts[BT_COUNT_ROUGH] += (int64_t)n;
    fit->counts[BT_COUNT_AGAIN] += (int64_t)n_undecided;
    fit->rough = 4 * n_undecided <= n;
cleanup:
    return status;
}

bt_status bt_fit_search(bt_fit *fit, bt_block *block, size_t low, size_t n, const float *y)
{
    bt_status status = BT_OK;
    const bool rough = fit->rough;
    if (rough) memset(fit->again.margin, 0, fit->n_alpha * n * sizeof *fit->again.margin);
    for (size_t k = 0; k + 1 < fit->n_job; ++k)
        if (fit->searches[k]) BT_TRY(search_split(fit, block, k, low, n, y, rough ? fit->again.margin : NULL));
    if (rough) BT_TRY(keep_undecided(fit, block, low, n, y));
cleanup:
    return status;
}
