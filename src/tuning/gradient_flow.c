#include "tuning/gradient_flow.h"

#include "base/memory.h"
#include "nn/trainable.h"

#include <stdbool.h>

struct bt_gradient_flow {
    bt_parameters *parameters;     /* borrowed */
    const bt_gradients *gradients; /* borrowed */
    bt_exchange *exchange;
    bool alone;       /* one rank */
    size_t *missing;  /* (buckets): elements whose gradients are not final yet */
    size_t n_started; /* buckets under way, the last bucket first */
    bt_exchange_count seen;
};

/* --- life ------------------------------------------------------------------------------------------------------------
 */

/* Bounds of the buckets: where the stage changes. */
static bt_status find_bounds(const bt_gradients *gradients, size_t **bounds, size_t *n)
{
    enum { LARGEST = 1 << 28 };
    bt_status status = BT_OK;
    const bt_parameters *const table = gradients->table;
    int stage = 0;
    *n = 0;
    BT_ALLOC(*bounds, table->n + gradients->n_trainable / LARGEST + 2);
    for (size_t i = 0; i < table->n; ++i) {
        if (!table->rows[i].trainable) continue;
        const size_t at = gradients->offsets[i];
        if (at > 0 && (table->rows[i].stage != stage || at - (*bounds)[*n] + table->rows[i].count > LARGEST))
            (*bounds)[++*n] = at;
        stage = table->rows[i].stage;
    }
    (*bounds)[++*n] = gradients->n_trainable;
cleanup:
    return status;
}

bt_status bt_gradient_flow_create(const bt_comm *comm, bt_parameters *parameters, const bt_gradients *gradients,
                                  bt_gradient_flow **out)
{
    bt_status status = BT_OK;
    size_t *bounds = NULL, n = 0;
    *out = NULL;
    bt_gradient_flow *flow = bt_calloc(1, sizeof *flow);
    BT_TRY(bt_agree(comm, flow ? find_bounds(gradients, &bounds, &n) : BT_ERR_MEMORY));
    flow->parameters = parameters;
    flow->gradients = gradients;
    flow->alone = bt_comm_size(comm) == 1;
    flow->missing = bt_calloc(n, sizeof *flow->missing);
    BT_TRY(bt_agree(comm, flow->missing ? BT_OK : BT_ERR_MEMORY));
    BT_TRY(bt_exchange_create(comm, bounds, n, &flow->exchange));
    *out = flow;
    flow = NULL;
cleanup:
    bt_free(bounds);
    bt_gradient_flow_destroy(&flow);
    return status;
}

void bt_gradient_flow_destroy(bt_gradient_flow **flow)
{
    if (!*flow) return;
    bt_exchange_destroy(&(*flow)->exchange);
    bt_free((*flow)->missing);
    bt_free(*flow);
    *flow = NULL;
}

size_t bt_gradient_flow_slices(const bt_gradient_flow *flow)
{
    return bt_exchange_buckets(flow->exchange);
}

bt_range bt_gradient_flow_slice(const bt_gradient_flow *flow, size_t i)
{
    return bt_exchange_slice(flow->exchange, i);
}

float *bt_gradient_flow_vector(bt_gradient_flow *flow)
{
    return bt_exchange_vector(flow->exchange);
}

bt_exchange_count bt_gradient_flow_counted(bt_gradient_flow *flow)
{
    const bt_exchange_count now = bt_exchange_counted(flow->exchange), before = flow->seen;
    flow->seen = now;
    return (bt_exchange_count){.bytes_sent = now.bytes_sent - before.bytes_sent,
                               .messages = now.messages - before.messages,
                               .waited = now.waited - before.waited};
}

/* --- gradients -------------------------------------------------------------------------------------------------------
 * Buckets start in one order on all ranks: from the end of the vector, where the last block is, to its beginning. */

static size_t length(bt_range range)
{
    return range.high - range.low;
}

void bt_gradient_flow_expect(bt_gradient_flow *flow)
{
    flow->n_started = 0;
    for (size_t b = 0; b < bt_exchange_buckets(flow->exchange); ++b)
        flow->missing[b] = length(bt_exchange_bucket(flow->exchange, b));
}

static bt_status start_ready(bt_gradient_flow *flow)
{
    bt_status status = BT_OK;
    const size_t n = bt_exchange_buckets(flow->exchange);
    while (flow->n_started < n && flow->missing[n - 1 - flow->n_started] == 0) {
        BT_TRY(bt_exchange_start(flow->exchange, n - 1 - flow->n_started));
        ++flow->n_started;
    }
    BT_TRY(bt_exchange_progress(flow->exchange));
cleanup:
    return status;
}

static bt_status fetch(bt_gradient_flow *flow, size_t first, size_t count)
{
    return bt_buffer_read(flow->gradients->values, first, bt_exchange_vector(flow->exchange) + first, count);
}

bt_status bt_gradient_flow_take(bt_gradient_flow *flow, size_t first, size_t count)
{
    bt_status status = BT_OK;
    if (flow->alone) goto cleanup;
    BT_TRY(fetch(flow, first, count));
    for (size_t b = 0; b < bt_exchange_buckets(flow->exchange); ++b) {
        const bt_range bucket = bt_exchange_bucket(flow->exchange, b);
        const size_t low = first > bucket.low ? first : bucket.low;
        const size_t high = first + count < bucket.high ? first + count : bucket.high;
        if (low < high) flow->missing[b] -= high - low;
    }
    BT_TRY(start_ready(flow));
cleanup:
    return status;
}

static bt_status take_rest(bt_gradient_flow *flow)
{
    bt_status status = BT_OK;
    for (size_t b = 0; b < bt_exchange_buckets(flow->exchange); ++b) {
        if (flow->missing[b] == 0) continue;
        const bt_range bucket = bt_exchange_bucket(flow->exchange, b);
        BT_TRY(fetch(flow, bucket.low, length(bucket)));
        flow->missing[b] = 0;
    }
    BT_TRY(start_ready(flow));
cleanup:
    return status;
}

/* The sums of my slice back to the gradients. */
static bt_status put_back(bt_gradient_flow *flow, bt_range slice)
{
    return bt_buffer_write(flow->gradients->values, slice.low, bt_exchange_vector(flow->exchange) + slice.low,
                           length(slice));
}

bt_status bt_gradient_flow_finish(bt_gradient_flow *flow, double *squares)
{
    bt_status status = BT_OK;
    *squares = 0;
    if (!flow->alone) {
        BT_TRY(take_rest(flow));
        BT_TRY(bt_exchange_finish(flow->exchange));
    }
    for (size_t b = 0; b < bt_exchange_buckets(flow->exchange); ++b) {
        double sum = 0;
        const bt_range slice = bt_exchange_slice(flow->exchange, b);
        if (length(slice) == 0) continue;
        if (!flow->alone) BT_TRY(put_back(flow, slice));
        BT_TRY(bt_gradients_squares(flow->gradients, slice.low, length(slice), &sum));
        *squares += sum;
    }
cleanup:
    return status;
}

/* --- values ----------------------------------------------------------------------------------------------------------
 */

static bt_status share_with_others(bt_gradient_flow *flow)
{
    bt_status status = BT_OK;
    float *const vector = bt_exchange_vector(flow->exchange);
    for (size_t b = 0; b < bt_exchange_buckets(flow->exchange); ++b) {
        const bt_range slice = bt_exchange_slice(flow->exchange, b);
        BT_TRY(bt_parameters_read_trainable(flow->parameters, flow->gradients, slice.low, length(slice),
                                            vector + slice.low));
    }
    BT_TRY(bt_exchange_share(flow->exchange));
    BT_TRY(bt_parameters_write_trainable(flow->parameters, flow->gradients, 0, flow->gradients->n_trainable, vector));
cleanup:
    return status;
}

bt_status bt_gradient_flow_share(bt_gradient_flow *flow)
{
    bt_status status = BT_OK;
    if (!flow->alone) BT_TRY(share_with_others(flow));
    BT_TRY(bt_parameters_derive(flow->parameters, flow->gradients->device));
cleanup:
    return status;
}
