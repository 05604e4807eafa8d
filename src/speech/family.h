/* Model families. A new one is a folder beside wav2vec2/, a bt_family in it, and one line in family.c; what it can
 * share is in speech/encoder.h and, for models that hear samples, speech/waveform/. */
#ifndef BT_SPEECH_FAMILY_H
#define BT_SPEECH_FAMILY_H

#include "base/status.h"
#include "device/device.h"
#include "io/json.h"
#include "nn/ragged.h"
#include "speech/folder.h"
#include "speech/model.h"
#include "speech/training.h"

#include <stdbool.h>
#include <stddef.h>

/* What model.c has read before a family looks at the weights; borrowed. */
typedef struct {
    const char *folder;
    const bt_json *config;       /* config.json */
    const bt_json *preprocessor; /* preprocessor_config.json; NULL: there is none */
    int rate;
    bt_device *device;
} bt_model_request;

typedef struct {
    const char *name;                                /* "model_type" of config.json */
    bool normalises;                                 /* do_normalize of preprocessor_config.json means its inputs */
    bt_parameter_names (*names)(const char *folder); /* of its tensors in checkpoints */
    /* A bt_encoder (speech/encoder.h); fills the facts n_layer, n_hidden, minimum_samples, maximum_samples and
     * n_parameter. */
    bt_status (*open)(const bt_model_request *request, bt_model **out);
} bt_family;

/* What all families' models begin with. */
struct bt_model {
    const bt_family *family;
    bt_device *device; /* borrowed */
    char *folder;      /* that it was read from */
    bt_identity identity;
    bt_model_facts facts;
    const bt_parameters *parameters; /* as read; filled by `open` */
};

/* What all families' trainings begin with. */
struct bt_training {
    bt_model *model;           /* borrowed */
    bt_parameters *parameters; /* the training's own; rows 0 .. model->parameters->n are the model's, in its order */
    bt_gradients gradients;
    size_t *layers; /* (n_layer) */
    size_t n_layer;
    bool recompute, train_front_end;
    bt_gradients_ready ready;
    bt_ragged frames, samples; /* sequences of the latest forward; samples with train_front_end only */
    size_t *real;              /* (frames.n) rows that hold sound */
    size_t real_capacity;
    bt_matrix *states, *dstates; /* (n_layer) after forward */
    bool waits;                  /* forward was, backward was not */
    bt_regularisation regularisation;
    bt_draws draws;    /* of the latest forward */
    uint64_t step_key; /* for the next one */
    uint64_t *keys;    /* (n_drawn) for the next one, or of the latest */
    size_t n_drawn, key_capacity;
};

/* Which linear maps get adapters; BT_ERR_USAGE for a name that is none or comes twice. */
enum { BT_LORA_QUERY, BT_LORA_KEY, BT_LORA_VALUE, BT_LORA_OUT, BT_LORA_UP, BT_LORA_DOWN, BT_LORA_TARGETS };
bt_status bt_lora_targets(const bt_lora_options *options, bool targets[BT_LORA_TARGETS]) BT_MUST_CHECK;

/* BT_ERR_USAGE unless the layers are the model's and ascend; BT_ERR_INPUT for a sequence that gives no frame. */
bt_status bt_model_check_layers(const bt_model *model, const size_t *layers, size_t n_layer) BT_MUST_CHECK;
bt_status bt_model_check_sequences(const bt_model *model, const size_t *offsets, size_t n_sequence) BT_MUST_CHECK;

const bt_family *bt_family_at(size_t index); /* NULL behind the last */

#endif
