/* One simulated world while it is made: who owns which story, how long they are, what drives the voxels. */
#ifndef BT_SIMULATE_WORLD_H
#define BT_SIMULATE_WORLD_H

#include "base/status.h"
#include "base/text.h"
#include "dist/comm.h"
#include "simulate/settings.h"
#include "simulate/targets.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const bt_simulate_options *options;
    const bt_comm *comm;
    const char *root;          /* the data set's folder; the artefact's temporary one */
    size_t n_story, n_subject; /* stories for encoding first, then those for testing, validation, pre-training */
    size_t n_heard;            /* stories that subjects hear: all but those for pre-training */
    bt_names stories, subjects;
    int64_t *scanner_trs; /* (n_story) */
    double *seconds;      /* (n_story) of sound */
    size_t *first_row;    /* (n_story + 1) */
    size_t n_driver;
    double *drivers;    /* (first_row[n_heard], n_driver), each of variance 1 over all rows */
    double *covariance; /* (n_driver, n_driver) of the drivers over all rows */
    bt_labels labels;
    size_t first_target; /* stories from here on have targets; n_story: none has */
    double *targets;     /* (first_row[n_story] - first_row[first_target], bt_labels_count(labels)) */
    size_t n_voxel;
    double *cc_max;   /* (n_subject, n_test, n_voxel) */
    double *realised; /* (n_subject, n_test, n_voxel) r of signal and mean of repeats */
} bt_world;

bt_status bt_world_create(const bt_simulate_options *options, const bt_comm *comm, bt_world *out) BT_MUST_CHECK;
void bt_world_clear(bt_world *world);
bool bt_world_is_test(const bt_world *world, size_t story);
bool bt_world_is_heard(const bt_world *world, size_t story);
bool bt_world_has_targets(const bt_world *world, size_t story);
size_t bt_world_rows(const bt_world *world, size_t story);           /* stored rows */
const double *bt_world_drivers(const bt_world *world, size_t story); /* (n_row, n_driver) */
const double *bt_world_targets(const bt_world *world, size_t story); /* (n_row, bt_labels_count(labels)) */

/* Collective. Each rank tells its stories and writes their WAV, TextGrid and words; all get lengths, drivers and
 * targets. */
bt_status bt_world_tell(bt_world *world) BT_MUST_CHECK;

/* Collective, after bt_world_tell. Each rank writes its share of the files SUBJECT/STORY.hf5; all get the ceilings. */
bt_status bt_world_respond(bt_world *world) BT_MUST_CHECK;

/* Root, after bt_world_respond: everything but stimuli, transcripts and responses. */
bt_status bt_world_describe(const bt_world *world, const bt_settings *settings) BT_MUST_CHECK;
/* Part of it: targets/phones.h5, targets/words.h5, where a story has targets. */
bt_status bt_world_write_targets(const bt_world *world) BT_MUST_CHECK;

#endif
