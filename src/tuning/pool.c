#include "tuning/pool.h"

#include "base/memory.h"
#include "device/backward.h"

void bt_pooling_clear(bt_pooling *p)
{
    bt_buffer_destroy(&p->pooled);
    bt_free(p->states);
    bt_free(p->at);
    p->states = NULL;
    p->at = NULL;
    p->capacity = p->n_state = 0;
}

static bt_status reserve(bt_pooling *p, size_t n, size_t n_frame)
{
    bt_status status = BT_OK;
    if (n <= p->capacity && n_frame <= p->n_state) return BT_OK;
    bt_pooling_clear(p);
    BT_TRY(bt_buffer_create(p->device, BT_F32, n * p->n_hidden, &p->pooled));
    if (p->rule == BT_TUNE_POOL_MAX) {
        BT_ALLOC(p->states, n_frame * p->n_hidden);
        BT_ALLOC(p->at, n * p->n_hidden);
    }
    p->capacity = n;
    p->n_state = n_frame;
cleanup:
    return status;
}

/* Rows of sequence s from its first on that hold sound. */
static size_t real_rows(bt_sequences sequences, size_t s)
{
    return sequences.lengths ? sequences.lengths[s] : sequences.offsets[s + 1] - sequences.offsets[s];
}

static size_t last_row(bt_sequences sequences, size_t s)
{
    return sequences.offsets[s] + real_rows(sequences, s) - 1;
}

static void find_largest(bt_pooling *p, bt_sequences sequences, float *pooled)
{
    const size_t h = p->n_hidden;
    for (size_t s = 0; s < sequences.n; ++s)
        for (size_t j = 0; j < h; ++j) {
            size_t at = sequences.offsets[s];
            for (size_t f = at + 1; f <= last_row(sequences, s); ++f)
                if (p->states[f * h + j] > p->states[at * h + j]) at = f;
            p->at[s * h + j] = at;
            pooled[s * h + j] = p->states[at * h + j];
        }
}

bt_status bt_pooling_forward(bt_pooling *p, bt_matrix states, bt_sequences sequences, float *pooled)
{
    bt_status status = BT_OK;
    const size_t h = p->n_hidden, n = sequences.n;
    BT_TRY(reserve(p, n, states.rows));
    switch (p->rule) {
    case BT_TUNE_POOL_MEAN:
        BT_TRY(bt_rows_mean(p->device, states, sequences, bt_matrix_of(p->pooled, n, h)));
        BT_TRY(bt_buffer_read(p->pooled, 0, pooled, n * h));
        break;
    case BT_TUNE_POOL_MAX:
        BT_TRY(bt_buffer_read(states.buffer, states.offset, p->states, states.rows * h));
        find_largest(p, sequences, pooled);
        break;
    case BT_TUNE_POOL_LAST:
        for (size_t s = 0; s < n; ++s)
            BT_TRY(bt_buffer_read(states.buffer, states.offset + last_row(sequences, s) * states.stride, pooled + s * h,
                                  h));
        break;
    }
cleanup:
    return status;
}

bt_status bt_pooling_backward(bt_pooling *p, const float *dpooled, bt_sequences sequences, bt_matrix dstates)
{
    bt_status status = BT_OK;
    const size_t h = p->n_hidden, n = sequences.n;
    switch (p->rule) {
    case BT_TUNE_POOL_MEAN:
        BT_TRY(bt_buffer_write(p->pooled, 0, dpooled, n * h));
        BT_TRY(bt_rows_mean_backward(p->device, bt_matrix_of(p->pooled, n, h), sequences, dstates));
        break;
    case BT_TUNE_POOL_MAX:
        for (size_t i = 0; i < n * h; ++i)
            BT_TRY(bt_buffer_write(dstates.buffer, dstates.offset + p->at[i] * dstates.stride + i % h, dpooled + i, 1));
        break;
    case BT_TUNE_POOL_LAST:
        for (size_t s = 0; s < n; ++s)
            BT_TRY(bt_buffer_write(dstates.buffer, dstates.offset + last_row(sequences, s) * dstates.stride,
                                   dpooled + s * h, h));
        break;
    }
cleanup:
    return status;
}
