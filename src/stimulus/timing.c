#include "stimulus/timing.h"

#include <math.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

/* Seconds times hertz carries an error of a few 1e-9 samples; a boundary that is meant to be whole must not fall below.
 */
static const double SAMPLE_SLACK = 1e-6;

void bt_tr_times(size_t n, double tr, double sound_start, int middle, double *times)
{
    for (size_t k = 0; k < n; ++k) times[k] = (double)k * tr - sound_start + (middle ? tr / 2 : 0);
}

size_t bt_window_count(size_t n_sample, double rate, double stride)
{
    return (size_t)floor(((double)n_sample + SAMPLE_SLACK) / (stride * rate));
}

double bt_window_end(size_t j, double stride)
{
    return stride * (double)(j + 1);
}

void bt_window_samples(size_t j, double rate, double context, double stride, size_t *low, size_t *high)
{
    const double end = bt_window_end(j, stride), start = end - context - stride;
    *high = (size_t)floor(end * rate + SAMPLE_SLACK);
    *low = start > 0 ? (size_t)floor(start * rate + SAMPLE_SLACK) : 0;
}

double bt_lanczos(double t_out, double t_in, double cutoff, int lobes)
{
    const double x = (t_out - t_in) * cutoff;
    if (x == 0) return 1;
    if (fabs(x) > lobes) return 0;
    return lobes * sin(PI * x) * sin(PI * x / lobes) / (PI * PI * x * x);
}

bt_status bt_lanczos_cutoff(const double *out_times, size_t n_out, double *cutoff)
{
    if (n_out < 2)
        return bt_fail(BT_ERR_INPUT, "resampling: expected at least 2 TR times, found %zu; give more TRs", n_out);
    const double span = out_times[n_out - 1] - out_times[0];
    if (!(span > 0) || !isfinite(span))
        return bt_fail(BT_ERR_INPUT, "resampling: TR times must ascend; found %g s first and %g s last", out_times[0],
                       out_times[n_out - 1]);
    *cutoff = (double)(n_out - 1) / span;
    return BT_OK;
}

void bt_lanczos_reach(const double *out_times, size_t n_out, double t_in, double cutoff, int lobes, size_t *low,
                      size_t *high)
{
    const double reach = lobes / cutoff;
    size_t first = 0, last = n_out;
    while (first < last) { /* the first TR that is not too early */
        const size_t middle = first + (last - first) / 2;
        if (out_times[middle] < t_in - reach)
            first = middle + 1;
        else
            last = middle;
    }
    *low = first;
    while (last < n_out && out_times[last] <= t_in + reach) ++last;
    *high = last;
}

bt_status bt_lanczos_resample(const double *in_times, size_t n_in, const double *in, size_t d, const double *out_times,
                              size_t n_out, int lobes, double *out)
{
    double cutoff = 0;
    const bt_status status = bt_lanczos_cutoff(out_times, n_out, &cutoff);
    if (status != BT_OK) return status;
    memset(out, 0, n_out * d * sizeof *out);
    for (size_t j = 0; j < n_in; ++j) {
        size_t low, high;
        bt_lanczos_reach(out_times, n_out, in_times[j], cutoff, lobes, &low, &high);
        for (size_t k = low; k < high; ++k) {
            const double weight = bt_lanczos(out_times[k], in_times[j], cutoff, lobes);
            for (size_t c = 0; c < d; ++c) out[k * d + c] += weight * in[j * d + c];
        }
    }
    return BT_OK;
}
