#include "encoding/scores.h"

#include <math.h>
#include <string.h>

enum { TILE = 64 }; /* voxels that one thread scores together */

/* Means and second moments about them, ddof 0. */
typedef struct {
    double y[TILE], p[TILE], e[TILE];              /* means of y, prediction, error */
    double yy[TILE], pp[TILE], ee[TILE], yp[TILE]; /* mean squares about the means, mean product */
} both_moments;

static void first_moments(const float *y, const double *p, size_t n_row, size_t stride, size_t n, both_moments *m)
{
    memset(m, 0, sizeof *m);
    for (size_t i = 0; i < n_row; ++i)
        for (size_t v = 0; v < n; ++v) {
            m->y[v] += (double)y[i * stride + v];
            m->p[v] += p[i * stride + v];
        }
    for (size_t v = 0; v < n; ++v) {
        m->y[v] /= (double)n_row;
        m->p[v] /= (double)n_row;
        m->e[v] = m->y[v] - m->p[v];
    }
}

static void second_moments(const float *y, const double *p, size_t n_row, size_t stride, size_t n, both_moments *m)
{
    for (size_t i = 0; i < n_row; ++i)
        for (size_t v = 0; v < n; ++v) {
            const double dy = (double)y[i * stride + v] - m->y[v], dp = p[i * stride + v] - m->p[v], de = dy - dp;
            m->yy[v] += dy * dy;
            m->pp[v] += dp * dp;
            m->ee[v] += de * de;
            m->yp[v] += dy * dp;
        }
    for (size_t v = 0; v < n; ++v) {
        m->yy[v] /= (double)n_row;
        m->pp[v] /= (double)n_row;
        m->ee[v] /= (double)n_row;
        m->yp[v] /= (double)n_row;
    }
}

static double score_of(bt_score_rule rule, const both_moments *m, size_t v)
{
    const double mse = m->ee[v] + m->e[v] * m->e[v];
    if (rule.kind == BT_SCORE_MSE) return mse;
    if (!(m->yy[v] > 0)) return 0;
    if (rule.kind == BT_SCORE_R2) return 1 - mse / m->yy[v];
    if (rule.kind == BT_SCORE_CORRELATION) return m->pp[v] > 0 ? m->yp[v] / sqrt(m->yy[v] * m->pp[v]) : 0;
    const double variance = rule.released_variance ? (1 + m->yy[v]) / 2 : m->yy[v];
    const double explained = 1 - m->ee[v] / variance;
    return copysign(sqrt(fabs(explained)), explained);
}

void bt_score(bt_score_rule rule, const float *y, const double *prediction, size_t n_row, size_t n_voxel, double *score)
{
    const size_t n_tile = (n_voxel + TILE - 1) / TILE;
#pragma omp parallel for schedule(static)
    for (size_t tile = 0; tile < n_tile; ++tile) {
        both_moments m;
        const size_t low = tile * TILE, n = n_voxel - low < TILE ? n_voxel - low : TILE;
        first_moments(y + low, prediction + low, n_row, n_voxel, n, &m);
        second_moments(y + low, prediction + low, n_row, n_voxel, n, &m);
        for (size_t v = 0; v < n; ++v) score[low + v] = score_of(rule, &m, v);
    }
}

/* Voxels of a row that one thread reads on end, as the memory likes it. */
enum { WIDE_TILE = 256 };

/* Moments of n <= WIDE_TILE voxels from `low` on, in one pass: of what lies above the first row, so that squares of
 * means do not cancel. */
static void tile_moments(const float *y, size_t n_voxel, const size_t *row, size_t n_row, size_t low, size_t n,
                         bt_moments *moments)
{
    double sum[WIDE_TILE] = {0}, squares[WIDE_TILE] = {0};
    const float *const first = y + (n_row > 0 && row ? row[0] : 0) * n_voxel + low;
    for (size_t i = 0; i < n_row; ++i) {
        const float *const at = y + (row ? row[i] : i) * n_voxel + low;
        for (size_t v = 0; v < n; ++v) {
            const double above = (double)at[v] - (double)first[v];
            sum[v] += above;
            squares[v] += above * above;
        }
    }
    for (size_t v = 0; v < n; ++v) {
        const double mean = sum[v] / (double)n_row, variance = squares[v] / (double)n_row - mean * mean;
        moments[low + v] = (bt_moments){.mean = (double)first[v] + mean, .variance = fmax(0, variance)};
    }
}

void bt_moments_of(const float *y, size_t n_voxel, const size_t *row, size_t n_row, bt_moments *moments)
{
#pragma omp parallel for schedule(static)
    for (size_t low = 0; low < n_voxel; low += WIDE_TILE)
        tile_moments(y, n_voxel, row, n_row, low, n_voxel - low < WIDE_TILE ? n_voxel - low : WIDE_TILE, moments);
}

double bt_score_of_sums(bt_score_rule rule, size_t n_row, bt_moments y, double error, double cross)
{
    const double n = (double)n_row;
    if (rule.kind == BT_SCORE_CORRELATION) {
        const double size = n * y.variance * error;
        return size > 0 ? fmax(-1, fmin(1, cross / sqrt(size))) : 0;
    }
    if (rule.kind == BT_SCORE_SIGNED_ROOT) {
        const double variance = rule.released_variance ? (1 + y.variance) / 2 : y.variance;
        const double explained = 1 - fmax(0, y.variance + error / n) / variance;
        return y.variance > 0 ? copysign(sqrt(fabs(explained)), explained) : 0;
    }
    const double mse = fmax(0, y.variance + y.mean * y.mean + error / n);
    if (rule.kind == BT_SCORE_MSE) return mse;
    return y.variance > 0 ? 1 - mse / y.variance : 0;
}
