#include "speech/wav2vec2/family.h"

#include "speech/waveform/waveform.h"

static const char *const unused_tensors[] = {
    "quantizer.", "project_hid.", "project_q.",   /* Wav2Vec2ForPreTraining */
    "lm_head.",                                   /* Wav2Vec2ForCTC */
    "projector.", "classifier.",  "layer_weights" /* the classification classes */
};

static bt_parameter_names names(const char *folder)
{
    return (bt_parameter_names){.folder = folder,
                                .prefix = "wav2vec2.",
                                .unused = unused_tensors,
                                .n_unused = sizeof unused_tensors / sizeof *unused_tensors};
}

static const char *const refused[] = {"add_adapter"};

static const bt_waveform_kin kin = {.names = names, .refused = refused, .n_refused = sizeof refused / sizeof *refused};

static bt_status model_open(const bt_model_request *request, bt_model **out)
{
    return bt_waveform_open(&kin, request, out);
}

const bt_family bt_wav2vec2_family = {.name = "wav2vec2", .normalises = true, .names = names, .open = model_open};
