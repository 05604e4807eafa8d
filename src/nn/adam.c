#include "nn/adam.h"

#include "base/memory.h"
#include "device/backward.h"
#include "nn/trainable.h"

#include <string.h>

bt_adam_options bt_adam_defaults(void)
{
    return (bt_adam_options){.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
}

static bt_status take_ranges(bt_adam *adam, const bt_trainable_range *ranges, size_t n_range, size_t *count)
{
    bt_status status = BT_OK;
    const bt_trainable_range everything = {.count = adam->gradients->n_trainable};
    size_t end = 0;
    adam->n_range = ranges ? n_range : 1;
    BT_ALLOC(adam->ranges, adam->n_range);
    memcpy(adam->ranges, ranges ? ranges : &everything, adam->n_range * sizeof *ranges);
    *count = 0;
    for (size_t i = 0; i < adam->n_range; ++i) {
        const bt_trainable_range r = adam->ranges[i];
        BT_CHECK(r.first >= end && r.first + r.count <= adam->gradients->n_trainable, BT_ERR_INTERNAL,
                 "bt_adam_create: range %zu, elements %zu to %zu + %zu of %zu, does not ascend or leaves them", i,
                 r.first, r.first, r.count, adam->gradients->n_trainable);
        end = r.first + r.count;
        *count += r.count;
    }
cleanup:
    return status;
}

bt_status bt_adam_create(bt_adam *adam, const bt_adam_options *options, bt_parameters *table,
                         const bt_gradients *gradients, const bt_trainable_range *ranges, size_t n_range)
{
    bt_status status = BT_OK;
    size_t count = 0;
    *adam = (bt_adam){.options = *options, .device = gradients->device, .table = table, .gradients = gradients};
    BT_TRY(take_ranges(adam, ranges, n_range, &count));
    for (size_t i = 0; i < 2; ++i) BT_TRY(bt_buffer_create(adam->device, BT_F32, count, &adam->moments[i]));
cleanup:
    if (status != BT_OK) bt_adam_clear(adam);
    return status;
}

void bt_adam_clear(bt_adam *adam)
{
    bt_free(adam->ranges);
    for (size_t i = 0; i < 2; ++i) bt_buffer_destroy(&adam->moments[i]);
    *adam = (bt_adam){0};
}

static bt_matrix line(bt_buffer *buffer, size_t offset, size_t count)
{
    return (bt_matrix){.buffer = buffer, .offset = offset, .rows = 1, .columns = count, .stride = count};
}

/* Trainable elements of one row; their moments begin at `moment`. */
static bt_status update(bt_adam *adam, bt_trainable_piece piece, size_t moment, const double *rates)
{
    const bt_adam_options *const options = &adam->options;
    const bt_parameter *const row = &adam->table->rows[piece.row];
    const bt_adam_spec spec = {.rate = rates[row->role],
                               .beta1 = options->beta1,
                               .beta2 = options->beta2,
                               .epsilon = options->epsilon,
                               .decay = row->decay ? options->decay : 0,
                               .decoupled = options->decoupled,
                               .step = adam->step};
    return bt_adam_update(adam->device, &spec,
                          line(adam->gradients->values, adam->gradients->offsets[piece.row] + piece.first, piece.count),
                          line(adam->moments[0], moment, piece.count), line(adam->moments[1], moment, piece.count),
                          line(adam->table->values, row->offset + piece.first, piece.count));
}

bt_status bt_adam_apply(bt_adam *adam, const double *rates)
{
    bt_status status = BT_OK;
    size_t moment = 0;
    ++adam->step;
    for (size_t i = 0; i < adam->n_range; ++i) {
        const bt_trainable_range range = adam->ranges[i];
        for (size_t done = 0; done < range.count;) {
            const bt_trainable_piece piece = bt_trainable_at(adam->gradients, range.first + done, range.count - done);
            BT_TRY(update(adam, piece, moment, rates));
            done += piece.count;
            moment += piece.count;
        }
    }
    if (moment == adam->gradients->n_trainable) BT_TRY(bt_parameters_derive(adam->table, adam->device));
cleanup:
    return status;
}

/* Where the moments of elements [offset, offset + count) begin. */
static bt_status find_moments(const bt_adam *adam, size_t offset, size_t count, size_t *moment)
{
    *moment = 0;
    for (size_t i = 0; i < adam->n_range; ++i) {
        const bt_trainable_range r = adam->ranges[i];
        if (offset >= r.first && offset + count <= r.first + r.count) {
            *moment += offset - r.first;
            return BT_OK;
        }
        *moment += r.count;
    }
    return bt_fail(BT_ERR_INTERNAL, "bt_adam: elements %zu to %zu + %zu are in none of its ranges", offset, offset,
                   count);
}

bt_status bt_adam_read(const bt_adam *adam, int which, size_t offset, size_t count, float *host)
{
    size_t moment;
    const bt_status status = find_moments(adam, offset, count, &moment);
    return status == BT_OK ? bt_buffer_read(adam->moments[which], moment, host, count) : status;
}

bt_status bt_adam_write(bt_adam *adam, int which, size_t offset, size_t count, const float *host)
{
    size_t moment;
    const bt_status status = find_moments(adam, offset, count, &moment);
    return status == BT_OK ? bt_buffer_write(adam->moments[which], moment, host, count) : status;
}
