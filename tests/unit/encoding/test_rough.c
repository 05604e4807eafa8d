/* Encoding whose search is rough at first: the same alphas and test scores as by float32 alone. On CPUs that are not
 * faster in 16 bits both runs are float32. */
#include "encoding_support.h"

#include "base/random.h"
#include "device/shorts.h"

static bt_comm *comm;

enum { N = 1100, TEST = 40, P = 600 };
#define GRID "0,3,9"

/* Rows of `x` or `y` to a file. */
static const char *save(const char *name, size_t n, size_t width, const double *values)
{
    const char *const path = encode_scratch(name);
    const size_t shape[2] = {n, width};
    expect_ok(bt_npy_write(path, BT_F64, 2, shape, values));
    return path;
}

typedef struct {
    const char *x, *y, *x2, *y2;
} world;

/* Half of the voxels follow the features, whose sizes fall off; n_still of them, evenly, do not vary in the rows that
 * split 0 holds out. */
static world make(size_t n_voxel, size_t n_still)
{
    world w;
    bt_random random = bt_random_start(8, n_voxel);
    double *const x = bt_calloc((N + TEST) * P, sizeof *x), *const y = bt_calloc((N + TEST) * n_voxel, sizeof *y);
    for (size_t i = 0; i < (N + TEST) * P; ++i) x[i] = bt_random_normal(&random) / sqrt(1 + (double)(i % P) / 20);
    for (size_t i = 0; i < N + TEST; ++i)
        for (size_t v = 0; v < n_voxel; ++v) {
            const double noise = bt_random_normal(&random), follows = x[i * P + v % 50] + x[i * P + 51];
            const bool still = n_still > 0 && v % (n_voxel / n_still) == 0 && i < N / 2;
            y[i * n_voxel + v] = still ? 1 : noise + (v % 2 ? follows : 0);
        }
    w.x = save("rough_x.npy", N, P, x);
    w.x2 = save("rough_x2.npy", TEST, P, x + N * P);
    w.y = save("rough_y.npy", N, n_voxel, y);
    w.y2 = save("rough_y2.npy", TEST, n_voxel, y + N * n_voxel);
    bt_free(x);
    bt_free(y);
    return w;
}

/* The solver's line, by value. */
static void encode(const world *w, const char *alphas, const char *more, const char *out, char solver[512])
{
    char words[4096];
    bt_h5 *file = NULL;
    char *text = NULL;
    (void)snprintf(words, sizeof words,
                   "features=%s responses=%s test.features=%s test.responses=%s cv.scheme=kfold cv.n_fold=2 "
                   "alphas.logspace=%s store=%s out=%s overwrite=true %s",
                   w->x, w->y, w->x2, w->y2, alphas, encode_scratch("store"), out, more);
    expect_ok(stage_call(&bt_encode_stage, comm, words, NULL));
    expect_ok(bt_h5_open(out, NULL, &file));
    expect_ok(bt_h5_get_text(file, "/", "solver", &text));
    (void)snprintf(solver, 512, "%s", text);
    bt_free(text);
    bt_h5_abandon(&file);
}

/* "16 bits (AGAIN of ROUGH voxels": whether it is there. */
static bool says_rough(const char *solver, unsigned *again, unsigned *rough)
{
    const char *const at = strstr(solver, "16 bits (");
    return at && sscanf(at, "16 bits (%u of %u voxels", again, rough) == 2;
}

static void expect_same(const char *name, const char *a, const char *b, double tolerance)
{
    golden_array left = score_read(a, name), right = score_read(b, name);
    assert_int_equal(left.n, right.n);
    for (size_t i = 0; i < left.n; ++i) expect_near(left.v[i], right.v[i], tolerance * fmax(1, fabs(right.v[i])));
    bt_free(left.v);
    bt_free(right.v);
}

/* Largest difference of the scores of voxels 0, step, 2 step .. */
static double gap_of(size_t step, const char *a, const char *b)
{
    double gap = 0;
    golden_array left = score_read(a, "/cv_score"), right = score_read(b, "/cv_score");
    for (size_t i = 0; i < left.n; ++i)
        if (i % left.columns % step == 0) gap = fmax(gap, fabs(left.v[i] - right.v[i]));
    bt_free(left.v);
    bt_free(right.v);
    return gap;
}

static void test_alphas_are_those_of_float32(void **state)
{
    (void)state;
    static const char *const selects[] = {"mse", "r2", "signed_root_r2"};
    const char *const out = encode_scratch("rough.h5"), *const plain = encode_scratch("plain.h5");
    const world w = make(2100, 100); /* two blocks */
    for (size_t i = 0; i < 3; ++i) {
        char more[64], solver[512];
        unsigned again = 0, rough = 0;
        (void)snprintf(more, sizeof more, "select=%s", selects[i]);
        encode(&w, GRID, more, out, solver);
        assert_int_equal(says_rough(solver, &again, &rough), bt_shorts_are_fast());
        if (bt_shorts_are_fast()) assert_true(rough == 2100 && again >= (i == 0 ? 0 : 100) && again < 420);
        (void)snprintf(more, sizeof more, "select=%s search=fast", selects[i]);
        encode(&w, GRID, more, plain, solver);
        assert_false(says_rough(solver, &again, &rough));
        expect_same("/alpha", out, plain, 0);
        expect_same("/r", out, plain, 0);
        expect_same("/cv_score", out, plain, i == 2 ? 2e-2 : 2e-4);
        if (i > 0) expect_near(gap_of(21, out, plain), 0, 1e-6); /* nothing decides the still ones but float32 */
        assert_true(!bt_shorts_are_fast() || gap_of(1, out, plain) > 1e-6);
    }
}

/* Grids with fine steps, shared alphas, correlations and double precision are searched as ever. */
static void test_others_are_not_rough(void **state)
{
    (void)state;
    static const char *const words[] = {"select=mse", "alpha.scope=one", "select=correlation", "precision=double"};
    const world w = make(8, 0);
    for (size_t i = 0; i < 4; ++i) {
        char solver[512];
        unsigned again = 0, rough = 0;
        encode(&w, i == 0 ? "0,1,30" : GRID, words[i], encode_scratch("other.h5"), solver);
        assert_false(says_rough(solver, &again, &rough));
    }
}

/* Where most voxels of a block had to be scored again the next one is not rough. */
static void test_rough_searches_end_where_they_decide_little(void **state)
{
    (void)state;
    char solver[512];
    unsigned again = 0, rough = 0;
    const char *const out = encode_scratch("rough.h5"), *const plain = encode_scratch("plain.h5");
    const world w = make(2100, 700);
    encode(&w, GRID, "select=r2", out, solver);
    if (bt_shorts_are_fast()) assert_true(says_rough(solver, &again, &rough) && rough == 2048 && again > 600);
    encode(&w, GRID, "select=r2 search=fast", plain, solver);
    expect_same("/alpha", out, plain, 0);
    expect_same("/r", out, plain, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {LEAK_TEST(test_alphas_are_those_of_float32),
                                       LEAK_TEST(test_others_are_not_rough),
                                       LEAK_TEST(test_rough_searches_end_where_they_decide_little)};
    if (bt_comm_create(MPI_COMM_NULL, &comm) != BT_OK) return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    bt_comm_destroy(&comm);
    return failed;
}
