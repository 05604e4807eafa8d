/* A linear layer is an inner product of oneDNN. */
#include "base/memory.h"
#include "device/internal.h"
#include "device/layers.h"
#include "device/onednn.h"

struct bt_linear {
    size_t in, out;
    bt_onednn_layer *layer;
};

bt_status bt_linear_create(bt_device *device, bt_matrix weight, bt_matrix bias, bt_activation activation,
                           bt_linear **out)
{
    bt_status status = BT_OK;
    bt_linear *linear = NULL;
    float *w = NULL, *b = NULL;
    *out = NULL;
    BT_CHECK(weight.stride == weight.columns && (!bias.buffer || bias.columns == weight.rows), BT_ERR_INTERNAL,
             "bt_linear_create: weight (%zu, %zu) of stride %zu, bias (%zu)", weight.rows, weight.columns,
             weight.stride, bias.columns);
    BT_TRY(bt_floats(weight, "bt_linear_create", &w));
    BT_TRY(bt_floats_or_none(bias, "bt_linear_create", &b));
    BT_ALLOC(linear, 1);
    linear->in = weight.columns;
    linear->out = weight.rows;
    const bt_convolution_spec spec = {.in = linear->in, .out = linear->out, .groups = 1, .activation = activation};
    BT_TRY(bt_onednn_layer_create(device, &spec, w, b, &linear->layer));
    *out = linear;
    linear = NULL;
cleanup:
    bt_linear_destroy(&linear);
    return status;
}

void bt_linear_destroy(bt_linear **linear)
{
    if (!*linear) return;
    bt_onednn_layer_destroy(&(*linear)->layer);
    bt_free(*linear);
    *linear = NULL;
}

bt_status bt_linear_apply(bt_linear *linear, bt_matrix x, bt_matrix y)
{
    bt_status status = BT_OK;
    float *from = NULL, *to = NULL;
    BT_CHECK(x.columns == linear->in && y.columns == linear->out && x.rows == y.rows && x.stride == x.columns &&
                 y.stride == y.columns,
             BT_ERR_INTERNAL, "bt_linear_apply: (%zu, %zu) to (%zu, %zu) through %zu to %zu", x.rows, x.columns, y.rows,
             y.columns, linear->in, linear->out);
    if (x.rows == 0) return BT_OK;
    BT_TRY(bt_floats(x, "bt_linear_apply", &from));
    BT_TRY(bt_floats(y, "bt_linear_apply", &to));
    BT_TRY(bt_onednn_layer_apply(linear->layer, x.rows, from, to));
cleanup:
    return status;
}
