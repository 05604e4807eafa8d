/* What a tuning run has seen so far: where it stands, losses, rates, validation, change of layers. Part of its state,
 * and what tuning.h5 holds.
 *
 * tuning.h5: /loss/train, /loss/validate (n_epoch); /r/ROI (n_epoch), mean validation r over the learnt voxels of an
 * ROI ("all": all of them); /change/LAYER (n_epoch), |W - W0| / |W0| of a layer's trained parameters; /loss/step,
 * /gradient_norm, /rate/backbone, /rate/head (n_step). Epochs count from 1, /epoch (n_epoch). Attribute n_voxel: learnt
 * voxels, of all subjects together. */
#ifndef BT_TUNING_HISTORY_H
#define BT_TUNING_HISTORY_H

#include "base/status.h"
#include "base/text.h"
#include "io/hdf5.h"
#include "tuning/state.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum {
    BT_SERIES_TRAIN,
    BT_SERIES_VALIDATE,
    BT_SERIES_R,      /* (n_epoch, n_roi) */
    BT_SERIES_CHANGE, /* (n_epoch, n_layer) */
    BT_SERIES_STEP_LOSS,
    BT_SERIES_NORM,
    BT_SERIES_RATE_BACKBONE,
    BT_SERIES_RATE_HEAD,
    BT_SERIES
} bt_series;

/* Where a run stands; kept in a state as one vector of numbers. */
typedef struct {
    double step;       /* optimiser steps done */
    double epoch;      /* epochs finished */
    double batch;      /* steps done of the next one */
    double loss;       /* sum of the steps' losses in it */
    double best;       /* lowest validation loss; INFINITY before the first */
    double best_epoch; /* its epoch, from 1; 0: none */
    double improved;   /* validation loss of the last improvement (setting `improvement`); INFINITY before the first */
    double stale;      /* epochs since */
    double finished;   /* 1: no step is left */
} bt_standing;

typedef struct {
    bt_standing standing;
    bt_names rois, layers; /* columns of r and of change */
    double *series[BT_SERIES];
    size_t width[BT_SERIES], capacity[BT_SERIES]; /* columns, rows */
} bt_history;

/* Takes the names over by copy. */
bt_status bt_history_create(size_t n_epoch, size_t n_step, const bt_names *rois, const bt_names *layers,
                            bt_history *out) BT_MUST_CHECK;
void bt_history_clear(bt_history *history);
size_t bt_history_rows(const bt_history *history, bt_series series); /* so far: epochs or steps */
double *bt_history_row(bt_history *history, bt_series series, size_t row);

enum { BT_HISTORY_PARTS = BT_SERIES + 1 };
/* Parts of a state: to write what there is so far, or to read what the state has of it. */
void bt_history_parts(bt_history *history, bt_state_part *parts);
bt_status bt_history_load(bt_history *history, const bt_state *state) BT_MUST_CHECK;

bt_status bt_history_write(const bt_history *history, bt_h5 *file) BT_MUST_CHECK;

#endif
