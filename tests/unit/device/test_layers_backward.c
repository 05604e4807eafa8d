/* Every adjoint against central differences of the formula. */
#include "differences.h"

#include "device/backward.h"

/* --- linear ----------------------------------------------------------------------------------------------------------
 */

typedef struct {
    size_t n, in, out;
} linear_shape;

static void linear_formula(const void *shape, double *const *in, double *out)
{
    const linear_shape *const s = shape;
    for (size_t t = 0; t < s->n; ++t)
        for (size_t o = 0; o < s->out; ++o) {
            double sum = in[2][o];
            for (size_t i = 0; i < s->in; ++i) sum += in[0][t * s->in + i] * in[1][o * s->in + i];
            out[t * s->out + o] = sum;
        }
}

static void linear(void **state)
{
    static const linear_shape shapes[] = {{7, 5, 9}, {1, 1, 1}, {13, 33, 70}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; ++i) {
        const linear_shape s = shapes[i];
        problem p = {.device = *state, .f = linear_formula, .shape = &shapes[i]};
        float *dx0, *dw0, *db0;
        add_input(&p, s.n, s.in);
        add_input(&p, s.out, s.in);
        add_input(&p, 1, s.out);
        set_output(&p, s.n, s.out);
        const bt_matrix y = empty(*state, s.n, s.out);
        const bt_matrix dx = gradient_of(&p, 0, &dx0), dw = gradient_of(&p, 1, &dw0), db = gradient_of(&p, 2, &db0);
        expect_ok(bt_linear_forward(*state, p.in[0], p.in[1], p.in[2], y));
        expect_forward(&p, y);
        expect_ok(bt_linear_backward(*state, p.in[0], p.in[1], p.dy, i == 0 ? 1 : 0, dx, dw, db));
        expect_gradient(&p, 0, dx, dx0, i == 0);
        expect_gradient(&p, 1, dw, dw0, true);
        expect_gradient(&p, 2, db, db0, true);
        problem_clear(&p);
    }
}

/* Frozen parameters have no gradient memory; shapes that do not fit are refused. */
static void linear_frozen(void **state)
{
    float *before;
    problem p = {.device = *state, .f = linear_formula, .shape = &(linear_shape){3, 4, 2}};
    add_input(&p, 3, 4);
    add_input(&p, 2, 4);
    add_input(&p, 1, 2);
    set_output(&p, 3, 2);
    const bt_matrix dx = gradient_of(&p, 0, &before);
    expect_ok(bt_linear_backward(*state, p.in[0], p.in[1], p.dy, 0, dx, (bt_matrix){0}, (bt_matrix){0}));
    expect_failure(bt_linear_backward(*state, p.in[1], p.in[0], p.dy, 0, dx, (bt_matrix){0}, (bt_matrix){0}),
                   BT_ERR_INTERNAL, "linear: (2, 4)");
    expect_gradient(&p, 0, dx, before, false);
    problem_clear(&p);
}

/* --- GELU and layer norm ---------------------------------------------------------------------------------------------
 */

static void gelu_formula(const void *shape, double *const *in, double *out)
{
    for (size_t i = 0; i < *(const size_t *)shape; ++i) out[i] = gelu(in[0][i]);
}

static void gelu_adjoint(void **state)
{
    static const size_t n = 11 * 37;
    float *before;
    problem p = {.device = *state, .f = gelu_formula, .shape = &n};
    add_input(&p, 11, 37);
    set_output(&p, 11, 37);
    const bt_matrix y = empty(*state, 11, 37), dx = gradient_of(&p, 0, &before);
    expect_ok(bt_gelu_forward(*state, p.in[0], y));
    expect_forward(&p, y);
    expect_ok(bt_gelu_backward(*state, p.in[0], p.dy, dx));
    expect_gradient(&p, 0, dx, before, false);
    problem_clear(&p);
}

static void norm_formula(const void *shape, double *const *in, double *out)
{
    const linear_shape *const s = shape;
    const size_t n = s->in;
    for (size_t t = 0; t < s->n; ++t) {
        const double *const x = in[0] + t * n;
        double mean = 0, variance = 0;
        for (size_t j = 0; j < n; ++j) mean += x[j] / (double)n;
        for (size_t j = 0; j < n; ++j) variance += (x[j] - mean) * (x[j] - mean) / (double)n;
        for (size_t j = 0; j < n; ++j) out[t * n + j] = (x[j] - mean) / sqrt(variance + 1e-3) * in[1][j] + in[2][j];
    }
}

static void layer_norm_adjoint(void **state)
{
    static const linear_shape shapes[] = {{9, 24, 0}, {21, 133, 0}, {2, 3, 0}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; ++i) {
        const linear_shape s = shapes[i];
        problem p = {.device = *state, .f = norm_formula, .shape = &shapes[i]};
        float *dx0, *scale0, *shift0;
        add_input(&p, s.n, s.in);
        add_input(&p, 1, s.in);
        add_input(&p, 1, s.in);
        set_output(&p, s.n, s.in);
        const bt_matrix dx = gradient_of(&p, 0, &dx0), dscale = gradient_of(&p, 1, &scale0);
        const bt_matrix dshift = gradient_of(&p, 2, &shift0), in_place = empty(*state, s.n, s.in);
        expect_ok(bt_layer_norm_backward(*state, p.in[0], p.in[1], 1e-3, p.dy, dx, dscale, dshift));
        expect_gradient(&p, 0, dx, dx0, false);
        expect_gradient(&p, 1, dscale, scale0, true);
        expect_gradient(&p, 2, dshift, shift0, true);
        expect_ok(bt_matrix_clear(*state, in_place));
        expect_ok(bt_matrix_add(*state, in_place, p.dy, in_place));
        expect_ok(
            bt_layer_norm_backward(*state, p.in[0], p.in[1], 1e-3, in_place, in_place, (bt_matrix){0}, (bt_matrix){0}));
        expect_gradient(&p, 0, in_place, NULL, false);
        problem_clear(&p);
    }
}

/* --- convolution in groups -------------------------------------------------------------------------------------------
 */

typedef struct {
    bt_convolution_spec spec;
    bt_sequences sequences;
} convolution_shape;

static void convolution_formula(const void *shape, double *const *x, double *y)
{
    const convolution_shape *const c = shape;
    const bt_convolution_spec *const s = &c->spec;
    const size_t in = s->in / s->groups, out = s->out / s->groups;
    for (size_t q = 0; q < c->sequences.n; ++q) {
        const size_t first = c->sequences.offsets[q], n = c->sequences.offsets[q + 1] - first;
        for (size_t t = 0; t < n; ++t)
            for (size_t o = 0; o < s->out; ++o) {
                double sum = x[2][o];
                for (size_t i = 0; i < in; ++i)
                    for (size_t k = 0; k < s->kernel; ++k)
                        if (t + k >= s->before && t + k - s->before < n)
                            sum += x[1][(o * in + i) * s->kernel + k] *
                                   x[0][(first + t + k - s->before) * s->in + o / out * in + i];
                y[(first + t) * s->out + o] = sum;
            }
    }
}

static void convolution_adjoint(void **state)
{
    static const size_t offsets[] = {0, 9, 9, 10, 31};
    const bt_sequences sequences = {4, offsets, NULL};
    const convolution_shape shapes[] = {
        {{.in = 8, .out = 8, .groups = 2, .kernel = 4, .stride = 1, .before = 2, .after = 1}, sequences},
        {{.in = 6, .out = 9, .groups = 3, .kernel = 5, .stride = 1, .before = 2, .after = 2}, sequences},
        {{.in = 3, .out = 40, .groups = 1, .kernel = 1, .stride = 1}, sequences},
        {{.in = 66, .out = 2, .groups = 2, .kernel = 10, .stride = 1, .before = 5, .after = 4}, sequences},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; ++i) {
        const bt_convolution_spec *const s = &shapes[i].spec;
        problem p = {.device = *state, .f = convolution_formula, .shape = &shapes[i]};
        bt_trained_convolution *convolution = NULL;
        float *dx0, *dw0, *db0;
        add_input(&p, 31, s->in);
        add_input(&p, s->out, s->in / s->groups * s->kernel);
        add_input(&p, 1, s->out);
        set_output(&p, 31, s->out);
        const bt_matrix y = empty(*state, 31, s->out);
        const bt_matrix dx = gradient_of(&p, 0, &dx0), dw = gradient_of(&p, 1, &dw0), db = gradient_of(&p, 2, &db0);
        expect_ok(bt_trained_convolution_create(*state, s, &convolution));
        expect_ok(bt_trained_convolution_forward(convolution, p.in[1], p.in[2], p.in[0], sequences, y));
        expect_forward(&p, y);
        expect_ok(bt_trained_convolution_backward(convolution, p.in[1], p.in[0], sequences, p.dy, dx, dw, db));
        expect_gradient(&p, 0, dx, dx0, false);
        expect_gradient(&p, 1, dw, dw0, true);
        expect_gradient(&p, 2, db, db0, true);
        bt_trained_convolution_destroy(&convolution);
        problem_clear(&p);
    }
}

/* --- weight norm and means -------------------------------------------------------------------------------------------
 */

static void weight_norm_formula(const void *shape, double *const *in, double *out)
{
    const linear_shape *const s = shape;
    for (size_t k = 0; k < s->in; ++k) {
        double squares = 0;
        for (size_t i = 0; i < s->n; ++i) squares += in[1][i * s->in + k] * in[1][i * s->in + k];
        for (size_t i = 0; i < s->n; ++i) out[i * s->in + k] = in[0][k] * in[1][i * s->in + k] / sqrt(squares);
    }
}

static void weight_norm_adjoint(void **state)
{
    static const linear_shape s = {14, 5, 0};
    problem p = {.device = *state, .f = weight_norm_formula, .shape = &s};
    float *dg0, *dv0;
    add_input(&p, 1, s.in);
    add_input(&p, s.n, s.in);
    set_output(&p, s.n, s.in);
    const bt_matrix w = empty(*state, s.n, s.in), dg = gradient_of(&p, 0, &dg0), dv = gradient_of(&p, 1, &dv0);
    expect_ok(bt_weight_norm_forward(*state, p.in[0], p.in[1], w));
    expect_forward(&p, w);
    expect_ok(bt_weight_norm_backward(*state, p.in[0], p.in[1], p.dy, dg, dv));
    expect_gradient(&p, 0, dg, dg0, true);
    expect_gradient(&p, 1, dv, dv0, true);
    problem_clear(&p);
}

static void mean_formula(const void *shape, double *const *in, double *out)
{
    const bt_sequences *const s = shape;
    memset(out, 0, s->n * 6 * sizeof *out);
    for (size_t q = 0; q < s->n; ++q)
        for (size_t i = 0; i < s->lengths[q]; ++i)
            for (size_t j = 0; j < 6; ++j) out[q * 6 + j] += in[0][(s->offsets[q] + i) * 6 + j] / (double)s->lengths[q];
}

static void mean_adjoint(void **state)
{
    static const size_t offsets[] = {0, 4, 4, 11}, lengths[] = {4, 0, 5};
    const bt_sequences sequences = {3, offsets, lengths};
    problem p = {.device = *state, .f = mean_formula, .shape = &sequences};
    float *before;
    add_input(&p, 11, 6);
    set_output(&p, 3, 6);
    const bt_matrix y = empty(*state, 3, 6), dx = gradient_of(&p, 0, &before);
    expect_ok(bt_rows_mean(*state, p.in[0], sequences, y));
    expect_forward(&p, y);
    expect_ok(bt_rows_mean_backward(*state, p.dy, sequences, dx));
    expect_gradient(&p, 0, dx, before, false);
    problem_clear(&p);
}

/* --- Adam ------------------------------------------------------------------------------------------------------------
 */

static void adam(void **state)
{
    enum { N = 5000, STEPS = 7 };
    float *w, *zeros, *dw;
    bt_matrix weight = made(*state, 1, 1, N, &w), m = made(*state, 2, 1, N, &zeros), v = m;
    expect_ok(bt_buffer_create(*state, BT_F32, N, &v.buffer));
    expect_ok(bt_matrix_clear(*state, m));
    double *const at = bt_calloc(N, sizeof *at), *const first = bt_calloc(N, sizeof *first);
    double *const second = bt_calloc(N, sizeof *second);
    for (size_t i = 0; i < N; ++i) at[i] = (double)w[i];
    bt_adam_spec spec = {.rate = 0.01, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .decay = 0.02};
    for (spec.step = 1; spec.step <= STEPS; ++spec.step) {
        const bt_matrix gradient = made(*state, 50 + spec.step, 1, N, &dw);
        expect_ok(bt_adam_update(*state, &spec, gradient, m, v, weight));
        for (size_t i = 0; i < N; ++i) {
            const double g = (double)dw[i] + spec.decay * at[i], t = (double)spec.step;
            first[i] = spec.beta1 * first[i] + (1 - spec.beta1) * g;
            second[i] = spec.beta2 * second[i] + (1 - spec.beta2) * g * g;
            at[i] -= spec.rate * (first[i] / (1 - pow(spec.beta1, t))) /
                     (sqrt(second[i] / (1 - pow(spec.beta2, t))) + spec.epsilon);
        }
        drop(gradient, dw);
    }
    expect_matrix(weight, at, 1e-6);
    expect_matrix(m, first, 1e-6);
    expect_matrix(v, second, 1e-6);
    bt_free(w);
    bt_free(zeros);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(linear),
                                       cmocka_unit_test(linear_frozen),
                                       cmocka_unit_test(gelu_adjoint),
                                       cmocka_unit_test(layer_norm_adjoint),
                                       cmocka_unit_test(convolution_adjoint),
                                       cmocka_unit_test(weight_norm_adjoint),
                                       cmocka_unit_test(mean_adjoint),
                                       cmocka_unit_test(adam)};
    return cmocka_run_group_tests_name("device.layers_backward", tests, setup, teardown);
}
