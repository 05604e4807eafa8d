/* Names of what score files hold, and text about them that both stages write. */
#ifndef BT_ENCODING_MAPS_H
#define BT_ENCODING_MAPS_H

#include "base/status.h"
#include "base/text.h"
#include "io/hdf5.h"
#include "stimulus/powers.h"

#include <stddef.h>

/* One float32 map (n_voxel) /SPACE/NAME, or /NAME with an empty space, from float64. */
bt_status bt_map_write(bt_h5 *file, const char *space, const char *name, const double *values,
                       size_t n_voxel) BT_MUST_CHECK;

/* "/SPACE" or "/" added to `out`, with "/NAME" behind when name is not NULL. */
bt_status bt_map_path(const char *space, const char *name, bt_text *out) BT_MUST_CHECK;

/* /cc_max, /sp, /tp, /explainable_variance (n_voxel) from powers, NaN where a voxel has no responses; cc_max is NaN
 * where signal power is not positive. Attributes n_repeat and ceiling_dropped (their count). ceiling (n_voxel) is
 * filled. */
bt_status bt_ceilings_write(bt_h5 *file, const bt_power *powers, size_t n_voxel, size_t n_repeat,
                            double *ceiling) BT_MUST_CHECK;

#endif
