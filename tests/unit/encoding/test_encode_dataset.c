/* The stage on a data set and feature files, and the stage `ceiling`. */
#include "encoding_world.h"

#include "encoding/ceiling.h"
#include "encoding/design.h"

static bt_comm *comm;
static const char *world;

static bt_status encode(const char *words, bt_text *result)
{
    return stage_call(&bt_encode_stage, comm, words, result);
}

static char *attribute(const char *file, const char *name)
{
    bt_h5 *h5 = NULL;
    char *value = NULL;
    expect_ok(bt_h5_open(file, NULL, &h5));
    expect_ok(bt_h5_get_text(h5, "/", name, &value));
    bt_h5_abandon(&h5);
    return value;
}

static void expect_attribute(const char *file, const char *name, const char *wanted)
{
    char *const value = attribute(file, name);
    assert_string_equal(value, wanted);
    bt_free(value);
}

static void test_layers_are_told_apart(void **state)
{
    (void)state;
    const char *const out = encode_scratch("layers.h5");
    bt_text result = {0};
    expect_ok(encode(world_words(world, out, "layers=0,1,2 preset=mine"), &result));
    golden_array r0 = score_read(out, "/layer_00/r"), r1 = score_read(out, "/layer_01/r"),
                 norm = score_read(out, "/layer_01/cc_norm"), roi = score_read(out, "/roi_label"),
                 ceiling = score_read(out, "/cc_max");
    for (size_t v = 0; v < 6; ++v) {
        assert_true(r1.v[v] > 0.8 && r0.v[v] < 0.5);
        expect_near(norm.v[v], r1.v[v] / ceiling.v[v], 1e-5);
    }
    assert_true(isnan(r1.v[10]));
    assert_int_equal(roi.rows, 2);
    assert_true(roi.v[6] == 1 && roi.v[WORLD_VOXELS] == 1 && roi.v[0] == 0);
    expect_attribute(out, "preset", "mine");
    expect_attribute(out, "stage", "encode");
    expect_attribute(out, "model", "small");
    expect_attribute(out, "family", "wav2vec2");
    expect_attribute(out, "subject", "S1");
    expect_attribute(out, "stories", "apple,bread,cake");
    expect_attribute(out, "test_stories", "date");
    expect_attribute(out, "delays", "1,2,3,4");
    expect_attribute(out, "test_target", "mean of the repeats");
    assert_non_null(strstr(result.data, "language"));
    assert_non_null(strstr(result.data, "layer_02"));
    bt_text_clear(&result);
    bt_free(r0.v);
    bt_free(r1.v);
    bt_free(norm.v);
    bt_free(roi.v);
    bt_free(ceiling.v);
}

/* The same numbers from plain matrices that are cut, z-scored and delayed here. */
static void test_a_layer_is_what_its_matrices_are(void **state)
{
    (void)state;
    bt_h5 *features = NULL;
    char *stories_path[2] = {NULL, NULL};
    const char *const out = encode_scratch("artefact.h5"), *const plain = encode_scratch("plain.h5");
    expect_ok(encode(world_words(world, out, "layers=1 precision=double test.drop=6 test.target=data"), NULL));
    expect_ok(bt_h5_open(kept_path(test_path(world, "features.h5")), NULL, &features));
    double *x = bt_calloc(1000 * 3, sizeof *x), ids[1000];
    char list[2048] = "", words[8192];
    size_t n_row = 0, n_train = 0;
    for (size_t s = 0; s < WORLD_STORIES; ++s) {
        char path[64];
        bt_h5_shape shape;
        void *data = NULL;
        (void)snprintf(path, sizeof path, "/%s/layer_01", world_stories[s]);
        expect_ok(bt_h5_read_all(features, path, BT_F64, &shape, &data));
        const double *const all = data;
        for (size_t i = 10; i + 5 < shape.shape[0]; ++i, ++n_row) {
            memcpy(x + n_row * 3, all + i * 3, 3 * sizeof *x);
            ids[n_row] = (double)s;
        }
        bt_free(data);
        if (s < 3) {
            n_train = n_row;
            (void)snprintf(list + strlen(list), sizeof list - strlen(list),
                           "%s%s/derivative/preprocessed_data/S1/%s.hf5:/data", s ? "," : "", world, world_stories[s]);
        }
    }
    bt_h5_abandon(&features);
    const size_t shape[2] = {n_train, 3}, shape2[2] = {n_row - n_train, 3}, rows[1] = {n_train};
    stories_path[0] = bt_strdup(encode_scratch("px.npy"));
    stories_path[1] = bt_strdup(encode_scratch("px2.npy"));
    expect_ok(bt_npy_write(stories_path[0], BT_F64, 2, shape, x));
    expect_ok(bt_npy_write(stories_path[1], BT_F64, 2, shape2, x + n_train * 3));
    expect_ok(bt_npy_write(encode_scratch("pids.npy"), BT_F64, 1, rows, ids));
    (void)snprintf(words, sizeof words,
                   "features=%s test.features=%s responses=%s "
                   "test.responses=%s/derivative/preprocessed_data/S1/date.hf5:/data delays=1,2,3,4 zscore=true "
                   "precision=double test.drop=6 store=%s out=%s",
                   stories_path[0], stories_path[1], list, world, encode_scratch("store"), plain);
    expect_ok(encode(words, NULL));
    static const char *const names[][2] = {{"/layer_01/r", "/r"}, {"/layer_01/cv_score", "/cv_score"}};
    for (size_t i = 0; i < 2; ++i) {
        golden_array a = score_read(out, names[i][0]), b = score_read(plain, names[i][1]);
        expect_all_near(a.v, b.v, a.n, 1e-12);
        bt_free(a.v);
        bt_free(b.v);
    }
    bt_free(stories_path[0]);
    bt_free(stories_path[1]);
    bt_free(x);
}

static void test_spaces_join_and_default_to_all(void **state)
{
    (void)state;
    const char *const joined = encode_scratch("joined.h5"), *const all = encode_scratch("all.h5");
    bt_h5 *file = NULL;
    double n_feature = 0;
    expect_ok(encode(world_words(world, joined, "spaces=envelope+layer_01,layer_01+envelope,envelope precision=double"),
                     NULL));
    expect_ok(bt_h5_open(joined, NULL, &file));
    expect_ok(bt_h5_get_real(file, "/envelope+layer_01", "n_feature", &n_feature));
    expect_near(n_feature, 16, 0);
    assert_true(bt_h5_has(file, "/envelope/r"));
    bt_h5_abandon(&file);
    golden_array r = score_read(joined, "/envelope+layer_01/r"), swapped = score_read(joined, "/layer_01+envelope/r");
    assert_true(r.v[0] > 0.8);
    expect_all_near(swapped.v, r.v, r.n, 1e-6);
    bt_free(r.v);
    bt_free(swapped.v);
    expect_ok(encode(world_words(world, all, ""), NULL));
    expect_ok(bt_h5_open(all, NULL, &file));
    assert_true(bt_h5_has(file, "/envelope/r") && bt_h5_has(file, "/layer_00/r") && bt_h5_has(file, "/layer_02/r"));
    bt_h5_abandon(&file);
}

static void test_ceilings_from_repeats_file_or_nowhere(void **state)
{
    (void)state;
    const char *const out = encode_scratch("ceilings.h5"), *const alone = encode_scratch("ceiling.h5");
    char words[2048];
    bt_text result = {0};
    (void)snprintf(words, sizeof words, "dataset=%s subject=S1 stories.test=date store=%s out=%s test.drop=3", world,
                   encode_scratch("store"), alone);
    expect_ok(stage_call(&bt_ceiling_stage, comm, words, &result));
    assert_non_null(strstr(result.data, "4 repeats"));
    bt_text_clear(&result);
    expect_ok(encode(world_words(world, out, "layers=1 test.drop=3"), NULL));
    static const char *const names[] = {"/cc_max", "/sp", "/tp", "/explainable_variance"};
    for (size_t i = 0; i < 4; ++i) {
        golden_array a = score_read(alone, names[i]), b = score_read(out, names[i]);
        assert_int_equal(a.n, WORLD_VOXELS);
        expect_all_near(a.v, b.v, a.n, 1e-6);
        bt_free(a.v);
        bt_free(b.v);
    }
    expect_ok(encode(world_words(world, out, "layers=1 test.drop=3 test.target=data overwrite=true"), NULL));
    golden_array a = score_read(alone, "/cc_max"), b = score_read(out, "/cc_max");
    bt_h5 *file = NULL;
    double n_repeat = 0;
    expect_all_near(b.v, a.v, a.n, 1e-6);
    expect_ok(bt_h5_open(out, NULL, &file));
    expect_ok(bt_h5_get_real(file, "/", "n_repeat", &n_repeat));
    expect_near(n_repeat, WORLD_REPEATS, 0);
    bt_h5_abandon(&file);
    bt_free(b.v);
    expect_ok(encode(world_words(world, out, "layers=1 ceiling.from=file overwrite=true"), NULL));
    b = score_read(out, "/cc_max");
    expect_near(b.v[4], 0.3, 1e-6);
    assert_true(isnan(b.v[7]));
    bt_free(a.v);
    bt_free(b.v);
}

static void expect_refused(const char *folder, const char *more, bt_status code, const char *part)
{
    const char *const out = encode_scratch("refused.h5");
    expect_failure(encode(world_words(folder, out, more), NULL), code, part);
    assert_false(bt_path_exists(out));
}

static void test_data_sets_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    const char *const broken = world_make("broken");
    const size_t n = 5;
    const double few[5] = {0};
    expect_refused(broken, "subject=S2", BT_ERR_INPUT, "did you mean S1?");
    expect_refused(broken, "layers=7", BT_ERR_INPUT, "no feature space 'layer_07'");
    expect_refused(broken, "spaces=envelop", BT_ERR_INPUT, "did you mean 'envelope'?");
    expect_refused(broken, "spaces=envelope+", BT_ERR_USAGE, "joined by '+'");
    expect_refused(broken, "layers=x", BT_ERR_USAGE, "layers=x");
    expect_refused(broken, "layers=1,1", BT_ERR_USAGE, "given twice");
    expect_refused(broken, "stories.encode=appel,bread", BT_ERR_INPUT, "apple");
    expect_refused(broken, "stories.encode=apple,date", BT_ERR_USAGE, "story date is in both");
    expect_refused(broken, "test.drop=71", BT_ERR_USAGE, "test.drop=71");
    expect_refused(broken, "test.target=mean stories.test=cake stories.encode=apple,bread", BT_ERR_INPUT,
                   "test.target=data");
    expect_refused(broken, "ceiling.from=repeats test.target=data stories.test=cake stories.encode=apple,bread",
                   BT_ERR_INPUT, "individual_repeats");
    expect_refused(broken, "responses=y.npy", BT_ERR_USAGE, "not with dataset=");
    expect_ok(bt_npy_write(kept_path(test_path(broken, "derivative/rois/S1.npy")), BT_F64, 1, &n, few));
    expect_refused(broken, "layers=1", BT_ERR_INPUT, "has 5 ROI labels, but");
    expect_ok(bt_path_remove(kept_path(test_path(broken, "derivative/rois/S1.npy"))));
    expect_ok(bt_npy_write(kept_path(test_path(broken, "derivative/ceilings/S1.npy")), BT_F64, 1, &n, few));
    expect_refused(broken, "layers=1 ceiling.from=file", BT_ERR_INPUT, "has 5 ceilings, but");
    expect_ok(bt_path_remove(kept_path(test_path(broken, "derivative/ceilings/S1.npy"))));
    expect_refused(broken, "layers=1 ceiling.from=file", BT_ERR_INPUT, "is not there");
    world_text(kept_path(test_path(broken, "derivative/respdict.json")),
               "{\"apple\": 75, \"bread\": 71, \"cake\": 85, \"date\": 92}");
    expect_refused(broken, "layers=1", BT_ERR_INPUT, "has 50 rows, but");
    expect_ok(bt_path_remove(kept_path(test_path(broken, "derivative/preprocessed_data/S1/bread.hf5"))));
    expect_refused(broken, "layers=1", BT_ERR_INPUT, "bread.hf5");
}

/* Repeats beside a stored response that are shorter, narrower or too few: their ceilings would be of something else. */
static void test_repeats_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    static const size_t stored[2] = {72, WORLD_VOXELS};
    static const struct {
        size_t shape[3];
        const char *part;
    } cases[] = {{{4, 71, WORLD_VOXELS}, "has 71 rows, but"},
                 {{4, 72, WORLD_VOXELS - 1}, "has 10 voxels, but"},
                 {{1, 72, WORLD_VOXELS}, "at least 2 repeats, found 1"}};
    double *const y = bt_calloc(4 * 72 * WORLD_VOXELS, sizeof *y);
    const char *const broken = world_make("repeats");
    for (size_t i = 0; i < 4 * 72 * WORLD_VOXELS; ++i) y[i] = (double)(i * 7 % 13);
    for (size_t i = 0; i < 3; ++i) {
        bt_h5 *file = NULL;
        expect_ok(bt_h5_create(kept_path(test_path(broken, "derivative/preprocessed_data/S1/date.hf5")), &file));
        expect_ok(bt_h5_write(file, "/data", BT_F64, 2, stored, y));
        expect_ok(bt_h5_write(file, "/individual_repeats", BT_F64, 3, cases[i].shape, y));
        expect_ok(bt_h5_close(&file));
        expect_refused(broken, "layers=1 test.target=data", BT_ERR_INPUT, cases[i].part);
    }
    expect_ok(
        encode(world_words(broken, encode_scratch("none.h5"), "layers=1 test.target=data ceiling.from=none"), NULL));
    bt_free(y);
}

/* Features of a story that are as long as its responses, instead of one row per trigger. */
static void test_features_of_another_length_are_refused(void **state)
{
    (void)state;
    const char *const broken = world_make("short");
    const size_t shape[2] = {55, 1};
    float rows[55];
    for (size_t i = 0; i < 55; ++i) rows[i] = (float)i;
    bt_h5 *file = NULL;
    expect_ok(bt_h5_create(kept_path(test_path(broken, "features.h5")), &file));
    for (size_t s = 0; s < WORLD_STORIES; ++s) {
        char path[64];
        (void)snprintf(path, sizeof path, "/%s/layer_00", world_stories[s]);
        expect_ok(bt_h5_write(file, path, BT_F32, 2, shape, rows));
    }
    expect_ok(bt_h5_close(&file));
    expect_refused(broken, "", BT_ERR_INPUT, "/apple/layer_00 has 55 rows, 40 after the cut [10:-5], but");
}

static void test_released_settings_run(void **state)
{
    (void)state;
    const char *const out = encode_scratch("released.h5");
    expect_ok(encode(world_words(world, out,
                                 "layers=1 preset=released-code delays.scope=stacked test.cut=before_delay test.drop=8 "
                                 "test.target=data select.variance=released ties=first cv.scheme=chunks cv.chunk=10"),
                     NULL));
    golden_array r = score_read(out, "/layer_01/r");
    for (size_t v = 0; v < 6; ++v) assert_true(r.v[v] > 0.7);
    bt_free(r.v);
    bt_h5 *file = NULL;
    double n_row = 0;
    expect_ok(bt_h5_open(out, NULL, &file));
    expect_ok(bt_h5_get_real(file, "/", "n_row_test", &n_row));
    expect_near(n_row, 64, 0);
    bt_h5_abandon(&file);
}

/* Label files of any place go before the data set's. */
static void test_labels_from_elsewhere(void **state)
{
    (void)state;
    char words[1024];
    const char *const out = encode_scratch("labels.h5"), *const names = encode_scratch("hcp.json");
    const size_t n_voxel = WORLD_VOXELS;
    const double labels[WORLD_VOXELS] = {2, 2, 7, 7, 7, 7, 0, 0, 0, 0, 2};
    bt_text result = {0};
    expect_ok(bt_npy_write(encode_scratch("hcp.npy"), BT_F64, 1, &n_voxel, labels));
    world_text(names, "{\"R_A1\": 7, \"L_A1\": 2}");
    (void)snprintf(words, sizeof words, "layers=1 rois=%s rois.names=%s", encode_scratch("hcp.npy"), names);
    expect_ok(encode(world_words(world, out, words), &result));
    golden_array roi = score_read(out, "/roi_label");
    assert_int_equal(roi.rows, 2);
    for (size_t v = 0; v < WORLD_VOXELS; ++v)
        assert_true((roi.v[v] == 1) == (labels[v] == 2) && (roi.v[WORLD_VOXELS + v] == 1) == (labels[v] == 7));
    assert_non_null(strstr(result.data, "L_A1"));
    expect_failure(encode(world_words(world, encode_scratch("no.h5"), "layers=1 rois=x.npy"), NULL), BT_ERR_USAGE,
                   "rois, rois.names: expected both or none");
    bt_text_clear(&result);
    bt_free(roi.v);
}

/* The best of the mean scores over the voxels v with of[v] == scope. */
static size_t best_together(const golden_array *score, const int *of, int scope)
{
    size_t best = 0;
    double most = -INFINITY;
    for (size_t a = 0; a < score->rows; ++a) {
        double sum = 0;
        for (size_t v = 0; v < WORLD_VOXELS; ++v)
            if (of[v] == scope && !isnan(score->v[a * WORLD_VOXELS + v])) sum += score->v[a * WORLD_VOXELS + v];
        if (sum >= most) {
            most = sum;
            best = a;
        }
    }
    return best;
}

/* Overlapping ROIs: voxels 4 and 5 are in both and count to the first by label value, "null"; 9 and 10 in none. */
static void test_voxels_of_a_roi_share_an_alpha(void **state)
{
    (void)state;
    static const int of[WORLD_VOXELS] = {1, 1, 1, 1, 0, 0, 0, 0, 0, 2, 2};
    const char *const folder = world_make("overlap"), *const out = encode_scratch("roi.h5");
    double masks[2 * WORLD_VOXELS] = {0};
    const size_t shape[2] = {2, WORLD_VOXELS};
    for (size_t v = 0; v < 9; ++v) {
        masks[v] = of[v] == 0;
        masks[WORLD_VOXELS + v] = v < 6;
    }
    expect_ok(bt_npy_write(kept_path(test_path(folder, "derivative/rois/S1.npy")), BT_F64, 2, shape, masks));
    expect_ok(encode(world_words(folder, out, "layers=1 alpha.scope=roi precision=double"), NULL));
    golden_array alpha = score_read(out, "/layer_01/alpha"), score = score_read(out, "/layer_01/cv_score");
    golden_array alphas = score_read(out, "/alphas");
    for (size_t v = 0; v < 10; ++v) expect_near(alpha.v[v], alphas.v[best_together(&score, of, of[v])], 1e-9);
    assert_true(alpha.v[0] < alpha.v[9]);
    assert_true(isnan(alpha.v[10]));
    bt_free(alpha.v);
    bt_free(score.v);
    bt_free(alphas.v);
    expect_ok(bt_path_remove(folder));
}

/* Each story is predicted from the others: no test story, no ceiling from its repeats. */
static void test_outer_folds_need_no_test_story(void **state)
{
    (void)state;
    const char *const out = encode_scratch("outer.h5");
    bt_text result = {0};
    char words[4096];
    (void)snprintf(words, sizeof words,
                   "dataset=%s subject=S1 features=%s/features.h5 stories.encode=apple,bread,cake,date layers=0,1 "
                   "cv.outer=stories store=%s out=%s",
                   world, world, encode_scratch("store"), out);
    expect_ok(encode(words, &result));
    golden_array r = score_read(out, "/layer_01/r"), fold = score_read(out, "/layer_01/r_fold"),
                 norm = score_read(out, "/layer_01/cc_norm");
    assert_int_equal(fold.rows, 4);
    for (size_t v = 0; v < 6; ++v) assert_true(r.v[v] > 0.8);
    assert_true(isnan(r.v[10]) && isnan(fold.v[10]));
    expect_near(norm.v[0], r.v[0] / 0.9, 1e-5);
    assert_non_null(strstr(result.data, "language"));
    bt_text_clear(&result);
    bt_free(r.v);
    bt_free(fold.v);
    bt_free(norm.v);
    expect_attribute(out, "cv_outer", "stories");
    expect_attribute(out, "stories", "apple,bread,cake,date");
}

/* Where a grid ends below every voxel's alpha, all with a positive best score are at its end. */
static void test_shares_at_the_ends_of_the_grid_are_kept(void **state)
{
    (void)state;
    const char *const out = encode_scratch("ends.h5");
    bt_h5 *file = NULL;
    double low = 0, high = 0, n = 0;
    expect_ok(encode(world_words(world, out, "layers=1 alphas=1e-6,1e-5"), NULL));
    golden_array score = score_read(out, "/layer_01/cv_score");
    size_t positive = 0;
    for (size_t v = 0; v < 10; ++v) positive += fmax(score.v[v], score.v[score.columns + v]) > 0;
    bt_free(score.v);
    expect_ok(bt_h5_open(out, NULL, &file));
    expect_ok(bt_h5_get_real(file, "/layer_01", "alpha_share_low", &low));
    expect_ok(bt_h5_get_real(file, "/layer_01", "alpha_share_high", &high));
    expect_ok(bt_h5_get_real(file, "/layer_01", "n_positive", &n));
    bt_h5_abandon(&file);
    expect_near(n, (double)positive, 0);
    expect_near(low + high, 1, 1e-12);
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
        LEAK_TEST(test_layers_are_told_apart),
        LEAK_TEST(test_a_layer_is_what_its_matrices_are),
        LEAK_TEST(test_spaces_join_and_default_to_all),
        LEAK_TEST(test_ceilings_from_repeats_file_or_nowhere),
        LEAK_TEST(test_data_sets_that_do_not_fit_are_refused),
        LEAK_TEST(test_repeats_that_do_not_fit_are_refused),
        LEAK_TEST(test_features_of_another_length_are_refused),
        LEAK_TEST(test_released_settings_run),
        LEAK_TEST(test_labels_from_elsewhere),
        LEAK_TEST(test_voxels_of_a_roi_share_an_alpha),
        LEAK_TEST(test_outer_folds_need_no_test_story),
        LEAK_TEST(test_shares_at_the_ends_of_the_grid_are_kept),
    };
    if (bt_comm_create(MPI_COMM_NULL, &comm) != BT_OK) return 1;
    const int failed = cmocka_run_group_tests(tests, make_world, NULL);
    bt_comm_destroy(&comm);
    return failed;
}
