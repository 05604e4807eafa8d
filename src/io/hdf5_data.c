/* Data sets, moved in pieces that no call of HDF5 finds too large. */
#include "base/memory.h"
#include "io/hdf5.h"
#include "io/hdf5_internal.h"

#include <assert.h>
#include <string.h>

enum { PIECE = 1 << 30, SCRATCH = 16 << 20 }; /* bytes */

typedef struct {
    hid_t set, space, type; /* as in the file */
    int rank;
    hsize_t extent[BT_H5_RANK];
} data_set;

static void close_set(data_set *set)
{
    if (set->type >= 0) (void)H5Tclose(set->type);
    if (set->space >= 0) (void)H5Sclose(set->space);
    if (set->set >= 0) (void)H5Dclose(set->set);
}

static bt_status fail_group(const bt_h5 *file, const char *path)
{
    bt_text members = {0};
    bt_status status = bt_h5_members(file, path, NULL, &members);
    if (status == BT_OK)
        status = bt_fail(BT_ERR_INPUT, "%s:%s: is a group, expected a data set%s", file->path, path,
                         members.data ? members.data : "");
    bt_text_clear(&members);
    return status;
}

static bool is_group(const bt_h5 *file, const char *path)
{
    const hid_t group = H5Gopen2(file->id, path, H5P_DEFAULT);
    if (group >= 0) (void)H5Gclose(group);
    return group >= 0;
}

static bt_status open_set(const bt_h5 *file, const char *path, data_set *set)
{
    bt_status status = BT_OK;
    *set = (data_set){.set = H5I_INVALID_HID, .space = H5I_INVALID_HID, .type = H5I_INVALID_HID};
    BT_TRY(bt_h5_need(file, path));
    if (is_group(file, path)) BT_TRY(fail_group(file, path));
    set->set = H5Dopen2(file->id, path, H5P_DEFAULT);
    BT_H5_CHECK(set->set >= 0, BT_ERR_INPUT, file, path, "expected a data set");
    set->space = H5Dget_space(set->set);
    set->type = H5Dget_type(set->set);
    BT_H5_CHECK(set->space >= 0 && set->type >= 0, BT_ERR_INPUT, file, path, "shape or type cannot be read");
    set->rank = H5Sget_simple_extent_ndims(set->space);
    BT_CHECK(set->rank >= 0 && set->rank <= BT_H5_RANK, BT_ERR_INPUT, "%s:%s: expected at most %d axes, found %d",
             file->path, path, BT_H5_RANK, set->rank);
    BT_H5_CHECK(H5Sget_simple_extent_dims(set->space, set->extent, NULL) >= 0, BT_ERR_INPUT, file, path,
                "shape cannot be read");
    BT_CHECK(H5Sget_simple_extent_type(set->space) != H5S_NULL, BT_ERR_INPUT, "%s:%s: expected numbers, found nothing",
             file->path, path);
cleanup:
    return status;
}

/* h5py's bool: an enumeration over one byte. */
static bool is_bool(hid_t type)
{
    return H5Tget_class(type) == H5T_ENUM && H5Tget_size(type) == 1;
}

bt_status bt_h5_shape_of(const bt_h5 *file, const char *path, bt_h5_shape *shape)
{
    bt_status status = BT_OK;
    data_set set;
    *shape = (bt_h5_shape){0};
    BT_TRY(open_set(file, path, &set));
    shape->rank = set.rank;
    for (int i = 0; i < BT_H5_RANK; ++i) shape->shape[i] = i < set.rank ? (size_t)set.extent[i] : 1;
    shape->is_integer = H5Tget_class(set.type) == H5T_INTEGER || is_bool(set.type);
    shape->is_number = shape->is_integer || H5Tget_class(set.type) == H5T_FLOAT;
    shape->element_size = H5Tget_size(set.type);
cleanup:
    close_set(&set);
    return status;
}

static hid_t memory_type(bt_dtype type)
{
    assert(type == BT_F32 || type == BT_F64 || type == BT_I32);
    return type == BT_F32 ? H5T_NATIVE_FLOAT : type == BT_F64 ? H5T_NATIVE_DOUBLE : H5T_NATIVE_INT32;
}

/* One transfer between a data set and memory (contiguous, row-major). */
typedef struct transfer transfer;
struct transfer {
    const data_set *set;
    const bt_h5 *file;
    const char *path, *what; /* what a failure means, for the message */
    bt_status code;
    hid_t memory_type, list;
    bt_dtype type; /* in memory */
    size_t limit;  /* bytes of `type` per piece, which is PIECE bytes of the file at most too */
    void *scratch; /* SCRATCH bytes or NULL */
    herr_t (*piece)(const transfer *t, hid_t memory_space, size_t n, void *data);
};

static size_t product(int rank, const hsize_t *count)
{
    size_t n = 1;
    for (int i = 0; i < rank; ++i) n *= (size_t)count[i];
    return n;
}

static bt_status move_piece(const transfer *t, const hsize_t *start, const hsize_t *count, size_t n, void *data)
{
    bt_status status = BT_OK;
    const hsize_t length = n;
    const hid_t space = H5Screate_simple(1, &length, NULL);
    const bool selected =
        t->set->rank == 0 || H5Sselect_hyperslab(t->set->space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0;
    BT_H5_CHECK(space >= 0 && selected && t->piece(t, space, n, data) >= 0, t->code, t->file, t->path, t->what);
cleanup:
    if (space >= 0) (void)H5Sclose(space);
    return status;
}

/* The hyperslab in pieces of at most `limit` bytes: halves along the slowest axis that can be cut, so that a piece is
 * contiguous in memory. */
static bt_status move(const transfer *t, const hsize_t *start, const hsize_t *count, char *data)
{
    const int rank = t->set->rank;
    const size_t size = bt_dtype_size(t->type), n = product(rank, count);
    int axis = 0;
    while (axis < rank && count[axis] <= 1) ++axis;
    if (n == 0) return BT_OK;
    if (axis == rank || n * size <= t->limit) return move_piece(t, start, count, n, data);
    hsize_t from[BT_H5_RANK], part[BT_H5_RANK];
    memcpy(from, start, sizeof from);
    memcpy(part, count, sizeof part);
    part[axis] = count[axis] / 2;
    const bt_status status = move(t, from, part, data);
    if (status != BT_OK) return status;
    const size_t done = product(rank, part) * size;
    from[axis] += part[axis];
    part[axis] = count[axis] - part[axis];
    return move(t, from, part, data + done);
}

static herr_t read_piece(const transfer *t, hid_t space, size_t n, void *data)
{
    (void)n;
    return H5Dread(t->set->set, t->memory_type, space, t->set->space, t->list, data);
}

static herr_t write_piece(const transfer *t, hid_t space, size_t n, void *data)
{
    (void)n;
    return H5Dwrite(t->set->set, t->memory_type, space, t->set->space, t->list, data);
}

/* float64 rows to float32: HDF5's own conversion would read 1 MiB at a time. */
static herr_t read_narrowed(const transfer *t, hid_t space, size_t n, void *data)
{
    const herr_t result = H5Dread(t->set->set, H5T_NATIVE_DOUBLE, space, t->set->space, t->list, t->scratch);
    const double *const from = t->scratch;
    float *const to = data;
    if (result < 0) return result;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; ++i) to[i] = (float)from[i];
    return result;
}

static H5T_conv_ret_t refuse(H5T_conv_except_t kind, hid_t from, hid_t to, void *source, void *target, void *none)
{
    (void)kind, (void)from, (void)to, (void)source, (void)target, (void)none;
    return H5T_CONV_ABORT;
}

static bool is_chunked(const data_set *set)
{
    const hid_t list = H5Dget_create_plist(set->set);
    const bool chunked = list >= 0 && H5Pget_layout(list) == H5D_CHUNKED;
    if (list >= 0) (void)H5Pclose(list);
    return chunked;
}

/* Chooses how the elements get from the file to `type`. */
static bt_status choose_read(transfer *t)
{
    bt_status status = BT_OK;
    const bt_h5 *const file = t->file;
    const char *const path = t->path;
    const hid_t type = t->set->type;
    const H5T_class_t class = H5Tget_class(type);
    const size_t in_file = H5Tget_size(type), in_memory = bt_dtype_size(t->type);
    BT_CHECK(class == H5T_INTEGER || class == H5T_FLOAT || is_bool(type), BT_ERR_INPUT,
             "%s:%s: expected numbers, found text or records; store a plain array of numbers", file->path, path);
    BT_CHECK(t->type != BT_I32 || class != H5T_FLOAT, BT_ERR_INPUT,
             "%s:%s: expected integers, found floating point numbers; store an integer array", file->path, path);
    t->piece = read_piece;
    t->limit = PIECE / (in_file > in_memory ? in_file : in_memory) * in_memory;
    if (t->type == BT_F32 && H5Tequal(type, H5T_NATIVE_DOUBLE) > 0 && !is_chunked(t->set)) {
        t->piece = read_narrowed; /* of chunks, small pieces would unpack the same ones again and again */
    }
    if (t->piece == read_narrowed) {
        t->limit = SCRATCH / sizeof(double) * sizeof(float);
        t->scratch = bt_calloc(SCRATCH, 1);
        if (!t->scratch) status = BT_ERR_MEMORY;
    }
    BT_H5_CHECK(H5Pset_buffer(t->list, 4 << 20, NULL, NULL) >= 0, BT_ERR_INTERNAL, file, path, "HDF5 buffer");
    if (t->type == BT_I32)
        BT_H5_CHECK(H5Pset_type_conv_cb(t->list, refuse, NULL) >= 0, BT_ERR_INTERNAL, file, path, "HDF5 conversion");
cleanup:
    return status;
}

static bt_status read_set(const bt_h5 *file, const char *path, const data_set *set, bt_dtype type, const hsize_t *start,
                          const hsize_t *count, void *data)
{
    bt_status status = BT_OK;
    transfer t = {.set = set,
                  .file = file,
                  .path = path,
                  .what = type == BT_I32 ? "cannot be read as 32-bit integers"
                                         : "cannot be read; fetch or write the file again",
                  .code = BT_ERR_INPUT,
                  .memory_type = memory_type(type),
                  .type = type};
    t.list = H5Pcreate(H5P_DATASET_XFER);
    BT_H5_CHECK(t.list >= 0, BT_ERR_INTERNAL, file, path, "HDF5 transfer properties");
    BT_TRY(choose_read(&t));
    BT_TRY(move(&t, start, count, data));
cleanup:
    if (t.list >= 0) (void)H5Pclose(t.list);
    bt_free(t.scratch);
    return status;
}

bt_status bt_h5_read(const bt_h5 *file, const char *path, bt_dtype type, const size_t *start, const size_t *count,
                     void *data)
{
    bt_status status = BT_OK;
    data_set set;
    hsize_t from[BT_H5_RANK] = {0}, part[BT_H5_RANK] = {0};
    BT_TRY(open_set(file, path, &set));
    for (int i = 0; i < set.rank; ++i) {
        from[i] = start[i];
        part[i] = count[i];
        BT_CHECK(from[i] <= set.extent[i] && part[i] <= set.extent[i] - from[i], BT_ERR_INPUT,
                 "%s:%s: expected at least %llu along axis %d, found %llu", file->path, path,
                 (unsigned long long)(from[i] + part[i]), i, (unsigned long long)set.extent[i]);
    }
    BT_TRY(read_set(file, path, &set, type, from, part, data));
cleanup:
    close_set(&set);
    return status;
}

/* Elements of a data set, when they fit this machine. */
static bt_status elements_of(const bt_h5 *file, const char *path, const data_set *set, size_t size, size_t *n)
{
    bt_status status = BT_OK;
    *n = 1;
    bool fits = true;
    for (int i = 0; i < set->rank; ++i) fits = fits && !__builtin_mul_overflow(*n, (size_t)set->extent[i], n);
    BT_CHECK(fits && *n < bt_memory_available() / size, BT_ERR_MEMORY,
             "%s:%s: the data set is larger than the memory of this machine", file->path, path);
cleanup:
    return status;
}

bt_status bt_h5_read_all(const bt_h5 *file, const char *path, bt_dtype type, bt_h5_shape *shape, void **data)
{
    bt_status status = BT_OK;
    data_set set = {.set = H5I_INVALID_HID, .space = H5I_INVALID_HID, .type = H5I_INVALID_HID};
    const hsize_t from[BT_H5_RANK] = {0};
    char *values = NULL;
    size_t n = 0;
    *data = NULL;
    BT_TRY(bt_h5_shape_of(file, path, shape));
    BT_TRY(open_set(file, path, &set));
    BT_TRY(elements_of(file, path, &set, bt_dtype_size(type), &n));
    BT_ALLOC(values, n * bt_dtype_size(type));
    BT_TRY(read_set(file, path, &set, type, from, set.extent, values));
    *data = values;
    values = NULL;
cleanup:
    bt_free(values);
    close_set(&set);
    return status;
}

static hid_t file_type(bt_dtype type)
{
    assert(type == BT_F32 || type == BT_F64 || type == BT_I32);
    return type == BT_F32 ? H5T_IEEE_F32LE : type == BT_F64 ? H5T_IEEE_F64LE : H5T_STD_I32LE;
}

bt_status bt_h5_reserve(bt_h5 *file, const char *path, bt_dtype type, int rank, const size_t *shape)
{
    bt_status status = BT_OK;
    hsize_t extent[BT_H5_RANK] = {0};
    assert(rank >= 1 && rank <= BT_H5_RANK);
    for (int i = 0; i < rank; ++i) extent[i] = shape[i];
    const hid_t space = H5Screate_simple(rank, extent, NULL);
    const hid_t link = H5Pcreate(H5P_LINK_CREATE), creation = H5Pcreate(H5P_DATASET_CREATE);
    hid_t set = H5I_INVALID_HID;
    BT_H5_CHECK(space >= 0 && link >= 0 && creation >= 0 && H5Pset_create_intermediate_group(link, 1) >= 0 &&
                    H5Pset_obj_track_times(creation, false) >= 0,
                BT_ERR_INTERNAL, file, path, "HDF5 properties");
    set = H5Dcreate2(file->id, path, file_type(type), space, link, creation, H5P_DEFAULT);
    BT_H5_CHECK(set >= 0, BT_ERR_FILE, file, path, "cannot be created");
cleanup:
    if (set >= 0) (void)H5Dclose(set);
    if (creation >= 0) (void)H5Pclose(creation);
    if (link >= 0) (void)H5Pclose(link);
    if (space >= 0) (void)H5Sclose(space);
    return status;
}

bt_status bt_h5_write_rows(bt_h5 *file, const char *path, bt_dtype type, size_t row, size_t n, const void *data)
{
    bt_status status = BT_OK;
    data_set set;
    hsize_t from[BT_H5_RANK] = {0}, part[BT_H5_RANK] = {0};
    BT_TRY(open_set(file, path, &set));
    assert(set.rank >= 1 && row + n <= set.extent[0]);
    memcpy(part, set.extent, sizeof part);
    from[0] = row;
    part[0] = n;
    const transfer t = {.set = &set,
                        .file = file,
                        .path = path,
                        .what = "cannot be written",
                        .code = BT_ERR_FILE,
                        .memory_type = memory_type(type),
                        .list = H5P_DEFAULT,
                        .type = type,
                        .limit = PIECE,
                        .piece = write_piece};
    BT_TRY(move(&t, from, part, (char *)(uintptr_t)data));
    BT_H5_CHECK(!file->error, BT_ERR_FILE, file, path, "cannot be written");
cleanup:
    close_set(&set);
    return status;
}

bt_status bt_h5_write(bt_h5 *file, const char *path, bt_dtype type, int rank, const size_t *shape, const void *data)
{
    const bt_status status = bt_h5_reserve(file, path, type, rank, shape);
    return status == BT_OK ? bt_h5_write_rows(file, path, type, 0, shape[0], data) : status;
}
