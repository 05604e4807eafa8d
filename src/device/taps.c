/* A strided convolution as products. Rows are dense, so the rows that one output row sees are one run of memory; but a
 * product wants rows apart by at least their length, hence at most `stride` taps are taken at a time: the runs of a
 * group of taps are the rows of a matrix whose rows do not overlap. */
#include "device/backward.h"
#include "device/internal.h"

#include <string.h>

static bt_status check_shapes(const bt_convolution_spec *spec, bt_matrix taps, bt_matrix x, bt_matrix y)
{
    if (spec->groups == 1 && spec->before == 0 && spec->after == 0 && spec->activation == BT_ACTIVATION_NONE &&
        y.rows > 0 && y.rows == bt_convolution_rows(spec, x.rows) && x.columns == spec->in && y.columns == spec->out &&
        taps.rows == spec->out && taps.columns == spec->kernel * spec->in && x.stride == x.columns)
        return BT_OK;
    return bt_fail(BT_ERR_INTERNAL, "taps (%zu, %zu): (%zu, %zu) to (%zu, %zu), kernel %zu, stride %zu", taps.rows,
                   taps.columns, x.rows, x.columns, y.rows, y.columns, spec->kernel, spec->stride);
}

/* Taps from `first` on that go together. */
static size_t group_size(const bt_convolution_spec *spec, size_t first)
{
    return spec->kernel - first < spec->stride ? spec->kernel - first : spec->stride;
}

/* What `n` taps from `first` on see: row t is rows t stride + first .. of x, side by side. */
static bt_matrix seen(const bt_convolution_spec *spec, bt_matrix x, size_t first, size_t n, size_t rows)
{
    return (bt_matrix){.buffer = x.buffer,
                       .offset = x.offset + first * spec->in,
                       .rows = rows,
                       .columns = n * spec->in,
                       .stride = spec->stride * spec->in};
}

bt_status bt_taps_forward(bt_device *device, const bt_convolution_spec *spec, bt_matrix taps, bt_matrix bias,
                          bt_matrix x, bt_matrix y)
{
    bt_status status = BT_OK;
    BT_TRY(check_shapes(spec, taps, x, y));
    for (size_t first = 0; first < spec->kernel; first += spec->stride) {
        const size_t n = group_size(spec, first);
        const bt_matrix rows = seen(spec, x, first, n, y.rows);
        const bt_matrix w = bt_matrix_part(taps, 0, first * spec->in, spec->out, n * spec->in);
        if (first == 0) {
            BT_TRY(bt_linear_forward(device, rows, w, bias, y));
        } else {
            BT_TRY(bt_product(device, BT_PLAIN, BT_TRANSPOSED, 1, rows, w, 1, y));
        }
    }
cleanup:
    return status;
}

/* Rows of dx that no tap of the first group reaches are 0 so far. */
static bt_status clear_unreached(bt_device *device, const bt_convolution_spec *spec, size_t n_out, bt_matrix dx)
{
    const size_t reached = spec->kernel < spec->stride ? 0 : n_out * spec->stride;
    return reached < dx.rows ? bt_matrix_clear(device, bt_matrix_part(dx, reached, 0, dx.rows - reached, dx.columns))
                             : BT_OK;
}

bt_status bt_taps_backward(bt_device *device, const bt_convolution_spec *spec, bt_matrix taps, bt_matrix x,
                           bt_matrix dy, bt_matrix dx, bt_matrix dtaps, bt_matrix dbias)
{
    bt_status status = BT_OK;
    BT_TRY(check_shapes(spec, taps, x, dy));
    if (dx.buffer) {
        BT_TRY(check_shapes(spec, taps, dx, dy));
        BT_TRY(clear_unreached(device, spec, dy.rows, dx));
    }
    for (size_t first = 0; first < spec->kernel; first += spec->stride) {
        const size_t n = group_size(spec, first);
        const bt_matrix rows = seen(spec, x, first, n, dy.rows), none = {0};
        const bt_matrix w = bt_matrix_part(taps, 0, first * spec->in, spec->out, n * spec->in);
        const bt_matrix dw = dtaps.buffer ? bt_matrix_part(dtaps, 0, first * spec->in, spec->out, n * spec->in) : none;
        const bt_matrix drows = dx.buffer ? seen(spec, dx, first, n, dy.rows) : none;
        BT_TRY(bt_linear_backward(device, rows, w, dy, first > 0, drows, dw, first == 0 ? dbias : none));
    }
cleanup:
    return status;
}

static bt_status check_pack(size_t kernel, bt_matrix weight, bt_matrix taps)
{
    if (weight.rows == taps.rows && weight.columns == taps.columns && kernel > 0 && weight.columns % kernel == 0)
        return BT_OK;
    return bt_fail(BT_ERR_INTERNAL, "taps (%zu, %zu) of weights (%zu, %zu), kernel %zu", taps.rows, taps.columns,
                   weight.rows, weight.columns, kernel);
}

bt_status bt_taps_pack(bt_device *device, size_t kernel, bt_matrix weight, bt_matrix taps)
{
    bt_status status = BT_OK;
    float *from = NULL, *to = NULL;
    BT_TRY(check_pack(kernel, weight, taps));
    BT_TRY(bt_floats(weight, "bt_taps_pack", &from));
    BT_TRY(bt_floats(taps, "bt_taps_pack", &to));
    const size_t in = weight.columns / kernel;
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t o = 0; o < weight.rows; ++o)
        for (size_t i = 0; i < in; ++i)
            for (size_t k = 0; k < kernel; ++k)
                to[o * taps.stride + k * in + i] = from[o * weight.stride + i * kernel + k];
cleanup:
    return status;
}

bt_status bt_taps_unpack(bt_device *device, size_t kernel, bt_matrix dtaps, bt_matrix dweight)
{
    bt_status status = BT_OK;
    float *from = NULL, *to = NULL;
    BT_TRY(check_pack(kernel, dweight, dtaps));
    BT_TRY(bt_floats(dtaps, "bt_taps_unpack", &from));
    BT_TRY(bt_floats(dweight, "bt_taps_unpack", &to));
    const size_t in = dweight.columns / kernel;
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t o = 0; o < dweight.rows; ++o)
        for (size_t i = 0; i < in; ++i)
            for (size_t k = 0; k < kernel; ++k)
                to[o * dweight.stride + i * kernel + k] += from[o * dtaps.stride + k * in + i];
cleanup:
    return status;
}
