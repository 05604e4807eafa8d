/* What training of a convolutional front end asks for, against central differences of the formula: convolutions with a
 * stride, and the layer that meets the samples. */
#include "differences.h"

#include "device/backward.h"

/* --- taps ------------------------------------------------------------------------------------------------------------
 */

typedef struct {
    bt_convolution_spec spec;
    size_t rows;
} taps_shape;

static void taps_formula(const void *shape, double *const *in, double *out)
{
    const taps_shape *const taps = shape;
    const bt_convolution_spec *const s = &taps->spec;
    const double *const x = in[0], *const w = in[1];
    for (size_t t = 0; t < taps->rows; ++t)
        for (size_t o = 0; o < s->out; ++o) {
            double sum = in[2][o];
            for (size_t k = 0; k < s->kernel; ++k)
                for (size_t i = 0; i < s->in; ++i)
                    sum += w[(o * s->in + i) * s->kernel + k] * x[(t * s->stride + k) * s->in + i];
            out[t * s->out + o] = gelu(sum);
        }
}

/* The input is gelu(before). */
static bt_matrix add_active_input(problem *p, size_t rows, size_t columns)
{
    float *host;
    add_input(p, rows, columns);
    const bt_matrix before = made(p->device, 60, rows, columns, &host);
    expect_ok(bt_gelu_forward(p->device, before, p->in[0]));
    for (size_t i = 0; i < rows * columns; ++i) p->value[0][i] = gelu((double)host[i]);
    bt_free(host);
    return before;
}

static void taps_case(bt_device *device, bt_convolution_spec spec, size_t n)
{
    const size_t rows = bt_convolution_rows(&spec, n), columns = spec.kernel * spec.in;
    float *dx0, *dtaps0, *dw0, *db0;
    const taps_shape shape = {spec, rows};
    problem p = {.device = device, .f = taps_formula, .shape = &shape};
    spec.activation = BT_ACTIVATION_GELU;
    bt_matrix before = add_active_input(&p, n, spec.in);
    add_input(&p, spec.out, spec.in * spec.kernel);
    add_input(&p, 1, spec.out);
    set_output(&p, rows, spec.out);
    const bt_matrix y = empty(device, rows, spec.out), h = empty(device, rows, spec.out);
    bt_matrix taps = empty(device, spec.out, columns);
    const bt_matrix dtaps = made(device, 50, spec.out, columns, &dtaps0);
    const bt_matrix dx = gradient_of(&p, 0, &dx0), dw = gradient_of(&p, 1, &dw0), db = gradient_of(&p, 2, &db0);
    expect_ok(bt_taps_pack(device, spec.kernel, p.in[1], taps));
    expect_ok(bt_taps_forward(device, &spec, taps, p.in[2], p.in[0], h, y));
    expect_forward(&p, y);
    expect_ok(bt_matrix_clear(device, dtaps));
    expect_ok(bt_taps_backward(device, &spec, taps, before, h, p.dy, dx, dtaps, db));
    expect_ok(bt_taps_unpack(device, spec.kernel, dtaps, dw));
    expect_gradient(&p, 0, dx, dx0, false);
    expect_gradient(&p, 1, dw, dw0, true);
    expect_gradient(&p, 2, db, db0, true);
    drop(dtaps, dtaps0);
    drop(h, NULL);
    bt_buffer_destroy(&before.buffer);
    bt_buffer_destroy(&taps.buffer);
    problem_clear(&p);
}

/* Kernels above, at and below the stride; a tail of rows that no tap sees. */
static void taps(void **state)
{
    taps_case(*state, (bt_convolution_spec){.in = 5, .out = 7, .groups = 1, .kernel = 3, .stride = 2}, 16);
    taps_case(*state, (bt_convolution_spec){.in = 4, .out = 3, .groups = 1, .kernel = 2, .stride = 2}, 13);
    taps_case(*state, (bt_convolution_spec){.in = 3, .out = 4, .groups = 1, .kernel = 8, .stride = 3}, 31);
    taps_case(*state, (bt_convolution_spec){.in = 2, .out = 5, .groups = 1, .kernel = 2, .stride = 5}, 23);
    taps_case(*state, (bt_convolution_spec){.in = 1, .out = 1, .groups = 1, .kernel = 4, .stride = 1}, 4);
    float *host;
    const bt_convolution_spec spec = {.in = 2, .out = 2, .groups = 1, .kernel = 2, .stride = 2};
    const bt_matrix x = made(*state, 1, 7, 2, &host), none = {0}, y = bt_matrix_part(x, 0, 0, 3, 2);
    expect_failure(bt_taps_forward(*state, &spec, bt_matrix_part(x, 0, 0, 2, 2), none, x, y, y), BT_ERR_INTERNAL,
                   "taps (2, 2)");
    drop(x, host);
}

/* dh of output row t into the rows that it saw, and into the taps. */
static void scatter(const bt_convolution_spec *s, const float *w, const double *x, const double *dh, size_t t,
                    double *dx, double *dtaps)
{
    for (size_t o = 0; o < s->out; ++o)
        for (size_t k = 0; k < s->kernel; ++k)
            for (size_t i = 0; i < s->in; ++i) {
                const size_t at = (t * s->stride + k) * s->in + i, tap = (o * s->kernel + k) * s->in + i;
                dx[at] += dh[o] * (double)w[tap];
                dtaps[tap] += dh[o] * x[at];
            }
}

/* More rows than are taken at a time: parts add to rows of their neighbours. */
static void taps_in_parts(void **state)
{
    static const bt_convolution_spec s = {
        .in = 2, .out = 130, .groups = 1, .kernel = 5, .stride = 2, .activation = BT_ACTIVATION_GELU};
    const size_t n = 6000, rows = bt_convolution_rows(&s, n), columns = s.kernel * s.in;
    float *b, *w, *d;
    const bt_matrix before = made(*state, 1, n, s.in, &b), taps = made(*state, 2, s.out, columns, &w);
    const bt_matrix dy = made(*state, 3, rows, s.out, &d);
    const bt_matrix x = empty(*state, n, s.in), y = empty(*state, rows, s.out), h = empty(*state, rows, s.out);
    const bt_matrix dx = empty(*state, n, s.in), dtaps = empty(*state, s.out, columns), none = {0};
    double *const active = bt_calloc(n * s.in, sizeof *active), *const row = bt_calloc(s.out, sizeof *row);
    double *const wanted = bt_calloc(n * s.in, sizeof *wanted), *const dwanted =
                                                                    bt_calloc(s.out * columns, sizeof *dwanted);
    assert_true(rows > 2 * 1024);
    for (size_t i = 0; i < n * s.in; ++i) active[i] = gelu((double)b[i]);
    expect_ok(bt_gelu_forward(*state, before, x));
    expect_ok(bt_taps_forward(*state, &s, taps, none, x, h, y));
    float *const sums = fetched(h);
    expect_ok(bt_matrix_clear(*state, dtaps));
    expect_ok(bt_taps_backward(*state, &s, taps, before, h, dy, dx, dtaps, none));
    for (size_t t = 0; t < rows; ++t) {
        for (size_t o = 0; o < s.out; ++o) {
            double at = 0;
            for (size_t j = 0; j < columns; ++j) at += (double)w[o * columns + j] * active[t * s.stride * s.in + j];
            expect_near((double)sums[t * s.out + o], at, 1e-4);
            const double slope = 0.5 * (1 + erf(at / sqrt(2))) + at * exp(-at * at / 2) / sqrt(2 * acos(-1));
            row[o] = (double)d[t * s.out + o] * slope;
        }
        scatter(&s, w, active, row, t, wanted, dwanted);
    }
    expect_matrix(dx, wanted, 1e-5);
    expect_matrix(dtaps, dwanted, 1e-5);
    bt_free(active);
    bt_free(row);
    bt_free(sums);
    drop(before, b);
    drop(taps, w);
    drop(dy, d);
    drop(x, NULL);
    drop(y, NULL);
    drop(h, NULL);
}

/* --- signal ----------------------------------------------------------------------------------------------------------
 */

typedef struct {
    bt_signal_spec spec;
    size_t rows;
} signal_shape;

/* Channel c before GELU: normalised over all frames. in: signal, weight, scale, shift. */
static void signal_channel(const signal_shape *s, double *const *in, size_t c, double *h)
{
    double mean = 0, variance = 0;
    for (size_t t = 0; t < s->rows; ++t) {
        h[t] = 0;
        for (size_t k = 0; k < s->spec.kernel; ++k)
            h[t] += in[1][c * s->spec.kernel + k] * in[0][t * s->spec.stride + k];
        mean += h[t] / (double)s->rows;
    }
    for (size_t t = 0; t < s->rows; ++t) variance += (h[t] - mean) * (h[t] - mean) / (double)s->rows;
    for (size_t t = 0; t < s->rows; ++t) h[t] = (h[t] - mean) / sqrt(variance + s->spec.epsilon) * in[2][c] + in[3][c];
}

static void signal_formula(const void *shape, double *const *in, double *out)
{
    const signal_shape *const s = shape;
    double *const h = bt_calloc(s->rows, sizeof *h);
    for (size_t c = 0; c < s->spec.channels; ++c) {
        signal_channel(s, in, c, h);
        for (size_t t = 0; t < s->rows; ++t) out[t * s->spec.channels + c] = gelu(h[t]);
    }
    bt_free(h);
}

static void signal_case(bt_device *device, bt_signal_spec spec, size_t n)
{
    const signal_shape s = {spec, (n - spec.kernel) / spec.stride + 1};
    float *dw0, *dscale0, *dshift0;
    problem p = {.device = device, .f = signal_formula, .shape = &s};
    add_input(&p, 1, n);
    add_input(&p, spec.channels, spec.kernel);
    add_input(&p, 1, spec.channels);
    add_input(&p, 1, spec.channels);
    set_output(&p, s.rows, spec.channels);
    bt_matrix filter = empty(device, 1, bt_signal_filter_count(&spec)), h = empty(device, s.rows, spec.channels);
    const bt_matrix y = empty(device, s.rows, spec.channels);
    const bt_matrix dw = gradient_of(&p, 1, &dw0), dscale = gradient_of(&p, 2, &dscale0);
    const bt_matrix dshift = gradient_of(&p, 3, &dshift0), none = {0};
    expect_ok(bt_signal_filter(device, &spec, p.in[0], p.in[1], p.in[2], p.in[3], filter));
    expect_ok(bt_signal_convolve(device, &spec, p.in[0], filter, h, y));
    expect_forward(&p, y);
    expect_ok(bt_signal_backward(device, &spec, p.in[0], p.in[1], p.in[2], h, p.dy, none, none, none));
    expect_ok(bt_signal_backward(device, &spec, p.in[0], p.in[1], p.in[2], h, p.dy, dw, dscale, dshift));
    expect_gradient(&p, 1, dw, dw0, true);
    expect_gradient(&p, 2, dscale, dscale0, true);
    expect_gradient(&p, 3, dshift, dshift0, true);
    bt_buffer_destroy(&filter.buffer);
    bt_buffer_destroy(&h.buffer);
    problem_clear(&p);
}

/* More and fewer channels than a panel has lanes; more frames than are taken at a time. */
static void signal_layer(void **state)
{
    signal_case(*state, (bt_signal_spec){.channels = 35, .kernel = 10, .stride = 5, .epsilon = 1e-5}, 433);
    signal_case(*state, (bt_signal_spec){.channels = 32, .kernel = 3, .stride = 7, .epsilon = 0.1}, 900);
    signal_case(*state, (bt_signal_spec){.channels = 6, .kernel = 17, .stride = 4, .epsilon = 1e-5}, 700);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(taps), cmocka_unit_test(taps_in_parts),
                                       cmocka_unit_test(signal_layer)};
    return cmocka_run_group_tests_name("device.front_end_backward", tests, setup, teardown);
}
