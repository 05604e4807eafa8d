#include "io/nifti.h"

#include "base/memory.h"
#include "base/text.h"
#include "io/foreign.h"
#include "io/nifti_internal.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEP = 1 << 20 }; /* bytes per call of zlib */

bt_status bt_nifti_stream_read(bt_nifti_stream *stream, void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        const size_t step = size - done < STEP ? size - done : STEP;
        const int got = gzread(stream->file, (char *)bytes + done, (unsigned)step);
        if (got > 0) {
            done += (size_t)got;
            continue;
        }
        int error = Z_OK;
        const char *const why = gzerror(stream->file, &error);
        if (error == Z_ERRNO) return bt_fail(BT_ERR_FILE, "%s: cannot be read: %s", stream->path, strerror(errno));
        if (error != Z_OK && error != Z_BUF_ERROR)
            return bt_fail(BT_ERR_INPUT, "%s: gzip: %s; the file is damaged, fetch it again", stream->path, why);
        return bt_fail(BT_ERR_INPUT,
                       "%s: expected %zu bytes more, found the end; the file is truncated, fetch it again",
                       stream->path, size - done);
    }
    return BT_OK;
}

bt_status bt_nifti_stream_finish(bt_nifti_stream *stream)
{
    char rest[4096];
    int got, error = Z_OK;
    while ((got = gzread(stream->file, rest, sizeof rest)) > 0) continue;
    const char *const why = gzerror(stream->file, &error);
    if (got == 0 && error == Z_OK) return BT_OK;
    return bt_fail(BT_ERR_INPUT, "%s: gzip: %s; the file is damaged, fetch it again", stream->path, why);
}

static bt_status skip(bt_nifti_stream *stream, size_t size)
{
    char ignored[4096];
    while (size) {
        const size_t step = size < sizeof ignored ? size : sizeof ignored;
        const bt_status status = bt_nifti_stream_read(stream, ignored, step);
        if (status != BT_OK) return status;
        size -= step;
    }
    return BT_OK;
}

/* An uncompressed file has its size in plain sight. */
static bt_status check_size(const bt_nifti_stream *stream)
{
    struct stat facts;
    const bt_nifti_header *const h = &stream->header;
    size_t span;
    if (!gzdirect(stream->file) || stat(stream->path, &facts) != 0) return BT_OK;
    (void)!bt_elements_span(4, h->info.shape, bt_element_size(h->element), &span);
    if ((size_t)facts.st_size >= h->offset && (size_t)facts.st_size - h->offset >= span) return BT_OK;
    return bt_fail(BT_ERR_INPUT,
                   "%s: expected %zu bytes (its header), found %zu; the file is truncated, fetch it again",
                   stream->path, h->offset + span, (size_t)facts.st_size);
}

bt_status bt_nifti_stream_open(const char *path, bt_nifti_stream *stream)
{
    bt_status status = BT_OK;
    bt_nifti_header *const h = &stream->header;
    stream->path = path;
    BT_TRY(bt_file_check(path));
    stream->file = gzopen(path, "rb");
    BT_CHECK(stream->file, BT_ERR_FILE, "%s: cannot be opened: %s", path, strerror(errno));
    (void)gzbuffer(stream->file, 1 << 18);
    BT_TRY(bt_nifti_stream_read(stream, h->bytes, 4));
    uint32_t size;
    memcpy(&size, h->bytes, sizeof size);
    if (size > INT16_MAX) size = __builtin_bswap32(size);
    BT_CHECK(size == BT_NIFTI_1_SIZE || size == BT_NIFTI_2_SIZE, BT_ERR_INPUT,
             "%s: expected a NIfTI image (.nii or .nii.gz), found another kind of file", path);
    h->size = size;
    BT_TRY(bt_nifti_stream_read(stream, h->bytes + 4, h->size - 4));
    BT_TRY(bt_nifti_parse(path, h));
    BT_TRY(check_size(stream));
    BT_TRY(skip(stream, h->offset - h->size));
cleanup:
    return status;
}

void bt_nifti_stream_close(bt_nifti_stream *stream)
{
    if (stream->file) (void)gzclose_r(stream->file);
    stream->file = NULL;
}

bt_status bt_nifti_inspect(const char *path, bt_nifti_info *info)
{
    bt_nifti_stream stream = {0};
    const bt_status status = bt_nifti_stream_open(path, &stream);
    *info = stream.header.info;
    bt_nifti_stream_close(&stream);
    return status;
}

static size_t voxels(const bt_nifti_info *info)
{
    return info->shape[0] * info->shape[1] * info->shape[2];
}

/* One volume as stored. Allocated when it is read, not when a header promises it. */
static bt_status read_volume(bt_nifti_stream *stream, char **raw)
{
    bt_status status = BT_OK;
    const size_t bytes = voxels(&stream->header.info) * bt_element_size(stream->header.element);
    BT_CHECK(bytes < bt_memory_available(), BT_ERR_MEMORY, "%s: one volume is larger than the memory of this machine",
             stream->path);
    if (!*raw) BT_ALLOC(*raw, bytes);
    BT_TRY(bt_nifti_stream_read(stream, *raw, bytes));
cleanup:
    return status;
}

/* Positions of the non-zero voxels of a volume, ascending. */
static bt_status find_nonzero(const bt_nifti_stream *stream, const char *raw, size_t **index, size_t *n)
{
    bt_status status = BT_OK;
    const bt_nifti_header *const h = &stream->header;
    const size_t size = bt_element_size(h->element), total = voxels(&h->info);
    size_t *found = NULL, capacity = 0, count = 0;
    for (size_t i = 0; i < total; ++i) {
        double value;
        bt_elements_convert(h->element, h->swap, raw + i * size, 1, 1, BT_F64, &value);
        value = value * h->slope + h->intercept;
        BT_CHECK(!isnan(value), BT_ERR_INPUT, "%s: expected a mask, found NaN at voxel %zu; write 0 outside the mask",
                 stream->path, i);
        if (value == 0) continue;
        BT_GROW(found, count, capacity);
        found[count++] = i;
    }
    BT_CHECK(count, BT_ERR_INPUT, "%s: expected a mask, found no voxel that is not zero", stream->path);
    *index = found;
    *n = count;
    found = NULL;
cleanup:
    bt_free(found);
    return status;
}

bt_status bt_nifti_mask(const char *path, bt_nifti_info *info, size_t **index, size_t *n)
{
    bt_status status = BT_OK;
    bt_nifti_stream stream = {0};
    char *raw = NULL;
    *index = NULL;
    *n = 0;
    BT_TRY(bt_nifti_stream_open(path, &stream));
    *info = stream.header.info;
    BT_CHECK(info->shape[3] == 1, BT_ERR_INPUT, "%s: expected a mask of one volume, found %zu volumes", path,
             info->shape[3]);
    BT_TRY(read_volume(&stream, &raw));
    BT_TRY(bt_nifti_stream_finish(&stream));
    BT_TRY(find_nonzero(&stream, raw, index, n));
cleanup:
    bt_free(raw);
    bt_nifti_stream_close(&stream);
    return status;
}

static bt_status check_shape(const char *path, const bt_nifti_info *image, const char *mask_path,
                             const bt_nifti_info *mask)
{
    if (!memcmp(image->shape, mask->shape, 3 * sizeof *mask->shape)) return BT_OK;
    return bt_fail(
        BT_ERR_INPUT,
        "%s: expected the shape of the mask %s, %zu x %zu x %zu, found %zu x %zu x %zu; use a mask of this image's "
        "space",
        path, mask_path, mask->shape[0], mask->shape[1], mask->shape[2], image->shape[0], image->shape[1],
        image->shape[2]);
}

/* row (n): the scaled values at index. */
static void pick(const bt_nifti_header *h, const char *raw, const size_t *index, size_t n, float *row)
{
    enum { BLOCK = 512 };
    const size_t size = bt_element_size(h->element);
    char packed[BLOCK * sizeof(double)];
    double values[BLOCK];
    for (size_t done = 0; done < n; done += BLOCK) {
        const size_t here = n - done < BLOCK ? n - done : BLOCK;
        for (size_t i = 0; i < here; ++i) memcpy(packed + i * size, raw + index[done + i] * size, size);
        bt_elements_convert(h->element, h->swap, packed, 1, here, BT_F64, values);
        for (size_t i = 0; i < here; ++i) row[done + i] = (float)(values[i] * h->slope + h->intercept);
    }
}

bt_status bt_nifti_rows(const char *path, const char *mask_path, const bt_nifti_info *mask, const size_t *index,
                        size_t n, float **rows, size_t *n_t)
{
    bt_status status = BT_OK;
    bt_nifti_stream stream = {0};
    char *raw = NULL;
    float *values = NULL;
    size_t bytes;
    *rows = NULL;
    *n_t = 0;
    BT_TRY(bt_nifti_stream_open(path, &stream));
    const bt_nifti_header *const h = &stream.header;
    const size_t shape[2] = {h->info.shape[3], n};
    BT_TRY(check_shape(path, &h->info, mask_path, mask));
    BT_CHECK(bt_elements_span(2, shape, sizeof *values, &bytes) && bytes < bt_memory_available(), BT_ERR_MEMORY,
             "%s: %zu volumes of %zu voxels are larger than the memory of this machine", path, shape[0], n);
    BT_ALLOC(values, shape[0] * n);
    for (size_t t = 0; t < shape[0]; ++t) {
        BT_TRY(read_volume(&stream, &raw));
        pick(h, raw, index, n, values + t * n);
    }
    BT_TRY(bt_nifti_stream_finish(&stream));
    *rows = values;
    *n_t = shape[0];
    values = NULL;
cleanup:
    bt_free(raw);
    bt_free(values);
    bt_nifti_stream_close(&stream);
    return status;
}

/* "wb" packs, "wbT" does not; zlib stamps no time, so that equal maps are equal bytes. */
static bt_status write_all(const char *path, const bt_nifti_header *header, const float *map, size_t n)
{
    bt_status status = BT_OK;
    const char none[4] = {0};
    const char *voxels_at = (const char *)map;
    size_t left = n * sizeof *map;
    errno = 0;
    gzFile const file = gzopen(path, bt_ends_with(path, ".gz") ? "wb" : "wbT");
    BT_CHECK(file, BT_ERR_FILE, "%s: cannot be created: %s", path, strerror(errno));
    bool written = gzwrite(file, header->bytes, (unsigned)header->size) > 0 && gzwrite(file, none, sizeof none) > 0;
    while (written && left) {
        const size_t step = left < STEP ? left : STEP;
        written = gzwrite(file, voxels_at, (unsigned)step) > 0;
        voxels_at += step;
        left -= step;
    }
    const int closed = gzclose_w(file);
    if (!written || closed != Z_OK) {
        status = bt_fail(BT_ERR_FILE, "%s: cannot be written: %s", path, strerror(errno));
        (void)unlink(path);
    }
cleanup:
    return status;
}

bt_status bt_nifti_write_map(const char *path, const char *mask_path, const size_t *index, size_t n,
                             const float *values)
{
    bt_status status = BT_OK;
    bt_nifti_stream mask = {0};
    float *map = NULL;
    size_t offset = 0;
    BT_TRY(bt_nifti_stream_open(mask_path, &mask));
    const size_t total = voxels(&mask.header.info);
    BT_ALLOC(map, total);
    for (size_t i = 0; i < total; ++i) map[i] = NAN;
    for (size_t i = 0; i < n; ++i) {
        assert(index[i] < total);
        map[index[i]] = values[i];
    }
    for (size_t i = 0; mask.header.swap && i < total; ++i) {
        uint32_t word;
        memcpy(&word, &map[i], sizeof word);
        word = __builtin_bswap32(word);
        memcpy(&map[i], &word, sizeof word);
    }
    bt_nifti_make_map(&mask.header, &offset);
    assert(offset == mask.header.size + 4);
    BT_TRY(write_all(path, &mask.header, map, total));
cleanup:
    bt_free(map);
    bt_nifti_stream_close(&mask);
    return status;
}
