/* The fast search against the direct one: spectra with gaps, duplicates, clusters and none, tall and wide, every score,
 * penalties from far below to far above the spectrum; and the bound by which the precision is chosen. */
#include "encoding_fast_search.h"

#include "base/random.h"

static bt_comm *comm;
static bt_device *device;

/* Rows of a design, the first n to train, and responses, of which half follow the features. */
typedef struct {
    size_t n, held, p, voxels;
    double *x;
    float *y;
    size_t *train, *apply;
} world;

typedef double (*spectrum)(size_t column, size_t p);

static double flat(size_t column, size_t p)
{
    (void)column;
    (void)p;
    return 1;
}

static double power_law(size_t column, size_t p)
{
    (void)p;
    return pow((double)(column + 1), -1.5);
}

static double steep(size_t column, size_t p)
{
    return pow(10, -6.0 * (double)column / (double)p);
}

/* Columns of a few exact sizes: clusters of nearly equal eigenvalues. */
static double stairs(size_t column, size_t p)
{
    return pow(4, -floor(6.0 * (double)column / (double)p));
}

static world make(size_t n, size_t held, size_t p, size_t voxels, spectrum size, bool orthogonal)
{
    world w = {.n = n, .held = held, .p = p, .voxels = voxels};
    bt_random random = bt_random_start(5, n + 7 * p);
    w.x = bt_calloc((n + held) * p, sizeof *w.x);
    w.y = bt_calloc((n + held) * voxels, sizeof *w.y);
    w.train = bt_calloc(n, sizeof *w.train);
    w.apply = bt_calloc(held, sizeof *w.apply);
    for (size_t i = 0; i < n + held; ++i)
        for (size_t f = 0; f < p; ++f) {
            const double wave = cos(3.141592653589793 * ((double)i + 0.5) * (double)(f + 1) / (double)n);
            w.x[i * p + f] = size(f, p) * (orthogonal && i < n ? wave : bt_random_normal(&random));
        }
    for (size_t v = 0; v < voxels; ++v) {
        double *const weight = bt_calloc(p, sizeof *weight);
        for (size_t f = 0; f < p; ++f) weight[f] = bt_random_normal(&random) / sqrt((double)p);
        for (size_t i = 0; i < n + held; ++i) {
            double sum = bt_random_normal(&random) + 0.2;
            for (size_t f = 0; f < p && v % 2; ++f) sum += weight[f] * w.x[i * p + f];
            w.y[i * voxels + v] = (float)sum;
        }
        bt_free(weight);
    }
    for (size_t i = 0; i < n; ++i) w.train[i] = i;
    for (size_t i = 0; i < held; ++i) w.apply[i] = n + i;
    return w;
}

static void clear(world *w)
{
    bt_free(w->x);
    bt_free(w->y);
    bt_free(w->train);
    bt_free(w->apply);
}

static bt_ridge_problem problem_of(const world *w)
{
    return (bt_ridge_problem){.train = w->x,
                              .apply = w->x + w->n * w->p,
                              .n_train = w->n,
                              .n_apply = w->held,
                              .n_feature = w->p,
                              .precision = BT_F64,
                              .most_voxel = w->voxels};
}

/* score (n_penalty, voxels), one product per penalty. */
static void direct(const world *w, bt_score_rule rule, const double *penalty, size_t n_penalty, double *score)
{
    bt_ridge *ridge = NULL;
    const bt_ridge_problem problem = problem_of(w);
    double *const prediction = bt_calloc(w->held * w->voxels, sizeof *prediction);
    expect_ok(bt_ridge_create(comm, device, &problem, &ridge));
    expect_ok(bt_ridge_rotate(ridge, w->y, w->voxels));
    for (size_t k = 0; k < n_penalty; ++k) {
        expect_ok(bt_ridge_predict(ridge, penalty[k], prediction));
        bt_score(rule, w->y + w->n * w->voxels, prediction, w->held, w->voxels, score + k * w->voxels);
    }
    bt_ridge_destroy(&ridge);
    bt_free(prediction);
}

static fast_facts fast(const world *w, bt_score_rule rule, const double *penalty, size_t n_penalty, bt_dtype precision,
                       double *score)
{
    const fast_run run = {.comm = comm,
                          .device = device,
                          .ridge = problem_of(w),
                          .train = {w->n, w->train},
                          .apply = {w->held, w->apply},
                          .y = w->y,
                          .n_voxel = w->voxels,
                          .penalty = penalty,
                          .n_penalty = n_penalty,
                          .rule = rule,
                          .precision = precision};
    return fast_scores(&run, score);
}

/* Largest difference, of mean squared errors relative to the variance of y, or to themselves where they are larger. */
static double gap(const world *w, bt_score_rule rule, const double *a, const double *b, size_t n_penalty)
{
    double worst = 0;
    bt_moments *const moments = bt_calloc(w->voxels, sizeof *moments);
    bt_moments_of(w->y, w->voxels, w->apply, w->held, moments);
    for (size_t i = 0; i < n_penalty * w->voxels; ++i) {
        const double unit = rule.kind == BT_SCORE_MSE ? fmax(moments[i % w->voxels].variance, b[i]) : 1;
        worst = fmax(worst, fabs(a[i] - b[i]) / unit);
    }
    bt_free(moments);
    return worst;
}

enum { PENALTIES = 9 };

static void fill_penalties(double low, double high, double *penalty)
{
    for (size_t k = 0; k < PENALTIES; ++k) penalty[k] = pow(10, low + (high - low) * (double)k / (PENALTIES - 1));
}

typedef struct {
    size_t n, held, p;
    spectrum size;
    bool orthogonal;
} shape;

static const shape shapes[] = {
    {120, 40, 30, flat, false},      {60, 40, 90, flat, false},   {150, 50, 150, power_law, false},
    {150, 50, 220, steep, false},    {96, 32, 48, stairs, false}, {128, 32, 64, flat, true},
    {128, 32, 60, stairs, true},     {100, 7, 80, steep, true},   {30, 12, 1, flat, false},
    {120, 40, 100, power_law, true},
};
static const bt_score_rule rules[] = {{BT_SCORE_MSE, false},
                                      {BT_SCORE_R2, false},
                                      {BT_SCORE_SIGNED_ROOT, false},
                                      {BT_SCORE_SIGNED_ROOT, true},
                                      {BT_SCORE_CORRELATION, false}};

static void test_double_is_exact(void **state)
{
    (void)state;
    enum { VOXELS = 37 };
    double penalty[PENALTIES], a[PENALTIES * VOXELS], b[PENALTIES * VOXELS];
    fill_penalties(-6, 9, penalty);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; ++i) {
        world w = make(shapes[i].n, shapes[i].held, shapes[i].p, VOXELS, shapes[i].size, shapes[i].orthogonal);
        for (size_t k = 0; k < sizeof rules / sizeof *rules; ++k) {
            direct(&w, rules[k], penalty, PENALTIES, a);
            const fast_facts facts = fast(&w, rules[k], penalty, PENALTIES, BT_F64, b);
            const double worst = gap(&w, rules[k], b, a, PENALTIES);
            if (getenv("SHOW")) print_message("shape %zu rule %zu: %.1e\n", i, k, worst);
            assert_int_equal(facts.paired, BT_F64);
            assert_true(worst < (rules[k].kind == BT_SCORE_SIGNED_ROOT ? 1e-6 : 1e-9));
        }
        clear(&w);
    }
}

/* Single precision stays within the bound, and where the bound is too large the pairs are double. */
static void test_single_keeps_its_bound(void **state)
{
    (void)state;
    enum { VOXELS = 64 };
    double penalty[PENALTIES], a[PENALTIES * VOXELS], b[PENALTIES * VOXELS];
    const double lows[] = {-6, -2, 1};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; ++i) {
        world w = make(shapes[i].n, shapes[i].held, shapes[i].p, VOXELS, shapes[i].size, shapes[i].orthogonal);
        for (size_t l = 0; l < 3; ++l) {
            fill_penalties(lows[l], 7, penalty);
            direct(&w, rules[0], penalty, PENALTIES, a);
            const fast_facts facts = fast(&w, rules[0], penalty, PENALTIES, BT_F32, b);
            const double worst = gap(&w, rules[0], b, a, PENALTIES);
            if (getenv("SHOW"))
                print_message("shape %zu low %g: %.1e bound %.1e %s\n", i, lows[l], worst, facts.bound,
                              facts.paired == BT_F64 ? "double" : "single");
            assert_int_equal(facts.paired == BT_F64, facts.bound > BT_FAST_TOLERANCE);
            assert_true(worst < (facts.paired == BT_F64 ? BT_FAST_TOLERANCE : facts.bound));
        }
        clear(&w);
    }
}

/* Rough scores are within their margin, voxels with spikes and means too; and they are rough. */
static void test_rough_scores_keep_their_margin(void **state)
{
    (void)state;
    enum { VOXELS = 40, N = 700, HELD = 560, SPIKES = 3, SHIFTED = 4, STILL = 5 };
    static double penalty[PENALTIES], exact[PENALTIES * VOXELS], rough[PENALTIES * VOXELS], margin[PENALTIES * VOXELS];
    const spectrum sizes[] = {flat, power_law};
    for (size_t i = 0; i < 2; ++i) {
        world w = make(N, HELD, 600, VOXELS, sizes[i], false);
        fill_penalties(i == 0 ? 2.5 : 0, 7, penalty);
        for (size_t row = 0; row < N + HELD; ++row) {
            float *const y = w.y + row * VOXELS;
            if (row % 97 == 0) y[SPIKES] = 40;
            y[SHIFTED] += 3;
            if (row >= N) y[STILL] = 1;
        }
        for (size_t r = 0; r < 4; ++r) {
            const fast_run run = {comm,   device,  problem_of(&w), {N, w.train}, {HELD, w.apply}, w.y,
                                  VOXELS, penalty, PENALTIES,      rules[r],     BT_F32,          margin};
            double worst = 0;
            memset(margin, 0, sizeof margin);
            const fast_facts facts = fast_scores(&run, rough);
            direct(&w, rules[r], penalty, PENALTIES, exact);
            assert_true(facts.rough && facts.paired == BT_F32);
            for (size_t at = 0; at < PENALTIES * VOXELS; ++at) {
                if (at % VOXELS == STILL && (r == 1 || r == 2)) assert_true(isinf(margin[at])); /* nothing is known */
                worst = fmax(worst, fabs(rough[at] - exact[at]) / margin[at]);
            }
            if (getenv("SHOW")) print_message("spectrum %zu rule %zu: %.2f of the margin\n", i, r, worst);
            assert_true(worst < 1 && worst > 0.02);
        }
        clear(&w);
    }
}

/* Few rows, scores that are quotients, and double precision are never rough. */
static void test_other_searches_are_not_rough(void **state)
{
    (void)state;
    enum { VOXELS = 4 };
    double penalty[PENALTIES], score[PENALTIES * VOXELS], margin[PENALTIES * VOXELS] = {0};
    fill_penalties(1, 7, penalty);
    const struct {
        size_t held;
        bt_score_rule rule;
        bt_dtype precision;
    } runs[] = {{500, rules[0], BT_F32}, {520, rules[4], BT_F32}, {520, rules[0], BT_F64}, {520, rules[0], BT_F32}};
    for (size_t i = 0; i < 4; ++i) {
        world w = make(600, runs[i].held, 520, VOXELS, flat, false);
        const fast_run run = {comm,   device,  problem_of(&w), {600, w.train}, {runs[i].held, w.apply}, w.y,
                              VOXELS, penalty, PENALTIES,      runs[i].rule,   runs[i].precision,       margin};
        assert_int_equal(fast_scores(&run, score).rough, i == 3);
        assert_true((margin[0] > 0) == (i == 3));
        clear(&w);
    }
}

static int begin(void **state)
{
    (void)state;
    return bt_comm_create(MPI_COMM_NULL, &comm) == BT_OK && bt_device_create(BT_DEVICE_CPU, &device) == BT_OK ? 0 : -1;
}

static int end(void **state)
{
    bt_device_destroy(&device);
    bt_comm_destroy(&comm);
    return test_no_leak(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_double_is_exact), TEST(test_single_keeps_its_bound),
                                       TEST(test_rough_scores_keep_their_margin),
                                       TEST(test_other_searches_are_not_rough)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
