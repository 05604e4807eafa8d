#include "stimulus/powers.h"

#include "base/fault.h"
#include "base/memory.h"

#include <math.h>
#include <string.h>

enum { TILE = 64 }; /* columns whose sums are held together */

/* variance (n_voxel) over the rows, ddof 1, of a (n_row, n_voxel) matrix in either type; the other is NULL. */
static void variances(const float *single, const double *wide, size_t n_row, size_t n_voxel, double *variance)
{
#pragma omp parallel for schedule(static)
    for (size_t low = 0; low < n_voxel; low += TILE) {
        const size_t n = n_voxel - low < TILE ? n_voxel - low : TILE;
        double mean[TILE] = {0}, square[TILE] = {0}, row[TILE];
        for (size_t i = 0; i < n_row; ++i)
            for (size_t v = 0, at = i * n_voxel + low; v < n; ++v)
                mean[v] += single ? (double)single[at + v] : wide[at + v];
        for (size_t v = 0; v < n; ++v) mean[v] /= (double)n_row;
        for (size_t i = 0; i < n_row; ++i) {
            const size_t at = i * n_voxel + low;
            for (size_t v = 0; v < n; ++v) row[v] = (single ? (double)single[at + v] : wide[at + v]) - mean[v];
            for (size_t v = 0; v < n; ++v) square[v] += row[v] * row[v];
        }
        for (size_t v = 0; v < n; ++v) variance[low + v] = square[v] / (double)(n_row - 1);
    }
}

bt_status bt_power_add(const float *repeat, size_t n_row, size_t n_voxel, double *sum, bt_power *power)
{
    bt_status status = BT_OK;
    double *variance = NULL;
    BT_ALLOC(variance, n_voxel);
    variances(repeat, NULL, n_row, n_voxel, variance);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n_row * n_voxel; ++i) sum[i] += (double)repeat[i];
    for (size_t v = 0; v < n_voxel; ++v) power[v].total += variance[v];
cleanup:
    bt_free(variance);
    return status;
}

bt_status bt_power_finish(size_t n_repeat, size_t n_row, size_t n_voxel, bt_total_power rule, double *sum,
                          bt_power *power)
{
    bt_status status = BT_OK;
    double *variance = NULL;
    const double n = (double)n_repeat;
    BT_ALLOC(variance, n_voxel);
    for (size_t i = 0; i < n_row * n_voxel; ++i) sum[i] /= n;
    variances(NULL, sum, n_row, n_voxel, variance);
    for (size_t v = 0; v < n_voxel; ++v) {
        power[v].variance = variance[v];
        power[v].total = rule == BT_TOTAL_POWER_ONE ? 1 : power[v].total / n;
        power[v].signal = (n * power[v].variance - power[v].total) / (n - 1);
    }
cleanup:
    bt_free(variance);
    return status;
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
            BT_TRY(bt_power_add(block, n_kept, n, sum, powers + low));
        }
        BT_TRY(bt_power_finish(bt_responses_repeats(repeats), n_kept, n, rule, sum, powers + low));
    }
cleanup:
    bt_free(block);
    bt_free(sum);
    return status;
}
