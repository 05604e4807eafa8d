#include "nn/block_training.h"

#include "device/backward.h"
#include "nn/lora_training.h"
#include "nn/positions.h"

#include <math.h>
#include <string.h>

void bt_block_training_shapes(const bt_block_spec *spec, size_t n, size_t kept[BT_BLOCK_KEPT][2],
                              size_t work[BT_BLOCK_WORK][2])
{
    const size_t hidden = spec->hidden, gates = spec->positions ? spec->heads : 0;
    for (size_t i = 0; i < BT_BLOCK_KEPT; ++i) {
        kept[i][0] = n;
        kept[i][1] = i == BT_KEPT_KEY_VALUE ? 2 * hidden : i == BT_KEPT_UP ? spec->intermediate : hidden;
    }
    for (size_t i = 0; i < BT_BLOCK_WORK; ++i) {
        work[i][0] = n;
        work[i][1] = i == BT_WORK_DKEY_VALUE ? 2 * hidden : hidden;
    }
    work[BT_WORK_ACTIVE][1] = work[BT_WORK_DUP][1] = spec->intermediate;
    kept[BT_KEPT_GATE_UNITS][1] = work[BT_WORK_DGATE_UNITS][1] = gates * BT_GATE_UNITS;
    kept[BT_KEPT_GATES][1] = work[BT_WORK_DGATES][1] = gates;
}

static bt_matrix half(bt_matrix key_value, size_t which)
{
    const size_t hidden = key_value.columns / 2;
    return bt_matrix_part(key_value, 0, which * hidden, key_value.rows, hidden);
}

enum { BLOCK_WEIGHTS = 6 };

static void list_weights(const bt_block_rows *rows, size_t weights[BLOCK_WEIGHTS])
{
    const size_t list[BLOCK_WEIGHTS] = {rows->query_weight, rows->key_weight, rows->key_weight + 1,
                                        rows->out_weight,   rows->up_weight,  rows->down_weight};
    memcpy(weights, list, sizeof list);
}

static bt_attention_spec attention_of(const bt_block_training *b, const bt_matrix *kept)
{
    const bt_block_spec *const spec = &b->spec;
    bt_attention_spec attention = {
        .heads = spec->heads,
        .mask = spec->mask,
        .scale = 1.0 / sqrt((double)(spec->hidden / spec->heads)),
        .drop = bt_dropout_at(&b->draws, b->draws.rates->attention, b->site + BT_SITE_PROBABILITIES)};
    if (spec->positions) attention.bias = (bt_attention_bias){kept[BT_KEPT_GATES], b->distances};
    return attention;
}

static bt_status drop(const bt_block_training *b, double p, uint64_t site, bt_sequences sequences, bt_matrix x)
{
    const bt_dropout dropout = bt_dropout_at(&b->draws, p, b->site + site);
    return dropout.p > 0 ? bt_dropout_apply(b->device, &dropout, sequences, x, x) : BT_OK;
}

/* *out = dy behind the dropout of `hidden` at a site, in `memory`; without one dy itself. */
static bt_status ddrop(const bt_block_training *b, uint64_t site, bt_sequences sequences, bt_matrix dy,
                       bt_matrix memory, bt_matrix *out)
{
    const bt_dropout dropout = bt_dropout_at(&b->draws, b->draws.rates->hidden, b->site + site);
    *out = dropout.p > 0 ? memory : dy;
    return dropout.p > 0 ? bt_dropout_apply(b->device, &dropout, sequences, dy, memory) : BT_OK;
}

/* Whether a weight has an adapter that drops some of its input. */
static bool drops_adapter(const bt_block_training *b, size_t weight)
{
    return b->draws.keys && b->draws.rates->adapter > 0 && b->parameters->rows[weight].derivation == BT_DERIVED_LORA;
}

static bt_lora_map adapter_of(const bt_block_training *b, size_t weight, bt_sequences sequences, size_t columns)
{
    size_t weights[BLOCK_WEIGHTS], i = 0;
    list_weights(&b->rows, weights);
    while (weights[i] != weight) ++i;
    return (bt_lora_map){.device = b->device,
                         .parameters = b->parameters,
                         .gradients = b->gradients,
                         .weight = weight,
                         .drop = bt_dropout_at(&b->draws, b->draws.rates->adapter, b->site + BT_SITE_ADAPTERS + i),
                         .sequences = sequences,
                         .input = bt_matrix_part(b->adapter_input, 0, 0, b->adapter_input.rows, columns),
                         .low = b->adapter_low};
}

static bt_status linear(const bt_block_training *b, bt_sequences sequences, size_t weight, size_t bias, size_t joined,
                        bt_matrix x, bt_matrix y)
{
    if (drops_adapter(b, weight)) {
        const bt_lora_map adapter = adapter_of(b, weight, sequences, x.columns);
        return bt_lora_forward(&adapter, x, bt_parameter_matrix(b->parameters, bias), y);
    }
    return bt_linear_forward(b->device, x, bt_parameter_join(b->parameters, weight, joined),
                             bt_parameter_join(b->parameters, bias, joined), y);
}

static bt_status dlinear(const bt_block_training *b, bt_sequences sequences, size_t weight, size_t bias, size_t joined,
                         bt_matrix x, bt_matrix dy, double beta, bt_matrix dx)
{
    if (drops_adapter(b, weight)) {
        const bt_lora_map adapter = adapter_of(b, weight, sequences, x.columns);
        return bt_lora_backward(&adapter, x, dy, beta, dx);
    }
    return bt_linear_backward(b->device, x, bt_parameter_join(b->parameters, weight, joined), dy, beta, dx,
                              bt_gradient_join(b->gradients, weight, joined),
                              bt_gradient_join(b->gradients, bias, joined));
}

static bool drops_keys_values(const bt_block_training *b)
{
    return drops_adapter(b, b->rows.key_weight) || drops_adapter(b, b->rows.key_weight + 1);
}

/* In one product, or apart when an adapter of one of them drops. */
static bt_status keys_values(const bt_block_training *b, bt_sequences sequences, bt_matrix x, bt_matrix y)
{
    bt_status status = BT_OK;
    const size_t weight = b->rows.key_weight, bias = b->rows.key_bias;
    if (!drops_keys_values(b)) return linear(b, sequences, weight, bias, 2, x, y);
    for (size_t i = 0; i < 2; ++i) BT_TRY(linear(b, sequences, weight + i, bias + i, 1, x, half(y, i)));
cleanup:
    return status;
}

static bool has_gradient(const bt_block_training *b, size_t row)
{
    return bt_gradient_matrix(b->gradients, row).buffer != NULL;
}

/* Keys and values in one product, or apart when only one of them has gradients (LoRA). A bias of the values alone
 * (no bias of the keys: Whisper) comes behind the product. dx = beta dx + Wkv' dy. */
static bt_status dkeys_values(const bt_block_training *b, bt_sequences sequences, bt_matrix x, bt_matrix dy,
                              double beta, bt_matrix dx)
{
    bt_status status = BT_OK;
    const size_t weight = b->rows.key_weight, bias = b->rows.key_bias, hidden = b->spec.hidden;
    const bool together = !drops_keys_values(b) && has_gradient(b, weight) == has_gradient(b, weight + 1);
    const bool biases = has_gradient(b, bias) == has_gradient(b, bias + 1);
    const bt_matrix none = {0}, dvalue = bt_matrix_part(dy, 0, hidden, dy.rows, hidden);
    if (together && biases) return dlinear(b, sequences, weight, bias, 2, x, dy, beta, dx);
    if (together) {
        BT_TRY(bt_linear_backward(b->device, x, bt_parameter_join(b->parameters, weight, 2), dy, beta, dx,
                                  bt_gradient_join(b->gradients, weight, 2), none));
        BT_TRY(bt_linear_backward(b->device, x, bt_parameter_matrix(b->parameters, weight + 1), dvalue, 0, none, none,
                                  bt_gradient_matrix(b->gradients, bias + 1)));
        goto cleanup;
    }
    BT_TRY(dlinear(b, sequences, weight, bias, 1, x, bt_matrix_part(dy, 0, 0, dy.rows, hidden), beta, dx));
    BT_TRY(dlinear(b, sequences, weight + 1, bias + 1, 1, x, dvalue, 1, dx));
cleanup:
    return status;
}

static bt_status hand_on(const bt_block_training *b)
{
    bt_status status = BT_OK;
    size_t weights[BLOCK_WEIGHTS];
    list_weights(&b->rows, weights);
    for (size_t i = 0; i < BLOCK_WEIGHTS; ++i)
        if (!drops_adapter(b, weights[i])) BT_TRY(bt_gradients_hand_on(b->gradients, weights[i]));
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

/* --- attention -------------------------------------------------------------------------------------------------------
 */

/* z = Wz from per head, gates of z. */
static bt_status gates_forward(const bt_block_training *b, bt_sequences sequences, bt_matrix from,
                               const bt_matrix *kept)
{
    bt_status status = BT_OK;
    const bt_block_rows *const rows = &b->rows;
    const size_t heads = b->spec.heads;
    BT_TRY(linear(b, sequences, rows->gate_weight, rows->gate_bias, 1, bt_by_head(from, heads),
                  bt_by_head(kept[BT_KEPT_GATE_UNITS], heads)));
    BT_TRY(bt_gates(b->device, kept[BT_KEPT_GATE_UNITS], bt_parameter_matrix(b->parameters, rows->gate_factors),
                    kept[BT_KEPT_GATES]));
cleanup:
    return status;
}

/* dfrom += Wz' dz per head, from dgates. */
static bt_status gates_backward(const bt_block_training *b, bt_sequences sequences, bt_matrix from,
                                const bt_matrix *kept, const bt_matrix *work, bt_matrix dfrom)
{
    bt_status status = BT_OK;
    const bt_block_rows *const rows = &b->rows;
    const size_t heads = b->spec.heads;
    const bt_matrix dunits = work[BT_WORK_DGATE_UNITS];
    BT_TRY(bt_gates_backward(b->device, kept[BT_KEPT_GATE_UNITS],
                             bt_parameter_matrix(b->parameters, rows->gate_factors), work[BT_WORK_DGATES], dunits,
                             bt_gradient_matrix(b->gradients, rows->gate_factors)));
    BT_TRY(dlinear(b, sequences, rows->gate_weight, rows->gate_bias, 1, bt_by_head(from, heads),
                   bt_by_head(dunits, heads), 1, bt_by_head(dfrom, heads)));
cleanup:
    return status;
}

/* s = x + D (Wo attention(q, k, v)), D the dropout, with q = Wq from, k and v = Wkv from. */
static bt_status attention_forward(const bt_block_training *b, bt_matrix x, bt_matrix from, bt_sequences sequences,
                                   const bt_matrix *kept)
{
    bt_status status = BT_OK;
    const bt_block_rows *const rows = &b->rows;
    const bt_attention_spec attention = attention_of(b, kept);
    const bt_matrix query = kept[BT_KEPT_QUERY], key_value = kept[BT_KEPT_KEY_VALUE], context = kept[BT_KEPT_CONTEXT];
    BT_TRY(linear(b, sequences, rows->query_weight, rows->query_bias, 1, from, query));
    BT_TRY(keys_values(b, sequences, from, key_value));
    if (b->spec.positions) BT_TRY(gates_forward(b, sequences, from, kept));
    BT_TRY(bt_attention(b->device, &attention, query, sequences, half(key_value, 0), half(key_value, 1), sequences,
                        context));
    BT_TRY(linear(b, sequences, rows->out_weight, rows->out_bias, 1, context, kept[BT_KEPT_SUM]));
    BT_TRY(drop(b, b->draws.rates->hidden, BT_SITE_PROJECTION, sequences, kept[BT_KEPT_SUM]));
    BT_TRY(bt_matrix_add(b->device, x, kept[BT_KEPT_SUM], kept[BT_KEPT_SUM]));
cleanup:
    return status;
}

/* dfrom = beta dfrom + Wq' dq + Wkv' dkv + Wz' dz from ds; dfrom may be without buffer, or BT_WORK_DCONTEXT. */
static bt_status attention_backward(const bt_block_training *b, bt_matrix from, bt_sequences sequences,
                                    const bt_matrix *kept, const bt_matrix *work, bt_matrix ds, double beta,
                                    bt_matrix dfrom)
{
    bt_status status = BT_OK;
    const bt_block_rows *const rows = &b->rows;
    const bt_attention_spec attention = attention_of(b, kept);
    const bt_matrix key_value = kept[BT_KEPT_KEY_VALUE], context = kept[BT_KEPT_CONTEXT];
    const bt_matrix dquery = work[BT_WORK_DQUERY], dkey_value = work[BT_WORK_DKEY_VALUE];
    const bt_matrix dcontext = work[BT_WORK_DCONTEXT];
    const bt_attention_bias dbias = {work[BT_WORK_DGATES], b->ddistances};
    bt_matrix dout;
    BT_TRY(ddrop(b, BT_SITE_PROJECTION, sequences, ds, dquery, &dout));                             /* do = D ds */
    BT_TRY(dlinear(b, sequences, rows->out_weight, rows->out_bias, 1, context, dout, 0, dcontext)); /* dc = Wo' do */
    BT_TRY(bt_attention_backward(b->device, &attention, kept[BT_KEPT_QUERY], sequences, half(key_value, 0),
                                 half(key_value, 1), sequences, context, dcontext, dquery, half(dkey_value, 0),
                                 half(dkey_value, 1), dbias));
    BT_TRY(dkeys_values(b, sequences, from, dkey_value, beta, dfrom));
    BT_TRY(dlinear(b, sequences, rows->query_weight, rows->query_bias, 1, from, dquery, 1, dfrom));
    if (b->spec.positions) BT_TRY(gates_backward(b, sequences, from, kept, work, dfrom));
cleanup:
    return status;
}

/* --- feed-forward ----------------------------------------------------------------------------------------------------
 */

/* a = D gelu(u). */
static bt_status activate(const bt_block_training *b, bt_sequences sequences, bt_matrix up, bt_matrix active)
{
    const bt_status status = bt_gelu_forward(b->device, up, active);
    return status == BT_OK ? drop(b, b->draws.rates->activation, BT_SITE_ACTIVATION, sequences, active) : status;
}

/* y = D W2 a, a = D gelu(W1 m), m = kept[BT_KEPT_MIDDLE]; each D a dropout of its own. */
static bt_status feed_forward(const bt_block_training *b, bt_sequences sequences, const bt_matrix *kept,
                              const bt_matrix *work, bt_matrix y)
{
    bt_status status = BT_OK;
    const bt_block_rows *const rows = &b->rows;
    BT_TRY(linear(b, sequences, rows->up_weight, rows->up_bias, 1, kept[BT_KEPT_MIDDLE], kept[BT_KEPT_UP]));
    BT_TRY(activate(b, sequences, kept[BT_KEPT_UP], work[BT_WORK_ACTIVE]));
    BT_TRY(linear(b, sequences, rows->down_weight, rows->down_bias, 1, work[BT_WORK_ACTIVE], y));
    BT_TRY(drop(b, b->draws.rates->hidden, BT_SITE_FEED_FORWARD, sequences, y));
cleanup:
    return status;
}

/* dm = beta dm + W1' gelu'(u) D W2' D dy; dm may be dy. */
static bt_status feed_backward(const bt_block_training *b, bt_sequences sequences, const bt_matrix *kept,
                               const bt_matrix *work, bt_matrix dy, double beta, bt_matrix dm)
{
    bt_status status = BT_OK;
    const bt_block_rows *const rows = &b->rows;
    const bt_matrix up = kept[BT_KEPT_UP], active = work[BT_WORK_ACTIVE], dup = work[BT_WORK_DUP];
    bt_matrix ddown;
    BT_TRY(activate(b, sequences, up, active));                                                  /* a, once more */
    BT_TRY(ddrop(b, BT_SITE_FEED_FORWARD, sequences, dy, work[BT_WORK_DQUERY], &ddown));         /* D dy */
    BT_TRY(dlinear(b, sequences, rows->down_weight, rows->down_bias, 1, active, ddown, 0, dup)); /* da = W2' D dy */
    BT_TRY(drop(b, b->draws.rates->activation, BT_SITE_ACTIVATION, sequences, dup));             /* D da */
    BT_TRY(bt_gelu_backward(b->device, up, dup, dup)); /* du = gelu'(u) D da */
    BT_TRY(dlinear(b, sequences, rows->up_weight, rows->up_bias, 1, kept[BT_KEPT_MIDDLE], dup, beta, dm));
cleanup:
    return status;
}

/* --- blocks ----------------------------------------------------------------------------------------------------------
 */

bt_status bt_block_forward(const bt_block_training *b, bt_matrix x, bt_sequences sequences, const bt_matrix *kept,
                           const bt_matrix *work, bt_matrix out)
{
    bt_status status = BT_OK;
    const bt_block_rows *const rows = &b->rows;
    const bool pre_norm = b->spec.pre_norm;
    const bt_matrix sum = kept[BT_KEPT_SUM], middle = kept[BT_KEPT_MIDDLE], outer = kept[BT_KEPT_OUTER];
    if (pre_norm) BT_TRY(norm(b, rows->norm_scale, rows->norm_shift, x, outer));
    BT_TRY(attention_forward(b, x, pre_norm ? outer : x, sequences, kept)); /* s = x + attention */
    BT_TRY(norm(b, pre_norm ? rows->final_scale : rows->norm_scale, pre_norm ? rows->final_shift : rows->norm_shift,
                sum, middle)); /* m = norm(s) */
    BT_TRY(feed_forward(b, sequences, kept, work, pre_norm ? out : outer));
    if (pre_norm) {
        BT_TRY(bt_matrix_add(b->device, sum, out, out)); /* y = s + feed-forward */
    } else {
        BT_TRY(bt_matrix_add(b->device, middle, outer, outer));
        BT_TRY(norm(b, rows->final_scale, rows->final_shift, outer, out)); /* y = norm(m + feed-forward) */
    }
cleanup:
    return status;
}

static bt_status post_norm_backward(const bt_block_training *b, bt_matrix x, bt_sequences sequences,
                                    const bt_matrix *kept, const bt_matrix *work, bt_matrix d, bool last)
{
    bt_status status = BT_OK;
    const bt_block_rows *const rows = &b->rows;
    BT_TRY(dnorm(b, rows->final_scale, rows->final_shift, kept[BT_KEPT_OUTER], d)); /* df = dnorm(dy) */
    BT_TRY(feed_backward(b, sequences, kept, work, d, 1, d));                       /* dm = df + W1' du */
    BT_TRY(dnorm(b, rows->norm_scale, rows->norm_shift, kept[BT_KEPT_SUM], d));     /* ds = dnorm(dm) */
    BT_TRY(attention_backward(b, x, sequences, kept, work, d, 1, last ? (bt_matrix){0} : d));
cleanup:
    return status;
}

static bt_status pre_norm_backward(const bt_block_training *b, bt_matrix x, bt_sequences sequences,
                                   const bt_matrix *kept, const bt_matrix *work, bt_matrix d, bool last)
{
    bt_status status = BT_OK;
    const bt_block_rows *const rows = &b->rows;
    const bt_matrix dnormed = work[BT_WORK_DCONTEXT];
    const bool needed = !last || has_gradient(b, rows->norm_scale);
    BT_TRY(feed_backward(b, sequences, kept, work, d, 0, dnormed));                     /* dm = W1' du */
    BT_TRY(dnorm(b, rows->final_scale, rows->final_shift, kept[BT_KEPT_SUM], dnormed)); /* ds = dy + dnorm(dm) */
    BT_TRY(bt_matrix_add(b->device, d, dnormed, d));
    BT_TRY(attention_backward(b, kept[BT_KEPT_OUTER], sequences, kept, work, d, 0, needed ? dnormed : (bt_matrix){0}));
    if (!needed) goto cleanup;
    BT_TRY(dnorm(b, rows->norm_scale, rows->norm_shift, x, dnormed)); /* dx = ds + dnorm(dn) */
    BT_TRY(bt_matrix_add(b->device, d, dnormed, d));
cleanup:
    return status;
}

bt_status bt_block_backward(const bt_block_training *b, bt_matrix x, bt_sequences sequences, const bt_matrix *kept,
                            const bt_matrix *work, bt_matrix d, bool last)
{
    bt_status status = BT_OK;
    BT_TRY(b->spec.pre_norm ? pre_norm_backward(b, x, sequences, kept, work, d, last)
                            : post_norm_backward(b, x, sequences, kept, work, d, last));
    BT_TRY(hand_on(b));
cleanup:
    return status;
}
