/* The short table that `encode` prints, made from the score file, so that a run that finds its work done prints it too.
 */
#ifndef BT_ENCODING_SUMMARY_H
#define BT_ENCODING_SUMMARY_H

#include "base/status.h"
#include "base/text.h"

/* Adds: the path; per space the mean r over voxels, and over each ROI's voxels whose ceiling is above `threshold`. */
bt_status bt_summary_print(const char *path, double threshold, bt_text *out) BT_MUST_CHECK;

#endif
