/* config.json of wav2vec 2.0 and its kin. */
#include "speech/waveform/waveform.h"

#include "base/memory.h"

#include <string.h>

enum { LARGEST_SIZE = 1 << 24, FRONT_END_TILE = 128 };

/* The norms of the front end have torch's default; layer_norm_eps is for the others. */
static const double front_end_epsilon = 1e-5;

static bt_status read_size(const char *folder, const bt_json *json, const char *key, size_t *out)
{
    int64_t value;
    const bt_status status = bt_json_int(json, key, &value);
    if (status != BT_OK) return status;
    if (value < 1 || value > LARGEST_SIZE)
        return bt_fail(BT_ERR_INPUT, "%s/config.json: key \"%s\": expected 1 to %d, found %lld", folder, key,
                       (int)LARGEST_SIZE, (long long)value);
    *out = (size_t)value;
    return BT_OK;
}

static bt_status read_sizes(const char *folder, const bt_json *json, const char *key, size_t *out, size_t *n)
{
    int64_t values[BT_FRONT_END_LAYERS];
    const bt_status status = bt_json_ints(json, key, values, BT_FRONT_END_LAYERS, n);
    if (status != BT_OK) return status;
    for (size_t i = 0; i < *n; ++i) {
        if (values[i] < 1 || values[i] > LARGEST_SIZE)
            return bt_fail(BT_ERR_INPUT, "%s/config.json: key \"%s\": element %zu: expected 1 to %d, found %lld",
                           folder, key, i, (int)LARGEST_SIZE, (long long)values[i]);
        out[i] = (size_t)values[i];
    }
    return BT_OK;
}

/* One of two texts; the message says what other values are. */
static bt_status read_choice(const char *folder, const bt_json *json, const char *key, const char *first,
                             const char *second, bool *is_second)
{
    bt_status status = BT_OK;
    char *found = NULL;
    BT_TRY(bt_json_text(json, key, &found));
    *is_second = second && !strcmp(found, second);
    BT_CHECK(*is_second || !strcmp(found, first), BT_ERR_INPUT,
             "%s/config.json: key \"%s\": expected \"%s\"%s%s%s, found \"%s\": that variant is not supported", folder,
             key, first, second ? " or \"" : "", second ? second : "", second ? "\"" : "", found);
cleanup:
    bt_free(found);
    return status;
}

static bt_status expect_false(const char *folder, const bt_json *json, const char *key)
{
    bool found = false;
    if (!bt_json_has(json, key)) return BT_OK;
    const bt_status status = bt_json_bool(json, key, &found);
    if (status != BT_OK || !found) return status;
    return bt_fail(BT_ERR_INPUT,
                   "%s/config.json: key \"%s\": expected false, found true: that variant is not supported", folder,
                   key);
}

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
    BT_TRY(read_choice(folder, json, "feat_extract_norm", "group", "layer", &out->front_end.layer_norm));
    BT_TRY(read_choice(folder, json, "feat_extract_activation", "gelu", NULL, &unused));
    BT_TRY(read_choice(folder, json, "hidden_act", "gelu", NULL, &unused));
    for (size_t i = 0; i < kin->n_refused; ++i) BT_TRY(expect_false(folder, json, kin->refused[i]));
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
    BT_TRY(read_sizes(folder, json, "conv_dim", spec->channels, &spec->n_layer));
    BT_TRY(read_sizes(folder, json, "conv_kernel", spec->kernels, &n_kernel));
    BT_TRY(read_sizes(folder, json, "conv_stride", spec->strides, &n_stride));
    BT_CHECK(spec->n_layer > 0 && n_kernel == spec->n_layer && n_stride == spec->n_layer, BT_ERR_INPUT,
             "%s/config.json: keys \"conv_dim\", \"conv_kernel\", \"conv_stride\": expected lists of equal length, "
             "found %zu, "
             "%zu and %zu",
             folder, spec->n_layer, n_kernel, n_stride);
    if (bt_json_has(json, "num_feat_extract_layers")) {
        BT_TRY(read_size(folder, json, "num_feat_extract_layers", &n_layer));
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

static bt_status check_divides(const char *folder, const char *key, size_t parts, size_t hidden)
{
    if (hidden % parts == 0) return BT_OK;
    return bt_fail(BT_ERR_INPUT, "%s/config.json: key \"%s\": %zu does not divide \"hidden_size\" %zu", folder, key,
                   parts, hidden);
}

static bt_status read_encoder(const char *folder, const bt_json *json, bt_waveform_config *out)
{
    bt_status status = BT_OK;
    bt_embedding_spec *const embedding = &out->embedding;
    bt_block_spec *const block = &out->encoder.block;
    double epsilon;
    BT_TRY(read_size(folder, json, "hidden_size", &block->hidden));
    BT_TRY(read_size(folder, json, "num_hidden_layers", &out->encoder.n_block));
    BT_TRY(read_size(folder, json, "num_attention_heads", &block->heads));
    BT_TRY(read_size(folder, json, "intermediate_size", &block->intermediate));
    BT_TRY(read_size(folder, json, "num_conv_pos_embeddings", &embedding->kernel));
    BT_TRY(read_size(folder, json, "num_conv_pos_embedding_groups", &embedding->groups));
    BT_TRY(bt_json_real(json, "layer_norm_eps", &epsilon));
    BT_CHECK(epsilon > 0 && epsilon < 1, BT_ERR_INPUT,
             "%s/config.json: key \"layer_norm_eps\": expected a number between 0 and 1, found %g", folder, epsilon);
    BT_CHECK(out->encoder.n_block <= BT_ENCODER_BLOCKS, BT_ERR_INPUT,
             "%s/config.json: key \"num_hidden_layers\": expected at most %d, found %zu", folder,
             (int)BT_ENCODER_BLOCKS, out->encoder.n_block);
    BT_TRY(check_divides(folder, "num_attention_heads", block->heads, block->hidden));
    BT_TRY(check_divides(folder, "num_conv_pos_embedding_groups", embedding->groups, block->hidden));
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
cleanup:
    return status;
}
