/* An objective: the states of the layer that it asked for in, a loss and the states' gradients out. It owns its own
 * parameters (heads), their gradients and their optimiser state. The trainer (tuning/trainer.h) runs the model.
 *
 * A step sees a batch in rounds: in each round every rank of the communicator has a micro-batch, or none. All ranks
 * call together, so an objective may look at all ranks' samples at once. */
#ifndef BT_TUNING_OBJECTIVE_H
#define BT_TUNING_OBJECTIVE_H

#include "base/status.h"
#include "device/backward.h"
#include "dist/comm.h"
#include "speech/training.h"
#include "tuning/state.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct bt_objective bt_objective;

typedef struct {
    const size_t *rows; /* (n): batch keys, rows of the run; those of rank 0 first */
    size_t n, micro;    /* rank r has rows [r micro, (r + 1) micro), as far as there are */
    double scale;       /* of each row's loss in the gradients: 1 / rows of the batch, and so on */
    bool learn;         /* false: the loss alone, of validation rows */
    bool interrupted;   /* in: this rank was asked to stop; out: any rank was */
    double loss;        /* out: this rank's part of the sum of the rows' losses, `scale` not applied */
} bt_round;

typedef struct {
    const char *name;
    void (*destroy)(bt_objective *objective);
    /* Collective. forward: how this rank's forward pass ended; a failure is everyone's after this call. With
     * round->learn the gradients of the training's states are set, unless round->interrupted. */
    bt_status (*round)(bt_objective *objective, bt_training *training, bt_status forward, bt_round *round);
    /* Collective over all ranks of a run, after the rounds of a step: gradients of parameters that several groups hold
     * are added up. */
    bt_status (*join)(bt_objective *objective);
    /* Gradients times `factor`; sum of squares of those that count
     * on this rank. */
    bt_status (*gradient)(bt_objective *objective, double factor, double *squares);
    bt_status (*apply)(bt_objective *objective, const bt_adam_spec *spec);
    /* Numbers and parts of a state that are this rank's (tuning/state.h): memory (n floats) is the caller's. */
    size_t (*n_part)(const bt_objective *objective);
    size_t (*n_float)(const bt_objective *objective);
    bt_status (*save)(const bt_objective *objective, float *host, bt_state_part *parts);
    void (*parts)(const bt_objective *objective, float *host, bt_state_part *parts);
    bt_status (*load)(bt_objective *objective, const float *host);
} bt_objective_kind;

struct bt_objective {
    const bt_objective_kind *kind;
    const bt_comm *comm; /* borrowed: the ranks that take part in its rounds */
    size_t steps;        /* of its optimiser */
};

void bt_objective_destroy(bt_objective **objective); /* takes NULL */

#endif
