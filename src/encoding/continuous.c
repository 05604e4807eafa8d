#include "encoding/continuous.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

size_t bt_continuous_count(double low, double high)
{
    enum { LEAST = 8 };
    const double half = log(high / low) / 2, accuracy = 1e-10;
    if (!(half > 0)) return 1;
    const double rho = pi / half + sqrt(1 + (pi / half) * (pi / half));
    const size_t n = (size_t)ceil(-log(accuracy) / log(rho));
    return n < LEAST ? LEAST : n;
}

static double penalty_at(double low, double high, double x)
{
    return exp((log(low) * (1 - x) + log(high) * (1 + x)) / 2);
}

void bt_continuous_points(double low, double high, size_t n, double *point, double *penalty)
{
    for (size_t i = 0; i < n; ++i) {
        point[i] = n > 1 ? -cos(pi * (double)i / (double)(n - 1)) : 0;
        penalty[i] = penalty_at(low, high, point[i]);
    }
    penalty[0] = low;
    penalty[n - 1] = high;
}

static double smooth(bt_score_kind kind, double score)
{
    return kind == BT_SCORE_SIGNED_ROOT ? score * fabs(score) : score;
}

static double rough(bt_score_kind kind, double value)
{
    return kind == BT_SCORE_SIGNED_ROOT ? copysign(sqrt(fabs(value)), value) : value;
}

/* Barycentric interpolation at x of split k. */
static double interpolate(const bt_continuous *curve, size_t k, double x)
{
    double above = 0, below = 0;
    for (size_t i = 0; i < curve->n_point; ++i) {
        const double value = smooth(curve->kind, curve->score[(k * curve->n_point + i) * curve->stride]);
        const double away = x - curve->point[i], end = i == 0 || i + 1 == curve->n_point ? 0.5 : 1;
        if (away == 0) return value;
        const double weight = (i % 2 ? -end : end) / away;
        above += weight * value;
        below += weight;
    }
    return above / below;
}

/* What is maximised, at x and at a point. */
static double value_at(const bt_continuous *curve, double x)
{
    double sum = 0;
    for (size_t k = 0; k < curve->n_split; ++k) sum += rough(curve->kind, interpolate(curve, k, x));
    return curve->kind == BT_SCORE_MSE ? -sum : sum;
}

static double value_of(const bt_continuous *curve, size_t i)
{
    double sum = 0;
    for (size_t k = 0; k < curve->n_split; ++k) sum += curve->score[(k * curve->n_point + i) * curve->stride];
    return curve->kind == BT_SCORE_MSE ? -sum : sum;
}

static double golden_section(const bt_continuous *curve, double low, double high)
{
    enum { STEPS = 40 }; /* the last bracket is 4e-9 of the first */
    const double ratio = (sqrt(5) - 1) / 2;
    double a = high - ratio * (high - low), b = low + ratio * (high - low);
    double at_a = value_at(curve, a), at_b = value_at(curve, b);
    for (int step = 0; step < STEPS; ++step) {
        if (at_a < at_b) {
            low = a;
            a = b;
            at_a = at_b;
            b = low + ratio * (high - low);
            at_b = value_at(curve, b);
        } else {
            high = b;
            b = a;
            at_b = at_a;
            a = high - ratio * (high - low);
            at_a = value_at(curve, a);
        }
    }
    return (low + high) / 2;
}

double bt_continuous_best(const bt_continuous *curve, bool *at_low, bool *at_high)
{
    const size_t n = curve->n_point;
    size_t best = n - 1; /* of equal scores the larger penalty */
    for (size_t i = n - 1; i-- > 0;)
        if (value_of(curve, i) > value_of(curve, best)) best = i;
    double x = curve->point[best];
    if (n > 1) {
        const size_t left = best ? best - 1 : 0, right = best + 1 < n ? best + 1 : best;
        const double inside = golden_section(curve, curve->point[left], curve->point[right]);
        if (value_at(curve, inside) > value_of(curve, best)) x = inside;
    }
    *at_low = x <= -1;
    *at_high = x >= 1;
    return penalty_at(curve->low, curve->high, x);
}
