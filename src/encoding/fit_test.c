#include "encoding/fit_test.h"

#include <math.h>
#include <string.h>

/* Voxels of the block whose draw is at work: their number, their places in fit->room.pick, their alphas. */
static size_t pick_voxels(bt_fit *fit, size_t low, size_t n)
{
    size_t m = 0;
    for (size_t v = 0; v < n; ++v) {
        if (fit->kept.draw[low + v] != fit->at_work) continue;
        fit->room.pick[m] = v;
        fit->room.choice[m] = fit->kept.alpha[low + v];
        fit->room.penalty[m++] = fit->kept.penalty[low + v];
    }
    return m;
}

/* to (rows, m): the picked columns of from (., n), rows by index, NULL: the first. */
static void take(const bt_fit *fit, const float *from, size_t n, size_t m, bt_row_list rows, float *to)
{
    for (size_t i = 0; i < rows.n; ++i) {
        const float *const row = from + (rows.index ? rows.index[i] : i) * n;
        if (m == n)
            memcpy(to + i * m, row, m * sizeof *to);
        else
            for (size_t v = 0; v < m; ++v) to[i * m + v] = row[fit->room.pick[v]];
    }
}

/* The score by a rule of m voxels into `map`, which begins with the block. */
static void score_into(bt_fit *fit, bt_score_kind kind, const float *y_test, const double *prediction, size_t m,
                       double *map)
{
    bt_score((bt_score_rule){kind, false}, y_test, prediction, fit->n_test, m, fit->room.score);
    for (size_t v = 0; v < m; ++v) map[fit->room.pick[v]] = fit->room.score[v];
}

/* total (n_test, m): the sum of all bands' parts. */
static void sum_parts(bt_fit *fit, size_t m)
{
    const size_t n = fit->n_test * m;
    memcpy(fit->room.total, fit->room.prediction, n * sizeof *fit->room.total);
    for (size_t b = 1; b < fit->problem.bands.n_band; ++b)
        for (size_t i = 0; i < n; ++i) fit->room.total[i] += fit->room.prediction[b * n + i];
}

/* Sums over the test rows of one voxel. */
typedef struct {
    double y, p, yy, pp; /* of y, of the prediction p, and of their squares */
} row_sums;

static row_sums sums_of(const bt_fit *fit, const float *y, size_t m, size_t v)
{
    row_sums sums = {0};
    for (size_t i = 0; i < fit->n_test; ++i) {
        const double at_y = (double)y[i * m + v], at_p = fit->room.total[i * m + v];
        sums.y += at_y;
        sums.p += at_p;
        sums.yy += at_y * at_y;
        sums.pp += at_p * at_p;
    }
    return sums;
}

/* Shares of one voxel's band in r2 and in r: with p = sum of the p_b, sum p_b (2 y - p) / sum (y - mean)^2 (the product
 * measure, as himalaya's r2_score_split), and cov(y, p_b) / (sd y sd p). */
static void split_one(const bt_fit *fit, const float *y, size_t m, size_t v, size_t band, double *r2, double *r)
{
    const row_sums sums = sums_of(fit, y, m, v);
    const double n = (double)fit->n_test, *const part = fit->room.prediction + band * fit->n_test * m;
    const double var_y = sums.yy - sums.y * sums.y / n, var_p = sums.pp - sums.p * sums.p / n;
    double product = 0, together = 0, sum = 0;
    for (size_t i = 0; i < fit->n_test; ++i) {
        const double at_y = (double)y[i * m + v], here = part[i * m + v];
        product += here * (2 * at_y - fit->room.total[i * m + v]);
        together += here * at_y;
        sum += here;
    }
    *r2 = var_y > 0 ? product / var_y : 0;
    *r = var_y > 0 && var_p > 0 ? (together - sum * sums.y / n) / sqrt(var_y * var_p) : 0;
}

/* Means over folds of the shares, and of the scalings. */
static void add_splits(bt_fit *fit, const float *y, size_t low, size_t m)
{
    const bt_bands *const bands = &fit->problem.bands;
    const double n_fold = (double)fit->n_fold;
    for (size_t b = 0; b < bands->n_band; ++b) {
        const double gamma = bands->gamma[fit->at_work * bands->n_band + b];
#pragma omp parallel for schedule(static)
        for (size_t v = 0; v < m; ++v) {
            const size_t at = b * fit->n_voxel + low + fit->room.pick[v];
            double r2 = 0, r = 0;
            split_one(fit, y, m, v, b, &r2, &r);
            fit->r2_split[at] += r2 / n_fold;
            fit->r_split[at] += r / n_fold;
            fit->scaling[at] += gamma / n_fold;
        }
    }
}

/* p of m voxels of the block at `low`; of outer folds what p will be made of. */
static bt_status test_block(bt_fit *fit, const float *y_test, const double *prediction, size_t low, size_t m)
{
    bt_status status = BT_OK;
    const bt_null *const null = fit->problem.null;
    if (fit->draws)
        return bt_null_add(null, fit->fold, y_test, prediction, m, fit->room.pick,
                           fit->draws + low * bt_null_sums(null));
    BT_TRY(bt_null_p(null, y_test, prediction, m, fit->room.score));
    for (size_t v = 0; v < m; ++v) fit->p[low + fit->room.pick[v]] = fit->room.score[v];
cleanup:
    return status;
}

static bt_status score_block(bt_fit *fit, const float *y_test, size_t low, size_t m)
{
    bt_status status = BT_OK;
    const bool banded = fit->problem.bands.n_band > 1;
    const size_t at = fit->fold * fit->n_voxel + low;
    if (banded) sum_parts(fit, m);
    const double *const prediction = banded ? fit->room.total : fit->room.prediction;
    score_into(fit, BT_SCORE_CORRELATION, y_test, prediction, m, fit->r + at);
    score_into(fit, BT_SCORE_R2, y_test, prediction, m, fit->r2 + at);
    score_into(fit, BT_SCORE_SIGNED_ROOT, y_test, prediction, m, fit->explained + at);
    for (size_t v = 0; v < m; ++v)
        fit->explained[at + fit->room.pick[v]] *= fabs(fit->explained[at + fit->room.pick[v]]);
    if (fit->problem.null) BT_TRY(test_block(fit, y_test, prediction, low, m));
    if (banded) add_splits(fit, y_test, low, m);
    for (size_t i = 0; fit->predictions && i < fit->n_test; ++i) {
        float *const to = fit->predictions + (fit->room.held ? fit->room.held[i] : i) * fit->n_voxel + low;
        for (size_t v = 0; v < m; ++v) to[fit->room.pick[v]] = (float)prediction[i * m + v];
    }
cleanup:
    return status;
}

/* Weights of the features as they were before they were scaled. */
static bt_status write_weights(bt_fit *fit, size_t low, size_t m)
{
    bt_status status = BT_OK;
    float *const to = fit->weights + low;
    if (fit->problem.bands.n_band == 1) return bt_refit_weights(fit->refit, fit->room.penalty, to, fit->n_voxel);
    BT_TRY(bt_refit_weights(fit->refit, fit->room.penalty, fit->room.weights, m));
    bt_bands_factors(&fit->problem.bands, fit->at_work, fit->room.factor);
    for (size_t f = 0; f < fit->problem.n_feature; ++f)
        for (size_t v = 0; v < m; ++v)
            to[f * fit->n_voxel + fit->room.pick[v]] =
                (float)(fit->room.factor[f] * (double)fit->room.weights[f * m + v]);
cleanup:
    return status;
}

bt_status bt_fit_test(bt_fit *fit, bt_block *block, size_t low, size_t n, const float *y, const float *y_test)
{
    bt_status status = BT_OK;
    const size_t m = pick_voxels(fit, low, n);
    const float *some = y, *target = y_test;
    if (m == 0 && fit->problem.n_rank == 1) goto cleanup;
    if (m < n) {
        take(fit, y, n, m, (bt_row_list){fit->n_row, NULL}, fit->room.y);
        some = fit->room.y;
    }
    if (m < n || (m > 0 && fit->room.held)) {
        take(fit, fit->room.held ? y : y_test, n, m, (bt_row_list){fit->n_test, fit->room.held}, fit->room.y_test);
        target = fit->room.y_test;
    }
    BT_TRY(bt_refit_predict(fit->refit, block, some, m, fit->room.choice, fit->room.penalty, fit->room.prediction));
    if (fit->weights) BT_TRY(write_weights(fit, low, m));
    if (m > 0) BT_TRY(score_block(fit, target, low, m));
cleanup:
    return status;
}
