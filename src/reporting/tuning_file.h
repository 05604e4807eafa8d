/* tuning.h5 of a tuned model's folder: what happened while it was tuned. `braintune tune` writes it, collect reads it.
 *
 * Data sets of numbers, float64 unless said otherwise; NaN where there is no number (the training loss before the first
 * step). Those marked ? may be missing.
 *
 *     /epoch          (n_epoch) int32      completed epochs at each row, ascending; the first row may be 0, the state
 *                                          before the first step
 *     /step           (n_epoch) int32      optimiser steps taken by then
 *     /seconds        (n_epoch)            wall time spent on tuning by then, s, all runs of a resumed tuning together
 *     /loss/train     (n_epoch)            mean over the epoch's samples, each under the weights its own step began
 * with /loss/validate  (n_epoch)            mean over the validation samples, under the weights after the epoch
 *     /r/SUBJECT/ROI  (n_epoch) ?          validation r: mean over the ROI's tuned voxels of the correlation between
 * head output and response over the validation rows; ROI "all": every tuned voxel. /r/all, without a subject, for
 * objectives without fMRI (columns of the target). Attributes n, n_dropped: voxels of the ROI that were tuned, and that
 * were not /change         (n_epoch, n_layer) ? |w - w0| / |w0|, Frobenius over the trained tensors of a layer, w0: as
 * tuning began; attribute layers "0,1,...": numbered as hidden states are, 0 is all that is trained before the first
 * block /loss/step, /gradient_norm, /rate/backbone, /rate/head (n_step) ?   of each optimiser step in turn; the norm is
 *                                          that before clipping
 *
 * Attributes of "/": stage "tune"; preset, family, model, objective, target,
 * tuned_subject, seed, epoch as braintune.json has them; loss: mse, correlation or cosine_l2; stories (tuned on) and
 * validation_stories, joined by commas; best_epoch: completed epochs of the kept state. */
#ifndef BT_REPORTING_TUNING_FILE_H
#define BT_REPORTING_TUNING_FILE_H

#include "base/status.h"
#include "base/text.h"
#include "io/hdf5.h"
#include "reporting/facts.h"
#include "store/digest.h"

#define BT_TUNING_NAME "tuning.h5"

typedef struct {
    bt_h5 *file;
    char digest[BT_DIGEST_SIZE];
    bt_facts about;
    char *loss, *stories, *validation_stories; /* "" when the file does not say */
    size_t n_epoch;
    double *epoch, *step; /* (n_epoch) */
} bt_tuning_file;

/* `folder`: a tuned model's. *is_tuning is false, and *out empty, when it is none of ours or holds no tuning.h5.
 * BT_ERR_INPUT naming data set, expected and found shape. */
bt_status bt_tuning_file_open(const char *folder, bt_tuning_file *out, bool *is_tuning) BT_MUST_CHECK;
void bt_tuning_file_close(bt_tuning_file *tuning); /* takes a zeroed one */

/* Table rows: per epoch the losses, validation r by subject and ROI, gradient norm (mean over the epoch's steps), rates
 * (of its last step), seconds, change per layer; and best_epoch. */
bt_status bt_tuning_rows(const bt_tuning_file *tuning, const bt_provenance *from, bt_text *out) BT_MUST_CHECK;

#endif
