/* Stage features: hidden states per sound and layer, at frames, at window ends, or at TR times (DESIGN 4). */
#ifndef BT_EXTRACTION_FEATURES_H
#define BT_EXTRACTION_FEATURES_H

#include "store/stage.h"

extern const bt_stage bt_features_stage;

#endif
