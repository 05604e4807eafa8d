/* Everything that `encode` reads, opened and checked against each other: feature spaces, responses, stories, ceilings
 * and ROI labels. By each rank alone; only headers and small tables are read here. */
#ifndef BT_ENCODING_INPUTS_H
#define BT_ENCODING_INPUTS_H

#include "encoding/options.h"
#include "encoding/spaces.h"
#include "stimulus/dataset.h"
#include "stimulus/responses.h"

typedef struct {
    bt_dataset *dataset; /* NULL: plain matrices */
    bt_spaces *spaces;
    bt_spaces *removed;                        /* one space, taken out of each of the others first; NULL: nothing is */
    bool is_nested;                            /* no test rows: cv.outer; what is of them is empty or NULL */
    bt_names train_stories, test_stories;      /* of the data set */
    bt_names train_responses, test_responses;  /* files, as bt_responses_open takes them */
    bt_names repeat_files;                     /* of the test stories, where ceilings come from repeats */
    bt_responses *repeats;                     /* these, opened; NULL without */
    bt_responses *train, *test;                /* headers */
    bt_story_rows train_rows, test_rows;       /* of the responses */
    bool has_stories;                          /* training rows have story ids */
    char *ceiling_file, *roi_file, *roi_names; /* paths, or NULL */
} bt_inputs;

bt_status bt_inputs_open(const bt_encode_options *options, bt_inputs *in) BT_MUST_CHECK;
void bt_inputs_close(bt_inputs *in);

/* What bt_spaces_read takes. */
bt_spaces_rows bt_inputs_rows(const bt_inputs *in, bool test);

/* Contents of all files, and the names of stories and spaces. */
bt_status bt_inputs_record(const bt_inputs *in, const bt_encode_options *options, const char *store,
                           bt_recipe *recipe) BT_MUST_CHECK;

/* One file as the input `name`: its content, and the data set of PATH.h5:/dataset as a setting. */
bt_status bt_record_file(bt_recipe *recipe, const char *name, const char *spec, const char *store) BT_MUST_CHECK;

#endif
