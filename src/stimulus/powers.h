/* Signal and total power of repeated responses, and the noise ceilings that they give. */
#ifndef BT_STIMULUS_POWERS_H
#define BT_STIMULUS_POWERS_H

#include "base/status.h"
#include "stimulus/responses.h"
#include "stimulus/story_rows.h"

#include <stddef.h>

/* Powers after Sahani & Linden 2003 and Schoppe et al. 2016 from repeats R_n of the same stimulus, n = 1..N:
 *     TP = mean_n var(R_n),  SP = (N var(mean_n R_n) - TP) / (N - 1),  variances over time with ddof 1. */
typedef struct {
    double signal, total;
    double variance; /* of the mean over repeats, ddof 1 */
} bt_power;

typedef enum {
    BT_TOTAL_POWER_DATA, /* TP from the repeats */
    BT_TOTAL_POWER_ONE   /* TP = 1, for responses that were z-scored (released code) */
} bt_total_power;

/* Accumulates one repeat after another: zero-initialise sum (n_row, n_voxel) and power (n_voxel). */
bt_status bt_power_add(const float *repeat, size_t n_row, size_t n_voxel, double *sum, bt_power *power) BT_MUST_CHECK;
/* After n_repeat >= 2 of them; sum becomes the mean over repeats. */
bt_status bt_power_finish(size_t n_repeat, size_t n_row, size_t n_voxel, bt_total_power rule, double *sum,
                          bt_power *power) BT_MUST_CHECK;

/* sqrt(SP / var(mean)): the correlation that a perfect model would have with the mean over repeats. NaN where SP is
 * not positive. Schoppe: 1 / sqrt(1 + NP / (N SP)). */
double bt_ceiling(bt_power power);

enum { BT_POWERS_BLOCK = 1024 }; /* voxels that bt_powers_read reads at once */

/* powers (n_voxel) of the voxels [voxel, voxel + n_voxel) from repeats, read block by block; `drop` rows are left out
 * at the start of each story of `rows`. This rank alone. */
bt_status bt_powers_read(const bt_responses *repeats, const bt_story_rows *rows, size_t drop, bt_total_power rule,
                         size_t voxel, size_t n_voxel, bt_power *powers) BT_MUST_CHECK;

#endif
