#include "stimulus/envelope.h"

#include "base/memory.h"

#include <kiss_fftr.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

static const double PI = 3.14159265358979323846;
static const double SLACK = 1e-6; /* samples: what seconds times hertz may lose */

bt_bands bt_bands_default(void)
{
    return (bt_bands){.n_band = 8, .low = 80, .high = 7600, .frame = 0.032, .hop = 0.010, .floor_db = 50};
}

size_t bt_bin_count(size_t n_sample, double rate, double bin)
{
    return (size_t)floor(((double)n_sample + SLACK) / (bin * rate));
}

void bt_bin_times(size_t n_bin, double bin, double *times)
{
    for (size_t b = 0; b < n_bin; ++b) times[b] = bin * ((double)b + 0.5);
}

void bt_envelope(const float *samples, size_t n_sample, double rate, double bin, size_t n_bin, double *envelope)
{
    for (size_t b = 0; b < n_bin; ++b) {
        const size_t low = (size_t)floor(bin * (double)b * rate + SLACK);
        size_t high = (size_t)floor(bin * (double)(b + 1) * rate + SLACK);
        if (high > n_sample) high = n_sample;
        double sum = 0;
        for (size_t i = low; i < high; ++i) sum += (double)samples[i] * samples[i];
        envelope[b] = high > low ? sqrt(sum / (double)(high - low)) : 0;
    }
}

static double mel(double hertz)
{
    return 2595 * log10(1 + hertz / 700);
}

static double hertz_of(double mels)
{
    return 700 * (pow(10, mels / 2595) - 1);
}

/* Everything that one sound needs: transform, window, filters, and the frame in work. */
typedef struct {
    size_t n_frame; /* samples of a frame, even */
    size_t n_bin;   /* of its spectrum: n_frame / 2 + 1 */
    size_t n_band;
    double *window;  /* (n_frame) */
    double *filters; /* (n_band, n_bin) */
    float *frame;    /* (n_frame) */
    kiss_fft_cpx *spectrum;
    void *plan_memory;
    kiss_fftr_cfg plan;
} analyser;

/* filters[band][i]: triangles whose corners are equally spaced in mel. */
static bt_status make_filters(analyser *a, double rate, const bt_bands *bands)
{
    const double low = mel(bands->low), step = (mel(bands->high) - low) / (double)(a->n_band + 1);
    for (size_t band = 0; band < a->n_band; ++band) {
        const double left = hertz_of(low + step * (double)band), top = hertz_of(low + step * (double)(band + 1)),
                     right = hertz_of(low + step * (double)(band + 2));
        double sum = 0;
        for (size_t i = 0; i < a->n_bin; ++i) {
            const double f = (double)i * rate / (double)a->n_frame;
            const double rise = (f - left) / (top - left), fall = (right - f) / (right - top);
            const double height = fmax(0, fmin(rise, fall));
            a->filters[band * a->n_bin + i] = height;
            sum += height;
        }
        if (!(sum > 0))
            return bt_fail(
                BT_ERR_INPUT,
                "spectral envelope: band %zu (%.0f to %.0f Hz) holds no line of a frame of %zu samples at %g Hz; "
                "use fewer bands or longer frames",
                band, left, right, a->n_frame, rate);
    }
    return BT_OK;
}

static void analyser_clear(analyser *a)
{
    bt_free(a->window);
    bt_free(a->filters);
    bt_free(a->frame);
    bt_free(a->spectrum);
    bt_free(a->plan_memory);
    *a = (analyser){0};
}

static bt_status analyser_start(analyser *a, double rate, const bt_bands *bands)
{
    bt_status status = BT_OK;
    size_t plan_size = 0;
    char *plan_memory = NULL;
    a->n_frame = 2 * (size_t)floor(bands->frame * rate / 2 + SLACK);
    a->n_bin = a->n_frame / 2 + 1;
    a->n_band = bands->n_band;
    BT_CHECK(bands->n_band > 0 && bands->low >= 0 && bands->low < bands->high && bands->high <= rate / 2 &&
                 a->n_frame >= 2 && bands->hop * rate >= 1,
             BT_ERR_INPUT, "spectral envelope: expected bands between 0 and %g Hz, found %zu bands from %g to %g Hz",
             rate / 2, bands->n_band, bands->low, bands->high);
    BT_ALLOC(a->window, a->n_frame);
    BT_ALLOC(a->filters, a->n_band * a->n_bin);
    BT_ALLOC(a->frame, a->n_frame);
    BT_ALLOC(a->spectrum, a->n_bin);
    (void)kiss_fftr_alloc((int)a->n_frame, 0, NULL, &plan_size);
    BT_ALLOC(plan_memory, plan_size);
    a->plan_memory = plan_memory;
    a->plan = kiss_fftr_alloc((int)a->n_frame, 0, plan_memory, &plan_size);
    BT_CHECK(a->plan, BT_ERR_INTERNAL, "spectral envelope: KissFFT refused a frame of %zu samples", a->n_frame);
    for (size_t i = 0; i < a->n_frame; ++i)
        a->window[i] = 0.5 - 0.5 * cos(2 * PI * ((double)i + 0.5) / (double)a->n_frame);
    BT_TRY(make_filters(a, rate, bands));
cleanup:
    return status;
}

/* Power in each band of the frame whose middle is sample `middle`. */
static void band_powers(analyser *a, const float *samples, size_t n_sample, size_t middle, double *powers)
{
    const size_t half = a->n_frame / 2;
    for (size_t i = 0; i < a->n_frame; ++i) {
        const bool inside = middle + i >= half && middle + i - half < n_sample;
        a->frame[i] = inside ? (float)(a->window[i] * samples[middle + i - half]) : 0;
    }
    kiss_fftr(a->plan, a->frame, a->spectrum);
    for (size_t band = 0; band < a->n_band; ++band) {
        double power = 0;
        for (size_t i = 0; i < a->n_bin; ++i) {
            const double re = a->spectrum[i].r, im = a->spectrum[i].i;
            power += a->filters[band * a->n_bin + i] * (re * re + im * im);
        }
        powers[band] = power;
    }
}

/* Decibels with a floor below the loudest of all, averaged over each bin's frames. */
static void average_bins(double *powers, size_t n_frame, const bt_bands *bands, double rate, double bin, size_t n_bin,
                         double *spectrum)
{
    double loudest = 0;
    for (size_t i = 0; i < n_frame * bands->n_band; ++i) loudest = fmax(loudest, powers[i]);
    const double floor_power = loudest * pow(10, -bands->floor_db / 10);
    memset(spectrum, 0, n_bin * bands->n_band * sizeof *spectrum);
    if (!(loudest > 0)) return;
    for (size_t b = 0; b < n_bin; ++b) {
        size_t n = 0;
        for (size_t f = (size_t)ceil((double)b * bin / bands->hop - SLACK); f < n_frame; ++f, ++n) {
            if (floor((double)f * bands->hop * rate + SLACK) >= floor((double)(b + 1) * bin * rate + SLACK)) break;
            for (size_t band = 0; band < bands->n_band; ++band)
                spectrum[b * bands->n_band + band] += 10 * log10(fmax(powers[f * bands->n_band + band], floor_power));
        }
        for (size_t band = 0; band < bands->n_band && n > 0; ++band) spectrum[b * bands->n_band + band] /= (double)n;
    }
}

bt_status bt_spectrum(const float *samples, size_t n_sample, double rate, const bt_bands *bands, double bin,
                      size_t n_bin, double *spectrum)
{
    bt_status status = BT_OK;
    analyser a = {0};
    double *powers = NULL;
    const size_t n_frame = n_sample ? (size_t)floor(((double)n_sample - 1 + SLACK) / (bands->hop * rate)) + 1 : 0;
    BT_CHECK(bin >= bands->hop, BT_ERR_INPUT, "spectral envelope: bins of %g s are shorter than the hop of %g s", bin,
             bands->hop);
    BT_TRY(analyser_start(&a, rate, bands));
    BT_ALLOC(powers, n_frame * bands->n_band);
    for (size_t f = 0; f < n_frame; ++f)
        band_powers(&a, samples, n_sample, (size_t)floor((double)f * bands->hop * rate + SLACK),
                    powers + f * bands->n_band);
    average_bins(powers, n_frame, bands, rate, bin, n_bin, spectrum);
cleanup:
    analyser_clear(&a);
    bt_free(powers);
    return status;
}
