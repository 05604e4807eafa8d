#include "io/npy.h"

#include "base/file_at.h"
#include "base/memory.h"
#include "base/text.h"
#include "io/foreign.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONGEST_HEADER = 1 << 20, BLOCK = 4 << 20, TILE = 32 }; /* bytes, bytes, columns */

struct bt_npy {
    char *path;
    int descriptor;
    size_t offset; /* of the first element */
    bt_npy_info info;
};

static bt_status read_at(const bt_npy *npy, void *bytes, size_t size, size_t offset)
{
    size_t got;
    if (!bt_read_at(npy->descriptor, bytes, size, offset, &got))
        return bt_fail(BT_ERR_FILE, "%s: cannot be read: %s", npy->path, strerror(errno));
    if (got < size)
        return bt_fail(BT_ERR_INPUT, "%s: expected %zu bytes at byte %zu, found the end of the file; it is truncated",
                       npy->path, size, offset);
    return BT_OK;
}

static bt_status read_header(bt_npy *npy)
{
    bt_status status = BT_OK;
    unsigned char head[12];
    char *text = NULL;
    BT_TRY(read_at(npy, head, 10, 0));
    BT_CHECK(!memcmp(head, "\x93NUMPY", 6), BT_ERR_INPUT,
             "%s: expected a .npy file, found other content%s; save it with numpy.save", npy->path,
             !memcmp(head, "PK", 2) ? " (a zip: .npz holds several arrays)" : "");
    BT_CHECK(head[6] >= 1 && head[6] <= 3 && head[7] == 0, BT_ERR_INPUT,
             "%s: npy version %d.%d: expected 1.0, 2.0 or 3.0", npy->path, head[6], head[7]);
    if (head[6] > 1) BT_TRY(read_at(npy, head + 10, 2, 10));
    size_t length = (size_t)head[8] | (size_t)head[9] << 8;
    if (head[6] > 1) length |= (size_t)head[10] << 16 | (size_t)head[11] << 24;
    BT_CHECK(length <= LONGEST_HEADER, BT_ERR_INPUT, "%s: npy header of %zu bytes; the file is damaged", npy->path,
             length);
    const size_t from = head[6] > 1 ? 12 : 10;
    BT_ALLOC(text, length + 1);
    BT_TRY(read_at(npy, text, length, from));
    BT_TRY(bt_npy_parse(npy->path, text, length, &npy->info));
    npy->offset = from + length;
cleanup:
    bt_free(text);
    return status;
}

static bt_status check_size(const bt_npy *npy)
{
    bt_status status = BT_OK;
    struct stat facts;
    size_t span;
    BT_CHECK(bt_elements_span(npy->info.rank, npy->info.shape, bt_element_size(npy->info.element), &span), BT_ERR_INPUT,
             "%s: npy header: the shape passes any file's size; the file is damaged", npy->path);
    BT_CHECK(fstat(npy->descriptor, &facts) == 0, BT_ERR_FILE, "%s: %s", npy->path, strerror(errno));
    const size_t found = (size_t)facts.st_size - npy->offset;
    BT_CHECK(found == span, BT_ERR_INPUT, "%s: expected %zu bytes of data (its header), found %zu; the file is %s",
             npy->path, span, found, found < span ? "truncated" : "longer than its header says");
cleanup:
    return status;
}

bt_status bt_npy_open(const char *path, bt_npy **out)
{
    bt_status status = BT_OK;
    bt_npy *npy = NULL;
    *out = NULL;
    BT_TRY(bt_file_check(path));
    BT_ALLOC(npy, 1);
    npy->path = bt_strdup(path);
    npy->descriptor = open(path, O_RDONLY | O_CLOEXEC);
    BT_CHECK(npy->descriptor >= 0, BT_ERR_FILE, "%s: cannot be opened: %s", path, strerror(errno));
    BT_CHECK(npy->path, BT_ERR_MEMORY, "%s: out of memory", path);
    BT_TRY(read_header(npy));
    BT_TRY(check_size(npy));
    *out = npy;
    npy = NULL;
cleanup:
    bt_npy_close(&npy);
    return status;
}

void bt_npy_close(bt_npy **handle)
{
    bt_npy *const npy = *handle;
    if (!npy) return;
    if (npy->descriptor >= 0) (void)close(npy->descriptor);
    bt_free(npy->path);
    bt_free(npy);
    *handle = NULL;
}

bt_npy_info bt_npy_describe(const bt_npy *npy)
{
    return npy->info;
}

/* The file's elements are those of memory. */
static bool is_stored_as(const bt_npy *npy, bt_dtype type)
{
    return !npy->info.swap && npy->info.element == (type == BT_F32 ? BT_ELEMENT_F32 : BT_ELEMENT_F64);
}

/* n elements from number `first` on, `stride` apart. raw: BLOCK bytes; not used for neighbours stored as `type`. */
static bt_status read_run(const bt_npy *npy, size_t first, size_t stride, size_t n, void *raw, bt_dtype type, void *out)
{
    bt_status status = BT_OK;
    const size_t size = bt_element_size(npy->info.element), step = stride * size;
    if (stride == 1 && is_stored_as(npy, type)) return read_at(npy, out, n * size, npy->offset + first * size);
    const size_t most = step < BLOCK ? BLOCK / step : 1; /* elements whose span fits */
    for (size_t done = 0; done < n; done += most) {
        const size_t here = n - done < most ? n - done : most;
        BT_TRY(read_at(npy, raw, (here - 1) * step + size, npy->offset + first * size + done * step));
        bt_elements_convert(npy->info.element, npy->info.swap, raw, stride, here, type,
                            (char *)out + done * bt_dtype_size(type));
    }
cleanup:
    return status;
}

/* Where the axes (slab, row, column) are and how many elements apart their neighbours lie. */
typedef struct {
    size_t extent[3], stride[3];
} view;

static view view_of(const bt_npy_info *info)
{
    view v = {.extent = {1, 1, 1}, .stride = {0, 0, 0}};
    const int skip = info->rank >= 3 ? 0 : 1; /* (n) is (1, n, 1), (n, m) is (1, n, m) */
    size_t stride = 1;
    for (int i = 0; i < info->rank; ++i) v.extent[i + skip] = info->shape[i];
    for (int k = 0; k < 3; ++k) {
        const int axis = info->fortran ? k : 2 - k;
        v.stride[axis] = stride;
        stride *= v.extent[axis];
    }
    return v;
}

/* tile (n_tile, n_row) to columns [column, column + n_tile) of out (n_row, n_column). */
static void spread(const void *tile, size_t n_tile, size_t n_row, size_t column, size_t n_column, bt_dtype type,
                   void *out)
{
    for (size_t r = 0; r < n_row; ++r)
        for (size_t c = 0; c < n_tile; ++c) {
            const size_t to = r * n_column + column + c, from = c * n_row + r;
            if (type == BT_F32)
                ((float *)out)[to] = ((const float *)tile)[from];
            else
                ((double *)out)[to] = ((const double *)tile)[from];
        }
}

/* Columns are runs: a tile of them, then across. */
static bt_status read_by_column(const bt_npy *npy, const view *v, size_t first, size_t n_row, size_t n_column,
                                void *raw, bt_dtype type, void *out)
{
    bt_status status = BT_OK;
    const size_t size = bt_dtype_size(type);
    char *tile = NULL;
    BT_ALLOC(tile, TILE * n_row * size);
    for (size_t column = 0; column < n_column; column += TILE) {
        const size_t here = n_column - column < TILE ? n_column - column : TILE;
        for (size_t c = 0; c < here; ++c)
            BT_TRY(read_run(npy, first + (column + c) * v->stride[2], v->stride[1], n_row, raw, type,
                            tile + c * n_row * size));
        spread(tile, here, n_row, column, n_column, type, out);
    }
cleanup:
    bt_free(tile);
    return status;
}

bt_status bt_npy_read(const bt_npy *npy, size_t slab, size_t row, size_t n_row, size_t column, size_t n_column,
                      bt_dtype type, void *out)
{
    bt_status status = BT_OK;
    const view v = view_of(&npy->info);
    char *raw = NULL;
    assert(npy->info.rank <= 3 && slab < v.extent[0]);
    assert(row + n_row <= v.extent[1] && column + n_column <= v.extent[2]);
    if (n_row == 0 || n_column == 0) return BT_OK;
    const size_t first = slab * v.stride[0] + row * v.stride[1] + column * v.stride[2];
    const bool whole_rows = n_column == v.extent[2] && v.stride[1] == n_column && (n_column == 1 || v.stride[2] == 1);
    if (whole_rows && is_stored_as(npy, type)) return read_run(npy, first, 1, n_row * n_column, NULL, type, out);
    BT_ALLOC(raw, BLOCK);
    if (npy->info.fortran && v.extent[2] > 1) {
        BT_TRY(read_by_column(npy, &v, first, n_row, n_column, raw, type, out));
    } else if (whole_rows) {
        BT_TRY(read_run(npy, first, 1, n_row * n_column, raw, type, out));
    } else {
        for (size_t r = 0; r < n_row; ++r)
            BT_TRY(read_run(npy, first + r * v.stride[1], 1, n_column, raw, type,
                            (char *)out + r * n_column * bt_dtype_size(type)));
    }
cleanup:
    bt_free(raw);
    return status;
}

/* From Fortran to C order. */
static void reorder(const bt_npy_info *info, const double *from, double *to, size_t n)
{
    size_t at[BT_NPY_RANK] = {0}, stride[BT_NPY_RANK] = {1};
    for (int i = 1; i < info->rank; ++i) stride[i] = stride[i - 1] * info->shape[i - 1];
    for (size_t i = 0; i < n; ++i) {
        size_t source = 0;
        for (int a = 0; a < info->rank; ++a) source += at[a] * stride[a];
        to[i] = from[source];
        for (int a = info->rank - 1; a >= 0 && ++at[a] == info->shape[a]; --a) at[a] = 0;
    }
}

bt_status bt_npy_read_all(const bt_npy *npy, double *out)
{
    bt_status status = BT_OK;
    char *raw = NULL;
    double *columns = NULL;
    size_t n = 1;
    for (int i = 0; i < npy->info.rank; ++i) n *= npy->info.shape[i];
    const bool turn = npy->info.fortran && npy->info.rank > 1;
    BT_ALLOC(raw, BLOCK);
    if (turn) BT_ALLOC(columns, n);
    BT_TRY(read_run(npy, 0, 1, n, raw, BT_F64, turn ? columns : out));
    if (turn) reorder(&npy->info, columns, out, n);
cleanup:
    bt_free(raw);
    bt_free(columns);
    return status;
}
