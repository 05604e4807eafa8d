/* Is a data set whole? */
#ifndef BT_STIMULUS_INSPECT_DATASET_H
#define BT_STIMULUS_INSPECT_DATASET_H

#include "base/status.h"
#include "base/text.h"
#include "stimulus/dataset.h"

#include <stdbool.h>

/* Adds a report to `report`: stories, subjects, voxels; what was never fetched, folder by folder with the command that
 * fetches it; then every fault, one a line, with the file and the fix. *whole: nothing unfetched and no fault. Faults:
 * a story without audio, transcript or responses of any subject; a file that cannot be read; stored rows other than
 * respdict - 20; voxel counts that differ between stories, or from ceilings or ROI labels. A story that one subject
 * lacks and another has is stated, and is not a fault. One rank. */
bt_status bt_dataset_inspect(const bt_dataset *dataset, bt_text *report, bool *whole) BT_MUST_CHECK;

#endif
