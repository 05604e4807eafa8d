/* A strided convolution as products. Rows are dense, so the rows that one output row sees are one run of memory; but a
 * product wants rows apart by at least their length, hence at most `stride` taps are taken at a time: the runs of a
 * group of taps are the rows of a matrix whose rows do not overlap. Output rows are taken in parts that stay in the
 * cache. */
#include "device/backward.h"
#include "device/internal.h"

#include <string.h>

static bt_status check_shapes(const bt_convolution_spec *spec, bt_matrix taps, bt_matrix x, bt_matrix y)
{
    if (spec->groups == 1 && spec->before == 0 && spec->after == 0 && y.rows > 0 &&
        y.rows == bt_convolution_rows(spec, x.rows) && x.columns == spec->in && y.columns == spec->out &&
        taps.rows == spec->out && taps.columns == spec->kernel * spec->in && x.stride == x.columns)
        return BT_OK;
    return bt_fail(BT_ERR_INTERNAL, "taps (%zu, %zu): (%zu, %zu) to (%zu, %zu), kernel %zu, stride %zu", taps.rows,
                   taps.columns, x.rows, x.columns, y.rows, y.columns, spec->kernel, spec->stride);
}

/* Output rows of a part: about half a megabyte per thread, but enough for a product. */
static size_t part_rows(const bt_device *device, const bt_convolution_spec *spec)
{
    enum { ELEMENTS = 1 << 17, FEWEST = 1024 };
    const size_t columns = spec->in > spec->out ? spec->in : spec->out;
    return (ELEMENTS / columns > FEWEST ? ELEMENTS / columns : FEWEST) * (size_t)device->n_thread;
}

/* Rows of the input that n output rows see. */
static size_t rows_seen(const bt_convolution_spec *spec, size_t n)
{
    return (n - 1) * spec->stride + spec->kernel;
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

static bt_status part_forward(bt_device *device, const bt_convolution_spec *spec, bt_matrix taps, bt_matrix bias,
                              bt_matrix x, bt_matrix h, bt_matrix y)
{
    bt_status status = BT_OK;
    for (size_t first = 0; first < spec->kernel; first += spec->stride) {
        const size_t n = group_size(spec, first);
        const bt_matrix rows = seen(spec, x, first, n, h.rows);
        const bt_matrix w = bt_matrix_part(taps, 0, first * spec->in, spec->out, n * spec->in);
        BT_TRY(first == 0 ? bt_linear_forward(device, rows, w, bias, h)
                          : bt_layer_product(device, BT_PLAIN, BT_TRANSPOSED, rows, w, 1, h));
    }
    if (spec->activation == BT_ACTIVATION_GELU) BT_TRY(bt_gelu_forward(device, h, y));
cleanup:
    return status;
}

bt_status bt_taps_forward(bt_device *device, const bt_convolution_spec *spec, bt_matrix taps, bt_matrix bias,
                          bt_matrix x, bt_matrix h, bt_matrix y)
{
    bt_status status = BT_OK;
    if (spec->activation == BT_ACTIVATION_NONE) y = h;
    BT_TRY(check_shapes(spec, taps, x, h));
    BT_TRY(check_shapes(spec, taps, x, y));
    for (size_t first = 0, most = part_rows(device, spec); first < h.rows; first += most) {
        const size_t n = h.rows - first < most ? h.rows - first : most;
        BT_TRY(part_forward(device, spec, taps, bias,
                            bt_matrix_part(x, first * spec->stride, 0, rows_seen(spec, n), x.columns),
                            bt_matrix_part(h, first, 0, n, h.columns), bt_matrix_part(y, first, 0, n, y.columns)));
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

/* The taps of the first group set their rows of dx, the others add. */
static bt_status part_backward(bt_device *device, const bt_convolution_spec *spec, bt_matrix taps, bt_matrix x,
                               bt_matrix dh, bt_matrix dx, bt_matrix dtaps, bt_matrix dbias)
{
    bt_status status = BT_OK;
    const bt_matrix none = {0};
    for (size_t first = 0; first < spec->kernel; first += spec->stride) {
        const size_t n = group_size(spec, first), column = first * spec->in;
        const bt_matrix drows = dx.buffer ? seen(spec, dx, first, n, dh.rows) : none;
        BT_TRY(bt_linear_backward(
            device, seen(spec, x, first, n, dh.rows), bt_matrix_part(taps, 0, column, spec->out, n * spec->in), dh,
            first > 0, drows, bt_matrix_part(dtaps, 0, column, spec->out, n * spec->in), first == 0 ? dbias : none));
    }
cleanup:
    return status;
}

static bt_status plain_backward(bt_device *device, const bt_convolution_spec *spec, bt_matrix taps, bt_matrix x,
                                bt_matrix dh, bt_matrix dx, bt_matrix dtaps, bt_matrix dbias)
{
    bt_status status = BT_OK;
    BT_TRY(check_shapes(spec, taps, x, dh));
    BT_TRY(check_shapes(spec, dtaps, x, dh));
    if (dx.buffer) {
        BT_TRY(check_shapes(spec, taps, dx, dh));
        BT_TRY(clear_unreached(device, spec, dh.rows, dx));
    }
    BT_TRY(part_backward(device, spec, taps, x, dh, dx, dtaps, dbias));
cleanup:
    return status;
}

/* From the last part to the first: a part adds to rows that the next one sets. */
bt_status bt_taps_backward(bt_device *device, const bt_convolution_spec *spec, bt_matrix taps, bt_matrix before,
                           bt_matrix h, bt_matrix dy, bt_matrix dx, bt_matrix dtaps, bt_matrix dbias)
{
    bt_status status = BT_OK;
    void *memory = NULL;
    const size_t most = part_rows(device, spec);
    if (spec->activation == BT_ACTIVATION_NONE) return plain_backward(device, spec, taps, before, dy, dx, dtaps, dbias);
    BT_TRY(check_shapes(spec, taps, before, dy));
    BT_TRY(check_shapes(spec, taps, dx, h));
    BT_TRY(check_shapes(spec, dtaps, before, dy));
    BT_TRY(bt_scratch(device, rows_seen(spec, most) * spec->in * sizeof(float), &memory));
    bt_buffer active = {
        .device = device, .type = BT_F32, .count = rows_seen(spec, most) * spec->in, .data = memory, .is_view = true};
    BT_TRY(clear_unreached(device, spec, dy.rows, dx));
    for (size_t part = (dy.rows + most - 1) / most; part-- > 0;) {
        const size_t first = part * most, n = dy.rows - first < most ? dy.rows - first : most;
        const bt_matrix x = bt_matrix_of(&active, rows_seen(spec, n), spec->in);
        const bt_matrix dh = bt_matrix_part(dy, first, 0, n, dy.columns);
        BT_TRY(bt_gelu_forward(device, bt_matrix_part(before, first * spec->stride, 0, x.rows, x.columns), x));
        BT_TRY(bt_gelu_backward(device, bt_matrix_part(h, first, 0, n, h.columns), dh, dh)); /* dh = gelu'(h) dy */
        BT_TRY(part_backward(device, spec, taps, x, dh, bt_matrix_part(dx, first * spec->stride, 0, x.rows, x.columns),
                             dtaps, dbias));
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
