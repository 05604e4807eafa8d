#include "reporting/roi_score.h"

#include <math.h>

void bt_voxels_keep(const float *value, const float *ceiling, double above, size_t n_voxel, uint8_t *kept)
{
    for (size_t v = 0; v < n_voxel; ++v)
        kept[v] = isfinite(value[v]) && (!ceiling || (isfinite(ceiling[v]) && (double)ceiling[v] > above));
}

/* value - slope * other of a voxel; other may be NULL. */
typedef struct {
    const uint8_t *kept;
    const float *value, *other;
    double slope;
} line;

static double line_at(const line *of, size_t v)
{
    if (!of->kept[v]) return 0;
    return (double)of->value[v] - (of->other ? of->slope * (double)of->other[v] : 0.0);
}

/* Of one part: its mean, the variance of that mean (NAN below two voxels), and how many voxels it is of. */
typedef struct {
    double mean, variance;
    size_t n;
} part_score;

static part_score score_part(const bt_roi *roi, size_t part, const line *of, bt_roi_score *score)
{
    const uint8_t *const member = roi->member + part * roi->n_voxel;
    part_score out = {.variance = (double)NAN};
    double sum = 0, squares = 0;
    for (size_t v = 0; v < roi->n_voxel; ++v) {
        if (!member[v]) continue;
        score->n += of->kept[v];
        score->n_dropped += !of->kept[v];
        out.n += of->kept[v] || roi->zero_filled;
        sum += line_at(of, v);
    }
    out.mean = out.n ? sum / (double)out.n : 0;
    for (size_t v = 0; v < roi->n_voxel; ++v)
        if (member[v] && (of->kept[v] || roi->zero_filled))
            squares += (line_at(of, v) - out.mean) * (line_at(of, v) - out.mean);
    if (out.n > 1) out.variance = squares / (double)(out.n - 1) / (double)out.n;
    return out;
}

static bt_roi_score linear_mean(const bt_roi *roi, const line *of)
{
    bt_roi_score score = {.value = NAN, .se = NAN, .ci_low = NAN, .ci_high = NAN};
    double sum = 0, variance = 0;
    size_t n = 0;
    for (size_t part = 0; part < roi->n_part; ++part) {
        const part_score one = score_part(roi, part, of, &score);
        if (!one.n) continue;
        sum += one.mean;
        variance += one.variance;
        ++n;
    }
    if (!score.n) return score;
    score.value = sum / (double)n;
    score.se = sqrt(variance) / (double)n;
    return score;
}

static bt_roi_score with_interval(bt_roi_score score)
{
    score.ci_low = score.value - 1.96 * score.se;
    score.ci_high = score.value + 1.96 * score.se;
    return score;
}

bt_roi_score bt_roi_mean(const bt_roi *roi, const uint8_t *kept, const float *value)
{
    const line of = {.kept = kept, .value = value};
    return with_interval(linear_mean(roi, &of));
}

bt_roi_score bt_roi_ratio(const bt_roi *roi, const uint8_t *kept, const float *value, const float *ceiling)
{
    const line top = {.kept = kept, .value = value}, bottom = {.kept = kept, .value = ceiling};
    const double mean = linear_mean(roi, &bottom).value, ratio = linear_mean(roi, &top).value / mean;
    const line left = {.kept = kept, .value = value, .other = ceiling, .slope = ratio};
    bt_roi_score score = linear_mean(roi, &left);
    score.value = ratio;
    score.se /= fabs(mean);
    return with_interval(score);
}
