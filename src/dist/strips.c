/* A Gram matrix in strips of its lower triangle, one a rank: where few ranks all hold X, nothing but the result needs
 * to be sent. */
#include "base/fault.h"
#include "dist/internal.h"

#include <math.h>

/* Where strip k begins: k of `size` parts of the triangle lie above. */
static size_t edge(size_t k, size_t size, size_t order)
{
    return k == size ? order : (size_t)((double)order * sqrt((double)k / (double)size));
}

bt_status bt_dense_gram_strip(bt_device *device, const double *x, size_t m, size_t n, bool rows, bt_range strip,
                              double *g)
{
    bt_status status = BT_OK;
    const size_t order = rows ? m : n, low = strip.low, height = strip.high - low;
    const bt_transpose op = rows ? BT_PLAIN : BT_TRANSPOSED, other = rows ? BT_TRANSPOSED : BT_PLAIN;
    bt_buffer *features = NULL, *gram = NULL;
    BT_TRY(bt_buffer_over(device, BT_F64, x, m * n, &features));
    BT_TRY(bt_buffer_over(device, BT_F64, g, order * order, &gram));
    const bt_matrix all = bt_matrix_of(features, m, n), out = bt_matrix_of(gram, order, order);
    const bt_matrix mine = rows ? bt_matrix_part(all, low, 0, height, n) : bt_matrix_part(all, 0, low, m, height);
    const bt_matrix before = rows ? bt_matrix_part(all, 0, 0, low, n) : bt_matrix_part(all, 0, 0, m, low);
    BT_TRY(bt_product_gram(device, op, mine, 0, bt_matrix_part(out, low, low, height, height)));
    BT_TRY(bt_product(device, op, other, 1, mine, before, 0, bt_matrix_part(out, low, 0, height, low)));
    BT_TRY(bt_buffer_read(gram, low * order, g + low * order, height * order));
cleanup:
    bt_buffer_destroy(&features);
    bt_buffer_destroy(&gram);
    return status;
}

/* The upper triangle from the lower one, in tiles that stay in the cache. */
static void mirror(double *g, size_t n)
{
    enum { TILE = 64 };
    for (size_t row = 0; row < n; row += TILE)
        for (size_t column = 0; column <= row; column += TILE)
            for (size_t i = row; i < row + TILE && i < n; ++i)
                for (size_t j = column; j < column + TILE && j < i; ++j) g[j * n + i] = g[i * n + j];
}

bt_status bt_dense_gram_strips(const bt_comm *comm, bt_device *device, const double *x, size_t m, size_t n, bool rows,
                               double *g)
{
    bt_status status = BT_OK;
    const size_t order = rows ? m : n, size = (size_t)bt_comm_size(comm), rank = (size_t)bt_comm_rank(comm);
    const bt_range mine = {edge(rank, size, order), edge(rank + 1, size, order)};
    status = bt_fault_point("dense.gram");
    if (status == BT_OK) status = bt_dense_gram_strip(device, x, m, n, rows, mine, g);
    BT_TRY(bt_agree(comm, status));
    for (size_t k = 0; k < size; ++k) {
        const size_t low = edge(k, size, order), high = edge(k + 1, size, order);
        BT_TRY(bt_comm_broadcast(comm, (int)k, g + low * order, (high - low) * order * sizeof *g));
    }
    mirror(g, order);
cleanup:
    return status;
}
