#include "stimulus/powers.h"

#include "base/fault.h"
#include "base/memory.h"

#include <math.h>
#include <string.h>

/* Variance over rows of column v, ddof 1. */
static double variance_f32(const float *x, size_t n_row, size_t stride)
{
    double mean = 0, square = 0;
    for (size_t i = 0; i < n_row; ++i) mean += (double)x[i * stride] / (double)n_row;
    for (size_t i = 0; i < n_row; ++i) square += ((double)x[i * stride] - mean) * ((double)x[i * stride] - mean);
    return square / (double)(n_row - 1);
}

static double variance_f64(const double *x, size_t n_row, size_t stride)
{
    double mean = 0, square = 0;
    for (size_t i = 0; i < n_row; ++i) mean += x[i * stride] / (double)n_row;
    for (size_t i = 0; i < n_row; ++i) square += (x[i * stride] - mean) * (x[i * stride] - mean);
    return square / (double)(n_row - 1);
}

void bt_power_add(const float *repeat, size_t n_row, size_t n_voxel, double *sum, bt_power *power)
{
    for (size_t i = 0; i < n_row * n_voxel; ++i) sum[i] += (double)repeat[i];
    for (size_t v = 0; v < n_voxel; ++v) power[v].total += variance_f32(repeat + v, n_row, n_voxel);
}

void bt_power_finish(size_t n_repeat, size_t n_row, size_t n_voxel, bt_total_power rule, double *sum, bt_power *power)
{
    const double n = (double)n_repeat;
    for (size_t i = 0; i < n_row * n_voxel; ++i) sum[i] /= n;
    for (size_t v = 0; v < n_voxel; ++v) {
        power[v].variance = variance_f64(sum + v, n_row, n_voxel);
        power[v].total = rule == BT_TOTAL_POWER_ONE ? 1 : power[v].total / n;
        power[v].signal = (n * power[v].variance - power[v].total) / (n - 1);
    }
}

double bt_ceiling(bt_power power)
{
    return power.signal > 0 ? sqrt(power.signal / power.variance) : (double)NAN;
}

bt_status bt_powers_read(const bt_responses *repeats, const bt_story_rows *rows, size_t drop, bt_total_power rule,
                         size_t voxel, size_t n_voxel, bt_power *powers)
{
    bt_status status = BT_OK;
    const size_t n_kept = bt_kept_rows(rows, drop);
    float *block = NULL;
    double *sum = NULL;
    BT_ALLOC(block, bt_responses_rows_all(repeats) * BT_POWERS_BLOCK);
    BT_ALLOC(sum, n_kept * BT_POWERS_BLOCK);
    BT_TRY(bt_fault_point("ceiling.read"));
    memset(powers, 0, n_voxel * sizeof *powers);
    for (size_t low = 0; low < n_voxel; low += BT_POWERS_BLOCK) {
        const size_t n = n_voxel - low < BT_POWERS_BLOCK ? n_voxel - low : BT_POWERS_BLOCK;
        memset(sum, 0, n_kept * n * sizeof *sum);
        for (size_t k = 0; k < bt_responses_repeats(repeats); ++k) {
            BT_TRY(bt_responses_read(repeats, k, voxel + low, n, block));
            bt_drop_rows(rows, drop, block, n);
            bt_power_add(block, n_kept, n, sum, powers + low);
        }
        bt_power_finish(bt_responses_repeats(repeats), n_kept, n, rule, sum, powers + low);
    }
cleanup:
    bt_free(block);
    bt_free(sum);
    return status;
}
