#include "nn/trainable.h"

#include <assert.h>
#include <stdbool.h>

static bool holds(const bt_gradients *g, size_t row, size_t element)
{
    return g->table->rows[row].trainable && element >= g->offsets[row] &&
           element - g->offsets[row] < g->table->rows[row].count;
}

bt_trainable_piece bt_trainable_at(const bt_gradients *g, size_t offset, size_t count)
{
    size_t row = 0;
    assert(count > 0 && offset + count <= g->n_trainable);
    while (!holds(g, row, offset)) ++row;
    const size_t first = offset - g->offsets[row], left = g->table->rows[row].count - first;
    return (bt_trainable_piece){.row = row, .first = first, .count = left < count ? left : count};
}

static bt_status check_range(const char *call, const bt_gradients *g, size_t offset, size_t count)
{
    if (offset <= g->n_trainable && count <= g->n_trainable - offset) return BT_OK;
    return bt_fail(BT_ERR_INTERNAL, "%s: elements %zu to %zu + %zu are not among %zu trainable ones", call, offset,
                   offset, count, g->n_trainable);
}

bt_status bt_parameters_read_trainable(const bt_parameters *table, const bt_gradients *gradients, size_t offset,
                                       size_t count, float *host)
{
    bt_status status = BT_OK;
    BT_TRY(check_range("bt_parameters_read_trainable", gradients, offset, count));
    for (size_t done = 0; done < count;) {
        const bt_trainable_piece piece = bt_trainable_at(gradients, offset + done, count - done);
        BT_TRY(bt_buffer_read(table->values, table->rows[piece.row].offset + piece.first, host + done, piece.count));
        done += piece.count;
    }
cleanup:
    return status;
}

bt_status bt_parameters_write_trainable(bt_parameters *table, const bt_gradients *gradients, size_t offset,
                                        size_t count, const float *host)
{
    bt_status status = BT_OK;
    BT_TRY(check_range("bt_parameters_write_trainable", gradients, offset, count));
    for (size_t done = 0; done < count;) {
        const bt_trainable_piece piece = bt_trainable_at(gradients, offset + done, count - done);
        BT_TRY(bt_buffer_write(table->values, table->rows[piece.row].offset + piece.first, host + done, piece.count));
        done += piece.count;
    }
cleanup:
    return status;
}
