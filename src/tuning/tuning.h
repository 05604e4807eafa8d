/* One tuning run while it lasts: what it reads, the trainer, the objectives, the history. */
#ifndef BT_TUNING_TUNING_H
#define BT_TUNING_TUNING_H

#include "dist/grid.h"
#include "speech/model.h"
#include "store/stage.h"
#include "tuning/batches.h"
#include "tuning/change.h"
#include "tuning/frames.h"
#include "tuning/history.h"
#include "tuning/options.h"
#include "tuning/regression.h"
#include "tuning/rows.h"
#include "tuning/schedule.h"
#include "tuning/targets.h"
#include "tuning/trainer.h"
#include "tuning/voxels.h"
#include "tuning/windows.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum { BT_LIST_TUNE, BT_LIST_VALIDATE, BT_LISTS } bt_list;

/* A list of stories with what the model reads of them; rows NULL: there is no such list. */
typedef struct {
    bt_rows *rows;
    bt_windows *windows;
    bt_frames *frames;
} bt_tuning_list;

/* What is learnt: the responses of one subject, or the vectors of a file. */
typedef struct {
    const char *name; /* the subject; "file" */
    bool mine;        /* my group works on it */
    bt_kept_voxels voxels;
    bt_targets *targets[BT_LISTS]; /* of mine */
    bt_batches *batches;           /* of mine */
    size_t n_batch;                /* of an epoch; known of all */
    bt_objective *objective;       /* of mine; aims that share a head share it */
    bool owns_objective;
    bt_batches *checks; /* of validation, in time order; of mine, NULL: no row has a target */
    size_t n_validated; /* rows in them */
} bt_tuning_aim;

typedef struct {
    const bt_stage_call *call; /* borrowed */
    const bt_tune_options *options;
    bt_grid *grid;
    const bt_comm *all, *group, *across; /* of the grid: all ranks, mine, those at my place in the other groups */
    bt_device *device;
    bt_dataset *dataset;
    bt_names test_stories;
    bt_model *model;
    bt_model_facts facts;
    size_t layer;
    bt_tuning_list lists[BT_LISTS];
    bt_tuning_aim *aims;
    size_t n_aim, n_step; /* steps of an epoch */
    bt_trainer *trainer;
    bt_change *change;
    bt_names rois; /* columns of the history's r */
    bt_history history;
} bt_tuning;

/* Collective. Data set, model, rows and voxels: what a recipe and an estimate need. Cheap, but for ceilings. */
bt_status bt_tuning_open(const bt_stage_call *call, bt_tuning *out) BT_MUST_CHECK;
/* Collective. Sounds, frames, targets, trainer: what learning needs. */
bt_status bt_tuning_prepare(bt_tuning *tuning) BT_MUST_CHECK;
void bt_tuning_close(bt_tuning *tuning); /* collective */

/* Root. */
bt_status bt_tuning_record(const bt_tuning *tuning, bt_recipe *recipe) BT_MUST_CHECK;
bt_estimate bt_tuning_estimate(const bt_tuning *tuning);

/* --- tuning/learn.c: epochs -------------------------------------------------------------------------------------- */

/* Collective. Epochs from where the history stands to the end or an early stop; `folder` holds the state and the models
 * that are kept. BT_ERR_INTERRUPTED after SIGTERM or SIGUSR1, with the state saved. */
bt_status bt_tuning_learn(bt_tuning *tuning, const char *folder) BT_MUST_CHECK;

/* --- tuning/keep.c: models and states on disk --------------------------------------------------------------------- */

/* Collective. */
bt_status bt_tuning_save_state(bt_tuning *tuning, const char *folder) BT_MUST_CHECK;
/* Collective. *found: there was one. */
bt_status bt_tuning_load_state(bt_tuning *tuning, const char *folder, bool *found) BT_MUST_CHECK;
/* Collective. The model as it is now, with its head, as FOLDER/name; it appears whole or not at all. */
bt_status bt_tuning_keep(bt_tuning *tuning, const char *folder, const char *name, const char *epoch) BT_MUST_CHECK;
/* Root. What was kept, and tuning.h5, into the artefact's folder. */
bt_status bt_tuning_deliver(bt_tuning *tuning, const char *folder, const char *into, const char *recipe) BT_MUST_CHECK;

/* --- tuning/probe.c: are the models that were written what was trained? --------------------------------------------
 */

/* Root. When the model in `folder` gives the hidden states of the one that tuning began with: a warning, and with
 * adapters, which might not have been merged, BT_ERR_NUMERICS. */
bt_status bt_tuning_check_changed(bt_tuning *tuning, const char *folder) BT_MUST_CHECK;
/* Root. BT_ERR_NUMERICS unless it gives those of the model in training, as it is now. */
bt_status bt_tuning_check_same(bt_tuning *tuning, const char *folder) BT_MUST_CHECK;

#endif
