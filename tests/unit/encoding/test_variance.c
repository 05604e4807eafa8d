/* Variance partitioning: fits of subsets are those of each by itself, and the shares are made of their r2. */
#include "encoding_world.h"

static bt_comm *comm;
static const char *world;

static bt_status encode(const char *words, bt_text *result)
{
    return stage_call(&bt_encode_stage, comm, words, result);
}

static void expect_same(const char *file, const char *path, const char *other, const char *there)
{
    golden_array a = score_read(file, path), b = score_read(other, there);
    assert_int_equal(a.n, b.n);
    expect_all_near(a.v, b.v, a.n, 1e-6);
    bt_free(a.v);
    bt_free(b.v);
}

/* `path` is the sum of the maps, each with the sign before its name ("+/a/r2"). */
static void expect_sum(const char *file, const char *path, const char *const *maps, size_t n)
{
    golden_array found = score_read(file, path);
    double *const sum = bt_calloc(found.n, sizeof *sum);
    for (size_t i = 0; i < n; ++i) {
        golden_array map = score_read(file, maps[i] + 1);
        for (size_t v = 0; v < map.n; ++v) sum[v] += maps[i][0] == '-' ? -map.v[v] : map.v[v];
        bt_free(map.v);
    }
    expect_all_near(found.v, sum, found.n, 2e-6);
    bt_free(sum);
    bt_free(found.v);
}

static const char *plain_words(const char *train, const char *test, const char *out, const char *more)
{
    static char words[4096];
    (void)snprintf(words, sizeof words,
                   "features=%s test.features=%s responses=%s test.responses=%s cv.scheme=given cv.folds=%s "
                   "alphas.logspace=-1,3,6 precision=double delays=0,1 store=%s out=%s %s",
                   train, test, golden_path("tall_y"), golden_path("tall_y2"), golden_path("tall_masks"),
                   encode_scratch("store"), out, more);
    return words;
}

static void test_two_files_of_features(void **state)
{
    (void)state;
    char train[1024], test[1024];
    const char *const out = encode_scratch("two.h5"), *const alone = encode_scratch("alone.h5");
    static const char *const unique_a[] = {"+/r2", "-/banded_b/r2"}, *const unique_b[] = {"+/r2", "-/banded_a/r2"},
                             *const both[] = {"+/banded_a/r2", "+/banded_b/r2", "-/r2"};
    (void)snprintf(train, sizeof train, "%s,%s", golden_path("banded_a"), golden_path("banded_b"));
    (void)snprintf(test, sizeof test, "%s,%s", golden_path("banded_a2"), golden_path("banded_b2"));
    expect_ok(encode(plain_words(train, test, out, "partition=true"), NULL));
    expect_ok(encode(plain_words(golden_path("banded_b"), golden_path("banded_b2"), alone, ""), NULL));
    expect_same(out, "/banded_b/r2", alone, "/r2");
    expect_same(out, "/banded_b/cv_score", alone, "/cv_score");
    expect_ok(encode(plain_words(train, test, alone, "overwrite=true"), NULL));
    expect_same(out, "/r", alone, "/r");
    expect_sum(out, "/partition/unique_banded_a", unique_a, 2);
    expect_sum(out, "/partition/unique_banded_b", unique_b, 2);
    expect_sum(out, "/partition/shared_banded_a_banded_b", both, 3);
}

static void test_three_spaces_of_a_feature_file(void **state)
{
    (void)state;
    const char *const out = encode_scratch("three.h5"), *const alone = encode_scratch("pair.h5");
    static const char *const driver[] = {"+/layer_00+layer_01+envelope/r2", "-/layer_00+envelope/r2"},
                             *const pair[] = {"+/layer_00+envelope/r2", "+/layer_01+envelope/r2", "-/envelope/r2",
                                              "-/layer_00+layer_01+envelope/r2"},
                             *const all[] = {
                                 "+/layer_00+layer_01+envelope/partition/unique_layer_00",
                                 "+/layer_00+layer_01+envelope/partition/unique_layer_01",
                                 "+/layer_00+layer_01+envelope/partition/unique_envelope",
                                 "+/layer_00+layer_01+envelope/partition/shared_layer_00_layer_01",
                                 "+/layer_00+layer_01+envelope/partition/shared_layer_00_envelope",
                                 "+/layer_00+layer_01+envelope/partition/shared_layer_01_envelope",
                                 "+/layer_00+layer_01+envelope/partition/shared_layer_00_layer_01_envelope"};
    expect_ok(encode(world_words(world, out, "spaces=layer_00+layer_01+envelope,envelope partition=true"), NULL));
    expect_ok(encode(world_words(world, alone, "spaces=layer_01+envelope"), NULL));
    expect_same(out, "/layer_01+envelope/r2", alone, "/layer_01+envelope/r2");
    expect_sum(out, all[1] + 1, driver, 2);
    expect_sum(out, all[3] + 1, pair, 4);
    expect_sum(out, "/layer_00+layer_01+envelope/r2", all, 7);
    golden_array unique = score_read(out, all[1] + 1), other = score_read(out, all[0] + 1);
    for (size_t v = 0; v < 6; ++v) assert_true(unique.v[v] > 0.5 && fabs(other.v[v]) < 0.1);
    assert_true(isnan(unique.v[10]));
    bt_free(unique.v);
    bt_free(other.v);
}

static void test_what_cannot_be_partitioned_is_refused(void **state)
{
    (void)state;
    char twice[1024];
    const char *const out = encode_scratch("refused.h5");
    expect_failure(encode(world_words(world, out, "layers=0,1 partition=true"), NULL), BT_ERR_USAGE,
                   "partition: no space is joined");
    expect_failure(encode(world_words(world, out, "spaces=layer_00+layer_01+layer_02+envelope partition=true"), NULL),
                   BT_ERR_USAGE, "found 4 parts");
    (void)snprintf(twice, sizeof twice, "%s,%s", golden_path("banded_a"), golden_path("banded_a"));
    expect_failure(encode(plain_words(twice, twice, out, "partition=true"), NULL), BT_ERR_USAGE,
                   "two parts are called banded_a");
}

static int make_world(void **state)
{
    (void)state;
    world = world_make("world");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_two_files_of_features),
        LEAK_TEST(test_three_spaces_of_a_feature_file),
        LEAK_TEST(test_what_cannot_be_partitioned_is_refused),
    };
    if (bt_comm_create(MPI_COMM_NULL, &comm) != BT_OK) return 1;
    const int failed = cmocka_run_group_tests(tests, make_world, NULL);
    bt_comm_destroy(&comm);
    return failed;
}
