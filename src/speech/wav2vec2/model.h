/* A wav2vec2 model on a device, as its files share it. */
#ifndef BT_SPEECH_WAV2VEC2_MODEL_H
#define BT_SPEECH_WAV2VEC2_MODEL_H

#include "nn/arena.h"
#include "nn/ragged.h"
#include "speech/family.h"
#include "speech/wav2vec2/config.h"

#include <stddef.h>

typedef struct {
    bt_model base; /* first: a bt_model pointer is a pointer to this */
    bt_wav2vec2_config config;
    bt_parameters parameters;
    bt_wav2vec2_rows *rows;
    bt_front_end *front_end;
    bt_embedding *embedding;
    bt_block *blocks[BT_WAV2VEC2_BLOCKS];
    bt_arena *arena;
    bt_ragged frames, single; /* frames of the sequences of a group; one row for each of them */
    size_t *last_rows;        /* of each sequence of a group */
    size_t last_capacity;
} bt_wav2vec2;

/* As normalisation in Wav2Vec2FeatureExtractor. */
#define BT_WAV2VEC2_INPUT_EPSILON 1e-7

/* Training, for the family's table of functions. */
bt_status bt_wav2vec2_training_create(bt_model *model, const bt_training_options *options,
                                      bt_training **out) BT_MUST_CHECK;
void bt_wav2vec2_training_destroy(bt_training *training);
size_t bt_wav2vec2_training_bytes(const bt_training *training, size_t n_sequence, size_t n_frame);
bt_status bt_wav2vec2_training_forward(bt_training *training, const float *input) BT_MUST_CHECK;
bt_status bt_wav2vec2_training_backward(bt_training *training) BT_MUST_CHECK;

#endif
