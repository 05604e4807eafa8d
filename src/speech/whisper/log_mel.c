#include "speech/whisper/log_mel.h"

#include "base/memory.h"

#include <math.h>

enum { BINS = BT_LOG_MEL_WINDOW / 2 + 1, FRAMES_AT_A_TIME = 256 };

static const double pi = 3.14159265358979323846, lowest_power = 1e-10, lowest_log = -10, range = 8;
static const double highest_frequency = 8000; /* Hz */

struct bt_log_mel {
    size_t n_band;
    bt_device *device;
    bt_buffer *transform; /* (2 BINS, BT_LOG_MEL_WINDOW): cosines, then sines, times the window */
    bt_buffer *bands;     /* (n_band, BINS) */
    bt_buffer *frames;    /* (FRAMES_AT_A_TIME, BT_LOG_MEL_WINDOW) */
    bt_buffer *spectra;   /* (FRAMES_AT_A_TIME, 2 BINS) */
    bt_buffer *powers;    /* (FRAMES_AT_A_TIME, BINS) */
    bt_buffer *energies;  /* (FRAMES_AT_A_TIME, n_band) */
    double *host;         /* (FRAMES_AT_A_TIME, 2 BINS) */
};

/* --- tables ----------------------------------------------------------------------------------------------------------
 */

/* Slaney's scale: linear up to 1000 Hz, which is 15 mel, then 27 mel for a factor of 6.4. */
static double hertz_of(double mel)
{
    return mel < 15 ? mel * 200 / 3 : 1000 * exp((mel - 15) * log(6.4) / 27);
}

static double mel_of(double hertz)
{
    return hertz < 1000 ? hertz * 3 / 200 : 15 + log(hertz / 1000) * 27 / log(6.4);
}

/* A periodic Hann window times exp(-2 pi i k t / window). */
static bt_status make_transform(bt_log_mel *m)
{
    bt_status status = BT_OK;
    double *values = NULL;
    const size_t n = BT_LOG_MEL_WINDOW;
    BT_ALLOC(values, 2 * BINS * n);
    for (size_t k = 0; k < BINS; ++k)
        for (size_t t = 0; t < n; ++t) {
            const double window = 0.5 - 0.5 * cos(2 * pi * (double)t / (double)n);
            const double angle = 2 * pi * (double)(k * t % n) / (double)n;
            values[k * n + t] = window * cos(angle);
            values[(BINS + k) * n + t] = window * sin(angle);
        }
    BT_TRY(bt_buffer_create(m->device, BT_F64, 2 * BINS * n, &m->transform));
    BT_TRY(bt_buffer_write(m->transform, 0, values, 2 * BINS * n));
cleanup:
    bt_free(values);
    return status;
}

/* Triangles between the centres of the neighbouring bands, of area 1 in hertz. */
static bt_status make_bands(bt_log_mel *m, int rate)
{
    bt_status status = BT_OK;
    double *values = NULL;
    const double step = mel_of(highest_frequency) / (double)(m->n_band + 1), width = rate / 2 / (double)(BINS - 1);
    BT_ALLOC(values, m->n_band * BINS);
    for (size_t b = 0; b < m->n_band; ++b) {
        const double low = hertz_of((double)b * step), centre = hertz_of((double)(b + 1) * step);
        const double high = hertz_of((double)(b + 2) * step);
        for (size_t k = 0; k < BINS; ++k) {
            const double f = (double)k * width;
            const double weight = fmin((f - low) / (centre - low), (high - f) / (high - centre));
            values[b * BINS + k] = fmax(weight, 0) * 2 / (high - low);
        }
    }
    BT_TRY(bt_buffer_create(m->device, BT_F64, m->n_band * BINS, &m->bands));
    BT_TRY(bt_buffer_write(m->bands, 0, values, m->n_band * BINS));
cleanup:
    bt_free(values);
    return status;
}

/* --- life ------------------------------------------------------------------------------------------------------------
 */

bt_status bt_log_mel_create(bt_device *device, size_t n_band, int rate, bt_log_mel **out)
{
    bt_status status = BT_OK;
    bt_log_mel *m = NULL;
    const size_t n = FRAMES_AT_A_TIME;
    *out = NULL;
    BT_ALLOC(m, 1);
    m->device = device;
    m->n_band = n_band;
    BT_TRY(make_transform(m));
    BT_TRY(make_bands(m, rate));
    BT_TRY(bt_buffer_create(device, BT_F64, n * BT_LOG_MEL_WINDOW, &m->frames));
    BT_TRY(bt_buffer_create(device, BT_F64, n * 2 * BINS, &m->spectra));
    BT_TRY(bt_buffer_create(device, BT_F64, n * BINS, &m->powers));
    BT_TRY(bt_buffer_create(device, BT_F64, n * n_band, &m->energies));
    BT_ALLOC(m->host, n * (2 * BINS > n_band ? 2 * BINS : n_band));
    *out = m;
    m = NULL;
cleanup:
    bt_log_mel_destroy(&m);
    return status;
}

void bt_log_mel_destroy(bt_log_mel **log_mel)
{
    bt_log_mel *const m = *log_mel;
    if (!m) return;
    bt_buffer_destroy(&m->transform);
    bt_buffer_destroy(&m->bands);
    bt_buffer_destroy(&m->frames);
    bt_buffer_destroy(&m->spectra);
    bt_buffer_destroy(&m->powers);
    bt_buffer_destroy(&m->energies);
    bt_free(m->host);
    bt_free(m);
    *log_mel = NULL;
}

/* --- frames ----------------------------------------------------------------------------------------------------------
 */

/* Sample `at` of a sound that is filled with silence to n_whole and mirrored before and behind that. */
static double sample_at(const float *samples, size_t n, size_t n_whole, ptrdiff_t at)
{
    const ptrdiff_t last = (ptrdiff_t)n_whole - 1;
    const ptrdiff_t mirrored = at < 0 ? -at : at > last ? 2 * last - at : at;
    return mirrored >= 0 && mirrored < (ptrdiff_t)n ? (double)samples[mirrored] : 0;
}

/* Frames first .. first + n: samples from half a window before each hop on. */
static bt_status cut_frames(bt_log_mel *m, const float *samples, size_t n_sample, size_t n_whole, size_t first,
                            size_t n)
{
    double *const out = m->host;
    for (size_t f = 0; f < n; ++f) {
        const ptrdiff_t begin = (ptrdiff_t)((first + f) * BT_LOG_MEL_HOP) - BT_LOG_MEL_WINDOW / 2;
        for (size_t t = 0; t < BT_LOG_MEL_WINDOW; ++t)
            out[f * BT_LOG_MEL_WINDOW + t] = sample_at(samples, n_sample, n_whole, begin + (ptrdiff_t)t);
    }
    return bt_buffer_write(m->frames, 0, out, n * BT_LOG_MEL_WINDOW);
}

static bt_matrix rows_of(bt_buffer *buffer, size_t rows, size_t columns)
{
    return bt_matrix_of(buffer, rows, columns);
}

/* log10 of the bands' energies, n frames of m->frames. */
static bt_status logs_of(bt_log_mel *m, size_t n, float *out, double *largest)
{
    bt_status status = BT_OK;
    double *const host = m->host;
    const bt_matrix spectra = rows_of(m->spectra, n, 2 * BINS), energies = rows_of(m->energies, n, m->n_band);
    BT_TRY(bt_product(m->device, BT_PLAIN, BT_TRANSPOSED, 1, rows_of(m->frames, n, BT_LOG_MEL_WINDOW),
                      rows_of(m->transform, 2 * BINS, BT_LOG_MEL_WINDOW), 0, spectra));
    BT_TRY(bt_buffer_read(m->spectra, 0, host, n * 2 * BINS));
    for (size_t f = 0; f < n; ++f) /* row f of the powers ends before row f + 1 of the spectra begins */
        for (size_t k = 0; k < BINS; ++k) {
            const double re = host[f * 2 * BINS + k], im = host[f * 2 * BINS + BINS + k];
            host[f * BINS + k] = re * re + im * im;
        }
    BT_TRY(bt_buffer_write(m->powers, 0, host, n * BINS));
    BT_TRY(bt_product(m->device, BT_PLAIN, BT_TRANSPOSED, 1, rows_of(m->powers, n, BINS),
                      rows_of(m->bands, m->n_band, BINS), 0, energies));
    BT_TRY(bt_buffer_read(m->energies, 0, host, n * m->n_band));
    for (size_t i = 0; i < n * m->n_band; ++i) {
        const double value = log10(fmax(host[i], lowest_power));
        *largest = fmax(*largest, value);
        out[i] = (float)value;
    }
cleanup:
    return status;
}

/* Frames that no sample of the sound reaches are silence; the largest value is sought among all. */
bt_status bt_log_mel_apply(bt_log_mel *m, const float *samples, size_t n, size_t n_whole, size_t n_frame, float *out)
{
    bt_status status = BT_OK;
    float *logs = NULL;
    double largest = lowest_log;
    const size_t all = n_whole / BT_LOG_MEL_HOP, end = (n + BT_LOG_MEL_WINDOW / 2) / BT_LOG_MEL_HOP + 1;
    const size_t touched = end < all ? end : all;
    BT_CHECK(n <= n_whole && n_frame <= all, BT_ERR_INTERNAL, "log-mel: %zu frames of %zu samples in %zu", n_frame, n,
             n_whole);
    BT_ALLOC(logs, touched * m->n_band);
    for (size_t first = 0; first < touched; first += FRAMES_AT_A_TIME) {
        const size_t count = touched - first < FRAMES_AT_A_TIME ? touched - first : FRAMES_AT_A_TIME;
        BT_TRY(cut_frames(m, samples, n, n_whole, first, count));
        BT_TRY(logs_of(m, count, logs + first * m->n_band, &largest));
    }
    for (size_t i = 0; i < n_frame * m->n_band; ++i) {
        const double value = i < touched * m->n_band ? (double)logs[i] : lowest_log;
        out[i] = (float)((fmax(value, largest - range) + 4) / 4);
    }
cleanup:
    bt_free(logs);
    return status;
}
