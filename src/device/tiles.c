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

static tile_cut cut_tiles(const bt_device *device, size_t n_row, size_t n_column, size_t columns)
{
    tile_cut cut = {.n_row = n_row, .n_column = n_column, .columns = bt_least(columns, n_column)};
    const size_t across = bt_divided(n_column, cut.columns),
                 wanted = bt_divided(TASKS * (size_t)device->n_thread, across);
    cut.rows = bt_least(ROW_TILES, bt_divided(n_row, wanted));
    cut.n_task = across * bt_divided(n_row, cut.rows);
    cut.n_pack = bt_divided(n_row + n_column, PACK_TILES);
    return cut;
}

static tile_range range_of(const tile_cut *cut, size_t task)
{
    const size_t down = bt_divided(cut->n_row, cut->rows), row = task % down * cut->rows,
                 column = task / down * cut->columns;
    return (tile_range){row, bt_least(row + cut->rows, cut->n_row), column,
                        bt_least(column + cut->columns, cut->n_column)};
}

/* Lines of an operand, rows of op(A) or columns of op(B), and their elements, in steps of elements. */
typedef struct {
    const char *data;
    size_t line, depth;
} operand;

typedef struct {
    const bt_kernels *kernels;
    size_t element; /* bytes: float32 or float64 */
    operand a, b;
    char *c;
    double alpha, beta;
    size_t c_stride, m, n;
    size_t rows, lanes;              /* of a tile */
    size_t inner, panel;             /* depth of all, and of a panel */
    bool upper;                      /* tiles below the diagonal are left out */
    char *a_packed[2], *b_packed[2]; /* panels in turn: tile after tile, (panel, rows) or (panel, lanes) */
} product;

/* ---- packing: to (depth, n_lane) from n lines, zeros behind ---- */

/* `element` is a constant where this is called, so that each element is one move. */
static inline void pack_lines(const char *from, operand step, size_t n, size_t n_lane, size_t depth, size_t element,
                              char *to)
{
    for (size_t k = 0; k < depth; ++k, from += step.depth * element, to += n_lane * element)
        if (step.line == 1)
            memcpy(to, from, n * element);
        else
            for (size_t i = 0; i < n; ++i) memcpy(to + i * element, from + i * step.line * element, element);
}

static size_t depth_of(const product *p, size_t panel)
{
    return bt_least(p->inner - panel * p->panel, p->panel);
}

/* Tile `tile` of a panel of A (left) or B. */
static void pack_tile(const product *p, size_t panel, bool left, size_t tile)
{
    const operand from = left ? p->a : p->b;
    const size_t n_lane = left ? p->rows : p->lanes, first = tile * n_lane,
                 n = bt_least((left ? p->m : p->n) - first, n_lane);
    const size_t depth = depth_of(p, panel), at = first * from.line + panel * p->panel * from.depth;
    const char *const data = from.data + at * p->element;
    char *const to = (left ? p->a_packed : p->b_packed)[panel % 2] + first * p->panel * p->element;
    if (n < n_lane) memset(to, 0, depth * n_lane * p->element);
    if (p->element == sizeof(float))
        pack_lines(data, from, n, n_lane, depth, sizeof(float), to);
    else
        pack_lines(data, from, n, n_lane, depth, sizeof(double), to);
}

/* ---- multiplying ---- */

static void multiply_tile(const product *p, size_t panel, size_t row, size_t column)
{
    const void *const a = p->a_packed[panel % 2] + row * p->panel * p->element;
    const void *const b = p->b_packed[panel % 2] + column * p->panel * p->element;
    void *const c = p->c + (row * p->c_stride + column) * p->element;
    const size_t depth = depth_of(p, panel), n_row = bt_least(p->m - row, p->rows),
                 n_lane = bt_least(p->n - column, p->lanes);
    const double beta = panel == 0 ? p->beta : 1;
    const bt_product_f64 wide = {a, b, depth, n_row, n_lane, c, p->c_stride, p->alpha, beta};
    const bt_product_f32 narrow = {a, b, depth, n_row, n_lane, c, p->c_stride, (float)p->alpha, (float)beta};
    if (p->element == sizeof(float))
        p->kernels->product_f32(&narrow);
    else
        p->kernels->product_f64(&wide);
}

static bool is_wanted(const product *p, size_t row, size_t column)
{
    return !p->upper || column + p->lanes > row;
}

static void multiply(const product *p, size_t panel, tile_range at)
{
    for (size_t i = at.row; i < at.row_end; ++i)
        for (size_t j = at.column; j < at.column_end; ++j)
            if (is_wanted(p, i * p->rows, j * p->lanes)) multiply_tile(p, panel, i * p->rows, j * p->lanes);
}

static void pack(const product *p, size_t panel, const tile_cut *cut, size_t task)
{
    const size_t end = bt_least((task + 1) * PACK_TILES, cut->n_row + cut->n_column);
    for (size_t tile = task * PACK_TILES; tile < end; ++tile)
        pack_tile(p, panel, tile < cut->n_row, tile < cut->n_row ? tile : tile - cut->n_row);
}

/* While one panel is multiplied the next one is packed. */
static void run(const bt_device *device, const product *p)
{
    const size_t n_panel = bt_divided(p->inner, p->panel), columns = BLOCK_BYTES / (p->panel * p->lanes * p->element);
    const tile_cut cut = cut_tiles(device, bt_divided(p->m, p->rows), bt_divided(p->n, p->lanes), columns);
#pragma omp parallel num_threads(device->n_thread)
    for (size_t step = 0; step <= n_panel; ++step) {
        const size_t n_task = step > 0 ? cut.n_task : 0, n_pack = step < n_panel ? cut.n_pack : 0;
#pragma omp for schedule(dynamic)
        for (size_t t = 0; t < n_task + n_pack; ++t)
            if (t < n_task)
                multiply(p, step - 1, range_of(&cut, t));
            else
                pack(p, step, &cut, t - n_task);
    }
}

static operand operand_of(bt_matrix matrix, size_t element, bool lines_are_rows)
{
    return (operand){.data = (const char *)matrix.buffer->data + matrix.offset * element,
                     .line = lines_are_rows ? matrix.stride : 1,
                     .depth = lines_are_rows ? 1 : matrix.stride};
}

/* From line `first` on. */
static operand skip(operand from, size_t element, size_t first)
{
    from.data += first * from.line * element;
    return from;
}

bool bt_tiles_take(const bt_device *device, size_t m, size_t n, size_t inner)
{
    return device->n_thread > 1 && device->n_thread <= THREADS && m >= LEAST && n >= LEAST && inner >= LEAST_INNER &&
           bt_kernels_best()->product_rows > 0;
}

bool bt_tiles_take_gram(const bt_device *device, size_t n, size_t inner)
{
    const size_t rows = bt_kernels_best()->product_rows;
    return bt_tiles_take(device, n, n, inner) && n <= MOST / rows * rows; /* in one part */
}

static product product_of(operand a, operand b, size_t inner, bt_matrix c)
{
    product whole = {.kernels = bt_kernels_best(), .element = bt_dtype_size(bt_buffer_type(c.buffer)), .a = a, .b = b};
    const size_t most = whole.element == sizeof(float) ? PANEL_F32 : PANEL_F64;
    whole.c = (char *)c.buffer->data + c.offset * whole.element;
    whole.c_stride = c.stride;
    whole.m = c.rows;
    whole.n = c.columns;
    whole.rows = whole.kernels->product_rows;
    whole.lanes = whole.kernels->product_bytes / whole.element;
    whole.inner = inner;
    whole.panel = bt_divided(inner, bt_divided(inner, most)); /* all alike */
    return whole;
}

/* Parts of C of up to MOST rows and columns, one after the other. */
static bt_status run_parts(bt_device *device, product *whole)
{
    bt_status status = BT_OK;
    const size_t element = whole->element, most_m = MOST / whole->rows * whole->rows,
                 most_n = MOST / whole->lanes * whole->lanes, column_bytes = whole->panel * element;
    const size_t a_bytes = bt_divided(bt_least(whole->m, most_m), whole->rows) * whole->rows * column_bytes;
    const size_t b_bytes = bt_divided(bt_least(whole->n, most_n), whole->lanes) * whole->lanes * column_bytes;
    const size_t bytes[] = {a_bytes, a_bytes, b_bytes, b_bytes};
    void *room[4] = {NULL};
    BT_TRY(bt_scratch_parts(device, bytes, 4, room));
    for (int i = 0; i < 2; ++i) {
        whole->a_packed[i] = room[i];
        whole->b_packed[i] = room[2 + i];
    }
    for (size_t i = 0; i < whole->m; i += most_m)
        for (size_t j = 0; j < whole->n; j += most_n) {
            product part = *whole;
            part.a = skip(whole->a, element, i);
            part.b = skip(whole->b, element, j);
            part.c += (i * whole->c_stride + j) * element;
            part.m = bt_least(whole->m - i, most_m);
            part.n = bt_least(whole->n - j, most_n);
            run(device, &part);
        }
cleanup:
    return status;
}

bt_status bt_tiles_product(bt_device *device, bt_transpose op_a, bt_transpose op_b, double alpha, bt_matrix a,
                           bt_matrix b, double beta, bt_matrix c)
{
    const size_t element = bt_dtype_size(bt_buffer_type(c.buffer));
    product whole = product_of(operand_of(a, element, op_a == BT_PLAIN), operand_of(b, element, op_b == BT_TRANSPOSED),
                               op_a == BT_PLAIN ? a.columns : a.rows, c);
    whole.alpha = alpha;
    whole.beta = beta;
    return run_parts(device, &whole);
}

bt_status bt_tiles_gram(bt_device *device, bt_transpose op, bt_matrix x, double beta, bt_matrix g)
{
    const operand lines = operand_of(x, bt_dtype_size(bt_buffer_type(g.buffer)), op == BT_PLAIN);
    product whole = product_of(lines, lines, op == BT_PLAIN ? x.columns : x.rows, g);
    whole.alpha = 1;
    whole.beta = beta;
    whole.upper = true;
    return run_parts(device, &whole);
}
