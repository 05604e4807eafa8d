#include "base/memory.h"
#include "device/spectral.h"
#include "encoding/fast_search_parts.h"

#include <math.h>
#include <string.h>

typedef struct {
    bt_matrix q, t, v, z; /* z: of correlations only */
} components;

/* Room for q or z (r, n_voxel) in the precision asked for, then in that of S q: one and the same where these are. */
static bt_status take_rotated(const bt_fast_search *pairs, bt_block *block, bt_block_part part, size_t n_voxel,
                              bt_matrix out[2])
{
    bt_status status = BT_OK;
    const bt_dtype type = pairs->problem.precision;
    BT_TRY(bt_block_take(block, part, type, pairs->rank, n_voxel, &out[0]));
    BT_TRY(bt_block_take(block, part, pairs->paired, pairs->rank, n_voxel, &out[1]));
cleanup:
    return status;
}

/* A block of voxels: y (., n_voxel), and which of its rows. */
typedef struct {
    const float *y;
    size_t n_voxel;
    bt_row_list train, apply;
    bool rough;
} responses;

/* What a block needs on the device before it is multiplied. */
typedef struct {
    bt_matrix train, apply; /* responses, unless rough */
    bt_matrix rotated[2], projected[2];
    components parts;
} room;

static bt_status take_room(const bt_fast_search *pairs, bt_block *block, const responses *from, room *to)
{
    bt_status status = BT_OK;
    const bt_dtype type = pairs->problem.precision;
    const size_t n_voxel = from->n_voxel;
    const bt_block_part part = bt_fast_search_correlates(pairs) ? BT_PART_PROJECTED : BT_PART_PAIRED;
    components *const c = &to->parts;
    if (!from->rough) {
        BT_TRY(bt_block_send(block, BT_PART_RESPONSE, type, from->y, n_voxel, from->train, NULL, &to->train));
        BT_TRY(bt_block_send(block, BT_PART_HELD_OUT, type, from->y, n_voxel, from->apply, NULL, &to->apply));
    }
    BT_TRY(take_rotated(pairs, block, BT_PART_ROTATED, n_voxel, to->rotated));
    BT_TRY(take_rotated(pairs, block, part, n_voxel, to->projected));
    c->q = c->v = to->rotated[1];
    c->z = c->t = to->projected[1];
    if (bt_fast_search_correlates(pairs))
        BT_TRY(bt_block_take(block, BT_PART_PAIRED, pairs->paired, pairs->rank, n_voxel, &c->t));
    if (pairs->n_panel) BT_TRY(bt_block_take(block, BT_PART_NEAR, pairs->paired, pairs->rank, n_voxel, &c->v));
cleanup:
    return status;
}

/* Where q and z are of another type than S q. */
static bt_status widen(const bt_fast_search *pairs, const room *in)
{
    bt_status status = BT_OK;
    if (pairs->paired == pairs->problem.precision) return BT_OK;
    BT_TRY(bt_convert(pairs->device, in->rotated[0], in->rotated[1]));
    BT_TRY(bt_convert(pairs->device, in->projected[0], in->projected[1]));
cleanup:
    return status;
}

typedef struct {
    const bt_fast_search *pairs;
    bt_matrix q, v;
} near_product;

/* v = D q for some rows of D. */
static bt_status multiply_near(void *context, size_t row, bt_matrix rows)
{
    bt_status status = BT_OK;
    const near_product *const product = context;
    const bt_fast_search *const pairs = product->pairs;
    const size_t end = row + rows.rows, n = product->q.columns;
    for (size_t p = row / BT_PANEL; p < pairs->n_panel && pairs->panels[p].low < end; ++p) {
        const bt_near_panel *const panel = &pairs->panels[p];
        const size_t low = panel->low > row ? panel->low : row, high = panel->high < end ? panel->high : end;
        const size_t width = panel->right - panel->left;
        BT_TRY(bt_product(pairs->device, BT_PLAIN, BT_PLAIN, 1, bt_matrix_part(rows, low - row, 0, high - low, width),
                          bt_matrix_part(product->q, panel->left, 0, width, n), 0,
                          bt_matrix_part(product->v, low, 0, high - low, n)));
    }
cleanup:
    return status;
}

/* to = the left operand times some rows of the responses, in 16 bits. */
static bt_status multiply_short(const bt_fast_search *pairs, bt_block *block, const bt_shorts *left,
                                const responses *from, bt_row_list rows, bt_matrix to)
{
    bt_status status = BT_OK;
    BT_TRY(bt_shorts_of_columns(pairs->device, from->y, from->n_voxel, rows.index, rows.n, &block->shorts));
    bt_shorts_product(pairs->device, left, &block->shorts, to);
cleanup:
    return status;
}

/* q and z. Collective where rows are spread. */
static bt_status rotate(const bt_fast_search *pairs, bt_block *block, const responses *from, const room *in)
{
    bt_status status = BT_OK;
    const bt_matrix q = in->rotated[0], z = in->projected[0];
    if (from->rough) {
        BT_TRY(multiply_short(pairs, block, &pairs->short_left, from, from->train, q));
        BT_TRY(multiply_short(pairs, block, &pairs->short_projector, from, from->apply, z));
        goto cleanup;
    }
    BT_TRY(bt_components_multiply(pairs->left, block, in->train, 0, q));
    BT_TRY(bt_components_multiply(pairs->projector, block, in->apply, 0, z));
cleanup:
    return status;
}

/* q = U'Y and z, t = S q - z, or with correlations u = S q beside z; v = D q, or q itself where the table holds the
 * diagonal. Collective where rows are spread. */
static bt_status multiply(const bt_fast_search *pairs, bt_block *block, const responses *from, const room *in)
{
    bt_status status = BT_OK;
    const components *const c = &in->parts;
    near_product near = {pairs, c->q, c->v};
    BT_TRY(rotate(pairs, block, from, in));
    BT_TRY(bt_component_agree(&pairs->map, widen(pairs, in)));
    BT_TRY(bt_components_multiply(pairs->far, block, c->q, bt_fast_search_correlates(pairs) ? 0 : -1, c->t));
    if (pairs->n_panel) BT_TRY(bt_components_visit(pairs->near, block, c->q.columns ? multiply_near : NULL, &near));
cleanup:
    return status;
}

static bt_matrix table(const bt_fast_search *pairs, size_t which)
{
    const size_t n = pairs->problem.n_penalty;
    bt_matrix out = bt_matrix_of(pairs->tables, n, pairs->rank);
    out.offset = which * n * pairs->rank;
    return out;
}

/* sums (n_penalty, n_voxel) of y'y - 2 y'p + p'p without y'y, or with correlations p'p and beside it y'p. */
static bt_status sum(const bt_fast_search *pairs, bt_block *block, const components *c, double *sums, double *cross)
{
    bt_status status = BT_OK;
    const size_t n = pairs->problem.n_penalty, n_voxel = c->q.columns;
    bt_spectral_sums task = {.x = c->q, .y = c->t, .z = c->v, .first = table(pairs, 0), .second = table(pairs, 1)};
    BT_TRY(bt_block_take(block, BT_PART_SUMS, BT_F64, n, n_voxel, &task.sums));
    BT_TRY(bt_spectral(pairs->device, &task));
    BT_TRY(bt_buffer_read(task.sums.buffer, 0, sums, n * n_voxel));
    if (!cross) goto cleanup;
    bt_spectral_sums more = {.x = c->q, .y = c->z, .first = table(pairs, 2)};
    BT_TRY(bt_block_take(block, BT_PART_MORE_SUMS, BT_F64, n, n_voxel, &more.sums));
    BT_TRY(bt_spectral(pairs->device, &more));
    BT_TRY(bt_buffer_read(more.sums.buffer, 0, cross, n * n_voxel));
cleanup:
    return status;
}

/* score (n_penalty, n_voxel) of the sums over n_row rows that have the moments. */
static bt_status finish_scores(const bt_fast_search *pairs, bt_block *block, const components *c, size_t n_voxel,
                               size_t n_row, const bt_moments *moments, double *score)
{
    bt_status status = BT_OK;
    double *cross = NULL;
    const size_t n = pairs->problem.n_penalty;
    if (n_voxel == 0) goto cleanup;
    if (bt_fast_search_correlates(pairs)) BT_ALLOC(cross, n * n_voxel);
    if (pairs->rank > 0)
        BT_TRY(sum(pairs, block, c, score, cross));
    else
        memset(score, 0, n * n_voxel * sizeof *score);
    for (size_t k = 0; k < n; ++k)
        for (size_t v = 0; v < n_voxel; ++v)
            score[k * n_voxel + v] = bt_score_of_sums(pairs->problem.rule, n_row, moments[v], score[k * n_voxel + v],
                                                      cross ? cross[k * n_voxel + v] : 0);
cleanup:
    bt_free(cross);
    return status;
}

/* What a rough score may be off by; see fast_search.h. Not finite where it cannot be said. */
static double margin_of(bt_score_rule rule, bt_moments y, double score, double unit)
{
    const double square = y.variance + y.mean * y.mean;
    if (rule.kind == BT_SCORE_MSE) return unit * sqrt(square * fmax(square, score));
    const double scale =
        rule.kind == BT_SCORE_SIGNED_ROOT && rule.released_variance ? (1 + y.variance) / 2 : y.variance;
    const double share = rule.kind == BT_SCORE_R2 ? score : score * fabs(score);
    const double margin = unit * sqrt(square * fmax(square, (1 - share) * scale)) / scale;
    return rule.kind == BT_SCORE_R2 ? margin : fmin(margin / fabs(score), 2 * sqrt(margin));
}

static void add_margins(const bt_fast_search *pairs, const bt_moments *moments, size_t n_voxel, const double *score,
                        double *margin)
{
    enum { ROUGH = 12 };
    const double unit = ROUGH * BT_SHORT_ERROR / sqrt((double)pairs->problem.n_apply);
    for (size_t k = 0; k < pairs->problem.n_penalty; ++k) {
        const double largest = pairs->scale / (pairs->scale + pairs->problem.penalty[k]); /* s^2 w */
        for (size_t v = 0; v < n_voxel; ++v)
            margin[k * n_voxel + v] +=
                margin_of(pairs->problem.rule, moments[v], score[k * n_voxel + v], unit * largest);
    }
}

bt_status bt_fast_search_score(const bt_fast_search *pairs, bt_block *block, const float *y, size_t n_voxel,
                               bt_row_list train, bt_row_list apply, const bt_moments *moments, double *score,
                               double *margin)
{
    bt_status status = BT_OK;
    const responses from = {y, n_voxel, train, apply, margin && bt_fast_search_is_rough(pairs)};
    room in = {0};
    if (pairs->rank > 0) {
        BT_TRY(bt_component_agree(&pairs->map, take_room(pairs, block, &from, &in)));
        BT_TRY(multiply(pairs, block, &from, &in));
    }
    BT_TRY(bt_component_agree(&pairs->map, finish_scores(pairs, block, &in.parts, n_voxel, apply.n, moments, score)));
    if (from.rough) add_margins(pairs, moments, n_voxel, score, margin);
cleanup:
    return status;
}
