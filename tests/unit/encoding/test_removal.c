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
        LEAK_TEST(test_residuals_are_orthogonal),
        LEAK_TEST(test_what_is_removed_is_gone),
        LEAK_TEST(test_refusals),
    };
    if (bt_comm_create(MPI_COMM_NULL, &comm) != BT_OK) return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    bt_comm_destroy(&comm);
    return failed;
}
