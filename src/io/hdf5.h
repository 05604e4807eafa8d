/* HDF5, for our own results and for responses. Files we write have object times off, so that equal data are equal
 * bytes. Result files are written by one rank (serial); large inputs are read by all (bt_h5_open with a communicator).
 * At most 1 GiB per rank and call. */
#ifndef BT_IO_HDF5_H
#define BT_IO_HDF5_H

#include "base/status.h"
#include "base/text.h"
#include "device/device.h"
#include "dist/comm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BT_H5_RANK = 4 };

typedef struct bt_h5 bt_h5;

typedef struct {
    int rank;
    size_t shape[BT_H5_RANK];
    bool is_integer;
    bool is_number;      /* integers, floats, or the 0/1 enumeration that stands for bool */
    size_t element_size; /* bytes in the file */
} bt_h5_shape;

bt_status bt_h5_create(const char *path, bt_h5 **out) BT_MUST_CHECK; /* one rank; truncates */
/* comm NULL: this rank alone. Else collective: all ranks open it, or none does; reading and closing are each rank's
 * own, so that a rank that fails alone never waits in HDF5 (hence no MPI-IO). Checks bt_file_check and the HDF5
 * signature first. */
bt_status bt_h5_open(const char *path, const bt_comm *comm, bt_h5 **out) BT_MUST_CHECK;
/* Flushes and closes; for a written file a failure here (disk full) is an error. Takes NULL handle. */
bt_status bt_h5_close(bt_h5 **file) BT_MUST_CHECK;
void bt_h5_abandon(bt_h5 **file); /* closes whatever happened; for error paths */
const char *bt_h5_path(const bt_h5 *file);

bool bt_h5_has(const bt_h5 *file, const char *path);                                       /* "/story/layer_00" */
bt_status bt_h5_list(const bt_h5 *file, const char *group, bt_names *names) BT_MUST_CHECK; /* links, by name */
bt_status bt_h5_shape_of(const bt_h5 *file, const char *path, bt_h5_shape *shape) BT_MUST_CHECK;

/* Whole data sets, created with missing groups. type: BT_F32, BT_F64, BT_I32. rank 1..4; shape slowest first. */
bt_status bt_h5_write(bt_h5 *file, const char *path, bt_dtype type, int rank, const size_t *shape,
                      const void *data) BT_MUST_CHECK;
/* Rows [row, row + n) of a data set made by bt_h5_reserve: for data sets larger than memory. */
bt_status bt_h5_reserve(bt_h5 *file, const char *path, bt_dtype type, int rank, const size_t *shape) BT_MUST_CHECK;
bt_status bt_h5_write_rows(bt_h5 *file, const char *path, bt_dtype type, size_t row, size_t n,
                           const void *data) BT_MUST_CHECK;

/* A hyperslab start[rank], count[rank], converted to `type` (numbers only; text is BT_ERR_INPUT). Independent I/O. */
bt_status bt_h5_read(const bt_h5 *file, const char *path, bt_dtype type, const size_t *start, const size_t *count,
                     void *data) BT_MUST_CHECK;
/* All of it; *data is allocated. */
bt_status bt_h5_read_all(const bt_h5 *file, const char *path, bt_dtype type, bt_h5_shape *shape,
                         void **data) BT_MUST_CHECK;

/* Attributes of a group or data set ("/" is the file). */
bt_status bt_h5_set_text(bt_h5 *file, const char *path, const char *name, const char *value) BT_MUST_CHECK;
bt_status bt_h5_set_real(bt_h5 *file, const char *path, const char *name, double value) BT_MUST_CHECK;
bt_status bt_h5_set_int(bt_h5 *file, const char *path, const char *name, int64_t value) BT_MUST_CHECK;
bool bt_h5_has_attribute(const bt_h5 *file, const char *path, const char *name);
bt_status bt_h5_get_text(const bt_h5 *file, const char *path, const char *name, char **value) BT_MUST_CHECK;
bt_status bt_h5_get_real(const bt_h5 *file, const char *path, const char *name, double *value) BT_MUST_CHECK;

#endif
