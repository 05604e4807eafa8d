/* The tensors of Wav2Vec2Model, by the names that transformers gives them. */
#include "base/memory.h"
#include "base/text.h"
#include "speech/wav2vec2/config.h"

#include <stdint.h>
#include <stdio.h>

enum { NAME_SIZE = 128 };

static const char *const unused_tensors[] = {
    "masked_spec_embed",                                 /* pre-training: replaces masked frames */
    "quantizer.",        "project_hid.", "project_q.",   /* Wav2Vec2ForPreTraining */
    "lm_head.",                                          /* Wav2Vec2ForCTC */
    "projector.",        "classifier.",  "layer_weights" /* the classification classes */
};

bt_parameter_names bt_wav2vec2_names(const char *folder)
{
    return (bt_parameter_names){.folder = folder,
                                .prefix = "wav2vec2.",
                                .unused = unused_tensors,
                                .n_unused = sizeof unused_tensors / sizeof *unused_tensors};
}

/* A tensor PREFIX + NAME of rank 1 to 3; sizes of 0 end the shape. Matrices and kernels decay, vectors do not. */
static bt_status add(bt_parameters *table, bt_role role, const char *prefix, const char *name, size_t a, size_t b,
                     size_t c, size_t *index)
{
    char full[NAME_SIZE];
    (void)snprintf(full, sizeof full, "%s%s", prefix, name);
    const bt_parameter row = {.name = full,
                              .rank = 1 + (b > 0) + (c > 0),
                              .shape = {a, b, c},
                              .role = role,
                              .trainable = role == BT_ROLE_BACKBONE,
                              .decay = b > 0};
    return bt_parameters_add(table, &row, index);
}

/* The stack is not trained (DESIGN 7), hence frozen. */
static bt_status add_front_end(const bt_wav2vec2_config *config, bt_parameters *table, bt_front_end_rows *rows)
{
    bt_status status = BT_OK;
    const bt_front_end_spec *const spec = &config->front_end;
    for (size_t i = 0; i < spec->n_layer; ++i) {
        char prefix[NAME_SIZE / 2];
        (void)snprintf(prefix, sizeof prefix, "feature_extractor.conv_layers.%zu.", i);
        BT_TRY(add(table, BT_ROLE_FROZEN, prefix, "conv.weight", spec->channels[i], i ? spec->channels[i - 1] : 1,
                   spec->kernels[i], &rows->weight[i]));
        rows->bias[i] = SIZE_MAX;
        if (config->front_end_bias)
            BT_TRY(add(table, BT_ROLE_FROZEN, prefix, "conv.bias", spec->channels[i], 0, 0, &rows->bias[i]));
        if (i > 0) continue;
        BT_TRY(add(table, BT_ROLE_FROZEN, prefix, "layer_norm.weight", spec->channels[0], 0, 0, &rows->norm_scale));
        BT_TRY(add(table, BT_ROLE_FROZEN, prefix, "layer_norm.bias", spec->channels[0], 0, 0, &rows->norm_shift));
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
    BT_TRY(add(table, role, project, "layer_norm.weight", spec->channels, 0, 0, &rows->frame_scale));
    BT_TRY(add(table, role, project, "layer_norm.bias", spec->channels, 0, 0, &rows->frame_shift));
    BT_TRY(add(table, role, project, "projection.weight", spec->hidden, spec->channels, 0, &rows->project_weight));
    BT_TRY(add(table, role, project, "projection.bias", spec->hidden, 0, 0, &rows->project_bias));
    BT_TRY(add_position(spec, table, rows));
    BT_TRY(add(table, role, encoder, "pos_conv_embed.conv.bias", spec->hidden, 0, 0, &rows->position_bias));
    BT_TRY(add(table, role, encoder, "layer_norm.weight", spec->hidden, 0, 0, &rows->norm_scale));
    BT_TRY(add(table, role, encoder, "layer_norm.bias", spec->hidden, 0, 0, &rows->norm_shift));
cleanup:
    return status;
}

/* Values follow keys, weights and biases apart: a block reads both as one matrix. */
static bt_status add_block(const bt_block_spec *spec, size_t i, bt_parameters *table, bt_block_rows *rows)
{
    bt_status status = BT_OK;
    const bt_role role = BT_ROLE_BACKBONE;
    const size_t h = spec->hidden, m = spec->intermediate;
    char prefix[NAME_SIZE / 2];
    (void)snprintf(prefix, sizeof prefix, "encoder.layers.%zu.", i);
    BT_TRY(add(table, role, prefix, "attention.q_proj.weight", h, h, 0, &rows->query_weight));
    BT_TRY(add(table, role, prefix, "attention.q_proj.bias", h, 0, 0, &rows->query_bias));
    BT_TRY(add(table, role, prefix, "attention.k_proj.weight", h, h, 0, &rows->key_weight));
    BT_TRY(add(table, role, prefix, "attention.v_proj.weight", h, h, 0, NULL));
    BT_TRY(add(table, role, prefix, "attention.k_proj.bias", h, 0, 0, &rows->key_bias));
    BT_TRY(add(table, role, prefix, "attention.v_proj.bias", h, 0, 0, NULL));
    BT_TRY(add(table, role, prefix, "attention.out_proj.weight", h, h, 0, &rows->out_weight));
    BT_TRY(add(table, role, prefix, "attention.out_proj.bias", h, 0, 0, &rows->out_bias));
    BT_TRY(add(table, role, prefix, "layer_norm.weight", h, 0, 0, &rows->norm_scale));
    BT_TRY(add(table, role, prefix, "layer_norm.bias", h, 0, 0, &rows->norm_shift));
    BT_TRY(add(table, role, prefix, "feed_forward.intermediate_dense.weight", m, h, 0, &rows->up_weight));
    BT_TRY(add(table, role, prefix, "feed_forward.intermediate_dense.bias", m, 0, 0, &rows->up_bias));
    BT_TRY(add(table, role, prefix, "feed_forward.output_dense.weight", h, m, 0, &rows->down_weight));
    BT_TRY(add(table, role, prefix, "feed_forward.output_dense.bias", h, 0, 0, &rows->down_bias));
    BT_TRY(add(table, role, prefix, "final_layer_norm.weight", h, 0, 0, &rows->final_scale));
    BT_TRY(add(table, role, prefix, "final_layer_norm.bias", h, 0, 0, &rows->final_shift));
cleanup:
    return status;
}

static void set_stage(bt_parameters *table, size_t first, int stage)
{
    for (size_t i = first; i < table->n; ++i) table->rows[i].stage = stage;
}

bt_status bt_wav2vec2_table(const bt_wav2vec2_config *config, bt_parameters *table, bt_wav2vec2_rows *rows)
{
    bt_status status = BT_OK;
    size_t first = table->n;
    BT_TRY(add_front_end(config, table, &rows->front_end));
    set_stage(table, first, BT_STAGE_FRONT_END);
    first = table->n;
    BT_TRY(add_embedding(&config->embedding, table, &rows->embedding));
    set_stage(table, first, BT_STAGE_EMBEDDING);
    for (size_t i = 0; i < config->n_block; ++i) {
        first = table->n;
        BT_TRY(add_block(&config->block, i, table, &rows->blocks[i]));
        set_stage(table, first, BT_STAGE_BLOCKS + (int)i);
    }
cleanup:
    return status;
}
