/* A tuned model's folder: tuning.h5, what happened while it was tuned (src/tuning/history.h has its layout), and
 * recipe.json. Beside what is there, these are read where a writer adds them: /step (n_epoch), optimiser steps taken by
 * each epoch's end, without it every epoch is taken to have as many; /seconds (n_epoch), wall time by then. */
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
    char *loss, *stories, *validation_stories; /* settings of the recipe, "" when it does not say */
    size_t n_epoch;
    double *epoch, *step; /* (n_epoch); step NULL where the file has no steps */
} bt_tuning_file;

/* `folder`: a tuned model's. *is_tuning is false, and *out empty, when it is none of ours or holds no tuning.h5.
 * BT_ERR_INPUT naming data set, expected and found shape. */
bt_status bt_tuning_file_open(const char *folder, bt_tuning_file *out, bool *is_tuning) BT_MUST_CHECK;
void bt_tuning_file_close(bt_tuning_file *tuning); /* takes a zeroed one */

/* Table rows: per epoch the losses, validation r by ROI, gradient norm (mean over the epoch's steps), rates
 * (of its last step), seconds, change per layer; and best_epoch. */
bt_status bt_tuning_rows(const bt_tuning_file *tuning, const bt_provenance *from, bt_text *out) BT_MUST_CHECK;

#endif
