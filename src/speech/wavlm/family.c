#include "speech/wavlm/family.h"

#include "speech/config.h"
#include "speech/waveform/waveform.h"

static const char *const unused_tensors[] = {
    "lm_head.", /* WavLMForCTC */
    "projector.",
    "classifier.",
    "layer_weights", /* the classification classes */
    "tdnn.",
    "feature_extractor.weight",
    "feature_extractor.bias",
    "objective." /* WavLMForXVector */
};

static bt_parameter_names names(const char *folder)
{
    return (bt_parameter_names){.folder = folder,
                                .prefix = "wavlm.",
                                .unused = unused_tensors,
                                .n_unused = sizeof unused_tensors / sizeof *unused_tensors};
}

enum { FEWEST_BUCKETS = 4 }; /* two in each direction, of which one is for a single distance */

static bt_status read_positions(const char *folder, const bt_json *json, bt_waveform_config *config)
{
    bt_status status = BT_OK;
    bt_position_spec *const spec = &config->encoder.positions;
    BT_TRY(bt_config_size(folder, json, "num_buckets", &spec->n_bucket));
    BT_TRY(bt_config_size(folder, json, "max_bucket_distance", &spec->farthest));
    BT_CHECK(spec->n_bucket >= FEWEST_BUCKETS, BT_ERR_INPUT,
             "%s/config.json: key \"num_buckets\": expected at least %d, found %zu", folder, (int)FEWEST_BUCKETS,
             spec->n_bucket);
    BT_CHECK(spec->farthest > spec->n_bucket / 4, BT_ERR_INPUT,
             "%s/config.json: key \"max_bucket_distance\": expected more than a quarter of \"num_buckets\" %zu, found "
             "%zu",
             folder, spec->n_bucket, spec->farthest);
    config->encoder.block.positions = true;
cleanup:
    return status;
}

static const char *const refused[] = {"add_adapter"};

static const bt_waveform_kin kin = {
    .names = names, .refused = refused, .n_refused = sizeof refused / sizeof *refused, .config = read_positions};

static bt_status model_open(const bt_model_request *request, bt_model **out)
{
    return bt_waveform_open(&kin, request, out);
}

const bt_family bt_wavlm_family = {.name = "wavlm", .normalises = true, .names = names, .open = model_open};
