/* Hat matrices that are solved for, against those of the factor; and which penalties are left to the factor. */
#include "base/random.h"
#include "encoding/hats.h"
#include "support.h"

#include <math.h>

enum { MOST = 60, TEST = 7, ALPHAS = 3, MANY = 100 };

typedef struct {
    bt_comm *comm;
    bt_device *device;
    double x[MOST * MOST], x_test[TEST * MOST];
    double penalty[MANY];
    bt_encode_plan plan;
    bt_ridge_problem problem;
} setting;

/* Features whose Gram matrix has values over four orders, and as many rows again that are sums of others. */
static void set_up(setting *s, size_t n, size_t p, bt_dtype precision)
{
    bt_random random = bt_random_start(3, n);
    *s = (setting){.penalty = {0.5, 30, 4e3}};
    expect_ok(bt_comm_create(MPI_COMM_NULL, &s->comm));
    expect_ok(bt_device_create(BT_DEVICE_CPU, &s->device));
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < p; ++j) s->x[i * p + j] = bt_random_normal(&random) / (1 + (double)(j * j) / 20);
    for (size_t j = 0; j < p; ++j) s->x[(n - 1) * p + j] = s->x[j] + s->x[p + j];
    for (size_t i = 0; i < TEST * p; ++i) s->x_test[i] = bt_random_normal(&random);
    s->plan = (bt_encode_plan){.precision = precision, .n_alpha = ALPHAS, .penalty = s->penalty};
    s->problem = (bt_ridge_problem){.train = s->x,
                                    .apply = s->x_test,
                                    .n_train = n,
                                    .n_apply = TEST,
                                    .n_feature = p,
                                    .n_rank = 1,
                                    .precision = precision};
}

static void tear_down(setting *s)
{
    bt_device_destroy(&s->device);
    bt_comm_destroy(&s->comm);
    assert_int_equal(bt_memory_live(), 0);
}

static void read_hats(const bt_buffer *hats, size_t n, double *values)
{
    static float narrow[MANY * TEST * MOST];
    if (bt_buffer_type(hats) == BT_F64) {
        expect_ok(bt_buffer_read(hats, 0, values, n));
        return;
    }
    expect_ok(bt_buffer_read(hats, 0, narrow, n));
    for (size_t i = 0; i < n; ++i) values[i] = (double)narrow[i];
}

static void expect_equal(size_t n, size_t p, bt_dtype precision, double tolerance)
{
    static setting s;
    static double found[ALPHAS * TEST * MOST], wanted[ALPHAS * TEST * MOST];
    bt_buffer *solved = NULL, *made = NULL;
    size_t n_solved = 0;
    bt_factor factor = {0};
    set_up(&s, n, p, precision);
    assert_true(bt_hats_can_solve(s.comm, &s.plan, &s.problem));
    expect_ok(bt_hats_solve(s.comm, s.device, &s.plan, &s.problem, &n_solved, &solved));
    expect_ok(bt_factor_create(s.comm, s.device, &s.problem, &factor));
    expect_ok(bt_hats_of_factor(s.device, &s.plan, &factor, &s.problem, &made));
    read_hats(solved, ALPHAS * TEST * n, found);
    read_hats(made, ALPHAS * TEST * n, wanted);
    for (size_t i = 0; i < ALPHAS * TEST * n; ++i) expect_near(found[i], wanted[i], tolerance);
    bt_factor_clear(&factor);
    bt_buffer_destroy(&solved);
    bt_buffer_destroy(&made);
    tear_down(&s);
}

static void solved_hats_are_the_factors(void **state)
{
    (void)state;
    expect_equal(60, 12, BT_F64, 1e-11);
    expect_equal(20, 50, BT_F64, 1e-11);
    expect_equal(60, 12, BT_F32, 1e-5);
    expect_equal(20, 50, BT_F32, 1e-5);
}

/* Of a long grid a few are solved for; in float64 all are. */
static void long_grids_are_mixed(void **state)
{
    (void)state;
    static setting s;
    static double found[MANY * TEST * MOST], wanted[MANY * TEST * MOST];
    for (int dual = 0; dual < 2; ++dual) {
        bt_buffer *mixed = NULL, *all = NULL;
        size_t n_solved = 0;
        const size_t n = dual ? 20 : 60, n_all = MANY * TEST * n;
        set_up(&s, n, dual ? 50 : 12, BT_F64);
        for (size_t k = 0; k < MANY; ++k) s.penalty[k] = 0.1 * pow(10, 6 * (double)k / (MANY - 1));
        s.plan.n_alpha = MANY;
        expect_ok(bt_hats_solve(s.comm, s.device, &s.plan, &s.problem, &n_solved, &all));
        assert_int_equal(n_solved, MANY);
        s.plan.precision = s.problem.precision = BT_F32;
        expect_ok(bt_hats_solve(s.comm, s.device, &s.plan, &s.problem, &n_solved, &mixed));
        assert_in_range(n_solved, 15, bt_hats_most_solved(&s.plan));
        read_hats(all, n_all, wanted);
        read_hats(mixed, n_all, found);
        for (size_t k = 0; k < MANY; ++k) { /* beside the largest of its matrix: those of large penalties are small */
            double most = 0, off = 0;
            for (size_t i = k * TEST * n; i < (k + 1) * TEST * n; ++i) {
                most = fmax(most, fabs(wanted[i]));
                off = fmax(off, fabs(found[i] - wanted[i]));
            }
            if (off > 3e-6 * most) fail_msg("penalty %g: %g of %g", s.penalty[k], off, most);
        }
        bt_buffer_destroy(&mixed);
        bt_buffer_destroy(&all);
        tear_down(&s);
    }
}

static void small_penalties_are_the_factors(void **state)
{
    (void)state;
    static setting s;
    set_up(&s, 20, 50, BT_F64);
    s.penalty[1] = 1e-7;
    assert_false(bt_hats_can_solve(s.comm, &s.plan, &s.problem));
    s.penalty[1] = 1;
    s.problem.n_rank = 2; /* spread */
    assert_false(bt_hats_can_solve(s.comm, &s.plan, &s.problem));
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(solved_hats_are_the_factors),
                                       cmocka_unit_test(long_grids_are_mixed),
                                       cmocka_unit_test(small_penalties_are_the_factors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
