#include "nn/adam.h"

#include "base/memory.h"
#include "device/backward.h"

#include <stdint.h>

bt_adam_options bt_adam_defaults(void)
{
    return (bt_adam_options){.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
}

bt_status bt_adam_create(bt_adam *adam, const bt_adam_options *options, bt_device *device, bt_parameters *table,
                         int owner)
{
    bt_status status = BT_OK;
    size_t count = 0;
    *adam = (bt_adam){.options = *options, .device = device, .table = table};
    BT_ALLOC(adam->offsets, table->n);
    for (size_t i = 0; i < table->n; ++i) {
        const bt_parameter *const row = &table->rows[i];
        const bool ours = row->trainable && (owner == BT_EVERY_OWNER || row->owner == owner);
        adam->offsets[i] = ours ? count : SIZE_MAX;
        if (ours) count += row->count;
    }
    BT_TRY(bt_buffer_create(device, BT_F32, count, &adam->first));
    BT_TRY(bt_buffer_create(device, BT_F32, count, &adam->second));
cleanup:
    if (status != BT_OK) bt_adam_clear(adam);
    return status;
}

void bt_adam_clear(bt_adam *adam)
{
    bt_free(adam->offsets);
    bt_buffer_destroy(&adam->first);
    bt_buffer_destroy(&adam->second);
    *adam = (bt_adam){0};
}

bt_matrix bt_adam_moment(const bt_adam *adam, size_t index, int which)
{
    if (adam->offsets[index] == SIZE_MAX) return (bt_matrix){0};
    bt_matrix moment = bt_matrix_of(which == 0 ? adam->first : adam->second, 1, adam->table->rows[index].count);
    moment.offset = adam->offsets[index];
    return moment;
}

/* (1, count) */
static bt_matrix in_a_line(bt_matrix matrix)
{
    matrix.columns = matrix.stride = matrix.rows * matrix.columns;
    matrix.rows = 1;
    return matrix;
}

bt_status bt_adam_apply(bt_adam *adam, const bt_gradients *gradients, const double *rates)
{
    bt_status status = BT_OK;
    const bt_adam_options *const options = &adam->options;
    ++adam->step;
    for (size_t i = 0; i < adam->table->n; ++i) {
        const bt_parameter *const row = &adam->table->rows[i];
        if (adam->offsets[i] == SIZE_MAX) continue;
        const bt_adam_spec spec = {.rate = rates[row->role],
                                   .beta1 = options->beta1,
                                   .beta2 = options->beta2,
                                   .epsilon = options->epsilon,
                                   .decay = row->decay ? options->decay : 0,
                                   .step = adam->step};
        BT_TRY(bt_adam_update(adam->device, &spec, in_a_line(bt_gradient_matrix(gradients, i)),
                              bt_adam_moment(adam, i, 0), bt_adam_moment(adam, i, 1),
                              in_a_line(bt_parameter_matrix(adam->table, i))));
    }
    BT_TRY(bt_parameters_derive(adam->table));
cleanup:
    return status;
}
