/* figures: what is drawn is what the table holds; captions say what was chosen; failures name the fix. */
#include "unit/reporting/call.h"

#include "reporting/collect.h"
#include "reporting/figure.h"
#include "reporting/figures.h"
#include "reporting/selection.h"
#include "reporting/table.h"

static bt_text result;

static void make_table(const char *artefacts, const char *folder)
{
    char first[4096], second[512];
    (void)snprintf(first, sizeof first, "artefacts=%s", artefacts);
    (void)snprintf(second, sizeof second, "out=%s", test_path(test_scratch(), folder));
    char *words[] = {first, second};
    expect_ok(call_stage(&bt_collect_stage, 2, words, &result));
}

static bt_status draw(const char *results, const char *out)
{
    char first[512], second[512];
    (void)snprintf(first, sizeof first, "results=%s", test_path(test_scratch(), results));
    (void)snprintf(second, sizeof second, "out=%s", out);
    char *words[] = {first, second};
    return call_stage(&bt_figures_stage, 2, words, &result);
}

static char *read_text(const char *folder, const char *name)
{
    char *text = NULL;
    size_t size = 0;
    expect_ok(bt_path_read(test_path(folder, name), &text, &size));
    return text;
}

static void expect_image(const char *folder, const char *name, const char *signature)
{
    char *const bytes = read_text(folder, name);
    assert_memory_equal(bytes, signature, strlen(signature));
    bt_free(bytes);
}

static void figures_come_out(void **state)
{
    (void)state;
    const char *const kept = getenv("BRAINTUNE_KEEP_FIGURES"); /* to open them and look */
    const char *const out = kept ? kept : test_path(test_scratch(), "figures");
    make_table(test_file("golden/reporting"), "results");
    expect_ok(draw("results", out));
    assert_non_null(strstr(result.data, "alignment_by_roi.pdf"));
    assert_non_null(strstr(result.data, "alignment_by_layer.pdf"));
    expect_image(out, "alignment_by_roi.pdf", "%PDF");
    expect_image(out, "alignment_by_layer.pdf", "%PDF");
    expect_image(out, "alignment_by_roi.png", "\211PNG");
    expect_image(out, "alignment_by_layer.png", "\211PNG");
    bt_names names = {0};
    expect_ok(bt_path_list(out, &names));
    if (!kept) assert_int_equal(names.n, 8);
    bt_names_clear(&names);
    char *const caption = read_text(out, "alignment_by_roi.txt");
    static const char *const wanted[] = {"tiny-wav2vec2 (untrained), mean of each voxel's r over layers 3-4",
                                         "control: envelope+word_rate",
                                         "2 subjects (S01, S02)",
                                         "over voxels",
                                         "cc_max",
                                         "above 0"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; ++i) {
        if (!strstr(caption, wanted[i])) print_error("caption lacks \"%s\":\n%s\n", wanted[i], caption);
        assert_non_null(strstr(caption, wanted[i]));
    }
    bt_free(caption);
}

/* Every bar is the mean over subjects of the table's rows; every subject's point is the table's row. */
static void drawn_numbers_are_the_tables(void **state)
{
    (void)state;
    bt_table table, drawn;
    size_t n_point = 0;
    make_table(test_file("golden/reporting"), "numbers");
    expect_ok(draw("numbers", test_path(test_scratch(), "numbers/figures")));
    expect_ok(bt_table_read(test_path(test_scratch(), "numbers/table.csv"), &table));
    expect_ok(bt_table_read(test_path(test_scratch(), "numbers/figures/alignment_by_roi.csv"), &drawn));
    for (size_t row = 0; row < drawn.n_row; ++row) {
        if (strcmp(bt_table_cell(&drawn, row, "kind"), "subject") != 0) continue;
        const bool control = bt_starts_with(bt_table_cell(&drawn, row, "series"), "control");
        double found = NAN;
        for (size_t at = 0; at < table.n_row; ++at)
            if (!strcmp(bt_table_cell(&table, at, "metric"), "r") &&
                !strcmp(bt_table_cell(&table, at, "layer"), control ? "" : "mean:3-4") &&
                !strcmp(bt_table_cell(&table, at, "roi"), bt_table_cell(&drawn, row, "roi")) &&
                !strcmp(bt_table_cell(&table, at, "subject"), bt_table_cell(&drawn, row, "subject")))
                found = bt_table_number(&table, at, "value");
        expect_near(bt_table_number(&drawn, row, "r"), found, 1e-9);
        ++n_point;
    }
    assert_int_equal(n_point, 2 * 2 * 4); /* subjects, series, ROIs without "all" */
    bt_table_clear(&table);
    bt_table_clear(&drawn);
}

static void intervals_follow_the_subjects(void **state)
{
    (void)state;
    bt_table table;
    bt_selection selection;
    bt_text text = {0};
    expect_ok(bt_table_add_row(&text, bt_table_columns, bt_table_columns_count));
    static const double values[] = {0.1, 0.2, 0.3, 0.4, 0.5};
    for (int i = 0; i < 5; ++i)
        expect_ok(bt_text_add(&text,
                              "e,p,encode,f,m,brain,,,S%d,,,1,volume,A,both,none,,test,r,%g,0.01,%g,%g,10,0,,d%d\n", i,
                              values[i], values[i] - 0.02, values[i] + 0.02, i));
    expect_ok(bt_table_read(test_write_text("five.csv", text.data), &table));
    expect_ok(bt_selection_create(&table, "five.csv", &selection));
    const bt_cell five = bt_selection_cell(&selection, selection.series, NULL, "A", "1");
    assert_true(five.over_subjects && five.n_subject == 5);
    expect_near(five.value, 0.3, 1e-12);
    expect_near(five.high - five.value, 2.776 * sqrt(0.025 / 5), 1e-9); /* t, 4 degrees of freedom */
    assert_int_equal(selection.series[0].colour, 0xD55E00);
    bt_selection_clear(&selection);
    bt_table_clear(&table);
    char *const end = strstr(text.data, "e,p,encode,f,m,brain,,,S2");
    *end = '\0'; /* two subjects */
    expect_ok(bt_table_read(test_write_text("two.csv", text.data), &table));
    expect_ok(bt_selection_create(&table, "two.csv", &selection));
    const bt_cell two = bt_selection_cell(&selection, selection.series, NULL, "A", "1");
    assert_false(two.over_subjects);
    expect_near(two.high - two.value, sqrt(2 * 0.02 * 0.02) / 2, 1e-12);
    bt_selection_clear(&selection);
    bt_table_clear(&table);
    bt_text_clear(&text);
}

static void failures_name_the_fix(void **state)
{
    (void)state;
    make_table(test_file("golden/reporting/scores_S01.h5"), "one");
    const char *const out = test_path(test_scratch(), "one/figures");
    expect_failure(draw("nowhere", out), BT_ERR_INPUT, "braintune collect");
    char *const path = bt_strdup(getenv("PATH") ? getenv("PATH") : "");
    (void)setenv("PATH", "/nowhere", 1);
    expect_failure(draw("one", out), BT_ERR_FILE, "gnuplot-nox");
    (void)setenv("PATH", path, 1);
    bt_free(path);
    assert_true(bt_path_exists(test_path(out, "alignment_by_roi.csv"))); /* the numbers are there all the same */
    (void)setenv("BRAINTUNE_ANALYSIS", test_scratch(), 1);
    expect_failure(draw("one", out), BT_ERR_FILE, "BRAINTUNE_ANALYSIS");
    (void)test_write_text("alignment_by_roi.gp", "plot nonsense(\n");
    expect_failure(draw("one", out), BT_ERR_FILE, "gnuplot failed");
    (void)unsetenv("BRAINTUNE_ANALYSIS");
    bt_names names = {0};
    expect_ok(bt_path_list(out, &names));
    for (size_t i = 0; i < names.n; ++i) assert_true(names.items[i][0] != '.');
    bt_names_clear(&names);
}

/* Many ROIs with long names, several models: wide figure, nothing may fail. To be looked at. */
static void big_tables_are_drawn(void **state)
{
    (void)state;
    static const char *const rois[] = {"primary_auditory", "early_auditory",  "late_language", "inferior_frontal_gyrus",
                                       "angular_gyrus",    "middle_temporal", "precuneus",     "null"};
    static const char *const objectives[] = {"pretrained", "brain", "random"};
    static const char *const models[] = {"wav2vec2-base", "hubert-base-ls960"};
    bt_text text = {0};
    expect_ok(bt_table_add_row(&text, bt_table_columns, bt_table_columns_count));
    for (int s = 0; s < 8; ++s)
        for (int m = 0; m < 2; ++m)
            for (int o = 0; o < 3; ++o)
                for (int roi = 0; roi < 8; ++roi)
                    for (int layer = 0; layer <= 13; ++layer) {
                        const double value = 0.3 * exp(-0.02 * (layer - roi - o) * (layer - roi - o)) + 0.01 * s - 0.02;
                        char name[16];
                        (void)snprintf(name, sizeof name, layer == 13 ? "mean:7-12" : "%d", layer);
                        expect_ok(bt_text_add(
                            &text,
                            "e,p,encode,f,%s,%s,,,UTS0%d,,,%s,volume,%s,both,none,,test,r,%g,0.01,%g,%g,100,0,,d\n",
                            models[m], objectives[o], s + 1, name, rois[roi], value, value - 0.02, value + 0.02));
                    }
    for (int roi = 0; roi < 8; ++roi)
        expect_ok(bt_text_add(&text, "e,p,encode,f,,,,,UTS01,,,,volume,%s,both,none,,test,cc_max,%g,0,,,100,0,,d\n",
                              rois[roi], 0.4 + 0.02 * roi));
    expect_ok(bt_path_make(test_path(test_scratch(), "big")));
    (void)test_write_text("big/table.csv", text.data);
    const char *const kept = getenv("BRAINTUNE_KEEP_FIGURES");
    expect_ok(draw("big", kept ? test_path(kept, "big") : test_path(test_scratch(), "big/figures")));
    bt_text_clear(&text);
}

static int end(void **state)
{
    bt_text_clear(&result);
    return test_no_leak(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_come_out),
        cmocka_unit_test(drawn_numbers_are_the_tables),
        cmocka_unit_test(intervals_follow_the_subjects),
        cmocka_unit_test(failures_name_the_fix),
        cmocka_unit_test(big_tables_are_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
