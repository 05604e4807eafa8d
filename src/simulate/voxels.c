#include "simulate/voxels.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"

#include <math.h>
#include <string.h>

const char *bt_roi_name(bt_roi roi)
{
    static const char *const names[BT_ROIS] = {"primary_auditory", "language", "mixed", "null"};
    return names[roi - 1];
}

static size_t count_voxels(const bt_voxel_options *options)
{
    size_t n = 0;
    for (size_t r = 0; r < BT_ROIS; ++r) n += options->n_voxel[r];
    return n;
}

/* w'Cw over the drivers [low, high). */
static double variance(const double *w, const double *covariance, size_t d, size_t low, size_t high)
{
    double sum = 0;
    for (size_t i = low; i < high; ++i)
        for (size_t j = low; j < high; ++j) sum += w[i] * covariance[i * d + j] * w[j];
    return sum;
}

static void scale_to(double *w, const double *covariance, size_t d, size_t low, size_t high, double target)
{
    const double now = variance(w, covariance, d, low, high);
    const double scale = now > 0 ? sqrt(target / now) : 0;
    for (size_t i = low; i < high; ++i) w[i] *= scale;
}

/* Fills w (n_driver) and the voxel's ratio. */
static void draw_voxel(const bt_voxel_options *options, const double *covariance, bt_roi roi, bt_random *random,
                       double *w, double *snr)
{
    const size_t n_band = options->n_band, d = n_band + options->n_category;
    const double *const range = options->snr[roi - 1];
    *snr = range[0] + (range[1] - range[0]) * bt_random_uniform(random);
    for (size_t i = 0; i < d; ++i) w[i] = bt_random_normal(random);
    if (roi == BT_ROI_NULL) *snr = 0;
    const double signal = *snr / (1 + *snr);
    const double share = roi == BT_ROI_LANGUAGE ? 1 : roi == BT_ROI_MIXED ? options->mixed_share : 0;
    scale_to(w, covariance, d, 0, n_band, signal * (1 - share));
    scale_to(w, covariance, d, n_band, d, signal * share);
    scale_to(w, covariance, d, 0, d, signal);
}

bt_status bt_voxels_draw(const bt_voxel_options *options, const double *covariance, uint64_t seed, const char *subject,
                         bt_voxels *out)
{
    bt_status status = BT_OK;
    double *w = NULL;
    *out = (bt_voxels){.n_voxel = count_voxels(options), .n_driver = options->n_band + options->n_category};
    BT_ALLOC(w, out->n_driver);
    BT_ALLOC(out->roi, out->n_voxel);
    BT_ALLOC(out->snr, out->n_voxel);
    BT_ALLOC(out->weights, out->n_driver * out->n_voxel);
    for (size_t v = 0, roi = 0, left = options->n_voxel[0]; v < out->n_voxel; ++v, --left) {
        while (left == 0) left = options->n_voxel[++roi];
        out->roi[v] = (int32_t)roi + 1;
        bt_random random = bt_random_start(seed, bt_random_stream(subject, v));
        draw_voxel(options, covariance, (bt_roi)out->roi[v], &random, w, &out->snr[v]);
        for (size_t i = 0; i < out->n_driver; ++i) out->weights[i * out->n_voxel + v] = w[i];
    }
cleanup:
    bt_free(w);
    if (status != BT_OK) bt_voxels_clear(out);
    return status;
}

void bt_voxels_clear(bt_voxels *voxels)
{
    bt_free(voxels->roi);
    bt_free(voxels->snr);
    bt_free(voxels->weights);
    *voxels = (bt_voxels){.n_voxel = 0};
}

void bt_voxels_add_products(size_t n_row, size_t d, const double *x, double *c)
{
    for (size_t t = 0; t < n_row; ++t)
        for (size_t i = 0; i < d; ++i)
            for (size_t j = 0; j < d; ++j) c[i * d + j] += x[t * d + i] * x[t * d + j];
}

void bt_voxels_signal(const bt_voxels *voxels, const double *drivers, size_t n_row, double *signal)
{
    const size_t n = voxels->n_voxel, d = voxels->n_driver;
    memset(signal, 0, n_row * n * sizeof *signal);
    for (size_t t = 0; t < n_row; ++t)
        for (size_t i = 0; i < d; ++i)
            for (size_t v = 0; v < n; ++v) signal[t * n + v] += drivers[t * d + i] * voxels->weights[i * n + v];
}

/* What is left of a unit variance when n neighbours' mean is taken out: 1 - (1/n^2) sum_ij a^|i-j|. */
static double centred_variance(double a, size_t n)
{
    double sum = (double)n;
    for (size_t lag = 1; lag < n; ++lag) sum += 2 * (double)(n - lag) * pow(a, (double)lag);
    return 1 - sum / ((double)n * (double)n);
}

/* column (n): unit-variance stationary noise, mean taken out, times `scale`; n_column apart in memory. */
static void draw_noise(bt_random *random, double a, size_t n, double scale, double *column, size_t n_column)
{
    const double fresh = sqrt(1 - a * a);
    double now = bt_random_normal(random), mean = 0;
    for (size_t t = 0; t < n; ++t) {
        column[t * n_column] = now;
        mean += now / (double)n;
        now = a * now + fresh * bt_random_normal(random);
    }
    for (size_t t = 0; t < n; ++t) column[t * n_column] = scale * (column[t * n_column] - mean);
}

bt_status bt_voxels_noise(const bt_voxels *voxels, double autocorrelation, uint64_t seed, const char *what,
                          size_t repeat, size_t n_row, double *noise)
{
    bt_status status = BT_OK;
    bt_text name = {0};
    const double kept = centred_variance(autocorrelation, n_row);
    BT_TRY(bt_text_add(&name, "noise/%s/%zu", what, repeat));
    for (size_t v = 0; v < voxels->n_voxel; ++v) {
        bt_random random = bt_random_start(seed, bt_random_stream(name.data, v));
        const double scale = sqrt(1 / (1 + voxels->snr[v]) / kept);
        draw_noise(&random, autocorrelation, n_row, scale, noise + v, voxels->n_voxel);
    }
cleanup:
    bt_text_clear(&name);
    return status;
}

void bt_voxels_ceiling(const bt_voxels *voxels, const double *signal, size_t n_row, size_t n_repeat, double *cc_max)
{
    const size_t n = voxels->n_voxel;
    for (size_t v = 0; v < n; ++v) {
        double mean = 0, square = 0;
        for (size_t t = 0; t < n_row; ++t) mean += signal[t * n + v] / (double)n_row;
        for (size_t t = 0; t < n_row; ++t) square += pow(signal[t * n + v] - mean, 2) / (double)n_row;
        const double noise = 1 / (1 + voxels->snr[v]) / (double)n_repeat;
        cc_max[v] = sqrt(square / (square + noise));
    }
}

void bt_voxels_correlate(const double *x, const double *y, size_t n_row, size_t n_voxel, double *r)
{
    for (size_t v = 0; v < n_voxel; ++v) {
        double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
        for (size_t t = 0; t < n_row; ++t) {
            mx += x[t * n_voxel + v] / (double)n_row;
            my += y[t * n_voxel + v] / (double)n_row;
        }
        for (size_t t = 0; t < n_row; ++t) {
            const double dx = x[t * n_voxel + v] - mx, dy = y[t * n_voxel + v] - my;
            xx += dx * dx;
            yy += dy * dy;
            xy += dx * dy;
        }
        r[v] = xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
    }
}
