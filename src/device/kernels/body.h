/* The kernels, for the instruction set that the including file chose before. Included by baseline.c, v3.c and v4.c. */
#ifndef BT_DEVICE_KERNELS_BODY_H
#define BT_DEVICE_KERNELS_BODY_H

#include "device/kernels/lanes.h"

#include <math.h>
#include <string.h>

static void kernel_gelu(const float *x, float *out, size_t n)
{
    size_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH) store(out + i, gelu(load(x + i)));
    if (i == n) return;
    float rest[WIDTH] = {0};
    memcpy(rest, x + i, (n - i) * sizeof *x);
    store(rest, gelu(load(rest)));
    memcpy(out + i, rest, (n - i) * sizeof *x);
}

static void kernel_gelu_backward(const float *x, const float *dy, float *dx, size_t n)
{
    size_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH) store(dx + i, load(dy + i) * gelu_slope(load(x + i)));
    if (i == n) return;
    float rest[WIDTH] = {0}, drest[WIDTH] = {0};
    memcpy(rest, x + i, (n - i) * sizeof *x);
    memcpy(drest, dy + i, (n - i) * sizeof *x);
    store(drest, load(drest) * gelu_slope(load(rest)));
    memcpy(dx + i, drest, (n - i) * sizeof *x);
}

/* --- rows of a product with one panel ------------------------------------------------------------------------------
 */

BT_INLINE void panel_finish(const bt_panel_rows *task, const float *c, size_t row, size_t n_row)
{
    for (size_t r = 0; r < n_row; ++r) {
        float *const out = task->out + (row + r) * task->out_stride;
        float part[BT_LANES] __attribute__((aligned(64)));
        float *const to = task->n_lane == BT_LANES ? out : part;
        for (size_t lane = 0; lane < BT_LANES; lane += WIDTH) {
            const vector y = load(c + r * BT_LANES + lane) + load(task->bias + lane);
            store(to + lane, task->gelu ? gelu(y) : y);
        }
        if (to == part) memcpy(out, part, task->n_lane * sizeof *out);
    }
}

static void kernel_panel_rows(const bt_panel_rows *task, size_t n_row)
{
    float c[TILE_ROWS * BT_LANES] __attribute__((aligned(64)));
    for (size_t row = 0; row < n_row; row += TILE_ROWS) {
        const size_t rows = n_row - row < TILE_ROWS ? n_row - row : TILE_ROWS;
        tile_some(rows, task->depth, task->a + row * task->a_step, task->a_step, 1, task->panel, NULL, c);
        panel_finish(task, c, row, rows);
    }
}

static void kernel_signal_slope(const bt_signal_slope *task, size_t n_frame, double *sums)
{
    const float one = 1.0f;
    float d[BT_SLOPE_FRAMES * BT_LANES] __attribute__((aligned(64)));
    float part[TILE_ROWS * BT_LANES] __attribute__((aligned(64)));
    for (size_t f = 0; f < n_frame; ++f) {
        float *const to = d + f * BT_LANES;
        kernel_gelu_backward(task->h + f * task->h_stride, task->da + f * task->da_stride, to, task->n_lane);
        for (size_t lane = task->n_lane; lane < BT_LANES; ++lane) to[lane] = 0.0f;
    }
    for (size_t k = 0; k <= task->kernel; k += TILE_ROWS) {
        const size_t left = task->kernel - k, rows = left < TILE_ROWS ? left : TILE_ROWS;
        tile_some(rows, n_frame, task->x + k, 1, task->stride, d, NULL, part);
        for (size_t i = 0; i < rows * BT_LANES; ++i) sums[k * BT_LANES + i] += (double)part[i];
    }
    tile_some(1, n_frame, &one, 0, 0, d, NULL, part);
    for (size_t lane = 0; lane < BT_LANES; ++lane) sums[task->kernel * BT_LANES + lane] += (double)part[lane];
}

/* --- attention ------------------------------------------------------------------------------------------------------
 * Lanes are queries: scores are held transposed, (key, query), so that the softmax needs no sum across lanes and
 * neither keys nor values are repacked. Milakov & Gimelshein 2018: running maximum and sum, block after block of keys.
 */

typedef struct {
    float *query;                                        /* (width, BT_LANES), scaled */
    float *score;                                        /* (BT_ATTEND_KEYS, BT_LANES) */
    float *sum;                                          /* (width, BT_LANES): weighted values so far */
    float top[BT_LANES] __attribute__((aligned(64)));    /* running maximum */
    float weight[BT_LANES] __attribute__((aligned(64))); /* running sum of exponentials */
    float keep[BT_LANES] __attribute__((aligned(64)));   /* factor that brings older sums to the new maximum */
    float limit[BT_LANES] __attribute__((aligned(64)));  /* causal: last key that the query sees; exact in float */
} attend_state;

#define ATTEND_LOWEST (-1e30f)

BT_INLINE void attend_start(const bt_attend *task, attend_state *state)
{
    state->query = task->work;
    state->sum = state->query + task->width * BT_LANES;
    state->score = state->sum + task->width * BT_LANES;
    memset(state->query, 0, 2 * task->width * BT_LANES * sizeof *state->query);
    for (size_t i = 0; i < task->n_query; ++i)
        for (size_t j = 0; j < task->width; ++j)
            state->query[j * BT_LANES + i] = task->query[i * task->query_stride + j] * task->scale;
    for (size_t i = 0; i < BT_LANES; ++i) {
        state->top[i] = ATTEND_LOWEST;
        state->weight[i] = 0.0f;
        state->limit[i] = (float)((ptrdiff_t)i + task->shift);
    }
}

/* score[key, query] for `n` keys from `first` on. */
BT_INLINE void attend_scores(const bt_attend *task, attend_state *state, size_t first, size_t n)
{
    const float *const key = task->key + first * task->key_stride;
    for (size_t r = 0; r < n; r += TILE_ROWS)
        tile_some(n - r < TILE_ROWS ? n - r : TILE_ROWS, task->width, key + r * task->key_stride, task->key_stride, 1,
                  state->query, NULL, state->score + r * BT_LANES);
}

/* Scores become exponentials under the new running maximum. */
BT_INLINE void attend_weights(const bt_attend *task, attend_state *state, size_t first, size_t n)
{
    for (size_t lane = 0; lane < BT_LANES; lane += WIDTH) {
        float *const score = state->score + lane;
        const vector old = load(state->top + lane);
        const vector limit = load(state->limit + lane);
        vector top = old;
        for (size_t r = 0; r < n; ++r) {
            vector s = load(score + r * BT_LANES);
            if (task->causal) s = choose(limit < (float)(first + r), fill(ATTEND_LOWEST), s);
            top = larger(top, s);
        }
        const vector keep = exponential(old - top);
        vector weight = keep * load(state->weight + lane);
        for (size_t r = 0; r < n; ++r) {
            vector p = exponential(load(score + r * BT_LANES) - top);
            if (task->causal) p = choose(limit < (float)(first + r), fill(0.0f), p);
            weight += p;
            store(score + r * BT_LANES, p);
        }
        store(state->top + lane, top);
        store(state->keep + lane, keep);
        store(state->weight + lane, weight);
    }
}

/* sum = keep sum + values' exponentials. */
BT_INLINE void attend_values(const bt_attend *task, attend_state *state, size_t first, size_t n)
{
    const float *const value = task->value + first * task->value_stride;
    for (size_t j = 0; j < task->width; j += TILE_ROWS)
        tile_some(task->width - j < TILE_ROWS ? task->width - j : TILE_ROWS, n, value + j, 1, task->value_stride,
                  state->score, state->keep, state->sum + j * BT_LANES);
}

static void kernel_attend(const bt_attend *task)
{
    attend_state state;
    attend_start(task, &state);
    size_t n_key = task->n_key;
    if (task->causal) { /* keys that not even the last query sees */
        const ptrdiff_t seen = (ptrdiff_t)task->n_query + task->shift;
        if (seen < (ptrdiff_t)n_key) n_key = seen > 0 ? (size_t)seen : 0;
    }
    for (size_t first = 0; first < n_key; first += BT_ATTEND_KEYS) {
        const size_t n = n_key - first < BT_ATTEND_KEYS ? n_key - first : BT_ATTEND_KEYS;
        attend_scores(task, &state, first, n);
        attend_weights(task, &state, first, n);
        attend_values(task, &state, first, n);
    }
    for (size_t i = 0; i < task->n_query; ++i) { /* a query that sees no key gets zeros */
        const float inverse = state.weight[i] > 0.0f ? 1.0f / state.weight[i] : 0.0f;
        for (size_t j = 0; j < task->width; ++j)
            task->out[i * task->out_stride + j] = state.sum[j * BT_LANES + i] * inverse;
    }
}

/* --- layer norm -----------------------------------------------------------------------------------------------------
 */

BT_INLINE float lane_sum(vector v)
{
    float sum = 0.0f;
    for (int i = 0; i < WIDTH; ++i) sum += v[i];
    return sum;
}

/* out = x + residual; returns the sum of the row. */
BT_INLINE float norm_join(const bt_norm_rows *task, const float *x, const float *residual, float *out)
{
    vector sums = fill(0.0f);
    size_t j = 0;
    for (; j + WIDTH <= task->columns; j += WIDTH) {
        const vector y = residual ? load(x + j) + load(residual + j) : load(x + j);
        sums += y;
        store(out + j, y);
    }
    float sum = lane_sum(sums);
    for (; j < task->columns; ++j) {
        out[j] = residual ? x[j] + residual[j] : x[j];
        sum += out[j];
    }
    return sum;
}

BT_INLINE float norm_squares(const float *row, size_t columns, float mean)
{
    vector sums = fill(0.0f);
    size_t j = 0;
    for (; j + WIDTH <= columns; j += WIDTH) {
        const vector y = load(row + j) - mean;
        sums += y * y;
    }
    float sum = lane_sum(sums);
    for (; j < columns; ++j) sum += (row[j] - mean) * (row[j] - mean);
    return sum;
}

static void kernel_norm_rows(const bt_norm_rows *task, size_t first, size_t last)
{
    const float n = (float)task->columns;
    for (size_t i = first; i < last; ++i) {
        float *const out = task->out + i * task->out_stride;
        const float *const residual = task->residual ? task->residual + i * task->residual_stride : NULL;
        const float mean = norm_join(task, task->x + i * task->x_stride, residual, out) / n;
        const float inverse = 1.0f / sqrtf(norm_squares(out, task->columns, mean) / n + task->epsilon);
        size_t j = 0;
        for (; j + WIDTH <= task->columns; j += WIDTH)
            store(out + j, (load(out + j) - mean) * inverse * load(task->scale + j) + load(task->shift + j));
        for (; j < task->columns; ++j) out[j] = (out[j] - mean) * inverse * task->scale[j] + task->shift[j];
    }
}

static void kernel_norm_moments(const float *x, size_t n, float epsilon, float moments[2])
{
    vector sums = fill(0.0f);
    size_t j = 0;
    for (; j + WIDTH <= n; j += WIDTH) sums += load(x + j);
    float sum = lane_sum(sums);
    for (; j < n; ++j) sum += x[j];
    moments[0] = sum / (float)n;
    moments[1] = 1.0f / sqrtf(norm_squares(x, n, moments[0]) / (float)n + epsilon);
}

static void kernel_norm_backward(const float *x, const float *scale, const float moments[2], const float *dy, float *dx,
                                 size_t n)
{
    const float mean = moments[0], inverse = moments[1];
    vector plain = fill(0.0f), weighted = fill(0.0f);
    size_t j = 0;
    for (; j + WIDTH <= n; j += WIDTH) {
        const vector g = load(dy + j) * load(scale + j);
        plain += g;
        weighted += g * ((load(x + j) - mean) * inverse);
    }
    float g_mean = lane_sum(plain), gh_mean = lane_sum(weighted);
    for (; j < n; ++j) {
        g_mean += dy[j] * scale[j];
        gh_mean += dy[j] * scale[j] * (x[j] - mean) * inverse;
    }
    g_mean /= (float)n;
    gh_mean /= (float)n;
    for (j = 0; j + WIDTH <= n; j += WIDTH) {
        const vector h = (load(x + j) - mean) * inverse;
        store(dx + j, (load(dy + j) * load(scale + j) - g_mean - h * gh_mean) * inverse);
    }
    for (; j < n; ++j) dx[j] = (dy[j] * scale[j] - g_mean - (x[j] - mean) * inverse * gh_mean) * inverse;
}

/* --- softmax of a row -----------------------------------------------------------------------------------------------
 */

static float row_largest(const float *row, size_t n)
{
    vector most = fill(row[0]);
    size_t j = 0;
    for (; j + WIDTH <= n; j += WIDTH) most = larger(most, load(row + j));
    float top = row[0];
    for (int i = 0; i < WIDTH; ++i) top = most[i] > top ? most[i] : top;
    for (; j < n; ++j) top = row[j] > top ? row[j] : top;
    return top;
}

/* scale > 0. The last, incomplete vector is filled with what adds 0. */
static void kernel_softmax(float *row, size_t n, float scale)
{
    const float top = scale * row_largest(row, n);
    vector sums = fill(0.0f);
    float rest[WIDTH];
    size_t j = 0;
    for (; j + WIDTH <= n; j += WIDTH) {
        const vector p = exponential(scale * load(row + j) - top);
        sums += p;
        store(row + j, p);
    }
    if (j < n) {
        for (size_t i = 0; i < WIDTH; ++i) rest[i] = j + i < n ? scale * row[j + i] - top : -1000.0f;
        const vector p = exponential(load(rest));
        sums += p;
        store(rest, p);
        memcpy(row + j, rest, (n - j) * sizeof *row);
    }
    const float inverse = 1.0f / lane_sum(sums);
    for (j = 0; j < n; ++j) row[j] *= inverse;
}

static void kernel_softmax_backward(const float *p, float *dp, size_t n, float scale)
{
    vector sums = fill(0.0f);
    size_t j = 0;
    for (; j + WIDTH <= n; j += WIDTH) sums += load(p + j) * load(dp + j);
    float sum = lane_sum(sums);
    for (; j < n; ++j) sum += p[j] * dp[j];
    for (j = 0; j < n; ++j) dp[j] = scale * p[j] * (dp[j] - sum);
}

/* --- moments of a signal and of its windows --------------------------------------------------------------------------
 */

enum { MOMENT_ROWS = 4, SUMS = 4 };

static void kernel_centred_sums(const float *x, size_t n, double centre, double *sums)
{
    double plain[SUMS * WIDE] = {0}, squares[SUMS * WIDE] = {0};
    size_t i = 0;
    for (; i + SUMS * WIDE <= n; i += SUMS * WIDE)
        for (size_t j = 0; j < SUMS * WIDE; ++j) {
            const double y = (double)x[i + j] - centre;
            plain[j] += y;
            squares[j] += y * y;
        }
    for (size_t j = 0; i < n; ++i, ++j) {
        const double y = (double)x[i] - centre;
        plain[j] += y;
        squares[j] += y * y;
    }
    sums[0] = sums[1] = 0;
    for (size_t j = 0; j < SUMS * WIDE; ++j) {
        sums[0] += plain[j];
        sums[1] += squares[j];
    }
}

/* sums[r, 0 .. 2 WIDE) of MOMENT_ROWS rows over the frames; x in double, readable BT_MOMENT_PAD behind the last frame.
 */
BT_INLINE void moment_tile(const double *left, size_t left_row, size_t left_step, const double *right, size_t n_frame,
                           size_t stride, double sums[MOMENT_ROWS][2 * WIDE])
{
    wide sum[MOMENT_ROWS][2];
    for (size_t r = 0; r < MOMENT_ROWS; ++r) sum[r][0] = sum[r][1] = (wide){0};
    for (size_t f = 0; f < n_frame; ++f) {
        const wide low = *(const loose_wide *)(right + f * stride);
        const wide high = *(const loose_wide *)(right + f * stride + WIDE);
#pragma GCC unroll 4
        for (size_t r = 0; r < MOMENT_ROWS; ++r) {
            const double x = left[r * left_row + f * left_step];
            sum[r][0] += x * low;
            sum[r][1] += x * high;
        }
    }
    for (size_t r = 0; r < MOMENT_ROWS; ++r)
        for (size_t i = 0; i < WIDE; ++i) {
            sums[r][i] = sum[r][0][i];
            sums[r][WIDE + i] = sum[r][1][i];
        }
}

static void kernel_moments(const float *x, size_t n_frame, size_t kernel, size_t stride, double *work, double *sums)
{
    const double one = 1.0;
    const size_t n = (n_frame - 1) * stride + kernel;
    for (size_t i = 0; i < n; ++i) work[i] = (double)x[i];
    memset(work + n, 0, BT_MOMENT_PAD * sizeof *work);
    double part[MOMENT_ROWS][2 * WIDE];
    for (size_t j = 0; j < kernel; j += 2 * WIDE) {
        const size_t columns = kernel - j < 2 * WIDE ? kernel - j : 2 * WIDE;
        for (size_t i = 0; i < kernel; i += MOMENT_ROWS) {
            moment_tile(work + i, 1, stride, work + j, n_frame, stride, part);
            for (size_t r = 0; r < MOMENT_ROWS && i + r < kernel; ++r)
                for (size_t c = 0; c < columns; ++c) sums[(i + r) * kernel + j + c] += part[r][c];
        }
        moment_tile(&one, 0, 0, work + j, n_frame, stride, part);
        for (size_t c = 0; c < columns; ++c) sums[kernel * kernel + j + c] += part[0][c];
    }
}

#endif
