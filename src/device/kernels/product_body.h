/* One tile of a product, for the instruction set that the including file chose before. The including file names
 * ELEMENT and VECTOR (elements of a register), LOOSE (one anywhere), TASK and PRODUCT. */

static void PRODUCT(const TASK *task)
{
    enum { VECTOR_LANES = sizeof(VECTOR) / sizeof(ELEMENT), LANES = PRODUCT_VECTORS * VECTOR_LANES, AHEAD = 8 };
    VECTOR sum[PRODUCT_ROWS][PRODUCT_VECTORS];
    const ELEMENT *a = task->a, *b = task->b;
#pragma GCC unroll 16
    for (size_t i = 0; i < PRODUCT_ROWS; ++i)
#pragma GCC unroll 2
        for (size_t v = 0; v < PRODUCT_VECTORS; ++v) {
            sum[i][v] = (VECTOR){0};
            if (i < task->n_row) __builtin_prefetch(task->c + i * task->c_stride + v * VECTOR_LANES);
        }
    for (size_t k = 0; k < task->depth; ++k, a += PRODUCT_ROWS, b += LANES) {
        VECTOR right[PRODUCT_VECTORS];
#pragma GCC unroll 2
        for (size_t v = 0; v < PRODUCT_VECTORS; ++v) {
            right[v] = *(const LOOSE *)(b + v * VECTOR_LANES);
            __builtin_prefetch(b + AHEAD * LANES + v * VECTOR_LANES);
        }
#pragma GCC unroll 16
        for (size_t i = 0; i < PRODUCT_ROWS; ++i)
#pragma GCC unroll 2
            for (size_t v = 0; v < PRODUCT_VECTORS; ++v) sum[i][v] += a[i] * right[v];
    }
    if (task->n_row == PRODUCT_ROWS && task->n_lane == LANES) {
#pragma GCC unroll 16
        for (size_t i = 0; i < PRODUCT_ROWS; ++i)
#pragma GCC unroll 2
            for (size_t v = 0; v < PRODUCT_VECTORS; ++v) {
                LOOSE *const c = (LOOSE *)(task->c + i * task->c_stride + v * VECTOR_LANES);
                *c = task->beta == 0 ? task->alpha * sum[i][v] : task->alpha * sum[i][v] + task->beta * *c;
            }
        return;
    }
    ELEMENT part[PRODUCT_ROWS * LANES];
    memcpy(part, sum, sizeof part);
    for (size_t i = 0; i < task->n_row; ++i)
        for (size_t lane = 0; lane < task->n_lane; ++lane) {
            ELEMENT *const c = task->c + i * task->c_stride + lane;
            const ELEMENT value = task->alpha * part[i * LANES + lane];
            *c = task->beta == 0 ? value : value + task->beta * *c;
        }
}
