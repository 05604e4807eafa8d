#include "speech/hubert/family.h"

#include "speech/waveform/waveform.h"

static const char *const unused_tensors[] = {
    "lm_head.",                                  /* HubertForCTC */
    "projector.", "classifier.", "layer_weights" /* HubertForSequenceClassification */
};

static bt_parameter_names names(const char *folder)
{
    return (bt_parameter_names){.folder = folder,
                                .prefix = "hubert.",
                                .unused = unused_tensors,
                                .n_unused = sizeof unused_tensors / sizeof *unused_tensors};
}

static const char *const refused[] = {"conv_pos_batch_norm"};

static const bt_waveform_kin kin = {.names = names,
                                    .frame_norm = "feat_proj_layer_norm",
                                    .refused = refused,
                                    .n_refused = sizeof refused / sizeof *refused};

static bt_status model_open(const bt_model_request *request, bt_model **out)
{
    return bt_waveform_open(&kin, request, out);
}

const bt_family bt_hubert_family = {.name = "hubert", .normalises = true, .names = names, .open = model_open};
