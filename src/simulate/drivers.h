/* What drives simulated voxels: spectral bands of the sound and the categories of its words, through a haemodynamic
 * response, at the times and rows of stored responses. float64. */
#ifndef BT_SIMULATE_DRIVERS_H
#define BT_SIMULATE_DRIVERS_H

#include "base/settings.h"
#include "base/status.h"
#include "simulate/story.h"
#include "stimulus/timing.h"

#include <stddef.h>

/* A difference of two gamma densities (Friston et al. 1998; SPM's canonical form): g(t; delay) - g(t; undershoot) /
 * ratio, g of unit dispersion, zero outside [0, length) seconds. */
typedef struct {
    double delay, undershoot; /* shapes: 6 and 16 give a peak at 5 s */
    double ratio;             /* of peak to undershoot, 6 */
    double length;            /* s, 32 */
} bt_hrf;

double bt_hrf_at(const bt_hrf *hrf, double t);

typedef struct {
    double tr, sound_start; /* s */
    bt_hrf hrf;
    size_t n_band, n_category;
    bt_ints delays; /* of the controls, TRs; borrowed */
} bt_driver_options;

/* Triggers of a story whose sound lasts `seconds`: all volumes end before the sound does. Scanner TRs are
 * BT_SCANNER_EXTRA more, stored rows BT_ROWS_CUT fewer. */
enum { BT_SCANNER_EXTRA = BT_PAD_TRS, BT_ROWS_CUT = BT_TRIM_START + BT_TRIM_END };
size_t bt_trigger_count(double seconds, double tr, double sound_start);

/* Drivers (n_row, n_band + n_category) of a story, n_row = n_trigger - BT_ROWS_CUT, each with mean 0:
 * - bands: dB above the sound's floor in mel bands (stimulus/envelope.h), convolved in bins of 0.1 s;
 * - categories: every word is an impulse at its middle; then made orthogonal to a constant and to the controls.
 * Controls are the broadband envelope and the word rate, read back from the story's own files as the stage lowlevel
 * reads them: bins of 0.1 s, Lanczos to TR times, cut, z-scored, delayed with zeros entering. */
bt_status bt_story_drivers(const bt_driver_options *options, const bt_told *told, const char *audio,
                           const char *textgrid, size_t n_trigger, double *drivers) BT_MUST_CHECK;

/* Controls (n_row, 2 n_delay + 1): envelope and word rate for each delay, then the constant. */
bt_status bt_story_controls(const bt_driver_options *options, const char *audio, const char *textgrid, size_t n_trigger,
                            double *controls) BT_MUST_CHECK;

/* Columns of x (n, d) with their parts along the columns of `basis` (n, k) removed; `basis` is made orthonormal
 * (columns without a part of their own become 0). Gram-Schmidt, each projection twice. */
void bt_make_orthogonal(size_t n, size_t k, double *basis, size_t d, size_t stride, double *x);

#endif
