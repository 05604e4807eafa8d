/* Settings that features and lowlevel check alike. */
#ifndef BT_EXTRACTION_OPTIONS_H
#define BT_EXTRACTION_OPTIONS_H

#include "base/settings.h"
#include "base/status.h"
#include "dist/comm.h"
#include "dist/grid.h"
#include "io/hdf5.h"
#include "store/stage.h"

/* BT_ERR_USAGE when one of the `keys` (n) was given: they mean nothing with `other`. */
bt_status bt_refuse_settings(const bt_settings *settings, const char *const *keys, size_t n,
                             const char *other) BT_MUST_CHECK;

/* Collective. All ranks along the sample axis; grid.AXIS of another axis is BT_ERR_USAGE. */
bt_status bt_sample_grid(const bt_stage_call *call, bt_grid **grid) BT_MUST_CHECK;

/* Every science setting as an attribute of "/" under its key, but for those of `idle` (n_idle). */
bt_status bt_write_settings(bt_h5 *file, const bt_settings *settings, const char *const *idle,
                            size_t n_idle) BT_MUST_CHECK;

#endif
