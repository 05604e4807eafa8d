/* Inputs of `encode` and `ceiling` from a data set. */
#ifndef BT_ENCODING_INPUTS_DATASET_H
#define BT_ENCODING_INPUTS_DATASET_H

#include "encoding/inputs.h"

bt_status bt_inputs_open_dataset(const bt_encode_options *options, bt_inputs *in) BT_MUST_CHECK;

#endif
