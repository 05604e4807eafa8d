/* Which weights of a wav2vec2 model a training moves: its own parameter table. */
#ifndef BT_SPEECH_WAV2VEC2_TRAINED_H
#define BT_SPEECH_WAV2VEC2_TRAINED_H

#include "speech/wav2vec2/model.h"

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialise. */
typedef struct {
    bt_parameters table;        /* the model's rows, then adapters */
    size_t n_block;             /* that run: the last layer asked for */
    size_t lowest;              /* the first block with trained rows; n_block: none */
    bool front_end;             /* is trained */
    bool embedding;             /* has trained rows */
    size_t adapters, n_adapter; /* the first row of block `lowest`'s adapters, and rows per block */
} bt_wav2vec2_trained;

/* Values are the model's. Errors: BT_ERR_USAGE for options that do not fit the model. */
bt_status bt_wav2vec2_trained_create(const bt_wav2vec2 *model, const bt_training_options *options,
                                     bt_wav2vec2_trained *out) BT_MUST_CHECK;
void bt_wav2vec2_trained_clear(bt_wav2vec2_trained *trained);

#endif
