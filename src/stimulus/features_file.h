/* Feature files, ours or a user's: HDF5 /STORY/SPACE (n_row, n_feature) float32 and /STORY/times (n_row) seconds. SPACE
 * is layer_00 .. layer_NN for hidden states, or a name ("envelope", "word_rate"). */
#ifndef BT_STIMULUS_FEATURES_FILE_H
#define BT_STIMULUS_FEATURES_FILE_H

#include "base/status.h"
#include "base/text.h"

#include <stddef.h>

typedef struct bt_features bt_features;

bt_status bt_features_open(const char *path, bt_features **out) BT_MUST_CHECK;
void bt_features_close(bt_features **features);
const bt_names *bt_features_stories(const bt_features *features);
const bt_names *bt_features_spaces(const bt_features *features); /* those that every story has, sorted */
bt_status bt_features_width(const bt_features *features, const char *space, size_t *n_feature) BT_MUST_CHECK;
/* *rows (n_row, n_feature) float32. A story or space that is not there: BT_ERR_INPUT naming the nearest. */
bt_status bt_features_read(const bt_features *features, const char *story, const char *space, float **rows,
                           size_t *n_row, size_t *n_feature) BT_MUST_CHECK;
char *bt_layer_name(size_t layer); /* "layer_07" */

#endif
