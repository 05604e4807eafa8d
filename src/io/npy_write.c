#include "base/file_at.h"
#include "base/memory.h"
#include "io/array.h"

#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Magic, version 1.0, the dictionary, padded so that the data begin at a multiple of 64 bytes. */
static bt_status make_header(bt_dtype type, int rank, const size_t *shape, bt_text *header)
{
    enum { ALIGNMENT = 64, PREFIX = 10 };
    bt_status status = BT_OK;
    bt_text dictionary = {0};
    assert(type == BT_F32 || type == BT_F64 || type == BT_I32);
    const char *const name = type == BT_F32 ? "<f4" : type == BT_F64 ? "<f8" : "<i4";
    BT_TRY(bt_text_add(&dictionary, "{'descr': '%s', 'fortran_order': False, 'shape': (", name));
    for (int i = 0; i < rank; ++i)
        BT_TRY(bt_text_add(&dictionary, "%zu%s", shape[i], rank == 1 ? "," : i + 1 < rank ? ", " : ""));
    BT_TRY(bt_text_add(&dictionary, "), }"));
    while ((PREFIX + dictionary.length + 1) % ALIGNMENT) BT_TRY(bt_text_add(&dictionary, " "));
    BT_TRY(bt_text_add(&dictionary, "\n"));
    const char prefix[PREFIX] = {
        '\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, (char)(dictionary.length & 0xff), (char)(dictionary.length >> 8)};
    BT_TRY(bt_text_add_bytes(header, prefix, PREFIX));
    BT_TRY(bt_text_add_bytes(header, dictionary.data, dictionary.length));
cleanup:
    bt_text_clear(&dictionary);
    return status;
}

static size_t count_of(int rank, const size_t *shape)
{
    size_t n = 1;
    assert(rank >= 0 && rank <= BT_ARRAY_RANK);
    for (int i = 0; i < rank; ++i) n *= shape[i];
    return n;
}

bt_status bt_npy_write(const char *path, bt_dtype type, int rank, const size_t *shape, const void *data)
{
    bt_status status = BT_OK;
    bt_text header = {0};
    const size_t n = count_of(rank, shape);
    BT_TRY(make_header(type, rank, shape, &header));
    FILE *const file = fopen(path, "wb");
    BT_CHECK(file, BT_ERR_FILE, "%s: cannot be created: %s", path, strerror(errno));
    errno = 0;
    const bool written =
        fwrite(header.data, 1, header.length, file) == header.length && fwrite(data, bt_dtype_size(type), n, file) == n;
    const int error = errno;
    const bool closed = fclose(file) == 0;
    status = written && closed
                 ? BT_OK
                 : bt_fail(BT_ERR_FILE, "%s: cannot be written: %s", path, strerror(error ? error : errno));
    if (status != BT_OK) (void)unlink(path);
cleanup:
    bt_text_clear(&header);
    return status;
}

/* Closes what was written; what a network file system could not keep is told here. */
static bt_status finish(const char *path, int descriptor, bool written)
{
    const int error = errno;
    const bool closed = close(descriptor) == 0;
    return written && closed
               ? BT_OK
               : bt_fail(BT_ERR_FILE, "%s: cannot be written: %s", path, strerror(written ? errno : error));
}

bt_status bt_npy_reserve(const char *path, bt_dtype type, int rank, const size_t *shape)
{
    bt_status status = BT_OK;
    bt_text header = {0};
    BT_TRY(make_header(type, rank, shape, &header));
    const int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    BT_CHECK(descriptor >= 0, BT_ERR_FILE, "%s: cannot be created: %s", path, strerror(errno));
    const size_t size = header.length + count_of(rank, shape) * bt_dtype_size(type);
    const bool written =
        bt_write_at(descriptor, header.data, header.length, 0) && ftruncate(descriptor, (off_t)size) == 0;
    status = finish(path, descriptor, written);
    if (status != BT_OK) (void)unlink(path);
cleanup:
    bt_text_clear(&header);
    return status;
}

bt_status bt_npy_fill(const char *path, bt_dtype type, int rank, const size_t *shape, size_t first, size_t n,
                      const void *data)
{
    bt_status status = BT_OK;
    bt_text header = {0};
    const size_t size = bt_dtype_size(type);
    assert(first + n <= count_of(rank, shape));
    BT_TRY(make_header(type, rank, shape, &header));
    const int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    BT_CHECK(descriptor >= 0, BT_ERR_FILE, "%s: cannot be opened: %s", path, strerror(errno));
    status = finish(path, descriptor, bt_write_at(descriptor, data, n * size, header.length + first * size));
cleanup:
    bt_text_clear(&header);
    return status;
}
