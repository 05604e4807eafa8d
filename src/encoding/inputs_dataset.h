/* Inputs of `encode` and `ceiling` from a data set. */
#ifndef BT_ENCODING_INPUTS_DATASET_H
#define BT_ENCODING_INPUTS_DATASET_H

#include "encoding/inputs.h"

bt_status bt_inputs_open_dataset(const bt_encode_options *options, bt_inputs *in) BT_MUST_CHECK;

/* Response files PATH:/NAME of a subject's stories. Errors: BT_ERR_INPUT naming the subject and story that has none. */
bt_status bt_dataset_responses(const bt_dataset *dataset, const char *subject, const bt_names *stories,
                               const char *name, bt_names *specs) BT_MUST_CHECK;

/* Whether every story's file has the data set `name`, for example individual_repeats. */
bt_status bt_dataset_all_have(const bt_dataset *dataset, const char *subject, const bt_names *stories, const char *name,
                              bool *all) BT_MUST_CHECK;

/* Rows of the stories; each must be as respdict says (BT_ERR_INPUT naming both files and both counts). */
bt_status bt_dataset_story_rows(const bt_dataset *dataset, const bt_names *stories, const bt_responses *responses,
                                bt_story_rows *rows) BT_MUST_CHECK;

/* Fails (BT_ERR_INPUT, with the nearest name) unless the subject has responses. */
bt_status bt_dataset_check_subject(const bt_dataset *dataset, const char *subject) BT_MUST_CHECK;

#endif
