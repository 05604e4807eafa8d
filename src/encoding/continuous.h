/* The best alpha of a range instead of a grid.
 *
 * The validation error of a split is an analytic function of x = ln A: a sum of 1 / (a_i + e^x) and of products of two,
 * with poles at a distance of pi from the real axis. So its values at n Chebyshev points of the range [x_low, x_high]
 * give it everywhere, to about rho^-n with rho = pi / L + sqrt(1 + (pi / L)^2), L half the range (Trefethen 2013,
 * chapter 8): 52 points for 10^1 .. 10^4 with penalty=alpha_squared. Each split is interpolated (of the signed root its
 * square, which is smooth), then the mean over splits is maximised, by golden section between the neighbours of the
 * best point. */
#ifndef BT_ENCODING_CONTINUOUS_H
#define BT_ENCODING_CONTINUOUS_H

#include "encoding/scores.h"

#include <stdbool.h>
#include <stddef.h>

/* How many points the range of penalties [low, high] needs; 1 when both are equal. */
size_t bt_continuous_count(double low, double high);
/* point (n) in [-1, 1] and penalty (n), both ascending. */
void bt_continuous_points(double low, double high, size_t n, double *point, double *penalty);

typedef struct {
    bt_score_kind kind;
    size_t n_split, n_point;
    double low, high;    /* penalties */
    const double *point; /* (n_point) as bt_continuous_points gives them */
    const double *score; /* score[(k n_point + i) stride]: split k, point i */
    size_t stride;
} bt_continuous;

/* The penalty with the best mean over splits; *at_low, *at_high: it is an end of the range. */
double bt_continuous_best(const bt_continuous *curve, bool *at_low, bool *at_high);

#endif
