/* Which weights of a model a training moves: its own parameter table. */
#ifndef BT_SPEECH_ENCODER_TRAINED_H
#define BT_SPEECH_ENCODER_TRAINED_H

#include "speech/encoder.h"

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialise. */
typedef struct {
    bt_parameters table;        /* the model's rows, then adapters */
    size_t n_block;             /* that run: the last layer asked for */
    size_t lowest;              /* the first block with trained rows; n_block: none */
    bool front_end;             /* is trained */
    bool embedding;             /* has trained rows */
    bool final_norm;            /* runs and is trained */
    size_t rank;                /* of adapters; 0: there are none */
    size_t adapters, n_adapter; /* the first row of block `lowest`'s adapters, and rows per block */
} bt_encoder_trained;

/* Values are the model's. Errors: BT_ERR_USAGE for options that do not fit the model. */
bt_status bt_encoder_trained_create(const bt_encoder *model, const bt_training_options *options,
                                    bt_encoder_trained *out) BT_MUST_CHECK;
void bt_encoder_trained_clear(bt_encoder_trained *trained);

#endif
