#include "nn/block_training.h"

#include "device/backward.h"

#include <math.h>

void bt_block_training_shapes(const bt_block_spec *spec, size_t n, size_t kept[BT_BLOCK_KEPT][2],
                              size_t work[BT_BLOCK_WORK][2])
{
    const size_t hidden = spec->hidden;
    for (size_t i = 0; i < BT_BLOCK_KEPT; ++i) {
        kept[i][0] = n;
        kept[i][1] = i == BT_KEPT_KEY_VALUE ? 2 * hidden : i == BT_KEPT_UP ? spec->intermediate : hidden;
    }
    for (size_t i = 0; i < BT_BLOCK_WORK; ++i) {
        work[i][0] = n;
        work[i][1] = i == BT_WORK_DKEY_VALUE ? 2 * hidden : hidden;
    }
    work[BT_WORK_ACTIVE][1] = work[BT_WORK_DUP][1] = spec->intermediate;
}

static bt_attention_spec attention_of(const bt_block_spec *spec)
{
    return (bt_attention_spec){
        .heads = spec->heads, .mask = spec->mask, .scale = 1.0 / sqrt((double)(spec->hidden / spec->heads))};
}

static bt_status linear(const bt_block_training *b, size_t weight, size_t bias, size_t joined, bt_matrix x, bt_matrix y)
{
    return bt_linear_forward(b->device, x, bt_parameter_join(b->parameters, weight, joined),
                             bt_parameter_join(b->parameters, bias, joined), y);
}

static bt_status dlinear(const bt_block_training *b, size_t weight, size_t bias, size_t joined, bt_matrix x,
                         bt_matrix dy, double beta, bt_matrix dx)
{
    return bt_linear_backward(b->device, x, bt_parameter_join(b->parameters, weight, joined), dy, beta, dx,
                              bt_gradient_join(b->gradients, weight, joined),
                              bt_gradient_join(b->gradients, bias, joined));
}

/* Keys and values in one product, or apart when only one of them has gradients (LoRA). */
static bt_status dkeys_values(const bt_block_training *b, bt_matrix x, bt_matrix dy, bt_matrix dx)
{
    bt_status status = BT_OK;
    const size_t weight = b->rows.key_weight, bias = b->rows.key_bias, hidden = b->spec.hidden;
    const bool key = bt_gradient_matrix(b->gradients, weight).buffer;
    if (key == (bool)bt_gradient_matrix(b->gradients, weight + 1).buffer)
        return dlinear(b, weight, bias, 2, x, dy, 1, dx);
    for (size_t i = 0; i < 2; ++i)
        BT_TRY(dlinear(b, weight + i, bias + i, 1, x, bt_matrix_part(dy, 0, i * hidden, dy.rows, hidden), 1, dx));
cleanup:
    return status;
}

static bt_status hand_on(const bt_block_training *b)
{
    bt_status status = BT_OK;
    const bt_block_rows *const rows = &b->rows;
    const size_t weights[] = {rows->query_weight, rows->key_weight, rows->key_weight + 1,
                              rows->out_weight,   rows->up_weight,  rows->down_weight};
    for (size_t i = 0; i < sizeof weights / sizeof *weights; ++i)
        BT_TRY(bt_gradients_hand_on(b->gradients, weights[i]));
cleanup:
    return status;
}

static bt_status norm(const bt_block_training *b, size_t scale, size_t shift, bt_matrix x, bt_matrix y)
{
    return bt_layer_norm(b->device, x, (bt_matrix){0}, bt_parameter_matrix(b->parameters, scale),
                         bt_parameter_matrix(b->parameters, shift), b->spec.epsilon, y);
}

static bt_status dnorm(const bt_block_training *b, size_t scale, size_t shift, bt_matrix x, bt_matrix d)
{
    return bt_layer_norm_backward(b->device, x, bt_parameter_matrix(b->parameters, scale), b->spec.epsilon, d, d,
                                  bt_gradient_matrix(b->gradients, scale), bt_gradient_matrix(b->gradients, shift));
}

bt_status bt_block_forward(const bt_block_training *b, bt_matrix x, bt_sequences sequences, const bt_matrix *kept,
                           const bt_matrix *work, bt_matrix out)
{
    bt_status status = BT_OK;
    const bt_block_rows *const rows = &b->rows;
    const bt_attention_spec attention = attention_of(&b->spec);
    const size_t hidden = b->spec.hidden;
    const bt_matrix query = kept[BT_KEPT_QUERY], key_value = kept[BT_KEPT_KEY_VALUE], context = kept[BT_KEPT_CONTEXT];
    const bt_matrix sum = kept[BT_KEPT_SUM], middle = kept[BT_KEPT_MIDDLE], final_sum = kept[BT_KEPT_FINAL_SUM];
    const bt_matrix up = kept[BT_KEPT_UP], active = work[BT_WORK_ACTIVE];
    const bt_matrix key = bt_matrix_part(key_value, 0, 0, x.rows, hidden);
    const bt_matrix value = bt_matrix_part(key_value, 0, hidden, x.rows, hidden);
    BT_TRY(linear(b, rows->query_weight, rows->query_bias, 1, x, query)); /* q = Wq x */
    BT_TRY(linear(b, rows->key_weight, rows->key_bias, 2, x, key_value)); /* k, v = Wkv x */
    BT_TRY(bt_attention(b->device, &attention, query, sequences, key, value, sequences, context));
    BT_TRY(linear(b, rows->out_weight, rows->out_bias, 1, context, sum)); /* s = x + Wo c */
    BT_TRY(bt_matrix_add(b->device, x, sum, sum));
    BT_TRY(norm(b, rows->norm_scale, rows->norm_shift, sum, middle));            /* m = norm(s) */
    BT_TRY(linear(b, rows->up_weight, rows->up_bias, 1, middle, up));            /* u = W1 m */
    BT_TRY(bt_gelu_forward(b->device, up, active));                              /* a = gelu(u) */
    BT_TRY(linear(b, rows->down_weight, rows->down_bias, 1, active, final_sum)); /* f = m + W2 a */
    BT_TRY(bt_matrix_add(b->device, middle, final_sum, final_sum));
    BT_TRY(norm(b, rows->final_scale, rows->final_shift, final_sum, out)); /* y = norm(f) */
cleanup:
    return status;
}

bt_status bt_block_backward(const bt_block_training *b, bt_matrix x, bt_sequences sequences, const bt_matrix *kept,
                            const bt_matrix *work, bt_matrix d, bool last)
{
    bt_status status = BT_OK;
    const bt_block_rows *const rows = &b->rows;
    const bt_attention_spec attention = attention_of(&b->spec);
    const size_t hidden = b->spec.hidden;
    const bt_matrix query = kept[BT_KEPT_QUERY], key_value = kept[BT_KEPT_KEY_VALUE], context = kept[BT_KEPT_CONTEXT];
    const bt_matrix sum = kept[BT_KEPT_SUM], middle = kept[BT_KEPT_MIDDLE], final_sum = kept[BT_KEPT_FINAL_SUM];
    const bt_matrix up = kept[BT_KEPT_UP], active = work[BT_WORK_ACTIVE], dup = work[BT_WORK_DUP];
    const bt_matrix dquery = work[BT_WORK_DQUERY], dkey_value = work[BT_WORK_DKEY_VALUE];
    const bt_matrix dcontext = work[BT_WORK_DCONTEXT];
    const bt_matrix key = bt_matrix_part(key_value, 0, 0, x.rows, hidden);
    const bt_matrix value = bt_matrix_part(key_value, 0, hidden, x.rows, hidden);
    const bt_matrix dkey = bt_matrix_part(dkey_value, 0, 0, x.rows, hidden);
    const bt_matrix dvalue = bt_matrix_part(dkey_value, 0, hidden, x.rows, hidden);
    BT_TRY(dnorm(b, rows->final_scale, rows->final_shift, final_sum, d));             /* df = dnorm(dy) */
    BT_TRY(bt_gelu_forward(b->device, up, active));                                   /* a, once more */
    BT_TRY(dlinear(b, rows->down_weight, rows->down_bias, 1, active, d, 0, dup));     /* da = W2' df */
    BT_TRY(bt_gelu_backward(b->device, up, dup, dup));                                /* du = gelu'(u) da */
    BT_TRY(dlinear(b, rows->up_weight, rows->up_bias, 1, middle, dup, 1, d));         /* dm = df + W1' du */
    BT_TRY(dnorm(b, rows->norm_scale, rows->norm_shift, sum, d));                     /* ds = dnorm(dm) */
    BT_TRY(dlinear(b, rows->out_weight, rows->out_bias, 1, context, d, 0, dcontext)); /* dc = Wo' ds */
    BT_TRY(bt_attention_backward(b->device, &attention, query, sequences, key, value, sequences, context, dcontext,
                                 dquery, dkey, dvalue));
    const bt_matrix dx = last ? (bt_matrix){0} : d;
    BT_TRY(dkeys_values(b, x, dkey_value, dx));                                    /* dx = ds + Wkv' dkv */
    BT_TRY(dlinear(b, rows->query_weight, rows->query_bias, 1, x, dquery, 1, dx)); /* dx += Wq' dq */
    BT_TRY(hand_on(b));
cleanup:
    return status;
}
