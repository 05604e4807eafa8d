/* What a sound carries besides speech: its spectral envelope in mel bands and its broadband envelope, in equal bins of
 * time. Bin b holds the samples of [b bin, (b + 1) bin) seconds; samples behind the last whole bin are left out. */
#ifndef BT_STIMULUS_ENVELOPE_H
#define BT_STIMULUS_ENVELOPE_H

#include "base/status.h"

#include <stddef.h>

typedef struct {
    size_t n_band;    /* 8 */
    double low, high; /* Hz: edges of the lowest and the highest band, 80 .. 7600 */
    double frame;     /* s: length of the Hann window, 0.032 */
    double hop;       /* s: 0.010 */
    double floor_db;  /* values stop this far below the sound's loudest, 50 */
} bt_bands;

bt_bands bt_bands_default(void);

/* Whole bins of `bin` seconds. */
size_t bt_bin_count(size_t n_sample, double rate, double bin);
/* times (n_bin): the middles of the bins, seconds. */
void bt_bin_times(size_t n_bin, double bin, double *times);

/* envelope (n_bin): root mean square amplitude of each bin. */
void bt_envelope(const float *samples, size_t n_sample, double rate, double bin, size_t n_bin, double *envelope);

/* spectrum (n_bin, n_band): mean over the bin of 10 log10 of the power in triangular mel bands (O'Shaughnessy's mel,
 * 2595 log10(1 + f / 700)) of Hann-windowed frames; a frame belongs to the bin that holds its middle, and is padded
 * with zeros at the ends of the sound. A silent sound is 0 throughout. Errors, BT_ERR_INPUT: bands beyond half the
 * rate, or too narrow for the frame. */
bt_status bt_spectrum(const float *samples, size_t n_sample, double rate, const bt_bands *bands, double bin,
                      size_t n_bin, double *spectrum) BT_MUST_CHECK;

#endif
