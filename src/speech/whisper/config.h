/* config.json and preprocessor_config.json of Whisper, and the encoder's input. */
#ifndef BT_SPEECH_WHISPER_CONFIG_H
#define BT_SPEECH_WHISPER_CONFIG_H

#include "base/status.h"
#include "speech/encoder.h"

#include <stddef.h>

typedef struct {
    size_t n_band;     /* of the log-mel frames */
    size_t n_position; /* frames of a whole input */
    bt_encoder_spec encoder;
} bt_whisper_config;

enum { BT_WHISPER_STRIDE = 2 }; /* log-mel frames from frame to frame */

/* Errors, BT_ERR_INPUT: a field missing, of another type, out of range, or one that contradicts another. */
bt_status bt_whisper_config_read(const bt_model_request *request, bt_whisper_config *out) BT_MUST_CHECK;

#endif
