#include "reporting/statistics.h"

#include "base/memory.h"
#include "base/order.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double significance = 0.05;

static int compare_reals(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static int compare_sizes(const void *a, const void *b)
{
    const double left = fabs(*(const double *)a), right = fabs(*(const double *)b);
    return (left > right) - (left < right);
}

static bt_status sorted_copy(const double *values, size_t n, double **out)
{
    bt_status status = BT_OK;
    BT_ALLOC(*out, n);
    if (n) {
        memcpy(*out, values, n * sizeof **out);
        qsort(*out, n, sizeof **out, compare_reals);
    }
cleanup:
    return status;
}

static double middle(const double *sorted, size_t n)
{
    return n ? (sorted[(n - 1) / 2] + sorted[n / 2]) / 2 : (double)NAN;
}

bt_status bt_median(const double *values, size_t n, double *out)
{
    double *sorted = NULL;
    const bt_status status = sorted_copy(values, n, &sorted);
    *out = status == BT_OK ? middle(sorted, n) : (double)NAN;
    bt_free(sorted);
    return status;
}

/* --- Wilcoxon ------------------------------------------------------------------------------------------------------*/

/* Twice the mean ranks of |sorted|, whole numbers; values (n) sorted by size. */
static void double_ranks(const double *sorted, size_t n, size_t *rank)
{
    for (size_t from = 0, to = 0; from < n; from = to) {
        while (to < n && fabs(sorted[to]) == fabs(sorted[from])) ++to;
        for (size_t i = from; i < to; ++i) rank[i] = from + 1 + to;
    }
}

/* chance[s]: the share of the 2^n choices of signs whose positive double ranks sum to s; (sum of ranks + 1) long. */
static bt_status rank_sum_chances(const size_t *rank, size_t n, double **chance, size_t *total)
{
    bt_status status = BT_OK;
    size_t reached = 0;
    *total = 0;
    for (size_t i = 0; i < n; ++i) *total += rank[i];
    BT_ALLOC(*chance, *total + 1);
    (*chance)[0] = 1;
    for (size_t i = 0; i < n; ++i) {
        for (size_t s = reached + rank[i] + 1; s-- > 0;) {
            const double without = s <= reached ? (*chance)[s] : 0;
            const double with = s >= rank[i] ? (*chance)[s - rank[i]] : 0;
            (*chance)[s] = (without + with) / 2;
        }
        reached += rank[i];
    }
cleanup:
    return status;
}

bt_status bt_wilcoxon_test(const double *difference, size_t n, bt_wilcoxon *out)
{
    bt_status status = BT_OK;
    double *sorted = NULL, *chance = NULL, tail = 0;
    size_t *rank = NULL, total = 0, positive = 0;
    *out = (bt_wilcoxon){.p = 1};
    BT_ALLOC(sorted, n);
    BT_ALLOC(rank, n);
    for (size_t i = 0; i < n; ++i)
        if (difference[i] != 0.0) sorted[out->n++] = difference[i];
    if (!out->n) goto cleanup;
    qsort(sorted, out->n, sizeof *sorted, compare_sizes);
    double_ranks(sorted, out->n, rank);
    BT_TRY(rank_sum_chances(rank, out->n, &chance, &total));
    for (size_t i = 0; i < out->n; ++i) positive += sorted[i] > 0 ? rank[i] : 0;
    const size_t smaller = positive < total - positive ? positive : total - positive;
    for (size_t s = 0; s <= smaller; ++s) tail += chance[s];
    out->statistic = (double)smaller / 2;
    out->p = fmin(1, 2 * tail);
cleanup:
    bt_free(sorted);
    bt_free(rank);
    bt_free(chance);
    return status;
}

double bt_wilcoxon_least_p(size_t n)
{
    return n ? ldexp(2, -(int)n) : 1;
}

/* The smallest rank sum (without ties) that is reached with probability >= chance: a quantile. */
static bt_status rank_sum_quantile(size_t n, double wanted, size_t *quantile)
{
    bt_status status = BT_OK;
    size_t *rank = NULL, total = 0;
    double *chance = NULL, sum = 0;
    BT_ALLOC(rank, n);
    for (size_t i = 0; i < n; ++i) rank[i] = i + 1;
    BT_TRY(rank_sum_chances(rank, n, &chance, &total));
    for (*quantile = 0; *quantile < total; ++*quantile) {
        sum += chance[*quantile];
        if (sum >= wanted) break;
    }
cleanup:
    bt_free(rank);
    bt_free(chance);
    return status;
}

bt_status bt_hodges_lehmann(const double *difference, size_t n, bt_interval *out)
{
    bt_status status = BT_OK;
    double *mean = NULL;
    size_t n_mean = 0, edge = 0;
    *out = (bt_interval){NAN, NAN, NAN};
    BT_ALLOC(mean, n * (n + 1) / 2);
    for (size_t i = 0; i < n; ++i)
        for (size_t j = i; j < n; ++j) mean[n_mean++] = (difference[i] + difference[j]) / 2;
    if (n) qsort(mean, n_mean, sizeof *mean, compare_reals);
    out->value = middle(mean, n_mean);
    if (bt_wilcoxon_least_p(n) > significance) goto cleanup;
    BT_TRY(rank_sum_quantile(n, significance / 2, &edge));
    out->low = mean[edge - 1];
    out->high = mean[n_mean - edge];
cleanup:
    bt_free(mean);
    return status;
}

/* --- Student -------------------------------------------------------------------------------------------------------*/

/* The continued fraction of the incomplete beta function (Lentz; Abramowitz and Stegun 26.5.8). */
static double beta_fraction(double a, double b, double x)
{
    enum { STEPS = 500 };
    const double tiny = 1e-300;
    double c = 1, d = 1 / fmax(1 - (a + b) * x / (a + 1), tiny), h = d;
    for (int m = 1; m < STEPS; ++m) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 + even * d;
        c = 1 + even / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        h *= d * c;
        d = 1 + odd * d;
        c = 1 + odd / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        h *= d * c;
        if (fabs(d * c - 1) < 1e-15) break;
    }
    return h;
}

/* The regularised incomplete beta function I_x(a, b). */
static double incomplete_beta(double a, double b, double x)
{
    if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
    const double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double bt_student_p(double t, double freedom)
{
    if (isnan(t) || !(freedom > 0)) return (double)NAN;
    return incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t));
}

double bt_student_quantile(double p, double freedom)
{
    const double both = 2 * fmin(p, 1 - p); /* of both tails */
    double low = 0, high = 1;
    while (bt_student_p(high, freedom) > both && isfinite(high)) high *= 2;
    for (int i = 0; i < 200 && high - low > 1e-14 * high; ++i) {
        const double t = (low + high) / 2;
        if (bt_student_p(t, freedom) > both)
            low = t;
        else
            high = t;
    }
    return p < 0.5 ? -(low + high) / 2 : (low + high) / 2;
}

bt_interval bt_mean_interval(const double *values, size_t n)
{
    bt_interval out = {NAN, NAN, NAN};
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; ++i) sum += values[i];
    if (!n) return out;
    out.value = sum / (double)n;
    if (n < 2) return out;
    for (size_t i = 0; i < n; ++i) squares += (values[i] - out.value) * (values[i] - out.value);
    const double freedom = (double)(n - 1);
    const double half = bt_student_quantile(1 - significance / 2, freedom) * sqrt(squares / freedom / (double)n);
    out.low = out.value - half;
    out.high = out.value + half;
    return out;
}

/* --- gains, corrections --------------------------------------------------------------------------------------------*/

bt_status bt_percent_gain(const double *before, const double *after, size_t n, bt_interval *out)
{
    enum { DRAWS = 10000, FROM = 5 };
    bt_status status = BT_OK;
    double *gain = NULL, first = 0, second = 0;
    bt_random random = bt_random_start(0, bt_random_stream("percent gain", n));
    *out = (bt_interval){NAN, NAN, NAN};
    for (size_t i = 0; i < n; ++i) {
        first += before[i];
        second += after[i];
    }
    if (!(first >= BT_LEAST_BASE * (double)n)) return BT_OK;
    out->value = 100 * (second - first) / first;
    if (n < FROM) return BT_OK;
    BT_ALLOC(gain, DRAWS);
    for (size_t draw = 0; draw < DRAWS; ++draw) {
        first = second = 0;
        for (size_t i = 0; i < n; ++i) {
            const size_t pick = bt_random_below(&random, n);
            first += before[pick];
            second += after[pick];
        }
        gain[draw] = first > 0 ? 100 * (second - first) / first : (double)INFINITY;
    }
    qsort(gain, DRAWS, sizeof *gain, compare_reals);
    out->low = gain[DRAWS / 40];
    out->high = gain[DRAWS - 1 - DRAWS / 40];
cleanup:
    bt_free(gain);
    return status;
}

bt_status bt_holm(const double *p, size_t n, double *adjusted)
{
    bt_status status = BT_OK;
    bt_place *order = NULL;
    size_t m = 0;
    double least = 0;
    BT_TRY(bt_order(p, n, &order, &m));
    for (size_t i = 0; i < n; ++i) adjusted[i] = (double)NAN;
    for (size_t k = 0; k < m; ++k) {
        least = fmax(least, fmin(1, (double)(m - k) * order[k].value));
        adjusted[order[k].at] = least;
    }
cleanup:
    bt_free(order);
    return status;
}
