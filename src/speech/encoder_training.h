/* A training of an encoder, as its input's part shares it. */
#ifndef BT_SPEECH_ENCODER_TRAINING_H
#define BT_SPEECH_ENCODER_TRAINING_H

#include "nn/arena.h"
#include "nn/embedding_training.h"
#include "speech/encoder.h"
#include "speech/encoder_trained.h"

#include <stdbool.h>
#include <stddef.h>

/* Which matrix of the arena is where among the slots. */
typedef struct {
    size_t frames, input, states, final, kept, work, adapters, distances, ddistances, d, dstates, n;
} bt_training_places;

struct bt_encoder_training {
    bt_training base; /* first: a bt_training pointer is a pointer to this */
    bt_encoder *model;
    const bt_input_training *input;   /* the model's; NULL: frames are layer 0, nothing before it is trained */
    bt_embedding_training *embedding; /* the input's */
    bt_encoder_trained trained;
    bt_positions positions; /* with block.positions */
    bt_training_places places;
    bt_arena *arena;
    bt_arena_slot *slots;
    bt_matrix *at; /* (places.n): the slots' matrices after a plan */
};

/* Phase of the embedding's adjoint, behind all blocks'; the front end's is the next. */
int bt_training_embedding_phase(const bt_encoder_training *training);
/* Whether backward goes on behind the blocks. */
bool bt_training_passes_embedding(const bt_encoder_training *training);
/* Gradients of rows first_row .. last_row of the table are what they will be. */
void bt_training_say_ready(const bt_encoder_training *training, size_t first_row, size_t last_row);

#endif
