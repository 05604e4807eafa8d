#include "encoding/poles.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

/* Sizes of the table are spaced evenly in their logarithm, from where every penalty leaves next to nothing. */
enum { PER_DECADE = 40, DECADES_BELOW = 8 };
static const double tolerance = 1e-7;

bt_sizes bt_sizes_of_gram(const double *gram, size_t n)
{
    double trace = 0, squares = 0;
#pragma omp parallel for schedule(static) reduction(+ : trace, squares)
    for (size_t i = 0; i < n; ++i) {
        trace += gram[i * n + i];
        for (size_t j = 0; j < n; ++j) squares += gram[i * n + j] * gram[i * n + j];
    }
    return (bt_sizes){trace > 0 ? squares / trace : 0, fmin(trace, sqrt(squares))};
}

static void range_of(const double *penalty, size_t n, double *least, double *most)
{
    *least = *most = penalty[0];
    for (size_t k = 1; k < n; ++k) {
        *least = fmin(*least, penalty[k]);
        *most = fmax(*most, penalty[k]);
    }
}

size_t bt_poles_most(const double *penalty, size_t n_penalty)
{
    double least = 0, most = 0;
    if (n_penalty == 0) return 0;
    range_of(penalty, n_penalty, &least, &most);
    if (!(least > 0)) return n_penalty;
    const double wanted = 11.5 + 4.5 * log10(most / least);
    return 2 * wanted < (double)n_penalty ? (size_t)wanted : n_penalty;
}

/* Residuals of the table (n_size, n_penalty), and its rows as they were taken away, (n, n_penalty). */
typedef struct {
    size_t n_size, n_penalty;
    double *residual, *taken;
} table;

static bt_status make_table(const double *penalty, size_t n_penalty, bt_sizes sizes, size_t most, table *out)
{
    bt_status status = BT_OK;
    double least = 0, unused = 0;
    range_of(penalty, n_penalty, &least, &unused);
    const double low = log10(least) - DECADES_BELOW, high = fmax(log10(sizes.most), low);
    const size_t n = 1 + (size_t)ceil((high - low) * PER_DECADE);
    *out = (table){.n_size = n, .n_penalty = n_penalty};
    BT_ALLOC(out->residual, n * n_penalty);
    BT_ALLOC(out->taken, most * n_penalty);
    for (size_t i = 0; i < n; ++i) {
        const double x = pow(10, n > 1 ? low + (high - low) * (double)i / (double)(n - 1) : low);
        for (size_t k = 0; k < n_penalty; ++k)
            out->residual[i * n_penalty + k] = x * (sizes.mean + penalty[k]) / (sizes.mean * (x + penalty[k]));
    }
cleanup:
    return status;
}

static size_t largest(const table *t)
{
    size_t at = 0;
    for (size_t i = 1; i < t->n_size * t->n_penalty; ++i)
        if (fabs(t->residual[i]) > fabs(t->residual[at])) at = i;
    return at;
}

/* The row and the column that cross at `at`. */
static void take_away(table *t, size_t at, double *row)
{
    const size_t n = t->n_penalty, column = at % n;
    memcpy(row, t->residual + at / n * n, n * sizeof *row);
    for (size_t i = 0; i < t->n_size; ++i) {
        double *const here = t->residual + i * n;
        const double share = here[column] / row[column];
        for (size_t k = 0; k < n; ++k) here[k] -= share * row[k];
        here[column] = 0;
    }
}

/* Rows as they were taken away are upper triangular at the poles' columns. */
static void solve_weights(const table *t, const double *penalty, double mean, bt_poles *poles)
{
    const size_t n = poles->n;
    for (size_t k = 0; k < poles->n_penalty; ++k) {
        double *const w = poles->weight + k * n;
        for (size_t i = n; i-- > 0;) {
            const double *const row = t->taken + i * t->n_penalty;
            double sum = row[k];
            for (size_t j = i + 1; j < n; ++j) sum -= row[poles->index[j]] * w[j];
            w[i] = sum / row[poles->index[i]];
        }
        for (size_t j = 0; j < n; ++j) w[j] *= (mean + penalty[poles->index[j]]) / (mean + penalty[k]);
    }
}

static bt_status interpolate(const double *penalty, bt_sizes sizes, size_t most, bt_poles *out)
{
    bt_status status = BT_OK;
    table t = {0};
    BT_TRY(make_table(penalty, out->n_penalty, sizes, most, &t));
    size_t at = largest(&t);
    for (; fabs(t.residual[at]) > tolerance && out->n < most; at = largest(&t)) {
        take_away(&t, at, t.taken + out->n * t.n_penalty);
        out->index[out->n++] = at % t.n_penalty;
    }
    out->error = fabs(t.residual[at]);
    BT_ALLOC(out->weight, out->n_penalty * out->n);
    solve_weights(&t, penalty, sizes.mean, out);
cleanup:
    bt_free(t.residual);
    bt_free(t.taken);
    return status;
}

bt_status bt_poles_choose(const double *penalty, size_t n_penalty, size_t most, bt_sizes sizes, bt_poles *out)
{
    bt_status status = BT_OK;
    const bt_sizes any = {1, 1};
    *out = (bt_poles){.n_penalty = n_penalty};
    BT_ALLOC(out->index, most);
    if (most < n_penalty) {
        BT_TRY(interpolate(penalty, sizes.mean > 0 ? sizes : any, most, out));
        goto cleanup;
    }
    out->n = most;
    for (size_t k = 0; k < most; ++k) out->index[k] = k;
cleanup:
    return status;
}

void bt_poles_clear(bt_poles *poles)
{
    bt_free(poles->index);
    bt_free(poles->weight);
    *poles = (bt_poles){0};
}
