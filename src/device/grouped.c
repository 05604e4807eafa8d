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

static void pack_weights(bt_grouped *g, const float *weight, const float *bias)
{
    for (size_t c = 0; c < g->spec.out; ++c) {
        const size_t panel = c / g->out * g->panels + c % g->out / BT_LANES, lane = c % g->out % BT_LANES;
        float *const to = g->weights + panel * panel_size(g) + lane;
        for (size_t i = 0; i < g->in; ++i)
            for (size_t k = 0; k < g->spec.kernel; ++k)
                to[(k * g->in + i) * BT_LANES] = weight[(c * g->in + i) * g->spec.kernel + k];
        if (bias) g->bias[panel * BT_LANES + lane] = bias[c];
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
    pack_weights(g, weight, bias);
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
