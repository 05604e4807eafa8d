/* TR times, windows, Lanczos resampling (DESIGN 7, SCIENCE annex C). All float64. */
#ifndef BT_STIMULUS_TIMING_H
#define BT_STIMULUS_TIMING_H

#include "base/status.h"

#include <stddef.h>

enum { BT_LANCZOS_LOBES = 3, BT_TRIM_START = 10, BT_TRIM_END = 5, BT_PAD_TRS = 5, BT_SAMPLE_RATE = 16000 };

/* times[k] = k tr - sound_start + (middle ? tr / 2 : 0), k = 0..n-1, seconds from the start of the sound. */
void bt_tr_times(size_t n, double tr, double sound_start, int middle, double *times);

/* Number of windows of an audio of n_sample samples: ends e_j = stride (j + 1) <= length, in samples floor(e_j rate).
 */
size_t bt_window_count(size_t n_sample, double rate, double stride);
double bt_window_end(size_t j, double stride); /* seconds */
/* Samples [low, high) of window j: the context + stride seconds that end at e_j, cut at the start of the audio. */
void bt_window_samples(size_t j, double rate, double context, double stride, size_t *low, size_t *high);

/* Lanczos weight of an input at time `t_in` for an output at `t_out`: x = (t_out - t_in) * cutoff,
 * lobes sin(pi x) sin(pi x / lobes) / (pi x)^2, 1 at 0, 0 beyond |x| > lobes. */
double bt_lanczos(double t_out, double t_in, double cutoff, int lobes);
/* 1 / mean spacing of out_times (n_out >= 2, ascending; else BT_ERR_INPUT). */
bt_status bt_lanczos_cutoff(const double *out_times, size_t n_out, double *cutoff) BT_MUST_CHECK;
/* Outputs [low, high) that an input at t_in can reach: those within `lobes` lobes. */
void bt_lanczos_reach(const double *out_times, size_t n_out, double t_in, double cutoff, int lobes, size_t *low,
                      size_t *high);
/* out (n_out, d) = W in, in (n_in, d); cutoff = 1 / mean spacing of out_times; no renormalisation. */
bt_status bt_lanczos_resample(const double *in_times, size_t n_in, const double *in, size_t d, const double *out_times,
                              size_t n_out, int lobes, double *out) BT_MUST_CHECK;

#endif
