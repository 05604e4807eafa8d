/* What ranks share with whole factors: hat matrices by alpha, and the eigenproblems of splits. */
#include "base/random.h"
#include "encoding/dealt.h"
#include "encoding/hats.h"
#include "support.h"

#include <math.h>
#include <mpi.h>

enum { ROWS = 40, COLUMNS = 24, TEST = 6, ALPHAS = 5, MANY = 60, TALL = 300, WIDE = 200 };

static bt_comm *world;
static double x[ROWS * COLUMNS], x_test[TEST * COLUMNS];

static void draw(void)
{
    bt_random random = bt_random_start(4, 4);
    for (size_t i = 0; i < ROWS * COLUMNS; ++i) x[i] = bt_random_normal(&random);
    for (size_t i = 0; i < TEST * COLUMNS; ++i) x_test[i] = bt_random_normal(&random);
}

/* All rows of COLUMNS features, or a quarter of the rows: primal and dual. To rounding what one rank makes. */
static void test_hats_are_of_all_alphas(void **state)
{
    (void)state;
    const double penalty[ALPHAS] = {1, 3, 10, 100, 1e4};
    bt_comm *alone = NULL;
    bt_device *device = NULL;
    draw();
    expect_ok(bt_comm_create(MPI_COMM_NULL, &alone));
    expect_ok(bt_device_create(BT_DEVICE_CPU, &device));
    for (int dual = 0; dual < 2; ++dual) {
        const size_t n = dual ? ROWS / 4 : ROWS;
        static double shared[ALPHAS * TEST * ROWS], own[ALPHAS * TEST * ROWS];
        const bt_encode_plan plan = {.precision = BT_F64, .n_alpha = ALPHAS, .penalty = (double *)penalty};
        const bt_ridge_problem problem = {
            .train = x, .apply = x_test, .n_train = n, .n_apply = TEST, .n_feature = COLUMNS, .n_rank = 1};
        size_t n_solved = 0;
        bt_buffer *hats = NULL, *mine = NULL;
        assert_int_equal(bt_hats_can_solve(world, &plan, &problem), bt_comm_size(world) <= BT_HATS_RANKS);
        expect_ok(bt_hats_solve(world, device, &plan, &problem, &n_solved, &hats));
        expect_ok(bt_hats_solve(alone, device, &plan, &problem, &n_solved, &mine));
        expect_ok(bt_buffer_read(hats, 0, shared, ALPHAS * TEST * n));
        expect_ok(bt_buffer_read(mine, 0, own, ALPHAS * TEST * n));
        for (size_t i = 0; i < ALPHAS * TEST * n; ++i) expect_near(shared[i], own[i], 1e-13);
        bt_buffer_destroy(&hats);
        bt_buffer_destroy(&mine);
    }
    bt_device_destroy(&device);
    bt_comm_destroy(&alone);
}

/* Those that are solved for are the ranks' shares, and all are mixed of them. */
static void test_long_grids_are_mixed_of_shares(void **state)
{
    (void)state;
    static float shared[MANY * TEST * ROWS], own[MANY * TEST * ROWS];
    double penalty[MANY];
    size_t n_solved = 0, n_alone = 0;
    bt_comm *alone = NULL;
    bt_device *device = NULL;
    bt_buffer *hats = NULL, *mine = NULL;
    draw();
    expect_ok(bt_comm_create(MPI_COMM_NULL, &alone));
    expect_ok(bt_device_create(BT_DEVICE_CPU, &device));
    for (int k = 0; k < MANY; ++k) penalty[k] = pow(10, 3.0 * k / (MANY - 1));
    const bt_encode_plan plan = {.precision = BT_F32, .n_alpha = MANY, .penalty = penalty};
    const bt_ridge_problem problem = {
        .train = x, .apply = x_test, .n_train = ROWS, .n_apply = TEST, .n_feature = COLUMNS, .n_rank = 1};
    expect_ok(bt_hats_solve(world, device, &plan, &problem, &n_solved, &hats));
    expect_ok(bt_hats_solve(alone, device, &plan, &problem, &n_alone, &mine));
    assert_in_range(n_solved, 10, MANY / 2);
    assert_int_equal(n_solved, n_alone);
    expect_ok(bt_buffer_read(hats, 0, shared, MANY * TEST * ROWS));
    expect_ok(bt_buffer_read(mine, 0, own, MANY * TEST * ROWS));
    for (size_t i = 0; i < MANY * TEST * ROWS; ++i) expect_near((double)shared[i], (double)own[i], 1e-6);
    bt_buffer_destroy(&hats);
    bt_buffer_destroy(&mine);
    bt_device_destroy(&device);
    bt_comm_destroy(&alone);
}

/* Reduced by the last rank alone, with its penalties or fewer of them solved for: what one rank makes. */
static void expect_hats_of_one_reduction(const bt_encode_plan *plan, const bt_ridge_problem *problem)
{
    enum { MOST = MANY * TEST * TALL };
    static double shared[MOST], own[MOST];
    static float narrow[2][MOST];
    const size_t owner = (size_t)bt_comm_size(world) - 1, n = plan->n_alpha * TEST * problem->n_train;
    size_t n_solved = 0, n_alone = 0;
    bt_comm *alone = NULL;
    bt_device *device = NULL;
    bt_hats *hats = NULL;
    bt_buffer *out = NULL, *mine = NULL;
    expect_ok(bt_comm_create(MPI_COMM_NULL, &alone));
    expect_ok(bt_device_create(BT_DEVICE_CPU, &device));
    if ((size_t)bt_comm_rank(world) == owner) expect_ok(bt_hats_reduce(device, plan, problem, &hats));
    expect_ok(bt_hats_finish(world, owner, device, plan, problem, &hats, &n_solved, &out));
    assert_null(hats);
    expect_ok(bt_hats_solve(alone, device, plan, problem, &n_alone, &mine));
    assert_int_equal(n_solved, n_alone);
    const bool wide = plan->precision == BT_F64;
    expect_ok(bt_buffer_read(out, 0, wide ? (void *)shared : narrow[0], n));
    expect_ok(bt_buffer_read(mine, 0, wide ? (void *)own : narrow[1], n));
    for (size_t i = 0; i < n; ++i)
        expect_near(wide ? shared[i] : (double)narrow[0][i], wide ? own[i] : (double)narrow[1][i], wide ? 1e-13 : 1e-6);
    bt_buffer_destroy(&out);
    bt_buffer_destroy(&mine);
    bt_device_destroy(&device);
    bt_comm_destroy(&alone);
}

/* Of 200 features there are more than BAND, so that the reduction does something; primal and dual. */
static void test_one_reduction_is_for_all(void **state)
{
    (void)state;
    static double train[TALL * WIDE], apply[TEST * WIDE];
    double penalty[MANY];
    bt_random random = bt_random_start(5, 5);
    for (size_t i = 0; i < TALL * WIDE; ++i) train[i] = bt_random_normal(&random);
    for (size_t i = 0; i < TEST * WIDE; ++i) apply[i] = bt_random_normal(&random);
    for (int k = 0; k < MANY; ++k) penalty[k] = pow(10, 3.0 * k / (MANY - 1));
    for (int dual = 0; dual < 2; ++dual) {
        const bt_ridge_problem problem = {.train = train,
                                          .apply = apply,
                                          .n_train = dual ? WIDE / 2 : TALL,
                                          .n_apply = TEST,
                                          .n_feature = WIDE,
                                          .n_rank = 1};
        expect_hats_of_one_reduction(&(bt_encode_plan){.precision = BT_F64, .n_alpha = ALPHAS, .penalty = penalty},
                                     &problem);
        expect_hats_of_one_reduction(&(bt_encode_plan){.precision = BT_F32, .n_alpha = MANY, .penalty = penalty},
                                     &problem);
    }
}

static void test_which_jobs_are_dealt(void **state)
{
    (void)state;
    assert_false(bt_dealt_has(1, 5, 0));
    assert_true(bt_dealt_has(2, 3, 1));
    assert_false(bt_dealt_has(2, 3, 2)); /* alone with two ranks */
    assert_true(bt_dealt_has(2, 4, 2));
    assert_true(bt_dealt_has(4, 3, 2));
    assert_true(bt_dealt_has(4, 7, 6));
    assert_false(bt_dealt_has(8, 3, 0));
    assert_false(bt_dealt_has(8, 4, 3));
}

/* Bytes of eigenvectors, and of a refit where it has a place beside them. */
static void test_dealt_bytes(void **state)
{
    (void)state;
    const double pairs = 8.0 * COLUMNS * (COLUMNS + 1);
    expect_near(bt_dealt_bytes(1, 3, ROWS, COLUMNS, 5000), 0, 0);
    expect_near(bt_dealt_bytes(2, 3, ROWS, COLUMNS, 5000), pairs + 5000, 0);
    expect_near(bt_dealt_bytes(2, 3, ROWS, COLUMNS, 0), pairs, 0);
    expect_near(bt_dealt_bytes(3, 3, ROWS, COLUMNS, 5000), pairs, 0);
    expect_near(bt_dealt_bytes(6, 3, ROWS, COLUMNS, 5000), pairs + 5000, 0);
    expect_near(bt_dealt_bytes(6, 3, ROWS, COLUMNS, 0), 0, 0); /* three of six would be idle */
    expect_near(bt_dealt_bytes(8, 3, ROWS, COLUMNS, 5000), 0, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hats_are_of_all_alphas),
                                       cmocka_unit_test(test_long_grids_are_mixed_of_shares),
                                       cmocka_unit_test(test_one_reduction_is_for_all),
                                       cmocka_unit_test(test_which_jobs_are_dealt), cmocka_unit_test(test_dealt_bytes)};
    int provided = 0, failed = 0;
    (void)MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    expect_ok(bt_comm_create(MPI_COMM_WORLD, &world));
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    bt_comm_destroy(&world);
    (void)MPI_Finalize();
    return failed != 0;
}
