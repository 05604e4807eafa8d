/* Opening a model folder, and the calls that every family answers. */
#include "speech/model.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "speech/encoder.h"
#include "speech/family.h"

#include <limits.h>
#include <string.h>

/* --- the folder's small files ----------------------------------------------------------------------------------------
 */

static bt_status find_family(const char *folder, const bt_json *config, const bt_family **out)
{
    bt_status status = BT_OK;
    char *type = NULL;
    bt_text known = {0};
    *out = NULL;
    BT_TRY(bt_json_text(config, "model_type", &type));
    for (size_t i = 0; (*out = bt_family_at(i)) != NULL; ++i) {
        if (!strcmp((*out)->name, type)) goto cleanup;
        BT_TRY(bt_text_add(&known, "%s%s", i ? ", " : "", (*out)->name));
    }
    status = bt_fail(BT_ERR_INPUT, "%s/config.json: key \"model_type\": unknown family \"%s\"; known: %s", folder, type,
                     known.data);
cleanup:
    bt_free(type);
    bt_text_clear(&known);
    return status;
}

/* Without preprocessor_config.json the defaults of Wav2Vec2FeatureExtractor hold, as in transformers. */
static bt_status read_preprocessor(const bt_family *family, const bt_json *json, bt_model_request *request,
                                   bool *normalise)
{
    bt_status status = BT_OK;
    int64_t rate = 16000;
    request->preprocessor = json;
    *normalise = family->normalises;
    if (!json)
        bt_log_warn("%s: no preprocessor_config.json; taking 16000 Hz%s", request->folder,
                    family->normalises ? " and do_normalize=true" : "");
    if (json && family->normalises && bt_json_has(json, "do_normalize"))
        BT_TRY(bt_json_bool(json, "do_normalize", normalise));
    if (json && bt_json_has(json, "sampling_rate")) BT_TRY(bt_json_int(json, "sampling_rate", &rate));
    BT_CHECK(rate > 0 && rate <= 1000000, BT_ERR_INPUT,
             "%s/preprocessor_config.json: key \"sampling_rate\": expected 1 to 1000000 Hz, found %lld",
             request->folder, (long long)rate);
    request->rate = (int)rate;
cleanup:
    return status;
}

static bt_status identify(const char *folder, bt_model *model)
{
    bt_status status = BT_OK;
    bt_model_facts *const facts = &model->facts;
    model->folder = bt_strdup(folder);
    BT_CHECK(model->folder, BT_ERR_MEMORY, "%s: out of memory", folder);
    BT_TRY(bt_identity_read(folder, &model->identity));
    const bt_model_identity said = bt_identity_view(&model->identity);
    facts->name = said.name;
    facts->origin = said.origin;
    facts->objective = said.objective;
    facts->target = said.target;
    facts->tuned_subject = said.tuned_subject;
    facts->epoch = said.epoch;
    facts->base = said.base;
    facts->seed = said.seed;
cleanup:
    return status;
}

static bt_status read_config(const char *folder, bt_json **out)
{
    bt_status status = BT_OK;
    char *path = NULL;
    *out = NULL;
    BT_CHECK(bt_path_is_directory(folder), BT_ERR_INPUT,
             "%s: no such folder; model= takes a folder with config.json and model.safetensors", folder);
    path = bt_path_join(folder, "config.json");
    BT_CHECK(path, BT_ERR_MEMORY, "%s: out of memory", folder);
    BT_CHECK(bt_path_exists(path), BT_ERR_INPUT,
             "%s: no such file; a model folder holds config.json and model.safetensors as Hugging Face writes them",
             path);
    BT_TRY(bt_json_read(path, out));
cleanup:
    bt_free(path);
    return status;
}

/* --- life ------------------------------------------------------------------------------------------------------------
 */

bt_status bt_model_open(const char *folder, bt_device *device, bt_model **out)
{
    bt_status status = BT_OK;
    bt_json *config = NULL, *preprocessor = NULL;
    bt_model *model = NULL;
    bool normalise;
    const bt_family *family = NULL;
    bt_model_request request = {.folder = folder, .device = device};
    *out = NULL;
    BT_TRY(read_config(folder, &config));
    request.config = config;
    BT_TRY(find_family(folder, config, &family));
    BT_TRY(bt_folder_read(folder, "preprocessor_config.json", &preprocessor));
    BT_TRY(read_preprocessor(family, preprocessor, &request, &normalise));
    BT_TRY(family->open(&request, &model));
    model->family = family;
    model->device = device;
    model->facts.family = family->name;
    model->facts.rate = request.rate;
    model->facts.normalise = normalise;
    BT_TRY(identify(folder, model));
    *out = model;
    model = NULL;
cleanup:
    bt_model_close(&model);
    bt_json_close(&preprocessor);
    bt_json_close(&config);
    return status;
}

void bt_model_close(bt_model **model)
{
    if (!*model) return;
    bt_free((*model)->folder);
    bt_identity_clear(&(*model)->identity);
    bt_encoder *const encoder = bt_encoder_of(*model);
    encoder->input->close(encoder);
    *model = NULL;
}

/* --- questions -------------------------------------------------------------------------------------------------------
 */

bt_model_facts bt_model_describe(const bt_model *model)
{
    return model->facts;
}

void bt_model_set_normalise(bt_model *model, bool normalise)
{
    model->facts.normalise = normalise;
}

void bt_model_set_input(bt_model *model, const bt_model_input *input)
{
    bt_encoder *const encoder = bt_encoder_of(model);
    if (encoder->input->set) encoder->input->set(encoder, input);
}

size_t bt_model_frames(const bt_model *model, size_t n_sample)
{
    const bt_encoder *const encoder = bt_encoder_of_const(model);
    return encoder->input->frames(encoder, n_sample);
}

size_t bt_model_rows(const bt_model *model, size_t n_sample)
{
    const bt_encoder *const encoder = bt_encoder_of_const(model);
    return encoder->input->rows(encoder, n_sample);
}

double bt_model_flops(const bt_model *model, size_t n_sample)
{
    return bt_model_flops_to_frames(model, n_sample) + bt_model_flops_of_frames(model, bt_model_rows(model, n_sample));
}

double bt_model_flops_to_frames(const bt_model *model, size_t n_sample)
{
    const bt_encoder *const encoder = bt_encoder_of_const(model);
    return encoder->input->flops(encoder, n_sample);
}

double bt_model_flops_of_frames(const bt_model *model, size_t n_row)
{
    const bt_encoder *const encoder = bt_encoder_of_const(model);
    const double embedding = encoder->input->embed ? encoder->input->embed_flops(encoder, n_row) : 0;
    return embedding + (double)encoder->spec.n_block * bt_block_flops(&encoder->spec.block, n_row, n_row);
}

size_t bt_model_hop(const bt_model *model)
{
    const bt_encoder *const encoder = bt_encoder_of_const(model);
    return encoder->input->hop(encoder);
}

double bt_model_frame_time(const bt_model *model, size_t frame)
{
    return ((double)frame + 0.5) * (double)bt_model_hop(model) / (double)model->facts.rate;
}

bool bt_model_frames_move(const bt_model *model)
{
    return bt_encoder_of_const(model)->input->embed != NULL;
}

size_t bt_model_frame_width(const bt_model *model)
{
    const bt_encoder *const encoder = bt_encoder_of_const(model);
    return encoder->input->width(encoder);
}

/* --- states ----------------------------------------------------------------------------------------------------------
 */

bt_status bt_model_check_layers(const bt_model *model, const size_t *layers, size_t n_layer)
{
    for (size_t i = 0; i < n_layer; ++i) {
        if (layers[i] >= model->facts.n_layer)
            return bt_fail(BT_ERR_USAGE, "layer %zu: model %s has layers 0 to %zu", layers[i], model->facts.name,
                           model->facts.n_layer - 1);
        if (i > 0 && layers[i] <= layers[i - 1])
            return bt_fail(BT_ERR_USAGE, "layers: %zu behind %zu; expected ascending layers", layers[i], layers[i - 1]);
    }
    return BT_OK;
}

bt_status bt_model_check_sequences(const bt_model *model, const size_t *offsets, size_t n_sequence)
{
    bt_status status = BT_OK;
    const bt_model_facts *const facts = &model->facts;
    const double rate = (double)facts->rate;
    for (size_t s = 0; s < n_sequence; ++s) {
        const size_t n = offsets[s + 1] - offsets[s];
        BT_CHECK(n >= facts->minimum_samples, BT_ERR_INPUT,
                 "sequence %zu has %zu samples; model %s needs at least %zu (%.4f s) for one frame", s, n, facts->name,
                 facts->minimum_samples, (double)facts->minimum_samples / rate);
        BT_CHECK(n <= facts->maximum_samples, BT_ERR_INPUT,
                 "sequence %zu has %zu samples (%.2f s); model %s takes at most %zu (%.2f s): cut it into windows", s,
                 n, (double)n / rate, facts->name, facts->maximum_samples, (double)facts->maximum_samples / rate);
    }
cleanup:
    return status;
}

bt_status bt_model_states(bt_model *model, const float *samples, const size_t *offsets, size_t n_sequence,
                          const size_t *layers, size_t n_layer, bt_pool pool, float *out)
{
    bt_status status = BT_OK;
    BT_TRY(bt_model_check_layers(model, layers, n_layer));
    if (n_layer == 0) goto cleanup;
    BT_TRY(bt_model_check_sequences(model, offsets, n_sequence));
    BT_TRY(bt_encoder_states(bt_encoder_of(model), samples, NULL, offsets, n_sequence, layers, n_layer, pool, out));
cleanup:
    return status;
}

bt_status bt_model_front_end(bt_model *model, const float *samples, const size_t *offsets, size_t n_sequence,
                             float *frames)
{
    const bt_status status = bt_model_check_sequences(model, offsets, n_sequence);
    return status == BT_OK ? bt_encoder_front_end(bt_encoder_of(model), samples, offsets, n_sequence, frames) : status;
}

bt_status bt_model_states_of_frames(bt_model *model, const float *frames, const size_t *offsets, size_t n_sequence,
                                    const size_t *layers, size_t n_layer, bt_pool pool, float *out)
{
    bt_status status = BT_OK;
    BT_TRY(bt_model_check_layers(model, layers, n_layer));
    BT_CHECK(bt_model_frames_move(model), BT_ERR_INTERNAL, "bt_model_states_of_frames: model %s", model->facts.name);
    for (size_t s = 0; s < n_sequence; ++s)
        BT_CHECK(offsets[s + 1] > offsets[s], BT_ERR_INTERNAL, "states of frames: sequence %zu has no frame", s);
    if (n_layer == 0) goto cleanup;
    BT_TRY(bt_encoder_states(bt_encoder_of(model), NULL, frames, offsets, n_sequence, layers, n_layer, pool, out));
cleanup:
    return status;
}
