#include "encoding/parts.h"

#include "base/memory.h"

#include <string.h>

static bt_status take_rows(const double *from, size_t width, bt_row_list rows, double **to)
{
    bt_status status = BT_OK;
    BT_ALLOC(*to, rows.n * width);
    for (size_t i = 0; i < rows.n; ++i) memcpy(*to + i * width, from + rows.index[i] * width, width * sizeof **to);
cleanup:
    return status;
}

/* Rows and columns of the kernel. */
static bt_status take_kernel(const bt_fit_design *design, bt_row_list rows, bt_row_list columns, double **to)
{
    bt_status status = BT_OK;
    BT_ALLOC(*to, rows.n * columns.n);
    for (size_t i = 0; i < rows.n; ++i) {
        const double *const from = design->kernel + rows.index[i] * design->n_row;
        for (size_t j = 0; j < columns.n; ++j) (*to)[i * columns.n + j] = from[columns.index[j]];
    }
cleanup:
    return status;
}

bt_status bt_parts_take(const bt_fit_design *design, bt_row_list train, bt_row_list apply, bool dual, bt_parts *out)
{
    bt_status status = BT_OK;
    *out = (bt_parts){0};
    if (dual && design->kernel) {
        BT_TRY(take_kernel(design, train, train, &out->kernel));
        BT_TRY(take_kernel(design, apply, train, &out->cross));
        goto cleanup;
    }
    BT_TRY(take_rows(design->x, design->n_feature, train, &out->x_train));
    BT_TRY(take_rows(design->x, design->n_feature, apply, &out->x_apply));
cleanup:
    return status;
}

void bt_parts_clear(bt_parts *parts)
{
    bt_free(parts->x_train);
    bt_free(parts->x_apply);
    bt_free(parts->kernel);
    bt_free(parts->cross);
    *parts = (bt_parts){0};
}
