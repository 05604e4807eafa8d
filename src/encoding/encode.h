/* The stage `encode`: cross-validated ridge from features to responses, and its scores on test rows. */
#ifndef BT_ENCODING_ENCODE_H
#define BT_ENCODING_ENCODE_H

#include "store/stage.h"

extern const bt_stage bt_encode_stage;

#endif
