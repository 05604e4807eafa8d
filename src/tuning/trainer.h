/* Data-parallel training of a speech model under an objective: steps whose micro-batches are of a size that does not
 * depend on the number of ranks.
 *
 * Ranks form groups; a group works on the subjects that it was given, the ranks of a group share each batch. In a step:
 *   rounds      a micro-batch a rank: forward, pooled states to all ranks of the group, each rank its targets of them,
 *               the states' gradients back (tuning/regression.h), backward;
 *   exchange    gradients of the backbone, bucket by bucket as the last round's backward finishes them, over all ranks
 *               (tuning/gradient_flow.h); each rank keeps its slices;
 *   update      Adam on the slices, whose moments no other rank has; new values to all.
 *
 * Per rank and step with N trainable numbers, P ranks, B rows a group, H hidden units: 2 N (P - 1) / P numbers sent,
 * the least there is for data-parallel training with sharded optimiser state, and 2 B H (p - 1) / p for the head on a
 * group of p. wav2vec2-base (N = 90.2 million behind its front end, H = 768), 8 subjects on 1,024 ranks as 8 groups of
 * 128, 50,000 voxels each, 128 rows of 10 s a batch and subject, one row a rank:
 * - memory: weights 0.38 GB and as much packed, the same again of the model that tuning began with (what came of it is
 *   held against it), gradients 0.36, exchange 0.72, moments 0.7 MB, activations of a micro-batch (0.35 to 0.45 GB a
 *   row), head 391 voxels x 769 x 16 B = 4.8 MB, targets 391 x 8,738 x 4 B = 14 MB;
 * - flops: 0.30 TFLOP behind the front end for a row (forward and backward), head 128 x 768 x 391 x 6 = 0.23 GFLOP;
 * - bytes: 0.72 GB for gradients and values, 0.8 MB for the head: at 10 GB/s a rank 72 ms, against 4 s for a row on one
 *   core of 75 GFLOP/s, or 0.13 s on 32;
 * - messages: 2 x 1,023 a bucket, 13 buckets.
 * So the exchange limits one row a rank on whole nodes; larger batches or ranks of more cores hide it. */
#ifndef BT_TUNING_TRAINER_H
#define BT_TUNING_TRAINER_H

#include "base/status.h"
#include "dist/comm.h"
#include "nn/adam.h"
#include "speech/training.h"
#include "tuning/frames.h"
#include "tuning/gradient_flow.h"
#include "tuning/objective.h"
#include "tuning/windows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    bt_model *model; /* borrowed, as all of these */
    bt_training_options training;
    bool from_samples; /* the front end is trained too: windows go in, not frames */
    const bt_comm *all, *group;
    size_t micro;
    bt_adam_options adam;
    double clip; /* of the gradient's norm; 0: off */
} bt_trainer_options;

typedef struct bt_trainer bt_trainer;

/* Collective over `all`. */
bt_status bt_trainer_create(const bt_trainer_options *options, bt_trainer **out) BT_MUST_CHECK;
void bt_trainer_destroy(bt_trainer **trainer); /* takes NULL */
bt_training *bt_trainer_training(bt_trainer *trainer);

/* Rows of one list with what a model reads of them; borrowed. */
typedef struct {
    const bt_windows *windows;
    const bt_frames *frames; /* NULL with from_samples */
} bt_inputs_of_rows;

/* One batch of a step: what my group learns now. */
typedef struct {
    bt_objective *objective;
    void (*aim)(void *context); /* called before its rounds; NULL: nothing */
    void *context;
    uint64_t stream;    /* of its draws: lessons of different streams draw the same row's dropout apart */
    const size_t *rows; /* (n) */
    size_t n;           /* 0: its objective is joined and moves all the same */
} bt_lesson;

typedef struct {
    double rate_backbone, rate_head;
    double share;     /* of this lesson's loss in the step's: 1 / lessons of all groups */
    bool interrupted; /* out: stopped before anything was changed */
    double loss;      /* out: mean over the step's lessons, the same on all ranks */
    double norm;      /* out: of the gradient before clipping, heads included */
} bt_step;

/* Collective over `all`: the lessons of my group, one after the other; then the backbone and their objectives move. */
bt_status bt_trainer_step(bt_trainer *trainer, const bt_inputs_of_rows *inputs, const bt_lesson *lessons,
                          size_t n_lesson, bt_step *step) BT_MUST_CHECK;

typedef struct {
    double loss;      /* sum over the rows, all ranks of the group */
    bool interrupted; /* broken off between rounds, since a rank of the group was asked to stop; the loss is not one */
} bt_judgement;

/* Collective over the group: one round after the other without learning. see(context, first, count), NULL: nobody, may
 * read what the objective made of the lesson's rows [first, first + count). */
typedef bt_status (*bt_round_visitor)(void *context, size_t first, size_t count);
bt_status bt_trainer_judge(bt_trainer *trainer, const bt_inputs_of_rows *inputs, const bt_lesson *lesson,
                           bt_round_visitor see, void *context, bt_judgement *judgement) BT_MUST_CHECK;

/* Slices of the trained parameters that this rank updates, as ranges of the trainable ordering; their values one after
 * the other. */
size_t bt_trainer_slices(const bt_trainer *trainer);
bt_range bt_trainer_slice(const bt_trainer *trainer, size_t i);
size_t bt_trainer_slice_total(const bt_trainer *trainer);
bt_status bt_trainer_read_slices(bt_trainer *trainer, float *host) BT_MUST_CHECK;

/* What a state holds of the backbone that is this rank's: values and two moments of each parameter, or of as much of it
 * as lies in my slices; "backbone/NAME", "backbone.mean/NAME", "backbone.square/NAME". */
size_t bt_trainer_parts(const bt_trainer *trainer);
size_t bt_trainer_floats(const bt_trainer *trainer);
bt_status bt_trainer_save(bt_trainer *trainer, float *host, bt_state_part *parts) BT_MUST_CHECK;
/* Collective over `all`: from a state written on any number of ranks; steps: the optimiser's. BT_ERR_INPUT for one that
 * does not hold the trained parameters, by name and number of elements, and no other. */
bt_status bt_trainer_load(bt_trainer *trainer, const bt_state *state, size_t steps) BT_MUST_CHECK;
size_t bt_trainer_steps(const bt_trainer *trainer);

/* Since the last call: bytes and messages of the exchange, seconds of waiting in it. */
bt_exchange_count bt_trainer_counted(bt_trainer *trainer);

#endif
