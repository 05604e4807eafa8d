/* Attention: tiles of queries of one sequence and head are shared over the threads; see kernels/body.h. */
#include "device/dropout.h"
#include "device/internal.h"
#include "device/kernels/kernels.h"
#include "device/layers.h"

#include <omp.h>

typedef struct {
    const bt_attention_spec *spec;
    const bt_kernels *kernels;
    bt_matrix query_shape, key_shape, value_shape, out_shape;
    const float *query, *key, *value;
    float *out;
    bt_sequences queries, keys;
    float *work;
    size_t work_count;
} attention;

static size_t sequence_rows(bt_sequences sequences, size_t s)
{
    return sequences.offsets[s + 1] - sequences.offsets[s];
}

static size_t visible_keys(const attention *a, size_t s)
{
    return a->spec->mask == BT_MASK_PADDING && a->keys.lengths ? a->keys.lengths[s] : sequence_rows(a->keys, s);
}

/* Queries `first` .. of sequence s, head h. */
static void attend_tile(const attention *a, size_t s, size_t h, size_t first, float *work)
{
    const size_t n_query = sequence_rows(a->queries, s);
    const size_t n_key = visible_keys(a, s);
    const size_t width = a->query_shape.columns / a->spec->heads;
    const size_t row = a->queries.offsets[s] + first, key_row = a->keys.offsets[s];
    const bt_attend task = {.query = a->query + row * a->query_shape.stride + h * width,
                            .key = a->key + key_row * a->key_shape.stride + h * width,
                            .value = a->value + key_row * a->value_shape.stride + h * width,
                            .out = a->out + row * a->out_shape.stride + h * width,
                            .query_stride = a->query_shape.stride,
                            .key_stride = a->key_shape.stride,
                            .value_stride = a->value_shape.stride,
                            .out_stride = a->out_shape.stride,
                            .n_query = n_query - first < BT_LANES ? n_query - first : BT_LANES,
                            .n_key = n_key,
                            .width = width,
                            .causal = a->spec->mask == BT_MASK_CAUSAL,
                            .shift = (ptrdiff_t)first + (ptrdiff_t)n_key - (ptrdiff_t)n_query,
                            .scale = (float)a->spec->scale,
                            .drop = bt_head_drop(&a->spec->drop, s, h),
                            .first_query = first,
                            .work = work};
    a->kernels->attend(&task);
}

/* One (sequence, head) after the other, each shared over the team; no thread waits before the end. */
static void attend_all(const attention *a, int n_thread)
{
#pragma omp parallel num_threads(n_thread)
    {
        float *const work = a->work + (size_t)omp_get_thread_num() * a->work_count;
        for (size_t s = 0; s < a->queries.n; ++s) {
            const size_t tiles = (sequence_rows(a->queries, s) + BT_LANES - 1) / BT_LANES;
#pragma omp for schedule(static) nowait
            for (size_t i = 0; i < tiles * a->spec->heads; ++i)
                attend_tile(a, s, i / tiles, i % tiles * BT_LANES, work);
        }
    }
}

static bt_status check_shapes(const attention *a)
{
    const size_t columns = a->query_shape.columns;
    if (a->spec->heads == 0 || columns % a->spec->heads != 0 || a->key_shape.columns != columns ||
        a->value_shape.columns != columns || a->out_shape.columns != columns || a->queries.n != a->keys.n ||
        a->query_shape.rows < a->queries.offsets[a->queries.n] ||
        a->out_shape.rows < a->queries.offsets[a->queries.n] || a->key_shape.rows < a->keys.offsets[a->keys.n] ||
        a->value_shape.rows < a->keys.offsets[a->keys.n])
        return bt_fail(BT_ERR_INTERNAL,
                       "bt_attention: queries (%zu, %zu), keys (%zu, %zu), %zu heads, %zu and %zu sequences do not fit",
                       a->query_shape.rows, columns, a->key_shape.rows, a->key_shape.columns, a->spec->heads,
                       a->queries.n, a->keys.n);
    return BT_OK;
}

bt_status bt_attention(bt_device *device, const bt_attention_spec *spec, bt_matrix query, bt_sequences queries,
                       bt_matrix key, bt_matrix value, bt_sequences keys, bt_matrix out)
{
    bt_status status = BT_OK;
    attention a = {.spec = spec,
                   .kernels = bt_kernels_best(),
                   .query_shape = query,
                   .key_shape = key,
                   .value_shape = value,
                   .out_shape = out,
                   .queries = queries,
                   .keys = keys};
    float *q = NULL, *k = NULL, *v = NULL;
    void *work = NULL;
    BT_TRY(check_shapes(&a));
    BT_TRY(bt_floats(query, "bt_attention", &q));
    BT_TRY(bt_floats(key, "bt_attention", &k));
    BT_TRY(bt_floats(value, "bt_attention", &v));
    BT_TRY(bt_floats(out, "bt_attention", &a.out));
    a.work_count = bt_attend_work(query.columns / spec->heads);
    BT_TRY(bt_scratch(device, (size_t)device->n_thread * a.work_count * sizeof *a.work, &work));
    a.query = q;
    a.key = k;
    a.value = v;
    a.work = work;
    attend_all(&a, device->n_thread);
cleanup:
    return status;
}
