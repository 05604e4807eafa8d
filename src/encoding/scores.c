#include "encoding/scores.h"

#include <math.h>
#include <string.h>

enum { TILE = 64 }; /* voxels that one thread scores together */

/* Means and second moments about them, ddof 0. */
typedef struct {
    double y[TILE], p[TILE], e[TILE];              /* means of y, prediction, error */
    double yy[TILE], pp[TILE], ee[TILE], yp[TILE]; /* mean squares about the means, mean product */
} moments;

static void first_moments(const float *y, const double *p, size_t n_row, size_t stride, size_t n, moments *m)
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

static void second_moments(const float *y, const double *p, size_t n_row, size_t stride, size_t n, moments *m)
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

static double score_of(bt_score_rule rule, const moments *m, size_t v)
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
        moments m;
        const size_t low = tile * TILE, n = n_voxel - low < TILE ? n_voxel - low : TILE;
        first_moments(y + low, prediction + low, n_row, n_voxel, n, &m);
        second_moments(y + low, prediction + low, n_row, n_voxel, n, &m);
        for (size_t v = 0; v < n; ++v) score[low + v] = score_of(rule, &m, v);
    }
}

void bt_score_nothing(const float *y, size_t n_row, size_t n_voxel, double *score)
{
    memset(score, 0, n_voxel * sizeof *score);
    for (size_t i = 0; i < n_row; ++i)
        for (size_t v = 0; v < n_voxel; ++v)
            score[v] += (double)y[i * n_voxel + v] * (double)y[i * n_voxel + v] / (double)n_row;
}
