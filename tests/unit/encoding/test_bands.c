/* Banded ridge: against numpy with given scalings, and the scalings that are drawn. */
#include "encoding_support.h"

#include "base/random.h"
#include "encoding/significance.h"

static bt_comm *comm;

static bt_status encode(const char *words, bt_text *result)
{
    return stage_call(&bt_encode_stage, comm, words, result);
}

static const char *banded_words(const char *out, bool tested, const char *more)
{
    static char words[4][4096];
    static unsigned turn;
    char *const text = words[turn++ % 4];
    char test[1024] = "";
    if (tested)
        (void)snprintf(test, sizeof test, "test.features=%s,%s test.responses=%s cv.scheme=given cv.folds=%s",
                       golden_path("banded_a2"), golden_path("banded_b2"), golden_path("tall_y2"),
                       golden_path("tall_masks"));
    (void)snprintf(
        text, sizeof words[0],
        "features=%s,%s responses=%s %s bands=random alphas.logspace=-1,3,6 overwrite=true store=%s out=%s %s",
        golden_path("banded_a"), golden_path("banded_b"), golden_path("tall_y"), test, encode_scratch("store"), out,
        more);
    return text;
}

/* Data set `path` against rows [row, row + n) of a golden matrix. */
static void expect_rows(const char *out, const char *path, const golden_array *golden, size_t row, size_t n,
                        double tolerance)
{
    golden_array found = score_read(out, path);
    assert_int_equal(found.n, n * golden->columns);
    expect_all_near(found.v, golden->v + row * golden->columns, found.n, tolerance);
    bt_free(found.v);
}

static void expect_banded(const char *out, const char *name, bool nested, double tolerance)
{
    char cv[64];
    golden_array golden = golden_read(name);
    if (!nested) expect_rows(out, "/alpha", &golden, 0, 1, 1e-9);
    expect_rows(out, "/r", &golden, 1, 1, tolerance);
    expect_rows(out, "/r2", &golden, 2, 1, tolerance);
    expect_rows(out, "/scaling", &golden, 3, 2, 1e-6);
    expect_rows(out, "/r_split", &golden, 5, 2, tolerance);
    expect_rows(out, "/r2_split", &golden, 7, 2, tolerance);
    bt_free(golden.v);
    (void)snprintf(cv, sizeof cv, "%s_cv", name);
    expect_golden(out, "/cv_score", cv, tolerance);
}

static void test_given_scalings_as_numpy(void **state)
{
    (void)state;
    static const struct {
        const char *name, *words;
    } variants[] = {{"banded_default", "precision=double weights=true"},
                    {"banded_mse", "precision=double select=mse search=direct"},
                    {"banded_one", "precision=double alpha.scope=one"},
                    {"banded_delays", "precision=double delays=0,2"},
                    {"banded_default", "precision=single weights=true"}};
    const char *const out = encode_scratch("banded.h5");
    for (size_t i = 0; i < sizeof variants / sizeof *variants; ++i) {
        char more[512];
        const bool single = strstr(variants[i].words, "single") != NULL;
        (void)snprintf(more, sizeof more, "bands.draws=%s %s", golden_path("banded_draws"), variants[i].words);
        expect_ok(encode(banded_words(out, true, more), NULL));
        expect_banded(out, variants[i].name, false, single ? 1e-5 : 1e-6);
        if (strstr(variants[i].words, "weights"))
            expect_golden(out, "/weights", "banded_weights", single ? 1e-5 : 1e-6);
        expect_golden(out, "/scalings_drawn", "banded_draws", 0);
    }
}

static void test_bands_in_outer_folds_as_numpy(void **state)
{
    (void)state;
    char more[512];
    const char *const out = encode_scratch("outer.h5");
    (void)snprintf(more, sizeof more,
                   "bands.draws=%s precision=double select=r2 cv.scheme=kfold cv.n_fold=4 cv.outer=kfold cv.outer.n=3",
                   golden_path("banded_draws"));
    expect_ok(encode(banded_words(out, false, more), NULL));
    expect_banded(out, "banded_nested", true, 1e-6);
}

/* Of a symmetric Dirichlet distribution of two with concentration c: mean 1/2, variance 1 / (4 (2 c + 1)). */
static void test_scalings_are_drawn_from_dirichlet_distributions(void **state)
{
    (void)state;
    enum { N = 801 };
    const char *const out = encode_scratch("drawn.h5"), *const other = encode_scratch("other.h5");
    const double wanted[2] = {1 / (4 * (2 * 2.0 + 1)), 1 / (4 * (2 * 0.1 + 1))};
    double sum[2] = {0}, squares[2] = {0};
    expect_ok(encode(banded_words(out, true, "bands.n_draw=801 bands.concentrations=2,0.1"), NULL));
    golden_array draws = score_read(out, "/scalings_drawn");
    assert_int_equal(draws.rows, N);
    expect_near(draws.v[0], 0.5, 0);
    for (size_t d = 1; d < N; ++d) {
        expect_near(draws.v[2 * d] + draws.v[2 * d + 1], 1, 1e-12);
        sum[d % 2] += draws.v[2 * d] / 400;
        squares[d % 2] += (draws.v[2 * d] - 0.5) * (draws.v[2 * d] - 0.5) / 400;
    }
    for (size_t c = 0; c < 2; ++c) {
        expect_near(sum[c], 0.5, 4 * sqrt(wanted[c] / 400));
        expect_near(squares[c], wanted[c], 0.15 * wanted[c]);
    }
    expect_ok(encode(banded_words(other, true, "bands.n_draw=2 bands.seed=1"), NULL));
    golden_array second = score_read(other, "/scalings_drawn");
    assert_true(second.v[2] != draws.v[2]);
    bt_free(draws.v);
    bt_free(second.v);
}

/* Each voxel's validation score is at least that of equal scalings; the parts add up. */
static void test_the_best_draw_is_kept(void **state)
{
    (void)state;
    const char *const out = encode_scratch("best.h5"), *const plain = encode_scratch("plain.h5");
    expect_ok(encode(banded_words(out, true, "bands.n_draw=20 precision=double"), NULL));
    expect_ok(encode(banded_words(plain, true, "bands.n_draw=1 precision=double"), NULL));
    golden_array best = score_read(out, "/cv_score"), equal = score_read(plain, "/cv_score");
    golden_array r = score_read(out, "/r"), parts = score_read(out, "/r_split");
    bool anywhere = false;
    for (size_t v = 0; v < r.n; ++v) {
        double mine = -INFINITY, least = -INFINITY;
        for (size_t a = 0; a < best.rows; ++a) {
            mine = fmax(mine, best.v[a * best.columns + v]);
            least = fmax(least, equal.v[a * best.columns + v]);
        }
        assert_true(mine >= least - 1e-6);
        anywhere |= mine > least + 1e-3;
        expect_near(parts.v[v] + parts.v[r.n + v], r.v[v], 1e-5);
    }
    assert_true(anywhere);
    bt_free(best.v);
    bt_free(equal.v);
    bt_free(r.v);
    bt_free(parts.v);
}

/* Many random voxels in blocks, of which every draw is kept by some: as with all memory. */
static void test_little_memory_gives_the_same_bands(void **state)
{
    (void)state;
    enum { MANY = 500 };
    static const char *const sizes[] = {"1GiB", "450kB", "60kB"}; /* held, streamed, too little */
    static const char *const names[] = {"/r", "/scaling", "/r2_split", "/weights"};
    char more[1024];
    size_t fitted = 0;
    const char *const path = encode_scratch("many.npy"), *const roomy = encode_scratch("1GiB");
    double *const y = bt_calloc(90 * MANY, sizeof *y);
    bt_random random = bt_random_start(1, 2);
    for (size_t i = 0; i < 90 * MANY; ++i) y[i] = bt_random_normal(&random);
    expect_ok(bt_npy_write(path, BT_F64, 2, (const size_t[2]){60, MANY}, y));
    expect_ok(bt_npy_write(encode_scratch("many2.npy"), BT_F64, 2, (const size_t[2]){30, MANY}, y + 60 * MANY));
    bt_free(y);
    for (; fitted < 3; ++fitted) {
        const char *const out = encode_scratch(sizes[fitted]);
        (void)snprintf(more, sizeof more,
                       "bands.draws=%s precision=double weights=true memory=%s responses=%s test.responses=%s",
                       golden_path("banded_draws"), sizes[fitted], path, encode_scratch("many2.npy"));
        if (encode(banded_words(out, true, more), NULL) != BT_OK) break;
        for (size_t i = 0; i < 4 && fitted > 0; ++i) {
            golden_array found = score_read(out, names[i]), wanted = score_read(roomy, names[i]);
            assert_int_equal(found.n, wanted.n);
            expect_all_near(found.v, wanted.v, found.n, 1e-6);
            bt_free(found.v);
            bt_free(wanted.v);
        }
    }
    assert_non_null(strstr(bt_error_message(), "memory"));
    assert_int_equal(fitted, 2);
}

/* p is of the predictions that are written: those of each voxel's draw. */
static void test_p_is_of_the_draw_that_is_kept(void **state)
{
    (void)state;
    enum { ROWS = 30, SHIFTS = ROWS - 1 };
    char more[512];
    bt_null *null = NULL;
    bt_story_rows rows = {0};
    const bt_permute_options options = {.kind = BT_PERMUTE_SHIFTS, .block = 20, .draws = SHIFTS};
    const size_t length = ROWS;
    const char *const out = encode_scratch("tested.h5");
    (void)snprintf(more, sizeof more, "bands.draws=%s significance.permute=circular_shift predictions=true",
                   golden_path("banded_draws"));
    expect_ok(encode(banded_words(out, true, more), NULL));
    golden_array p = score_read(out, "/p"), prediction = score_read(out, "/predictions"), y = golden_read("tall_y2"),
                 scaling = score_read(out, "/scaling");
    float single[ROWS * 16];
    double wanted[16];
    bool differ = false;
    assert_true(y.rows == ROWS && y.columns <= 16);
    for (size_t i = 0; i < y.n; ++i) single[i] = (float)y.v[i];
    for (size_t v = 1; v < p.n; ++v) differ |= scaling.v[v] != scaling.v[0];
    assert_true(differ);
    expect_ok(bt_story_rows_create(1, &length, &rows));
    expect_ok(bt_null_create(&options, &rows, &null));
    expect_ok(bt_null_p(null, single, prediction.v, p.n, wanted));
    expect_all_near(p.v, wanted, p.n, 1e-6);
    bt_null_destroy(&null);
    bt_story_rows_clear(&rows);
    bt_free(p.v);
    bt_free(prediction.v);
    bt_free(y.v);
    bt_free(scaling.v);
}

/* Without band a nothing of it predicts. Where all bands have one scaling g, a draw at alpha is plain ridge at alpha /
 * g of what is left: two draws are two alphas. */
static void test_bands_of_what_is_left_after_a_removal(void **state)
{
    (void)state;
    char words[4096];
    const char *const out = encode_scratch("left.h5"), *const plain = encode_scratch("left_plain.h5"),
                      *const draws = encode_scratch("equal.npy");
    const double equal[4] = {0.5, 0.5, 0.25, 0.25};
    const size_t shape[2] = {2, 2};
    expect_ok(bt_npy_write(draws, BT_F64, 2, shape, equal));
    for (size_t banded = 0; banded < 2; ++banded) {
        char bands[1024];
        (void)snprintf(bands, sizeof bands, "bands=random bands.draws=%s alphas=3 out=%s", draws, out);
        if (!banded) (void)snprintf(bands, sizeof bands, "alphas=6,12 out=%s", plain);
        (void)snprintf(words, sizeof words,
                       "features=%s,%s test.features=%s,%s responses=%s test.responses=%s remove.features=%s "
                       "remove.test.features=%s cv.scheme=given cv.folds=%s penalty=alpha precision=double store=%s %s",
                       golden_path("banded_a"), golden_path("banded_b"), golden_path("banded_a2"),
                       golden_path("banded_b2"), golden_path("tall_y"), golden_path("tall_y2"), golden_path("banded_a"),
                       golden_path("banded_a2"), golden_path("tall_masks"), encode_scratch("store"), bands);
        expect_ok(encode(words, NULL));
    }
    golden_array r = score_read(out, "/r"), wanted = score_read(plain, "/r"), parts = score_read(out, "/r_split");
    assert_int_equal(r.n, wanted.n);
    expect_all_near(r.v, wanted.v, r.n, 1e-6);
    for (size_t v = 0; v < r.n; ++v) {
        expect_near(parts.v[v], 0, 1e-9);
        expect_near(parts.v[r.n + v], r.v[v], 1e-6);
    }
    bt_free(r.v);
    bt_free(wanted.v);
    bt_free(parts.v);
}

static void test_bands_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    char words[4096];
    const char *const out = encode_scratch("refused.h5"), *const draws = encode_scratch("draws.npy");
    const size_t shape[2] = {1, 3};
    const double three[3] = {0.2, 0.3, 0.5}, negative[3] = {0.5, -0.5, 1};
    (void)snprintf(words, sizeof words, "%s bands=random", golden_words("tall", out, ""));
    expect_failure(encode(words, NULL), BT_ERR_USAGE, "bands: no space is joined");
    (void)snprintf(words, sizeof words, "%s bands.draws=%s", golden_words("tall", out, ""),
                   golden_path("banded_draws"));
    expect_failure(encode(words, NULL), BT_ERR_USAGE, "bands.draws: only with bands=random");
    (void)snprintf(words, sizeof words, "bands.draws=%s", draws);
    expect_ok(bt_npy_write(draws, BT_F64, 2, shape, three));
    expect_failure(encode(banded_words(out, true, words), NULL), BT_ERR_INPUT, "expected 2 columns");
    expect_ok(bt_npy_write(draws, BT_F64, 2, shape, negative));
    expect_failure(encode(banded_words(out, true, words), NULL), BT_ERR_INPUT, "row 0, column 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_given_scalings_as_numpy),
        LEAK_TEST(test_bands_in_outer_folds_as_numpy),
        LEAK_TEST(test_scalings_are_drawn_from_dirichlet_distributions),
        LEAK_TEST(test_the_best_draw_is_kept),
        LEAK_TEST(test_little_memory_gives_the_same_bands),
        LEAK_TEST(test_p_is_of_the_draw_that_is_kept),
        LEAK_TEST(test_bands_of_what_is_left_after_a_removal),
        LEAK_TEST(test_bands_that_do_not_fit_are_refused),
    };
    if (bt_comm_create(MPI_COMM_NULL, &comm) != BT_OK) return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    bt_comm_destroy(&comm);
    return failed;
}
