/* figures: what is drawn is what the table holds; captions say what was chosen; failures name the fix. */
#include "unit/reporting/call.h"
#include "unit/reporting/makers.h"

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
    static const char *const wanted[] = {"tiny-wav2vec2: mean of each voxel's r over layers 3-4",
                                         "untrained; control: envelope+word_rate",
                                         "n = 2 subjects (S01, S02)",
                                         "Voxels per subject (dropped): primary_auditory",
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

/* `n` subjects of one series, 0.1 apart, in a selection; the caller clears both. */
static void select_subjects(size_t n, bt_table *table, bt_selection *selection)
{
    static const char *const subjects[] = {"S0", "S1", "S2", "S3", "S4"};
    bt_text text = {0};
    const bt_query query = {0};
    for (size_t i = 0; i < n; ++i) {
        const made what = {.objective = "brain", .tuned_subject = subjects[i], .subject = subjects[i]};
        add_made_row(&text, &what, "r", "A", "1", 0.1 * (double)(i + 1));
    }
    read_made_table(&text, "subjects", table);
    expect_ok(bt_selection_create(table, "subjects", &query, selection));
    bt_text_clear(&text);
}

static void intervals_follow_the_subjects(void **state)
{
    (void)state;
    bt_table table;
    bt_selection selection;
    select_subjects(5, &table, &selection);
    const bt_cell five = bt_selection_cell(&selection, 0, BT_ALL, 0, "1");
    assert_true(five.over_subjects && five.n_subject == 5);
    expect_near(five.value, 0.3, 1e-12);
    expect_near(five.high - five.value, 2.7764451 * sqrt(0.025 / 5), 1e-7); /* t, 4 degrees of freedom */
    assert_int_equal(selection.series[0].colour, 0xD55E00);
    bt_selection_clear(&selection);
    bt_table_clear(&table);
    select_subjects(2, &table, &selection);
    const bt_cell two = bt_selection_cell(&selection, 0, BT_ALL, 0, "1");
    assert_false(two.over_subjects);
    expect_near(two.high - two.value, sqrt(2 * 0.01 * 0.01) / 2, 1e-9);
    bt_selection_clear(&selection);
    bt_table_clear(&table);
}

static double value_of(size_t subject, size_t objective, size_t layer)
{
    return 0.1 + 0.02 * (double)subject + 0.03 * (double)(objective == 1) + 0.001 * (double)(subject * objective) -
           0.01 * (double)layer;
}

/* 8 subjects, three objectives, two ROIs; the random models failed in all but S1, the tuning of S2 too. */
static void make_objectives(const char *folder)
{
    static const char *const objectives[] = {"pretrained", "brain", "random"}, *const rois[] = {"A_b", "C"};
    static const char *const layers[] = {"0", "1", "2", "mean:2-2"};
    static const char *const subjects[] = {"S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8"};
    bt_text text = {0};
    bt_table table;
    for (size_t s = 0; s < 8; ++s)
        for (size_t o = 0; o < 3; ++o) {
            const made what = {.objective = objectives[o],
                               .tuned_subject = o ? subjects[s] : NULL,
                               .subject = subjects[s],
                               .seed = o ? "0" : NULL};
            if (o == 2) {
                expect_ok(bt_text_add(&text, ",,encode,,m,random,,%s,%s,0,,,,,,,,,missing,,,,,,,,,,,\n", subjects[s],
                                      subjects[s]));
                continue;
            }
            for (size_t roi = 0; roi < 2; ++roi)
                for (size_t layer = 0; layer < 4; ++layer)
                    add_made_row(&text, &what, "r", rois[roi], layers[layer], value_of(s, o, layer < 2 ? layer : 2));
        }
    read_made_table(&text, folder, &table);
    bt_table_clear(&table);
    bt_text_clear(&text);
}

static size_t count_kind(const bt_table *drawn, const char *kind)
{
    size_t n = 0;
    for (size_t row = 0; row < drawn->n_row; ++row) n += !strcmp(bt_table_cell(drawn, row, "kind"), kind);
    return n;
}

static void expect_words(const char *text, const char *const *wanted, size_t n)
{
    for (size_t i = 0; i < n; ++i) {
        const bool there = strstr(text, wanted[i]) != NULL;
        if (!there) print_error("no \"%s\" in:\n%s\n", wanted[i], text);
        assert_true(there);
    }
}

/* Pairs join a subject's own values; stars where the test says so; what failed is hatched and listed. */
static void objectives_are_paired(void **state)
{
    (void)state;
    bt_table drawn;
    make_objectives("objectives");
    const char *const kept = getenv("BRAINTUNE_KEEP_FIGURES");
    const char *const out = kept ? test_path(kept, "objectives") : test_path(test_scratch(), "objectives/figures");
    expect_ok(draw("objectives", out));
    expect_ok(bt_table_read(test_path(out, "alignment_by_roi.csv"), &drawn));
    assert_int_equal(count_kind(&drawn, "bar"), 2 * 2);
    assert_int_equal(count_kind(&drawn, "missing"), 2);
    assert_int_equal(count_kind(&drawn, "subject"), 2 * 2 * 8);
    assert_int_equal(count_kind(&drawn, "pair"), 2 * 8);
    assert_int_equal(count_kind(&drawn, "star"), 2);
    for (size_t row = 0; row < drawn.n_row; ++row) {
        if (strcmp(bt_table_cell(&drawn, row, "kind"), "pair") != 0) continue;
        const size_t s = (size_t)(bt_table_cell(&drawn, row, "subject")[1] - '1');
        expect_near(bt_table_number(&drawn, row, "r"), value_of(s, 0, 2), 1e-9);
        expect_near(bt_table_number(&drawn, row, "r_to"), value_of(s, 1, 2), 1e-9);
        assert_true(bt_table_number(&drawn, row, "x_to") > bt_table_number(&drawn, row, "x"));
    }
    bt_table_clear(&drawn);
    char *const caption = read_text(out, "alignment_by_roi.txt");
    static const char *const wanted[] = {"pretrained; brain; random",
                                         "Hatched",
                                         "m (random): S1 seed 0, S2 seed 0",
                                         "m (random) in A_b",
                                         "over up to 8 subjects",
                                         "(2)",
                                         "A_b 20 (4), C 20 (4)"};
    expect_words(caption, wanted, sizeof wanted / sizeof *wanted);
    bt_free(caption);
    expect_ok(bt_table_read(test_path(out, "alignment_by_roi.tests.csv"), &drawn));
    assert_int_equal(drawn.n_row, 2);
    expect_near(bt_table_number(&drawn, 0, "p_holm"), 2 * 0.0078125, 1e-12);
    bt_table_clear(&drawn);
    expect_ok(bt_table_read(test_path(out, "alignment_by_layer.csv"), &drawn));
    assert_int_equal(count_kind(&drawn, "line"), 2 * 2 * 3);
    assert_int_equal(count_kind(&drawn, "subject"), 0); /* intervals instead */
    bt_table_clear(&drawn);
}

static void losses_are_the_tables(void **state)
{
    (void)state;
    const made first = {.objective = "brain", .tuned_subject = "S1", .seed = "0"};
    const made second = {.objective = "brain", .tuned_subject = "S2", .seed = "0"};
    const made control = {.objective = "random", .tuned_subject = "S1", .seed = "0"};
    bt_table drawn;
    (void)make_tuning("runs/a", &first, 0, 3);
    (void)make_tuning("runs/b", &second, 0.2, 2);
    (void)make_tuning("runs/c", &control, 0.1, 3);
    make_table(test_path(test_scratch(), "runs"), "losses");
    const char *const out = test_path(test_scratch(), "losses/figures");
    expect_ok(draw("losses", out)); /* without any score */
    assert_non_null(strstr(result.data, "alignment_by_roi: not drawn"));
    expect_image(out, "losses.pdf", "%PDF");
    expect_ok(bt_table_read(test_path(out, "losses.csv"), &drawn));
    assert_int_equal(count_kind(&drawn, "run"), 3 * (3 + 2 + 3));
    assert_int_equal(count_kind(&drawn, "best"), 3 * 2);
    assert_int_equal(count_kind(&drawn, "mean"), 3 * 2); /* of the series of two, while both go on */
    for (size_t row = 0; row < drawn.n_row; ++row)
        if (!strcmp(bt_table_cell(&drawn, row, "kind"), "mean") &&
            !strcmp(bt_table_cell(&drawn, row, "curve"), "validate"))
            expect_near(bt_table_number(&drawn, row, "value"), 1.1 - 0.1 * bt_table_number(&drawn, row, "epoch"), 1e-8);
    bt_table_clear(&drawn);
    char *const caption = read_text(out, "losses.txt");
    static const char *const wanted[] = {"2 of m (brain), subjects S1, S2, seeds 0", "1 of m (random), subjects S1",
                                         "tuned on one,two and validated on three"};
    expect_words(caption, wanted, sizeof wanted / sizeof *wanted);
    bt_free(caption);
}

static void settings_choose_what_is_drawn(void **state)
{
    (void)state;
    bt_table drawn;
    char results[512], out[512];
    make_objectives("chosen");
    (void)snprintf(results, sizeof results, "results=%s", test_path(test_scratch(), "chosen"));
    (void)snprintf(out, sizeof out, "out=%s", test_path(test_scratch(), "chosen/figures"));
    char one[] = "draw=alignment_by_roi", roi[] = "regions=C", models[] = "models=pretrained,brain",
         last[] = "layers=0";
    char *words[] = {results, out, one, roi, models, last};
    expect_ok(call_stage(&bt_figures_stage, 6, words, &result));
    expect_ok(bt_table_read(test_path(test_scratch(), "chosen/figures/alignment_by_roi.csv"), &drawn));
    assert_int_equal(count_kind(&drawn, "bar"), 2);
    assert_int_equal(count_kind(&drawn, "missing"), 0);
    assert_true(bt_table_has(&drawn, "layer", "0") && !bt_table_has(&drawn, "roi", "A_b"));
    bt_table_clear(&drawn);
    assert_false(bt_path_exists(test_path(test_scratch(), "chosen/figures/alignment_by_layer.csv")));
    char slip[] = "draw=alignment_by_rio", nowhere[] = "regions=D";
    words[2] = slip;
    expect_failure(call_stage(&bt_figures_stage, 3, words, &result), BT_ERR_USAGE, "alignment_by_roi");
    words[2] = nowhere;
    expect_failure(call_stage(&bt_figures_stage, 3, words, &result), BT_ERR_INPUT, "there are: A_b, C");
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
    static const char *const subjects[] = {"S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8"};
    bt_text text = {0};
    bt_table table;
    char name[16];
    for (int s = 0; s < 8; ++s)
        for (int m = 0; m < 2; ++m)
            for (int o = 0; o < 3; ++o)
                for (int roi = 0; roi < 8; ++roi)
                    for (int layer = 0; layer <= 13; layer += layer < 12 ? 3 : 1) {
                        const made what = {.model = models[m], .objective = objectives[o], .subject = subjects[s]};
                        const double value = 0.3 * exp(-0.02 * (layer - roi - o) * (layer - roi - o)) + 0.01 * s - 0.02;
                        (void)snprintf(name, sizeof name, layer == 13 ? "mean:7-12" : "%d", layer);
                        add_made_row(&text, &what, "r", rois[roi], name, value);
                    }
    for (int roi = 0; roi < 8; ++roi) {
        const made what = {.subject = "S1"};
        add_made_row(&text, &what, "cc_max", rois[roi], "", 0.4 + 0.02 * roi);
    }
    read_made_table(&text, "big", &table);
    const char *const kept = getenv("BRAINTUNE_KEEP_FIGURES");
    expect_ok(draw("big", kept ? test_path(kept, "big") : test_path(test_scratch(), "big/figures")));
    bt_table_clear(&table);
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
        cmocka_unit_test(objectives_are_paired),
        cmocka_unit_test(losses_are_the_tables),
        cmocka_unit_test(settings_choose_what_is_drawn),
        cmocka_unit_test(failures_name_the_fix),
        cmocka_unit_test(big_tables_are_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
