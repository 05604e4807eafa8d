/* bands=coordinate: against numpy, against a plain loop over voxels with ridge by Cholesky's method, and against all
 * points of the grid where a search along coordinates finds the best of them. */
#include "encoding_support.h"

#include "base/random.h"

static bt_comm *comm;

enum {
    ROWS = 60,
    TESTS = 30,
    VOXELS = 12,
    NAN_VOXEL = 11,
    BANDS = 3,
    FEATURES = 9,
    SPLITS = 3,
    ALPHAS = 4,
    VALUES = 5
};
static const size_t widths[BANDS] = {3, 2, 4};
static const double alphas[ALPHAS] = {0.3, 3, 30, 300};

static bt_status encode(const char *words)
{
    return stage_call(&bt_encode_stage, comm, words, NULL);
}

/* ---- made-up data ---- */

typedef struct {
    double x[BANDS][(ROWS + TESTS) * 4], y[(ROWS + TESTS) * VOXELS]; /* of widths[b] and VOXELS columns */
} data;

static data made;

static void save(const char *name, const double *values, size_t low, size_t n, size_t columns)
{
    char file[64];
    const size_t shape[2] = {n, columns};
    (void)snprintf(file, sizeof file, "%s.npy", name);
    expect_ok(bt_npy_write(encode_scratch(file), BT_F64, 2, shape, values + low * columns));
}

/* y of voxels whose bands have weights of these sizes (VOXELS, BANDS). */
static void draw_responses(bt_random *random, const double *sizes, double noise, double *y)
{
    for (size_t v = 0; v < VOXELS; ++v) {
        for (size_t i = 0; i < ROWS + TESTS; ++i) y[i * VOXELS + v] = noise * bt_random_normal(random);
        for (size_t b = 0; b < BANDS; ++b)
            for (size_t k = 0; k < widths[b]; ++k) {
                const double w = sizes[v * BANDS + b] * bt_random_normal(random);
                for (size_t i = 0; i < ROWS + TESTS; ++i) y[i * VOXELS + v] += w * made.x[b][i * widths[b] + k];
            }
    }
    for (size_t i = 0; i < (ROWS + TESTS) * VOXELS; ++i) y[i] = (float)y[i];
}

/* y: voxels of all sorts, one with NaN; of "one" each is of one band. */
static void make_data(void)
{
    double sizes[VOXELS * BANDS], *const one = bt_calloc((ROWS + TESTS) * VOXELS, sizeof *one);
    bt_random random = bt_random_start(4, 0);
    for (size_t b = 0; b < BANDS; ++b) {
        const char name[3] = {(char)('a' + b), 0}, test[3] = {(char)('a' + b), '2'};
        for (size_t i = 0; i < (ROWS + TESTS) * widths[b]; ++i) made.x[b][i] = (float)bt_random_normal(&random);
        save(name, made.x[b], 0, ROWS, widths[b]);
        save(test, made.x[b], ROWS, TESTS, widths[b]);
    }
    for (size_t i = 0; i < VOXELS * BANDS; ++i) sizes[i] = 0.03 * pow(4.5, (double)bt_random_below(&random, 4));
    draw_responses(&random, sizes, 1, made.y);
    for (size_t i = 0; i < VOXELS * BANDS; ++i) sizes[i] = i % BANDS == i / BANDS % BANDS;
    draw_responses(&random, sizes, 1, one);
    made.y[7 * VOXELS + NAN_VOXEL] = (double)NAN;
    save("y", made.y, 0, ROWS, VOXELS);
    save("y2", made.y, ROWS, TESTS, VOXELS);
    save("one", one, 0, ROWS, VOXELS);
    save("one2", one, ROWS, TESTS, VOXELS);
    bt_free(one);
}

/* Of the made-up data; with outer folds without test rows. */
static const char *made_words(const char *out, const char *more)
{
    static char words[4][8192];
    static unsigned turn;
    char *const text = words[turn++ % 4];
    char test[2048] = "";
    if (!strstr(more, "cv.outer="))
        (void)snprintf(test, sizeof test, "test.features=%s,%s,%s test.responses=%s", encode_scratch("a2.npy"),
                       encode_scratch("b2.npy"), encode_scratch("c2.npy"), encode_scratch("y2.npy"));
    (void)snprintf(text, sizeof words[0],
                   "features=%s,%s,%s responses=%s %s cv.scheme=kfold cv.n_fold=3 penalty=alpha select=r2 "
                   "precision=double overwrite=true store=%s out=%s %s",
                   encode_scratch("a.npy"), encode_scratch("b.npy"), encode_scratch("c.npy"), encode_scratch("y.npy"),
                   test, encode_scratch("store"), out, more);
    return text;
}

/* ---- the same by one voxel at a time ---- */

/* w of (X'X + A) w = X'y, of the rows outside [low, high), features scaled. */
static void ridge(const double *x, const double *y, size_t low, size_t high, double penalty, double *w)
{
    double gram[FEATURES][FEATURES] = {{0}};
    for (size_t f = 0; f < FEATURES; ++f) {
        w[f] = 0;
        for (size_t i = 0; i < ROWS; ++i) w[f] += i < low || i >= high ? x[i * FEATURES + f] * y[i] : 0;
        for (size_t g = 0; g <= f; ++g)
            for (size_t i = 0; i < ROWS; ++i)
                gram[f][g] += i < low || i >= high ? x[i * FEATURES + f] * x[i * FEATURES + g] : 0;
        gram[f][f] += penalty;
    }
    for (size_t f = 0; f < FEATURES; ++f)
        for (size_t g = 0; g <= f; ++g) {
            for (size_t k = 0; k < g; ++k) gram[f][g] -= gram[f][k] * gram[g][k];
            gram[f][g] = f == g ? sqrt(gram[f][f]) : gram[f][g] / gram[g][g];
        }
    for (size_t f = 0; f < FEATURES; ++f) {
        for (size_t k = 0; k < f; ++k) w[f] -= gram[f][k] * w[k];
        w[f] /= gram[f][f];
    }
    for (size_t f = FEATURES; f-- > 0;) {
        for (size_t k = f + 1; k < FEATURES; ++k) w[f] -= gram[k][f] * w[k];
        w[f] /= gram[f][f];
    }
}

/* Over rows [low, high). */
static double r2_of(const double *x, const double *y, size_t low, size_t high, const double *w)
{
    double sum = 0, squares = 0, errors = 0;
    const double n = (double)(high - low);
    for (size_t i = low; i < high; ++i) {
        double p = 0;
        for (size_t f = 0; f < FEATURES; ++f) p += x[i * FEATURES + f] * w[f];
        sum += y[i];
        squares += y[i] * y[i];
        errors += (y[i] - p) * (y[i] - p);
    }
    return 1 - errors / (squares - sum * sum / n);
}

typedef struct {
    double gamma[BANDS], alpha, score;
} point;

/* The best alpha with the bands' scalings 10^(-2 + k). */
static point score_point(const double *y, const size_t *place)
{
    static double x[ROWS * FEATURES];
    point best = {.score = -INFINITY};
    double sum = 0, w[FEATURES];
    for (size_t b = 0; b < BANDS; ++b) sum += best.gamma[b] = pow(10, -2 + (double)place[b]);
    for (size_t b = 0; b < BANDS; ++b) best.gamma[b] /= sum;
    for (size_t i = 0; i < ROWS; ++i)
        for (size_t b = 0, f = 0; b < BANDS; ++b)
            for (size_t k = 0; k < widths[b]; ++k)
                x[i * FEATURES + f++] = sqrt(best.gamma[b]) * made.x[b][i * widths[b] + k];
    for (size_t a = 0; a < ALPHAS; ++a) {
        double score = 0;
        for (size_t k = 0; k < SPLITS; ++k) {
            const size_t low = k * ROWS / SPLITS, high = (k + 1) * ROWS / SPLITS;
            ridge(x, y, low, high, alphas[a], w);
            score += r2_of(x, y, low, high, w) / SPLITS;
        }
        if (score <= best.score) continue;
        best.score = score;
        best.alpha = alphas[a];
    }
    return best;
}

/* tried (VALUES^BANDS): grows by what this voxel looks at, by the point with the same ratios whose lowest place is 0.
 */
static point search_voxel(size_t v, size_t n_sweep, bool *tried)
{
    double y[ROWS];
    size_t place[BANDS] = {2, 2, 2};
    for (size_t i = 0; i < ROWS; ++i) y[i] = made.y[i * VOXELS + v];
    point here = score_point(y, place);
    bool moved = true;
    for (size_t sweep = 0; moved && sweep < n_sweep; ++sweep) {
        moved = false;
        for (size_t b = 0; b < BANDS; ++b) {
            const size_t was = place[b];
            size_t best = was;
            for (place[b] = 0; place[b] < VALUES; ++place[b]) {
                size_t least = VALUES;
                for (size_t c = 0; c < BANDS; ++c) least = place[c] < least ? place[c] : least;
                tried[((place[0] - least) * VALUES + place[1] - least) * VALUES + place[2] - least] = true;
                if (place[b] == was) continue;
                const point there = score_point(y, place);
                if (there.score <= here.score) continue;
                here = there;
                best = place[b];
            }
            place[b] = best;
            moved |= best != was;
        }
    }
    return here;
}

/* Splits that a run takes when each draw that any voxel looks at is fitted once. */
static size_t search_all(size_t n_sweep, point *points)
{
    bool tried[VALUES * VALUES * VALUES] = {false};
    size_t n = 0;
    for (size_t v = 0; v < VOXELS; ++v)
        if (v != NAN_VOXEL) points[v] = search_voxel(v, n_sweep, tried);
    for (size_t p = 0; p < sizeof tried / sizeof *tried; ++p) n += tried[p];
    return SPLITS * n;
}

static void expect_points(const char *out, const point *points)
{
    golden_array scaling = score_read(out, "/scaling"), alpha = score_read(out, "/alpha"),
                 score = score_read(out, "/cv_score");
    assert_int_equal(alpha.n, VOXELS);
    for (size_t v = 0; v < VOXELS; ++v) {
        double best = -INFINITY;
        if (v == NAN_VOXEL) {
            assert_true(isnan(scaling.v[v]) && isnan(alpha.v[v]) && isnan(score.v[v]));
            continue;
        }
        for (size_t b = 0; b < BANDS; ++b) expect_near(scaling.v[b * VOXELS + v], points[v].gamma[b], 1e-6);
        for (size_t a = 0; a < ALPHAS; ++a) best = fmax(best, score.v[a * VOXELS + v]);
        expect_near(alpha.v[v], points[v].alpha, 1e-9);
        expect_near(best, points[v].score, 1e-6);
    }
    bt_free(scaling.v);
    bt_free(alpha.v);
    bt_free(score.v);
}

/* The split behind the last that the run may take is armed to fail, and is the next run's first. */
static void test_each_voxel_goes_its_way_and_no_draw_is_fitted_twice(void **state)
{
    (void)state;
    char fault[64];
    point swept[VOXELS] = {{{0}, 0, 0}}, ended[VOXELS] = {{{0}, 0, 0}};
    const char *const out = encode_scratch("way.h5"), *const words = "bands=coordinate alphas=0.3,3,30,300";
    const size_t n_split = search_all(10, ended);
    (void)snprintf(fault, sizeof fault, "encode.split:fail:0:%zu", n_split + 1);
    (void)setenv("BRAINTUNE_FAULT", fault, 1);
    expect_ok(encode(made_words(out, words)));
    expect_points(out, ended);
    expect_failure(encode(made_words(encode_scratch("fault.h5"), "bands=coordinate")), BT_ERR_FILE, "encode.split");
    (void)search_all(1, swept);
    expect_ok(encode(made_words(out, "bands=coordinate bands.n_sweep=1 alphas=0.3,3,30,300")));
    expect_points(out, swept);
    size_t n_differ = 0, n_apart = 0;
    for (size_t v = 0; v < VOXELS; ++v) {
        n_differ += memcmp(swept[v].gamma, ended[v].gamma, sizeof swept[v].gamma) != 0;
        n_apart += memcmp(ended[v].gamma, ended[0].gamma, sizeof ended[v].gamma) != 0;
    }
    assert_true(n_differ > 1 && n_apart > 4);
}

/* ---- numpy's rendering ---- */

static void expect_rows(const char *out, const char *path, const golden_array *golden, size_t row, size_t n,
                        double tolerance)
{
    golden_array found = score_read(out, path);
    assert_int_equal(found.n, n * golden->columns);
    expect_all_near(found.v, golden->v + row * golden->columns, found.n, tolerance);
    bt_free(found.v);
}

static void test_coordinates_as_numpy(void **state)
{
    (void)state;
    static const struct {
        const char *name, *words;
    } variants[] = {{"coordinate", ""},
                    {"coordinate_one", "alpha.scope=one"},
                    {"coordinate_sweep", "bands.n_sweep=1 select=mse search=direct"}};
    const char *const out = encode_scratch("numpy.h5");
    for (size_t i = 0; i < sizeof variants / sizeof *variants; ++i) {
        char words[8192], cv[64];
        (void)snprintf(words, sizeof words,
                       "features=%s,%s,%s test.features=%s,%s,%s responses=%s test.responses=%s cv.scheme=given "
                       "cv.folds=%s bands=coordinate alphas.logspace=-1,3,6 precision=double overwrite=true store=%s "
                       "out=%s %s",
                       golden_path("banded_a"), golden_path("banded_c"), golden_path("banded_d"),
                       golden_path("banded_a2"), golden_path("banded_c2"), golden_path("banded_d2"),
                       golden_path("tall_y"), golden_path("tall_y2"), golden_path("tall_masks"),
                       encode_scratch("store"), out, variants[i].words);
        expect_ok(encode(words));
        golden_array golden = golden_read(variants[i].name);
        expect_rows(out, "/alpha", &golden, 0, 1, 1e-9);
        expect_rows(out, "/r", &golden, 1, 1, 1e-6);
        expect_rows(out, "/r2", &golden, 2, 1, 1e-6);
        expect_rows(out, "/scaling", &golden, 3, BANDS, 1e-6);
        expect_rows(out, "/r_split", &golden, 6, BANDS, 1e-6);
        expect_rows(out, "/r2_split", &golden, 9, BANDS, 1e-6);
        bt_free(golden.v);
        (void)snprintf(cv, sizeof cv, "%s_cv", variants[i].name);
        expect_golden(out, "/cv_score", cv, 1e-6);
    }
}

/* ---- the whole grid ---- */

static const char *const few_words = "bands=coordinate bands.logspace=-1,1,3 alphas.logspace=-1,3,5";

static void expect_same(const char *out, const char *wanted, const char *path)
{
    golden_array mine = score_read(out, path), theirs = score_read(wanted, path);
    assert_int_equal(mine.n, theirs.n);
    expect_all_near(mine.v, theirs.v, mine.n, 1e-9);
    bt_free(mine.v);
    bt_free(theirs.v);
}

/* Of voxels of one band each. The draws of a coordinate search are all of the grid, each ratio once; given to
 * bands=random, all are tried. */
static void test_the_best_of_the_grid_where_coordinates_suffice(void **state)
{
    (void)state;
    static const struct {
        const char *words, *paths[3];
    } variants[] = {{"weights=true alphas=continuous", {"/alpha", "/weights", "/cv_score"}},
                    {"alpha.scope=one delays=0,1", {"/alpha", "/r2_split", "/cv_score"}},
                    {"significance.permute=circular_shift predictions=true", {"/p", "/predictions", "/alpha"}},
                    {"cv.outer=kfold cv.outer.n=2 predictions=true", {"/r_fold", "/alpha_fold", "/predictions"}}};
    for (size_t i = 0; i < sizeof variants / sizeof *variants; ++i) {
        char words[4096], one[2048];
        const char *const out = encode_scratch("mine.h5"), *const whole = encode_scratch("whole.h5"),
                          *const draws = encode_scratch("draws.npy");
        const char *const tested = strstr(variants[i].words, "outer") ? "" : "test.responses=";
        (void)snprintf(one, sizeof one, "%s responses=%s %s%s", variants[i].words, encode_scratch("one.npy"), tested,
                       *tested ? encode_scratch("one2.npy") : "");
        (void)snprintf(words, sizeof words, "%s %s", few_words, one);
        expect_ok(encode(made_words(out, words)));
        golden_array grid = score_read(out, "/scalings_drawn");
        const size_t shape[2] = {grid.rows, grid.columns};
        assert_int_equal(grid.rows, 27 - 8);
        expect_ok(bt_npy_write(draws, BT_F64, 2, shape, grid.v));
        bt_free(grid.v);
        (void)snprintf(words, sizeof words, "bands=random bands.draws=%s alphas.logspace=-1,3,5 %s", draws, one);
        expect_ok(encode(made_words(whole, words)));
        for (size_t p = 0; p < 3; ++p) expect_same(out, whole, variants[i].paths[p]);
        expect_same(out, whole, "/scaling");
        expect_same(out, whole, "/r_split");
    }
}

/* Each subset has a grid of as many bands as it has. */
static void test_subsets_are_searched_as_by_themselves(void **state)
{
    (void)state;
    char words[4096];
    const char *const out = encode_scratch("parts.h5"), *const all = encode_scratch("all.h5"),
                      *const two = encode_scratch("two.h5");
    (void)snprintf(words, sizeof words, "%s partition=true", few_words);
    expect_ok(encode(made_words(out, words)));
    expect_ok(encode(made_words(all, few_words)));
    (void)snprintf(words, sizeof words, "%s features=%s,%s test.features=%s,%s", few_words, encode_scratch("a.npy"),
                   encode_scratch("b.npy"), encode_scratch("a2.npy"), encode_scratch("b2.npy"));
    expect_ok(encode(made_words(two, words)));
    expect_same(out, all, "/scaling");
    expect_same(out, all, "/r2");
    golden_array mine = score_read(out, "/a+b/scaling"), theirs = score_read(two, "/scaling"),
                 unique = score_read(out, "/partition/unique_c"), r2 = score_read(out, "/r2"),
                 without = score_read(out, "/a+b/r2");
    expect_all_near(mine.v, theirs.v, theirs.n, 1e-9);
    for (size_t v = 0; v < NAN_VOXEL; ++v) expect_near(unique.v[v], r2.v[v] - without.v[v], 1e-6);
    bt_free(mine.v);
    bt_free(theirs.v);
    bt_free(unique.v);
    bt_free(r2.v);
    bt_free(without.v);
}

/* ---- other voxels, memory ---- */

/* Voxels many times over, with all memory and with little, and once with others: all find the same. */
static void test_voxels_do_not_depend_on_others_or_on_memory(void **state)
{
    (void)state;
    enum { MANY = 400 };
    static const char *const sizes[] = {"1GiB", "900kB", "60kB"}; /* held, streamed, too little */
    static const char *const names[] = {"/r", "/scaling", "/r2_split", "/cv_score"};
    char more[1024];
    size_t fitted = 0;
    double *const y = bt_calloc((ROWS + TESTS) * MANY, sizeof *y);
    for (size_t i = 0; i < (ROWS + TESTS) * MANY; ++i) y[i] = made.y[i / MANY * VOXELS + i % MANY % NAN_VOXEL];
    save("many", y, 0, ROWS, MANY);
    save("many2", y, ROWS, TESTS, MANY);
    bt_free(y);
    for (; fitted < 3; ++fitted) {
        (void)snprintf(more, sizeof more, "%s memory=%s responses=%s test.responses=%s", few_words, sizes[fitted],
                       encode_scratch("many.npy"), encode_scratch("many2.npy"));
        if (encode(made_words(encode_scratch(sizes[fitted]), more)) != BT_OK) break;
        for (size_t i = 0; i < 4 && fitted > 0; ++i)
            expect_same(encode_scratch(sizes[fitted]), encode_scratch(sizes[0]), names[i]);
    }
    assert_non_null(strstr(bt_error_message(), "memory"));
    assert_int_equal(fitted, 2);
    expect_ok(encode(made_words(encode_scratch("once.h5"), few_words)));
    golden_array all = score_read(encode_scratch(sizes[0]), "/scaling"),
                 once = score_read(encode_scratch("once.h5"), "/scaling");
    for (size_t i = 0; i < all.n; ++i) expect_near(all.v[i], once.v[i / MANY * VOXELS + i % MANY % NAN_VOXEL], 1e-9);
    bt_free(all.v);
    bt_free(once.v);
}

static void test_grids_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    const char *const out = encode_scratch("refused.h5");
    expect_failure(encode(made_words(out, "bands=coordinate bands.draws=a.npy")), BT_ERR_USAGE,
                   "bands.draws: only with bands=random");
    expect_failure(encode(made_words(out, "bands=coordinate bands.logspace=0,1")), BT_ERR_USAGE,
                   "bands.logspace: expected low,high,n");
    expect_failure(encode(made_words(out, "bands=coordinate bands.logspace=-1,1,1")), BT_ERR_USAGE,
                   "n of 2 or more, found -1,1,1");
    expect_failure(encode(made_words(out, "bands=coordinate bands.logspace=1,-1,3")), BT_ERR_USAGE, "low below high");
    expect_failure(encode(made_words(out, "bands=coordinate bands.logspace=-1,1,50")), BT_ERR_USAGE,
                   "50 scalings of each of 3 bands are a grid of 1.25e+05 points");
    expect_failure(encode(golden_words("tall", out, "bands=coordinate")), BT_ERR_USAGE, "bands: no space is joined");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_each_voxel_goes_its_way_and_no_draw_is_fitted_twice),
        LEAK_TEST(test_coordinates_as_numpy),
        LEAK_TEST(test_the_best_of_the_grid_where_coordinates_suffice),
        LEAK_TEST(test_subsets_are_searched_as_by_themselves),
        LEAK_TEST(test_voxels_do_not_depend_on_others_or_on_memory),
        LEAK_TEST(test_grids_that_do_not_fit_are_refused),
    };
    make_data();
    if (bt_comm_create(MPI_COMM_NULL, &comm) != BT_OK) return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    bt_comm_destroy(&comm);
    return failed;
}
