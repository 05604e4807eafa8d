/* The resolution of a PNG file, which cairo does not write. */
#ifndef BT_REPORTING_PNG_H
#define BT_REPORTING_PNG_H

#include "base/status.h"

/* Puts a pHYs chunk behind the header. BT_ERR_FILE unless `path` is a PNG. */
bt_status bt_png_set_dots_per_inch(const char *path, unsigned dots) BT_MUST_CHECK;

#endif
