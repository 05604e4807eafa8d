/* The stage `tune`: a speech model learns to predict responses, or other targets, of the stories that it hears. */
#ifndef BT_TUNING_TUNE_H
#define BT_TUNING_TUNE_H

#include "store/stage.h"

extern const bt_stage bt_tune_stage;

#endif
