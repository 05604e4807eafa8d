/* What a score file says of itself, in attributes of "/". */
#ifndef BT_ENCODING_OUTPUT_ATTRIBUTES_H
#define BT_ENCODING_OUTPUT_ATTRIBUTES_H

#include "encoding/output.h"

bt_status bt_output_attributes(const bt_output *output) BT_MUST_CHECK;

#endif
