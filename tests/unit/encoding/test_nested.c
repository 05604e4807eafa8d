/* Outer folds in place of test rows, against numpy. */
#include "encoding_support.h"

#include "base/random.h"
#include "encoding/nested.h"

static bt_comm *comm;

static bt_status encode(const char *words, bt_text *result)
{
    return stage_call(&bt_encode_stage, comm, words, result);
}

static const char *nested_words(const char *out, const char *more)
{
    static char words[4][4096];
    static unsigned turn;
    char *const text = words[turn++ % 4];
    (void)snprintf(text, sizeof words[0],
                   "features=%s responses=%s alphas.logspace=-1,3,6 overwrite=true store=%s out=%s %s",
                   golden_path("tall_x"), golden_path("tall_y"), encode_scratch("store"), out, more);
    return text;
}

/* /alpha_fold, /r_fold, /r2_fold are the rows of golden `name`, /r and /r2 their means. */
static void expect_folds(const char *out, const char *name, size_t n_fold, double tolerance)
{
    static const char *const folds[] = {"/alpha_fold", "/r_fold", "/r2_fold"}, *const means[] = {NULL, "/r", "/r2"};
    char cv[64];
    golden_array wanted = golden_read(name);
    assert_int_equal(wanted.rows, 3 * n_fold);
    for (size_t i = 0; i < 3; ++i) {
        const double *const rows = wanted.v + i * n_fold * wanted.columns;
        golden_array found = score_read(out, folds[i]);
        assert_int_equal(found.rows, n_fold);
        expect_all_near(found.v, rows, n_fold * wanted.columns, tolerance);
        bt_free(found.v);
        if (!means[i]) continue;
        found = score_read(out, means[i]);
        for (size_t v = 0; v < wanted.columns; ++v) {
            double mean = 0;
            for (size_t f = 0; f < n_fold; ++f) mean += rows[f * wanted.columns + v] / (double)n_fold;
            expect_near(found.v[v], mean, tolerance);
        }
        bt_free(found.v);
    }
    bt_free(wanted.v);
    (void)snprintf(cv, sizeof cv, "%s_cv", name);
    expect_golden(out, "/cv_score", cv, tolerance);
}

static void test_folds_of_stories_and_of_rows_as_numpy(void **state)
{
    (void)state;
    char more[1024];
    const char *const out = encode_scratch("nested.h5");
    for (int single = 0; single < 2; ++single) {
        const char *const precision = single ? "single" : "double";
        const double tolerance = single ? 1e-5 : 1e-6;
        (void)snprintf(more, sizeof more,
                       "precision=%s stories=%s delays=0,1 zscore=true cv.n_fold=2 cv.outer=stories cv.outer.n=2",
                       precision, golden_path("nested_story"));
        expect_ok(encode(nested_words(out, more), NULL));
        expect_folds(out, "nested_stories", 2, tolerance);
        (void)snprintf(more, sizeof more,
                       "precision=%s select=r2 cv.scheme=kfold cv.n_fold=4 cv.outer=kfold cv.outer.n=3", precision);
        expect_ok(encode(nested_words(out, more), NULL));
        expect_folds(out, "nested_kfold", 3, tolerance);
    }
    expect_ok(encode(nested_words(out, "precision=double alpha.scope=one cv.scheme=kfold cv.n_fold=4 cv.outer=kfold "
                                       "cv.outer.n=3 search=direct"),
                     NULL));
    expect_folds(out, "nested_one", 3, 1e-6);
}

/* Each row is predicted by the fold that holds it out: predictions give the r of every fold. */
static void test_predictions_are_of_the_held_out_rows(void **state)
{
    (void)state;
    const char *const out = encode_scratch("predicted.h5");
    expect_ok(
        encode(nested_words(out, "cv.scheme=kfold cv.n_fold=4 cv.outer=kfold cv.outer.n=3 predictions=true"), NULL));
    golden_array p = score_read(out, "/predictions"), y = golden_read("tall_y"), r = score_read(out, "/r_fold");
    assert_int_equal(p.rows, y.rows);
    for (size_t i = 0; i < r.n; ++i) {
        const size_t low = 20 * (i / r.columns), v = i % r.columns;
        double my = 0, mp = 0, yy = 0, pp = 0, yp = 0;
        for (size_t k = low; k < low + 20; ++k) {
            my += y.v[k * y.columns + v] / 20;
            mp += p.v[k * y.columns + v] / 20;
        }
        for (size_t k = low; k < low + 20; ++k) {
            const double a = y.v[k * y.columns + v] - my, b = p.v[k * y.columns + v] - mp;
            yy += a * a;
            pp += b * b;
            yp += a * b;
        }
        expect_near(r.v[i], yp / sqrt(yy * pp), 1e-5);
    }
    bt_free(p.v);
    bt_free(y.v);
    bt_free(r.v);
}

/* More features than rows, many random voxels: in blocks, a few jobs of a fold a pass, the same. */
static void test_little_memory_gives_the_same_folds(void **state)
{
    (void)state;
    enum { MANY = 1500 };
    static const char *const sizes[] = {"1GiB", "800kB", "600kB", "500kB", "400kB", "300kB", "200kB"};
    char words[4096];
    golden_array wanted = {0};
    size_t fitted = 0;
    const size_t shape[2] = {40, MANY};
    const char *const path = encode_scratch("many.npy");
    double *const y = bt_calloc(40 * MANY, sizeof *y);
    bt_random random = bt_random_start(1, 2);
    for (size_t i = 0; i < 40 * MANY; ++i) y[i] = bt_random_normal(&random);
    expect_ok(bt_npy_write(path, BT_F64, 2, shape, y));
    bt_free(y);
    for (; fitted < 7; ++fitted) {
        const char *const out = encode_scratch(sizes[fitted]);
        (void)snprintf(words, sizeof words,
                       "features=%s responses=%s cv.scheme=chunks cv.chunk=4 cv.outer=chunks cv.outer.n=2 "
                       "alphas=1,10,100 precision=double store=%s out=%s memory=%s",
                       golden_path("wide_x"), path, encode_scratch("store"), out, sizes[fitted]);
        if (encode(words, NULL) != BT_OK) break;
        golden_array found = score_read(out, "/r_fold");
        assert_int_equal(found.rows, 2);
        if (fitted > 0) expect_all_near(found.v, wanted.v, found.n, 1e-6);
        bt_free(wanted.v);
        wanted = found;
    }
    assert_non_null(strstr(bt_error_message(), "memory"));
    assert_true(fitted >= 3 && fitted < 7);
    bt_free(wanted.v);
}

/* What an inner split holds out and trains on, beside the outer fold's rows. */
static void test_splits_within_an_outer_fold(void **state)
{
    (void)state;
    const size_t length[3] = {4, 3, 5};
    const uint8_t away[12] = {0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0};
    const uint8_t want[2][12] = {{1, 1, 1, 1, 2, 2, 2, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 2, 2, 2, 1, 1, 1, 1, 1}};
    bt_story_rows rows = {0};
    bt_folds folds = {0};
    expect_ok(bt_story_rows_create(3, length, &rows));
    bt_cv_options options = {.scheme = BT_CV_STORIES, .n_fold = 5};
    expect_ok(bt_folds_create_within(&options, &rows, away, &folds));
    assert_int_equal(folds.n_split, 2);
    assert_memory_equal(folds.role, want, 24);
    bt_folds_clear(&folds);
    const double id[12] = {0, 0, 2, 2, 1, 1, 1, 2, 2, -1, -1, -1}; /* split 1 is the outer fold */
    const uint8_t given[2][12] = {{1, 1, 0, 0, 2, 2, 2, 0, 0, 0, 0, 0}, {0, 0, 1, 1, 2, 2, 2, 1, 1, 0, 0, 0}};
    const size_t n = 12;
    options = (bt_cv_options){.scheme = BT_CV_GIVEN, .file = encode_scratch("ids.npy")};
    expect_ok(bt_npy_write(options.file, BT_F64, 1, &n, id));
    expect_ok(bt_folds_create_within(&options, &rows, away, &folds));
    assert_int_equal(folds.n_split, 2);
    assert_memory_equal(folds.role, given, 24);
    bt_folds_clear(&folds);
    bt_story_rows_clear(&rows);
}

static void expect_refused(const char *more, const char *part)
{
    expect_failure(encode(nested_words(encode_scratch("refused.h5"), more), NULL), BT_ERR_USAGE, part);
}

static void test_what_does_not_go_with_outer_folds_is_refused(void **state)
{
    (void)state;
    char more[1024];
    (void)snprintf(more, sizeof more, "cv.outer=kfold test.features=%s", golden_path("tall_x2"));
    expect_refused(more, "test.features: not with cv.outer");
    expect_refused("cv.outer=kfold weights=true", "weights: not with cv.outer");
    expect_refused("cv.outer=chunks predictions=true", "predictions: not with cv.outer=chunks");
    expect_refused("cv.outer=chunks significance.permute=blocks", "significance.permute: not with cv.outer=chunks");
    (void)snprintf(more, sizeof more, "cv.outer=kfold remove.test.features=%s", golden_path("tall_x2"));
    expect_refused(more, "remove.test.features: not with cv.outer");
    expect_refused("cv.outer=stories", "cv.outer=stories: expected at least 2 stories and cv.outer.n");
    expect_refused("cv.outer=kfold cv.outer.n=1", "cv.outer.n: expected 2 to 60");
    expect_refused("cv.outer=kfold cv.outer.n=60 cv.chunk=40", "cv.chunk=40");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_folds_of_stories_and_of_rows_as_numpy),
        LEAK_TEST(test_predictions_are_of_the_held_out_rows),
        LEAK_TEST(test_little_memory_gives_the_same_folds),
        LEAK_TEST(test_splits_within_an_outer_fold),
        LEAK_TEST(test_what_does_not_go_with_outer_folds_is_refused),
    };
    if (bt_comm_create(MPI_COMM_NULL, &comm) != BT_OK) return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    bt_comm_destroy(&comm);
    return failed;
}
