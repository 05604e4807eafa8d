#include "nn/gradients.h"

#include "base/memory.h"
#include "device/backward.h"

#include <assert.h>
#include <stdint.h>

static bool is_derived_from_trainable(const bt_parameters *table, const bt_parameter *row)
{
    return row->derivation != BT_DERIVED_NOT &&
           (table->rows[row->from[0]].trainable || table->rows[row->from[1]].trainable);
}

bt_status bt_gradients_create(bt_gradients *g, bt_device *device, const bt_parameters *table)
{
    bt_status status = BT_OK;
    size_t count = 0;
    *g = (bt_gradients){.device = device, .table = table};
    BT_ALLOC(g->offsets, table->n);
    for (size_t i = 0; i < table->n; ++i) {
        g->offsets[i] = table->rows[i].trainable ? count : SIZE_MAX;
        if (table->rows[i].trainable) count += table->rows[i].count;
    }
    g->n_trainable = count;
    for (size_t i = 0; i < table->n; ++i)
        if (is_derived_from_trainable(table, &table->rows[i])) {
            g->offsets[i] = count;
            count += table->rows[i].count;
        }
    BT_TRY(bt_buffer_create(device, BT_F32, count, &g->values));
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

bt_status bt_gradients_hand_on(bt_gradients *g, size_t index)
{
    bt_status status = BT_OK;
    const bt_parameter *const row = &g->table->rows[index], *const direction = &g->table->rows[row->from[1]];
    const bt_matrix dw = bt_gradient_matrix(g, index);
    if (!dw.buffer) return BT_OK;
    assert(row->derivation == BT_DERIVED_WEIGHT_NORM);
    BT_TRY(bt_weight_norm_backward(g->device, bt_parameter_matrix(g->table, row->from[0]),
                                   by_last_axis(bt_parameter_matrix(g->table, row->from[1]), direction),
                                   by_last_axis(dw, row), bt_gradient_matrix(g, row->from[0]),
                                   by_last_axis(bt_gradient_matrix(g, row->from[1]), direction)));
    BT_TRY(bt_matrix_clear(g->device, dw));
cleanup:
    return status;
}
