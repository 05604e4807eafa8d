/* Model families. A new one is a folder beside wav2vec2/, a bt_family in it, and one line in family.c. */
#ifndef BT_SPEECH_FAMILY_H
#define BT_SPEECH_FAMILY_H

#include "base/status.h"
#include "device/device.h"
#include "io/json.h"
#include "speech/model.h"

#include <stdbool.h>
#include <stddef.h>

/* What model.c has read before a family looks at the weights; borrowed. */
typedef struct {
    const char *folder;
    const bt_json *config; /* config.json */
    bool normalise;        /* preprocessor_config.json */
    int rate;
    bt_device *device;
} bt_model_request;

typedef struct {
    const char *name; /* "model_type" of config.json */
    /* A model whose first member is a bt_model; fills facts.n_layer, n_hidden, minimum_samples, n_parameter. */
    bt_status (*open)(const bt_model_request *request, bt_model **out);
    void (*close)(bt_model *model); /* frees the model itself too */
    size_t (*frames)(const bt_model *model, size_t n_sample);
    double (*flops)(const bt_model *model, size_t n_sample);
    double (*frame_time)(const bt_model *model, size_t frame);
    /* As bt_model_states, arguments checked. */
    bt_status (*states)(bt_model *model, const float *samples, const size_t *offsets, size_t n_sequence,
                        const size_t *layers, size_t n_layer, bt_pool pool, float *out);
} bt_family;

/* What all families' models begin with. */
struct bt_model {
    const bt_family *family;
    bt_device *device; /* borrowed */
    bt_model_facts facts;
    char *name, *origin;
};

const bt_family *bt_family_at(size_t index); /* NULL behind the last */

#endif
