/* The response files of a data set's subjects. */
#ifndef BT_STIMULUS_DATASET_RESPONSES_H
#define BT_STIMULUS_DATASET_RESPONSES_H

#include "base/status.h"
#include "base/text.h"
#include "stimulus/dataset.h"
#include "stimulus/responses.h"
#include "stimulus/story_rows.h"

#include <stdbool.h>

/* Response files PATH:/NAME of a subject's stories. Errors: BT_ERR_INPUT naming the subject and story that has none,
 * and `keys`, the settings that the stories come from. */
bt_status bt_dataset_responses(const bt_dataset *dataset, const char *subject, const bt_names *stories,
                               const char *name, const char *keys, bt_names *specs) BT_MUST_CHECK;

/* Whether every story's file has the data set `name`, for example individual_repeats. */
bt_status bt_dataset_all_have(const bt_dataset *dataset, const char *subject, const bt_names *stories, const char *name,
                              bool *all) BT_MUST_CHECK;

/* Rows of the stories; each must be as respdict says (BT_ERR_INPUT naming both files and both counts). */
bt_status bt_dataset_story_rows(const bt_dataset *dataset, const bt_names *stories, const bt_responses *responses,
                                bt_story_rows *rows) BT_MUST_CHECK;

/* Fails (BT_ERR_INPUT, with the nearest name) unless the subject has responses. */
bt_status bt_dataset_check_subject(const bt_dataset *dataset, const char *subject) BT_MUST_CHECK;

#endif
