#include "nn/front_end.h"

#include "base/memory.h"
#include "device/backward.h"

#include <stdint.h>

enum { FRAMES_OF_A_STEP = 4 };

struct bt_front_end {
    bt_device *device;
    bt_front_end_spec spec;
    bt_signal_spec signal;                             /* of the first layer, with group norm */
    bt_matrix weight;                                  /* as above */
    bt_convolution *convolutions[BT_FRONT_END_LAYERS]; /* from 1 on, or all with layer norm */
    bt_matrix scales[BT_FRONT_END_LAYERS], shifts[BT_FRONT_END_LAYERS];
};

size_t bt_front_end_frames(const bt_front_end_spec *spec, size_t n_sample)
{
    size_t n = n_sample;
    for (size_t i = 0; i < spec->n_layer; ++i)
        n = n < spec->kernels[i] ? 0 : (n - spec->kernels[i]) / spec->strides[i] + 1;
    return n;
}

/* Rows of layer `layer`'s input (0: samples) that n_frame final frames need. */
static size_t rows_needed(const bt_front_end_spec *spec, size_t layer, size_t n_frame)
{
    size_t n = n_frame;
    for (size_t i = spec->n_layer; i-- > layer;) n = (n - 1) * spec->strides[i] + spec->kernels[i];
    return n;
}

size_t bt_front_end_samples(const bt_front_end_spec *spec, size_t n_frame)
{
    return rows_needed(spec, 0, n_frame);
}

size_t bt_front_end_hop(const bt_front_end_spec *spec)
{
    size_t hop = 1;
    for (size_t i = 0; i < spec->n_layer; ++i) hop *= spec->strides[i];
    return hop;
}

static bt_status make_convolution(bt_front_end *front_end, size_t i, const bt_parameters *parameters,
                                  const bt_front_end_rows *rows)
{
    const bt_front_end_spec *const spec = &front_end->spec;
    const bt_convolution_spec convolution = {.in = i ? spec->channels[i - 1] : 1,
                                             .out = spec->channels[i],
                                             .groups = 1,
                                             .kernel = spec->kernels[i],
                                             .stride = spec->strides[i],
                                             .activation = spec->layer_norm ? BT_ACTIVATION_NONE : BT_ACTIVATION_GELU};
    const bt_matrix bias = rows->bias[i] == SIZE_MAX ? (bt_matrix){0} : bt_parameter_matrix(parameters, rows->bias[i]);
    return bt_convolution_create(front_end->device, &convolution, bt_parameter_matrix(parameters, rows->weight[i]),
                                 bias, &front_end->convolutions[i]);
}

bt_status bt_front_end_create(bt_device *device, const bt_front_end_spec *spec, const bt_parameters *parameters,
                              const bt_front_end_rows *rows, bt_front_end **out)
{
    bt_status status = BT_OK;
    bt_front_end *front_end = NULL;
    *out = NULL;
    BT_ALLOC(front_end, 1);
    front_end->device = device;
    front_end->spec = *spec;
    front_end->signal = (bt_signal_spec){.channels = spec->channels[0],
                                         .kernel = spec->kernels[0],
                                         .stride = spec->strides[0],
                                         .epsilon = spec->epsilon};
    front_end->weight = bt_parameter_matrix(parameters, rows->weight[0]);
    for (size_t i = 0; i < (spec->layer_norm ? spec->n_layer : 1); ++i) {
        front_end->scales[i] = bt_parameter_matrix(parameters, rows->norm_scale[i]);
        front_end->shifts[i] = bt_parameter_matrix(parameters, rows->norm_shift[i]);
    }
    for (size_t i = !spec->layer_norm; i < spec->n_layer; ++i) BT_TRY(make_convolution(front_end, i, parameters, rows));
    *out = front_end;
    front_end = NULL;
cleanup:
    bt_front_end_destroy(&front_end);
    return status;
}

void bt_front_end_destroy(bt_front_end **front_end)
{
    if (!*front_end) return;
    for (size_t i = 0; i < (*front_end)->spec.n_layer; ++i) bt_convolution_destroy(&(*front_end)->convolutions[i]);
    bt_free(*front_end);
    *front_end = NULL;
}

/* Frames per tile: the sequence in equal parts, rounded up to few different sizes, at most the sequence. */
static size_t tile_frames(const bt_front_end_spec *spec, size_t n_frame)
{
    const size_t tiles = (n_frame + spec->tile - 1) / spec->tile;
    const size_t even = (n_frame + tiles - 1) / tiles;
    const size_t rounded = (even + FRAMES_OF_A_STEP - 1) / FRAMES_OF_A_STEP * FRAMES_OF_A_STEP;
    return rounded < n_frame ? rounded : n_frame;
}

void bt_front_end_work(const bt_front_end *front_end, size_t n_frame, size_t counts[3])
{
    const bt_front_end_spec *const spec = &front_end->spec;
    const size_t most = n_frame < spec->tile + FRAMES_OF_A_STEP ? n_frame : spec->tile + FRAMES_OF_A_STEP;
    counts[0] = counts[1] = 1;
    for (size_t i = 0; i + 1 < spec->n_layer; ++i) { /* the last layer's output is the result */
        const size_t count = rows_needed(spec, i + 1, most) * spec->channels[i];
        if (count > counts[i % 2]) counts[i % 2] = count;
    }
    counts[2] = bt_signal_filter_count(&front_end->signal);
}

/* The output of layer i for a tile of `frames` final frames: in work memory, or the result itself. */
static bt_matrix layer_output(const bt_front_end_spec *spec, size_t i, size_t frames, const bt_matrix work[3],
                              bt_matrix result)
{
    if (i + 1 == spec->n_layer) return result;
    return (bt_matrix){.buffer = work[i % 2].buffer,
                       .offset = work[i % 2].offset,
                       .rows = rows_needed(spec, i + 1, frames),
                       .columns = spec->channels[i],
                       .stride = spec->channels[i]};
}

/* gelu(norm(convolution of x)). */
static bt_status apply_normed(bt_front_end *front_end, size_t i, bt_matrix x, bt_matrix y)
{
    bt_status status = BT_OK;
    BT_TRY(bt_convolution_apply(front_end->convolutions[i], x, y));
    BT_TRY(bt_layer_norm(front_end->device, y, (bt_matrix){0}, front_end->scales[i], front_end->shifts[i],
                         front_end->spec.epsilon, y));
    BT_TRY(bt_gelu_forward(front_end->device, y, y));
cleanup:
    return status;
}

/* The samples as rows of one channel. */
static bt_matrix as_rows(bt_matrix signal)
{
    signal.rows = signal.columns;
    signal.columns = signal.stride = 1;
    return signal;
}

static bt_status apply_tile(bt_front_end *front_end, bt_matrix signal, const bt_matrix work[3], bt_matrix result)
{
    bt_status status = BT_OK;
    const bt_front_end_spec *const spec = &front_end->spec;
    bt_matrix x = layer_output(spec, 0, result.rows, work, result);
    BT_TRY(front_end->spec.layer_norm
               ? apply_normed(front_end, 0, as_rows(signal), x)
               : bt_signal_convolve(front_end->device, &front_end->signal, signal, work[2], (bt_matrix){0}, x));
    for (size_t i = 1; i < spec->n_layer; ++i) {
        const bt_matrix y = layer_output(spec, i, result.rows, work, result);
        BT_TRY(front_end->spec.layer_norm ? apply_normed(front_end, i, x, y)
                                          : bt_convolution_apply(front_end->convolutions[i], x, y));
        x = y;
    }
cleanup:
    return status;
}

bt_status bt_front_end_apply(bt_front_end *front_end, bt_matrix signal, const bt_matrix work[3], bt_matrix out)
{
    bt_status status = BT_OK;
    const bt_front_end_spec *const spec = &front_end->spec;
    const size_t n_frame = bt_front_end_frames(spec, signal.columns), tile = tile_frames(spec, n_frame);
    BT_CHECK(n_frame > 0 && out.rows == n_frame, BT_ERR_INTERNAL,
             "bt_front_end_apply: %zu samples give %zu frames, not %zu", signal.columns, n_frame, out.rows);
    if (!spec->layer_norm)
        BT_TRY(bt_signal_filter(front_end->device, &front_end->signal, signal, front_end->weight, front_end->scales[0],
                                front_end->shifts[0], work[2]));
    for (size_t next = 0; next < n_frame; next += tile) {
        const size_t first =
            next + tile <= n_frame ? next : n_frame - tile; /* the last tile has the size of the others */
        BT_TRY(apply_tile(front_end,
                          bt_matrix_part(signal, 0, first * bt_front_end_hop(spec), 1, rows_needed(spec, 0, tile)),
                          work, bt_matrix_part(out, first, 0, tile, out.columns)));
    }
cleanup:
    return status;
}
