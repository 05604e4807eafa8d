#include "reporting/roi_score.h"

#include <math.h>

void bt_voxels_keep(const float *value, const float *ceiling, double above, size_t n_voxel, uint8_t *kept)
{
    for (size_t v = 0; v < n_voxel; ++v)
        kept[v] = isfinite(value[v]) && (!ceiling || (isfinite(ceiling[v]) && (double)ceiling[v] > above));
}

/* The mean of a kept member's value - slope * other, and the standard error of that mean. */
static bt_roi_score linear_mean(const uint8_t *member, const uint8_t *kept, const float *value, double slope,
                                const float *other, size_t n_voxel)
{
    bt_roi_score score = {.value = NAN, .se = NAN, .ci_low = NAN, .ci_high = NAN};
    double sum = 0, squares = 0;
    for (size_t v = 0; v < n_voxel; ++v) {
        if (!member[v]) continue;
        score.n += kept[v];
        score.n_dropped += !kept[v];
        if (kept[v]) sum += (double)value[v] - (other ? slope * (double)other[v] : 0.0);
    }
    if (!score.n) return score;
    score.value = sum / (double)score.n;
    if (score.n < 2) return score;
    for (size_t v = 0; v < n_voxel; ++v) {
        if (!member[v] || !kept[v]) continue;
        const double deviation = (double)value[v] - (other ? slope * (double)other[v] : 0.0) - score.value;
        squares += deviation * deviation;
    }
    score.se = sqrt(squares / (double)(score.n - 1) / (double)score.n);
    return score;
}

static bt_roi_score with_interval(bt_roi_score score)
{
    score.ci_low = score.value - 1.96 * score.se;
    score.ci_high = score.value + 1.96 * score.se;
    return score;
}

bt_roi_score bt_roi_mean(const uint8_t *member, const uint8_t *kept, const float *value, size_t n_voxel)
{
    return with_interval(linear_mean(member, kept, value, 0, NULL, n_voxel));
}

bt_roi_score bt_roi_ratio(const uint8_t *member, const uint8_t *kept, const float *value, const float *ceiling,
                          size_t n_voxel)
{
    const double top = linear_mean(member, kept, value, 0, NULL, n_voxel).value;
    const double bottom = linear_mean(member, kept, ceiling, 0, NULL, n_voxel).value;
    bt_roi_score score = linear_mean(member, kept, value, top / bottom, ceiling, n_voxel);
    score.value = top / bottom;
    score.se /= fabs(bottom);
    return with_interval(score);
}
