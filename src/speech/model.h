/* A speech model: raw audio in, hidden states out. Families register in speech/family.h; nothing above this header
 * knows which one runs. Evaluation mode is structural: there is no dropout, masking or LayerDrop here. */
#ifndef BT_SPEECH_MODEL_H
#define BT_SPEECH_MODEL_H

#include "base/status.h"
#include "device/device.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct bt_model bt_model;

/* What braintune.json says of a model that we made. Texts: NULL or empty where there is nothing to say. */
typedef struct {
    const char *name;          /* short, for tables and figures */
    const char *origin;        /* "random initialisation", "simulated pre-training", "brain-tuned" */
    const char *objective;     /* "untrained", "pretrained", "brain", "random", "file" */
    const char *target;        /* what objective "file" was trained on */
    const char *tuned_subject; /* whose responses it was tuned on */
    const char *epoch;         /* "best", "last" or a number */
    const char *base;          /* name of the model that tuning began with */
    int64_t seed;              /* -1: none */
} bt_model_identity;

/* The identity with its defaults: without braintune.json the name is the folder's, the origin "pretrained"; without an
 * objective it is "untrained" for a random initialisation, else "pretrained". Other texts are "" when not said. */
typedef struct {
    const char *family; /* "wav2vec2" */
    const char *name, *origin, *objective, *target, *tuned_subject, *epoch, *base;
    int64_t seed;   /* -1: none */
    size_t n_layer; /* hidden states: layer_00 (the encoder's input embedding) and one per block */
    size_t n_hidden;
    int rate;               /* Hz of the input, 16000 */
    bool normalise;         /* do_normalize: zero mean, unit variance per input, eps 1e-7 */
    size_t minimum_samples; /* a shorter input gives no frame */
    size_t maximum_samples; /* a longer one is refused; SIZE_MAX: none is */
    size_t n_parameter;
} bt_model_facts;

typedef enum { BT_POOL_NONE, BT_POOL_LAST, BT_POOL_MEAN } bt_pool;

/* How Whisper takes its inputs, which are filled with silence to 30 s (chunk_length). */
typedef struct {
    bool only_sound; /* attention over the frames that hold sound only: faster, approximate */
    bool one_past;   /* BT_POOL_LAST takes the frame behind the last that holds sound, as the paper's code does: frame
                        floor((n_mel + 1) / 2), n_mel = log-mel frames of the sound */
} bt_model_input;

/* Reads config.json, preprocessor_config.json, the weights. Errors, BT_ERR_INPUT: unknown family (lists the known),
 * config fields missing or contradictory, tensors missing, unused or misshapen (lists them all). */
bt_status bt_model_open(const char *folder, bt_device *device, bt_model **out) BT_MUST_CHECK;
void bt_model_close(bt_model **model);
bt_model_facts bt_model_describe(const bt_model *model);
/* Whether inputs are normalised here, as facts.normalise says unless told: false for who has done so already. */
void bt_model_set_normalise(bt_model *model, bool normalise);
/* Without effect for a model that has no such choice. */
void bt_model_set_input(bt_model *model, const bt_model_input *input);
size_t bt_model_frames(const bt_model *model, size_t n_sample); /* frames that n_sample samples give; Whisper: only
                                                                   those that hold sound from begin to end */
size_t bt_model_rows(const bt_model *model, size_t n_sample);   /* frames, and the silence behind them */
double bt_model_flops(const bt_model *model, size_t n_sample);  /* forward, one sequence: the two below */
double bt_model_flops_to_frames(const bt_model *model, size_t n_sample);
double bt_model_flops_of_frames(const bt_model *model, size_t n_row);
size_t bt_model_hop(const bt_model *model); /* samples between frames */
double bt_model_frame_time(const bt_model *model,
                           size_t frame); /* seconds: centre of the frame's receptive field's hop, (frame + 0.5) hop */

/* Hidden states of a ragged batch: sequence s is samples[offsets[s] .. offsets[s+1]). layers (n_layer) ascending.
 * out: BT_POOL_NONE (n_layer, n_frame_total, n_hidden), else (n_layer, n_sequence, n_hidden). A sequence's result does
 * not depend on what it is batched with. */
bt_status bt_model_states(bt_model *model, const float *samples, const size_t *offsets, size_t n_sequence,
                          const size_t *layers, size_t n_layer, bt_pool pool, float *out) BT_MUST_CHECK;

/* Whether a frame of the front end is the same wherever it is in its sequence, so that sequences can share it. Where
 * not (positions are in it), bt_model_states_of_frames is BT_ERR_INTERNAL. */
bool bt_model_frames_move(const bt_model *model);
/* Columns of the front end's frames. */
size_t bt_model_frame_width(const bt_model *model);
/* Frames of a ragged batch, bt_model_rows of each sequence; frames (n_row_total, width). */
bt_status bt_model_front_end(bt_model *model, const float *samples, const size_t *offsets, size_t n_sequence,
                             float *frames) BT_MUST_CHECK;
/* As bt_model_states behind bt_model_front_end: sequence s is rows offsets[s] .. offsets[s+1] of frames, at least one.
 */
bt_status bt_model_states_of_frames(bt_model *model, const float *frames, const size_t *offsets, size_t n_sequence,
                                    const size_t *layers, size_t n_layer, bt_pool pool, float *out) BT_MUST_CHECK;

/* What a randomly initialised checkpoint looks like; see bt_model_tiny(). */
enum { BT_RANDOM_CONVOLUTIONS = 16 };

typedef struct {
    size_t n_hidden, n_block, n_head, n_intermediate;
    size_t conv_channels; /* of all convolutions over the sound */
    size_t n_conv;        /* 0: the seven of wav2vec2-base, 320 samples a frame */
    size_t conv_kernels[BT_RANDOM_CONVOLUTIONS], conv_strides[BT_RANDOM_CONVOLUTIONS]; /* (n_conv) */
    size_t position_kernel, position_groups;
    double initializer_range; /* standard deviation of the blocks' weights; transformers' own is 0.02 */
    uint64_t seed;
    const char *name; /* for braintune.json */
} bt_model_random;

bt_model_random bt_model_tiny(void);
/* Writes config.json, preprocessor_config.json, model.safetensors, braintune.json into an existing folder, in the
 * Hugging Face layout of Wav2Vec2Model. */
bt_status bt_model_write_random(const char *folder, const bt_model_random *random) BT_MUST_CHECK;

#endif
