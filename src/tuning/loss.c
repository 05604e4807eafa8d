#include "tuning/loss.h"

#include <math.h>

static const double CORRELATION_EPSILON = 1e-8, COSINE_EPSILON = 1e-8;

void bt_loss_add_up(const float *y, const float *t, size_t n, size_t d, bt_loss_sums *sums)
{
    for (size_t i = 0; i < n; ++i) {
        bt_loss_sums s = {0};
        for (size_t j = 0; j < d; ++j) {
            const double a = (double)y[i * d + j], b = (double)t[i * d + j];
            s.y += a;
            s.t += b;
            s.yy += a * a;
            s.tt += b * b;
            s.yt += a * b;
            s.squares += (a - b) * (a - b);
        }
        sums[i] = s;
    }
}

/* Centred second moments of one row. */
typedef struct {
    double xx, zz, xz, root; /* root: sqrt(xx zz + epsilon) */
} moments;

static moments moments_of(const bt_loss_sums *s, double n)
{
    moments m = {.xx = s->yy - s->y * s->y / n, .zz = s->tt - s->t * s->t / n, .xz = s->yt - s->y * s->t / n};
    m.root = sqrt(fmax(m.xx, 0) * fmax(m.zz, 0) + CORRELATION_EPSILON);
    return m;
}

static double norm(double squares)
{
    return fmax(sqrt(squares), COSINE_EPSILON);
}

double bt_loss_value(bt_loss loss, const bt_loss_sums *s, size_t n_target)
{
    const double n = (double)n_target, mse = s->squares / n;
    if (loss == BT_LOSS_MSE) return mse;
    if (loss == BT_LOSS_COSINE_L2) return mse + 0.5 * (1 - s->yt / (norm(s->yy) * norm(s->tt)));
    const moments m = moments_of(s, n);
    return 1 - m.xz / m.root;
}

/* dloss/dy_j = a y_j + b t_j + c for each of the losses: the coefficients of one row. */
typedef struct {
    double a, b, c;
} slope;

static slope slope_of(bt_loss loss, const bt_loss_sums *s, double n)
{
    if (loss == BT_LOSS_CORRELATION) { /* dr/dy = z / root - xz zz x / root^3 */
        const moments m = moments_of(s, n);
        const double b = -1 / m.root, a = m.xz * m.zz / (m.root * m.root * m.root);
        return (slope){a, b, -(a * s->y + b * s->t) / n};
    }
    slope k = {2 / n, -2 / n, 0};
    if (loss == BT_LOSS_COSINE_L2) { /* dcos/dy = t / (|y||t|) - cos y / |y|^2 */
        const double y = norm(s->yy), t = norm(s->tt), cosine = s->yt / (y * t);
        k.b -= 0.5 / (y * t);
        if (y > COSINE_EPSILON) k.a += 0.5 * cosine / (y * y);
    }
    return k;
}

void bt_loss_gradient(bt_loss loss, const bt_loss_sums *sums, const float *y, const float *t, size_t n, size_t d,
                      size_t n_target, double scale, float *dy)
{
    for (size_t i = 0; i < n; ++i) {
        const slope k = slope_of(loss, &sums[i], (double)n_target);
        const double a = scale * k.a, b = scale * k.b, c = scale * k.c;
        for (size_t j = i * d; j < (i + 1) * d; ++j) dy[j] = (float)(a * (double)y[j] + b * (double)t[j] + c);
    }
}
