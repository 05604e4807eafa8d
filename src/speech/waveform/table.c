/* The tensors before the blocks, by the names that transformers gives them. */
#include "speech/waveform/waveform.h"

#include <stdint.h>
#include <stdio.h>

enum { NAME_SIZE = 128 };

const bt_block_names bt_waveform_blocks = {.attention = "attention.",
                                           .norm = "layer_norm",
                                           .up = "feed_forward.intermediate_dense",
                                           .down = "feed_forward.output_dense",
                                           .final_norm = "final_layer_norm",
                                           .key_bias = true,
                                           .gate = "gru_rel_pos_linear",
                                           .gate_factors = "gru_rel_pos_const",
                                           .positions = "rel_attn_embed"};

/* The stack is not trained (DESIGN 7), hence frozen. */
static bt_status add_frozen(bt_parameters *table, const char *prefix, const char *name, size_t n, size_t *index)
{
    return bt_encoder_add(table, BT_ROLE_FROZEN, prefix, name, (const size_t[]){n, 0, 0}, index);
}

static bt_status add_front_end(const bt_waveform_config *config, bt_parameters *table, bt_front_end_rows *rows)
{
    bt_status status = BT_OK;
    const bt_front_end_spec *const spec = &config->front_end;
    for (size_t i = 0; i < spec->n_layer; ++i) {
        const size_t n = spec->channels[i], shape[] = {n, i ? spec->channels[i - 1] : 1, spec->kernels[i]};
        char prefix[NAME_SIZE / 2];
        (void)snprintf(prefix, sizeof prefix, "feature_extractor.conv_layers.%zu.", i);
        BT_TRY(bt_encoder_add(table, BT_ROLE_FROZEN, prefix, "conv.weight", shape, &rows->weight[i]));
        rows->bias[i] = SIZE_MAX;
        if (config->front_end_bias) BT_TRY(add_frozen(table, prefix, "conv.bias", n, &rows->bias[i]));
        if (i > 0 && !spec->layer_norm) continue;
        BT_TRY(add_frozen(table, prefix, "layer_norm.weight", n, &rows->norm_scale[i]));
        BT_TRY(add_frozen(table, prefix, "layer_norm.bias", n, &rows->norm_shift[i]));
    }
cleanup:
    return status;
}

/* Weight and its two factors, in the spelling of torch.nn.utils.weight_norm and of its parametrization. */
static bt_status add_position(const bt_embedding_spec *spec, bt_parameters *table, bt_embedding_rows *rows)
{
    bt_status status = BT_OK;
    bt_parameter g = {.name = "encoder.pos_conv_embed.conv.weight_g",
                      .spelling = "encoder.pos_conv_embed.conv.parametrizations.weight.original0",
                      .rank = 3,
                      .shape = {1, 1, spec->kernel},
                      .role = BT_ROLE_BACKBONE,
                      .trainable = true};
    bt_parameter v = g;
    v.name = "encoder.pos_conv_embed.conv.weight_v";
    v.spelling = "encoder.pos_conv_embed.conv.parametrizations.weight.original1";
    v.shape[0] = spec->hidden;
    v.shape[1] = spec->hidden / spec->groups;
    v.decay = true;
    bt_parameter weight = v;
    weight.name = "encoder.pos_conv_embed.conv.weight";
    weight.spelling = NULL;
    weight.derivation = BT_DERIVED_WEIGHT_NORM;
    weight.trainable = weight.decay = false;
    BT_TRY(bt_parameters_add(table, &g, &weight.from[0]));
    BT_TRY(bt_parameters_add(table, &v, &weight.from[1]));
    BT_TRY(bt_parameters_add(table, &weight, &rows->position_weight));
cleanup:
    return status;
}

static bt_status add_embedding(const bt_embedding_spec *spec, bt_parameters *table, bt_embedding_rows *rows)
{
    bt_status status = BT_OK;
    const bt_role role = BT_ROLE_BACKBONE;
    const char *const project = "feature_projection.", *const encoder = "encoder.";
    const size_t frame[] = {spec->channels, 0, 0}, row[] = {spec->hidden, 0, 0};
    const size_t weight[] = {spec->hidden, spec->channels, 0};
    BT_TRY(bt_encoder_add(table, BT_ROLE_FROZEN, "", "masked_spec_embed", row, &rows->masked));
    table->rows[rows->masked].optional = true;
    if (spec->frame_norm) {
        BT_TRY(bt_encoder_add(table, role, project, "layer_norm.weight", frame, &rows->frame_scale));
        BT_TRY(bt_encoder_add(table, role, project, "layer_norm.bias", frame, &rows->frame_shift));
    }
    BT_TRY(bt_encoder_add(table, role, project, "projection.weight", weight, &rows->project_weight));
    BT_TRY(bt_encoder_add(table, role, project, "projection.bias", row, &rows->project_bias));
    BT_TRY(add_position(spec, table, rows));
    BT_TRY(bt_encoder_add(table, role, encoder, "pos_conv_embed.conv.bias", row, &rows->position_bias));
    if (!spec->norm) goto cleanup;
    BT_TRY(bt_encoder_add(table, role, encoder, "layer_norm.weight", row, &rows->norm_scale));
    BT_TRY(bt_encoder_add(table, role, encoder, "layer_norm.bias", row, &rows->norm_shift));
cleanup:
    return status;
}

bt_status bt_waveform_table(const bt_waveform_config *config, bt_parameters *table, bt_waveform_rows *rows)
{
    bt_status status = BT_OK;
    rows->front_end_first = table->n;
    BT_TRY(add_front_end(config, table, &rows->front_end));
    bt_encoder_set_stage(table, rows->front_end_first, BT_STAGE_FRONT_END);
    rows->front_end_last = table->n - 1;
    rows->embedding_first = table->n;
    BT_TRY(add_embedding(&config->embedding, table, &rows->embedding));
    bt_encoder_set_stage(table, rows->embedding_first, BT_STAGE_EMBEDDING);
    rows->embedding_last = table->n - 1;
cleanup:
    return status;
}
