/* The layer that meets the samples: input normalisation, convolution with the norm folded in, and its adjoint. */
#include "base/memory.h"
#include "device/backward.h"
#include "device/internal.h"
#include "device/kernels/kernels.h"
#include "device/layers.h"

#include <math.h>
#include <string.h>

/* --- input normalisation --------------------------------------------------------------------------------------------
 */

enum { SAMPLES_AT_A_TIME = 16384, BLOCKS_AT_A_TIME = 64 };

/* Sum and sum of squares of x - centre. Blocks of a fixed size are added in order: no dependence on the threads. */
static bt_status centred_sums(bt_device *device, const float *x, size_t n, double centre, double sums[2])
{
    const bt_kernels *const kernels = bt_kernels_best();
    const size_t blocks = (n + SAMPLES_AT_A_TIME - 1) / SAMPLES_AT_A_TIME;
    void *memory = NULL;
    const bt_status status = bt_scratch(device, blocks * 2 * sizeof(double), &memory);
    if (status != BT_OK) return status;
    double *const part = memory;
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t b = 0; b < blocks; ++b) {
        const size_t first = b * SAMPLES_AT_A_TIME;
        kernels->centred_sums(x + first, n - first < SAMPLES_AT_A_TIME ? n - first : SAMPLES_AT_A_TIME, centre,
                              part + 2 * b);
    }
    sums[0] = sums[1] = 0;
    for (size_t b = 0; b < blocks; ++b) {
        sums[0] += part[2 * b];
        sums[1] += part[2 * b + 1];
    }
    return BT_OK;
}

bt_status bt_signal_normalise(bt_device *device, bt_matrix signal, double epsilon)
{
    bt_status status = BT_OK;
    float *x = NULL;
    double sums[2];
    const size_t n = signal.columns;
    BT_CHECK(n > 0, BT_ERR_INTERNAL, "bt_signal_normalise: no samples");
    BT_TRY(bt_floats(signal, "bt_signal_normalise", &x));
    BT_TRY(centred_sums(device, x, n, 0, sums));
    const double mean = sums[0] / (double)n;
    BT_TRY(centred_sums(device, x, n, mean, sums));
    const double inverse = 1.0 / sqrt(sums[1] / (double)n + epsilon);
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t i = 0; i < n; ++i) x[i] = (float)(((double)x[i] - mean) * inverse);
cleanup:
    return status;
}

/* --- moments of the signal's windows --------------------------------------------------------------------------------
 */

static size_t signal_frames(const bt_signal_spec *spec, size_t n)
{
    return n < spec->kernel ? 0 : (n - spec->kernel) / spec->stride + 1;
}

/* sums (kernel + 1, kernel): of x_i x_j over all frames, and of x_j; in scratch memory. Blocks of a fixed size, as
 * above. */
static bt_status window_sums(bt_device *device, const bt_signal_spec *spec, const float *x, size_t n_frame,
                             const double **out)
{
    const bt_kernels *const kernels = bt_kernels_best();
    const size_t count = (spec->kernel + 1) * spec->kernel;
    const size_t blocks = (n_frame + BT_MOMENT_FRAMES - 1) / BT_MOMENT_FRAMES;
    const size_t each = count + bt_moment_work(spec->kernel, spec->stride);
    void *memory = NULL;
    const bt_status status = bt_scratch(device, (count + BLOCKS_AT_A_TIME * each) * sizeof(double), &memory);
    if (status != BT_OK) return status;
    double *const sums = memory, *const work = sums + count;
    memset(sums, 0, count * sizeof *sums);
    for (size_t first = 0; first < blocks; first += BLOCKS_AT_A_TIME) {
        const size_t n = blocks - first < BLOCKS_AT_A_TIME ? blocks - first : BLOCKS_AT_A_TIME;
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
        for (size_t b = 0; b < n; ++b) {
            const size_t frame = (first + b) * BT_MOMENT_FRAMES;
            const size_t frames = n_frame - frame < BT_MOMENT_FRAMES ? n_frame - frame : BT_MOMENT_FRAMES;
            memset(work + b * each, 0, count * sizeof *work);
            kernels->moments(x + frame * spec->stride, frames, spec->kernel, spec->stride, work + b * each + count,
                             work + b * each);
        }
        for (size_t b = 0; b < n; ++b)
            for (size_t i = 0; i < count; ++i) sums[i] += work[b * each + i];
    }
    *out = sums;
    return BT_OK;
}

/* --- filters ---------------------------------------------------------------------------------------------------------
 * Layout: per panel of BT_LANES channels (kernel, BT_LANES) weights, then BT_LANES constants. */

static size_t panel_count(const bt_signal_spec *spec)
{
    return (spec->channels + BT_LANES - 1) / BT_LANES;
}

static size_t panel_size(const bt_signal_spec *spec)
{
    return (spec->kernel + 1) * BT_LANES;
}

size_t bt_signal_filter_count(const bt_signal_spec *spec)
{
    return panel_count(spec) * panel_size(spec);
}

/* Mean and variance of one channel's output before the norm. */
static void channel_moments(const float *w, const double *sums, size_t kernel, double n_frame, double *mean,
                            double *variance)
{
    const double *const window = sums + kernel * kernel;
    *mean = 0;
    double squares = 0;
    for (size_t i = 0; i < kernel; ++i) {
        double row = 0;
        for (size_t j = 0; j < kernel; ++j)
            row += (double)w[j] * (sums[i * kernel + j] - window[i] * window[j] / n_frame);
        squares += (double)w[i] * row;
        *mean += (double)w[i] * window[i] / n_frame;
    }
    *variance = squares > 0 ? squares / n_frame : 0;
}

bt_status bt_signal_filter(bt_device *device, const bt_signal_spec *spec, bt_matrix signal, bt_matrix weight,
                           bt_matrix scale, bt_matrix shift, bt_matrix filter)
{
    bt_status status = BT_OK;
    const double *sums = NULL;
    float *x = NULL, *w = NULL, *gain = NULL, *bias = NULL, *out = NULL;
    const size_t n_frame = signal_frames(spec, signal.columns);
    BT_CHECK(n_frame > 0 && weight.columns == spec->kernel && weight.rows == spec->channels &&
                 filter.columns >= bt_signal_filter_count(spec),
             BT_ERR_INTERNAL, "bt_signal_filter: %zu samples, weight (%zu, %zu), filter %zu do not fit", signal.columns,
             weight.rows, weight.columns, filter.columns);
    BT_TRY(bt_floats(signal, "bt_signal_filter", &x));
    BT_TRY(bt_floats(weight, "bt_signal_filter", &w));
    BT_TRY(bt_floats(scale, "bt_signal_filter", &gain));
    BT_TRY(bt_floats(shift, "bt_signal_filter", &bias));
    BT_TRY(bt_floats(filter, "bt_signal_filter", &out));
    BT_TRY(window_sums(device, spec, x, n_frame, &sums));
    memset(out, 0, bt_signal_filter_count(spec) * sizeof *out);
    for (size_t c = 0; c < spec->channels; ++c) {
        float *const panel = out + c / BT_LANES * panel_size(spec) + c % BT_LANES;
        double mean = 0, variance = 0;
        channel_moments(w + c * weight.stride, sums, spec->kernel, (double)n_frame, &mean, &variance);
        const double factor = (double)gain[c] / sqrt(variance + spec->epsilon);
        for (size_t k = 0; k < spec->kernel; ++k)
            panel[k * BT_LANES] = (float)(factor * (double)w[c * weight.stride + k]);
        panel[spec->kernel * BT_LANES] = (float)((double)bias[c] - factor * mean);
    }
cleanup:
    return status;
}

bt_status bt_signal_convolve(bt_device *device, const bt_signal_spec *spec, bt_matrix signal, bt_matrix filter,
                             bt_matrix before, bt_matrix out)
{
    enum { FRAMES_AT_A_TIME = 64 };
    bt_status status = BT_OK;
    float *x = NULL, *w = NULL, *y = NULL, *h = NULL;
    BT_CHECK(out.rows <= signal_frames(spec, signal.columns) && out.columns == spec->channels &&
                 filter.columns >= bt_signal_filter_count(spec) &&
                 (!before.buffer ||
                  (before.rows == out.rows && before.columns == out.columns && before.stride == out.stride)),
             BT_ERR_INTERNAL, "bt_signal_convolve: %zu samples to (%zu, %zu), filter %zu do not fit", signal.columns,
             out.rows, out.columns, filter.columns);
    BT_TRY(bt_floats(signal, "bt_signal_convolve", &x));
    BT_TRY(bt_floats(filter, "bt_signal_convolve", &w));
    BT_TRY(bt_floats(out, "bt_signal_convolve", &y));
    BT_TRY(bt_floats_or_none(before, "bt_signal_convolve", &h));
    const bt_kernels *const kernels = bt_kernels_best();
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t first = 0; first < out.rows; first += FRAMES_AT_A_TIME)
        for (size_t p = 0; p < panel_count(spec); ++p) {
            const float *const panel = w + p * panel_size(spec);
            const size_t lanes = spec->channels - p * BT_LANES, at = first * out.stride + p * BT_LANES;
            const bt_panel_rows task = {.a = x + first * spec->stride,
                                        .a_step = spec->stride,
                                        .depth = spec->kernel,
                                        .panel = panel,
                                        .bias = panel + spec->kernel * BT_LANES,
                                        .out = y + at,
                                        .out_stride = out.stride,
                                        .n_lane = lanes < BT_LANES ? lanes : BT_LANES,
                                        .gelu = true,
                                        .before = h ? h + at : NULL};
            kernels->panel_rows(&task, out.rows - first < FRAMES_AT_A_TIME ? out.rows - first : FRAMES_AT_A_TIME);
        }
cleanup:
    return status;
}

/* --- adjoint ---------------------------------------------------------------------------------------------------------
 * Of one channel: c = w.x, c^ = (c - mean) / deviation, h = scale c^ + shift. With dh given, D[k] = sum dh x[k] and
 * p = sum dh say all: dshift = p, dscale = q = sum dh c^ = (w.D - mean p) / deviation, and since sum c^ x[k] =
 * n (S w)[k] / deviation, dw[k] = scale / deviation (D[k] - p m[k] - q (S w)[k] / deviation). */

/* sums (panels, kernel + 1, BT_LANES): D and p of every channel. */
static bt_status slope_sums(bt_device *device, const bt_signal_spec *spec, const float *x, bt_matrix h, bt_matrix da,
                            double *sums)
{
    bt_status status = BT_OK;
    float *at = NULL, *from = NULL;
    BT_TRY(bt_floats(h, "bt_signal_backward", &at));
    BT_TRY(bt_floats(da, "bt_signal_backward", &from));
    const bt_kernels *const kernels = bt_kernels_best();
    memset(sums, 0, panel_count(spec) * panel_size(spec) * sizeof *sums);
#pragma omp parallel for num_threads(device->n_thread) schedule(static)
    for (size_t p = 0; p < panel_count(spec); ++p)
        for (size_t first = 0; first < h.rows; first += BT_SLOPE_FRAMES) {
            const size_t lanes = spec->channels - p * BT_LANES, left = h.rows - first;
            const bt_signal_slope task = {.x = x + first * spec->stride,
                                          .stride = spec->stride,
                                          .kernel = spec->kernel,
                                          .h = at + first * h.stride + p * BT_LANES,
                                          .da = from + first * da.stride + p * BT_LANES,
                                          .h_stride = h.stride,
                                          .da_stride = da.stride,
                                          .n_lane = lanes < BT_LANES ? lanes : BT_LANES};
            kernels->signal_slope(&task, left < BT_SLOPE_FRAMES ? left : BT_SLOPE_FRAMES, sums + p * panel_size(spec));
        }
cleanup:
    return status;
}

/* Row k of S w, the covariance of the windows times a channel's weights. */
static double covariance_row(const float *w, const double *sums, size_t k, size_t kernel, double n_frame)
{
    const double *const window = sums + kernel * kernel;
    double row = 0;
    for (size_t j = 0; j < kernel; ++j)
        row += (double)w[j] * (sums[k * kernel + j] - window[k] * window[j] / n_frame) / n_frame;
    return row;
}

typedef struct {
    float *weight, *scale, *shift; /* of one channel; NULL: not asked for */
} channel_gradient;

/* slopes: D and p of the channel, BT_LANES apart. */
static void channel_backward(const bt_signal_spec *spec, const float *w, double gain, const double *sums,
                             double n_frame, const double *slopes, channel_gradient d)
{
    const size_t kernel = spec->kernel;
    const double p = slopes[kernel * BT_LANES];
    double mean = 0, variance = 0, along = 0; /* along: w.D */
    channel_moments(w, sums, kernel, n_frame, &mean, &variance);
    for (size_t k = 0; k < kernel; ++k) along += (double)w[k] * slopes[k * BT_LANES];
    const double inverse = 1 / sqrt(variance + spec->epsilon), q = (along - mean * p) * inverse;
    if (d.shift) *d.shift += (float)p;
    if (d.scale) *d.scale += (float)q;
    for (size_t k = 0; k < kernel && d.weight; ++k) {
        const double window_mean = sums[kernel * kernel + k] / n_frame;
        const double across = q * covariance_row(w, sums, k, kernel, n_frame) * inverse;
        d.weight[k] += (float)(gain * inverse * (slopes[k * BT_LANES] - p * window_mean - across));
    }
}

bt_status bt_signal_backward(bt_device *device, const bt_signal_spec *spec, bt_matrix signal, bt_matrix weight,
                             bt_matrix scale, bt_matrix h, bt_matrix da, bt_matrix dweight, bt_matrix dscale,
                             bt_matrix dshift)
{
    bt_status status = BT_OK;
    const double *sums = NULL;
    double *slopes = NULL;
    float *x = NULL, *w = NULL, *gain = NULL;
    channel_gradient d = {0};
    BT_CHECK(h.rows > 0 && h.rows == signal_frames(spec, signal.columns) && h.columns == spec->channels &&
                 da.rows == h.rows && da.columns == h.columns && weight.columns == spec->kernel &&
                 weight.rows == spec->channels && (!dweight.buffer || dweight.stride == spec->kernel),
             BT_ERR_INTERNAL, "bt_signal_backward: %zu samples, weight (%zu, %zu), gradient (%zu, %zu) do not fit",
             signal.columns, weight.rows, weight.columns, da.rows, da.columns);
    BT_TRY(bt_floats(signal, "bt_signal_backward", &x));
    BT_TRY(bt_floats(weight, "bt_signal_backward", &w));
    BT_TRY(bt_floats(scale, "bt_signal_backward", &gain));
    BT_TRY(bt_floats_or_none(dweight, "bt_signal_backward", &d.weight));
    BT_TRY(bt_floats_or_none(dscale, "bt_signal_backward", &d.scale));
    BT_TRY(bt_floats_or_none(dshift, "bt_signal_backward", &d.shift));
    BT_ALLOC(slopes, panel_count(spec) * panel_size(spec));
    BT_TRY(slope_sums(device, spec, x, h, da, slopes));
    BT_TRY(window_sums(device, spec, x, h.rows, &sums));
    for (size_t c = 0; c < spec->channels; ++c) {
        const channel_gradient of_channel = {d.weight ? d.weight + c * spec->kernel : NULL,
                                             d.scale ? d.scale + c : NULL, d.shift ? d.shift + c : NULL};
        channel_backward(spec, w + c * weight.stride, (double)gain[c], sums, (double)h.rows,
                         slopes + c / BT_LANES * panel_size(spec) + c % BT_LANES, of_channel);
    }
cleanup:
    bt_free(slopes);
    return status;
}
