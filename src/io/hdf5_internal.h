/* What the HDF5 files of this room share. */
#ifndef BT_IO_HDF5_INTERNAL_H
#define BT_IO_HDF5_INTERNAL_H

#include "io/hdf5.h"

#include <hdf5.h>

struct bt_h5 {
    hid_t id;
    char *path;
    bool written; /* made by bt_h5_create */
    int error;    /* errno of the first write that failed, 0 */
};

/* Right after a failed HDF5 call (the next one clears HDF5's error stack): "FILE:OBJECT: WHAT: reason". The reason is
 * the operating system's where HDF5 has kept one (the status is then BT_ERR_FILE), else the innermost of HDF5's. */
bt_status bt_h5_fail(bt_status code, const bt_h5 *file, const char *object, const char *what) BT_MUST_CHECK;

/* BT_CHECK for HDF5 calls. */
#define BT_H5_CHECK(condition, code, file, object, what)                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            status = bt_h5_fail((code), (file), (object), (what));                                                     \
            goto cleanup;                                                                                              \
        }                                                                                                              \
    } while (0)

/* Makes `file` the one that writes through our driver (hdf5_driver.c), which reports failures in file->error. */
bt_status bt_h5_use_driver(bt_h5 *file, hid_t access) BT_MUST_CHECK;

/* BT_ERR_INPUT unless `path` is a link to an object that is there; names the nearest sibling. */
bt_status bt_h5_need(const bt_h5 *file, const char *path) BT_MUST_CHECK;

/* Adds "; did you mean X?" when a member's name is near `near` (may be NULL), else "; there is: a, b". */
bt_status bt_h5_members(const bt_h5 *file, const char *group, const char *near, bt_text *text) BT_MUST_CHECK;

#endif
