/* The ridge engine against its definition: (X'X + A) w = X'y, in both forms and precisions, and what has no rank. */
#include "encoding_support.h"

#include "base/random.h"
#include "encoding/ridge.h"

enum { APPLY = 7, VOXELS = 5 };

static bt_comm *comm;
static bt_device *device;

static void fill(double *x, size_t n, uint64_t stream)
{
    bt_random random = bt_random_start(11, stream);
    for (size_t i = 0; i < n; ++i) x[i] = bt_random_normal(&random);
}

/* max |X'X w + A w - X'y| over features and voxels. */
static double residual(const double *x, const float *y, const float *w, double penalty, size_t n, size_t p)
{
    double worst = 0;
    for (size_t v = 0; v < VOXELS; ++v)
        for (size_t f = 0; f < p; ++f) {
            double sum = penalty * (double)w[f * VOXELS + v];
            for (size_t i = 0; i < n; ++i) {
                double fitted = 0;
                for (size_t g = 0; g < p; ++g) fitted += x[i * p + g] * (double)w[g * VOXELS + v];
                sum += x[i * p + f] * (fitted - (double)y[i * VOXELS + v]);
            }
            worst = fmax(worst, fabs(sum));
        }
    return worst;
}

static double mismatch(const double *x, const float *w, const double *prediction, size_t p)
{
    double worst = 0;
    for (size_t i = 0; i < APPLY; ++i)
        for (size_t v = 0; v < VOXELS; ++v) {
            double sum = 0;
            for (size_t f = 0; f < p; ++f) sum += x[i * p + f] * (double)w[f * VOXELS + v];
            worst = fmax(worst, fabs(sum - prediction[i * VOXELS + v]));
        }
    return worst;
}

static void expect_ridge(size_t n, size_t p, bt_dtype precision, double penalty)
{
    double *x = bt_calloc(n * p, sizeof *x), *apply = bt_calloc(APPLY * p, sizeof *apply), own[VOXELS];
    double prediction[APPLY * VOXELS], each[APPLY * VOXELS], *noise = bt_calloc(n * VOXELS, sizeof *noise);
    float *y = bt_calloc(n * VOXELS, sizeof *y), *w = bt_calloc(p * VOXELS, sizeof *w);
    fill(x, n * p, 1);
    fill(apply, APPLY * p, 2);
    fill(noise, n * VOXELS, 3);
    for (size_t i = 0; i < n * VOXELS; ++i) y[i] = (float)noise[i];
    for (size_t v = 0; v < VOXELS; ++v) own[v] = penalty;
    bt_ridge *ridge = NULL;
    const bt_ridge_problem problem = {.train = x,
                                      .apply = apply,
                                      .n_train = n,
                                      .n_apply = APPLY,
                                      .n_feature = p,
                                      .precision = precision,
                                      .weights = true,
                                      .most_voxel = VOXELS + 3};
    expect_ok(bt_ridge_create(comm, device, &problem, &ridge));
    assert_int_equal(bt_ridge_rank(ridge), n < p ? n : p);
    expect_ok(bt_ridge_rotate(ridge, y, VOXELS));
    expect_ok(bt_ridge_predict(ridge, penalty, prediction));
    expect_ok(bt_ridge_predict_each(ridge, own, each));
    expect_ok(bt_ridge_weights(ridge, own, w, VOXELS));
    const double tolerance = precision == BT_F64 ? 1e-6 : 1e-4;
    const double scale = (double)(n + p);
    assert_true(residual(x, y, w, penalty, n, p) < tolerance * scale);
    assert_true(mismatch(apply, w, prediction, p) < tolerance * 10);
    expect_all_near(each, prediction, APPLY * VOXELS, precision == BT_F64 ? 1e-12 : 1e-4);
    bt_ridge_destroy(&ridge);
    assert_null(ridge);
    bt_free(x);
    bt_free(apply);
    bt_free(noise);
    bt_free(y);
    bt_free(w);
}

static void test_normal_equations_hold(void **state)
{
    (void)state;
    assert_true(bt_ridge_takes_dual(5, 6) && bt_ridge_takes_dual(6, 6) && !bt_ridge_takes_dual(7, 6));
    const size_t sizes[][2] = {{40, 12}, {12, 40}, {20, 20}, {30, 1}, {2, 9}, {21, 20}, {20, 21}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
        expect_ridge(sizes[i][0], sizes[i][1], BT_F64, 3.0);
        expect_ridge(sizes[i][0], sizes[i][1], BT_F32, 3.0);
        expect_ridge(sizes[i][0], sizes[i][1], BT_F64, 1e-3);
    }
}

static void test_rank_deficient_and_zero_designs(void **state)
{
    (void)state;
    double x[30 * 4] = {0}, apply[APPLY * 4] = {0}, prediction[APPLY * VOXELS], own[VOXELS] = {1, 1, 1, 1, 1};
    float y[30 * VOXELS], w[4 * VOXELS];
    for (size_t i = 0; i < 30 * VOXELS; ++i) y[i] = (float)(i % 7);
    bt_ridge_problem problem = {.train = x,
                                .apply = apply,
                                .n_train = 30,
                                .n_apply = APPLY,
                                .n_feature = 4,
                                .precision = BT_F32,
                                .weights = true,
                                .most_voxel = VOXELS};
    bt_ridge *ridge = NULL;
    expect_ok(bt_ridge_create(comm, device, &problem, &ridge));
    assert_int_equal(bt_ridge_rank(ridge), 0);
    expect_ok(bt_ridge_rotate(ridge, y, VOXELS));
    expect_ok(bt_ridge_predict(ridge, 1, prediction));
    expect_ok(bt_ridge_weights(ridge, own, w, VOXELS));
    for (size_t i = 0; i < APPLY * VOXELS; ++i) assert_true(prediction[i] == 0);
    for (size_t i = 0; i < 4 * VOXELS; ++i) assert_true(w[i] == 0);
    bt_ridge_destroy(&ridge);
    for (size_t i = 0; i < 30; ++i) {
        x[i * 4] = x[i * 4 + 1] = sin((double)i);
        x[i * 4 + 2] = cos((double)i);
        x[i * 4 + 3] = x[i * 4] - 2 * x[i * 4 + 2];
    }
    expect_ok(bt_ridge_create(comm, device, &problem, &ridge));
    assert_int_equal(bt_ridge_rank(ridge), 2);
    assert_true(bt_ridge_singular(ridge)[0] >= bt_ridge_singular(ridge)[1]);
    bt_ridge_destroy(&ridge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_normal_equations_hold),
        LEAK_TEST(test_rank_deficient_and_zero_designs),
    };
    if (bt_comm_create(MPI_COMM_NULL, &comm) != BT_OK || bt_device_create(BT_DEVICE_CPU, &device) != BT_OK) return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    bt_device_destroy(&device);
    bt_comm_destroy(&comm);
    return failed;
}
