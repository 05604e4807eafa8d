#include "tuning/change.h"

#include "base/memory.h"
#include "nn/trainable.h"
#include "speech/encoder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct bt_change {
    const bt_comm *comm; /* borrowed */
    bt_names layers;
    size_t *layer_of; /* (rows of the table) */
    float *begin;     /* this rank's slices, one after the other */
    double *sums;     /* (layers, 2): squares of W - W0 and of W0 */
};

/* By the stage that finishes the row: the front end, a block (the first is layer_01), and what is neither. */
static void layer_name(const bt_parameter *row, char *name, size_t size)
{
    if (row->stage == BT_STAGE_FRONT_END)
        (void)snprintf(name, size, "front_end");
    else
        (void)snprintf(name, size, "layer_%02d", row->stage < BT_STAGE_BLOCKS ? 0 : row->stage - BT_STAGE_BLOCKS + 1);
}

static size_t index_of(const bt_names *names, const char *name)
{
    size_t i = 0;
    while (i < names->n && strcmp(names->items[i], name) != 0) ++i;
    return i;
}

static bt_status name_layers(bt_change *change, const bt_parameters *table)
{
    bt_status status = BT_OK;
    char name[32];
    for (size_t i = 0; i < table->n; ++i) {
        if (!table->rows[i].trainable) continue;
        layer_name(&table->rows[i], name, sizeof name);
        if (!bt_names_have(&change->layers, name)) BT_TRY(bt_names_add(&change->layers, name));
    }
    bt_names_sort(&change->layers);
    BT_ALLOC(change->layer_of, table->n);
    for (size_t i = 0; i < table->n; ++i) {
        layer_name(&table->rows[i], name, sizeof name);
        change->layer_of[i] = index_of(&change->layers, name);
    }
    BT_ALLOC(change->sums, 2 * change->layers.n);
cleanup:
    return status;
}

bt_status bt_change_create(bt_trainer *trainer, const bt_comm *comm, bt_change **out)
{
    bt_status status = BT_OK;
    bt_change *change = NULL;
    *out = NULL;
    const bt_gradients *const gradients = bt_training_gradients(bt_trainer_training(trainer));
    BT_ALLOC(change, 1);
    change->comm = comm;
    BT_TRY(name_layers(change, gradients->table));
    BT_ALLOC(change->begin, bt_trainer_slice_total(trainer));
    BT_TRY(bt_trainer_read_slices(trainer, change->begin));
    *out = change;
    change = NULL;
cleanup:
    bt_change_destroy(&change);
    return status;
}

void bt_change_destroy(bt_change **change)
{
    if (!*change) return;
    bt_names_clear(&(*change)->layers);
    bt_free((*change)->layer_of);
    bt_free((*change)->begin);
    bt_free((*change)->sums);
    bt_free(*change);
    *change = NULL;
}

const bt_names *bt_change_layers(const bt_change *change)
{
    return &change->layers;
}

static void add_piece(bt_change *change, size_t row, const float *now, const float *begin, size_t n)
{
    double *const sums = change->sums + 2 * change->layer_of[row];
    for (size_t i = 0; i < n; ++i) {
        const double moved = (double)now[i] - (double)begin[i];
        sums[0] += moved * moved;
        sums[1] += (double)begin[i] * (double)begin[i];
    }
}

/* This rank's slices. */
static bt_status add_slices(bt_change *change, bt_trainer *trainer, float *now)
{
    bt_status status = BT_OK;
    const bt_gradients *const gradients = bt_training_gradients(bt_trainer_training(trainer));
    const float *begin = change->begin;
    BT_TRY(bt_trainer_read_slices(trainer, now));
    for (size_t s = 0; s < bt_trainer_slices(trainer); ++s) {
        const bt_range slice = bt_trainer_slice(trainer, s);
        for (size_t at = slice.low; at < slice.high;) {
            const bt_trainable_piece piece = bt_trainable_at(gradients, at, slice.high - at);
            add_piece(change, piece.row, now, begin, piece.count);
            at += piece.count;
            now += piece.count;
            begin += piece.count;
        }
    }
cleanup:
    return status;
}

bt_status bt_change_measure(bt_change *change, bt_trainer *trainer, double *relative)
{
    bt_status status = BT_OK;
    float *now = bt_calloc(bt_trainer_slice_total(trainer), sizeof *now);
    memset(change->sums, 0, 2 * change->layers.n * sizeof *change->sums);
    BT_TRY(bt_agree(change->comm, now ? add_slices(change, trainer, now) : BT_ERR_MEMORY));
    BT_TRY(bt_comm_sum_f64(change->comm, change->sums, 2 * change->layers.n));
    for (size_t l = 0; l < change->layers.n; ++l)
        relative[l] = change->sums[2 * l + 1] > 0 ? sqrt(change->sums[2 * l] / change->sums[2 * l + 1]) : 0;
cleanup:
    bt_free(now);
    return status;
}
