#include "speech/encoder_trained.h"

#include "base/memory.h"
#include "device/backward.h"
#include "nn/lora.h"

#include <stdint.h>

static bool is_trained(const bt_encoder_trained *t, const bt_parameter *row, const bt_training_options *options)
{
    if (row->optional) return t->embedding && options->regularisation.time.p > 0; /* what masked frames are */
    if (row->stage == BT_STAGE_FRONT_END) return t->front_end;
    if (row->stage == BT_STAGE_EMBEDDING) return t->embedding;
    if (row->stage == BT_STAGE_FINAL_NORM) return t->final_norm;
    const size_t block = (size_t)(row->stage - BT_STAGE_BLOCKS);
    return block >= t->lowest && block < t->n_block && options->lora.rank == 0;
}

static void choose_rows(bt_encoder_trained *t, const bt_training_options *options)
{
    for (size_t i = 0; i < t->table.n; ++i) {
        bt_parameter *const row = &t->table.rows[i];
        if (row->derivation != BT_DERIVED_NOT) continue;
        row->trainable = is_trained(t, row, options);
        row->role = row->trainable ? BT_ROLE_BACKBONE : BT_ROLE_FROZEN;
    }
}

/* The weight that each target is, in the order of the adapters; n of them. */
static bt_status find_targets(const bt_block_rows *rows, const bt_lora_options *lora, size_t found[BT_LORA_TARGETS],
                              size_t *n)
{
    const size_t weights[BT_LORA_TARGETS] = {
        [BT_LORA_QUERY] = rows->query_weight, [BT_LORA_KEY] = rows->key_weight, [BT_LORA_VALUE] = rows->key_weight + 1,
        [BT_LORA_OUT] = rows->out_weight,     [BT_LORA_UP] = rows->up_weight,   [BT_LORA_DOWN] = rows->down_weight};
    bool targets[BT_LORA_TARGETS];
    const bt_status status = bt_lora_targets(lora, targets);
    *n = 0;
    for (size_t i = 0; i < BT_LORA_TARGETS && status == BT_OK; ++i)
        if (targets[i]) found[(*n)++] = weights[i];
    return status;
}

static bt_status add_adapters(bt_encoder_trained *t, const bt_encoder *model, const bt_lora_options *lora)
{
    bt_status status = BT_OK;
    size_t targets[BT_LORA_TARGETS], n = 0;
    t->adapters = t->table.n;
    for (size_t b = t->lowest; b < t->n_block && lora->rank > 0; ++b) {
        BT_TRY(find_targets(&model->rows->blocks[b], lora, targets, &n));
        BT_CHECK(n > 0, BT_ERR_USAGE,
                 "LoRA of rank %zu without a target; expected some of query, key, value, out, up, down", lora->rank);
        for (size_t i = 0; i < n; ++i) BT_TRY(bt_lora_add(&t->table, targets[i], lora->rank, lora->alpha));
        t->n_adapter = (t->table.n - t->adapters) / (b + 1 - t->lowest);
    }
cleanup:
    return status;
}

/* Values of the model's rows; those of an adapted weight go to its base. */
static bt_status fill(bt_encoder_trained *t, const bt_encoder *model, const bt_lora_options *lora)
{
    bt_status status = BT_OK;
    bt_device *const device = model->base.device;
    BT_TRY(bt_buffer_create(device, BT_F32, t->table.n_value, &t->table.values));
    for (size_t i = 0; i < model->parameters.n; ++i) {
        const bool adapted = t->table.rows[i].derivation == BT_DERIVED_LORA;
        BT_TRY(bt_matrix_copy(device, bt_parameter_matrix(&model->parameters, i),
                              bt_parameter_matrix(&t->table, adapted ? t->table.rows[i].from[0] : i)));
        if (adapted) BT_TRY(bt_lora_initialise(&t->table, i, lora->seed));
    }
    BT_TRY(bt_parameters_derive(&t->table, device));
cleanup:
    return status;
}

/* Rows as the model has them, frozen or not. */
static bt_status copy_table(const bt_parameters *from, bt_parameters *to)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < from->n; ++i) BT_TRY(bt_parameters_add(to, &from->rows[i], NULL));
cleanup:
    return status;
}

/* Dropout of the input, and masks, are the waveform models'; masked frames need their tensor. */
static bt_status check_regularisation(const bt_encoder *model, const bt_regularisation *r)
{
    bt_status status = BT_OK;
    const bt_parameters *const table = &model->parameters;
    const size_t hidden = model->spec.block.hidden;
    BT_CHECK(
        model->input->training || (r->input <= 0 && r->time.p <= 0 && r->feature.p <= 0), BT_ERR_USAGE,
        "dropout.input, mask.time, mask.feature: models of family %s have no feature projection in training; leave "
        "them at 0",
        model->base.facts.family);
    BT_CHECK(r->feature.p <= 0 || r->feature.length <= hidden, BT_ERR_USAGE,
             "mask.feature_length=%zu: model %s has %zu columns", r->feature.length, model->base.facts.name, hidden);
    for (size_t i = 0; i < table->n && r->time.p > 0; ++i)
        BT_CHECK(!table->rows[i].optional || table->rows[i].derivation == BT_DERIVED_NOT, BT_ERR_INPUT,
                 "%s: no tensor %s, which masked frames need; take a checkpoint that has it, or leave mask.time at 0",
                 model->base.folder, table->rows[i].name);
cleanup:
    return status;
}

bt_status bt_encoder_trained_create(const bt_encoder *model, const bt_training_options *options,
                                    bt_encoder_trained *out)
{
    bt_status status = BT_OK;
    const bool everything = options->trained_blocks == SIZE_MAX, adapted = options->lora.rank > 0;
    *out = (bt_encoder_trained){.n_block = options->layers[options->n_layer - 1], .rank = options->lora.rank};
    BT_CHECK(everything || options->trained_blocks <= out->n_block, BT_ERR_USAGE,
             "training the top %zu blocks: only %zu run up to layer %zu", options->trained_blocks, out->n_block,
             out->n_block);
    BT_CHECK(everything || !options->train_front_end, BT_ERR_USAGE,
             "training the front end below frozen blocks; take all blocks, or leave the front end frozen");
    BT_CHECK(model->input->training || !options->train_front_end, BT_ERR_USAGE,
             "training the front end: models of family %s have theirs always frozen", model->base.facts.family);
    BT_TRY(check_regularisation(model, &options->regularisation));
    out->front_end = options->train_front_end;
    out->lowest = everything ? 0 : out->n_block - options->trained_blocks;
    out->embedding = everything && !adapted && model->input->training;
    out->final_norm =
        model->spec.final_norm && out->n_block == model->spec.n_block && options->trained_blocks > 0 && !adapted;
    BT_TRY(copy_table(&model->parameters, &out->table));
    choose_rows(out, options);
    BT_TRY(add_adapters(out, model, &options->lora));
    BT_TRY(fill(out, model, &options->lora));
cleanup:
    if (status != BT_OK) bt_encoder_trained_clear(out);
    return status;
}

void bt_encoder_trained_clear(bt_encoder_trained *trained)
{
    bt_parameters_clear(&trained->table);
}
