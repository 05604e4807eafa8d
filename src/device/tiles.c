#include "device/tiles.h"

#include "device/kernels/kernels.h"

#include <string.h>

/* LEAST: rows and columns of a product, below which packing costs too much; MOST: those that are packed at once. */
enum { LEAST = 512, LEAST_INNER = 128, MOST = 8192, THREADS = 8 };
/* What the second-level cache keeps of B's panel while rows of A pass by; rows of a task, at most; tiles that are
 * packed by one task; tasks that a thread should have, at least. */
enum { BLOCK_BYTES = 768 << 10, ROW_TILES = 56, PACK_TILES = 8, TASKS = 8 };
enum { PANEL_F32 = 384, PANEL_F64 = 256 };

/* Tiles of C, and how they are dealt: blocks of `rows` by `columns` tiles. */
typedef struct {
    size_t n_row, n_column, rows, columns, n_task, n_pack;
} tile_cut;

typedef struct {
    size_t row, row_end, column, column_end;
} tile_range;

static size_t divided(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static tile_cut cut_tiles(const bt_device *device, size_t n_row, size_t n_column, size_t columns)
{
    tile_cut cut = {.n_row = n_row, .n_column = n_column, .columns = least(columns, n_column)};
    const size_t across = divided(n_column, cut.columns), wanted = divided(TASKS * (size_t)device->n_thread, across);
    cut.rows = least(ROW_TILES, divided(n_row, wanted));
    cut.n_task = across * divided(n_row, cut.rows);
    cut.n_pack = divided(n_row + n_column, PACK_TILES);
    return cut;
}

static tile_range range_of(const tile_cut *cut, size_t task)
{
    const size_t down = divided(cut->n_row, cut->rows), row = task % down * cut->rows,
                 column = task / down * cut->columns;
    return (tile_range){row, least(row + cut->rows, cut->n_row), column, least(column + cut->columns, cut->n_column)};
}

/* What is multiplied: alpha op(A) op(B) + beta C. */
typedef struct {
    bt_transpose op_a, op_b;
    bt_matrix a, b;
    size_t inner;
    double alpha, beta;
} factors;

#define ELEMENT float
#define NAME(x) x##_f32
#define TASK    bt_product_f32
#define TILE    product_f32
#include "device/tiles_body.h"
#undef ELEMENT
#undef NAME
#undef TASK
#undef TILE

#define ELEMENT double
#define NAME(x) x##_f64
#define TASK    bt_product_f64
#define TILE    product_f64
#include "device/tiles_body.h"
#undef ELEMENT
#undef NAME
#undef TASK
#undef TILE

bool bt_tiles_take(const bt_device *device, size_t m, size_t n, size_t inner)
{
    return device->n_thread > 1 && device->n_thread <= THREADS && m >= LEAST && n >= LEAST && inner >= LEAST_INNER &&
           bt_kernels_best()->product_rows > 0;
}

bt_status bt_tiles_product(bt_device *device, bt_transpose op_a, bt_transpose op_b, double alpha, bt_matrix a,
                           bt_matrix b, double beta, bt_matrix c)
{
    const factors of = {op_a, op_b, a, b, op_a == BT_PLAIN ? a.columns : a.rows, alpha, beta};
    return bt_buffer_type(c.buffer) == BT_F32 ? multiply_all_f32(device, &of, PANEL_F32, c)
                                              : multiply_all_f64(device, &of, PANEL_F64, c);
}
