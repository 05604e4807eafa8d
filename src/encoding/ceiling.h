/* The stage `ceiling`: noise ceilings of a subject from the repeats of its test stories. */
#ifndef BT_ENCODING_CEILING_H
#define BT_ENCODING_CEILING_H

#include "store/stage.h"

extern const bt_stage bt_ceiling_stage;

#endif
