/* Tests and intervals for paired differences. Every array may be in any order; none is changed. */
#ifndef BT_REPORTING_STATISTICS_H
#define BT_REPORTING_STATISTICS_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* low, high: 95 % limits, NAN where there are none; value NAN for n = 0. */
typedef struct {
    double value, low, high;
} bt_interval;

typedef struct {
    size_t n;         /* differences that are not 0 */
    double statistic; /* the smaller of the two rank sums */
    double p;         /* two-sided; 1 for n = 0 */
} bt_wilcoxon;

/* Wilcoxon's signed-rank test, exact at every n: differences of 0 are dropped, equal sizes share their mean rank, and p
 * counts the 2^n ways to put signs to the ranks (Wilcoxon 1945; Pratt and Gibbons 1981 for ties). */
bt_status bt_wilcoxon_test(const double *difference, size_t n, bt_wilcoxon *out) BT_MUST_CHECK;
/* The smallest two-sided p that n pairs can reach: 2^(1 - n), at most 1. */
double bt_wilcoxon_least_p(size_t n);
/* The median of all means of two differences (each with itself too), with the interval that belongs to Wilcoxon's test
 * (Hodges and Lehmann 1963). No limits below n = 6, where the test cannot reach p <= 0.05. */
bt_status bt_hodges_lehmann(const double *difference, size_t n, bt_interval *out) BT_MUST_CHECK;

bt_status bt_median(const double *values, size_t n, double *out) BT_MUST_CHECK;
/* The mean with Student's t; no limits below n = 2. */
bt_interval bt_mean_interval(const double *values, size_t n);
double bt_student_p(double t, double freedom);        /* two-sided */
double bt_student_quantile(double p, double freedom); /* t with P(T <= t) = p; 0 < p < 1 */

/* Gain of `after` over `before` in percent, pairs (n) of subjects: 100 (mean after - mean before) / mean before. Limits
 * by 10,000 seeded draws of n pairs with replacement (percentiles), from n = 5 on. NAN where mean before is below
 * BT_LEAST_BASE: a percentage of nothing says nothing. */
#define BT_LEAST_BASE 0.02
bt_status bt_percent_gain(const double *before, const double *after, size_t n, bt_interval *out) BT_MUST_CHECK;

/* Holm's step-down correction (1979) of the p (n) that are not NaN: adjusted (n), never below p, at most 1; NaN where p
 * is. */
bt_status bt_holm(const double *p, size_t n, double *adjusted) BT_MUST_CHECK;

#endif
