/* Factors spread over ranks against factors that every rank has whole: scores of the fast search, predictions, weights;
 * primal and dual, clusters of eigenvalues, missing rank, more ranks than components, ranks without voxels; and one
 * rank's failure becomes everyone's. */
#include "encoding_fast_search.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/random.h"

#include <mpi.h>

enum { VOXELS = 9, PENALTIES = 7 };

static bt_comm *comm;
static bt_device *device;

typedef enum { KIND_POWER, KIND_STAIRS, KIND_DEFICIENT } kind;

/* Rows of a design, of which every fourth is held out; `inner` and `outer` are copies of the two groups. */
typedef struct {
    size_t n, held, p, voxels; /* rows to train, to predict; my voxels */
    double *x, *inner, *outer;
    float *y, *y_inner;
    size_t *train, *apply;
} world;

static double element(kind which, const double *row, size_t i, size_t f, size_t n, bt_random *random)
{
    const double wave = cos(3.141592653589793 * ((double)i + 0.5) * (double)(f + 1) / (double)n);
    switch (which) {
    case KIND_POWER: return bt_random_normal(random) * pow((double)(f + 1), -1.0);
    case KIND_STAIRS: return wave * pow(4, -(double)(f % 3));
    case KIND_DEFICIENT: return f % 2 ? row[f - 1] : bt_random_normal(random);
    }
    return 0;
}

/* On one rank everything is whole. */
static bool is_spread(bool spread)
{
    return spread && bt_comm_size(comm) > 1;
}

static world make(size_t rows, size_t p, kind which)
{
    world w = {.p = p, .held = (rows + 3) / 4, .n = rows - (rows + 3) / 4};
    bt_random random = bt_random_start(7, rows + 3 * p);
    w.voxels = (size_t)bt_comm_rank(comm) + 1 == (size_t)bt_comm_size(comm) ? 0 : VOXELS - (size_t)bt_comm_rank(comm);
    if (bt_comm_size(comm) == 1) w.voxels = VOXELS;
    w.x = bt_calloc(rows * p, sizeof *w.x);
    w.inner = bt_calloc(w.n * p, sizeof *w.x);
    w.outer = bt_calloc(w.held * p, sizeof *w.x);
    w.y = bt_calloc(rows * VOXELS, sizeof *w.y);
    w.y_inner = bt_calloc(w.n * VOXELS, sizeof *w.y);
    w.train = bt_calloc(w.n, sizeof *w.train);
    w.apply = bt_calloc(w.held, sizeof *w.apply);
    for (size_t i = 0; i < rows; ++i)
        for (size_t f = 0; f < p; ++f) w.x[i * p + f] = element(which, w.x + i * p, i, f, rows, &random);
    for (size_t i = 0; i < rows * w.voxels; ++i) w.y[i] = (float)bt_random_normal(&random);
    for (size_t i = 0, n = 0, held = 0; i < rows; ++i) {
        const bool out = i % 4 == 0;
        *(out ? &w.apply[held] : &w.train[n]) = i;
        memcpy(out ? w.outer + held * p : w.inner + n * p, w.x + i * p, p * sizeof *w.x);
        if (!out) memcpy(w.y_inner + n * w.voxels, w.y + i * w.voxels, w.voxels * sizeof *w.y);
        *(out ? &held : &n) += 1;
    }
    return w;
}

static void clear(world *w)
{
    bt_free(w->x);
    bt_free(w->inner);
    bt_free(w->outer);
    bt_free(w->y);
    bt_free(w->y_inner);
    bt_free(w->train);
    bt_free(w->apply);
}

static bt_ridge_problem problem_of(const world *w, bool wanted, bt_dtype precision)
{
    const bool spread = is_spread(wanted);
    return (bt_ridge_problem){.train = spread ? w->x : w->inner,
                              .apply = spread ? w->x : w->outer,
                              .train_rows = spread ? w->train : NULL,
                              .apply_rows = spread ? w->apply : NULL,
                              .n_train = w->n,
                              .n_apply = w->held,
                              .n_feature = w->p,
                              .n_rank = spread ? (size_t)bt_comm_size(comm) : 1,
                              .precision = precision,
                              .weights = true,
                              .most_voxel = VOXELS};
}

/* score (PENALTIES, my voxels). */
static void fast(const world *w, bool spread, bt_score_rule rule, bt_dtype precision, const double *penalty,
                 double *score)
{
    const fast_run run = {.comm = comm,
                          .device = device,
                          .ridge = problem_of(w, spread, precision),
                          .train = {w->n, w->train},
                          .apply = {w->held, w->apply},
                          .y = w->y,
                          .n_voxel = w->voxels,
                          .penalty = penalty,
                          .n_penalty = PENALTIES,
                          .rule = rule,
                          .precision = precision};
    assert_int_equal(fast_scores(&run, score).spread, is_spread(spread));
}

static void compare_scores(const world *w)
{
    static const bt_score_rule rules[] = {
        {BT_SCORE_MSE, false}, {BT_SCORE_CORRELATION, false}, {BT_SCORE_SIGNED_ROOT, false}};
    double penalty[PENALTIES], whole[PENALTIES * VOXELS], spread[PENALTIES * VOXELS];
    for (size_t k = 0; k < PENALTIES; ++k) penalty[k] = pow(10, -2 + (double)k);
    for (size_t k = 0; k < sizeof rules / sizeof *rules; ++k)
        for (int single = 0; single < 2; ++single) {
            fast(w, false, rules[k], single ? BT_F32 : BT_F64, penalty, whole);
            fast(w, true, rules[k], single ? BT_F32 : BT_F64, penalty, spread);
            const double tolerance = rules[k].kind == BT_SCORE_SIGNED_ROOT ? 1e-3 : 2e-5;
            expect_all_near(spread, whole, PENALTIES * w->voxels, single ? tolerance : tolerance * 1e-4);
        }
}

typedef struct {
    double one[64 * VOXELS], each[64 * VOXELS];
    float weights[128 * VOXELS];
    size_t rank;
} results;

static void solve(const world *w, bool spread, bt_dtype precision, results *out)
{
    double own[VOXELS];
    bt_ridge *ridge = NULL;
    const bt_ridge_problem problem = problem_of(w, spread, precision);
    for (size_t v = 0; v < VOXELS; ++v) own[v] = 0.5 + (double)v;
    expect_ok(bt_ridge_create(comm, device, &problem, &ridge));
    out->rank = bt_ridge_rank(ridge);
    expect_ok(bt_ridge_rotate(ridge, w->y_inner, w->voxels));
    expect_ok(bt_ridge_predict(ridge, 2, out->one));
    expect_ok(bt_ridge_predict_each(ridge, own, out->each));
    expect_ok(bt_ridge_weights(ridge, own, out->weights, w->voxels));
    bt_ridge_destroy(&ridge);
}

static void compare_ridge(const world *w)
{
    static results whole, spread;
    assert_true(w->held <= 64 && w->p <= 128);
    for (int single = 0; single < 2; ++single) {
        solve(w, false, single ? BT_F32 : BT_F64, &whole);
        solve(w, true, single ? BT_F32 : BT_F64, &spread);
        const double tolerance = single ? 2e-5 : 1e-9;
        assert_int_equal(spread.rank, whole.rank);
        expect_all_near(spread.one, whole.one, w->held * w->voxels, tolerance);
        expect_all_near(spread.each, whole.each, w->held * w->voxels, tolerance);
        for (size_t i = 0; i < w->p * w->voxels; ++i) assert_true(fabsf(spread.weights[i] - whole.weights[i]) < 1e-4F);
    }
}

static void test_spread_is_whole(void **state)
{
    (void)state;
    static const struct {
        size_t rows, p;
        kind which;
    } shapes[] = {{160, 40, KIND_POWER},     {80, 120, KIND_POWER}, {200, 90, KIND_STAIRS},  {120, 60, KIND_DEFICIENT},
                  {60, 128, KIND_DEFICIENT}, {40, 1, KIND_POWER},   {30, 3, KIND_DEFICIENT}, {5, 40, KIND_POWER}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; ++i) {
        world w = make(shapes[i].rows, shapes[i].p, shapes[i].which);
        compare_scores(&w);
        compare_ridge(&w);
        clear(&w);
    }
}

static void test_no_rank_at_all(void **state)
{
    (void)state;
    world w = make(40, 12, KIND_POWER);
    double penalty[PENALTIES] = {1, 2, 3, 4, 5, 6, 7}, whole[PENALTIES * VOXELS], spread[PENALTIES * VOXELS];
    memset(w.x, 0, (w.n + w.held) * w.p * sizeof *w.x);
    memset(w.inner, 0, w.n * w.p * sizeof *w.x);
    memset(w.outer, 0, w.held * w.p * sizeof *w.x);
    fast(&w, false, (bt_score_rule){BT_SCORE_MSE, false}, BT_F32, penalty, whole);
    fast(&w, true, (bt_score_rule){BT_SCORE_MSE, false}, BT_F32, penalty, spread);
    expect_all_near(spread, whole, PENALTIES * w.voxels, 0);
    compare_ridge(&w);
    clear(&w);
}

/* A NaN that all have, and a failure of the last rank only (main arms it). */
static void test_one_ranks_failure_is_everyones(void **state)
{
    (void)state;
    if (bt_comm_size(comm) == 1) return;
    world w = make(40, 12, KIND_POWER);
    bt_factor factor = {0};
    const bt_ridge_problem problem = problem_of(&w, true, BT_F64);
    expect_failure(bt_factor_create(comm, device, &problem, &factor), BT_ERR_FILE, "injected failure at spread.");
    assert_null(factor.left);
    w.x[w.train[3] * w.p + 2] = NAN;
    expect_failure(bt_factor_create(comm, device, &problem, &factor), BT_ERR_NUMERICS, "not finite");
    clear(&w);
}

static size_t live;

static int begin(void **state)
{
    (void)state;
    live = bt_memory_live();
    return bt_comm_create(MPI_COMM_WORLD, &comm) == BT_OK && bt_device_create(BT_DEVICE_CPU, &device) == BT_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    bt_device_destroy(&device);
    bt_comm_destroy(&comm);
    return bt_memory_live() == live ? 0 : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {TEST(test_one_ranks_failure_is_everyones), TEST(test_spread_is_whole),
                                       TEST(test_no_rank_at_all)};
    int provided = 0, failed = 0, rank = 0, size = 1;
    char fault[64];
    (void)MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    (void)MPI_Comm_size(MPI_COMM_WORLD, &size);
    bt_log_speak(false);
    bt_fault_rank(rank);
    (void)snprintf(fault, sizeof fault, "spread.%s:fail:%d", size % 2 ? "gram" : "eigen", size - 1);
    (void)setenv("BRAINTUNE_FAULT", fault, 1);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    (void)MPI_Finalize();
    return failed != 0;
}
