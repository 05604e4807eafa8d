#include "encoding/significance.h"

#include "base/memory.h"
#include "base/order.h"
#include "device/threads.h"

#include <math.h>
#include <omp.h>

enum { TILE = 16 }; /* voxels that one thread takes together */

/* Rows that are tested together. */
typedef struct {
    size_t story, story_end;
    size_t low, n_row;
} row_set;

struct bt_null {
    bt_arrangements orders;
    size_t n_fold;   /* outer ones; 0: one set of rows */
    row_set *set;    /* (n_fold, or 1) */
    size_t most_row; /* of a set */
    size_t most_move;
};

/* Stories [story, story_end), rows [low, low + n_row). */
static row_set set_of(const bt_story_rows *rows, size_t story, size_t story_end)
{
    const size_t low = rows->start[story];
    return (row_set){story, story_end, low, rows->start[story_end] - low};
}

static bt_status create_null(const bt_permute_options *options, const bt_story_rows *rows, size_t n_fold,
                             const size_t *first, bt_null **out)
{
    bt_status status = BT_OK;
    bt_null *null = NULL;
    const size_t n_set = n_fold ? n_fold : 1;
    *out = NULL;
    BT_ALLOC(null, 1);
    null->n_fold = n_fold;
    BT_ALLOC(null->set, n_set);
    BT_TRY(bt_arrangements_create(options, rows, &null->orders));
    for (size_t k = 0; k < n_set; ++k) {
        null->set[k] = n_fold ? set_of(rows, first[k], first[k + 1]) : set_of(rows, 0, rows->n_story);
        if (null->set[k].n_row > null->most_row) null->most_row = null->set[k].n_row;
    }
    for (size_t s = 0; s < null->orders.n_story; ++s)
        if (null->orders.story[s].n_move > null->most_move) null->most_move = null->orders.story[s].n_move;
    *out = null;
    null = NULL;
cleanup:
    bt_null_destroy(&null);
    return status;
}

bt_status bt_null_create(const bt_permute_options *options, const bt_story_rows *rows, bt_null **out)
{
    return create_null(options, rows, 0, NULL, out);
}

bt_status bt_null_create_folds(const bt_permute_options *options, const bt_story_rows *parts, size_t n_fold,
                               const size_t *first, bt_null **out)
{
    return create_null(options, parts, n_fold, first, out);
}

void bt_null_destroy(bt_null **null)
{
    bt_null *const old = *null;
    if (!old) return;
    bt_arrangements_clear(&old->orders);
    bt_free(old->set);
    bt_free(old);
    *null = NULL;
}

size_t bt_null_draws(const bt_null *null)
{
    return null->orders.n_draw;
}

double bt_null_orders(const bt_null *null)
{
    return null->orders.n_other;
}

/* Doubles of one thread's tile: responses, predictions, sums of moves, of draws. */
static size_t tile_room(const bt_null *null)
{
    return TILE * (2 * null->most_row + null->most_move + null->orders.n_draw);
}

double bt_null_bytes(const bt_null *null)
{
    double bytes = 8 * (double)tile_room(null) * bt_threads_get();
    for (size_t s = 0; s < null->orders.n_story; ++s) {
        const bt_story_moves *const story = &null->orders.story[s];
        bytes += (double)(story->n_move * sizeof *story->move) +
                 (double)(null->orders.n_draw * story->n_piece) * (double)sizeof *story->draw;
    }
    return bytes;
}

double bt_null_flops(const bt_null *null)
{
    double flops = 0;
    for (size_t s = 0; s < null->orders.n_story; ++s) {
        const bt_story_moves *const story = &null->orders.story[s];
        for (size_t k = 0; k < story->n_move; ++k) flops += 2 * (double)story->move[k].n;
        flops += (double)(null->orders.n_draw * story->n_piece);
    }
    return flops;
}

/* ---- a tile of voxels ---- */

typedef struct {
    const row_set *set;
    double *y, *p; /* (set->n_row, TILE) about their means; 0 beyond the last voxel */
    double *sum;   /* (most_move, TILE) of products of a move */
    double *draw;  /* (n_draw, TILE) sums of products of a draw */
} tile;

static void centre(double *values, size_t n_row)
{
    double mean[TILE] = {0};
    for (size_t i = 0; i < n_row; ++i)
        for (size_t v = 0; v < TILE; ++v) mean[v] += values[i * TILE + v];
    for (size_t v = 0; v < TILE; ++v) mean[v] /= (double)n_row;
    for (size_t i = 0; i < n_row; ++i)
        for (size_t v = 0; v < TILE; ++v) values[i * TILE + v] -= mean[v];
}

static void load(const float *y, const double *prediction, size_t stride, size_t n, tile *t)
{
    const size_t n_row = t->set->n_row;
    for (size_t i = 0; i < n_row; ++i)
        for (size_t v = 0; v < TILE; ++v) {
            t->y[i * TILE + v] = v < n ? (double)y[i * stride + v] : 0;
            t->p[i * TILE + v] = v < n ? prediction[i * stride + v] : 0;
        }
    centre(t->y, n_row);
    centre(t->p, n_row);
}

/* total (TILE) = sums over n rows of a times b, both (., TILE); a few voxels at a time, whose sums stay in registers.
 */
static void multiply(const double *a, const double *b, size_t n, double *total)
{
    enum { PART = 8 };
    for (size_t low = 0; low < TILE; low += PART) {
        double sum[PART] = {0};
        for (size_t i = 0; i < n; ++i)
            for (size_t v = 0; v < PART; ++v) sum[v] += a[i * TILE + low + v] * b[i * TILE + low + v];
        for (size_t v = 0; v < PART; ++v) total[low + v] = sum[v];
    }
}

static void move_story(const bt_story_moves *story, size_t n_draw, tile *t)
{
    for (size_t k = 0; k < story->n_move; ++k) {
        const bt_move *const move = &story->move[k];
        multiply(t->p + (move->from - t->set->low) * TILE, t->y + (move->to - t->set->low) * TILE, move->n,
                 t->sum + k * TILE);
    }
    for (size_t d = 0; d < n_draw; ++d) {
        double total[TILE];
        for (size_t v = 0; v < TILE; ++v) total[v] = t->draw[d * TILE + v];
        for (size_t k = 0; k < story->n_piece; ++k) {
            const double *const sum = t->sum + (size_t)story->draw[d * story->n_piece + k] * TILE;
            for (size_t v = 0; v < TILE; ++v) total[v] += sum[v];
        }
        for (size_t v = 0; v < TILE; ++v) t->draw[d * TILE + v] = total[v];
    }
}

/* b of each voxel. Sums of other orders that differ from the observed one by rounding only are equal to it. */
static void count_draws(const bt_null *null, const tile *t, size_t n, double *p)
{
    const double rounding = 1e-12;
    double yy[TILE], pp[TILE], yp[TILE];
    multiply(t->y, t->y, t->set->n_row, yy);
    multiply(t->p, t->p, t->set->n_row, pp);
    multiply(t->y, t->p, t->set->n_row, yp);
    for (size_t v = 0; v < n; ++v) {
        const double least = yp[v] - rounding * sqrt(yy[v] * pp[v]);
        size_t b = 0;
        for (size_t d = 0; d < null->orders.n_draw; ++d) b += t->draw[d * TILE + v] >= least;
        p[v] = ((double)b + 1) / ((double)null->orders.n_draw + 1);
    }
}

/* Sums of products of every draw; room (tile_room). */
static void draw_tile(const bt_null *null, const row_set *set, const float *y, const double *prediction, size_t stride,
                      size_t n, double *room, tile *t)
{
    *t = (tile){.set = set,
                .y = room,
                .p = room + TILE * null->most_row,
                .sum = room + 2 * TILE * null->most_row,
                .draw = room + TILE * (2 * null->most_row + null->most_move)};
    load(y, prediction, stride, n, t);
    for (size_t i = 0; i < TILE * null->orders.n_draw; ++i) t->draw[i] = 0;
    for (size_t s = set->story; s < set->story_end; ++s) move_story(&null->orders.story[s], null->orders.n_draw, t);
}

static void test_tile(const bt_null *null, const float *y, const double *prediction, size_t stride, size_t n,
                      double *room, double *p)
{
    tile t;
    draw_tile(null, &null->set[0], y, prediction, stride, n, room, &t);
    count_draws(null, &t, n, p);
}

bt_status bt_null_p(const bt_null *null, const float *y, const double *prediction, size_t n_voxel, double *p)
{
    bt_status status = BT_OK;
    double *room = NULL;
    const size_t each = tile_room(null);
    BT_ALLOC(room, each * (size_t)bt_threads_get());
#pragma omp parallel for schedule(static)
    for (size_t low = 0; low < n_voxel; low += TILE)
        test_tile(null, y + low, prediction + low, n_voxel, n_voxel - low < TILE ? n_voxel - low : TILE,
                  room + each * (size_t)omp_get_thread_num(), p + low);
cleanup:
    bt_free(room);
    return status;
}

/* ---- outer folds ---- */

size_t bt_null_sums(const bt_null *null)
{
    return null->n_fold ? null->orders.n_draw + 1 : 0;
}

/* r of the draws and of the rows in place; 0 where nothing varies. */
static void add_tile(const bt_null *null, const tile *t, size_t n, const size_t *at, double *sums)
{
    double yy[TILE], pp[TILE], yp[TILE];
    multiply(t->y, t->y, t->set->n_row, yy);
    multiply(t->p, t->p, t->set->n_row, pp);
    multiply(t->y, t->p, t->set->n_row, yp);
    for (size_t v = 0; v < n; ++v) {
        double *const mine = sums + at[v] * bt_null_sums(null);
        if (!(yy[v] > 0 && pp[v] > 0)) continue;
        const double scale = 1 / sqrt(yy[v] * pp[v]);
        for (size_t d = 0; d < null->orders.n_draw; ++d) mine[d] += scale * t->draw[d * TILE + v];
        mine[null->orders.n_draw] += scale * yp[v];
    }
}

bt_status bt_null_add(const bt_null *null, size_t fold, const float *y, const double *prediction, size_t n_voxel,
                      const size_t *at, double *sums)
{
    bt_status status = BT_OK;
    double *room = NULL;
    const size_t each = tile_room(null);
    BT_ALLOC(room, each * (size_t)bt_threads_get());
#pragma omp parallel for schedule(static)
    for (size_t low = 0; low < n_voxel; low += TILE) {
        tile t;
        const size_t n = n_voxel - low < TILE ? n_voxel - low : TILE;
        draw_tile(null, &null->set[fold], y + low, prediction + low, n_voxel, n,
                  room + each * (size_t)omp_get_thread_num(), &t);
        add_tile(null, &t, n, at + low, sums);
    }
cleanup:
    bt_free(room);
    return status;
}

void bt_null_p_of_sums(const bt_null *null, const double *sums, size_t n_voxel, double *p)
{
    const double rounding = 1e-12 * (double)null->n_fold, spread = sqrt(2);
    const size_t n_draw = null->orders.n_draw;
#pragma omp parallel for schedule(static)
    for (size_t v = 0; v < n_voxel; ++v) {
        const double *const draw = sums + v * (n_draw + 1);
        double mean = 0;
        size_t b = 0;
        for (size_t d = 0; d < n_draw; ++d) mean += draw[d] / (double)n_draw;
        for (size_t d = 0; d < n_draw; ++d) b += mean + spread * (draw[d] - mean) >= draw[n_draw] - rounding;
        p[v] = ((double)b + 1) / ((double)n_draw + 1);
    }
}

/* ---- false discovery rates ---- */

bt_status bt_false_discovery(const double *p, size_t n, double *q)
{
    bt_status status = BT_OK;
    bt_place *order = NULL;
    size_t m = 0;
    double least = 1;
    BT_TRY(bt_order(p, n, &order, &m));
    for (size_t i = 0; i < n; ++i) q[i] = (double)NAN;
    for (size_t k = m; k-- > 0;) {
        least = fmin(least, order[k].value * (double)m / (double)(k + 1));
        q[order[k].at] = least;
    }
cleanup:
    bt_free(order);
    return status;
}
