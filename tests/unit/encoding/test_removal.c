/* Features without what others say of them: numpy's numbers, nothing left of what is removed from itself, and little
 * changed by what says nothing. */
#include "encoding_world.h"

#include "stimulus/zscore.h"

#include <mpi.h>

static bt_comm *comm;

static bt_status encode(const char *words, bt_text *result)
{
    return stage_call(&bt_encode_stage, comm, words, result);
}

static void expect_numpys(const char *name, const char *more)
{
    char words[8192], file[64];
    (void)snprintf(file, sizeof file, "removal_%s.h5", name);
    const char *const out = encode_scratch(file);
    (void)snprintf(words, sizeof words, "%s %s", removal_words(out, encode_scratch("store")), more);
    expect_ok(encode(words, NULL));
    (void)snprintf(file, sizeof file, "removal_%s", name);
    expect_golden(out, "/predictions", file, 2e-5);
}

static void test_residuals_are_numpys(void **state)
{
    (void)state;
    expect_numpys("story", "");
    expect_numpys("delayed", "remove.delays=0,1,2 search=direct");
    expect_numpys("concatenation", "remove.zscore=concatenation");
    expect_numpys("kfold", "remove.cv=kfold");
    expect_numpys(
        "story",
        "overwrite=true cv.scheme=kfold cv.n_fold=2 remove.cv=stories"); /* one alpha: cv chooses nothing else */
}

static void test_residuals_of_outer_folds_are_numpys(void **state)
{
    (void)state;
    char words[8192];
    const char *const out = encode_scratch("removal_folds.h5");
    expect_ok(encode(removal_fold_words(out, encode_scratch("store")), NULL));
    expect_golden(out, "/predictions", "removal_folds", 2e-5);
    (void)snprintf(words, sizeof words, "%s remove.zscore=concatenation remove.cv=stories overwrite=true",
                   removal_fold_words(out, encode_scratch("store")));
    expect_ok(encode(words, NULL));
    expect_golden(out, "/predictions", "removal_folds_concatenation", 2e-5);
}

/* Predictions (120, 3) of folds of two stories and of one, with what removal_NAME of the first story is made larger. */
static golden_array predict_folds(const char *name, const char *out)
{
    enum { FIRST = 40 };
    char words[8192], key[64];
    const char *files[3];
    static const char *const names[] = {"x", "f", "y"};
    for (size_t i = 0; i < 3; ++i) {
        (void)snprintf(key, sizeof key, "removal_%s", names[i]);
        files[i] = golden_path(key);
        if (strcmp(name, names[i]) != 0) continue;
        golden_array changed = golden_read(key);
        const size_t shape[2] = {changed.rows, changed.columns};
        for (size_t k = 0; k < FIRST * changed.columns; ++k) changed.v[k] = 3 * changed.v[k] + (double)(k % 5);
        files[i] = encode_scratch("changed.npy");
        expect_ok(bt_npy_write(files[i], BT_F64, 2, shape, changed.v));
        bt_free(changed.v);
    }
    (void)snprintf(words, sizeof words,
                   "features=%s remove.features=%s responses=%s stories=%s zscore=true delays=0,1 alphas=1,10 "
                   "cv.scheme=kfold cv.n_fold=3 cv.outer=stories cv.outer.n=2 predictions=true overwrite=true "
                   "store=%s out=%s",
                   files[0], files[1], files[2], golden_path("removal_stories"), encode_scratch("store"), out);
    expect_ok(encode(words, NULL));
    return score_read(out, "/predictions");
}

/* The first story is held out with another, which loses the same and is predicted the same whatever the first is; the
 * third, in whose fold both train, is not. */
static void test_held_out_rows_decide_no_removal(void **state)
{
    (void)state;
    enum { SECOND = 40, THIRD = 75 };
    static const char *const names[] = {"x", "f", "y"};
    const char *const out = encode_scratch("leak.h5");
    golden_array plain = predict_folds("", out);
    assert_int_equal(plain.columns, 3);
    for (size_t i = 0; i < 3; ++i) {
        golden_array changed = predict_folds(names[i], out);
        assert_memory_equal(plain.v + SECOND * 3, changed.v + SECOND * 3, (THIRD - SECOND) * 3 * sizeof *plain.v);
        assert_memory_not_equal(plain.v + THIRD * 3, changed.v + THIRD * 3, (plain.n - THIRD * 3) * sizeof *plain.v);
        bt_free(changed.v);
    }
    bt_free(plain.v);
}

/* At the smallest alpha residuals of training rows are orthogonal to what was removed: nothing predicts it. */
static void test_residuals_are_orthogonal(void **state)
{
    (void)state;
    char words[8192];
    static const size_t start[] = {0, 40, 75, 120};
    const char *const out = encode_scratch("orthogonal.h5"), *const x = golden_path("removal_x");
    const char *const f = golden_path("removal_f"), *const y = encode_scratch("removed.npy");
    golden_array removed = golden_read("removal_f");
    for (size_t s = 0; s < 3; ++s)
        bt_zscore(removed.v + start[s] * removed.columns, start[s + 1] - start[s], removed.columns);
    const size_t shape[2] = {removed.rows, removed.columns};
    expect_ok(bt_npy_write(y, BT_F64, 2, shape, removed.v));
    (void)snprintf(words, sizeof words,
                   "features=%s test.features=%s remove.features=%s remove.test.features=%s responses=%s "
                   "test.responses=%s stories=%s test.stories=%s zscore=true remove.alphas.logspace=-6,-6,1 "
                   "alphas=0.001 precision=double store=%s out=%s",
                   x, x, f, f, y, y, golden_path("removal_stories"), golden_path("removal_stories"),
                   encode_scratch("store"), out);
    expect_ok(encode(words, NULL));
    golden_array r = score_read(out, "/r");
    for (size_t v = 0; v < r.n; ++v) assert_true(fabs(r.v[v]) < 1e-3);
    bt_free(r.v);
    bt_free(removed.v);
}

static double mean_r(const char *out, const char *path)
{
    golden_array r = score_read(out, path);
    double sum = 0;
    for (size_t v = 0; v < 6; ++v) sum += fabs(r.v[v]) / 6;
    bt_free(r.v);
    return sum;
}

static void expect_text(const char *file, const char *name, const char *wanted)
{
    bt_h5 *h5 = NULL;
    char *value = NULL;
    expect_ok(bt_h5_open(file, NULL, &h5));
    expect_ok(bt_h5_get_text(h5, "/", name, &value));
    bt_h5_abandon(&h5);
    assert_string_equal(value, wanted);
    bt_free(value);
}

/* Six voxels follow layer_01 with a delay; layer_00 and the envelope have nothing to do with it. */
static void test_what_is_removed_is_gone(void **state)
{
    (void)state;
    const char *const world = world_make("removal");
    static const char *const names[] = {"plain.h5", "itself.h5", "other.h5"};
    static const char *const more[] = {"layers=1", "layers=1 remove=layer_01",
                                       "layers=1 remove=envelope,layer_00 memory=2MB"};
    double r[3];
    for (size_t i = 0; i < 3; ++i) {
        expect_ok(encode(world_words(world, encode_scratch(names[i]), more[i]), NULL));
        r[i] = mean_r(encode_scratch(names[i]), "/layer_01/r");
    }
    assert_true(r[0] > 0.8 && r[1] < 0.3 && r[2] > 0.8);
    for (size_t i = 1; i < 3; ++i) {
        char folds[256];
        (void)snprintf(folds, sizeof folds, "%s cv.outer=stories overwrite=true", more[i]);
        expect_ok(encode(world_words(world, encode_scratch(names[i]), folds), NULL));
        r[i] = mean_r(encode_scratch(names[i]), "/layer_01/r");
    }
    assert_true(r[1] < 0.3 && r[2] > 0.8);
    expect_text(encode_scratch(names[2]), "removed", "envelope+layer_00");
}

static void test_refusals(void **state)
{
    (void)state;
    char words[2048];
    const char *const out = encode_scratch("refused.h5"), *const world = world_make("refused");
    expect_failure(encode(world_words(world, out, "layers=1 remove=envelop"), NULL), BT_ERR_INPUT,
                   "did you mean 'envelope'?");
    expect_failure(encode(world_words(world, out, "layers=1 remove=envelope remove.alphas.logspace=1,2"), NULL),
                   BT_ERR_USAGE, "remove.alphas.logspace: expected low,high,n");
    expect_failure(
        encode(world_words(world, out, "layers=1 remove=envelope remove.cv=kfold remove.cv.n_fold=1000"), NULL),
        BT_ERR_USAGE, "remove.cv.n_fold: expected 2 to 170");
    expect_failure(encode(golden_words("tall", out, "remove=envelope"), NULL), BT_ERR_USAGE,
                   "remove: needs dataset=; plain matrices have no subject, layers or spaces; give remove.features=");
    (void)snprintf(words, sizeof words, "remove.features=%s", golden_path("tall_x"));
    expect_failure(encode(golden_words("tall", out, words), NULL), BT_ERR_USAGE, "expected both or none");
    (void)snprintf(words, sizeof words, "remove.features=%s remove.test.features=%s", golden_path("tall_x"),
                   golden_path("tall_x"));
    expect_failure(encode(golden_words("tall", out, words), NULL), BT_ERR_INPUT, "must match row by row");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_residuals_are_numpys),
        LEAK_TEST(test_residuals_of_outer_folds_are_numpys),
        LEAK_TEST(test_held_out_rows_decide_no_removal),
        LEAK_TEST(test_residuals_are_orthogonal),
        LEAK_TEST(test_what_is_removed_is_gone),
        LEAK_TEST(test_refusals),
    };
    if (bt_comm_create(MPI_COMM_NULL, &comm) != BT_OK) return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    bt_comm_destroy(&comm);
    return failed;
}
