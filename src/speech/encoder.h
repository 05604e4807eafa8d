/* What all families have in common: an input that makes rows of frames from samples, transformer blocks over them, a
 * norm behind the last where every block begins with one. A family says what its input does (bt_encoder_input); states
 * of ragged batches, training and the memory of both are the same for all. */
#ifndef BT_SPEECH_ENCODER_H
#define BT_SPEECH_ENCODER_H

#include "base/status.h"
#include "nn/arena.h"
#include "nn/block.h"
#include "nn/parameters.h"
#include "nn/positions.h"
#include "nn/ragged.h"
#include "speech/family.h"

#include <stdbool.h>
#include <stddef.h>

enum { BT_ENCODER_BLOCKS = 256, BT_INPUT_SLOTS = 8 };

typedef struct {
    bt_block_spec block;
    size_t n_block;
    bool final_norm;
    bt_position_spec positions; /* of the table that the first block owns and all read; where block.positions is set */
} bt_encoder_spec;

/* Where the encoder's tensors are in the table: blocks, then the final norm. */
typedef struct {
    bt_block_rows blocks[BT_ENCODER_BLOCKS];
    size_t final_scale, final_shift;
    size_t positions; /* with block.positions */
} bt_encoder_rows;

/* What a checkpoint calls the tensors of block N behind "encoder.layers.N.". */
typedef struct {
    const char *attention; /* "attention.", of q_proj, k_proj, v_proj, out_proj */
    const char *norm, *up, *down, *final_norm;
    bool key_bias;                               /* without one its row is always 0 */
    const char *gate, *gate_factors, *positions; /* behind `attention`, for block.positions; the last of block 0 only */
} bt_block_names;

/* Stages of the rows; block i is BT_STAGE_BLOCKS + i. */
enum { BT_STAGE_FRONT_END, BT_STAGE_EMBEDDING, BT_STAGE_FINAL_NORM, BT_STAGE_BLOCKS };

/* A tensor PREFIX + NAME of rank 1 to 3, trainable unless it is frozen; sizes of 0 end the shape. Matrices and kernels
 * decay, vectors do not. */
bt_status bt_encoder_add(bt_parameters *table, bt_role role, const char *prefix, const char *name,
                         const size_t shape[3], size_t *index) BT_MUST_CHECK;
/* Rows from `first` on belong to `stage`. */
void bt_encoder_set_stage(bt_parameters *table, size_t first, int stage);
/* All blocks' tensors and the final norm's, behind those of the input. */
bt_status bt_encoder_table(const bt_encoder_spec *spec, const bt_block_names *names, bt_parameters *table,
                           bt_encoder_rows *rows) BT_MUST_CHECK;

typedef struct bt_encoder bt_encoder;

/* A group of sequences that are worked on together. */
typedef struct {
    const float *samples;
    const size_t *offsets; /* (n + 1): sequence s is samples[offsets[s] .. offsets[s + 1]) */
    size_t n;
    bt_sequences rows;
    const bt_matrix *slots; /* of the input, as asked for */
} bt_input_group;

/* When a group's memory is in use. */
enum { BT_PHASE_FRONT_END, BT_PHASE_EMBEDDING, BT_PHASE_ATTENTION, BT_PHASE_FEED_FORWARD, BT_PHASE_DELIVERY };

typedef struct bt_encoder_training bt_encoder_training;

/* The sequences of a training's batch, for its memory. */
typedef struct {
    size_t n_row;               /* of all */
    size_t longest;             /* rows of one */
    size_t n_sequence, n_frame; /* of n_frame rows each; or */
    const bt_ragged *samples;   /* not NULL: what they are made of */
} bt_batch_extent;

/* What comes before the blocks in training, where something there is trained. */
typedef struct {
    size_t n_slot;
    bt_status (*create)(bt_encoder_training *training);
    void (*destroy)(bt_encoder_training *training);
    void (*slots)(const bt_encoder_training *training, const bt_batch_extent *extent, bt_arena_slot *slots);
    bt_status (*front_end)(bt_encoder_training *training, const float *samples); /* to the frames */
    bt_status (*forward)(bt_encoder_training *training);                         /* from the frames to layer 0 */
    bt_status (*backward)(bt_encoder_training *training);                        /* from the gradient of layer 0 */
} bt_input_training;

/* What a model does before the blocks, and what follows from it. */
typedef struct {
    void (*close)(bt_encoder *encoder);                            /* frees the encoder itself too */
    size_t (*frames)(const bt_encoder *encoder, size_t n_sample);  /* that hold sound; rows 0 .. of a sequence */
    size_t (*rows)(const bt_encoder *encoder, size_t n_sample);    /* that the blocks see of one sequence */
    size_t (*last)(const bt_encoder *encoder, size_t n_sample);    /* row that BT_POOL_LAST takes */
    size_t (*width)(const bt_encoder *encoder);                    /* columns of the front end's frames */
    double (*flops)(const bt_encoder *encoder, size_t n_sample);   /* without the blocks */
    double (*frame_time)(const bt_encoder *encoder, size_t frame); /* s */
    void (*set)(bt_encoder *encoder, const bt_model_input *input); /* NULL: there is nothing to choose */
    size_t n_slot;                                                 /* at most BT_INPUT_SLOTS */
    void (*slots)(const bt_encoder *encoder, const bt_input_group *group, bt_arena_slot *slots);
    bt_status (*front_end)(bt_encoder *encoder, const bt_input_group *group, bt_matrix frames);
    /* x (rows, hidden) from the frames, which may be overwritten; NULL: the frames are x. */
    bt_status (*embed)(bt_encoder *encoder, const bt_input_group *group, bt_matrix frames, bt_matrix x);
    const bt_input_training *training; /* NULL with embed */
} bt_encoder_input;

/* What all families' models begin with. */
struct bt_encoder {
    bt_model base; /* first: a bt_model pointer is a pointer to this */
    const bt_encoder_input *input;
    bt_encoder_spec spec;
    bt_encoder_rows *rows;
    bt_parameters parameters;
    bt_block *blocks[BT_ENCODER_BLOCKS];
    bt_arena *arena;
    bt_positions positions;   /* with block.positions */
    bt_ragged frames, single; /* rows of the sequences of a group; one row for each of them */
    size_t *last_rows, *real; /* per sequence of a group: row of its last frame, frames that hold sound */
    size_t capacity;          /* of the two */
};

static inline bt_encoder *bt_encoder_of(bt_model *model)
{
    return (bt_encoder *)model;
}

static inline const bt_encoder *bt_encoder_of_const(const bt_model *model)
{
    return (const bt_encoder *)model;
}

/* Behind the family's own part of the table, with spec and input set: adds the encoder's rows, reads the weights, makes
 * the blocks, and fills base.parameters and the facts but for minimum_samples. */
bt_status bt_encoder_open(bt_encoder *encoder, const bt_model_request *request, const bt_parameter_names *names,
                          const bt_block_names *blocks) BT_MUST_CHECK;
/* Everything but the memory of the encoder itself. */
void bt_encoder_clear(bt_encoder *encoder);

/* As the calls of model.h and training.h with their names, arguments checked. */
bt_status bt_encoder_states(bt_encoder *encoder, const float *samples, const size_t *offsets, size_t n_sequence,
                            const size_t *layers, size_t n_layer, bt_pool pool, float *out) BT_MUST_CHECK;
bt_status bt_encoder_front_end(bt_encoder *encoder, const float *samples, const size_t *offsets, size_t n_sequence,
                               float *frames) BT_MUST_CHECK;
/* training.c fills the rest of *out but `parameters` and the sequences' states. */
bt_status bt_encoder_training_create(bt_encoder *encoder, const bt_training_options *options,
                                     bt_training **out) BT_MUST_CHECK;
void bt_encoder_training_destroy(bt_training *training);
size_t bt_encoder_training_bytes(const bt_training *training, size_t n_sequence, size_t n_frame);
bt_status bt_encoder_training_forward(bt_training *training, const float *input) BT_MUST_CHECK;
bt_status bt_encoder_training_backward(bt_training *training) BT_MUST_CHECK;

#endif
