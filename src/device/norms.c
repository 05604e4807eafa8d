/* Layer norm with the residual sum in the same pass; rows are shared over the threads. */
#include "device/internal.h"
#include "device/kernels/kernels.h"
#include "device/layers.h"

enum { ROWS_AT_A_TIME = 16 };

bt_status bt_layer_norm(bt_device *device, bt_matrix x, bt_matrix residual, bt_matrix scale, bt_matrix shift,
                        double epsilon, bt_matrix out)
{
    bt_status status = BT_OK;
    float *from = NULL, *add = NULL, *gain = NULL, *bias = NULL, *to = NULL;
    BT_CHECK(x.rows == out.rows && x.columns == out.columns && scale.columns == x.columns &&
                 shift.columns == x.columns &&
                 (!residual.buffer || (residual.rows == x.rows && residual.columns == x.columns)),
             BT_ERR_INTERNAL, "bt_layer_norm: x (%zu, %zu) and out (%zu, %zu), scale (%zu), shift (%zu) do not fit",
             x.rows, x.columns, out.rows, out.columns, scale.columns, shift.columns);
    BT_TRY(bt_floats(x, "bt_layer_norm", &from));
    BT_TRY(bt_floats_or_none(residual, "bt_layer_norm", &add));
    BT_TRY(bt_floats(scale, "bt_layer_norm", &gain));
    BT_TRY(bt_floats(shift, "bt_layer_norm", &bias));
    BT_TRY(bt_floats(out, "bt_layer_norm", &to));
    const bt_norm_rows task = {.x = from,
                               .residual = add,
                               .out = to,
                               .x_stride = x.stride,
                               .residual_stride = residual.stride,
                               .out_stride = out.stride,
                               .columns = x.columns,
                               .scale = gain,
                               .shift = bias,
                               .epsilon = (float)epsilon};
    const bt_kernels *const kernels = bt_kernels_best();
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t i = 0; i < x.rows; i += ROWS_AT_A_TIME)
        kernels->norm_rows(&task, i, i + ROWS_AT_A_TIME < x.rows ? i + ROWS_AT_A_TIME : x.rows);
cleanup:
    return status;
}
