/* Simulated voxels: a weight for each driver, a signal-to-noise ratio, and responses with autocorrelated noise. Every
 * voxel has random streams of its own, so that nothing here depends on ranks, on block sizes or on the order of work.
 */
#ifndef BT_SIMULATE_VOXELS_H
#define BT_SIMULATE_VOXELS_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Labels in derivative/rois; voxels lie in this order. */
typedef enum { BT_ROI_AUDITORY = 1, BT_ROI_LANGUAGE, BT_ROI_MIXED, BT_ROI_NULL } bt_roi;
enum { BT_ROIS = 4 };
const char *bt_roi_name(bt_roi roi); /* "primary_auditory", "language", "mixed", "null" */

typedef struct {
    size_t n_voxel[BT_ROIS]; /* of each ROI */
    double snr[BT_ROIS][2]; /* lowest and highest ratio of signal to noise variance in one presentation; null: unused */
    double mixed_share;     /* of the mixed voxels' signal variance: what the language part has */
    double autocorrelation; /* of the noise from one TR to the next */
    size_t n_band, n_category;
} bt_voxel_options;

typedef struct {
    size_t n_voxel, n_driver;
    int32_t *roi;    /* (n_voxel) */
    double *snr;     /* (n_voxel); 0 where there is no signal */
    double *weights; /* (n_driver, n_voxel), of drivers as stored */
} bt_voxels;

/* Covariance (n_driver, n_driver) of the drivers over all rows of all stories: it sets the scale, such that the
 * signal's variance over all stories is snr / (1 + snr) and one presentation's expected variance is 1. Weights are
 * normal before. */
bt_status bt_voxels_draw(const bt_voxel_options *options, const double *covariance, uint64_t seed, const char *subject,
                         bt_voxels *out) BT_MUST_CHECK;
void bt_voxels_clear(bt_voxels *voxels);

/* c (d, d) += sum over rows of x'x, for drivers of mean 0. */
void bt_voxels_add_products(size_t n_row, size_t d, const double *x, double *c);

/* signal (n_row, n_voxel) = drivers (n_row, n_driver) weights. */
void bt_voxels_signal(const bt_voxels *voxels, const double *drivers, size_t n_row, double *signal);

/* One presentation: noise (n_row, n_voxel) of expected sample variance 1 / (1 + snr) and mean 0, stationary first-order
 * autoregressive before the mean is taken out. `what` names subject and story. */
bt_status bt_voxels_noise(const bt_voxels *voxels, double autocorrelation, uint64_t seed, const char *what,
                          size_t repeat, size_t n_row, double *noise) BT_MUST_CHECK;

/* cc_max (n_voxel) of Schoppe et al. 2016, the truth: sqrt(s / (s + v / n_repeat)), s the sample variance of the signal
 * on these rows, v the noise's expected variance; 0 where there is no signal. It is the correlation to expect between
 * signal and mean of repeats. */
void bt_voxels_ceiling(const bt_voxels *voxels, const double *signal, size_t n_row, size_t n_repeat, double *cc_max);

/* r (n_voxel): correlation of x and y (n_row, n_voxel) over rows; 0 where one of them is constant. */
void bt_voxels_correlate(const double *x, const double *y, size_t n_row, size_t n_voxel, double *r);

#endif
