#include "encoding/matrices.h"

#include "base/memory.h"
#include "io/array.h"

#include <math.h>

struct bt_matrices {
    size_t n, columns;
    bt_array **arrays; /* (n) */
};

bt_status bt_matrices_open(const bt_names *specs, bt_matrices **out)
{
    bt_status status = BT_OK;
    bt_matrices *matrices = NULL;
    *out = NULL;
    BT_ALLOC(matrices, 1);
    BT_ALLOC(matrices->arrays, specs->n);
    matrices->n = specs->n;
    for (size_t i = 0; i < specs->n; ++i) {
        BT_TRY(bt_array_open(specs->items[i], NULL, &matrices->arrays[i]));
        const bt_array *const array = matrices->arrays[i], *const first = matrices->arrays[0];
        const int rank = bt_array_rank(array);
        BT_CHECK(rank == 1 || rank == 2, BT_ERR_INPUT, "%s: expected features (n_row, n_feature), found %d dimensions",
                 specs->items[i], rank);
        BT_CHECK(bt_array_extent(array, 0) > 0 && bt_array_extent(array, 1) > 0, BT_ERR_INPUT,
                 "%s: expected features, found %zu rows of %zu", specs->items[i], bt_array_extent(array, 0),
                 bt_array_extent(array, 1));
        BT_CHECK(bt_array_extent(array, 0) == bt_array_extent(first, 0), BT_ERR_INPUT,
                 "%s has %zu rows, but %s has %zu; features that are joined need equal rows", specs->items[i],
                 bt_array_extent(array, 0), specs->items[0], bt_array_extent(first, 0));
        matrices->columns += bt_array_extent(array, 1);
    }
    *out = matrices;
    matrices = NULL;
cleanup:
    bt_matrices_close(&matrices);
    return status;
}

void bt_matrices_close(bt_matrices **matrices)
{
    bt_matrices *const old = *matrices;
    if (!old) return;
    for (size_t i = 0; old->arrays && i < old->n; ++i)
        if (old->arrays[i]) bt_array_close(&old->arrays[i]);
    bt_free(old->arrays);
    bt_free(old);
    *matrices = NULL;
}

size_t bt_matrices_rows(const bt_matrices *matrices)
{
    return bt_array_extent(matrices->arrays[0], 0);
}

size_t bt_matrices_count(const bt_matrices *matrices)
{
    return matrices->n;
}

size_t bt_matrices_width(const bt_matrices *matrices, size_t i)
{
    return bt_array_rank(matrices->arrays[i]) > 1 ? bt_array_extent(matrices->arrays[i], 1) : 1;
}

size_t bt_matrices_columns(const bt_matrices *matrices)
{
    return matrices->columns;
}

const char *bt_matrices_name(const bt_matrices *matrices)
{
    return bt_array_spec(matrices->arrays[0]);
}

static bt_status read_one(const bt_array *array, double *x, size_t stride)
{
    bt_status status = BT_OK;
    double *values = NULL;
    const size_t n_row = bt_array_extent(array, 0), width = bt_array_extent(array, 1);
    BT_ALLOC(values, n_row * width);
    BT_TRY(bt_array_read(array, 0, 0, n_row, 0, width, BT_F64, values));
    for (size_t i = 0; i < n_row; ++i)
        for (size_t f = 0; f < width; ++f) {
            x[i * stride + f] = values[i * width + f];
            BT_CHECK(isfinite(x[i * stride + f]), BT_ERR_INPUT,
                     "%s: row %zu, column %zu is %g; expected finite features", bt_array_spec(array), i, f,
                     x[i * stride + f]);
        }
cleanup:
    bt_free(values);
    return status;
}

bt_status bt_matrices_read(const bt_matrices *matrices, double *x)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < matrices->n; ++i) {
        BT_TRY(read_one(matrices->arrays[i], x, matrices->columns));
        x += bt_array_extent(matrices->arrays[i], 1);
    }
cleanup:
    return status;
}
