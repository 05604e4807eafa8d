/* The adjoint of attention: sequences and heads are shared over the threads; see kernels/attend.h. */
#include "device/backward.h"
#include "device/dropout.h"
#include "device/internal.h"
#include "device/kernels/kernels.h"

#include <omp.h>
#include <string.h>

enum { QUERY, KEY, VALUE, OUT, DOUT, DQUERY, DKEY, DVALUE, N_OPERAND };

typedef struct {
    const bt_attention_spec *spec;
    const bt_kernels *kernels;
    bt_matrix shape[N_OPERAND];
    float *at[N_OPERAND];
    bt_sequences queries, keys;
    bt_attention_bias dbias;
    float *gates, *distances, *dgates; /* NULL: no bias */
    float *ddistances;                 /* NULL: not asked for */
    float *sums;                       /* (sequences, heads, columns of the distances): each one's ddistances */
    float *work;
    size_t work_count, kernel_count; /* the kernel's part; then keys and values of one head, see attention.c */
} attention;

static size_t rows_of(bt_sequences sequences, size_t s)
{
    return sequences.offsets[s + 1] - sequences.offsets[s];
}

static size_t visible_keys(const attention *a, size_t s)
{
    return a->spec->mask == BT_MASK_PADDING && a->keys.lengths ? a->keys.lengths[s] : rows_of(a->keys, s);
}

static size_t width_of(const attention *a)
{
    return a->shape[QUERY].columns / a->spec->heads;
}

static bool follows_queries(size_t operand)
{
    return operand == QUERY || operand == OUT || operand == DOUT || operand == DQUERY;
}

/* The first element of sequence s, head h. */
static float *part_of(const attention *a, size_t operand, size_t s, size_t h)
{
    const bt_sequences rows = follows_queries(operand) ? a->queries : a->keys;
    return a->at[operand] + rows.offsets[s] * a->shape[operand].stride + h * width_of(a);
}

/* Rows `from` .. of one head's gradient are 0. */
static void clear_rows(const attention *a, size_t operand, size_t s, size_t h, size_t from, size_t rows)
{
    float *const part = part_of(a, operand, s, h);
    for (size_t i = from; i < rows; ++i) memset(part + i * a->shape[operand].stride, 0, width_of(a) * sizeof *part);
}

/* One head's bias and where its gradients go. */
static void take_bias(const attention *a, size_t s, size_t h, bt_attend_slope *task)
{
    const bt_attention_bias *const bias = &a->spec->bias;
    const size_t row = a->queries.offsets[s], columns = bias->distances.columns;
    const size_t column = bt_bias_column(bias, 0, rows_of(a->queries, s), rows_of(a->keys, s));
    task->gate = a->gates + row * bias->gates.stride + h;
    task->dgate = a->dgates + row * bias->gates.stride + h;
    task->gate_stride = bias->gates.stride;
    task->distance = a->distances + h * bias->distances.stride + column;
    if (!a->ddistances) return;
    float *const sums = a->sums + (s * a->spec->heads + h) * columns;
    memset(sums, 0, columns * sizeof *sums);
    task->ddistance = sums + column;
}

static void head_backward(const attention *a, size_t s, size_t h, float *work)
{
    const size_t n_key = visible_keys(a, s), n_query = rows_of(a->queries, s);
    const size_t width = width_of(a);
    const bt_matrix *const shape = a->shape;
    float *const key = work + a->kernel_count, *const value = key + n_key * width;
    bt_copy_rows(part_of(a, KEY, s, h), shape[KEY].stride, n_key, width, key);
    bt_copy_rows(part_of(a, VALUE, s, h), shape[VALUE].stride, n_key, width, value);
    bt_attend_slope task = {.query = part_of(a, QUERY, s, h),
                            .key = key,
                            .value = value,
                            .out = part_of(a, OUT, s, h),
                            .dout = part_of(a, DOUT, s, h),
                            .dquery = part_of(a, DQUERY, s, h),
                            .dkey = part_of(a, DKEY, s, h),
                            .dvalue = part_of(a, DVALUE, s, h),
                            .query_stride = shape[QUERY].stride,
                            .key_stride = width,
                            .value_stride = width,
                            .out_stride = shape[OUT].stride,
                            .dout_stride = shape[DOUT].stride,
                            .dquery_stride = shape[DQUERY].stride,
                            .dkey_stride = shape[DKEY].stride,
                            .dvalue_stride = shape[DVALUE].stride,
                            .n_query = n_query,
                            .n_key = n_key,
                            .width = width,
                            .causal = a->spec->mask == BT_MASK_CAUSAL,
                            .shift = (ptrdiff_t)n_key - (ptrdiff_t)n_query,
                            .scale = (float)a->spec->scale,
                            .drop = bt_head_drop(&a->spec->drop, s, h),
                            .work = work};
    if (a->gates) take_bias(a, s, h, &task);
    a->kernels->attend_slope(&task);
    clear_rows(a, DKEY, s, h, n_key, rows_of(a->keys, s));
    clear_rows(a, DVALUE, s, h, n_key, rows_of(a->keys, s));
}

static void backward_all(const attention *a, int n_thread)
{
    const size_t heads = a->spec->heads;
#pragma omp parallel for num_threads(n_thread) schedule(dynamic)
    for (size_t i = 0; i < a->queries.n * heads; ++i)
        head_backward(a, i / heads, i % heads, a->work + (size_t)omp_get_thread_num() * a->work_count);
}

/* ddistances += the sequences' sums in order, whichever threads made them. */
static void add_distances(const attention *a, int n_thread)
{
    const bt_matrix to = a->dbias.distances;
#pragma omp parallel for num_threads(n_thread) schedule(static)
    for (size_t h = 0; h < to.rows; ++h)
        for (size_t s = 0; s < a->queries.n; ++s) {
            const float *const sums = a->sums + (s * to.rows + h) * to.columns;
            for (size_t j = 0; j < to.columns; ++j) a->ddistances[h * to.stride + j] += sums[j];
        }
}

/* The floats of a bias and of its gradients, which are shaped alike. */
static bt_status open_bias(attention *a)
{
    bt_status status = BT_OK;
    static const char *const call = "bt_attention_backward";
    const bt_attention_bias *const bias = &a->spec->bias, *const dbias = &a->dbias;
    BT_TRY(bt_bias_floats(bias, a->spec->heads, a->queries, a->keys, call, &a->gates, &a->distances));
    if (!a->gates) return BT_OK;
    BT_TRY(bt_floats(dbias->gates, call, &a->dgates));
    BT_TRY(bt_floats_or_none(dbias->distances, call, &a->ddistances));
    BT_CHECK(dbias->gates.rows == bias->gates.rows && dbias->gates.columns == bias->gates.columns &&
                 dbias->gates.stride == bias->gates.stride &&
                 (!a->ddistances || (dbias->distances.rows == bias->distances.rows &&
                                     dbias->distances.columns == bias->distances.columns)),
             BT_ERR_INTERNAL, "%s: the bias's gradients have other shapes than the bias", call);
cleanup:
    return status;
}

static bt_status check_shapes(const attention *a)
{
    const bt_matrix query = a->shape[QUERY], key = a->shape[KEY];
    if (a->spec->heads == 0 || query.columns % a->spec->heads != 0 || key.columns != query.columns ||
        a->queries.n != a->keys.n || query.rows < a->queries.offsets[a->queries.n] ||
        key.rows < a->keys.offsets[a->keys.n])
        return bt_fail(BT_ERR_INTERNAL, "bt_attention_backward: queries (%zu, %zu), keys (%zu, %zu), %zu heads",
                       query.rows, query.columns, key.rows, key.columns, a->spec->heads);
    for (size_t i = 0; i < N_OPERAND; ++i) {
        const bt_matrix wanted = follows_queries(i) ? query : key;
        if (a->shape[i].rows != wanted.rows || a->shape[i].columns != wanted.columns)
            return bt_fail(BT_ERR_INTERNAL,
                           "bt_attention_backward: the gradients have other shapes than queries, keys and values");
    }
    return BT_OK;
}

bt_status bt_attention_backward(bt_device *device, const bt_attention_spec *spec, bt_matrix query, bt_sequences queries,
                                bt_matrix key, bt_matrix value, bt_sequences keys, bt_matrix out, bt_matrix dout,
                                bt_matrix dquery, bt_matrix dkey, bt_matrix dvalue, bt_attention_bias dbias)
{
    bt_status status = BT_OK;
    attention a = {.spec = spec,
                   .kernels = bt_kernels_best(),
                   .shape = {query, key, value, out, dout, dquery, dkey, dvalue},
                   .queries = queries,
                   .keys = keys,
                   .dbias = dbias};
    void *work = NULL;
    size_t longest = 0, n_sum = 0;
    BT_TRY(check_shapes(&a));
    for (size_t i = 0; i < N_OPERAND; ++i) BT_TRY(bt_floats(a.shape[i], "bt_attention_backward", &a.at[i]));
    for (size_t s = 0; s < keys.n; ++s) longest = rows_of(keys, s) > longest ? rows_of(keys, s) : longest;
    BT_TRY(open_bias(&a));
    if (a.ddistances) n_sum = queries.n * spec->heads * dbias.distances.columns;
    a.kernel_count = bt_attend_slope_work(width_of(&a), longest);
    a.work_count = a.kernel_count + (2 * longest * width_of(&a) + BT_LANES - 1) / BT_LANES * BT_LANES;
    BT_TRY(bt_scratch(device, ((size_t)device->n_thread * a.work_count + n_sum) * sizeof *a.work, &work));
    a.work = work;
    a.sums = a.work + (size_t)device->n_thread * a.work_count;
    backward_all(&a, device->n_thread);
    if (a.ddistances) add_distances(&a, device->n_thread);
cleanup:
    return status;
}
