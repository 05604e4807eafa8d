/* Every layer operation against a plain rendering of its formula in double precision. */
#include "device_matrices.h"

#include "device/layers.h"

/* --- linear ---------------------------------------------------------------------------------------------------------
 */

static double *linear_reference(const float *x, size_t n, size_t in, const float *w, const float *b, size_t out, bool f)
{
    double *const y = bt_calloc(n * out, sizeof *y);
    for (size_t t = 0; t < n; ++t)
        for (size_t o = 0; o < out; ++o) {
            double sum = b ? (double)b[o] : 0;
            for (size_t i = 0; i < in; ++i) sum += (double)x[t * in + i] * (double)w[o * in + i];
            y[t * out + o] = f ? gelu(sum) : sum;
        }
    return y;
}

static void linear_case(bt_device *device, size_t in, size_t out, bool with_bias, bt_activation activation)
{
    static const size_t rows[] = {1, 2, 37, 130, 37};
    float *w, *b;
    bt_linear *linear = NULL;
    const bt_matrix weight = made(device, 1, out, in, &w), bias = made(device, 2, 1, out, &b);
    expect_ok(bt_linear_create(device, weight, with_bias ? bias : (bt_matrix){0}, activation, &linear));
    for (size_t r = 0; r < sizeof rows / sizeof *rows; ++r) {
        float *x;
        const bt_matrix from = made(device, 3 + r, rows[r], in, &x), to = empty(device, rows[r], out);
        expect_ok(bt_linear_apply(linear, from, to));
        expect_matrix(to, linear_reference(x, rows[r], in, w, with_bias ? b : NULL, out, activation), 2e-6);
        drop(from, x);
    }
    bt_linear_destroy(&linear);
    drop(weight, w);
    drop(bias, b);
}

static void linear(void **state)
{
    linear_case(*state, 24, 72, true, BT_ACTIVATION_NONE);
    linear_case(*state, 64, 256, true, BT_ACTIVATION_GELU);
    linear_case(*state, 7, 5, false, BT_ACTIVATION_GELU);
    linear_case(*state, 1, 1, true, BT_ACTIVATION_NONE);
}

/* More shapes than a layer keeps: the oldest are replaced, results stay right. */
static void linear_many_shapes(void **state)
{
    float *w, *x;
    bt_linear *layer = NULL;
    const bt_matrix weight = made(*state, 1, 8, 16, &w), from = made(*state, 2, 80, 16, &x);
    expect_ok(bt_linear_create(*state, weight, (bt_matrix){0}, BT_ACTIVATION_NONE, &layer));
    for (size_t n = 1; n <= 80; ++n) {
        const bt_matrix to = empty(*state, n, 8);
        expect_ok(bt_linear_apply(layer, bt_matrix_part(from, 0, 0, n, 16), to));
        expect_matrix(to, linear_reference(x, n, 16, w, NULL, 8, false), 2e-6);
    }
    bt_linear_destroy(&layer);
    drop(weight, w);
    drop(from, x);
}

/* --- convolution ----------------------------------------------------------------------------------------------------
 */

static double *convolution_reference(const bt_convolution_spec *s, const float *x, size_t n, const float *w,
                                     const float *b)
{
    const size_t rows = bt_convolution_rows(s, n), in = s->in / s->groups, out = s->out / s->groups;
    double *const y = bt_calloc(rows * s->out, sizeof *y);
    for (size_t t = 0; t < rows; ++t)
        for (size_t o = 0; o < s->out; ++o) {
            double sum = b ? (double)b[o] : 0;
            for (size_t i = 0; i < in; ++i)
                for (size_t k = 0; k < s->kernel; ++k) {
                    const size_t row = t * s->stride + k;
                    if (row >= s->before && row - s->before < n)
                        sum += (double)w[(o * in + i) * s->kernel + k] *
                               (double)x[(row - s->before) * s->in + o / out * in + i];
                }
            y[t * s->out + o] = s->activation == BT_ACTIVATION_GELU ? gelu(sum) : sum;
        }
    return y;
}

static void convolution_case(bt_device *device, bt_convolution_spec spec, bool with_bias)
{
    static const size_t rows[] = {3, 61, 300, 5, 1100};
    float *w, *b;
    bt_convolution *convolution = NULL;
    const bt_matrix weight = made(device, 1, spec.out, spec.in / spec.groups * spec.kernel, &w);
    const bt_matrix bias = made(device, 2, 1, spec.out, &b);
    expect_ok(bt_convolution_create(device, &spec, weight, with_bias ? bias : (bt_matrix){0}, &convolution));
    for (size_t r = 0; r < sizeof rows / sizeof *rows; ++r) {
        float *x;
        const bt_matrix from = made(device, 3 + r, rows[r], spec.in, &x);
        const bt_matrix to = empty(device, bt_convolution_rows(&spec, rows[r]), spec.out);
        expect_ok(bt_convolution_apply(convolution, from, to));
        expect_matrix(to, convolution_reference(&spec, x, rows[r], w, with_bias ? b : NULL), 3e-6);
        drop(from, x);
    }
    bt_convolution_destroy(&convolution);
    drop(weight, w);
    drop(bias, b);
}

static void convolution(void **state)
{
    bt_convolution_spec spec = {.in = 32, .out = 32, .groups = 1, .kernel = 3, .stride = 2};
    convolution_case(*state, spec, false);
    spec = (bt_convolution_spec){
        .in = 20, .out = 28, .groups = 1, .kernel = 3, .stride = 2, .activation = BT_ACTIVATION_GELU};
    convolution_case(*state, spec, true);
    spec.in = 40, spec.out = 48;
    convolution_case(*state, spec, true);
    spec.kernel = 2; /* rows apart */
    convolution_case(*state, spec, true);
    spec = (bt_convolution_spec){.in = 7, .out = 9, .groups = 1, .kernel = 2, .stride = 3};
    convolution_case(*state, spec, true);
}

static void convolution_in_groups(void **state)
{
    bt_convolution_spec spec = {.in = 96, .out = 96, .groups = 2, .kernel = 8, .stride = 1, .before = 4, .after = 3};
    spec.activation = BT_ACTIVATION_GELU;
    convolution_case(*state, spec, true); /* 48 a group: oneDNN */
    spec.groups = 4;                      /* 24 a group: our own */
    convolution_case(*state, spec, true);
    spec.groups = 2;
    spec.in = 24, spec.out = 80, spec.stride = 2, spec.kernel = 5; /* 12 to 40: two panels */
    convolution_case(*state, spec, false);
    spec.in = spec.out = spec.groups = 6; /* one channel a group */
    spec.activation = BT_ACTIVATION_NONE;
    convolution_case(*state, spec, true);
}

/* --- signal ---------------------------------------------------------------------------------------------------------
 */

static void signal_normalise(void **state)
{
    enum { N = 40001 };
    float *x;
    double *const truth = bt_calloc(N, sizeof *truth), sum = 0, squares = 0;
    const bt_matrix signal = made(*state, 1, 1, N, &x);
    for (size_t i = 0; i < N; ++i) x[i] = 0.01f * x[i] + 3.0f;
    expect_ok(bt_buffer_write(signal.buffer, 0, x, N));
    for (size_t i = 0; i < N; ++i) sum += (double)x[i];
    for (size_t i = 0; i < N; ++i) squares += pow((double)x[i] - sum / N, 2);
    for (size_t i = 0; i < N; ++i) truth[i] = ((double)x[i] - sum / N) / sqrt(squares / N + 1e-7);
    expect_ok(bt_signal_normalise(*state, signal, 1e-7));
    bt_free(x);
    expect_matrix(signal, truth, 1e-6);
}

/* Convolution, norm of every channel over all frames, GELU: as three steps. */
static double *signal_reference(const bt_signal_spec *s, const float *x, size_t frames, const float *w,
                                const float *scale, const float *shift)
{
    double *const y = bt_calloc(frames * s->channels, sizeof *y);
    for (size_t c = 0; c < s->channels; ++c) {
        double mean = 0, variance = 0;
        for (size_t f = 0; f < frames; ++f) {
            double sum = 0;
            for (size_t k = 0; k < s->kernel; ++k) sum += (double)w[c * s->kernel + k] * (double)x[f * s->stride + k];
            y[f * s->channels + c] = sum;
            mean += sum / (double)frames;
        }
        for (size_t f = 0; f < frames; ++f) variance += pow(y[f * s->channels + c] - mean, 2) / (double)frames;
        for (size_t f = 0; f < frames; ++f) {
            double *const at = y + f * s->channels + c;
            *at = gelu((*at - mean) / sqrt(variance + s->epsilon) * (double)scale[c] + (double)shift[c]);
        }
    }
    return y;
}

static void signal_case(bt_device *device, bt_signal_spec spec, size_t n)
{
    float *x, *w, *scale, *shift;
    const size_t frames = (n - spec.kernel) / spec.stride + 1;
    const bt_matrix signal = made(device, 1, 1, n, &x);
    for (size_t i = 1; i < n; ++i) x[i] = 0.98f * x[i - 1] + 0.1f * x[i] + 0.01f; /* low frequencies, and a mean */
    expect_ok(bt_buffer_write(signal.buffer, 0, x, n));
    const bt_matrix weight = made(device, 2, spec.channels, spec.kernel, &w);
    const bt_matrix gain = made(device, 3, 1, spec.channels, &scale), bias = made(device, 4, 1, spec.channels, &shift);
    const bt_matrix filter = empty(device, 1, bt_signal_filter_count(&spec));
    bt_matrix out = empty(device, frames, spec.channels);
    expect_ok(bt_signal_filter(device, &spec, signal, weight, gain, bias, filter));
    expect_ok(bt_signal_convolve(device, &spec, signal, filter, (bt_matrix){0}, out));
    double *const truth = signal_reference(&spec, x, frames, w, scale, shift);
    if (frames > 40) { /* a part alone gives the same rows */
        bt_matrix part = empty(device, 30, spec.channels);
        expect_ok(bt_signal_convolve(device, &spec, bt_matrix_part(signal, 0, 7 * spec.stride, 1, n - 7 * spec.stride),
                                     filter, (bt_matrix){0}, part));
        float *const host = fetched(part);
        expect_near(distance(host, truth + 7 * spec.channels, 30 * spec.channels), 0, 2e-5);
        bt_free(host);
        bt_buffer_destroy(&part.buffer);
    }
    expect_matrix(out, truth, 2e-5);
    drop(signal, x);
    drop(weight, w);
    drop(gain, scale);
    drop(bias, shift);
    drop(filter, NULL);
}

static void signal_layer(void **state)
{
    signal_case(*state, (bt_signal_spec){.channels = 32, .kernel = 10, .stride = 5, .epsilon = 1e-5}, 8000);
    signal_case(*state, (bt_signal_spec){.channels = 20, .kernel = 7, .stride = 3, .epsilon = 1e-5}, 500);
    signal_case(*state, (bt_signal_spec){.channels = 70, .kernel = 40, .stride = 30, .epsilon = 1e-5}, 200000);
    signal_case(*state, (bt_signal_spec){.channels = 3, .kernel = 2, .stride = 2, .epsilon = 1e-5}, 5);
}

/* Silence: every channel is its shift, through GELU. */
static void signal_silence(void **state)
{
    const bt_signal_spec spec = {.channels = 4, .kernel = 3, .stride = 2, .epsilon = 1e-5};
    float *w, *scale, *shift, zeros[64] = {0};
    bt_matrix signal = empty(*state, 1, 64), out = empty(*state, 31, 4);
    expect_ok(bt_buffer_write(signal.buffer, 0, zeros, 64));
    const bt_matrix weight = made(*state, 2, 4, 3, &w), gain = made(*state, 3, 1, 4, &scale);
    const bt_matrix bias = made(*state, 4, 1, 4, &shift), filter = empty(*state, 1, bt_signal_filter_count(&spec));
    expect_ok(bt_signal_filter(*state, &spec, signal, weight, gain, bias, filter));
    expect_ok(bt_signal_convolve(*state, &spec, signal, filter, (bt_matrix){0}, out));
    double *const truth = bt_calloc(31 * 4, sizeof *truth);
    for (size_t i = 0; i < 31 * 4; ++i) truth[i] = gelu((double)shift[i % 4]);
    expect_matrix(out, truth, 1e-6);
    drop(signal, NULL);
    drop(weight, w);
    drop(gain, scale);
    drop(bias, shift);
    drop(filter, NULL);
}

/* --- layer norm, rows -----------------------------------------------------------------------------------------------
 */

static void layer_norm_case(bt_device *device, size_t rows, size_t columns, bool with_residual, bool in_place)
{
    float *x, *residual, *scale, *shift;
    const bt_matrix from = made(device, 1, rows, columns, &x), add = made(device, 2, rows, columns, &residual);
    const bt_matrix gain = made(device, 3, 1, columns, &scale), bias = made(device, 4, 1, columns, &shift);
    const bt_matrix to = in_place ? from : empty(device, rows, columns);
    double *const truth = bt_calloc(rows * columns, sizeof *truth);
    for (size_t i = 0; i < rows; ++i) {
        double *const y = truth + i * columns, mean = 0, variance = 0;
        for (size_t j = 0; j < columns; ++j) {
            y[j] = (double)x[i * columns + j] + (with_residual ? (double)residual[i * columns + j] : 0);
            mean += y[j] / (double)columns;
        }
        for (size_t j = 0; j < columns; ++j) variance += (y[j] - mean) * (y[j] - mean) / (double)columns;
        for (size_t j = 0; j < columns; ++j)
            y[j] = (y[j] - mean) / sqrt(variance + 1e-5) * (double)scale[j] + (double)shift[j];
    }
    expect_ok(bt_layer_norm(device, from, with_residual ? add : (bt_matrix){0}, gain, bias, 1e-5, to));
    if (!in_place) bt_buffer_destroy(&(bt_buffer *){from.buffer});
    expect_matrix(to, truth, 1e-6);
    bt_free(x);
    drop(add, residual);
    drop(gain, scale);
    drop(bias, shift);
}

static void layer_norm(void **state)
{
    layer_norm_case(*state, 50, 24, true, false);
    layer_norm_case(*state, 3, 768, true, true);
    layer_norm_case(*state, 17, 7, false, true);
    layer_norm_case(*state, 33, 129, false, false);
}

static void rows(void **state)
{
    float *x;
    const size_t picked[] = {4, 0, 4}, offsets[] = {0, 2, 2, 5}, lengths[] = {1, 0, 3};
    const bt_matrix from = made(*state, 1, 5, 11, &x), some = empty(*state, 3, 11), mean = empty(*state, 3, 11);
    expect_ok(bt_rows_gather(*state, from, picked, some));
    expect_ok(bt_rows_mean(*state, from, (bt_sequences){3, offsets, lengths}, mean));
    double *const a = bt_calloc(33, sizeof *a), *const b = bt_calloc(33, sizeof *b);
    for (size_t j = 0; j < 11; ++j) {
        a[j] = a[22 + j] = (double)x[44 + j];
        a[11 + j] = (double)x[j];
        b[j] = (double)x[j];
        b[22 + j] = ((double)x[22 + j] + (double)x[33 + j] + (double)x[44 + j]) / 3;
    }
    expect_matrix(some, a, 0);
    expect_matrix(mean, b, 1e-6);
    drop(from, x);
}

/* --- attention ------------------------------------------------------------------------------------------------------
 */

typedef struct {
    bt_attention_spec spec;
    size_t columns;
    bt_sequences queries, keys;
} attention_case;

static void attend_one(const attention_case *c, const float *q, const float *k, const float *v, size_t s, size_t i,
                       double *out)
{
    const size_t n_query = c->queries.offsets[s + 1] - c->queries.offsets[s], first = c->keys.offsets[s];
    const size_t n_key = c->spec.mask == BT_MASK_PADDING ? c->keys.lengths[s] : c->keys.offsets[s + 1] - first;
    const size_t width = c->columns / c->spec.heads, row = c->queries.offsets[s] + i;
    for (size_t h = 0; h < c->spec.heads; ++h) {
        double total = 0, top = -1e300;
        for (int pass = 0; pass < 2; ++pass)
            for (size_t j = 0; j < n_key; ++j) {
                if (c->spec.mask == BT_MASK_CAUSAL && j + n_query > i + n_key) continue;
                double score = 0;
                for (size_t d = h * width; d < (h + 1) * width; ++d)
                    score += (double)q[row * c->columns + d] * (double)k[(first + j) * c->columns + d];
                score *= c->spec.scale;
                if (pass == 0) {
                    top = score > top ? score : top;
                    continue;
                }
                total += exp(score - top);
                for (size_t d = h * width; d < (h + 1) * width; ++d)
                    out[row * c->columns + d] += exp(score - top) * (double)v[(first + j) * c->columns + d];
            }
        for (size_t d = h * width; d < (h + 1) * width && total > 0; ++d) out[row * c->columns + d] /= total;
    }
}

static void check_attention(bt_device *device, const attention_case *c)
{
    float *q, *kv;
    const size_t n_query = c->queries.offsets[c->queries.n], n_key = c->keys.offsets[c->keys.n];
    const bt_matrix query = made(device, 1, n_query, c->columns, &q);
    const bt_matrix both = made(device, 2, n_key, 2 * c->columns, &kv); /* keys and values side by side */
    const bt_matrix out = empty(device, n_query, c->columns);
    float *const k = fetched(bt_matrix_part(both, 0, 0, n_key, c->columns));
    float *const v = fetched(bt_matrix_part(both, 0, c->columns, n_key, c->columns));
    expect_ok(bt_attention(device, &c->spec, query, c->queries, bt_matrix_part(both, 0, 0, n_key, c->columns),
                           bt_matrix_part(both, 0, c->columns, n_key, c->columns), c->keys, out));
    double *const truth = bt_calloc(n_query * c->columns, sizeof *truth);
    for (size_t s = 0; s < c->queries.n; ++s)
        for (size_t i = 0; i < c->queries.offsets[s + 1] - c->queries.offsets[s]; ++i)
            attend_one(c, q, k, v, s, i, truth);
    expect_matrix(out, truth, 3e-6);
    bt_free(k);
    bt_free(v);
    drop(query, q);
    drop(both, kv);
}

static void attention(void **state)
{
    const size_t q[] = {0, 70, 71, 71, 104}, k[] = {0, 300, 301, 320, 353}, lengths[] = {257, 1, 4, 33};
    attention_case c = {
        .spec = {.heads = 3, .scale = 0.6}, .columns = 24, .queries = {4, q, NULL}, .keys = {4, k, lengths}};
    for (int mask = BT_MASK_NONE; mask <= BT_MASK_PADDING; ++mask) {
        c.spec.mask = (bt_mask)mask;
        check_attention(*state, &c);
        c.keys = c.queries; /* equal numbers */
        c.keys.lengths = lengths;
        if (mask != BT_MASK_PADDING) check_attention(*state, &c);
        c.keys = (bt_sequences){4, k, lengths};
    }
    c.spec.mask = BT_MASK_CAUSAL; /* more queries than keys: the first ones see nothing */
    c.queries = (bt_sequences){4, k, NULL};
    c.keys = (bt_sequences){4, q, NULL};
    check_attention(*state, &c);
    c.columns = 64;
    c.spec = (bt_attention_spec){.heads = 1, .scale = 8}; /* large scores: the running maximum matters */
    check_attention(*state, &c);
}

static void wrong_shapes(void **state)
{
    float *x, *w;
    bt_linear *layer = NULL;
    const bt_matrix from = made(*state, 1, 4, 8, &x), weight = made(*state, 2, 6, 8, &w);
    expect_ok(bt_linear_create(*state, weight, (bt_matrix){0}, BT_ACTIVATION_NONE, &layer));
    expect_failure(bt_linear_apply(layer, from, from), BT_ERR_INTERNAL, "bt_linear_apply");
    expect_failure(bt_layer_norm(*state, from, (bt_matrix){0}, weight, weight, 1e-5, weight), BT_ERR_INTERNAL,
                   "do not fit");
    const bt_matrix beyond = {.buffer = from.buffer, .rows = 5, .columns = 8, .stride = 8};
    expect_failure(bt_rows_gather(*state, from, (size_t[]){0, 1, 2, 3, 0}, beyond), BT_ERR_INTERNAL,
                   "leaves its buffer");
    bt_linear_destroy(&layer);
    drop(from, x);
    drop(weight, w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(linear),
                                       cmocka_unit_test(linear_many_shapes),
                                       cmocka_unit_test(convolution),
                                       cmocka_unit_test(convolution_in_groups),
                                       cmocka_unit_test(signal_normalise),
                                       cmocka_unit_test(signal_layer),
                                       cmocka_unit_test(signal_silence),
                                       cmocka_unit_test(layer_norm),
                                       cmocka_unit_test(rows),
                                       cmocka_unit_test(attention),
                                       cmocka_unit_test(wrong_shapes)};
    return cmocka_run_group_tests_name("device.layers", tests, setup, teardown);
}
