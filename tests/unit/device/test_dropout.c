/* Dropout: what is drawn, that it is drawn again, and that nothing but sequence, site and place decides. */
#include "device_matrices.h"

#include "device/backward.h"

static const uint64_t keys[] = {11, 5, 11}, apart[] = {11, 5, 12};

static float *dropped(bt_device *device, const bt_dropout *drop, bt_sequences sequences, bt_matrix x)
{
    bt_matrix out = empty(device, x.rows, x.columns);
    expect_ok(bt_dropout_apply(device, drop, sequences, x, out));
    float *const host = fetched(out);
    bt_buffer_destroy(&out.buffer);
    return host;
}

/* Each element is 0 or x / (1 - p), the share of zeros p within five standard errors. */
static void shares(void **state)
{
    static const size_t offsets[] = {0, 300, 301, 500};
    static const double p[] = {0.02, 0.1, 0.5, 0.9};
    float *x;
    const bt_matrix matrix = made(*state, 1, 500, 41, &x);
    for (size_t i = 0; i < sizeof p / sizeof *p; ++i) {
        const bt_dropout drop = {.p = p[i], .keys = apart, .site = 3};
        float *const y = dropped(*state, &drop, (bt_sequences){3, offsets, NULL}, matrix);
        size_t zeros = 0, n = 500 * 41;
        for (size_t j = 0; j < n; ++j) {
            zeros += y[j] == 0;
            if (y[j] != 0) expect_near((double)y[j], (double)x[j] / (1 - p[i]), 1e-6 * fabs((double)y[j]));
        }
        expect_near((double)zeros / (double)n, p[i], 5 * sqrt(p[i] * (1 - p[i]) / (double)n));
        bt_free(y);
    }
    drop(matrix, x);
}

/* Sequences of the same key drop the same places, wherever they lie; other keys and sites drop others. */
static void key_site_and_place_decide(void **state)
{
    static const size_t offsets[] = {0, 20, 35, 55}, alone[] = {0, 20};
    bt_dropout drops[] = {{.p = 0.4, .keys = keys, .site = 3}, {.p = 0.4, .keys = keys, .site = 4}};
    float *x;
    const bt_matrix matrix = made(*state, 1, 55, 7, &x), last = bt_matrix_part(matrix, 35, 0, 20, 7);
    float *const y = dropped(*state, &drops[0], (bt_sequences){3, offsets, NULL}, matrix);
    float *const z = dropped(*state, &drops[1], (bt_sequences){3, offsets, NULL}, matrix);
    float *const part = dropped(*state, &drops[0], (bt_sequences){1, alone, NULL}, last);
    size_t other_key = 0, other_site = 0, other_row = 0;
    assert_memory_equal(y + 35 * 7, part, 20 * 7 * sizeof *y);
    for (size_t j = 0; j < 15 * 7; ++j) {
        assert_int_equal(y[j] == 0, y[35 * 7 + j] == 0);
        other_key += (y[j] == 0) != (y[20 * 7 + j] == 0);
        other_site += (y[j] == 0) != (z[j] == 0);
        other_row += (y[j] == 0) != (y[j + 7] == 0);
    }
    assert_true(other_key > 20 && other_site > 20 && other_row > 20);
    bt_free(y);
    bt_free(z);
    bt_free(part);
    drop(matrix, x);
}

/* The mean over many draws of attention with dropped probabilities is attention. */
static void attention_is_right_in_the_mean(void **state)
{
    enum { N = 40, COLUMNS = 6, DRAWS = 3000 };
    static const size_t offsets[] = {0, N};
    const bt_sequences one = {1, offsets, NULL};
    float *host[3];
    bt_matrix in[3], out = empty(*state, N, COLUMNS);
    double sum[N * COLUMNS] = {0}, square[N * COLUMNS] = {0};
    bt_attention_spec spec = {.heads = 2, .mask = BT_MASK_NONE, .scale = 0.6};
    for (size_t i = 0; i < 3; ++i) in[i] = made(*state, i, N, COLUMNS, &host[i]);
    expect_ok(bt_attention(*state, &spec, in[0], one, in[1], in[2], one, out));
    float *const whole = fetched(out);
    for (uint64_t d = 0; d < DRAWS; ++d) {
        spec.drop = (bt_dropout){.p = 0.3, .keys = &d, .site = 1};
        expect_ok(bt_attention(*state, &spec, in[0], one, in[1], in[2], one, out));
        float *const y = fetched(out);
        for (size_t j = 0; j < N * COLUMNS; ++j) {
            sum[j] += (double)y[j];
            square[j] += (double)y[j] * (double)y[j];
        }
        bt_free(y);
    }
    for (size_t j = 0; j < N * COLUMNS; ++j) {
        const double mean = sum[j] / DRAWS, variance = square[j] / DRAWS - mean * mean;
        assert_true(variance > 0);
        expect_near(mean, (double)whole[j], 5 * sqrt(variance / DRAWS));
    }
    for (size_t i = 0; i < 3; ++i) drop(in[i], host[i]);
    drop(out, whole);
}

/* <replace(x, v), d> is linear in x and v, and its adjoint is the backward pass. */
static void replaced_rows(void **state)
{
    static const size_t rows[] = {4, 1, 8};
    float *x, *v, *d, *before;
    const bt_matrix matrix = made(*state, 1, 9, 5, &x), vector = made(*state, 2, 1, 5, &v);
    const bt_matrix gradient = made(*state, 3, 9, 5, &d), dvector = made(*state, 4, 1, 5, &before);
    double left = 0, right = 0;
    expect_ok(bt_rows_replace(*state, rows, 3, vector, matrix));
    float *const y = fetched(matrix);
    expect_ok(bt_rows_replace_backward(*state, rows, 3, gradient, dvector));
    float *const dx = fetched(gradient), *const dv = fetched(dvector);
    for (size_t j = 0; j < 9 * 5; ++j) {
        left += (double)y[j] * (double)d[j];
        right += (double)x[j] * (double)dx[j];
    }
    for (size_t j = 0; j < 5; ++j) right += (double)v[j] * ((double)dv[j] - (double)before[j]);
    expect_near(left, right, 1e-5 * fabs(left));
    for (size_t j = 0; j < 5; ++j) assert_true(y[4 * 5 + j] == v[j] && dx[8 * 5 + j] == 0 && dx[j] == d[j]);
    expect_failure(bt_rows_replace(*state, &(size_t){9}, 1, vector, matrix), BT_ERR_INTERNAL, "row 9 of 9");
    expect_failure(bt_rows_replace(*state, rows, 3, matrix, matrix), BT_ERR_INTERNAL, "a vector (9, 5)");
    bt_free(y);
    bt_free(dx);
    bt_free(dv);
    drop(matrix, x);
    drop(vector, v);
    drop(gradient, d);
    drop(dvector, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shares), cmocka_unit_test(key_site_and_place_decide),
                                       cmocka_unit_test(attention_is_right_in_the_mean),
                                       cmocka_unit_test(replaced_rows)};
    return cmocka_run_group_tests_name("device.dropout", tests, setup, teardown);
}
