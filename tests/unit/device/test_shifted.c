/* bt_solve_shifted: what it gives, times A + shift, is B again; and by either type of result the same. */
#include "base/random.h"
#include "device/device.h"
#include "device/shifted.h"
#include "support.h"

#include <stdlib.h>

enum { M = 37, SHIFTS = 3 };
static const double shifts[SHIFTS] = {0.5, 3, 1e4};

static bt_buffer *filled(bt_device *device, const double *values, size_t n)
{
    bt_buffer *out = NULL;
    expect_ok(bt_buffer_create(device, BT_F64, n, &out));
    expect_ok(bt_buffer_write(out, 0, values, n));
    return out;
}

/* a (n, n) = X X' / n of rank n / 2, b (M, n). */
static void draw(size_t n, double *a, double *b)
{
    const size_t rank = n / 2 + 1;
    bt_random random = bt_random_start(7, n);
    double *const x = bt_calloc(n * rank, sizeof *x);
    for (size_t i = 0; i < n * rank; ++i) x[i] = bt_random_normal(&random);
    for (size_t i = 0; i < M * n; ++i) b[i] = bt_random_normal(&random);
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < n; ++j) {
            a[i * n + j] = 0;
            for (size_t k = 0; k < rank; ++k) a[i * n + j] += x[i * rank + k] * x[j * rank + k] / (double)n;
        }
    bt_free(x);
}

/* Largest |X (A + shift) - B| of all shifts. */
static double residual(size_t n, const double *a, const double *b, const double *x)
{
    double worst = 0;
    for (size_t s = 0; s < SHIFTS; ++s)
        for (size_t i = 0; i < M; ++i)
            for (size_t j = 0; j < n; ++j) {
                const double *const row = x + (s * M + i) * n;
                double sum = shifts[s] * row[j] - b[i * n + j];
                for (size_t k = 0; k < n; ++k) sum += row[k] * a[k * n + j];
                worst = fmax(worst, fabs(sum));
            }
    return worst;
}

static void solve_of(size_t n)
{
    bt_device *device = NULL;
    double *const a = bt_calloc(n * n, sizeof *a), *const b = bt_calloc(M * n, sizeof *b);
    double *const x = bt_calloc(SHIFTS * M * n, sizeof *x);
    float *const narrow = bt_calloc(SHIFTS * M * n, sizeof *narrow);
    draw(n, a, b);
    expect_ok(bt_device_create(BT_DEVICE_CPU, &device));
    for (int wide = 0; wide < 2; ++wide) {
        bt_buffer *left = filled(device, a, n * n), *rows = filled(device, b, M * n), *out = NULL;
        expect_ok(bt_buffer_create(device, wide ? BT_F64 : BT_F32, SHIFTS * M * n, &out));
        expect_ok(bt_solve_shifted(device, bt_matrix_of(left, n, n), shifts, SHIFTS, bt_matrix_of(rows, M, n),
                                   bt_matrix_of(out, SHIFTS * M, n)));
        expect_ok(bt_buffer_read(out, 0, wide ? (void *)x : narrow, SHIFTS * M * n));
        for (size_t i = 0; i < SHIFTS * M * n && !wide; ++i) x[i] = (double)narrow[i];
        assert_true(residual(n, a, b, x) < (wide ? 1e-10 : 2e-3)); /* shift 1e4 magnifies float32's 6e-8 */
        bt_buffer_destroy(&left);
        bt_buffer_destroy(&rows);
        bt_buffer_destroy(&out);
    }
    bt_device_destroy(&device);
    bt_free(a);
    bt_free(b);
    bt_free(x);
    bt_free(narrow);
    assert_int_equal(bt_memory_live(), 0);
}

static void solutions_give_b_again(void **state)
{
    (void)state;
    const size_t orders[] = {1, 5, 64, 65, 66, 130, 300};
    for (size_t i = 0; i < sizeof orders / sizeof *orders; ++i) solve_of(orders[i]);
}

static void indefinite_matrices_are_refused(void **state)
{
    (void)state;
    enum { N = 3 };
    const double a[N * N] = {1, 0, 0, 0, -2, 0, 0, 0, 1}, b[N] = {1, 1, 1}, shift = 1;
    bt_device *device = NULL;
    expect_ok(bt_device_create(BT_DEVICE_CPU, &device));
    bt_buffer *left = filled(device, a, N * N), *rows = filled(device, b, N), *out = filled(device, b, N);
    expect_failure(bt_solve_shifted(device, bt_matrix_of(left, N, N), &shift, 1, bt_matrix_of(rows, 1, N),
                                    bt_matrix_of(out, 1, N)),
                   BT_ERR_NUMERICS, "positive definite");
    bt_buffer_destroy(&left);
    bt_buffer_destroy(&rows);
    bt_buffer_destroy(&out);
    bt_device_destroy(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(solutions_give_b_again),
                                       cmocka_unit_test(indefinite_matrices_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
