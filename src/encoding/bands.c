#include "encoding/bands.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <string.h>

static size_t power(size_t base, size_t exponent)
{
    size_t product = 1;
    while (exponent-- > 0) product *= base;
    return product;
}

static size_t grid_values(const bt_encode_plan *plan)
{
    return plan->bands == BT_BANDS_COORDINATE ? (size_t)plan->band_logspace.v[2] : 0;
}

size_t bt_bands_draws(const bt_encode_plan *plan, size_t n_band)
{
    const size_t n = grid_values(plan);
    if (n_band == 1) return 1;
    return n > 0 ? power(n, n_band) - power(n - 1, n_band) : plan->n_draw;
}

size_t bt_bands_count(const bt_encode_plan *plan, const bt_spaces *spaces, size_t space)
{
    return plan->bands != BT_BANDS_NONE ? bt_spaces_parts(spaces, space)->n : 1;
}

bt_status bt_bands_check(const bt_encode_plan *plan, const bt_spaces *spaces)
{
    enum { MOST_POINTS = 100000 };
    bt_status status = BT_OK;
    const size_t n = grid_values(plan);
    for (size_t s = 0; n > 0 && s < bt_spaces_count(spaces); ++s) {
        const size_t n_band = bt_bands_count(plan, spaces, s);
        BT_CHECK(n_band == 1 || pow((double)n, (double)n_band) <= MOST_POINTS, BT_ERR_USAGE,
                 "bands.logspace: %zu scalings of each of %zu bands are a grid of %.3g points, expected up to %d; take "
                 "fewer scalings, or bands=random",
                 n, n_band, pow((double)n, (double)n_band), MOST_POINTS);
    }
cleanup:
    return status;
}

/* The logarithm of a gamma variate of this shape (Marsaglia & Tsang 2000); below 1 by way of shape + 1, which small
 * shapes need the logarithm for. */
static double log_gamma_variate(bt_random *random, double shape)
{
    const double raised = shape < 1 ? shape + 1 : shape, d = raised - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        const double x = bt_random_normal(random), u = 1 - bt_random_uniform(random), root = 1 + c * x;
        const double v = root * root * root;
        if (root <= 0 || log(u) >= x * x / 2 + d * (1 - v + log(v))) continue;
        const double less = shape < 1 ? log(1 - bt_random_uniform(random)) / shape : 0;
        return log(d * v) + less;
    }
}

/* gamma (n_band) from a symmetric Dirichlet distribution. */
static void draw_one(uint64_t seed, size_t draw, double concentration, size_t n_band, double *gamma)
{
    bt_random random = bt_random_start(seed, bt_random_stream("bands", draw));
    double largest = -INFINITY, sum = 0;
    for (size_t b = 0; b < n_band; ++b) {
        gamma[b] = log_gamma_variate(&random, concentration);
        largest = fmax(largest, gamma[b]);
    }
    for (size_t b = 0; b < n_band; ++b) sum += gamma[b] = exp(gamma[b] - largest);
    for (size_t b = 0; b < n_band; ++b) gamma[b] /= sum;
}

static bt_status draw_all(const bt_encode_plan *plan, bt_bands *bands)
{
    const size_t n = bands->n_band;
    if (plan->draws && plan->n_given_band != n)
        return bt_fail(BT_ERR_INPUT, "bands.draws: expected %zu columns, one a band of the space, found %zu", n,
                       plan->n_given_band);
    if (plan->draws) memcpy(bands->gamma, plan->draws, bands->n_draw * n * sizeof *bands->gamma);
    for (size_t d = 0; !plan->draws && d < bands->n_draw; ++d)
        if (d == 0)
            for (size_t b = 0; b < n; ++b) bands->gamma[b] = 1 / (double)n;
        else
            draw_one(plan->band_seed, d, plan->concentrations.v[d % plan->concentrations.n], n, bands->gamma + d * n);
    return BT_OK;
}

/* gamma (n_band) at a point of the grid, of its values (n_value). */
static void scale_at(const bt_bands *bands, const double *value, size_t point, double *gamma)
{
    double sum = 0;
    for (size_t b = 0; b < bands->n_band; ++b, point /= bands->n_value) sum += gamma[b] = value[point % bands->n_value];
    for (size_t b = 0; b < bands->n_band; ++b) gamma[b] /= sum;
}

/* The lowest of the bands' places at a point. */
static size_t lowest_place(const bt_bands *bands, size_t point)
{
    size_t lowest = bands->n_value;
    for (size_t b = 0; b < bands->n_band; ++b, point /= bands->n_value)
        if (point % bands->n_value < lowest) lowest = point % bands->n_value;
    return lowest;
}

/* A point at which no band lies lowest has the ratios of the one where all are moved down together. */
static bt_status lay_grid(const bt_encode_plan *plan, bt_bands *bands)
{
    bt_status status = BT_OK;
    double *value = NULL;
    const size_t n = bands->n_value, n_point = power(n, bands->n_band), all_by_one = (n_point - 1) / (n - 1);
    BT_ALLOC(bands->draw_at, n_point);
    BT_ALLOC(value, n);
    bt_logspace_fill(&plan->band_logspace, value);
    for (size_t p = 0, draw = 0; p < n_point; ++p) {
        const size_t lowest = lowest_place(bands, p);
        bands->draw_at[p] = lowest > 0 ? bands->draw_at[p - lowest * all_by_one] : draw++;
        if (lowest == 0) scale_at(bands, value, p, bands->gamma + bands->draw_at[p] * bands->n_band);
    }
cleanup:
    bt_free(value);
    return status;
}

bt_status bt_bands_create(const bt_encode_plan *plan, const bt_spaces *spaces, size_t space, bt_bands *out)
{
    bt_status status = BT_OK;
    const size_t n_band = bt_bands_count(plan, spaces, space);
    *out = (bt_bands){.n_draw = bt_bands_draws(plan, n_band), .n_band = n_band, .n_delay = plan->design.delays.n};
    BT_ALLOC(out->width, out->n_band);
    BT_ALLOC(out->gamma, out->n_draw * out->n_band);
    out->width[0] = bt_spaces_width(spaces, space);
    out->gamma[0] = 1;
    for (size_t b = 0; n_band > 1 && b < n_band; ++b) out->width[b] = bt_spaces_part_width(spaces, space, b);
    if (n_band == 1) goto cleanup;
    out->n_value = grid_values(plan);
    BT_TRY(out->n_value > 0 ? lay_grid(plan, out) : draw_all(plan, out));
cleanup:
    if (status != BT_OK) bt_bands_clear(out);
    return status;
}

void bt_bands_clear(bt_bands *bands)
{
    bt_free(bands->width);
    bt_free(bands->gamma);
    bt_free(bands->draw_at);
    *bands = (bt_bands){0};
}

void bt_bands_factors(const bt_bands *bands, size_t draw, double *factor)
{
    for (size_t d = 0; d < bands->n_delay; ++d)
        for (size_t b = 0; b < bands->n_band; ++b)
            for (size_t f = 0; f < bands->width[b]; ++f) *factor++ = sqrt(bands->gamma[draw * bands->n_band + b]);
}

void bt_bands_split(const bt_bands *bands, const double *x, size_t n_row, double *parts)
{
    size_t width = 0;
    for (size_t b = 0; b < bands->n_band; ++b) width += bands->width[b];
    const size_t n_feature = width * bands->n_delay;
    memset(parts, 0, bands->n_band * n_row * n_feature * sizeof *parts);
    for (size_t d = 0; d < bands->n_delay; ++d)
        for (size_t b = 0, column = d * width; b < bands->n_band; column += bands->width[b++])
            for (size_t i = 0; i < n_row; ++i)
                memcpy(parts + (b * n_row + i) * n_feature + column, x + i * n_feature + column,
                       bands->width[b] * sizeof *x);
}
