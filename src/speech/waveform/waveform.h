/* What wav2vec 2.0 and its kin share: models that hear the samples themselves through a convolutional front end, then a
 * feature projection and a positional convolution. Two arrangements: base (group norm in the front end, post-norm
 * blocks) and large (layer norm after every convolution, pre-norm blocks: "do_stable_layer_norm"). A family of this kin
 * is a bt_waveform_kin. */
#ifndef BT_SPEECH_WAVEFORM_WAVEFORM_H
#define BT_SPEECH_WAVEFORM_WAVEFORM_H

#include "base/status.h"
#include "io/json.h"
#include "nn/embedding.h"
#include "nn/front_end.h"
#include "speech/encoder.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    bt_front_end_spec front_end;
    bool front_end_bias;
    bt_embedding_spec embedding;
    bt_encoder_spec encoder;
} bt_waveform_config;

typedef struct {
    bt_parameter_names (*names)(const char *folder); /* of its tensors in checkpoints */
    const char *frame_norm;     /* key of config.json: a norm before the projection; NULL: always */
    const char *const *refused; /* keys of config.json that must be false or missing */
    size_t n_refused;
    /* What else config.json says, behind all that the kin shares; NULL: nothing. Errors as bt_waveform_config_read. */
    bt_status (*config)(const char *folder, const bt_json *json, bt_waveform_config *config);
} bt_waveform_kin;

/* Errors, BT_ERR_INPUT: a field missing, of another type, out of range, contradicting another, or of a variant that is
 * not supported. */
bt_status bt_waveform_config_read(const bt_waveform_kin *kin, const char *folder, const bt_json *json,
                                  bt_waveform_config *out) BT_MUST_CHECK;

/* Where the tensors before the blocks are in the table. */
typedef struct {
    bt_front_end_rows front_end;
    bt_embedding_rows embedding;
    size_t front_end_first, front_end_last, embedding_first, embedding_last; /* all of each */
} bt_waveform_rows;

/* Front end and embedding; the encoder's rows come behind them. */
bt_status bt_waveform_table(const bt_waveform_config *config, bt_parameters *table,
                            bt_waveform_rows *rows) BT_MUST_CHECK;
extern const bt_block_names bt_waveform_blocks;

typedef struct {
    bt_encoder encoder; /* first: a bt_model pointer is a pointer to this */
    bt_waveform_config config;
    bt_waveform_rows rows;
    bt_front_end *front_end;
    bt_embedding *embedding;
} bt_waveform;

static inline const bt_waveform *bt_waveform_of(const bt_encoder *encoder)
{
    return (const bt_waveform *)encoder;
}

/* As normalisation in Wav2Vec2FeatureExtractor. */
#define BT_WAVEFORM_INPUT_EPSILON 1e-7

extern const bt_input_training bt_waveform_training;

/* As `open` of a bt_family. */
bt_status bt_waveform_open(const bt_waveform_kin *kin, const bt_model_request *request, bt_model **out) BT_MUST_CHECK;

#endif
