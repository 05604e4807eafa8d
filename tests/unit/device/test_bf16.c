/* Products in bfloat16: those of rounded operands, to the rounding of float32 sums. */
#include "device_matrices.h"

#include "device/backward.h"
#include "device/internal.h"
#include "device/kernels/kernels.h"
#include "device/layers.h"

static float upper_half(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t rest = bits & 0xffff;
    bits -= rest;
    if (rest > 0x8000 || (rest == 0x8000 && (bits & 0x10000))) bits += 0x10000;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void to_halves(float *x, size_t n)
{
    for (size_t i = 0; i < n; ++i) x[i] = upper_half(x[i]);
}

static void halves(void **state)
{
    static const float cases[] = {1.0f,     1.00390625f, 1.01171875f, -1.00390630f, 3.3e38f,       1e-40f,      -0.0f,
                                  INFINITY, -INFINITY,   0.1f,        65535,        3.4028235e38f, 1.00390637f, 1e30f};
    enum { N = sizeof cases / sizeof *cases };
    uint16_t out[N + 1];
    const float none = NAN;
    bt_halves(*state, cases, N, 1, N, out);
    bt_halves(*state, &none, 1, 1, 1, out + N);
    for (size_t i = 0; i < N; ++i) {
        const uint32_t bits = (uint32_t)out[i] << 16;
        float back;
        memcpy(&back, &bits, sizeof back);
        assert_memory_equal(&back, &(float){upper_half(cases[i])}, sizeof back);
    }
    assert_true((out[N] & 0x7f80) == 0x7f80 && (out[N] & 0x7f));
}

/* x (n, in) W' + b, or with its GELU. */
static double *product(const float *x, size_t n, size_t in, const float *w, const float *b, size_t out, bool active)
{
    double *const y = bt_calloc(n * out, sizeof *y);
    for (size_t t = 0; t < n; ++t)
        for (size_t o = 0; o < out; ++o) {
            double sum = b ? (double)b[o] : 0;
            for (size_t i = 0; i < in; ++i) sum += (double)x[t * in + i] * (double)w[o * in + i];
            y[t * out + o] = active ? gelu(sum) : sum;
        }
    return y;
}

/* Where it would be slow it must be forced. */
static void refused(void **state)
{
    assert_int_equal(bt_device_set_products(*state, BT_BF16, false), bt_kernels_have_bf16() ? BT_OK : BT_ERR_USAGE);
    if (!bt_kernels_have_bf16()) assert_non_null(strstr(bt_error_message(), "precision.force=true"));
    bt_error_clear();
    expect_ok(bt_device_set_products(*state, BT_F32, false));
}

enum { ROWS = 75, IN = 72, OUT = 40 };

static void packed_layer(void **state)
{
    float *w, *b, *x;
    bt_linear *layer = NULL;
    const bt_matrix weight = made(*state, 1, OUT, IN, &w), bias = made(*state, 2, 1, OUT, &b);
    const bt_matrix from = made(*state, 3, ROWS, IN, &x), to = empty(*state, ROWS, OUT);
    expect_ok(bt_device_set_products(*state, BT_BF16, true));
    expect_ok(bt_linear_create(*state, weight, bias, BT_ACTIVATION_GELU, &layer));
    expect_ok(bt_device_set_products(*state, BT_F32, true)); /* it keeps what it was made with */
    expect_ok(bt_linear_apply(layer, from, to));
    to_halves(w, OUT * IN);
    to_halves(x, ROWS * IN);
    expect_matrix(to, product(x, ROWS, IN, w, b, OUT, true), 2e-6);
    bt_linear_destroy(&layer);
    drop(weight, w);
    drop(bias, b);
    drop(from, x);
}

/* dx = beta dx + dy W and dW += dy' x with operands rounded, the bias's gradient without. */
static void trained_layer(void **state)
{
    float *w, *x, *dy, *dx, *dw, *db;
    const bt_matrix weight = made(*state, 1, OUT, IN, &w), from = made(*state, 3, ROWS, IN, &x);
    const bt_matrix dto = made(*state, 4, ROWS, OUT, &dy), dfrom = made(*state, 5, ROWS, IN, &dx);
    const bt_matrix dweight = made(*state, 6, OUT, IN, &dw), dbias = made(*state, 7, 1, OUT, &db);
    const bt_matrix to = empty(*state, ROWS, OUT);
    double *const want_dx = bt_calloc(ROWS * IN, sizeof(double)), *const want_dw = bt_calloc(OUT * IN, sizeof(double));
    double *const want_db = bt_calloc(OUT, sizeof(double));
    expect_ok(bt_device_set_products(*state, BT_BF16, true));
    expect_ok(bt_linear_forward(*state, from, weight, (bt_matrix){0}, to));
    expect_ok(bt_linear_backward(*state, from, weight, dto, 0.5, dfrom, dweight, dbias));
    expect_ok(bt_linear_backward(*state, from, weight, dto, 0.5, dfrom, dweight, dbias)); /* a kept primitive */
    expect_ok(bt_device_set_products(*state, BT_F32, true));
    for (size_t i = 0; i < OUT; ++i) {
        want_db[i] = (double)db[i];
        for (size_t t = 0; t < ROWS; ++t) want_db[i] += 2 * (double)dy[t * OUT + i];
    }
    to_halves(w, OUT * IN);
    to_halves(x, ROWS * IN);
    to_halves(dy, ROWS * OUT);
    for (size_t t = 0; t < ROWS; ++t)
        for (size_t i = 0; i < IN; ++i) {
            want_dx[t * IN + i] = 0.25 * (double)dx[t * IN + i];
            for (size_t o = 0; o < OUT; ++o)
                want_dx[t * IN + i] += 1.5 * (double)dy[t * OUT + o] * (double)w[o * IN + i];
        }
    for (size_t o = 0; o < OUT; ++o)
        for (size_t i = 0; i < IN; ++i) {
            want_dw[o * IN + i] = (double)dw[o * IN + i];
            for (size_t t = 0; t < ROWS; ++t)
                want_dw[o * IN + i] += 2 * (double)dy[t * OUT + o] * (double)x[t * IN + i];
        }
    expect_matrix(to, product(x, ROWS, IN, w, NULL, OUT, false), 2e-6);
    expect_matrix(dfrom, want_dx, 2e-6);
    expect_matrix(dweight, want_dw, 2e-6);
    expect_matrix(dbias, want_db, 2e-6);
    drop(weight, w);
    drop(from, x);
    drop(dto, dy);
    bt_free(dx);
    bt_free(dw);
    bt_free(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(halves), cmocka_unit_test(refused),
                                       cmocka_unit_test(packed_layer), cmocka_unit_test(trained_layer)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
