#include "simulate/drivers.h"

#include "base/memory.h"
#include "io/audio.h"
#include "stimulus/envelope.h"
#include "stimulus/timing.h"

#include <math.h>
#include <string.h>

static const double BIN = 0.1; /* s */

static double gamma_density(double t, double shape)
{
    return exp((shape - 1) * log(t) - t - lgamma(shape));
}

double bt_hrf_at(const bt_hrf *hrf, double t)
{
    if (t <= 0 || t >= hrf->length) return 0;
    return gamma_density(t, hrf->delay) - gamma_density(t, hrf->undershoot) / hrf->ratio;
}

size_t bt_trigger_count(double seconds, double tr, double sound_start)
{
    return (size_t)floor((sound_start + seconds) / tr + 1e-9);
}

/* Adds a response to every word of a category, at each row's time, into that category's column. */
static void drive_by_words(const bt_driver_options *options, const bt_told *told, size_t n_row, const double *times,
                           double *drivers)
{
    const size_t n_driver = options->n_band + options->n_category;
    for (size_t w = 0; w < told->n_word; ++w) {
        const bt_told_word *const word = &told->words[w];
        if (word->category < 0) continue;
        const double middle = (word->start + word->end) / 2;
        double *const column = drivers + options->n_band + (size_t)word->category;
        for (size_t i = 0; i < n_row; ++i) column[i * n_driver] += bt_hrf_at(&options->hrf, times[i] - middle);
    }
}

static double smallest(const double *values, size_t n)
{
    double least = values[0];
    for (size_t i = 1; i < n; ++i) least = fmin(least, values[i]);
    return least;
}

static bt_status drive_by_bands(const bt_driver_options *options, const bt_told *told, size_t n_row,
                                const double *times, double *drivers)
{
    bt_status status = BT_OK;
    const size_t n_driver = options->n_band + options->n_category;
    const size_t n_bin = bt_bin_count(told->n_sample, told->rate, BIN);
    bt_bands bands = bt_bands_default();
    double *spectrum = NULL, *bins = NULL;
    bands.n_band = options->n_band;
    bands.high = fmin(bands.high, told->rate / 2.0);
    BT_ALLOC(bins, n_bin);
    BT_ALLOC(spectrum, n_bin * bands.n_band);
    BT_TRY(bt_spectrum(told->samples, told->n_sample, told->rate, &bands, BIN, n_bin, spectrum));
    bt_bin_times(n_bin, BIN, bins);
    const double floor_db = smallest(spectrum, n_bin * bands.n_band);
    for (size_t i = 0; i < n_row; ++i) {
        for (size_t b = 0; b < n_bin; ++b) {
            const double h = BIN * bt_hrf_at(&options->hrf, times[i] - bins[b]);
            if (h == 0) continue;
            for (size_t k = 0; k < bands.n_band; ++k)
                drivers[i * n_driver + k] += h * (spectrum[b * bands.n_band + k] - floor_db);
        }
    }
cleanup:
    bt_free(bins);
    bt_free(spectrum);
    return status;
}

static void centre_columns(size_t n, size_t d, double *x)
{
    for (size_t j = 0; j < d; ++j) {
        double mean = 0;
        for (size_t i = 0; i < n; ++i) mean += x[i * d + j] / (double)n;
        for (size_t i = 0; i < n; ++i) x[i * d + j] -= mean;
    }
}

bt_status bt_story_drivers(const bt_driver_options *options, const bt_told *told, const char *audio,
                           const char *textgrid, size_t n_trigger, double *drivers)
{
    bt_status status = BT_OK;
    const size_t n_row = n_trigger - BT_ROWS_CUT, n_driver = options->n_band + options->n_category;
    const size_t n_control = 2 * options->delays.n + 1;
    double *times = NULL, *controls = NULL;
    BT_ALLOC(times, n_trigger);
    BT_ALLOC(controls, n_row * n_control);
    bt_tr_times(n_trigger, options->tr, options->sound_start, 1, times);
    memset(drivers, 0, n_row * n_driver * sizeof *drivers);
    BT_TRY(drive_by_bands(options, told, n_row, times + BT_TRIM_START, drivers));
    drive_by_words(options, told, n_row, times + BT_TRIM_START, drivers);
    centre_columns(n_row, n_driver, drivers);
    BT_TRY(bt_story_controls(options, audio, textgrid, n_trigger, controls));
    bt_make_orthogonal(n_row, n_control, controls, options->n_category, n_driver, drivers + options->n_band);
cleanup:
    bt_free(times);
    bt_free(controls);
    return status;
}
