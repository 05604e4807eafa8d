/* The adjoint of attention, with and without a bias, and of what a bias is made of, against central differences. */
#include "differences.h"

#include "device/backward.h"
#include "device/threads.h"

typedef struct {
    bt_attention_spec spec;
    bt_sequences queries, keys;
    size_t columns;
    size_t reach; /* 0: without bias */
} attention_shape;

static size_t seen(const attention_shape *s, size_t sequence, size_t query)
{
    const size_t n_query = s->queries.offsets[sequence + 1] - s->queries.offsets[sequence];
    const size_t n_key = s->keys.offsets[sequence + 1] - s->keys.offsets[sequence];
    if (s->spec.mask == BT_MASK_PADDING) return s->keys.lengths[sequence];
    if (s->spec.mask == BT_MASK_NONE) return n_key;
    return query + n_key + 1 < n_query ? 0 : query + n_key + 1 - n_query;
}

static double head_product(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t j = 0; j < n; ++j) sum += a[j] * b[j];
    return sum;
}

/* Of query i and key k of sequence `q`, head h. */
static double bias_of(const attention_shape *s, double *const *in, size_t q, size_t h, size_t i, size_t k)
{
    if (s->reach == 0) return 0;
    const size_t n_query = s->queries.offsets[q + 1] - s->queries.offsets[q];
    const size_t n_key = s->keys.offsets[q + 1] - s->keys.offsets[q];
    return in[3][(s->queries.offsets[q] + i) * s->spec.heads + h] *
           in[4][h * (2 * s->reach - 1) + s->reach - 1 + i + n_key - n_query - k];
}

/* What dropout makes of the probability of query i and key k: see bt_attend_drop. */
static double drop_factor(const bt_dropout *drop, size_t sequence, size_t head, size_t i, size_t k)
{
    if (drop->p <= 0) return 1;
    const uint64_t key = bt_random_at(bt_random_at(bt_random_at(drop->keys[sequence], drop->site), head), i);
    const uint64_t pair = bt_random_at(key, k / 2), draw = k % 2 ? pair >> 32 : pair & 0xffffffff;
    return (double)draw * 0x1p-32 < drop->p ? 0 : 1 / (1 - drop->p);
}

static void attention_formula(const void *shape, double *const *in, double *out)
{
    const attention_shape *const s = shape;
    const size_t width = s->columns / s->spec.heads;
    memset(out, 0, s->queries.offsets[s->queries.n] * s->columns * sizeof *out);
    for (size_t q = 0; q < s->queries.n; ++q)
        for (size_t h = 0; h < s->spec.heads; ++h)
            for (size_t i = s->queries.offsets[q]; i < s->queries.offsets[q + 1]; ++i) {
                const size_t n = seen(s, q, i - s->queries.offsets[q]), key = s->keys.offsets[q];
                double weights[256], sum = 0;
                for (size_t k = 0; k < n; ++k)
                    sum += weights[k] =
                        exp(s->spec.scale * head_product(in[0] + i * s->columns + h * width,
                                                         in[1] + (key + k) * s->columns + h * width, width) +
                            bias_of(s, in, q, h, i - s->queries.offsets[q], k));
                for (size_t k = 0; k < n; ++k) {
                    const double p = weights[k] / sum * drop_factor(&s->spec.drop, q, h, i - s->queries.offsets[q], k);
                    for (size_t j = 0; j < width; ++j)
                        out[i * s->columns + h * width + j] += p * in[2][(key + k) * s->columns + h * width + j];
                }
            }
}

static void attention_case(bt_device *device, const attention_shape *s)
{
    const size_t n_query = s->queries.offsets[s->queries.n], n_key = s->keys.offsets[s->keys.n];
    problem p = {.device = device, .f = attention_formula, .shape = s};
    bt_attention_spec spec = s->spec;
    bt_attention_bias dbias = {0};
    float *q0, *k0, *v0, *gates0 = NULL, *distances0 = NULL;
    add_input(&p, n_query, s->columns);
    add_input(&p, n_key, s->columns);
    add_input(&p, n_key, s->columns);
    if (s->reach > 0) {
        add_input(&p, n_query, s->spec.heads);
        add_input(&p, s->spec.heads, 2 * s->reach - 1);
        spec.bias = (bt_attention_bias){p.in[3], p.in[4]};
        dbias = (bt_attention_bias){gradient_of(&p, 3, &gates0), gradient_of(&p, 4, &distances0)};
    }
    set_output(&p, n_query, s->columns);
    const bt_matrix dq = gradient_of(&p, 0, &q0), dk = gradient_of(&p, 1, &k0), dv = gradient_of(&p, 2, &v0);
    const bt_matrix y = empty(device, n_query, s->columns);
    expect_ok(bt_attention(device, &spec, p.in[0], s->queries, p.in[1], p.in[2], s->keys, y));
    expect_ok(bt_attention_backward(device, &spec, p.in[0], s->queries, p.in[1], p.in[2], s->keys, y, p.dy, dq, dk, dv,
                                    dbias));
    expect_forward(&p, y);
    expect_gradient(&p, 0, dq, q0, false);
    expect_gradient(&p, 1, dk, k0, false);
    expect_gradient(&p, 2, dv, v0, false);
    if (s->reach > 0) {
        expect_gradient(&p, 3, dbias.gates, gates0, false);
        expect_gradient(&p, 4, dbias.distances, distances0, true);
    }
    problem_clear(&p);
}

static void adjoint(void **state)
{
    static const size_t few[] = {0, 5, 6, 23}, other[] = {0, 9, 12, 25}, real[] = {7, 1, 13}, longer[] = {0, 131};
    const bt_sequences same = {3, few, NULL}, padded = {3, other, real}, more = {3, other, NULL},
                       one = {1, longer, NULL};
    const attention_shape shapes[] = {
        {{.heads = 3, .mask = BT_MASK_NONE, .scale = 0.6}, same, same, 12, 0},
        {{.heads = 1, .mask = BT_MASK_NONE, .scale = 0.3}, same, more, 5, 0},
        {{.heads = 2, .mask = BT_MASK_CAUSAL, .scale = 0.5}, same, same, 6, 0},
        {{.heads = 2, .mask = BT_MASK_CAUSAL, .scale = 0.5}, more, same, 4, 0},
        {{.heads = 2, .mask = BT_MASK_PADDING, .scale = 0.5}, same, padded, 8, 0},
        {{.heads = 1, .mask = BT_MASK_NONE, .scale = 0.5}, one, one, 2, 0},
        {{.heads = 1, .mask = BT_MASK_NONE, .scale = 0.2}, same, more, 34, 0},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; ++i) attention_case(*state, &shapes[i]);
}

/* Queries, keys and values in one matrix, as a block has keys and values: strides that differ from the columns. */
static void strides(void **state)
{
    static const size_t offsets[] = {0, 4, 15};
    const bt_sequences sequences = {2, offsets, NULL};
    const attention_shape s = {{.heads = 2, .mask = BT_MASK_NONE, .scale = 0.7}, sequences, sequences, 6, 0};
    problem p = {.device = *state, .f = attention_formula, .shape = &s};
    float *joined;
    for (size_t i = 0; i < 3; ++i) add_input(&p, 15, 6);
    set_output(&p, 15, 6);
    bt_matrix all = made(*state, 5, 15, 18, &joined), dall = empty(*state, 15, 18);
    bt_matrix out = empty(*state, 15, 6), in[3], din[3];
    for (size_t i = 0; i < 3; ++i) {
        in[i] = bt_matrix_part(all, 0, 6 * i, 15, 6);
        din[i] = bt_matrix_part(dall, 0, 6 * i, 15, 6);
        for (size_t j = 0; j < 15 * 6; ++j) p.value[i][j] = (double)joined[j / 6 * 18 + 6 * i + j % 6];
    }
    expect_ok(bt_attention(*state, &s.spec, in[0], sequences, in[1], in[2], sequences, out));
    expect_ok(bt_attention_backward(*state, &s.spec, in[0], sequences, in[1], in[2], sequences, out, p.dy, din[0],
                                    din[1], din[2], (bt_attention_bias){0}));
    for (size_t i = 0; i < 3; ++i) {
        float *const host = fetched(din[i]);
        double *const wanted = differences(&p, i, NULL);
        expect_near(distance(host, wanted, 15 * 6), 0, 3e-5);
        bt_free(host);
        bt_free(wanted);
    }
    bt_buffer_destroy(&dall.buffer);
    bt_buffer_destroy(&out.buffer);
    drop(all, joined);
    problem_clear(&p);
}

static void dropped_adjoint(void **state)
{
    static const size_t few[] = {0, 5, 6, 23}, all[] = {0, 9, 12, 25}, real[] = {7, 1, 13}, longer[] = {0, 131},
                        some[] = {0, 35};
    static const uint64_t keys[] = {3, 1, 4};
    const bt_dropout drop = {.p = 0.4, .keys = keys, .site = 7};
    const bt_sequences same = {3, few, NULL}, padded = {3, all, real}, more = {3, all, NULL}, many = {1, longer, NULL};
    const attention_shape shapes[] = {
        {{.heads = 3, .scale = 0.6, .drop = drop}, same, more, 12, 0},
        {{.heads = 1, .scale = 0.5, .drop = drop}, {1, some, NULL}, many, 2, 0},
        {{.heads = 2, .mask = BT_MASK_CAUSAL, .scale = 0.5, .drop = drop}, more, same, 4, 0},
        {{.heads = 2, .mask = BT_MASK_PADDING, .scale = 0.5, .drop = drop}, same, padded, 8, 0},
        {{.heads = 3, .scale = 0.6, .drop = drop}, more, more, 12, 13},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; ++i) attention_case(*state, &shapes[i]);
}

/* Several sequences, whose distances share memory; blocks of keys and of queries that end in the middle; queries that
 * are a sequence's last rows; a reach above the longest. */
static void biased_adjoint(void **state)
{
    static const size_t all[] = {0, 9, 12, 25}, last[] = {0, 4, 5, 16}, real[] = {7, 1, 13}, longer[] = {0, 131},
                        some[] = {0, 35};
    const bt_sequences same = {3, all, NULL}, fewer = {3, last, NULL}, padded = {3, all, real},
                       many = {1, longer, NULL};
    const attention_shape shapes[] = {
        {{.heads = 3, .scale = 0.6}, same, same, 12, 13},
        {{.heads = 2, .scale = 0.3}, fewer, same, 6, 15},
        {{.heads = 2, .mask = BT_MASK_CAUSAL, .scale = 0.5}, fewer, same, 4, 13},
        {{.heads = 1, .mask = BT_MASK_PADDING, .scale = 0.5}, same, padded, 8, 13},
        {{.heads = 1, .scale = 0.5}, {1, some, NULL}, many, 2, 131},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; ++i) attention_case(*state, &shapes[i]);
}

/* Sums over the sequences do not depend on who made them: the same bits with one thread and with four. */
static void biased_threads(void **state)
{
    static const size_t all[] = {0, 40, 43, 90, 131};
    const bt_sequences sequences = {4, all, NULL};
    const int usual = bt_threads_get();
    float *first = NULL;
    (void)state;
    for (int threads = 1; threads <= 4; threads += 3) {
        bt_device *device = NULL;
        bt_threads_set(threads);
        expect_ok(bt_device_create(BT_DEVICE_CPU, &device));
        bt_matrix m[10];
        float *host;
        for (size_t i = 0; i < 10; ++i) {
            m[i] = made(device, i, i == 9 ? 3 : 131, i == 9 ? 95 : i == 8 ? 3 : 12, &host);
            bt_free(host);
        }
        const bt_attention_spec spec = {.heads = 3, .scale = 0.4, .bias = {m[8], m[9]}};
        const bt_attention_bias dbias = {empty(device, 131, 3), empty(device, 3, 95)};
        expect_ok(bt_attention(device, &spec, m[0], sequences, m[1], m[2], sequences, m[3]));
        expect_ok(bt_attention_backward(device, &spec, m[0], sequences, m[1], m[2], sequences, m[3], m[4], m[5], m[6],
                                        m[7], dbias));
        float *const sums = fetched(dbias.distances);
        if (first) assert_memory_equal(first, sums, 3 * 95 * sizeof *sums);
        bt_free(first);
        first = sums;
        for (size_t i = 0; i < 10; ++i) bt_buffer_destroy(&m[i].buffer);
        drop(dbias.gates, NULL);
        drop(dbias.distances, NULL);
        bt_device_destroy(&device);
    }
    bt_free(first);
    bt_threads_set(usual);
}

static void bias_refused(void **state)
{
    static const size_t long_ones[] = {0, 5}, short_ones[] = {0, 3};
    const bt_sequences five = {1, long_ones, NULL}, three = {1, short_ones, NULL};
    bt_matrix x = empty(*state, 5, 4), gates = empty(*state, 5, 2), distances = empty(*state, 2, 9);
    bt_attention_spec spec = {.heads = 2, .scale = 1, .bias = {gates, distances}};
    expect_ok(bt_attention(*state, &spec, x, five, x, x, five, x));
    expect_failure(bt_attention(*state, &spec, x, five, x, x, three, x), BT_ERR_INTERNAL, "do not fit 2 heads");
    spec.bias.distances = bt_matrix_part(distances, 0, 0, 2, 7);
    expect_failure(bt_attention(*state, &spec, x, five, x, x, five, x), BT_ERR_INTERNAL, "distances (2, 7)");
    bt_buffer_destroy(&x.buffer);
    bt_buffer_destroy(&gates.buffer);
    bt_buffer_destroy(&distances.buffer);
}

/* --- gates and columns -----------------------------------------------------------------------------------------------
 */

enum { GATE_ROWS = 7, GATE_HEADS = 3 };

static void gates_formula(const void *shape, double *const *in, double *out)
{
    (void)shape;
    for (size_t i = 0; i < GATE_ROWS * GATE_HEADS; ++i) {
        const double *const z = in[0] + i * BT_GATE_UNITS;
        const double a = 1 / (1 + exp(-z[0] - z[1] - z[2] - z[3])), c = 1 / (1 + exp(-z[4] - z[5] - z[6] - z[7]));
        out[i] = a * (c * in[1][i % GATE_HEADS] - 1) + 2;
    }
}

static void gates_adjoint(void **state)
{
    problem p = {.device = *state, .f = gates_formula};
    float *z0, *factors0;
    add_input(&p, GATE_ROWS, GATE_HEADS * BT_GATE_UNITS);
    add_input(&p, 1, GATE_HEADS);
    set_output(&p, GATE_ROWS, GATE_HEADS);
    const bt_matrix gates = empty(*state, GATE_ROWS, GATE_HEADS);
    const bt_matrix dz = gradient_of(&p, 0, &z0), dfactors = gradient_of(&p, 1, &factors0);
    expect_ok(bt_gates(*state, p.in[0], p.in[1], gates));
    expect_ok(bt_gates_backward(*state, p.in[0], p.in[1], p.dy, dz, dfactors));
    expect_failure(bt_gates(*state, p.in[1], p.in[1], gates), BT_ERR_INTERNAL, "bt_gates: sums (1, 3)");
    expect_forward(&p, gates);
    expect_gradient(&p, 0, dz, z0, false);
    expect_gradient(&p, 1, dfactors, factors0, true);
    problem_clear(&p);
}

static const size_t picked[] = {2, 0, 2, 3, 3, 3};

static void columns_formula(const void *shape, double *const *in, double *out)
{
    (void)shape;
    for (size_t j = 0; j < 5; ++j)
        for (size_t i = 0; i < 6; ++i) out[j * 6 + i] = in[0][picked[i] * 5 + j];
}

static void columns_adjoint(void **state)
{
    problem p = {.device = *state, .f = columns_formula};
    float *x0;
    add_input(&p, 4, 5);
    set_output(&p, 5, 6);
    const bt_matrix out = empty(*state, 5, 6), dx = gradient_of(&p, 0, &x0);
    expect_ok(bt_rows_to_columns(*state, p.in[0], picked, out));
    expect_ok(bt_rows_to_columns_backward(*state, p.dy, picked, dx));
    expect_failure(bt_rows_to_columns(*state, bt_matrix_part(p.in[0], 0, 0, 3, 5), picked, out), BT_ERR_INTERNAL,
                   "row 3 of 3");
    expect_forward(&p, out);
    expect_gradient(&p, 0, dx, x0, true);
    problem_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(adjoint),         cmocka_unit_test(strides),
                                       cmocka_unit_test(dropped_adjoint), cmocka_unit_test(biased_adjoint),
                                       cmocka_unit_test(biased_threads),  cmocka_unit_test(bias_refused),
                                       cmocka_unit_test(gates_adjoint),   cmocka_unit_test(columns_adjoint)};
    return cmocka_run_group_tests_name("device.attention_backward", tests, setup, teardown);
}
