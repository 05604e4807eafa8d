/* Attention and its adjoint, for the instruction set that the including file chose before. */
#ifndef BT_DEVICE_KERNELS_ATTEND_H
#define BT_DEVICE_KERNELS_ATTEND_H

#include "base/random.h"
#include "device/kernels/lanes.h"

#include <string.h>

/* --- dropout --------------------------------------------------------------------------------------------------------
 */

/* out (n, BT_LANES) = x, of queries from `query` on and keys from `key` on, an even number, with those dropped that
 * are. out may be x. */
BT_INLINE void attend_drop(const bt_attend_drop *drop, size_t query, size_t key, size_t n, const float *x, float *out)
{
    uint64_t keys[BT_LANES];
    for (size_t lane = 0; lane < BT_LANES; ++lane) keys[lane] = bt_random_at(drop->key, query + lane);
    for (size_t r = 0; r < n; r += 2) {
        uint64_t pairs[BT_LANES];
        const float *const from = x + r * BT_LANES;
        float *const to = out + r * BT_LANES;
        for (size_t lane = 0; lane < BT_LANES; ++lane) pairs[lane] = bt_random_at(keys[lane], (key + r) / 2);
        for (size_t lane = 0; lane < BT_LANES; ++lane)
            to[lane] = from[lane] * ((uint32_t)pairs[lane] < drop->below ? 0.0f : drop->scale);
        for (size_t lane = 0; lane < BT_LANES && r + 1 < n; ++lane)
            to[BT_LANES + lane] =
                from[BT_LANES + lane] * ((uint32_t)(pairs[lane] >> 32) < drop->below ? 0.0f : drop->scale);
    }
}

/* --- forward --------------------------------------------------------------------------------------------------------
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

/* Queries' distances to `n` keys from `first` on: of lane i and key first + r, slice[i - r + n - 1]. 0 in lanes without
 * a query. */
BT_INLINE void attend_slice(const float *distance, size_t n_query, size_t first, size_t n, float *slice)
{
    const size_t known = n_query + n - 1;
    memcpy(slice, distance - (first + n - 1), known * sizeof *slice);
    memset(slice + known, 0, (BT_LANES - n_query) * sizeof *slice);
}

BT_INLINE void attend_gates(const float *gate, size_t stride, size_t n_query, float gates[BT_LANES])
{
    for (size_t i = 0; i < BT_LANES; ++i) gates[i] = i < n_query ? gate[i * stride] : 0.0f;
}

/* score[key, query] += gate distance for `n` keys. */
BT_INLINE void attend_bias(const float *gates, const float *slice, size_t n, float *score)
{
    for (size_t lane = 0; lane < BT_LANES; lane += WIDTH) {
        const vector gate = load(gates + lane);
        for (size_t r = 0; r < n; ++r) {
            float *const s = score + r * BT_LANES + lane;
            store(s, load(s) + gate * load(slice + lane + n - 1 - r));
        }
    }
}

static void kernel_attend(const bt_attend *task)
{
    attend_state state;
    float gates[BT_LANES] __attribute__((aligned(64)));
    float slice[BT_ATTEND_KEYS + BT_LANES - 1];
    attend_start(task, &state);
    if (task->gate) attend_gates(task->gate, task->gate_stride, task->n_query, gates);
    size_t n_key = task->n_key;
    if (task->causal) { /* keys that not even the last query sees */
        const ptrdiff_t seen = (ptrdiff_t)task->n_query + task->shift;
        if (seen < (ptrdiff_t)n_key) n_key = seen > 0 ? (size_t)seen : 0;
    }
    for (size_t first = 0; first < n_key; first += BT_ATTEND_KEYS) {
        const size_t n = n_key - first < BT_ATTEND_KEYS ? n_key - first : BT_ATTEND_KEYS;
        attend_scores(task, &state, first, n);
        if (task->gate) {
            attend_slice(task->distance, task->n_query, first, n, slice);
            attend_bias(gates, slice, n, state.score);
        }
        attend_weights(task, &state, first, n);
        if (task->drop.below) attend_drop(&task->drop, task->first_query, first, n, state.score, state.score);
        attend_values(task, &state, first, n);
    }
    for (size_t i = 0; i < task->n_query; ++i) { /* a query that sees no key gets zeros */
        const float inverse = state.weight[i] > 0.0f ? 1.0f / state.weight[i] : 0.0f;
        for (size_t j = 0; j < task->width; ++j)
            task->out[i * task->out_stride + j] = state.sum[j * BT_LANES + i] * inverse;
    }
}

/* --- adjoint --------------------------------------------------------------------------------------------------------
 * BT_LANES queries after the other against all keys. Scores, probabilities and their gradients are held as (key, query)
 * again; dv and dk add up over the queries in panels of BT_LANES columns. The scale is in the queries. With dropout D:
 * dv = (P D)' do and dP = D (do v'), the rest is the same. */

typedef struct {
    size_t n;              /* queries of the block */
    float *query, *dout;   /* (width, BT_LANES): lanes are queries */
    float *query_rows;     /* (panels, BT_LANES, BT_LANES): lanes are columns, rows are queries */
    float *dout_rows;      /* the same, over the sum of the exponentials */
    float *dquery;         /* (width, BT_LANES) */
    float *weight;         /* (n_key, BT_LANES): scores, then exponentials: P without its sum */
    float *dweight;        /* (BT_ATTEND_KEYS, BT_LANES) */
    float *dkey, *dvalue;  /* (panels, n_key, BT_LANES) */
    float *slice, *dslice; /* (n_key + BT_LANES - 1), with a bias: distances of the block's queries to all keys */
    float inverse[BT_LANES] __attribute__((aligned(64))); /* 1 / sum of the exponentials */
    float dot[BT_LANES] __attribute__((aligned(64)));     /* dout . out of each query */
    float limit[BT_LANES] __attribute__((aligned(64)));   /* as above */
    float gates[BT_LANES] __attribute__((aligned(64)));
    float dgates[BT_LANES] __attribute__((aligned(64)));
} slope_state;

BT_INLINE void slope_start(const bt_attend_slope *task, slope_state *s)
{
    const size_t columns = task->width * BT_LANES, panels = bt_attend_panels(task->width);
    float *next = task->work;
    s->query = next;
    s->dout = next += columns;
    s->dquery = next += columns;
    s->query_rows = next += columns;
    s->dout_rows = next += panels * BT_LANES * BT_LANES;
    s->dweight = next += panels * BT_LANES * BT_LANES;
    s->weight = next += BT_ATTEND_KEYS * BT_LANES;
    s->dkey = next += task->n_key * BT_LANES;
    s->dvalue = next += panels * task->n_key * BT_LANES;
    s->slice = next += panels * task->n_key * BT_LANES;
    s->dslice = next + task->n_key + BT_LANES;
    memset(s->dkey, 0, 2 * panels * task->n_key * BT_LANES * sizeof *s->dkey);
}

/* Rows of queries, or of dout, both ways round; what is not there is 0. */
BT_INLINE void slope_take(const float *from, size_t stride, size_t n, size_t width, float factor, float *lanes,
                          float *rows)
{
    memset(lanes, 0, width * BT_LANES * sizeof *lanes);
    memset(rows, 0, bt_attend_panels(width) * BT_LANES * BT_LANES * sizeof *rows);
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < width; ++j) {
            const float x = from[i * stride + j] * factor;
            lanes[j * BT_LANES + i] = x;
            rows[(j / BT_LANES * BT_LANES + i) * BT_LANES + j % BT_LANES] = x;
        }
}

BT_INLINE void slope_block(const bt_attend_slope *task, slope_state *s, size_t first)
{
    const size_t left = task->n_query - first, width = task->width;
    s->n = left < BT_LANES ? left : BT_LANES;
    slope_take(task->query + first * task->query_stride, task->query_stride, s->n, width, task->scale, s->query,
               s->query_rows);
    slope_take(task->dout + first * task->dout_stride, task->dout_stride, s->n, width, 1.0f, s->dout, s->dout_rows);
    memset(s->dquery, 0, width * BT_LANES * sizeof *s->dquery);
    memset(s->dot, 0, sizeof s->dot);
    for (size_t i = 0; i < s->n; ++i)
        for (size_t j = 0; j < width; ++j)
            s->dot[i] +=
                task->out[(first + i) * task->out_stride + j] * task->dout[(first + i) * task->dout_stride + j];
    for (size_t i = 0; i < BT_LANES; ++i) s->limit[i] = (float)((ptrdiff_t)(first + i) + task->shift);
}

/* c (n, BT_LANES) = rows of keys or values times `lanes`. */
BT_INLINE void slope_scores(const float *rows, size_t stride, size_t n, size_t width, const float *lanes, float *c)
{
    for (size_t r = 0; r < n; r += TILE_ROWS)
        tile_some(n - r < TILE_ROWS ? n - r : TILE_ROWS, width, rows + r * stride, stride, 1, lanes, NULL,
                  c + r * BT_LANES);
}

/* Scores of n keys become exponentials; the sum of a query's goes over its dout and into dS. A query that sees no key
 * has none. */
BT_INLINE void slope_weights(const bt_attend_slope *task, slope_state *s, size_t n)
{
    for (size_t lane = 0; lane < BT_LANES; lane += WIDTH) {
        float *const score = s->weight + lane;
        const vector limit = load(s->limit + lane);
        vector top = fill(ATTEND_LOWEST), sum = fill(0.0f);
        for (size_t r = 0; r < n; ++r) {
            vector x = load(score + r * BT_LANES);
            if (task->causal) x = choose(limit < (float)r, fill(ATTEND_LOWEST), x);
            top = larger(top, x);
        }
        for (size_t r = 0; r < n; ++r) {
            vector p = exponential(load(score + r * BT_LANES) - top);
            if (task->causal) p = choose(limit < (float)r, fill(0.0f), p);
            sum += p;
            store(score + r * BT_LANES, p);
        }
        store(s->inverse + lane, choose(sum > 0.0f, 1.0f / sum, fill(0.0f)));
    }
    for (size_t p = 0; p < bt_attend_panels(task->width); ++p)
        for (size_t i = 0; i < s->n; ++i)
            for (size_t lane = 0; lane < BT_LANES; ++lane)
                s->dout_rows[(p * BT_LANES + i) * BT_LANES + lane] *= s->inverse[i];
}

/* dP of keys `first` .. becomes dS = P (dP - dout . out). */
BT_INLINE void slope_dweights(slope_state *s, size_t first, size_t n)
{
    for (size_t lane = 0; lane < BT_LANES; lane += WIDTH) {
        const float *const weight = s->weight + first * BT_LANES + lane;
        const vector dot = load(s->dot + lane), inverse = load(s->inverse + lane);
        for (size_t r = 0; r < n; ++r)
            store(s->dweight + r * BT_LANES + lane,
                  load(weight + r * BT_LANES) * inverse * (load(s->dweight + r * BT_LANES + lane) - dot));
    }
}

/* sums (panels, n_key, BT_LANES), keys `first` .. : += weights (n, BT_LANES) times rows of the block's queries. */
BT_INLINE void slope_add(const bt_attend_slope *task, const slope_state *s, size_t first, size_t n,
                         const float *weights, const float *rows, const float *ones, float *sums)
{
    for (size_t p = 0; p < bt_attend_panels(task->width); ++p) {
        const bool half = task->width - p * BT_LANES <= BT_LANES / 2;
        const size_t most = half ? 2 * TILE_ROWS : TILE_ROWS;
        const float *const b = rows + p * BT_LANES * BT_LANES;
        float *const c = sums + (p * task->n_key + first) * BT_LANES;
        for (size_t r = 0; r < n; r += most) {
            const size_t some = n - r < most ? n - r : most;
            if (half)
                tile_half(some, s->n, weights + r * BT_LANES, BT_LANES, 1, b, ones, c + r * BT_LANES);
            else
                tile_some(some, s->n, weights + r * BT_LANES, BT_LANES, 1, b, ones, c + r * BT_LANES);
        }
    }
}

/* dq += keys' dS, one block of keys. */
BT_INLINE void slope_dquery(const bt_attend_slope *task, slope_state *s, size_t first, size_t n, const float *ones)
{
    const float *const key = task->key + first * task->key_stride;
    for (size_t j = 0; j < task->width; j += TILE_ROWS)
        tile_some(task->width - j < TILE_ROWS ? task->width - j : TILE_ROWS, n, key + j, 1, task->key_stride,
                  s->dweight, ones, s->dquery + j * BT_LANES);
}

/* The bias joins the scores of the block's queries. */
BT_INLINE void slope_bias(const bt_attend_slope *task, slope_state *s, size_t first_query)
{
    if (task->n_key == 0) return;
    attend_gates(task->gate + first_query * task->gate_stride, task->gate_stride, s->n, s->gates);
    attend_slice(task->distance + first_query, s->n, 0, task->n_key, s->slice);
    attend_bias(s->gates, s->slice, task->n_key, s->weight);
    memset(s->dgates, 0, sizeof s->dgates);
    memset(s->dslice, 0, (task->n_key + BT_LANES - 1) * sizeof *s->dslice);
}

/* dgate += dS distance, ddistance += dS gate, for keys `first` .. : keys whose sums overlap are not taken one after the
 * other, which would wait for memory. */
BT_INLINE void slope_dbias(const bt_attend_slope *task, slope_state *s, size_t first, size_t n)
{
    for (size_t lane = 0; lane < BT_LANES; lane += WIDTH) {
        const vector gate = load(s->gates + lane);
        vector dgate = load(s->dgates + lane);
        for (size_t start = 0; start < WIDTH; ++start)
            for (size_t r = start; r < n; r += WIDTH) {
                const vector ds = load(s->dweight + r * BT_LANES + lane);
                const size_t at = lane + task->n_key - 1 - first - r;
                dgate += ds * load(s->slice + at);
                store(s->dslice + at, load(s->dslice + at) + ds * gate);
            }
        store(s->dgates + lane, dgate);
    }
}

BT_INLINE void slope_give_bias(const bt_attend_slope *task, const slope_state *s, size_t first_query)
{
    for (size_t i = 0; i < s->n; ++i)
        task->dgate[(first_query + i) * task->gate_stride] = task->n_key ? s->dgates[i] : 0.0f;
    if (!task->ddistance || task->n_key == 0) return;
    float *const sums = task->ddistance + first_query - (task->n_key - 1);
    for (size_t j = 0; j < task->n_key + s->n - 1; ++j) sums[j] += s->dslice[j];
}

BT_INLINE void slope_queries(const bt_attend_slope *task, slope_state *s, size_t first_query, const float *ones)
{
    slope_block(task, s, first_query);
    slope_scores(task->key, task->key_stride, task->n_key, task->width, s->query, s->weight);
    if (task->gate) slope_bias(task, s, first_query);
    slope_weights(task, s, task->n_key);
    for (size_t first = 0; first < task->n_key; first += BT_ATTEND_KEYS) {
        const size_t n = task->n_key - first < BT_ATTEND_KEYS ? task->n_key - first : BT_ATTEND_KEYS;
        const float *weight = s->weight + first * BT_LANES;
        if (task->drop.below) {
            attend_drop(&task->drop, first_query, first, n, weight, s->dweight);
            weight = s->dweight;
        }
        slope_add(task, s, first, n, weight, s->dout_rows, ones, s->dvalue); /* dv += P' do */
        slope_scores(task->value + first * task->value_stride, task->value_stride, n, task->width, s->dout,
                     s->dweight); /* dP = do v' */
        if (task->drop.below) attend_drop(&task->drop, first_query, first, n, s->dweight, s->dweight);
        slope_dweights(s, first, n);
        if (task->gate) slope_dbias(task, s, first, n);
        slope_dquery(task, s, first, n, ones);                                  /* dq += dS k */
        slope_add(task, s, first, n, s->dweight, s->query_rows, ones, s->dkey); /* dk += dS' scale q */
    }
    for (size_t i = 0; i < s->n; ++i)
        for (size_t j = 0; j < task->width; ++j)
            task->dquery[(first_query + i) * task->dquery_stride + j] = s->dquery[j * BT_LANES + i] * task->scale;
    if (task->gate) slope_give_bias(task, s, first_query);
}

BT_INLINE void slope_give(const float *sums, size_t n, size_t width, float *out, size_t stride)
{
    for (size_t j = 0; j < width; j += BT_LANES)
        for (size_t r = 0; r < n; ++r)
            memcpy(out + r * stride + j, sums + (j / BT_LANES * n + r) * BT_LANES,
                   (width - j < BT_LANES ? width - j : BT_LANES) * sizeof *out);
}

static void kernel_attend_slope(const bt_attend_slope *task)
{
    slope_state state;
    float ones[BT_LANES] __attribute__((aligned(64)));
    for (size_t lane = 0; lane < BT_LANES; ++lane) ones[lane] = 1.0f;
    slope_start(task, &state);
    for (size_t first = 0; first < task->n_query; first += BT_LANES) slope_queries(task, &state, first, ones);
    slope_give(state.dkey, task->n_key, task->width, task->dkey, task->dkey_stride);
    slope_give(state.dvalue, task->n_key, task->width, task->dvalue, task->dvalue_stride);
}

#endif
