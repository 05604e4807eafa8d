/* A data set in the layout of LeBel et al. 2023 (OpenNeuro ds003020), real or simulated. Read-only. */
#ifndef BT_STIMULUS_DATASET_H
#define BT_STIMULUS_DATASET_H

#include "base/status.h"
#include "base/text.h"
#include "dist/comm.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct bt_dataset bt_dataset;

/* Finds stimuli/, derivative/TextGrids, derivative/preprocessed_data/SUBJECT/STORY.hf5, derivative/respdict.json, and,
 * when they are there, derivative/ceilings/SUBJECT.npy, derivative/rois/SUBJECT.npy + derivative/rois/names.json. */
bt_status bt_dataset_open(const char *root, bt_dataset **out) BT_MUST_CHECK;
void bt_dataset_close(bt_dataset **dataset);
const char *bt_dataset_root(const bt_dataset *dataset);
const bt_names *bt_dataset_stories(const bt_dataset *dataset);  /* respdict's keys, sorted */
const bt_names *bt_dataset_subjects(const bt_dataset *dataset); /* folders under preprocessed_data, sorted */

/* Scanner TRs of a story by respdict; stored rows are 20 fewer, triggers 5 fewer. BT_ERR_INPUT with the nearest name.
 */
bt_status bt_dataset_scanner_trs(const bt_dataset *dataset, const char *story, size_t *n) BT_MUST_CHECK;
size_t bt_dataset_stored_rows(size_t scanner_trs); /* scanner_trs - 20 */
/* A file is listed there; an annex stub counts, so that reading it names the command that fetches it. */
bool bt_dataset_has_responses(const bt_dataset *dataset, const char *subject, const char *story);
/* The stories that a subject has a file for, sorted; NULL for an unknown subject. */
const bt_names *bt_dataset_heard(const bt_dataset *dataset, const char *subject);
/* New strings. */
char *bt_dataset_audio_path(const bt_dataset *dataset, const char *story);
char *bt_dataset_textgrid_path(const bt_dataset *dataset, const char *story);
char *bt_dataset_responses_path(const bt_dataset *dataset, const char *subject, const char *story);
char *bt_dataset_ceiling_path(const bt_dataset *dataset, const char *subject); /* NULL when there is none */
char *bt_dataset_roi_path(const bt_dataset *dataset, const char *subject);     /* NULL when there is none */
char *bt_dataset_roi_names_path(const bt_dataset *dataset);                    /* NULL when there is none */

#endif
