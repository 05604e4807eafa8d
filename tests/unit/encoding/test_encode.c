/* The stage on plain matrices, against numpy. */
#include "encoding_support.h"

#include "base/random.h"

static bt_comm *comm;

static bt_status encode(const char *words, bt_text *result)
{
    return stage_call(&bt_encode_stage, comm, words, result);
}

static const struct {
    const char *name, *words;
} variants[] = {
    {"default", ""},
    {"released", "select.variance=released"},
    {"r2", "select=r2 penalty=alpha"},
    {"mse", "select=mse ties=first penalty=alpha"},
    {"correlation", "select=correlation"},
    {"one", "alpha.scope=one"},
};

static void expect_problem(const char *problem, const char *method, double tolerance)
{
    for (size_t i = 0; i < sizeof variants / sizeof *variants; ++i) {
        char more[512], maps[64], scores[64];
        const char *const out = encode_scratch("scores.h5");
        (void)snprintf(more, sizeof more, "alphas.logspace=-1,3,6 overwrite=true %s weights=%s %s", method,
                       i == 0 ? "true" : "false", variants[i].words);
        (void)snprintf(maps, sizeof maps, "%s_%s_maps", problem, variants[i].name);
        (void)snprintf(scores, sizeof scores, "%s_%s_cv", problem, variants[i].name);
        expect_ok(encode(golden_words(problem, out, more), NULL));
        expect_golden(out, "/cv_score", scores, tolerance);
        expect_golden_row(out, "/alpha", maps, 0, 1e-9);
        expect_golden_row(out, "/r", maps, 1, tolerance);
        expect_golden_row(out, "/r2", maps, 2, tolerance);
        if (i == 0) {
            char weights[64];
            (void)snprintf(weights, sizeof weights, "%s_weights", problem);
            expect_golden(out, "/weights", weights, tolerance);
        }
    }
}

static void test_tall_wide_and_square_problems_as_numpy(void **state)
{
    (void)state;
    static const char *const problems[] = {"tall", "wide", "square"};
    for (size_t i = 0; i < 3; ++i) {
        expect_problem(problems[i], "precision=double search=fast", 1e-6);
        expect_problem(problems[i], "precision=single search=fast", 1e-5);
        if (i == 1) expect_problem(problems[i], "precision=double search=direct", 1e-6);
    }
}

static void test_constant_duplicate_and_collinear_columns_as_numpy(void **state)
{
    (void)state;
    expect_problem("degenerate", "precision=double search=fast", 1e-6);
    expect_problem("degenerate", "precision=single search=fast", 1e-5);
}

static void test_repeats_give_ceilings_as_numpy(void **state)
{
    (void)state;
    const char *const out = encode_scratch("repeats.h5");
    const char *const names[] = {"/alpha", "/r", "/r2", "/sp", "/tp", "/cc_max", "/cc_norm", "/spe"};
    bt_text result = {0};
    expect_ok(encode(golden_words("repeats", out, "alphas.logspace=0,2,3 precision=double"), &result));
    for (size_t i = 0; i < 8; ++i) expect_golden_row(out, names[i], "repeats_maps", i, 2e-6);
    assert_non_null(strstr(result.data, "signal power is not positive"));
    bt_text_clear(&result);
    expect_ok(encode(
        golden_words("repeats", out, "alphas.logspace=0,2,3 precision=double ceiling.total_power=one overwrite=true"),
        NULL));
    expect_golden_row(out, "/sp", "repeats_total_one", 0, 1e-6);
    expect_golden_row(out, "/cc_max", "repeats_total_one", 2, 1e-6);
    expect_ok(encode(golden_words("repeats", out, "alphas.logspace=0,2,3 ceiling.from=none overwrite=true"), NULL));
    bt_h5 *file = NULL;
    expect_ok(bt_h5_open(out, NULL, &file));
    assert_false(bt_h5_has(file, "/cc_max"));
    bt_h5_abandon(&file);
}

/* The tall problem with voxel 2 NaN in one row, voxel 4 constant, voxel 5 infinite in the test rows. */
static const char *spoiled_words(const char *out)
{
    static char words[4096];
    golden_array y = golden_read("tall_y"), y2 = golden_read("tall_y2");
    const size_t shape[2] = {y.rows, y.columns}, shape2[2] = {y2.rows, y2.columns};
    y.v[11 * y.columns + 2] = (double)NAN;
    for (size_t i = 0; i < y.rows; ++i) y.v[i * y.columns + 4] = 0.1;
    y2.v[y2.columns + 5] = (double)INFINITY;
    const char *const path = encode_scratch("y.npy"), *const path2 = encode_scratch("y2.npy");
    expect_ok(bt_npy_write(path, BT_F64, 2, shape, y.v));
    expect_ok(bt_npy_write(path2, BT_F64, 2, shape2, y2.v));
    bt_free(y.v);
    bt_free(y2.v);
    (void)snprintf(words, sizeof words,
                   "features=%s responses=%s test.features=%s test.responses=%s cv.scheme=given cv.folds=%s "
                   "alphas.logspace=-1,3,6 precision=double store=%s out=%s predictions=true",
                   golden_path("tall_x"), path, golden_path("tall_x2"), path2, golden_path("tall_masks"),
                   encode_scratch("store"), out);
    return words;
}

static void test_voxels_that_cannot_be_fitted_stay_in_place(void **state)
{
    (void)state;
    const char *const out = encode_scratch("spoiled.h5");
    const char *const names[] = {"/alpha", "/r", "/r2"};
    bt_text result = {0};
    expect_ok(encode(spoiled_words(out), &result));
    assert_non_null(strstr(result.data, "5 fitted, 2 with NaN and 1 without variance"));
    bt_text_clear(&result);
    golden_array golden = golden_read("tall_default_maps"), predictions = score_read(out, "/predictions");
    for (size_t m = 0; m < 3; ++m) {
        golden_array map = score_read(out, names[m]);
        for (size_t v = 0; v < map.n; ++v)
            if (v == 2 || v == 4 || v == 5)
                assert_true(isnan(map.v[v]));
            else
                expect_near(map.v[v], golden.v[m * golden.columns + v], 1e-6);
        bt_free(map.v);
    }
    assert_int_equal(predictions.rows, 30);
    assert_true(isnan(predictions.v[2]) && isfinite(predictions.v[3]));
    bt_free(predictions.v);
    bt_free(golden.v);
}

static void test_one_voxel_one_alpha_one_feature(void **state)
{
    (void)state;
    const size_t n = 40, shape[2] = {n, 1};
    double x[40], y[40];
    for (size_t i = 0; i < n; ++i) {
        x[i] = sin((double)i);
        y[i] = 2 * x[i];
    }
    const char *const path = encode_scratch("one_x.npy"), *const path_y = encode_scratch("one_y.npy");
    const char *const out = encode_scratch("one.h5");
    expect_ok(bt_npy_write(path, BT_F64, 1, shape, x));
    expect_ok(bt_npy_write(path_y, BT_F64, 2, shape, y));
    char words[2048];
    (void)snprintf(words, sizeof words,
                   "features=%s responses=%s test.features=%s test.responses=%s alphas=0.001 cv.chunk=5 store=%s "
                   "out=%s weights=true precision=double",
                   path, path_y, path, path_y, encode_scratch("store"), out);
    expect_ok(encode(words, NULL));
    golden_array r = score_read(out, "/r"), weights = score_read(out, "/weights");
    assert_int_equal(r.n, 1);
    expect_near(r.v[0], 1, 1e-9);
    expect_near(weights.v[0], 2, 1e-6);
    bt_free(r.v);
    bt_free(weights.v);
}

/* All-zero features: every alpha ties. */
static void test_ties_go_to_the_larger_penalty_or_to_the_first(void **state)
{
    (void)state;
    const size_t shape[2] = {60, 9}, shape2[2] = {30, 9};
    double *const zeros = bt_calloc(60 * 9, sizeof *zeros);
    const char *const x = encode_scratch("zero_x.npy"), *const x2 = encode_scratch("zero_x2.npy");
    expect_ok(bt_npy_write(x, BT_F64, 2, shape, zeros));
    expect_ok(bt_npy_write(x2, BT_F64, 2, shape2, zeros));
    bt_free(zeros);
    static const char *const ties[] = {"larger", "first"};
    const double chosen[] = {50, 3};
    for (size_t i = 0; i < 2; ++i) {
        char words[4096];
        const char *const out = encode_scratch("ties.h5");
        (void)snprintf(words, sizeof words,
                       "features=%s responses=%s test.features=%s test.responses=%s alphas=3,50,1 cv.chunk=5 store=%s "
                       "out=%s overwrite=true ties=%s weights=true",
                       x, golden_path("tall_y"), x2, golden_path("tall_y2"), encode_scratch("store"), out, ties[i]);
        expect_ok(encode(words, NULL));
        golden_array alpha = score_read(out, "/alpha"), r = score_read(out, "/r");
        for (size_t v = 0; v < alpha.n; ++v) {
            expect_near(alpha.v[v], chosen[i], 0);
            expect_near(r.v[v], 0, 0); /* a prediction that does not vary */
        }
        bt_free(alpha.v);
        bt_free(r.v);
    }
}

/* The scores of voxel v at one alpha, and its r. */
static void score_at(double alpha, const char *rule, size_t v, double *score, double *r)
{
    char more[512];
    const char *const out = encode_scratch("one_alpha.h5");
    (void)snprintf(more, sizeof more, "alphas=%.17g precision=double overwrite=true %s", alpha, rule);
    expect_ok(encode(golden_words("tall", out, more), NULL));
    golden_array scores = score_read(out, "/cv_score"), correlations = score_read(out, "/r");
    *score = scores.v[v];
    *r = correlations.v[v];
    bt_free(scores.v);
    bt_free(correlations.v);
}

/* Each voxel's alpha between grid points: the scores of a fine grid are nowhere better, and the refit is at that alpha.
 */
static void expect_continuous(const char *rule, double sign)
{
    char more[256];
    const char *const out = encode_scratch("continuous.h5"), *const fine = encode_scratch("fine.h5");
    (void)snprintf(more, sizeof more, "alphas=continuous alphas.logspace=-1,3,15 precision=double overwrite=true %s",
                   rule);
    expect_ok(encode(golden_words("tall", out, more), NULL));
    (void)snprintf(more, sizeof more, "alphas.logspace=-1,3,401 precision=double overwrite=true %s", rule);
    expect_ok(encode(golden_words("tall", fine, more), NULL));
    golden_array alpha = score_read(out, "/alpha"), grid = score_read(fine, "/cv_score"), r = score_read(out, "/r");
    for (size_t v = 0; v < alpha.n; v += 3) {
        double best = -INFINITY, here = 0, there = 0;
        for (size_t a = 0; a < grid.rows; ++a) best = fmax(best, sign * grid.v[a * grid.columns + v]);
        score_at(alpha.v[v], rule, v, &here, &there);
        assert_true(sign * here >= best - 1e-6);
        expect_near(there, r.v[v], 1e-6);
    }
    bt_free(alpha.v);
    bt_free(grid.v);
    bt_free(r.v);
}

static void test_alphas_may_be_continuous(void **state)
{
    (void)state;
    expect_continuous("select=signed_root_r2", 1);
    expect_continuous("select=mse", -1);
    expect_continuous("select=correlation search=direct", 1);
}

enum { MANY = 5000 };

/* The repeats problem's features with many random voxels, two of them without use. */
static const char *many_words(const char *out, const char *memory)
{
    static char words[4096];
    const size_t shape[2] = {60, MANY}, shape2[3] = {3, 30, MANY};
    const char *const path = encode_scratch("many.npy"), *const path2 = encode_scratch("many2.npy");
    double *const y = bt_calloc(90 * MANY, sizeof *y);
    bt_random random = bt_random_start(1, 2);
    for (size_t i = 0; i < 90 * MANY; ++i) y[i] = bt_random_normal(&random);
    y[4321] = (double)NAN;
    expect_ok(bt_npy_write(path, BT_F64, 2, shape, y));
    y[5 * MANY + 17] = y[18] = (double)NAN; /* row 0 is dropped */
    expect_ok(bt_npy_write(path2, BT_F64, 3, shape2, y));
    bt_free(y);
    (void)snprintf(words, sizeof words,
                   "features=%s responses=%s test.features=%s test.responses=%s cv.chunk=5 alphas.logspace=0,2,3 "
                   "precision=double test.drop=2 store=%s out=%s overwrite=true memory=%s weights=true",
                   golden_path("repeats_x"), path, golden_path("repeats_x2"), path2, encode_scratch("store"), out,
                   memory);
    return words;
}

static void expect_equal_scores(const char *file, const char *wanted)
{
    static const char *const names[] = {"/r", "/r2", "/cv_score", "/cc_max", "/spe", "/weights"};
    for (size_t i = 0; i < 6; ++i) {
        golden_array a = score_read(wanted, names[i]), b = score_read(file, names[i]);
        assert_int_equal(a.n, b.n);
        expect_all_near(b.v, a.v, a.n, 1e-6);
        bt_free(a.v);
        bt_free(b.v);
    }
}

static void test_little_memory_gives_the_same_scores(void **state)
{
    (void)state;
    const char *const roomy = encode_scratch("roomy.h5"), *const tight = encode_scratch("tight.h5");
    static const char *const sizes[] = {"10MiB", "4MiB", "2MiB", "1MiB", "500kB"};
    size_t fitted = 0;
    expect_ok(encode(many_words(roomy, "1GiB"), NULL));
    golden_array r = score_read(roomy, "/r");
    assert_true(isnan(r.v[17]) && isnan(r.v[4321]) && isfinite(r.v[18]));
    bt_free(r.v);
    for (size_t i = 0; i < 5; ++i) {
        expect_ok(bt_path_remove(tight)); /* memory is no science: the same recipe would be done */
        const bt_status status = encode(many_words(tight, sizes[i]), NULL);
        if (status != BT_OK) {
            assert_int_equal(status, BT_ERR_USAGE);
            assert_non_null(strstr(bt_error_message(), "memory"));
            break;
        }
        ++fitted;
        expect_equal_scores(tight, roomy);
    }
    assert_true(fitted >= 2 && fitted < 5);
}

/* Alphas that voxels share are known behind all splits of all voxels, in blocks too. */
static void test_a_shared_alpha_in_little_memory(void **state)
{
    (void)state;
    char words[8192];
    const char *const roomy = encode_scratch("shared.h5"), *const tight = encode_scratch("shared_tight.h5");
    (void)snprintf(words, sizeof words, "%s alpha.scope=one", many_words(roomy, "1GiB"));
    expect_ok(encode(words, NULL));
    (void)snprintf(words, sizeof words, "%s alpha.scope=one", many_words(tight, "2MiB"));
    expect_ok(encode(words, NULL));
    expect_equal_scores(tight, roomy);
    golden_array alpha = score_read(tight, "/alpha");
    for (size_t v = 0; v < alpha.n; ++v) assert_true(isnan(alpha.v[v]) || alpha.v[v] == alpha.v[0]);
    assert_true(isnan(alpha.v[17]));
    bt_free(alpha.v);
}

static void test_a_dry_run_estimates_and_writes_nothing(void **state)
{
    (void)state;
    bt_text result = {0};
    const char *const out = encode_scratch("dry.h5");
    expect_ok(encode(golden_words("wide", out, "dry_run=true"), &result));
    assert_non_null(strstr(result.data, "FLOPs"));
    assert_non_null(strstr(result.data, "memory per rank"));
    assert_false(bt_path_exists(out));
    bt_text_clear(&result);
}

static void test_the_same_recipe_is_done_another_is_refused(void **state)
{
    (void)state;
    const char *const out = encode_scratch("recipe.h5");
    bt_text first = {0}, second = {0};
    expect_ok(encode(golden_words("tall", out, ""), &first));
    expect_failure(encode(golden_words("tall", out, "alphas=10,20"), NULL), BT_ERR_USAGE, "alphas");
    expect_ok(encode(golden_words("tall", out, "delays=0 zscore=false threads=1 ceiling.keep_above=0.2"), &second));
    assert_string_equal(first.data, second.data);
    bt_text_clear(&first);
    bt_text_clear(&second);
}

static void expect_refused(const char *words, bt_status code, const char *part)
{
    char all[8192];
    const char *const out = encode_scratch("refused.h5");
    (void)snprintf(all, sizeof all, "%s out=%s store=%s", words, out, encode_scratch("store"));
    expect_failure(encode(all, NULL), code, part);
    assert_false(bt_path_exists(out));
}

static void test_inputs_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    char words[4096];
    const char *const x = golden_path("tall_x"), *const y = golden_path("tall_y"), *const x2 = golden_path("tall_x2"),
                      *const y2 = golden_path("tall_y2");
#define WORDS(...) ((void)snprintf(words, sizeof words, __VA_ARGS__), words)
    expect_refused(WORDS("features=%s", x), BT_ERR_USAGE, "responses: missing");
    expect_refused(WORDS("features=%s responses=%s", x, y), BT_ERR_USAGE, "test.features: missing");
    expect_refused(WORDS("features=%s responses=%s test.features=%s", x, y, x2), BT_ERR_USAGE,
                   "test.responses: missing");
    expect_refused(WORDS("features=%s responses=%s test.features=%s test.responses=%s layers=1", x, y, x2, y2),
                   BT_ERR_USAGE, "layers: needs dataset=");
    expect_refused(WORDS("features=%s responses=%s test.features=%s test.responses=%s stories.encode=a", x, y, x2, y2),
                   BT_ERR_USAGE, "stories.encode: needs dataset=");
    expect_refused(WORDS("features=%s responses=%s test.features=%s test.responses=%s", x, y2, x2, y2), BT_ERR_INPUT,
                   "tall_x.npy has 60 rows, but responses:");
    expect_refused(WORDS("features=%s responses=%s test.features=%s test.responses=%s", x, y, x, y2), BT_ERR_INPUT,
                   "test.features:");
    expect_refused(
        WORDS("features=%s responses=%s test.features=%s test.responses=%s", x, y, golden_path("wide_x2"), y2),
        BT_ERR_INPUT, "56 columns");
    expect_refused(
        WORDS("features=%s responses=%s test.features=%s test.responses=%s", x, y, x2, golden_path("wide_y2")),
        BT_ERR_INPUT, "has 6 voxels, but");
    expect_refused(
        WORDS("features=%s responses=%s test.features=%s test.responses=%s", x, golden_path("repeats_y2"), x2, y2),
        BT_ERR_INPUT, "three dimensions");
    expect_refused(WORDS("features=%s responses=nothing.npy test.features=%s test.responses=%s", x, x2, y2),
                   BT_ERR_INPUT, "nothing.npy");
    expect_refused(WORDS("features=%s responses=%s test.features=%s test.responses=%s alphas=1,0", x, y, x2, y2),
                   BT_ERR_USAGE, "alphas: expected numbers above 0, found 0");
    expect_refused(WORDS("features=%s responses=%s test.features=%s test.responses=%s alphas=1 alphas.logspace=1,2,3",
                         x, y, x2, y2),
                   BT_ERR_USAGE, "both are given");
    expect_refused(WORDS("features=%s responses=%s test.features=%s test.responses=%s alphas=continuous "
                         "alpha.scope=one",
                         x, y, x2, y2),
                   BT_ERR_USAGE, "alpha.scope");
    expect_refused(WORDS("features=%s responses=%s test.features=%s test.responses=%s alpha.scope=roi", x, y, x2, y2),
                   BT_ERR_USAGE, "alpha.scope=roi: there are no ROI labels");
    expect_refused(WORDS("features=%s responses=%s test.features=%s test.responses=%s intercept=true", x, y, x2, y2),
                   BT_ERR_USAGE, "intercept");
    expect_refused(WORDS("features=%s responses=%s test.features=%s test.responses=%s cv.scheme=stories", x, y, x2, y2),
                   BT_ERR_USAGE, "at least 2 stories");
    expect_refused(WORDS("features=%s responses=%s test.features=%s test.responses=%s stories=%s", x, y, x2, y2,
                         golden_path("design_story")),
                   BT_ERR_INPUT, "39 story ids");
    expect_refused(WORDS("features=%s responses=%s test.features=%s test.responses=%s mask=%s", x, y, x2, y2,
                         test_file("fmri/haxby/mask.nii.gz")),
                   BT_ERR_USAGE, "mask");
    expect_refused(WORDS("features=%s responses=%s test.features=%s test.responses=%s", x,
                         test_file("fmri/haxby/run001.nii.gz"), x2, y2),
                   BT_ERR_USAGE, "needs mask=");
    expect_refused(WORDS("features=%s responses=%s test.features=%s test.responses=%s test.drop=29", x, y, x2, y2),
                   BT_ERR_USAGE, "test.drop");
    expect_refused(WORDS("features=%s responses=%s test.features=%s test.responses=%s ceiling.from=file", x, y, x2, y2),
                   BT_ERR_USAGE, "needs dataset=");
    expect_refused(
        WORDS("features=%s responses=%s test.features=%s test.responses=%s ceiling.from=repeats", x, y, x2, y2),
        BT_ERR_INPUT, "tall_y2.npy has none");
    expect_refused(WORDS("features=%s responses=%s test.features=%s test.responses=%s dataset=nowhere", x, y, x2, y2),
                   BT_ERR_USAGE, "subject");
#undef WORDS
}

static void test_nan_features_are_refused(void **state)
{
    (void)state;
    golden_array x = golden_read("tall_x");
    const size_t shape[2] = {x.rows, x.columns};
    x.v[7 * x.columns + 3] = (double)NAN;
    const char *const path = encode_scratch("nan_x.npy");
    expect_ok(bt_npy_write(path, BT_F64, 2, shape, x.v));
    bt_free(x.v);
    char words[2048];
    (void)snprintf(words, sizeof words, "features=%s responses=%s test.features=%s test.responses=%s cv.chunk=5", path,
                   golden_path("tall_y"), golden_path("tall_x2"), golden_path("tall_y2"));
    expect_refused(words, BT_ERR_INPUT, "nan_x.npy: row 7, column 3 is nan");
}

/* Features in two files are joined; delays, z-scores and story folds by story ids. */
static void test_joined_files_stories_and_delays(void **state)
{
    (void)state;
    golden_array x = golden_read("tall_x"), whole = {0}, parts = {0};
    const size_t shape[2] = {x.rows, 4}, rest[2] = {x.rows, x.columns - 4}, rows[1] = {x.rows};
    double a[60 * 4], b[60 * 5], ids[60];
    for (size_t i = 0; i < x.rows; ++i) {
        ids[i] = i < 20 ? 0 : i < 45 ? 1 : 2;
        for (size_t f = 0; f < x.columns; ++f)
            if (f < 4)
                a[i * 4 + f] = x.v[i * x.columns + f];
            else
                b[i * 5 + f - 4] = x.v[i * x.columns + f];
    }
    const char *const path_a = encode_scratch("a.npy"), *const path_b = encode_scratch("b.npy");
    const char *const path_ids = encode_scratch("story.npy"), *const out = encode_scratch("joined.h5");
    expect_ok(bt_npy_write(path_a, BT_F64, 2, shape, a));
    expect_ok(bt_npy_write(path_b, BT_F64, 2, rest, b));
    expect_ok(bt_npy_write(path_ids, BT_F64, 1, rows, ids));
    char words[4096];
    (void)snprintf(words, sizeof words,
                   "features=%s,%s test.features=%s,%s responses=%s test.responses=%s stories=%s test.stories=%s "
                   "delays=0,2 zscore=true store=%s out=%s",
                   path_a, path_b, path_a, path_b, golden_path("tall_y"), golden_path("tall_y"), path_ids, path_ids,
                   encode_scratch("store"), out);
    expect_ok(encode(words, NULL));
    parts = score_read(out, "/r");
    (void)snprintf(words, sizeof words,
                   "features=%s test.features=%s responses=%s test.responses=%s stories=%s test.stories=%s "
                   "delays=0,2 zscore=true store=%s out=%s overwrite=true",
                   golden_path("tall_x"), golden_path("tall_x"), golden_path("tall_y"), golden_path("tall_y"), path_ids,
                   path_ids, encode_scratch("store"), out);
    expect_ok(encode(words, NULL));
    whole = score_read(out, "/r");
    expect_all_near(parts.v, whole.v, whole.n, 1e-6);
    bt_h5 *file = NULL;
    double n_split = 0;
    expect_ok(bt_h5_open(out, NULL, &file));
    expect_ok(bt_h5_get_real(file, "/", "n_split", &n_split));
    expect_near(n_split, 3, 0);
    bt_h5_abandon(&file);
    bt_free(whole.v);
    bt_free(parts.v);
    bt_free(x.v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_tall_wide_and_square_problems_as_numpy),
        LEAK_TEST(test_constant_duplicate_and_collinear_columns_as_numpy),
        LEAK_TEST(test_repeats_give_ceilings_as_numpy),
        LEAK_TEST(test_voxels_that_cannot_be_fitted_stay_in_place),
        LEAK_TEST(test_one_voxel_one_alpha_one_feature),
        LEAK_TEST(test_ties_go_to_the_larger_penalty_or_to_the_first),
        LEAK_TEST(test_alphas_may_be_continuous),
        LEAK_TEST(test_little_memory_gives_the_same_scores),
        LEAK_TEST(test_a_shared_alpha_in_little_memory),
        LEAK_TEST(test_a_dry_run_estimates_and_writes_nothing),
        LEAK_TEST(test_the_same_recipe_is_done_another_is_refused),
        LEAK_TEST(test_inputs_that_do_not_fit_are_refused),
        LEAK_TEST(test_nan_features_are_refused),
        LEAK_TEST(test_joined_files_stories_and_delays),
    };
    if (bt_comm_create(MPI_COMM_NULL, &comm) != BT_OK) return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    bt_comm_destroy(&comm);
    return failed;
}
