/* Stage lowlevel: what a story carries besides language - envelope, spectrum, word rate - at its TR times. */
#ifndef BT_EXTRACTION_LOWLEVEL_H
#define BT_EXTRACTION_LOWLEVEL_H

#include "store/stage.h"

extern const bt_stage bt_lowlevel_stage;

bool bt_lowlevel_makes(const char *feature); /* by that name */

#endif
