#include "speech/whisper/config.h"

#include "speech/config.h"
#include "speech/whisper/log_mel.h"

/* torch's default, of all norms. */
static const double norm_epsilon = 1e-5;

/* A size of preprocessor_config.json, where it is given. */
static bt_status expect_size(const bt_model_request *request, const char *key, int64_t expected, const char *reason)
{
    bt_status status = BT_OK;
    int64_t found = expected;
    if (!request->preprocessor || !bt_json_has(request->preprocessor, key)) return BT_OK;
    BT_TRY(bt_json_int(request->preprocessor, key, &found));
    BT_CHECK(found == expected, BT_ERR_INPUT, "%s/preprocessor_config.json: key \"%s\": expected %lld%s, found %lld",
             request->folder, key, (long long)expected, reason, (long long)found);
cleanup:
    return status;
}

/* chunk_length seconds must give as many frames as there are positions. */
static bt_status check_length(const bt_model_request *request, const bt_whisper_config *config)
{
    bt_status status = BT_OK;
    int64_t seconds = 30;
    const size_t hop = BT_LOG_MEL_HOP * BT_WHISPER_STRIDE;
    if (request->preprocessor && bt_json_has(request->preprocessor, "chunk_length"))
        BT_TRY(bt_json_int(request->preprocessor, "chunk_length", &seconds));
    BT_CHECK(seconds > 0 && (size_t)seconds < SIZE_MAX / (size_t)request->rate &&
                 (size_t)seconds * (size_t)request->rate == config->n_position * hop,
             BT_ERR_INPUT,
             "%s/config.json: key \"max_source_positions\": %zu, but inputs of %lld s at %d Hz "
             "(preprocessor_config.json) give %.2f frames of %zu samples",
             request->folder, config->n_position, (long long)seconds, request->rate,
             (double)seconds * request->rate / (double)hop, hop);
cleanup:
    return status;
}

bt_status bt_whisper_config_read(const bt_model_request *request, bt_whisper_config *out)
{
    bt_status status = BT_OK;
    const char *const folder = request->folder;
    const bt_json *const json = request->config;
    bool unused;
    *out = (bt_whisper_config){.encoder = {.final_norm = true}};
    bt_block_spec *const block = &out->encoder.block;
    *block = (bt_block_spec){.epsilon = norm_epsilon, .pre_norm = true, .mask = BT_MASK_NONE};
    BT_TRY(bt_config_size(folder, json, "num_mel_bins", &out->n_band));
    BT_TRY(bt_config_size(folder, json, "max_source_positions", &out->n_position));
    BT_TRY(bt_config_size(folder, json, "d_model", &block->hidden));
    BT_TRY(bt_config_blocks(folder, json, "encoder_layers", &out->encoder.n_block));
    BT_TRY(bt_config_size(folder, json, "encoder_attention_heads", &block->heads));
    BT_TRY(bt_config_size(folder, json, "encoder_ffn_dim", &block->intermediate));
    BT_TRY(bt_config_divides(folder, "encoder_attention_heads", block->heads, "d_model", block->hidden));
    BT_TRY(bt_config_choice(folder, json, "activation_function", "gelu", NULL, &unused));
    BT_TRY(expect_size(request, "feature_size", (int64_t)out->n_band, " (\"num_mel_bins\" of config.json)"));
    BT_TRY(expect_size(request, "hop_length", BT_LOG_MEL_HOP, ""));
    BT_TRY(expect_size(request, "n_fft", BT_LOG_MEL_WINDOW, ""));
    BT_TRY(expect_size(request, "dither", 0, ""));
    BT_TRY(check_length(request, out));
cleanup:
    return status;
}
