#include "encoding/fit_search.h"

#include "base/memory.h"
#include "encoding/choice.h"

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
    return plan->search == BT_SEARCH_AUTO && plan->alpha_scope == BT_SCOPE_VOXEL && n_draw == 1 && !plan->point &&
           bt_shorts_are_fast() && is_coarse(plan);
}

static size_t piece_of(size_t block)
{
    return block < PIECE ? block : PIECE;
}

bt_status bt_fit_again_create(const bt_fit *fit, bt_fit_again *out)
{
    bt_status status = BT_OK;
    const size_t block = fit->problem.block, piece = piece_of(block);
    BT_ALLOC(out->margin, fit->n_alpha * block);
    BT_ALLOC(out->pick, block);
    BT_ALLOC(out->y, fit->n_row * piece);
    BT_ALLOC(out->score, fit->n_alpha * piece);
    BT_ALLOC(out->nothing, piece);
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
    return 8.0 * (double)(n_alpha + 1) * (double)(block + piece_of(block)) + 4.0 * (double)(n_row * piece_of(block));
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

/* A few voxels, low + pick[0 .. n). */
static bt_status score_again(bt_fit *fit, bt_block *block, size_t low, size_t n_voxel, const size_t *pick, size_t n,
                             const float *y)
{
    bt_status status = BT_OK;
    bt_fit_again *const again = &fit->again;
    memset(again->score, 0, fit->n_alpha * n * sizeof *again->score);
    for (size_t i = 0; i < fit->n_row; ++i)
        for (size_t v = 0; v < n; ++v) again->y[i * n + v] = y[i * n_voxel + pick[v]];
    for (size_t k = 0; k + 1 < fit->n_job; ++k)
        BT_TRY(bt_search_block(fit->searches[k], block, again->y, n, again->score, n, again->nothing, NULL));
    for (size_t a = 0; a < fit->n_alpha; ++a)
        for (size_t v = 0; v < n; ++v) fit->cv_score[a * fit->n_voxel + low + pick[v]] = again->score[a * n + v];
cleanup:
    return status;
}

static bt_status score_undecided(bt_fit *fit, bt_block *block, size_t low, size_t n, const float *y)
{
    bt_status status = BT_OK;
    size_t *const pick = fit->again.pick, n_pick = 0;
    for (size_t v = 0; v < n; ++v)
        if (!is_decided(fit, fit->cv_score + low + v, fit->again.margin + v, n)) pick[n_pick++] = v;
    for (size_t first = 0, n_here = 0; first < n_pick; first += n_here) {
        n_here = n_pick - first < PIECE ? n_pick - first : PIECE;
        BT_TRY(score_again(fit, block, low, n, pick + first, n_here, y));
    }
    fit->counts[BT_COUNT_ROUGH] += (int64_t)n;
    fit->counts[BT_COUNT_AGAIN] += (int64_t)n_pick;
    fit->rough = 4 * n_pick <= n;
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
    if (rough) BT_TRY(score_undecided(fit, block, low, n, y));
cleanup:
    return status;
}
