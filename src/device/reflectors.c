#include "device/reflectors.h"

#include "base/memory.h"
#include "device/internal.h"
#include "device/spectral.h"

#include <string.h>

enum { BLOCK = 128 }; /* reflectors */

static size_t count(size_t n, size_t offset)
{
    return n > offset ? n - offset : 0;
}

static size_t width_of(size_t n, size_t offset)
{
    return count(n, offset) < BLOCK ? count(n, offset) : BLOCK;
}

/* A block of reflectors in the types of float64 and of the matrix that is multiplied; one buffer where these agree. */
typedef struct {
    bt_buffer *v[2];    /* (block, n) V' */
    bt_buffer *t[2];    /* (block, block) */
    bt_buffer *gram;    /* (block, block) V'V */
    bt_buffer *work[2]; /* (m, block) R V, and that times T */
} room;

static bt_status make_room(bt_device *device, bt_matrix r, size_t block, room *to)
{
    bt_status status = BT_OK;
    const bt_dtype type = bt_buffer_type(r.buffer);
    BT_TRY(bt_buffer_create(device, BT_F64, block * r.columns, &to->v[0]));
    BT_TRY(bt_buffer_create(device, BT_F64, block * block, &to->t[0]));
    BT_TRY(bt_buffer_create(device, BT_F64, block * block, &to->gram));
    for (int i = 0; i < 2; ++i) BT_TRY(bt_buffer_create(device, type, r.rows * block, &to->work[i]));
    if (type == BT_F64) goto cleanup;
    BT_TRY(bt_buffer_create(device, type, block * r.columns, &to->v[1]));
    BT_TRY(bt_buffer_create(device, type, block * block, &to->t[1]));
cleanup:
    return status;
}

static void clear_room(room *to)
{
    for (int i = 0; i < 2; ++i) {
        bt_buffer_destroy(&to->v[i]);
        bt_buffer_destroy(&to->t[i]);
        bt_buffer_destroy(&to->work[i]);
    }
    bt_buffer_destroy(&to->gram);
}

/* V' (n_row, length) of the reflectors from `first` on, without the zeros that all of them begin with. */
static void take_rows(const bt_reflectors *q, size_t first, size_t n_row, size_t length, double *v)
{
    memset(v, 0, n_row * length * sizeof *v);
    for (size_t i = 0; i < n_row; ++i) {
        const double *const row = q->a + (first + i) * q->stride + first + q->offset;
        v[i * length + i] = 1;
        memcpy(v + i * length + i + 1, row + i + 1, (length - i - 1) * sizeof *v);
    }
}

/* T (n, n), upper, of H_0 .. H_(n - 1) = I - V T V': column j is -tau_j T (V'v_j), and tau_j on the diagonal. */
static void fill_t(const double *tau, size_t n, const double *gram, double *t)
{
    memset(t, 0, n * n * sizeof *t);
    for (size_t j = 0; j < n; ++j) {
        for (size_t i = 0; i < j; ++i) {
            double sum = 0;
            for (size_t k = i; k < j; ++k) sum += t[i * n + k] * gram[k * n + j];
            t[i * n + j] = -tau[j] * sum;
        }
        t[j * n + j] = tau[j];
    }
}

/* V' and T of a block in the type of r. */
static bt_status take_block(bt_device *device, const bt_reflectors *q, size_t first, size_t n_row, room *to,
                            bt_matrix *v, bt_matrix *t)
{
    bt_status status = BT_OK;
    const size_t length = q->n - q->offset - first;
    *v = bt_matrix_of(to->v[0], n_row, length);
    *t = bt_matrix_of(to->t[0], n_row, n_row);
    take_rows(q, first, n_row, length, to->v[0]->data);
    BT_TRY(bt_product_gram(device, BT_PLAIN, *v, 0, bt_matrix_of(to->gram, n_row, n_row)));
    fill_t(q->tau + first, n_row, to->gram->data, to->t[0]->data);
    if (!to->v[1]) goto cleanup;
    const bt_matrix narrow_v = bt_matrix_of(to->v[1], n_row, length), narrow_t = bt_matrix_of(to->t[1], n_row, n_row);
    BT_TRY(bt_convert(device, *v, narrow_v));
    BT_TRY(bt_convert(device, *t, narrow_t));
    *v = narrow_v;
    *t = narrow_t;
cleanup:
    return status;
}

bt_status bt_reflect(bt_device *device, const bt_reflectors *q, bt_transpose op, bt_matrix r)
{
    bt_status status = BT_OK;
    room own = {0};
    const size_t n = count(q->n, q->offset), n_block = (n + BLOCK - 1) / BLOCK;
    BT_CHECK(r.columns == q->n, BT_ERR_INTERNAL, "bt_reflect: %zu columns by reflectors of order %zu", r.columns, q->n);
    BT_TRY(make_room(device, r, width_of(q->n, q->offset), &own));
    for (size_t i = 0; i < n_block; ++i) {
        const size_t first = (op == BT_PLAIN ? i : n_block - 1 - i) * BLOCK, m = n - first < BLOCK ? n - first : BLOCK;
        const bt_matrix part = bt_matrix_part(r, 0, q->offset + first, r.rows, n - first);
        const bt_matrix rv = bt_matrix_of(own.work[0], r.rows, m), rvt = bt_matrix_of(own.work[1], r.rows, m);
        bt_matrix v, t;
        BT_TRY(take_block(device, q, first, m, &own, &v, &t));
        BT_TRY(bt_product(device, BT_PLAIN, BT_TRANSPOSED, 1, part, v, 0, rv));
        BT_TRY(bt_product(device, BT_PLAIN, op, 1, rv, t, 0, rvt));
        BT_TRY(bt_product(device, BT_PLAIN, BT_PLAIN, -1, rvt, v, 1, part));
    }
cleanup:
    clear_room(&own);
    return status;
}

double bt_reflect_bytes(size_t n, size_t offset, size_t m)
{
    const double block = (double)width_of(n, offset);
    return 8 * block * (1.5 * (double)n + 2 * (double)m + 2.5 * block);
}
