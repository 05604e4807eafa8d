/* The product of one type. The including file names ELEMENT, NAME(x), TASK (of a tile) and TILE (its kernel). */

/* Lines of an operand, rows of op(A) or columns of op(B), and their elements: in steps of elements. */
typedef struct {
    const ELEMENT *data;
    size_t line, depth;
} NAME(operand);

typedef struct {
    const bt_kernels *kernels;
    NAME(operand) a, b;
    ELEMENT *c;
    ELEMENT alpha, beta;
    size_t c_stride, m, n;
    size_t rows, lanes;                 /* of a tile */
    size_t inner, panel;                /* depth of all, and of a panel */
    ELEMENT *a_packed[2], *b_packed[2]; /* panels in turn: tile after tile, (panel, rows) or (panel, lanes) */
} NAME(product);

/* to (depth, n_lane): n of the lines from `first` on, zeros behind, from element `low` on. */
static void NAME(pack)(NAME(operand) from, size_t first, size_t n, size_t n_lane, size_t low, size_t depth, ELEMENT *to)
{
    const ELEMENT *at = from.data + first * from.line + low * from.depth;
    if (n < n_lane) memset(to, 0, depth * n_lane * sizeof *to);
    for (size_t k = 0; k < depth; ++k, at += from.depth, to += n_lane)
        if (from.line == 1)
            memcpy(to, at, n * sizeof *to);
        else
            for (size_t i = 0; i < n; ++i) to[i] = at[i * from.line];
}

static size_t NAME(depth_of)(const NAME(product) * p, size_t panel)
{
    const size_t left = p->inner - panel * p->panel;
    return left < p->panel ? left : p->panel;
}

/* Tile `tile` of an operand's panel. */
static void NAME(pack_tile)(const NAME(product) * p, size_t panel, bool left, size_t tile)
{
    const size_t width = left ? p->rows : p->lanes, end = left ? p->m : p->n, first = tile * width;
    ELEMENT *const to = (left ? p->a_packed : p->b_packed)[panel % 2];
    NAME(pack)
    (left ? p->a : p->b, first, end - first < width ? end - first : width, width, panel * p->panel,
     NAME(depth_of)(p, panel), to + first * p->panel);
}

static void NAME(multiply)(const NAME(product) * p, size_t panel, tile_range at)
{
    for (size_t i = at.row; i < at.row_end; ++i)
        for (size_t j = at.column; j < at.column_end; ++j) {
            const size_t row = i * p->rows, column = j * p->lanes;
            const TASK task = {.a = p->a_packed[panel % 2] + row * p->panel,
                               .b = p->b_packed[panel % 2] + column * p->panel,
                               .depth = NAME(depth_of)(p, panel),
                               .n_row = p->m - row < p->rows ? p->m - row : p->rows,
                               .n_lane = p->n - column < p->lanes ? p->n - column : p->lanes,
                               .c = p->c + row * p->c_stride + column,
                               .c_stride = p->c_stride,
                               .alpha = p->alpha,
                               .beta = panel == 0 ? p->beta : 1};
            p->kernels->TILE(&task);
        }
}

/* While one panel is multiplied the next one is packed. */
static void NAME(run)(const bt_device *device, const NAME(product) * p)
{
    const size_t n_panel = (p->inner + p->panel - 1) / p->panel;
    const tile_cut cut = cut_tiles(device, (p->m + p->rows - 1) / p->rows, (p->n + p->lanes - 1) / p->lanes,
                                   BLOCK_BYTES / (p->panel * p->lanes * sizeof(ELEMENT)));
#pragma omp parallel num_threads(device->n_thread)
    for (size_t step = 0; step <= n_panel; ++step) {
        const size_t n_task = step > 0 ? cut.n_task : 0, n_pack = step < n_panel ? cut.n_pack : 0;
#pragma omp for schedule(dynamic)
        for (size_t t = 0; t < n_task + n_pack; ++t) {
            if (t < n_task) {
                NAME(multiply)(p, step - 1, range_of(&cut, t));
                continue;
            }
            const size_t low = (t - n_task) * PACK_TILES, end = low + PACK_TILES;
            for (size_t tile = low; tile < end && tile < cut.n_row + cut.n_column; ++tile)
                NAME(pack_tile)(p, step, tile < cut.n_row, tile < cut.n_row ? tile : tile - cut.n_row);
        }
    }
}

static NAME(operand) NAME(operand_of)(bt_matrix matrix, bool lines_are_rows)
{
    return (NAME(operand)){.data = (const ELEMENT *)matrix.buffer->data + matrix.offset,
                           .line = lines_are_rows ? matrix.stride : 1,
                           .depth = lines_are_rows ? 1 : matrix.stride};
}

/* Parts of C of up to MOST rows and columns, one after the other. */
static bt_status NAME(multiply_all)(bt_device *device, const factors *of, size_t most_panel, bt_matrix c)
{
    bt_status status = BT_OK;
    const bt_kernels *const kernels = bt_kernels_best();
    const size_t panel = divided(of->inner, divided(of->inner, most_panel)); /* all alike */
    const size_t rows = kernels->product_rows, lanes = kernels->product_bytes / sizeof(ELEMENT);
    const size_t most_m = MOST / rows * rows, most_n = MOST / lanes * lanes;
    const size_t a_size = divided(least(c.rows, most_m), rows) * rows * panel,
                 b_size = divided(least(c.columns, most_n), lanes) * lanes * panel;
    const NAME(operand) a = NAME(operand_of)(of->a, of->op_a == BT_PLAIN),
                        b = NAME(operand_of)(of->b, of->op_b == BT_TRANSPOSED);
    void *room = NULL;
    BT_TRY(bt_scratch_tiles(device, 2 * (a_size + b_size) * sizeof(ELEMENT), &room));
    ELEMENT *const packed = room;
    for (size_t i = 0; i < c.rows; i += most_m)
        for (size_t j = 0; j < c.columns; j += most_n) {
            const NAME(product) part = {.kernels = kernels,
                                        .a = {a.data + i * a.line, a.line, a.depth},
                                        .b = {b.data + j * b.line, b.line, b.depth},
                                        .c = (ELEMENT *)c.buffer->data + c.offset + i * c.stride + j,
                                        .alpha = (ELEMENT)of->alpha,
                                        .beta = (ELEMENT)of->beta,
                                        .c_stride = c.stride,
                                        .m = least(c.rows - i, most_m),
                                        .n = least(c.columns - j, most_n),
                                        .rows = rows,
                                        .lanes = lanes,
                                        .inner = of->inner,
                                        .panel = panel,
                                        .a_packed = {packed, packed + a_size},
                                        .b_packed = {packed + 2 * a_size, packed + 2 * a_size + b_size}};
            NAME(run)(device, &part);
        }
cleanup:
    return status;
}
