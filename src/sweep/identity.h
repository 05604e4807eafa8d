/* What a file or folder is, told cheaply: an annexed file by its key, any other by its real path, size and time of last
 * change. Two plans name equal work alike by it; the stage itself then reads and records the contents. */
#ifndef BT_SWEEP_IDENTITY_H
#define BT_SWEEP_IDENTITY_H

#include "base/status.h"
#include "base/text.h"

/* A line "NAME WHAT\n", appended. A folder counts by its files, names that begin with '.' and run side-cars left out.
 * BT_ERR_INPUT when it is not there (a file of an annex that was never fetched is). */
bt_status bt_identity_add(const char *name, const char *path, bt_text *out) BT_MUST_CHECK;

#endif
