#include "tuning_support.h"

#include "io/array.h"
#include "tuning/voxels.h"

static const char *root;
static bt_dataset *dataset;
static bt_comm *alone;

static int set_up(void **state)
{
    (void)state;
    root = tuning_world("world");
    expect_ok(bt_dataset_open(root, &dataset));
    expect_ok(bt_comm_create(MPI_COMM_NULL, &alone));
    return 0;
}

static int tear_down(void **state)
{
    bt_dataset_close(&dataset);
    bt_comm_destroy(&alone);
    return test_no_leak(state);
}

static const char *listed_path(void)
{
    return made_up_path(root, "listed.npy");
}

/* A .npy of bool. */
static void write_mask(const unsigned char *mask, size_t n)
{
    char header[128];
    FILE *const file = fopen(listed_path(), "wb");
    assert_non_null(file);
    const int length =
        snprintf(header, sizeof header, "{'descr': '|b1', 'fortran_order': False, 'shape': (%zu,), }", n);
    const unsigned char head[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)(length + 1), 0};
    assert_int_equal(fwrite(head, 1, sizeof head, file), sizeof head);
    assert_true(fprintf(file, "%s\n", header) > 0);
    assert_int_equal(fwrite(mask, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static bt_status choose(const bt_voxels_rule *rule, const char *subject, const char *test, bt_kept_voxels *kept)
{
    bt_names stories = tuning_names("apple,bread"), tests = tuning_names(test);
    const bt_status status = bt_kept_voxels_create(rule, dataset, subject, &tests, &stories, alone, kept);
    bt_names_clear(&stories);
    bt_names_clear(&tests);
    return status;
}

static void expect_kept(const bt_voxels_rule *rule, size_t n, const size_t *wanted)
{
    bt_kept_voxels kept;
    expect_ok(choose(rule, "S1", "", &kept));
    assert_int_equal(kept.n_voxel, TUNING_VOXELS);
    assert_int_equal(kept.n_kept, n);
    assert_memory_equal(kept.index, wanted, n * sizeof *wanted);
    bt_kept_voxels_clear(&kept);
}

/* Ceilings are 0.1, 0.5, none, 0.9, 0.4, 0.6; "above" excludes the threshold itself. */
static void test_ceilings_of_the_data_set(void **state)
{
    (void)state;
    const bt_voxels_rule rule = {.keep_above = 0.4}, file = {.keep_above = 0, .ceiling = BT_KEEP_FILE},
                         none = {.keep_above = 0.4, .ceiling = BT_KEEP_NONE};
    expect_kept(&rule, 3, (const size_t[]){1, 3, 5});
    expect_kept(&file, 5, (const size_t[]){0, 1, 3, 4, 5});
    expect_kept(&none, 6, (const size_t[]){0, 1, 2, 3, 4, 5});
}

static void test_places_and_lists_intersect(void **state)
{
    (void)state;
    const size_t n_mask = TUNING_VOXELS, n_index = 3;
    bt_voxels_rule rule = {.keep_above = 0.05};
    rule.roi = tuning_names("late");
    expect_kept(&rule, 2, (const size_t[]){3, 4});
    expect_ok(bt_names_add(&rule.roi, "early"));
    expect_kept(&rule, 4, (const size_t[]){0, 1, 3, 4});
    rule.file = bt_strdup(listed_path());
    expect_ok(bt_npy_write(listed_path(), BT_I32, 1, &n_index, (const int32_t[]){5, 1, 3}));
    expect_kept(&rule, 2, (const size_t[]){1, 3});
    write_mask((const unsigned char[]){1, 0, 1, 0, 1, 1}, n_mask);
    expect_kept(&rule, 2, (const size_t[]){0, 4});
    bt_names_clear(&rule.roi);
    bt_free(rule.file);
}

static void test_counts_and_labels(void **state)
{
    (void)state;
    bt_voxels_rule rule = {.keep_above = 0.4};
    bt_kept_voxels kept;
    bt_text text = {0};
    rule.roi = tuning_names("early,late");
    expect_ok(choose(&rule, "S1", "", &kept));
    assert_int_equal(kept.n_low, 3);
    assert_int_equal(kept.n_undefined, 1);
    assert_int_equal(kept.n_elsewhere, 1);
    assert_int_equal(kept.n_kept, 2);
    assert_int_equal(kept.roi.n, 2);
    assert_string_equal(kept.roi.items[1], "late");
    const bool member[] = {true, false, false, true}; /* voxels 1 and 3 */
    assert_memory_equal(kept.member, member, sizeof member);
    expect_ok(bt_kept_voxels_describe(&kept, &text));
    assert_string_equal(text.data, "2 of 6 voxels kept, 3 not above a noise ceiling of 0.4 (from file; 1 of them have "
                                   "none), 1 outside the ROIs");
    bt_text_clear(&text);
    bt_kept_voxels_clear(&kept);
    bt_names_clear(&rule.roi);
}

static void expect_roi_kept(bt_voxels_rule *rule, const char *roi, size_t n, const size_t *wanted)
{
    rule->roi = tuning_names(roi);
    expect_kept(rule, n, wanted);
    bt_names_clear(&rule->roi);
}

/* Labels that are not the data set's, groups of them, and ROIs of the validation r by group. */
static void test_labels_and_groups_of_any_path(void **state)
{
    (void)state;
    const size_t n = TUNING_VOXELS, left[] = {0, 1}, both[] = {0, 1, 2}, speech[] = {0, 1, 2, 4};
    const double label[] = {1, 1, 2, 0, 3, 0};
    expect_ok(bt_npy_write(made_up_path(root, "S1_labels.npy"), BT_F64, 1, &n, label));
    (void)made_up_text(root, "S1_labels.json", "{\"L_A1\": 1, \"R_A1\": 2, \"L_44\": 3}");
    (void)made_up_text(root, "groups.yaml", "speech: [A1, 44]\nnothing: []\nwrong: [A2]\n");
    (void)made_up_text(root, "good.yaml", "speech: [A1, 44]\nleft: [L_A1]\nnothing: []\n");
    char *const labels = bt_strdup(made_up_path(root, "{subject}_labels.npy")),
                *const names = bt_strdup(made_up_path(root, "{subject}_labels.json")),
                *const bad = bt_strdup(made_up_path(root, "groups.yaml")),
                *const good = bt_strdup(made_up_path(root, "good.yaml"));
    bt_voxels_rule rule = {.ceiling = BT_KEEP_NONE, .rois = labels, .roi_names = names};
    expect_roi_kept(&rule, "L_A1", 2, left);
    expect_roi_kept(&rule, "A1", 3, both);
    rule.groups = good;
    expect_roi_kept(&rule, "speech", 4, speech);
    expect_roi_kept(&rule, "44,A1", 4, speech);
    bt_kept_voxels kept;
    expect_ok(choose(&rule, "S1", "", &kept));
    assert_int_equal(kept.n_kept, n);
    assert_int_equal(kept.roi.n, 2);
    assert_string_equal(kept.roi.items[1], "left");
    const bool member[] = {true, true, true, false, true, false, true, true, false, false, false, false};
    assert_memory_equal(kept.member, member, sizeof member);
    assert_true(bt_ends_with(kept.roi_file, "/S1_labels.npy"));
    bt_kept_voxels_clear(&kept);
    rule.roi = tuning_names("nothing");
    expect_failure(choose(&rule, "S1", "", &kept), BT_ERR_INPUT, "the group nothing has no labels");
    rule.groups = bad;
    bt_names_clear(&rule.roi);
    expect_failure(choose(&rule, "S1", "", &kept), BT_ERR_INPUT, "groups.yaml: wrong: ");
    rule.groups = NULL;
    rule.roi = tuning_names("L_A2");
    expect_failure(choose(&rule, "S1", "", &kept), BT_ERR_INPUT, "did you mean 'L_A1'?");
    bt_names_clear(&rule.roi);
    bt_free(labels);
    bt_free(names);
    bt_free(bad);
    bt_free(good);
}

/* Two repeats of "fig" (10 rows): voxel v is the same in both but for noise that grows with v. */
static void make_repeats(void)
{
    enum { ROWS = 10 };
    const size_t shape[3] = {2, ROWS, TUNING_VOXELS};
    double values[2 * ROWS * TUNING_VOXELS];
    bt_h5 *file = NULL;
    for (size_t k = 0; k < 2; ++k)
        for (size_t i = 0; i < ROWS; ++i)
            for (size_t v = 0; v < TUNING_VOXELS; ++v)
                values[(k * ROWS + i) * TUNING_VOXELS + v] =
                    sin((double)(i + v)) + (double)v * 0.4 * cos((double)(7 * i + 13 * k + v));
    (void)made_up_text(root, "derivative/respdict.json",
                       "{\"apple\": 40, \"bread\": 47, \"cider\": 38, \"dates\": 36, \"fig\": 30}");
    expect_ok(bt_h5_create(made_up_path(root, "derivative/preprocessed_data/S1/fig.hf5"), &file));
    expect_ok(bt_h5_write(file, "/data", BT_F64, 2, shape + 1, values));
    expect_ok(bt_h5_write(file, "/individual_repeats", BT_F64, 3, shape, values));
    expect_ok(bt_h5_close(&file));
    bt_dataset_close(&dataset);
    expect_ok(bt_dataset_open(root, &dataset));
}

/* The repeats come before the file where they are; voxel 0 repeats itself without noise, hence a ceiling of 1. */
static void test_ceilings_of_repeats(void **state)
{
    (void)state;
    bt_kept_voxels kept;
    const bt_voxels_rule rule = {.keep_above = 0.999}, file = {.keep_above = 0.4, .ceiling = BT_KEEP_FILE};
    make_repeats();
    expect_ok(choose(&rule, "S1", "fig", &kept));
    assert_string_equal(kept.ceiling, "repeats");
    assert_int_equal(kept.n_kept, 1);
    assert_int_equal(kept.index[0], 0);
    bt_kept_voxels_clear(&kept);
    expect_ok(choose(&file, "S1", "fig", &kept));
    assert_string_equal(kept.ceiling, "file");
    assert_int_equal(kept.n_kept, 3);
    bt_kept_voxels_clear(&kept);
}

static void test_bad_rules(void **state)
{
    (void)state;
    bt_kept_voxels kept;
    bt_voxels_rule rule = {.keep_above = 0.95};
    expect_failure(choose(&rule, "S1", "", &kept), BT_ERR_INPUT,
                   "nothing is left of S1: 0 of 6 voxels kept, 6 not above a noise ceiling of 0.95");
    rule.keep_above = 0.4;
    expect_failure(choose(&rule, "S11", "", &kept), BT_ERR_INPUT, "did you mean S1?");
    rule.roi = tuning_names("lat");
    expect_failure(choose(&rule, "S1", "", &kept), BT_ERR_INPUT,
                   "names.json has no ROI named 'lat' among its 2; did you mean 'late'?");
    bt_names_clear(&rule.roi);
    rule.ceiling = BT_KEEP_REPEATS;
    expect_failure(choose(&rule, "S1", "dates", &kept), BT_ERR_INPUT,
                   "subject S1 has no individual_repeats for every story of stories.test");
    assert_null(kept.index);
}

static void test_bad_files(void **state)
{
    (void)state;
    bt_kept_voxels kept;
    bt_voxels_rule rule = {.keep_above = 0.4};
    const size_t five = 5, two = 2;
    const int32_t outside[] = {1, 6}, twice[] = {3, 3};
    const float halves[] = {0.5F, 1};
    rule.file = bt_strdup(listed_path());
    write_mask((const unsigned char[]){1, 0, 1, 0, 1}, five);
    expect_failure(choose(&rule, "S1", "", &kept), BT_ERR_INPUT,
                   "voxels.file: expected 6 values, one for each voxel of");
    expect_ok(bt_npy_write(listed_path(), BT_I32, 1, &two, outside));
    expect_failure(choose(&rule, "S1", "", &kept), BT_ERR_INPUT, "entry 1: expected the index of a voxel, 0 to 5");
    expect_ok(bt_npy_write(listed_path(), BT_I32, 1, &two, twice));
    expect_failure(choose(&rule, "S1", "", &kept), BT_ERR_INPUT, "entry 1: voxel 3 comes a second time");
    expect_ok(bt_npy_write(listed_path(), BT_F32, 1, &two, halves));
    expect_failure(choose(&rule, "S1", "", &kept), BT_ERR_INPUT, "expected bool (n_voxel) or integer indices");
    bt_free(rule.file);
    rule.file = NULL;
    tuning_map(root, "ceilings", (const double[]){1, 1, 1, 1, 1}, 5);
    expect_failure(choose(&rule, "S1", "", &kept), BT_ERR_INPUT, "expected 6 ceilings, as ");
    expect_ok(bt_path_remove(made_up_path(root, "derivative/ceilings")));
    expect_failure(choose(&rule, "S1", "", &kept), BT_ERR_INPUT, "take voxels.ceiling=none");
    rule.ceiling = BT_KEEP_NONE;
    tuning_map(root, "rois", (const double[]){1, 1, 1}, 3);
    expect_failure(choose(&rule, "S1", "", &kept), BT_ERR_INPUT, "has 3 ROI labels, but ");
    expect_ok(bt_path_remove(made_up_path(root, "derivative/rois/S1.npy")));
    rule.roi = tuning_names("late");
    expect_failure(choose(&rule, "S1", "", &kept), BT_ERR_INPUT, "the subject's ROI labels, is not there");
    bt_names_clear(&rule.roi);
}

static void test_recipe(void **state)
{
    (void)state;
    bt_kept_voxels kept;
    bt_recipe *recipe = NULL;
    bt_text json = {0};
    const bt_voxels_rule rule = {.keep_above = 0.4};
    expect_ok(choose(&rule, "S1", "", &kept));
    expect_ok(bt_recipe_create("tune", 1, &recipe));
    expect_ok(bt_kept_voxels_record(&kept, &rule, "S1", NULL, recipe));
    expect_ok(bt_recipe_json(recipe, &json));
    assert_non_null(strstr(json.data, "\"S1.ceiling\""));
    assert_non_null(strstr(json.data, "\"S1.rois\""));
    assert_null(strstr(json.data, "voxels.file"));
    bt_text_clear(&json);
    bt_recipe_destroy(&recipe);
    bt_kept_voxels_clear(&kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ceilings_of_the_data_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_places_and_lists_intersect, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_counts_and_labels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_labels_and_groups_of_any_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ceilings_of_repeats, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_rules, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_recipe, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
