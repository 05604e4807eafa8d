/* A group's input rows are copied side by side; then an output row is the product of `kernel` consecutive rows, one run
 * of memory, with the packed weights. Tasks are (group, tile of output rows). */
#include "device/grouped.h"

#include "base/memory.h"
#include "device/internal.h"
#include "device/kernels/kernels.h"

#include <omp.h>
#include <string.h>

enum { ROWS_AT_A_TIME = 128 };

struct bt_grouped {
    bt_device *device;
    bt_convolution_spec spec;
    size_t in, out, panels; /* per group: channels, and panels of BT_LANES output channels */
    float *weights;         /* (groups, panels, kernel, in, BT_LANES) */
    float *bias;            /* (groups, panels, BT_LANES) */
};

static size_t panel_size(const bt_grouped *g)
{
    return g->spec.kernel * g->in * BT_LANES;
}

/* Where the weights of output channel c lie: (kernel, in, BT_LANES) from here on. */
static float *packed_weights(bt_grouped *g, size_t c)
{
    return g->weights + (c / g->out * g->panels + c % g->out / BT_LANES) * panel_size(g) + c % g->out % BT_LANES;
}

void bt_grouped_pack(bt_grouped *g, const float *weight, const float *bias)
{
    const size_t kernel = g->spec.kernel;
#pragma omp parallel for num_threads(g->device->n_thread) schedule(static)
    for (size_t c = 0; c < g->spec.out; ++c) {
        float *const to = packed_weights(g, c);
        for (size_t i = 0; i < g->in; ++i)
            for (size_t k = 0; k < kernel; ++k) to[(k * g->in + i) * BT_LANES] = weight[(c * g->in + i) * kernel + k];
    }
    for (size_t c = 0; c < g->spec.out; ++c)
        g->bias[(c / g->out * g->panels + c % g->out / BT_LANES) * BT_LANES + c % g->out % BT_LANES] =
            bias ? bias[c] : 0.0f;
}

/* Inputs and outputs change places, kernels are turned round: this one's input i of a group is the other's output. */
void bt_grouped_pack_adjoint(bt_grouped *g, const float *weight)
{
    const size_t kernel = g->spec.kernel;
#pragma omp parallel for num_threads(g->device->n_thread) schedule(static)
    for (size_t c = 0; c < g->spec.out; ++c) {
        float *const to = packed_weights(g, c);
        const size_t group = c / g->out, input = c % g->out;
        for (size_t i = 0; i < g->in; ++i)
            for (size_t k = 0; k < kernel; ++k)
                to[(k * g->in + i) * BT_LANES] =
                    weight[((group * g->in + i) * g->out + input) * kernel + kernel - 1 - k];
    }
}

bt_status bt_grouped_create(bt_device *device, const bt_convolution_spec *spec, const float *weight, const float *bias,
                            bt_grouped **out)
{
    bt_status status = BT_OK;
    bt_grouped *g = NULL;
    *out = NULL;
    BT_ALLOC(g, 1);
    g->device = device;
    g->spec = *spec;
    g->in = spec->in / spec->groups;
    g->out = spec->out / spec->groups;
    g->panels = (g->out + BT_LANES - 1) / BT_LANES;
    BT_ALLOC(g->weights, spec->groups * g->panels * panel_size(g));
    BT_ALLOC(g->bias, spec->groups * g->panels * BT_LANES);
    if (weight) bt_grouped_pack(g, weight, bias);
    *out = g;
    g = NULL;
cleanup:
    bt_grouped_destroy(&g);
    return status;
}

void bt_grouped_destroy(bt_grouped **grouped)
{
    if (!*grouped) return;
    bt_free((*grouped)->weights);
    bt_free((*grouped)->bias);
    bt_free(*grouped);
    *grouped = NULL;
}

/* Input rows that `rows` output rows touch. */
static size_t window_rows(const bt_grouped *g, size_t rows)
{
    return (rows - 1) * g->spec.stride + g->spec.kernel;
}

/* A group's channels of the padded input rows from `first` on, side by side. */
static void copy_group(const bt_grouped *g, size_t group, size_t first, size_t rows, size_t n, const float *x,
                       float *to)
{
    for (size_t r = 0; r < rows; ++r) {
        const size_t padded = first + r;
        if (padded < g->spec.before || padded - g->spec.before >= n)
            memset(to + r * g->in, 0, g->in * sizeof *to);
        else
            memcpy(to + r * g->in, x + (padded - g->spec.before) * g->spec.in + group * g->in, g->in * sizeof *to);
    }
}

static void group_tile(const bt_grouped *g, size_t group, size_t first, size_t rows, size_t n, const float *x, float *y,
                       float *work)
{
    copy_group(g, group, first * g->spec.stride, window_rows(g, rows), n, x, work);
    for (size_t p = 0; p < g->panels; ++p) {
        const size_t panel = group * g->panels + p, lanes = g->out - p * BT_LANES;
        const bt_panel_rows task = {.a = work,
                                    .a_step = g->spec.stride * g->in,
                                    .depth = g->spec.kernel * g->in,
                                    .panel = g->weights + panel * panel_size(g),
                                    .bias = g->bias + panel * BT_LANES,
                                    .out = y + first * g->spec.out + group * g->out + p * BT_LANES,
                                    .out_stride = g->spec.out,
                                    .n_lane = lanes < BT_LANES ? lanes : BT_LANES,
                                    .gelu = g->spec.activation == BT_ACTIVATION_GELU};
        bt_kernels_best()->panel_rows(&task, rows);
    }
}

bt_status bt_grouped_apply(bt_grouped *g, size_t n, const float *x, float *y)
{
    const size_t rows = bt_convolution_rows(&g->spec, n);
    const size_t tiles = (rows + ROWS_AT_A_TIME - 1) / ROWS_AT_A_TIME;
    const size_t each = window_rows(g, ROWS_AT_A_TIME) * g->in;
    void *memory = NULL;
    const bt_status status = bt_scratch(g->device, (size_t)g->device->n_thread * each * sizeof(float), &memory);
    if (status != BT_OK) return status;
    float *const work = memory;
#pragma omp parallel for num_threads(g->device->n_thread) schedule(static)
    for (size_t i = 0; i < tiles * g->spec.groups; ++i) {
        const size_t first = i % tiles * ROWS_AT_A_TIME;
        group_tile(g, i / tiles, first, rows - first < ROWS_AT_A_TIME ? rows - first : ROWS_AT_A_TIME, n, x, y,
                   work + (size_t)omp_get_thread_num() * each);
    }
    return BT_OK;
}

/* --- gradient of the weights ----------------------------------------------------------------------------------------
 * For one input channel, the rows of a Hankel matrix are its values from t = k on: times a panel of dy they give
 * dW[.., i, k] for all k of the kernel. */

typedef struct {
    const bt_grouped *g;
    size_t n, rows, padded; /* rows of x, of dy, of x with its padding */
    float *channels;        /* (spec.in, padded): x transposed, zeros around */
    float *panels;          /* (groups, panels, rows, BT_LANES): dy */
    float *parts;           /* per thread (kernel, BT_LANES) */
} weights_call;

static void copy_channel(const weights_call *c, size_t channel, const float *x)
{
    float *const to = c->channels + channel * c->padded;
    memset(to, 0, c->padded * sizeof *to);
    for (size_t t = 0; t < c->n; ++t) to[c->g->spec.before + t] = x[t * c->g->spec.in + channel];
}

static void copy_panel(const weights_call *c, size_t panel, const float *dy)
{
    const bt_grouped *const g = c->g;
    const size_t first = panel % g->panels * BT_LANES, left = g->out - first;
    float *const to = c->panels + panel * c->rows * BT_LANES;
    memset(to, 0, c->rows * BT_LANES * sizeof *to);
    for (size_t t = 0; t < c->rows; ++t)
        memcpy(to + t * BT_LANES, dy + t * g->spec.out + panel / g->panels * g->out + first,
               (left < BT_LANES ? left : BT_LANES) * sizeof *to);
}

static void channel_backward(const weights_call *c, size_t channel, float *part, float *dweight)
{
    static const float zeros[BT_LANES];
    const bt_grouped *const g = c->g;
    const size_t group = channel / g->in, i = channel % g->in, kernel = g->spec.kernel;
    for (size_t p = 0; p < g->panels; ++p) {
        const bt_panel_rows task = {.a = c->channels + channel * c->padded,
                                    .a_step = 1,
                                    .depth = c->rows,
                                    .panel = c->panels + (group * g->panels + p) * c->rows * BT_LANES,
                                    .bias = zeros,
                                    .out = part,
                                    .out_stride = BT_LANES,
                                    .n_lane = BT_LANES};
        bt_kernels_best()->panel_rows(&task, kernel);
        for (size_t o = p * BT_LANES; o < g->out && o < (p + 1) * BT_LANES; ++o)
            for (size_t k = 0; k < kernel; ++k)
                dweight[((group * g->out + o) * g->in + i) * kernel + k] += part[k * BT_LANES + o % BT_LANES];
    }
}

bt_status bt_grouped_weights_backward(bt_grouped *g, size_t n, const float *x, const float *dy, float *dweight)
{
    const bt_convolution_spec *const spec = &g->spec;
    const size_t rows = bt_convolution_rows(spec, n), n_panel = spec->groups * g->panels;
    weights_call call = {.g = g, .n = n, .rows = rows, .padded = n + spec->before + spec->after};
    const size_t panels = n_panel * rows * BT_LANES, parts = (size_t)g->device->n_thread * spec->kernel * BT_LANES;
    void *memory = NULL;
    const bt_status status = bt_scratch(g->device, (panels + parts + spec->in * call.padded) * sizeof(float), &memory);
    if (status != BT_OK) return status;
    call.panels = memory;
    call.parts = call.panels + panels;
    call.channels = call.parts + parts;
#pragma omp parallel num_threads(g->device->n_thread)
    {
        float *const part = call.parts + (size_t)omp_get_thread_num() * spec->kernel * BT_LANES;
#pragma omp for schedule(static)
        for (size_t c = 0; c < spec->in; ++c) copy_channel(&call, c, x);
#pragma omp for schedule(static)
        for (size_t p = 0; p < n_panel; ++p) copy_panel(&call, p, dy);
#pragma omp for schedule(static)
        for (size_t c = 0; c < spec->in; ++c) channel_backward(&call, c, part, dweight);
    }
    return BT_OK;
}
