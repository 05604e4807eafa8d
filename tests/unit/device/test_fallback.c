/* When DSTEDC gives up, DSYEV takes over from the matrix as it was. This file's dstedc_ stands in for LAPACK's. */
#include "base/random.h"
#include "device/device.h"
#include "support.h"

#include <float.h>

void dstedc_(const char *compz, const int *n, double *d, double *e, double *z, const int *ldz, double *work,
             const int *lwork, int *iwork, const int *liwork, int *info, size_t compz_length);

static int tries;

/* Answers the query for workspace; then fails. DSYTRD has spoilt A by then. */
void dstedc_(const char *compz, const int *n, double *d, double *e, double *z, const int *ldz, double *work,
             const int *lwork, int *iwork, const int *liwork, int *info, size_t compz_length)
{
    (void)compz, (void)n, (void)d, (void)e, (void)z, (void)ldz, (void)liwork, (void)compz_length;
    *info = 0;
    if (*lwork < 0) {
        work[0] = 10.0;
        iwork[0] = 10;
        return;
    }
    ++tries;
    *info = 3;
}

static void dsyev_takes_over(void **state)
{
    (void)state;
    enum { N = 20, STRIDE = 23 };
    bt_device *device = NULL;
    bt_buffer *buffer = NULL, *values = NULL;
    static double a[N * STRIDE], v[N * STRIDE], w[N];
    bt_random random = bt_random_start(1, 1);
    for (int i = 0; i < N; ++i)
        for (int j = 0; j <= i; ++j) a[i * STRIDE + j] = a[j * STRIDE + i] = bt_random_normal(&random);
    expect_ok(bt_device_create(BT_DEVICE_CPU, &device));
    expect_ok(bt_buffer_create(device, BT_F64, N * STRIDE, &buffer));
    expect_ok(bt_buffer_create(device, BT_F64, N, &values));
    expect_ok(bt_buffer_write(buffer, 0, a, N * STRIDE));
    expect_ok(bt_eigen(device, bt_matrix_part(bt_matrix_of(buffer, N, STRIDE), 0, 0, N, N), values));
    assert_int_equal(tries, 1);
    expect_ok(bt_buffer_read(buffer, 0, v, N * STRIDE));
    expect_ok(bt_buffer_read(values, 0, w, N));
    for (int e = 0; e < N; ++e)
        for (int i = 0; i < N; ++i) {
            double left = -w[e] * v[e * STRIDE + i];
            for (int j = 0; j < N; ++j) left += a[i * STRIDE + j] * v[e * STRIDE + j];
            expect_near(left, 0.0, 100.0 * N * DBL_EPSILON);
        }
    bt_buffer_destroy(&buffer);
    bt_buffer_destroy(&values);
    bt_device_destroy(&device);
    assert_int_equal(bt_memory_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(dsyev_takes_over)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
