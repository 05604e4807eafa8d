#include "nn/gradients.h"

#include "base/memory.h"
#include "device/backward.h"

#include <assert.h>
#include <stdint.h>

static bool is_derived_from_trainable(const bt_parameters *table, const bt_parameter *row)
{
    if (row->derivation == BT_DERIVED_NOT || row->derivation == BT_DERIVED_ZERO) return false;
    const size_t n = row->derivation == BT_DERIVED_LORA ? 3 : 2;
    for (size_t i = 0; i < n; ++i)
        if (table->rows[row->from[i]].trainable) return true;
    return false;
}

/* Offsets of the derived rows, from n_trainable on in every stage; elements of the whole buffer. */
static size_t place_derived(bt_gradients *g)
{
    size_t whole = g->n_trainable, next = g->n_trainable;
    const bt_parameter *before = NULL;
    for (size_t i = 0; i < g->table->n; ++i) {
        const bt_parameter *const row = &g->table->rows[i];
        if (!is_derived_from_trainable(g->table, row)) continue;
        if (before && before->stage != row->stage) next = g->n_trainable;
        g->offsets[i] = next;
        next += row->count;
        whole = next > whole ? next : whole;
        before = row;
    }
    return whole;
}

bt_status bt_gradients_create(bt_gradients *g, bt_device *device, const bt_parameters *table)
{
    bt_status status = BT_OK;
    *g = (bt_gradients){.device = device, .table = table};
    BT_ALLOC(g->offsets, table->n);
    for (size_t i = 0; i < table->n; ++i) {
        g->offsets[i] = table->rows[i].trainable ? g->n_trainable : SIZE_MAX;
        if (table->rows[i].trainable) g->n_trainable += table->rows[i].count;
    }
    BT_TRY(bt_buffer_create(device, BT_F32, place_derived(g), &g->values));
cleanup:
    if (status != BT_OK) bt_gradients_clear(g);
    return status;
}

void bt_gradients_clear(bt_gradients *g)
{
    bt_free(g->offsets);
    bt_buffer_destroy(&g->values);
    *g = (bt_gradients){0};
}

bt_status bt_gradients_zero(bt_gradients *g)
{
    const size_t n = bt_buffer_count(g->values);
    return n ? bt_matrix_clear(g->device, bt_matrix_of(g->values, 1, n)) : BT_OK;
}

bt_matrix bt_gradient_matrix(const bt_gradients *g, size_t index)
{
    return bt_gradient_join(g, index, 1);
}

bt_matrix bt_gradient_join(const bt_gradients *g, size_t index, size_t n)
{
    for (size_t i = 0; i < n; ++i) assert((g->offsets[index + i] == SIZE_MAX) == (g->offsets[index] == SIZE_MAX));
    if (g->offsets[index] == SIZE_MAX) return (bt_matrix){0};
    bt_matrix matrix = bt_parameter_join(g->table, index, n);
    matrix.buffer = g->values;
    matrix.offset = g->offsets[index];
    return matrix;
}

void bt_gradients_range(const bt_gradients *g, size_t first, size_t last, size_t *offset, size_t *count)
{
    *offset = *count = 0;
    for (size_t i = first; i <= last; ++i) {
        if (!g->table->rows[i].trainable) continue;
        if (*count == 0) *offset = g->offsets[i];
        *count += g->table->rows[i].count;
    }
}

/* Rows of all but the last axis, columns of the last. */
static bt_matrix by_last_axis(bt_matrix matrix, const bt_parameter *row)
{
    matrix.columns = matrix.stride = row->shape[row->rank - 1];
    matrix.rows = row->count / matrix.columns;
    return matrix;
}

static bt_status hand_on_weight_norm(const bt_gradients *g, const bt_parameter *row, bt_matrix dw)
{
    const bt_parameter *const direction = &g->table->rows[row->from[1]];
    return bt_weight_norm_backward(g->device, bt_parameter_matrix(g->table, row->from[0]),
                                   by_last_axis(bt_parameter_matrix(g->table, row->from[1]), direction),
                                   by_last_axis(dw, row), bt_gradient_matrix(g, row->from[0]),
                                   by_last_axis(bt_gradient_matrix(g, row->from[1]), direction));
}

static bt_status hand_on_lora(const bt_gradients *g, const bt_parameter *row, bt_matrix dw)
{
    bt_status status = BT_OK;
    const bt_matrix a = bt_parameter_matrix(g->table, row->from[1]), b = bt_parameter_matrix(g->table, row->from[2]);
    const bt_matrix da = bt_gradient_matrix(g, row->from[1]), db = bt_gradient_matrix(g, row->from[2]);
    BT_TRY(bt_product(g->device, BT_PLAIN, BT_TRANSPOSED, row->scale, dw, a, 1, db)); /* dB += scale dW A' */
    BT_TRY(bt_product(g->device, BT_TRANSPOSED, BT_PLAIN, row->scale, b, dw, 1, da)); /* dA += scale B' dW */
cleanup:
    return status;
}

bt_status bt_gradients_hand_on(const bt_gradients *g, size_t index)
{
    bt_status status = BT_OK;
    const bt_parameter *const row = &g->table->rows[index];
    const bt_matrix dw = bt_gradient_matrix(g, index);
    if (row->derivation == BT_DERIVED_NOT || !dw.buffer) return BT_OK;
    if (row->derivation == BT_DERIVED_WEIGHT_NORM) BT_TRY(hand_on_weight_norm(g, row, dw));
    if (row->derivation == BT_DERIVED_LORA) BT_TRY(hand_on_lora(g, row, dw));
    BT_TRY(bt_matrix_clear(g->device, dw));
cleanup:
    return status;
}

static bt_status range(const bt_gradients *g, size_t offset, size_t count, bt_matrix *out)
{
    if (offset > g->n_trainable || count > g->n_trainable - offset)
        return bt_fail(BT_ERR_INTERNAL, "gradients: elements %zu to %zu + %zu are not among %zu", offset, offset, count,
                       g->n_trainable);
    *out = (bt_matrix){.buffer = g->values, .offset = offset, .rows = 1, .columns = count, .stride = count};
    return BT_OK;
}

bt_status bt_gradients_squares(const bt_gradients *g, size_t offset, size_t count, double *sum)
{
    bt_matrix part = {0};
    const bt_status status = range(g, offset, count, &part);
    return status == BT_OK ? bt_matrix_squares(g->device, part, sum) : status;
}

bt_status bt_gradients_scale(const bt_gradients *g, size_t offset, size_t count, double factor)
{
    bt_matrix part = {0};
    const bt_status status = range(g, offset, count, &part);
    return status == BT_OK ? bt_matrix_scale(g->device, factor, part) : status;
}

bt_status bt_gradients_add(const bt_gradients *g, size_t offset, size_t count, const float *host)
{
    bt_matrix part = {0};
    const bt_status status = range(g, offset, count, &part);
    return status == BT_OK ? bt_buffer_add(part.buffer, part.offset, host, count) : status;
}
