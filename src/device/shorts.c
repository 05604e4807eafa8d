#include "device/shorts.h"

#include "base/memory.h"
#include "device/internal.h"
#include "device/kernels/kernels.h"

#include <string.h>

enum { PAIRS = BT_SHORT_CHUNK / 2 };
/* Chunks of a panel, which is multiplied in one go; tiles of the right operand whose panel the second-level cache keeps
 * (672 KiB), and tiles of the left that pass by, of one task. */
enum { PANEL = 6, RIGHT_TILES = 14, LEFT_TILES = 28, PACK_TILES = 8 };

/* Lines that a tile holds, and places that it has for them. */
static size_t lines_of(bool left)
{
    return left ? BT_SHORT_ROWS : BT_LANES;
}

static size_t places_of(bool left)
{
    return left ? BT_SHORT_LEFT : BT_LANES;
}

/* Places of all chunks of all tiles. */
static size_t places(size_t n_line, size_t depth, bool left)
{
    return bt_divided(n_line, lines_of(left)) * bt_divided(depth, BT_SHORT_CHUNK) * places_of(left);
}

double bt_shorts_bytes(size_t n_line, size_t depth)
{
    const size_t left = places(n_line, depth, true), right = places(n_line, depth, false);
    return (double)(left > right ? left : right) * (PAIRS * sizeof(int32_t) + sizeof(float));
}

bool bt_shorts_are_fast(void)
{
    return bt_short_kernels_best()->is_fast;
}

void bt_shorts_clear(bt_shorts *shorts)
{
    bt_free(shorts->pairs);
    bt_free(shorts->unit);
    *shorts = (bt_shorts){0};
}

/* ---- packing ---- */

/* Lines of an operand: element k of line i is data[i line_step + index[k] depth_step], with index NULL of k itself. */
typedef struct {
    const float *data;
    size_t n_line, depth, line_step, depth_step;
    const size_t *index;
    bool left;
} lines;

/* Element k of n lines from `first` on, to places of tiles that follow each other. */
static void gather(const lines *from, size_t k, size_t first, size_t n, float *to)
{
    const size_t height = lines_of(from->left), n_place = places_of(from->left), at = from->index ? from->index[k] : k;
    const float *data = from->data + first * from->line_step + at * from->depth_step;
    for (size_t low = 0; low < n; low += height, to += BT_SHORT_CHUNK * n_place, data += height * from->line_step)
        if (from->line_step == 1)
            memcpy(to, data, bt_least(n - low, height) * sizeof *to);
        else
            for (size_t i = 0; i < bt_least(n - low, height); ++i) to[i] = data[i * from->line_step];
}

/* A chunk of PACK_TILES tiles: their elements come by in long runs. */
static void pack_tiles(const lines *from, size_t tile, size_t chunk, bt_shorts *out)
{
    const size_t height = lines_of(from->left), n_place = places_of(from->left), first = tile * height;
    const size_t n_chunk = bt_divided(from->depth, BT_SHORT_CHUNK), low = chunk * BT_SHORT_CHUNK;
    const size_t n = bt_least(from->n_line - first, PACK_TILES * height),
                 depth = bt_least(from->depth - low, BT_SHORT_CHUNK);
    float room[PACK_TILES * BT_SHORT_CHUNK * BT_LANES];
    if (depth < BT_SHORT_CHUNK || n < PACK_TILES * height || height < n_place) memset(room, 0, sizeof room);
    for (size_t k = 0; k < depth; ++k) gather(from, low + k, first, n, room + k * n_place);
    for (size_t t = 0; t * height < n; ++t) {
        const size_t at = ((tile + t) * n_chunk + chunk) * n_place;
        bt_short_kernels_best()->pack(room + t * BT_SHORT_CHUNK * n_place, n_place, out->pairs + at * PAIRS,
                                      out->unit + at);
    }
}

static bt_status pack(bt_device *device, const lines *from, bt_shorts *out)
{
    bt_status status = BT_OK;
    const size_t n = places(from->n_line, from->depth, from->left), n_chunk = bt_divided(from->depth, BT_SHORT_CHUNK);
    const size_t across = bt_divided(bt_divided(from->n_line, lines_of(from->left)), PACK_TILES);
    if (n > out->capacity) {
        bt_shorts_clear(out);
        BT_ALLOC(out->pairs, n * PAIRS);
        BT_ALLOC(out->unit, n);
        out->capacity = n;
    }
    out->n_line = from->n_line;
    out->depth = from->depth;
#pragma omp parallel for schedule(dynamic) num_threads(device->n_thread)
    for (size_t task = 0; task < across * n_chunk; ++task)
        pack_tiles(from, task % across * PACK_TILES, task / across, out);
cleanup:
    return status;
}

bt_status bt_shorts_of_rows(bt_device *device, bt_matrix a, bt_shorts *out)
{
    const lines rows = {.data = (const float *)a.buffer->data + a.offset,
                        .n_line = a.rows,
                        .depth = a.columns,
                        .line_step = a.stride,
                        .depth_step = 1,
                        .left = true};
    return pack(device, &rows, out);
}

bt_status bt_shorts_of_columns(bt_device *device, const float *y, size_t n, const size_t *index, size_t depth,
                               bt_shorts *out)
{
    const lines columns = {.data = y, .n_line = n, .depth = depth, .line_step = 1, .depth_step = n, .index = index};
    return pack(device, &columns, out);
}

/* ---- multiplying ---- */

typedef struct {
    const bt_short_kernels *kernels;
    const bt_shorts *left, *right;
    float *c;
    size_t c_stride, n_chunk;
} product;

static void multiply_tile(const product *p, size_t row, size_t column, size_t chunk)
{
    const size_t a = (row * p->n_chunk + chunk) * BT_SHORT_LEFT, b = (column * p->n_chunk + chunk) * BT_LANES;
    const size_t i = row * BT_SHORT_ROWS, j = column * BT_LANES;
    const bt_short_product tile = {.a = p->left->pairs + a * PAIRS,
                                   .b = p->right->pairs + b * PAIRS,
                                   .a_unit = p->left->unit + a,
                                   .b_unit = p->right->unit + b,
                                   .n_chunk = bt_least(p->n_chunk - chunk, PANEL),
                                   .n_row = bt_least(p->left->n_line - i, BT_SHORT_ROWS),
                                   .n_lane = bt_least(p->right->n_line - j, BT_LANES),
                                   .c = p->c + i * p->c_stride + j,
                                   .c_stride = p->c_stride,
                                   .adds = chunk > 0};
    p->kernels->product(&tile);
}

/* Panel after panel of some tiles. */
static void multiply(const product *p, size_t row, size_t row_end, size_t column, size_t column_end)
{
    for (size_t chunk = 0; chunk < p->n_chunk; chunk += PANEL)
        for (size_t i = row; i < row_end; ++i)
            for (size_t j = column; j < column_end; ++j) multiply_tile(p, i, j, chunk);
}

void bt_shorts_product(bt_device *device, const bt_shorts *left, const bt_shorts *right, bt_matrix c)
{
    const product p = {.kernels = bt_short_kernels_best(),
                       .left = left,
                       .right = right,
                       .c = (float *)c.buffer->data + c.offset,
                       .c_stride = c.stride,
                       .n_chunk = bt_divided(left->depth, BT_SHORT_CHUNK)};
    const size_t n_row = bt_divided(left->n_line, BT_SHORT_ROWS), n_column = bt_divided(right->n_line, BT_LANES);
    const size_t down = bt_divided(n_row, LEFT_TILES), across = bt_divided(n_column, RIGHT_TILES);
#pragma omp parallel for schedule(dynamic) num_threads(device->n_thread)
    for (size_t task = 0; task < down * across; ++task) {
        const size_t row = task % down * LEFT_TILES, column = task / down * RIGHT_TILES;
        multiply(&p, row, bt_least(row + LEFT_TILES, n_row), column, bt_least(column + RIGHT_TILES, n_column));
    }
}
