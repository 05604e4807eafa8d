/* The file driver of files we write. HDF5 crashes when it closes a file whose metadata could not be written (a full
 * disk); this driver never lets it know: it keeps the errno of the first failed write and drops what follows. */
#include "base/file_at.h"
#include "base/memory.h"
#include "io/hdf5_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    int *error; /* errno of the first failure; belongs to the bt_h5, which outlives the driver's file */
} driver_info;

typedef struct {
    H5FD_t base; /* HDF5's part, first */
    int descriptor;
    haddr_t allocated, end;
    int *error;
} driver_file;

static H5FD_t *driver_open(const char *path, unsigned flags, hid_t access, haddr_t longest)
{
    (void)longest;
    const driver_info *const info = H5Pget_driver_info(access);
    driver_file *const file = bt_calloc(1, sizeof *file);
    if (!file) return NULL;
    assert(info && flags & H5F_ACC_TRUNC);
    (void)flags;
    file->error = info->error;
    file->descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file->descriptor >= 0) return &file->base;
    *file->error = errno;
    bt_free(file);
    return NULL;
}

static void fail_once(driver_file *file)
{
    if (!*file->error) *file->error = errno;
}

static herr_t driver_close(H5FD_t *base)
{
    driver_file *const file = (driver_file *)base;
    if (close(file->descriptor) != 0) fail_once(file);
    bt_free(file);
    return 0;
}

static herr_t driver_query(const H5FD_t *base, unsigned long *flags)
{
    (void)base;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

static haddr_t driver_allocated(const H5FD_t *base, H5FD_mem_t type)
{
    (void)type;
    return ((const driver_file *)base)->allocated;
}

static herr_t driver_allocate(H5FD_t *base, H5FD_mem_t type, haddr_t address)
{
    (void)type;
    ((driver_file *)base)->allocated = address;
    return 0;
}

static haddr_t driver_end(const H5FD_t *base, H5FD_mem_t type)
{
    (void)type;
    return ((const driver_file *)base)->end;
}

/* Bytes behind the end are zero, as HDF5 wants them. */
static herr_t driver_read(H5FD_t *base, H5FD_mem_t type, hid_t list, haddr_t address, size_t size, void *buffer)
{
    (void)type, (void)list;
    driver_file *const file = (driver_file *)base;
    size_t got;
    if (!bt_read_at(file->descriptor, buffer, size, address, &got)) fail_once(file);
    memset((char *)buffer + got, 0, size - got);
    return 0;
}

static herr_t driver_write(H5FD_t *base, H5FD_mem_t type, hid_t list, haddr_t address, size_t size, const void *buffer)
{
    (void)type, (void)list;
    driver_file *const file = (driver_file *)base;
    if (!*file->error && !bt_write_at(file->descriptor, buffer, size, address)) fail_once(file);
    if (address + size > file->end) file->end = address + size;
    return 0;
}

/* A file is as long as what HDF5 has given out. */
static herr_t driver_truncate(H5FD_t *base, hid_t list, hbool_t closing)
{
    (void)list, (void)closing;
    driver_file *const file = (driver_file *)base;
    if (file->allocated == file->end) return 0;
    if (!*file->error && ftruncate(file->descriptor, (off_t)file->allocated) != 0) fail_once(file);
    file->end = file->allocated;
    return 0;
}

static const H5FD_class_t driver = {
    .name = "braintune",
    .maxaddr = ((haddr_t)1 << 62) - 1,
    .fc_degree = H5F_CLOSE_WEAK,
    .fapl_size = sizeof(driver_info),
    .open = driver_open,
    .close = driver_close,
    .query = driver_query,
    .get_eoa = driver_allocated,
    .set_eoa = driver_allocate,
    .get_eof = driver_end,
    .read = driver_read,
    .write = driver_write,
    .truncate = driver_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

bt_status bt_h5_use_driver(bt_h5 *file, hid_t access)
{
    bt_status status = BT_OK;
    const driver_info info = {.error = &file->error};
    const hid_t id = H5FDregister(&driver);
    BT_H5_CHECK(id >= 0 && H5Pset_driver(access, id, &info) >= 0, BT_ERR_INTERNAL, file, NULL, "HDF5 file driver");
cleanup:
    if (id >= 0) (void)H5FDunregister(id); /* the property list keeps it */
    return status;
}
