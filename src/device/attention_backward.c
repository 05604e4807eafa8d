/* The adjoint of attention: per sequence and head, products over BT_ATTENTION_QUERIES queries at a time. */
#include "device/backward.h"
#include "device/internal.h"
#include "device/kernels/kernels.h"

#include <string.h>

/* One sequence and head. */
typedef struct {
    const bt_attention_spec *spec;
    bt_matrix query, key, value, dout, dquery, dkey, dvalue; /* (rows of the sequence, width of the head) */
    bt_matrix work;
    size_t n_key; /* keys that are real */
} head;

static size_t rows_of(bt_sequences sequences, size_t s)
{
    return sequences.offsets[s + 1] - sequences.offsets[s];
}

static bt_matrix part_of(bt_matrix whole, bt_sequences sequences, size_t s, size_t h, size_t width)
{
    return bt_matrix_part(whole, sequences.offsets[s], h * width, rows_of(sequences, s), width);
}

/* Keys 0 .. that query i sees. */
static size_t seen_by(const head *a, size_t i)
{
    if (a->spec->mask != BT_MASK_CAUSAL) return a->n_key;
    const ptrdiff_t last = (ptrdiff_t)(i + a->key.rows) - (ptrdiff_t)a->query.rows;
    return last < 0 ? 0 : (size_t)last + 1;
}

/* Scores of queries `first` .. become probabilities; what is not seen becomes 0. */
static bt_status probabilities(bt_device *device, const head *a, size_t first, bt_matrix p)
{
    bt_status status = BT_OK;
    float *row = NULL;
    BT_TRY(bt_floats(p, "bt_attention_backward", &row));
    const bt_kernels *const kernels = bt_kernels_best();
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t i = 0; i < p.rows; ++i) {
        const size_t n = seen_by(a, first + i);
        if (n > 0) kernels->softmax(row + i * p.stride, n, (float)a->spec->scale);
        memset(row + i * p.stride + n, 0, (p.columns - n) * sizeof *row);
    }
cleanup:
    return status;
}

/* dP becomes scale dS = scale P (dP - rowsum(P dP)). */
static bt_status dscores(bt_device *device, const head *a, bt_matrix p, bt_matrix dp)
{
    bt_status status = BT_OK;
    float *row = NULL, *drow = NULL;
    BT_TRY(bt_floats(p, "bt_attention_backward", &row));
    BT_TRY(bt_floats(dp, "bt_attention_backward", &drow));
    const bt_kernels *const kernels = bt_kernels_best();
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t i = 0; i < p.rows; ++i)
        kernels->softmax_backward(row + i * p.stride, drow + i * dp.stride, p.columns, (float)a->spec->scale);
cleanup:
    return status;
}

static bt_status queries_backward(bt_device *device, const head *a, size_t first, size_t n)
{
    bt_status status = BT_OK;
    const size_t width = a->query.columns;
    const double beta = first > 0 ? 1 : 0; /* the first queries set dkey and dvalue, the others add */
    const bt_matrix query = bt_matrix_part(a->query, first, 0, n, width),
                    dout = bt_matrix_part(a->dout, first, 0, n, width);
    const bt_matrix dquery = bt_matrix_part(a->dquery, first, 0, n, width);
    const bt_matrix p = bt_matrix_part(a->work, 0, 0, n, a->key.rows);
    const bt_matrix ds = bt_matrix_part(a->work, BT_ATTENTION_QUERIES, 0, n, a->key.rows);
    BT_TRY(bt_product(device, BT_PLAIN, BT_TRANSPOSED, 1, query, a->key, 0, p)); /* P = softmax(scale q k') */
    BT_TRY(probabilities(device, a, first, p));
    BT_TRY(bt_product(device, BT_TRANSPOSED, BT_PLAIN, 1, p, dout, beta, a->dvalue)); /* dv += P' do */
    BT_TRY(bt_product(device, BT_PLAIN, BT_TRANSPOSED, 1, dout, a->value, 0, ds));    /* dP = do v' */
    BT_TRY(dscores(device, a, p, ds));                                                /* dS = P (dP - rowsum(P dP)) */
    BT_TRY(bt_product(device, BT_PLAIN, BT_PLAIN, 1, ds, a->key, 0, dquery));         /* dq = scale dS k */
    BT_TRY(bt_product(device, BT_TRANSPOSED, BT_PLAIN, 1, ds, query, beta, a->dkey)); /* dk += scale dS' q */
cleanup:
    return status;
}

static bt_status head_backward(bt_device *device, const head *a)
{
    bt_status status = BT_OK;
    if (a->query.rows == 0 || a->key.rows == 0) {
        BT_TRY(bt_matrix_clear(device, a->dquery));
        BT_TRY(bt_matrix_clear(device, a->dkey));
        BT_TRY(bt_matrix_clear(device, a->dvalue));
    }
    if (a->key.rows == 0) goto cleanup;
    for (size_t first = 0; first < a->query.rows; first += BT_ATTENTION_QUERIES) {
        const size_t left = a->query.rows - first;
        BT_TRY(queries_backward(device, a, first, left < BT_ATTENTION_QUERIES ? left : BT_ATTENTION_QUERIES));
    }
cleanup:
    return status;
}

static bool same_shape(bt_matrix a, bt_matrix b)
{
    return a.rows == b.rows && a.columns == b.columns;
}

static bt_status check_shapes(const bt_attention_spec *spec, bt_matrix query, bt_sequences queries, bt_matrix key,
                              bt_sequences keys, bt_matrix work)
{
    if (spec->heads == 0 || query.columns % spec->heads != 0 || key.columns != query.columns || queries.n != keys.n ||
        query.rows < queries.offsets[queries.n] || key.rows < keys.offsets[keys.n])
        return bt_fail(BT_ERR_INTERNAL, "bt_attention_backward: queries (%zu, %zu), keys (%zu, %zu), %zu heads",
                       query.rows, query.columns, key.rows, key.columns, spec->heads);
    for (size_t s = 0; s < keys.n; ++s)
        if (work.rows < 2 * BT_ATTENTION_QUERIES || work.columns < rows_of(keys, s))
            return bt_fail(BT_ERR_INTERNAL, "bt_attention_backward: work memory (%zu, %zu) for %zu keys", work.rows,
                           work.columns, rows_of(keys, s));
    return BT_OK;
}

bt_status bt_attention_backward(bt_device *device, const bt_attention_spec *spec, bt_matrix query, bt_sequences queries,
                                bt_matrix key, bt_matrix value, bt_sequences keys, bt_matrix dout, bt_matrix dquery,
                                bt_matrix dkey, bt_matrix dvalue, bt_matrix work)
{
    bt_status status = BT_OK;
    BT_TRY(check_shapes(spec, query, queries, key, keys, work));
    BT_CHECK(same_shape(query, dout) && same_shape(query, dquery) && same_shape(key, value) && same_shape(key, dkey) &&
                 same_shape(key, dvalue),
             BT_ERR_INTERNAL, "bt_attention_backward: the gradients have other shapes than queries, keys and values");
    const size_t width = query.columns / spec->heads;
    for (size_t s = 0; s < queries.n; ++s)
        for (size_t h = 0; h < spec->heads; ++h) {
            const head a = {.spec = spec,
                            .query = part_of(query, queries, s, h, width),
                            .key = part_of(key, keys, s, h, width),
                            .value = part_of(value, keys, s, h, width),
                            .dout = part_of(dout, queries, s, h, width),
                            .dquery = part_of(dquery, queries, s, h, width),
                            .dkey = part_of(dkey, keys, s, h, width),
                            .dvalue = part_of(dvalue, keys, s, h, width),
                            .work = work,
                            .n_key =
                                spec->mask == BT_MASK_PADDING && keys.lengths ? keys.lengths[s] : rows_of(keys, s)};
            BT_TRY(head_backward(device, &a));
        }
cleanup:
    return status;
}
