/* Attention: tiles of queries of one sequence and head are shared over the threads; see kernels/body.h. */
#include "device/dropout.h"
#include "device/internal.h"
#include "device/kernels/kernels.h"
#include "device/layers.h"

#include <omp.h>
#include <string.h>

enum { FEW_QUERIES = 2 * BT_LANES };

typedef struct {
    const bt_attention_spec *spec;
    const bt_kernels *kernels;
    bt_matrix query_shape, key_shape, value_shape, out_shape;
    const float *query, *key, *value, *gates, *distances;
    float *out;
    bt_sequences queries, keys;
    float *work;
    size_t work_count;
    size_t packed_keys; /* room for so many keys and values of one head; 0: they are read where they are */
} attention;

static size_t sequence_rows(bt_sequences sequences, size_t s)
{
    return sequences.offsets[s + 1] - sequences.offsets[s];
}

static size_t visible_keys(const attention *a, size_t s)
{
    return a->spec->mask == BT_MASK_PADDING && a->keys.lengths ? a->keys.lengths[s] : sequence_rows(a->keys, s);
}

/* Keys and values of one head of one sequence, as a thread reads them. */
typedef struct {
    const float *key, *value;
    size_t key_stride, value_stride;
} head_rows;

void bt_copy_rows(const float *from, size_t stride, size_t n, size_t width, float *to)
{
    for (size_t i = 0; i < n; ++i) memcpy(to + i * width, from + i * stride, width * sizeof *to);
}

/* Rows of all heads lie a power of two or little else apart and would push each other out of the cache: a thread that
 * goes over them for many queries copies its head's. */
static head_rows rows_of_head(const attention *a, size_t s, size_t h, float *packed)
{
    const size_t width = a->query_shape.columns / a->spec->heads, row = a->keys.offsets[s], n = visible_keys(a, s);
    const head_rows there = {.key = a->key + row * a->key_shape.stride + h * width,
                             .value = a->value + row * a->value_shape.stride + h * width,
                             .key_stride = a->key_shape.stride,
                             .value_stride = a->value_shape.stride};
    if (!a->packed_keys) return there;
    bt_copy_rows(there.key, there.key_stride, n, width, packed);
    bt_copy_rows(there.value, there.value_stride, n, width, packed + n * width);
    return (head_rows){.key = packed, .value = packed + n * width, .key_stride = width, .value_stride = width};
}

/* The bias of queries `first` .. of sequence s, head h. */
static void take_bias(const attention *a, size_t s, size_t h, size_t first, bt_attend *task)
{
    const bt_attention_bias *const bias = &a->spec->bias;
    const size_t column = bt_bias_column(bias, first, sequence_rows(a->queries, s), sequence_rows(a->keys, s));
    task->gate = a->gates + (a->queries.offsets[s] + first) * bias->gates.stride + h;
    task->gate_stride = bias->gates.stride;
    task->distance = a->distances + h * bias->distances.stride + column;
}

/* Queries `first` .. of sequence s, head h. */
static void attend_tile(const attention *a, size_t s, size_t h, size_t first, const head_rows *keys, float *work)
{
    const size_t n_query = sequence_rows(a->queries, s);
    const size_t n_key = visible_keys(a, s);
    const size_t width = a->query_shape.columns / a->spec->heads;
    const size_t row = a->queries.offsets[s] + first;
    bt_attend task = {.query = a->query + row * a->query_shape.stride + h * width,
                      .key = keys->key,
                      .value = keys->value,
                      .out = a->out + row * a->out_shape.stride + h * width,
                      .query_stride = a->query_shape.stride,
                      .key_stride = keys->key_stride,
                      .value_stride = keys->value_stride,
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
    if (a->gates) take_bias(a, s, h, first, &task);
    a->kernels->attend(&task);
}

/* One (sequence, head) after the other, each shared over the team; no thread waits before the end. */
static void attend_all(const attention *a, int n_thread)
{
    const size_t heads = a->spec->heads, width = a->query_shape.columns / heads;
#pragma omp parallel num_threads(n_thread)
    {
        float *const work = a->work + (size_t)omp_get_thread_num() * a->work_count;
        for (size_t s = 0; s < a->queries.n; ++s) {
            const size_t tiles = (sequence_rows(a->queries, s) + BT_LANES - 1) / BT_LANES;
            size_t head = heads; /* none yet */
            head_rows keys = {0};
#pragma omp for schedule(static) nowait
            for (size_t i = 0; i < tiles * heads; ++i) {
                if (i / tiles != head) keys = rows_of_head(a, s, head = i / tiles, work + bt_attend_work(width));
                attend_tile(a, s, head, i % tiles * BT_LANES, &keys, work);
            }
        }
    }
}

/* Keys of the longest sequence, if any has many queries. */
static size_t keys_to_pack(const attention *a)
{
    size_t n = 0;
    bool many = false;
    for (size_t s = 0; s < a->queries.n; ++s) {
        if (visible_keys(a, s) > n) n = visible_keys(a, s);
        many = many || sequence_rows(a->queries, s) > FEW_QUERIES;
    }
    return many ? n : 0;
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
    float *q = NULL, *k = NULL, *v = NULL, *gates = NULL, *distances = NULL;
    void *work = NULL;
    BT_TRY(check_shapes(&a));
    BT_TRY(bt_floats(query, "bt_attention", &q));
    BT_TRY(bt_floats(key, "bt_attention", &k));
    BT_TRY(bt_floats(value, "bt_attention", &v));
    BT_TRY(bt_floats(out, "bt_attention", &a.out));
    BT_TRY(bt_bias_floats(&spec->bias, spec->heads, queries, keys, "bt_attention", &gates, &distances));
    const size_t width = query.columns / spec->heads;
    a.packed_keys = keys_to_pack(&a);
    a.work_count = bt_attend_work(width) + (2 * a.packed_keys * width + BT_LANES - 1) / BT_LANES * BT_LANES;
    BT_TRY(bt_scratch(device, (size_t)device->n_thread * a.work_count * sizeof *a.work, &work));
    a.query = q;
    a.key = k;
    a.value = v;
    a.gates = gates;
    a.distances = distances;
    a.work = work;
    attend_all(&a, device->n_thread);
cleanup:
    return status;
}
