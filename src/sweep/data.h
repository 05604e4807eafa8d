/* The data set of an experiment, as far as a plan needs it: what is there, which stories whom. */
#ifndef BT_SWEEP_DATA_H
#define BT_SWEEP_DATA_H

#include "base/status.h"
#include "base/text.h"
#include "stimulus/dataset.h"
#include "sweep/experiment.h"
#include "sweep/plan.h"
#include "sweep/program.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct bt_data {
    const bt_node *section; /* of the YAML */
    const char *root;       /* its folder */
    size_t task;            /* that makes it; BT_NO_TASK: it is there */
    bt_dataset *dataset;    /* NULL when a task makes it */
    bt_names subjects;
    const bt_node *roles; /* role -> stories; NULL: the data set's own stories.yaml has them */
    double n_voxel;       /* of a subject, for estimates */
    bool n_voxel_assumed;
} bt_data;

/* Reads the section `dataset`: {root: DIR} or {simulate: {settings of simulate}}, subjects, stories (a file or a map of
 * roles), allow_missing, timing, ceiling, rois. A simulated one becomes a task of the plan. Errors name the YAML's
 * line.
 */
bt_status bt_data_open(const bt_program *program, bt_experiment *experiment, bt_plan *plan, bt_data *out) BT_MUST_CHECK;
void bt_data_close(bt_data *data); /* takes a zeroed one */

/* The stories that `expression` names for `subject` (NULL: for nobody's responses). Of a data set that is there they
 * are the stories themselves, sorted; a subject must have responses to each, but for those that allow_missing leaves
 * out
 * (*left_out says that some were). Of one that will be made they may be roles, as they were written. */
bt_status bt_data_stories(const bt_data *data, const bt_node *expression, const char *key, const char *subject,
                          bt_names *stories, bool *left_out) BT_MUST_CHECK;

/* The data set as an input of a task: its folder as the setting `dataset`, and what identifies the parts that the task
 * reads: the sounds of `sounds`, the transcripts of `words`, the subject's responses to `responses` with its ceilings
 * and ROIs. Each list may be NULL. */
typedef struct {
    const bt_names *sounds, *words, *responses;
    const char *subject;
} bt_data_parts;
bt_status bt_data_need(const bt_data *data, const bt_plan *plan, const bt_data_parts *parts,
                       bt_draft *draft) BT_MUST_CHECK;

/* Stored rows, and seconds of sound, of stories; estimates where the data set is not there yet. */
double bt_data_rows(const bt_data *data, const bt_names *stories);
double bt_data_seconds(const bt_data *data, const bt_names *stories);

#endif
