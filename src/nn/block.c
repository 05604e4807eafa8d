#include "nn/block.h"

#include "base/memory.h"
#include "device/backward.h"
#include "nn/positions.h"

#include <math.h>

struct bt_block {
    bt_device *device;
    bt_block_spec spec;
    bt_linear *query, *key_value, *out, *up, *down;
    bt_linear *gate; /* with positions */
    bt_matrix gate_factors;
    bt_matrix norm_scale, norm_shift, final_scale, final_shift;
};

static bt_status make_linear(bt_block *block, const bt_parameters *p, size_t weight, size_t bias, size_t joined,
                             bt_activation activation, bt_linear **out)
{
    return bt_linear_create(block->device, bt_parameter_join(p, weight, joined), bt_parameter_join(p, bias, joined),
                            activation, out);
}

bt_status bt_block_create(bt_device *device, const bt_block_spec *spec, const bt_parameters *p,
                          const bt_block_rows *rows, bt_block **out)
{
    bt_status status = BT_OK;
    bt_block *b = NULL;
    *out = NULL;
    BT_ALLOC(b, 1);
    b->device = device;
    b->spec = *spec;
    b->norm_scale = bt_parameter_matrix(p, rows->norm_scale);
    b->norm_shift = bt_parameter_matrix(p, rows->norm_shift);
    b->final_scale = bt_parameter_matrix(p, rows->final_scale);
    b->final_shift = bt_parameter_matrix(p, rows->final_shift);
    BT_TRY(make_linear(b, p, rows->query_weight, rows->query_bias, 1, BT_ACTIVATION_NONE, &b->query));
    BT_TRY(make_linear(b, p, rows->key_weight, rows->key_bias, 2, BT_ACTIVATION_NONE, &b->key_value));
    BT_TRY(make_linear(b, p, rows->out_weight, rows->out_bias, 1, BT_ACTIVATION_NONE, &b->out));
    BT_TRY(make_linear(b, p, rows->up_weight, rows->up_bias, 1, BT_ACTIVATION_GELU, &b->up));
    BT_TRY(make_linear(b, p, rows->down_weight, rows->down_bias, 1, BT_ACTIVATION_NONE, &b->down));
    if (spec->positions) {
        BT_TRY(make_linear(b, p, rows->gate_weight, rows->gate_bias, 1, BT_ACTIVATION_NONE, &b->gate));
        b->gate_factors = bt_parameter_matrix(p, rows->gate_factors);
    }
    *out = b;
    b = NULL;
cleanup:
    bt_block_destroy(&b);
    return status;
}

void bt_block_destroy(bt_block **block)
{
    if (!*block) return;
    bt_linear_destroy(&(*block)->query);
    bt_linear_destroy(&(*block)->key_value);
    bt_linear_destroy(&(*block)->out);
    bt_linear_destroy(&(*block)->up);
    bt_linear_destroy(&(*block)->down);
    bt_linear_destroy(&(*block)->gate);
    bt_free(*block);
    *block = NULL;
}

/* The bias of scores of the queries that `asking` (n_query, hidden) gave. */
static bt_status gate(bt_block *block, bt_matrix asking, const bt_block_work *work, bt_attention_bias *bias)
{
    bt_status status = BT_OK;
    const size_t heads = block->spec.heads;
    BT_TRY(bt_linear_apply(block->gate, bt_by_head(asking, heads), bt_by_head(work->gate_units, heads)));
    BT_TRY(bt_gates(block->device, work->gate_units, block->gate_factors, work->gates));
    *bias = (bt_attention_bias){.gates = work->gates, .distances = work->distances};
cleanup:
    return status;
}

/* work->query: of the attention behind its output product. `asking` gave the queries; work->context may be it. */
static bt_status attend(bt_block *block, bt_matrix asking, bt_sequences keys, bt_sequences queries,
                        const bt_block_work *work)
{
    bt_status status = BT_OK;
    const bt_block_spec *const spec = &block->spec;
    bt_attention_spec attention = {
        .heads = spec->heads, .mask = spec->mask, .scale = 1.0 / sqrt((double)(spec->hidden / spec->heads))};
    const size_t n_key = work->key_value.rows;
    const bt_matrix key = bt_matrix_part(work->key_value, 0, 0, n_key, spec->hidden);
    const bt_matrix value = bt_matrix_part(work->key_value, 0, spec->hidden, n_key, spec->hidden);
    if (spec->positions) BT_TRY(gate(block, asking, work, &attention.bias));
    BT_TRY(bt_attention(block->device, &attention, work->query, queries, key, value, keys, work->context));
    BT_TRY(bt_linear_apply(block->out, work->context, work->query));
cleanup:
    return status;
}

static bt_status apply_post_norm(bt_block *block, bt_matrix from, bt_sequences keys, bt_matrix x, bt_sequences queries,
                                 const bt_block_work *work)
{
    bt_status status = BT_OK;
    const double epsilon = block->spec.epsilon;
    BT_TRY(bt_linear_apply(block->query, x, work->query));
    BT_TRY(bt_linear_apply(block->key_value, from, work->key_value));
    BT_TRY(attend(block, x, keys, queries, work));
    BT_TRY(bt_layer_norm(block->device, x, work->query, block->norm_scale, block->norm_shift, epsilon, x));
    BT_TRY(bt_linear_apply(block->up, x, work->intermediate));
    BT_TRY(bt_linear_apply(block->down, work->intermediate, work->query));
    BT_TRY(bt_layer_norm(block->device, x, work->query, block->final_scale, block->final_shift, epsilon, x));
cleanup:
    return status;
}

static bt_status apply_pre_norm(bt_block *block, bt_matrix from, bt_sequences keys, bt_matrix x, bt_sequences queries,
                                const bt_block_work *work)
{
    bt_status status = BT_OK;
    const double epsilon = block->spec.epsilon;
    const bt_matrix none = {0}, normed = work->normed;
    const bool same = x.buffer == from.buffer && x.offset == from.offset && x.rows == from.rows;
    const bt_matrix asking = same ? normed : work->context;
    BT_TRY(bt_layer_norm(block->device, from, none, block->norm_scale, block->norm_shift, epsilon, normed));
    BT_TRY(bt_linear_apply(block->key_value, normed, work->key_value));
    if (!same) BT_TRY(bt_layer_norm(block->device, x, none, block->norm_scale, block->norm_shift, epsilon, asking));
    BT_TRY(bt_linear_apply(block->query, asking, work->query));
    BT_TRY(attend(block, asking, keys, queries, work));
    BT_TRY(bt_matrix_add(block->device, x, work->query, x));
    BT_TRY(bt_layer_norm(block->device, x, none, block->final_scale, block->final_shift, epsilon, work->query));
    BT_TRY(bt_linear_apply(block->up, work->query, work->intermediate));
    BT_TRY(bt_linear_apply(block->down, work->intermediate, work->query));
    BT_TRY(bt_matrix_add(block->device, x, work->query, x));
cleanup:
    return status;
}

bt_status bt_block_apply(bt_block *block, bt_matrix from, bt_sequences keys, bt_matrix x, bt_sequences queries,
                         const bt_block_work *work)
{
    return block->spec.pre_norm ? apply_pre_norm(block, from, keys, x, queries, work)
                                : apply_post_norm(block, from, keys, x, queries, work);
}

double bt_block_flops(const bt_block_spec *spec, size_t n_query, size_t n_key)
{
    const double hidden = (double)spec->hidden, queries = (double)n_query, keys = (double)n_key;
    const double linear = 2 * hidden * (queries * (2 * hidden + 2 * (double)spec->intermediate) + keys * 2 * hidden);
    const double gates = spec->positions ? 2 * BT_GATE_UNITS * hidden * queries : 0;
    return linear + gates + 4 * hidden * queries * keys;
}
