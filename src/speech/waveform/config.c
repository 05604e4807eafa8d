/* config.json of wav2vec 2.0 and its kin. */
#include "speech/waveform/waveform.h"

#include "speech/config.h"

enum { FRONT_END_TILE = 128 };

/* The norms of the front end have torch's default; layer_norm_eps is for the others. */
static const double front_end_epsilon = 1e-5;

/* The arrangement, and the variants that are refused. */
static bt_status read_variant(const bt_waveform_kin *kin, const char *folder, const bt_json *json,
                              bt_waveform_config *out)
{
    bt_status status = BT_OK;
    bool unused;
    BT_TRY(bt_json_bool(json, "do_stable_layer_norm", &out->encoder.final_norm));
    out->encoder.block.pre_norm = out->encoder.final_norm;
    out->embedding.norm = !out->encoder.final_norm;
    out->embedding.frame_norm = true;
    if (kin->frame_norm && bt_json_has(json, kin->frame_norm))
        BT_TRY(bt_json_bool(json, kin->frame_norm, &out->embedding.frame_norm));
    BT_TRY(bt_config_choice(folder, json, "feat_extract_norm", "group", "layer", &out->front_end.layer_norm));
    BT_TRY(bt_config_choice(folder, json, "feat_extract_activation", "gelu", NULL, &unused));
    BT_TRY(bt_config_choice(folder, json, "hidden_act", "gelu", NULL, &unused));
    for (size_t i = 0; i < kin->n_refused; ++i) BT_TRY(bt_config_false(folder, json, kin->refused[i]));
    BT_CHECK(!bt_json_has(json, "adapter_attn_dim"), BT_ERR_INPUT,
             "%s/config.json: key \"adapter_attn_dim\": adapters of attention are not supported", folder);
cleanup:
    return status;
}

static bt_status read_front_end(const char *folder, const bt_json *json, bt_waveform_config *out)
{
    bt_status status = BT_OK;
    bt_front_end_spec *const spec = &out->front_end;
    size_t n_kernel = 0, n_stride = 0, n_layer = 0;
    BT_TRY(bt_config_sizes(folder, json, "conv_dim", spec->channels, BT_FRONT_END_LAYERS, &spec->n_layer));
    BT_TRY(bt_config_sizes(folder, json, "conv_kernel", spec->kernels, BT_FRONT_END_LAYERS, &n_kernel));
    BT_TRY(bt_config_sizes(folder, json, "conv_stride", spec->strides, BT_FRONT_END_LAYERS, &n_stride));
    BT_CHECK(spec->n_layer > 0 && n_kernel == spec->n_layer && n_stride == spec->n_layer, BT_ERR_INPUT,
             "%s/config.json: keys \"conv_dim\", \"conv_kernel\", \"conv_stride\": expected lists of equal length, "
             "found %zu, "
             "%zu and %zu",
             folder, spec->n_layer, n_kernel, n_stride);
    if (bt_json_has(json, "num_feat_extract_layers")) {
        BT_TRY(bt_config_size(folder, json, "num_feat_extract_layers", &n_layer));
        BT_CHECK(n_layer == spec->n_layer, BT_ERR_INPUT,
                 "%s/config.json: key \"num_feat_extract_layers\": %zu, but \"conv_dim\" lists %zu layers", folder,
                 n_layer, spec->n_layer);
    }
    BT_TRY(bt_json_bool(json, "conv_bias", &out->front_end_bias));
    spec->epsilon = front_end_epsilon;
    spec->tile = FRONT_END_TILE;
cleanup:
    return status;
}

static bt_status read_encoder(const char *folder, const bt_json *json, bt_waveform_config *out)
{
    bt_status status = BT_OK;
    bt_embedding_spec *const embedding = &out->embedding;
    bt_block_spec *const block = &out->encoder.block;
    double epsilon;
    BT_TRY(bt_config_size(folder, json, "hidden_size", &block->hidden));
    BT_TRY(bt_config_blocks(folder, json, "num_hidden_layers", &out->encoder.n_block));
    BT_TRY(bt_config_size(folder, json, "num_attention_heads", &block->heads));
    BT_TRY(bt_config_size(folder, json, "intermediate_size", &block->intermediate));
    BT_TRY(bt_config_size(folder, json, "num_conv_pos_embeddings", &embedding->kernel));
    BT_TRY(bt_config_size(folder, json, "num_conv_pos_embedding_groups", &embedding->groups));
    BT_TRY(bt_json_real(json, "layer_norm_eps", &epsilon));
    BT_CHECK(epsilon > 0 && epsilon < 1, BT_ERR_INPUT,
             "%s/config.json: key \"layer_norm_eps\": expected a number between 0 and 1, found %g", folder, epsilon);
    BT_TRY(bt_config_divides(folder, "num_attention_heads", block->heads, "hidden_size", block->hidden));
    BT_TRY(bt_config_divides(folder, "num_conv_pos_embedding_groups", embedding->groups, "hidden_size", block->hidden));
    embedding->channels = out->front_end.channels[out->front_end.n_layer - 1];
    embedding->hidden = block->hidden;
    embedding->epsilon = block->epsilon = epsilon;
    block->mask = BT_MASK_NONE;
cleanup:
    return status;
}

bt_status bt_waveform_config_read(const bt_waveform_kin *kin, const char *folder, const bt_json *json,
                                  bt_waveform_config *out)
{
    bt_status status = BT_OK;
    *out = (bt_waveform_config){0};
    BT_TRY(read_variant(kin, folder, json, out));
    BT_TRY(read_front_end(folder, json, out));
    BT_TRY(read_encoder(folder, json, out));
    if (kin->config) BT_TRY(kin->config(folder, json, out));
cleanup:
    return status;
}
