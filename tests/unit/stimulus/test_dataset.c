/* Data sets of a few kilobytes: opening, names, roles, TR times, and what inspect says of whole and broken ones. */
#include "made_up_dataset.h"

#include "stimulus/dataset.h"
#include "stimulus/inspect_dataset.h"
#include "stimulus/stories.h"

#include <unistd.h>

static const bt_timing MIDDLE = {
    .source = BT_TIMES_RESPDICT, .tr = 2.0045, .sound_start = 10.0235, .at = BT_TIMES_MIDDLE};

static bt_dataset *open_it(const char *root)
{
    bt_dataset *dataset = NULL;
    expect_ok(bt_dataset_open(root, &dataset));
    return dataset;
}

static void test_open(void **state)
{
    (void)state;
    bt_dataset *dataset = open_it(made_up_dataset("open"));
    size_t n = 0;
    assert_int_equal(bt_dataset_stories(dataset)->n, 2);
    assert_string_equal(bt_dataset_stories(dataset)->items[0], "apple");
    assert_int_equal(bt_dataset_subjects(dataset)->n, 2);
    assert_string_equal(bt_dataset_subjects(dataset)->items[1], "S2");
    expect_ok(bt_dataset_scanner_trs(dataset, "bread", &n));
    assert_int_equal(n, 30);
    assert_int_equal(bt_dataset_stored_rows(n), 10);
    assert_true(bt_dataset_has_responses(dataset, "S1", "apple"));
    assert_false(bt_dataset_has_responses(dataset, "S1", "cider"));
    assert_false(bt_dataset_has_responses(dataset, "S9", "apple"));
    char *const ceiling = bt_dataset_ceiling_path(dataset, "S1");
    assert_non_null(ceiling);
    assert_null(bt_dataset_ceiling_path(dataset, "S9"));
    bt_free(ceiling);
    bt_dataset_close(&dataset);
    assert_null(dataset);
    bt_dataset_close(&dataset);
}

static void test_unknown_story_names_the_nearest(void **state)
{
    (void)state;
    bt_dataset *dataset = open_it(made_up_dataset("nearest"));
    size_t n = 0;
    expect_failure(bt_dataset_scanner_trs(dataset, "aple", &n), BT_ERR_INPUT, "did you mean 'apple'?");
    expect_failure(bt_dataset_scanner_trs(dataset, "wheretheressmoke", &n), BT_ERR_INPUT,
                   "no story named 'wheretheressmoke' among its 2");
    bt_dataset_close(&dataset);
}

static void test_bad_roots(void **state)
{
    (void)state;
    bt_dataset *dataset = NULL;
    const char *const root = made_up_dataset("roots");
    expect_failure(bt_dataset_open(test_path(root, "nowhere"), &dataset), BT_ERR_INPUT, "nowhere: not a folder");
    assert_null(dataset);
    (void)made_up_text(root, "derivative/respdict.json", "{\"apple\": 20}");
    expect_failure(bt_dataset_open(root, &dataset), BT_ERR_INPUT,
                   "apple: expected the story's scanner TRs, more than 20");
    (void)made_up_text(root, "derivative/respdict.json", "{\"apple\": \"many\"}");
    expect_failure(bt_dataset_open(root, &dataset), BT_ERR_INPUT, "apple");
    (void)made_up_text(root, "derivative/respdict.json", "{}");
    expect_failure(bt_dataset_open(root, &dataset), BT_ERR_INPUT, "at least one story");
    (void)made_up_text(root, "derivative/respdict.json", "/annex/objects/MD5E-s12--0123456789abcdef.json\n");
    expect_failure(bt_dataset_open(root, &dataset), BT_ERR_INPUT, "datalad get");
    assert_int_equal(unlink(made_up_path(root, "derivative/respdict.json")), 0);
    expect_failure(bt_dataset_open(root, &dataset), BT_ERR_INPUT, "respdict.json: not there");
}

/* Stimuli alone are enough to compute features of. */
static void test_without_responses(void **state)
{
    (void)state;
    const char *const root = made_up_dataset("stimuli");
    expect_ok(bt_path_remove(made_up_path(root, "derivative/preprocessed_data")));
    bt_dataset *dataset = open_it(root);
    assert_int_equal(bt_dataset_subjects(dataset)->n, 0);
    bt_dataset_close(&dataset);
}

static void test_respdict_times(void **state)
{
    (void)state;
    bt_dataset *dataset = open_it(made_up_dataset("times"));
    double *times = NULL;
    size_t n = 0;
    expect_ok(bt_story_times(dataset, "apple", &MIDDLE, &times, &n));
    assert_int_equal(n, 27);
    expect_near(times[0], -10.0235 + 1.00225, 1e-12);
    expect_near(times[26], 26 * 2.0045 - 10.0235 + 1.00225, 1e-12);
    bt_free(times);
    bt_timing start = MIDDLE;
    start.at = BT_TIMES_START;
    expect_ok(bt_story_times(dataset, "apple", &start, &times, &n));
    expect_near(times[0], -10.0235, 1e-12);
    bt_free(times);
    bt_dataset_close(&dataset);
}

/* A report of n triggers every 2.0045 s, the sound 10.02 s after the first. */
static void write_report(const char *root, const char *relative, int n)
{
    bt_text text = {0};
    expect_ok(bt_text_add(&text, "0.000000 init-trigger\n"));
    for (int k = 1; k < n; ++k) expect_ok(bt_text_add(&text, "%.6f trigger\n", 2.0045 * k));
    expect_ok(bt_text_add(&text, "10.020000 sound-start\n"));
    (void)made_up_text(root, relative, text.data);
    bt_text_clear(&text);
}

static void test_report_times(void **state)
{
    (void)state;
    const char *const root = made_up_dataset("reports");
    bt_dataset *dataset = open_it(root);
    char *const folder = bt_strdup(made_up_path(root, "trfiles"));
    const bt_timing timing = {.source = BT_TIMES_TRFILE, .at = BT_TIMES_MIDDLE, .reports = folder};
    const bt_timing nowhere = {.source = BT_TIMES_TRFILE};
    double *times = NULL;
    size_t n = 0;
    write_report(root, "trfiles/apple.report", 27);
    write_report(root, "trfiles/bread.report", 27);
    expect_ok(bt_story_times(dataset, "apple", &timing, &times, &n));
    assert_int_equal(n, 27);
    expect_near(times[0], -10.02 + 2.0045 / 2, 1e-6);
    expect_near(times[26], 26 * 2.0045 - 10.02 + 2.0045 / 2, 1e-6);
    bt_free(times);
    expect_failure(bt_story_times(dataset, "bread", &timing, &times, &n), BT_ERR_INPUT, "expected 25 triggers");
    assert_null(times);
    expect_failure(bt_story_times(dataset, "bread", &nowhere, &times, &n), BT_ERR_USAGE, "timing.reports");
    bt_free(folder);
    bt_dataset_close(&dataset);
}

/* Items are separated by spaces; the result, joined by commas, is `wanted`. */
static void expect_stories(const bt_dataset *dataset, const char *item, const char *wanted)
{
    bt_names list = {0}, stories = {0};
    bt_text joined = {0};
    if (item) expect_ok(bt_names_add(&list, item));
    expect_ok(bt_stories_resolve(dataset, &list, &stories));
    for (size_t i = 0; i < stories.n; ++i) expect_ok(bt_text_add(&joined, "%s%s", i ? "," : "", stories.items[i]));
    assert_string_equal(joined.data, wanted);
    bt_text_clear(&joined);
    bt_names_clear(&list);
    bt_names_clear(&stories);
}

static void test_roles(void **state)
{
    (void)state;
    const char *const root = made_up_dataset("roles");
    bt_dataset *dataset = open_it(root);
    bt_names list = {0}, stories = {0};
    (void)made_up_text(root, "stories.yaml", "stories:\n  encode: [apple, bread]\n  test: [bread]\n  tune: [appel]\n");
    expect_stories(dataset, NULL, "apple,bread");
    expect_stories(dataset, "apple", "apple");
    expect_stories(dataset, "encode", "apple,bread");
    expect_stories(dataset, "test", "bread");
    expect_ok(bt_names_add(&list, "bred"));
    expect_failure(bt_stories_resolve(dataset, &list, &stories), BT_ERR_INPUT, "did you mean 'bread'?");
    bt_names_clear(&list);
    expect_ok(bt_names_add(&list, "encod"));
    expect_failure(bt_stories_resolve(dataset, &list, &stories), BT_ERR_INPUT, "did you mean 'encode'?");
    bt_names_clear(&list);
    expect_ok(bt_names_add(&list, "validate"));
    expect_failure(bt_stories_resolve(dataset, &list, &stories), BT_ERR_INPUT, "'validate' is a role");
    bt_names_clear(&list);
    expect_ok(bt_names_add(&list, "tune"));
    expect_failure(bt_stories_resolve(dataset, &list, &stories), BT_ERR_INPUT, "stories.tune");
    bt_names_clear(&list);
    bt_names_clear(&stories);
    bt_dataset_close(&dataset);
}

/* The report of a data set; `whole` says what is expected. Caller clears it. */
static bt_text inspect(const char *root, bool wanted)
{
    bt_dataset *dataset = open_it(root);
    bt_text report = {0};
    bool whole = !wanted;
    expect_ok(bt_dataset_inspect(dataset, &report, &whole));
    if (whole != wanted) print_error("%s\n", report.data);
    assert_int_equal(whole, wanted);
    bt_dataset_close(&dataset);
    return report;
}

static void expect_said(const char *root, bool whole, const char *const *parts, size_t n)
{
    bt_text report = inspect(root, whole);
    for (size_t i = 0; i < n; ++i) {
        if (!strstr(report.data, parts[i])) print_error("missing \"%s\" in:\n%s\n", parts[i], report.data);
        assert_non_null(strstr(report.data, parts[i]));
    }
    bt_text_clear(&report);
}

#define EXPECT_SAID(root, whole, ...)                                                                                  \
    expect_said((root), (whole), (const char *const[]){__VA_ARGS__},                                                   \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void test_inspect_whole(void **state)
{
    (void)state;
    EXPECT_SAID(made_up_dataset("whole"), true, "stories: 2, 62 scanner TRs, 76 s of audio",
                "subject S1: 2 of 2 stories, 7 voxels, 3 repeats of bread, ceilings, ROI labels", "whole: every story");
}

/* UTS04 lacks a story; the others have it: no fault. */
static void test_inspect_story_of_some_subjects(void **state)
{
    (void)state;
    const char *const root = made_up_dataset("some");
    assert_int_equal(unlink(made_up_path(root, "derivative/preprocessed_data/S2/apple.hf5")), 0);
    made_up_responses(root, "S1", "extra", 10, 7, 0);
    EXPECT_SAID(root, true, "subject S2: 1 of 2 stories", "has no responses to (stated, no fault): apple",
                "does not count (unused): extra");
}

static void test_inspect_story_of_no_subject(void **state)
{
    (void)state;
    const char *const root = made_up_dataset("none");
    assert_int_equal(unlink(made_up_path(root, "derivative/preprocessed_data/S1/apple.hf5")), 0);
    assert_int_equal(unlink(made_up_path(root, "derivative/preprocessed_data/S2/apple.hf5")), 0);
    EXPECT_SAID(root, false, "no subject has apple.hf5", "not whole, 1 fault:");
}

/* ... unless it is there for pre-training. */
static void test_inspect_story_for_pretraining(void **state)
{
    (void)state;
    const char *const root = made_up_dataset("pretraining");
    assert_int_equal(unlink(made_up_path(root, "derivative/preprocessed_data/S1/apple.hf5")), 0);
    assert_int_equal(unlink(made_up_path(root, "derivative/preprocessed_data/S2/apple.hf5")), 0);
    (void)made_up_text(root, "stories.yaml", "stories:\n  pretrain: [apple]\n");
    EXPECT_SAID(root, true, "stories: 2", "heard by nobody (role pretrain): 1", "subject S2: 1 of 1 stories",
                "whole: every story");
    (void)made_up_text(root, "stories.yaml", "stories:\n  pretain: [apple]\n");
    EXPECT_SAID(root, false, "did you mean stories.pretrain?", "no subject has apple.hf5", "not whole, 2 faults:");
}

static void test_inspect_missing_files(void **state)
{
    (void)state;
    const char *const root = made_up_dataset("missing");
    assert_int_equal(unlink(made_up_path(root, "stimuli/apple.wav")), 0);
    assert_int_equal(unlink(made_up_path(root, "derivative/TextGrids/bread.TextGrid")), 0);
    assert_int_equal(unlink(made_up_path(root, "derivative/rois/names.json")), 0);
    EXPECT_SAID(root, false, "stimuli/apple.wav", "TextGrids/bread.TextGrid", "names.json", "not whole, 4 faults:");
}

static void test_inspect_annex_stubs(void **state)
{
    (void)state;
    const char *const root = made_up_dataset("annex");
    const char *const links[] = {"stimuli/apple.wav", "derivative/preprocessed_data/S1/bread.hf5",
                                 "derivative/ceilings/S2.npy"};
    for (size_t i = 0; i < 3; ++i) {
        assert_int_equal(unlink(made_up_path(root, links[i])), 0);
        assert_int_equal(symlink("../.git/annex/objects/aa/bb/MD5E-s5--0/MD5E-s5--0", made_up_path(root, links[i])), 0);
    }
    (void)made_up_text(root, "derivative/TextGrids/bread.TextGrid", "/annex/objects/MD5E-s5--0.TextGrid\n");
    bt_text report = inspect(root, false);
    size_t n = 0;
    for (const char *at = report.data; (at = strstr(at, "datalad get")); ++at) ++n;
    assert_int_equal(n, 4);
    assert_non_null(strstr(report.data, "subject S1: 2 of 2 stories"));
    for (size_t i = 0; i < 3; ++i) assert_non_null(strstr(report.data, links[i]));
    bt_text_clear(&report);
}

/* A fresh clone: nothing but stubs, told by folder; who lacks which story is told by the subject that comes nearest. */
static void test_inspect_fresh_clone(void **state)
{
    (void)state;
    static const char *const heard[][2] = {{"P", "abcde"}, {"Q", "abc"}, {"R", "ab"}, {"S", "ab"}};
    const char *const root = made_up_root("fresh clone");
    (void)made_up_text(root, "derivative/respdict.json", "{\"a\": 30, \"b\": 30, \"c\": 30, \"d\": 30, \"e\": 30}");
    char path[128];
    for (const char *story = "abcde"; *story; ++story) {
        (void)snprintf(path, sizeof path, "stimuli/%c.wav", *story);
        (void)made_up_text(root, path, "/annex/objects/MD5E-s2097152--00.wav\n");
        (void)snprintf(path, sizeof path, "derivative/TextGrids/%c.TextGrid", *story);
        (void)made_up_text(root, path, "/annex/objects/MD5E-s100--00.TextGrid\n");
    }
    for (size_t i = 0; i < sizeof heard / sizeof *heard; ++i)
        for (const char *story = heard[i][1]; *story; ++story) {
            (void)snprintf(path, sizeof path, "derivative/preprocessed_data/%s/%c.hf5", heard[i][0], *story);
            (void)made_up_text(root, path, "/annex/objects/MD5E-s1024--00.hf5\n");
        }
    EXPECT_SAID(root, false, "subject P: 5 of 5 stories, number of voxels unknown", "(stated, no fault): d, e\n",
                "of the 3 stories of Q it has no responses to (stated, no fault): c\n",
                "has responses to the stories of R\n", "22 files were never fetched",
                "stimuli: all 5, 10.0 MiB; run:", "TextGrids: all 5, 500 bytes", "preprocessed_data/S: all 2, 2.0 KiB",
                "fresh clone/stimuli'\n");
    made_up_sound(root, "b", 20);
    EXPECT_SAID(root, false, "stimuli: 4 of 5, all but b, 8.0 MiB; run: datalad get '", "/stimuli/e.wav'\n");
}

static void test_inspect_counts(void **state)
{
    (void)state;
    const char *const root = made_up_dataset("counts");
    made_up_responses(root, "S1", "bread", 11, 7, 0);
    made_up_responses(root, "S2", "bread", 10, 8, 2);
    made_up_map(root, "derivative/ceilings", "S1", 6);
    made_up_map(root, "derivative/rois", "S2", 9);
    EXPECT_SAID(root, false, "S1/bread.hf5: /data: expected 10 rows (respdict's 30 scanner TRs minus 20), found 11",
                "S2/bread.hf5: 8 voxels where", "S2/apple.hf5 has 7", "ceilings/S1.npy: 6 voxels where",
                "rois/S2.npy: 9 voxels where", "not whole, 4 faults:");
}

static void test_inspect_no_word_tier(void **state)
{
    (void)state;
    const char *const root = made_up_dataset("tiers");
    (void)made_up_text(
        root, "derivative/TextGrids/apple.TextGrid",
        "File type = \"ooTextFile\"\nObject class = \"TextGrid\"\n\n0\n1\n<exists>\n1\n\"IntervalTier\"\n"
        "\"phone\"\n0\n1\n1\n0\n1\n\"AH0\"\n");
    EXPECT_SAID(root, false, "expected an interval tier named \"word\" or \"words\", found \"phone\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_unknown_story_names_the_nearest),
        cmocka_unit_test(test_bad_roots),
        cmocka_unit_test(test_without_responses),
        cmocka_unit_test(test_respdict_times),
        cmocka_unit_test(test_report_times),
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_inspect_whole),
        cmocka_unit_test(test_inspect_story_of_some_subjects),
        cmocka_unit_test(test_inspect_story_of_no_subject),
        cmocka_unit_test(test_inspect_story_for_pretraining),
        cmocka_unit_test(test_inspect_missing_files),
        cmocka_unit_test(test_inspect_annex_stubs),
        cmocka_unit_test(test_inspect_fresh_clone),
        cmocka_unit_test(test_inspect_counts),
        cmocka_unit_test(test_inspect_no_word_tier),
    };
    return cmocka_run_group_tests(tests, NULL, test_no_leak);
}
