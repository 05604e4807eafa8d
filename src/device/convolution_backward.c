/* A convolution in groups whose weights change, by our own kernel: it and its adjoint are both convolutions. */
#include "base/memory.h"
#include "device/backward.h"
#include "device/grouped.h"
#include "device/internal.h"

struct bt_trained_convolution {
    bt_device *device;
    bt_convolution_spec spec;
    bt_grouped *forward, *adjoint;
};

bt_status bt_trained_convolution_create(bt_device *device, const bt_convolution_spec *spec,
                                        bt_trained_convolution **out)
{
    bt_status status = BT_OK;
    bt_trained_convolution *c = NULL;
    *out = NULL;
    BT_CHECK(spec->groups > 0 && spec->stride == 1 && spec->in % spec->groups == 0 && spec->out % spec->groups == 0 &&
                 spec->kernel > 0 && spec->before + spec->after == spec->kernel - 1 &&
                 spec->activation == BT_ACTIVATION_NONE,
             BT_ERR_INTERNAL,
             "bt_trained_convolution_create: %zu to %zu channels in %zu groups, kernel %zu, stride %zu", spec->in,
             spec->out, spec->groups, spec->kernel, spec->stride);
    BT_ALLOC(c, 1);
    c->device = device;
    c->spec = *spec;
    bt_convolution_spec adjoint = *spec;
    adjoint.in = spec->out;
    adjoint.out = spec->in;
    adjoint.before = spec->after;
    adjoint.after = spec->before;
    BT_TRY(bt_grouped_create(device, spec, NULL, NULL, &c->forward));
    BT_TRY(bt_grouped_create(device, &adjoint, NULL, NULL, &c->adjoint));
    *out = c;
    c = NULL;
cleanup:
    bt_trained_convolution_destroy(&c);
    return status;
}

void bt_trained_convolution_destroy(bt_trained_convolution **convolution)
{
    if (!*convolution) return;
    bt_grouped_destroy(&(*convolution)->forward);
    bt_grouped_destroy(&(*convolution)->adjoint);
    bt_free(*convolution);
    *convolution = NULL;
}

static bt_status check_shapes(const bt_convolution_spec *spec, bt_matrix weight, bt_matrix x, bt_sequences sequences,
                              bt_matrix y)
{
    if (weight.rows != spec->out || weight.columns != spec->in / spec->groups * spec->kernel ||
        weight.stride != weight.columns || x.columns != spec->in || y.columns != spec->out || x.stride != x.columns ||
        y.stride != y.columns || x.rows < sequences.offsets[sequences.n] || y.rows < sequences.offsets[sequences.n])
        return bt_fail(BT_ERR_INTERNAL, "convolution: (%zu, %zu) to (%zu, %zu), weight (%zu, %zu), kernel %zu", x.rows,
                       x.columns, y.rows, y.columns, weight.rows, weight.columns, spec->kernel);
    return BT_OK;
}

bt_status bt_trained_convolution_forward(bt_trained_convolution *c, bt_matrix weight, bt_matrix bias, bt_matrix x,
                                         bt_sequences sequences, bt_matrix y)
{
    bt_status status = BT_OK;
    float *w = NULL, *b = NULL, *from = NULL, *to = NULL;
    BT_TRY(check_shapes(&c->spec, weight, x, sequences, y));
    BT_TRY(bt_floats(weight, "bt_trained_convolution_forward", &w));
    BT_TRY(bt_floats_or_none(bias, "bt_trained_convolution_forward", &b));
    BT_TRY(bt_floats(x, "bt_trained_convolution_forward", &from));
    BT_TRY(bt_floats(y, "bt_trained_convolution_forward", &to));
    bt_grouped_pack(c->forward, w, b);
    for (size_t s = 0; s < sequences.n; ++s) {
        const size_t first = sequences.offsets[s], n = sequences.offsets[s + 1] - first;
        if (n > 0) BT_TRY(bt_grouped_apply(c->forward, n, from + first * x.stride, to + first * y.stride));
    }
cleanup:
    return status;
}

bt_status bt_trained_convolution_backward(bt_trained_convolution *c, bt_matrix weight, bt_matrix x,
                                          bt_sequences sequences, bt_matrix dy, bt_matrix dx, bt_matrix dweight,
                                          bt_matrix dbias)
{
    bt_status status = BT_OK;
    float *w = NULL, *at = NULL, *from = NULL, *to = NULL, *dw = NULL;
    BT_TRY(check_shapes(&c->spec, weight, x, sequences, dy));
    if (dx.buffer) BT_TRY(check_shapes(&c->spec, weight, dx, sequences, dy));
    if (dweight.buffer) BT_TRY(check_shapes(&c->spec, dweight, x, sequences, dy));
    BT_TRY(bt_floats(weight, "bt_trained_convolution_backward", &w));
    BT_TRY(bt_floats(x, "bt_trained_convolution_backward", &at));
    BT_TRY(bt_floats(dy, "bt_trained_convolution_backward", &from));
    BT_TRY(bt_floats_or_none(dx, "bt_trained_convolution_backward", &to));
    BT_TRY(bt_floats_or_none(dweight, "bt_trained_convolution_backward", &dw));
    if (to) bt_grouped_pack_adjoint(c->adjoint, w);
    for (size_t s = 0; s < sequences.n; ++s) {
        const size_t first = sequences.offsets[s], n = sequences.offsets[s + 1] - first;
        const float *const dy_s = from + first * dy.stride;
        if (n == 0) continue;
        if (to) BT_TRY(bt_grouped_apply(c->adjoint, n, dy_s, to + first * dx.stride)); /* dx = sum_k W[k]' dy */
        if (dw) BT_TRY(bt_grouped_weights_backward(c->forward, n, at + first * x.stride, dy_s, dw)); /* dW += dy' x */
    }
    if (dbias.buffer) BT_TRY(bt_add_column_sums(c->device, dy, dbias)); /* db += 1' dy */
cleanup:
    return status;
}
