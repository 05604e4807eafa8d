#include "simulate/drivers.h"

#include "base/memory.h"
#include "io/audio.h"
#include "io/textgrid.h"
#include "stimulus/envelope.h"
#include "stimulus/timing.h"
#include "stimulus/words.h"

#include <math.h>
#include <string.h>

static const double BIN = 0.1; /* s */
enum { ENVELOPE = 0, WORD_RATE = 1, CONTROLS = 2 };

/* *bins (n_bin, CONTROLS) of the story's files. */
static bt_status read_bins(const char *audio, const char *textgrid, double **bins, size_t *n_bin)
{
    bt_status status = BT_OK;
    float *samples = NULL;
    double *column = NULL;
    size_t n_sample = 0;
    int rate = 0;
    bt_textgrid grid = {0};
    const bt_tier *words = NULL;
    BT_TRY(bt_audio_read(audio, BT_SAMPLE_RATE, &samples, &n_sample, &rate));
    *n_bin = bt_bin_count(n_sample, BT_SAMPLE_RATE, BIN);
    BT_ALLOC(*bins, *n_bin * CONTROLS);
    BT_ALLOC(column, *n_bin);
    bt_envelope(samples, n_sample, BT_SAMPLE_RATE, BIN, *n_bin, column);
    for (size_t b = 0; b < *n_bin; ++b) (*bins)[b * CONTROLS + ENVELOPE] = column[b];
    BT_TRY(bt_textgrid_read(textgrid, &grid));
    BT_TRY(bt_word_tier(&grid, textgrid, &words));
    BT_TRY(bt_word_counts(words, textgrid, BIN, *n_bin, column));
    for (size_t b = 0; b < *n_bin; ++b) (*bins)[b * CONTROLS + WORD_RATE] = column[b];
cleanup:
    bt_textgrid_clear(&grid);
    bt_free(column);
    bt_free(samples);
    return status;
}

/* Mean 0, variance 1 (ddof 0); a constant column becomes 0. */
static void standardise(size_t n, size_t d, double *x)
{
    for (size_t j = 0; j < d; ++j) {
        double mean = 0, square = 0;
        for (size_t i = 0; i < n; ++i) mean += x[i * d + j] / (double)n;
        for (size_t i = 0; i < n; ++i) square += pow(x[i * d + j] - mean, 2) / (double)n;
        const double scale = square > 0 ? 1 / sqrt(square) : 0;
        for (size_t i = 0; i < n; ++i) x[i * d + j] = (x[i * d + j] - mean) * scale;
    }
}

static void delay_columns(const bt_ints *delays, size_t n_row, const double *rows, double *controls)
{
    const size_t n_control = CONTROLS * delays->n + 1;
    for (size_t i = 0; i < n_row; ++i) {
        double *const out = controls + i * n_control;
        for (size_t k = 0; k < delays->n; ++k) {
            const size_t delay = (size_t)delays->v[k];
            for (size_t c = 0; c < CONTROLS; ++c)
                out[k * CONTROLS + c] = i >= delay ? rows[(i - delay) * CONTROLS + c] : 0;
        }
        out[n_control - 1] = 1;
    }
}

bt_status bt_story_controls(const bt_driver_options *options, const char *audio, const char *textgrid, size_t n_trigger,
                            double *controls)
{
    bt_status status = BT_OK;
    double *bins = NULL, *bin_times = NULL, *times = NULL, *at_trs = NULL;
    size_t n_bin = 0;
    const size_t n_row = n_trigger - BT_ROWS_CUT;
    BT_TRY(read_bins(audio, textgrid, &bins, &n_bin));
    BT_ALLOC(bin_times, n_bin);
    BT_ALLOC(times, n_trigger);
    BT_ALLOC(at_trs, n_trigger * CONTROLS);
    bt_bin_times(n_bin, BIN, bin_times);
    bt_tr_times(n_trigger, options->tr, options->sound_start, 1, times);
    BT_TRY(bt_lanczos_resample(bin_times, n_bin, bins, CONTROLS, times, n_trigger, BT_LANCZOS_LOBES, at_trs));
    double *const rows = at_trs + BT_TRIM_START * CONTROLS;
    standardise(n_row, CONTROLS, rows);
    delay_columns(&options->delays, n_row, rows, controls);
cleanup:
    bt_free(bins);
    bt_free(bin_times);
    bt_free(times);
    bt_free(at_trs);
    return status;
}

static double dot(size_t n, const double *a, size_t stride_a, const double *b, size_t stride_b)
{
    double sum = 0;
    for (size_t i = 0; i < n; ++i) sum += a[i * stride_a] * b[i * stride_b];
    return sum;
}

/* y -= q (q'y), with q of unit length. */
static void remove_part(size_t n, const double *q, size_t stride_q, double *y, size_t stride_y)
{
    const double part = dot(n, q, stride_q, y, stride_y);
    for (size_t i = 0; i < n; ++i) y[i * stride_y] -= part * q[i * stride_q];
}

void bt_make_orthogonal(size_t n, size_t k, double *basis, size_t d, size_t stride, double *x)
{
    for (size_t j = 0; j < k; ++j) {
        double *const column = basis + j;
        const double before = sqrt(dot(n, column, k, column, k));
        for (size_t pass = 0; pass < 2; ++pass)
            for (size_t i = 0; i < j; ++i) remove_part(n, basis + i, k, column, k);
        const double length = sqrt(dot(n, column, k, column, k));
        const double scale = length > 1e-10 * before ? 1 / length : 0;
        for (size_t i = 0; i < n; ++i) column[i * k] *= scale;
    }
    for (size_t c = 0; c < d; ++c)
        for (size_t pass = 0; pass < 2; ++pass)
            for (size_t j = 0; j < k; ++j) remove_part(n, basis + j, k, x + c, stride);
}
