/* Pairs, tests and intervals between objectives: who is paired with whom, and what tests.csv says of it. */
#include "unit/reporting/makers.h"

#include "reporting/paired_tests.h"
#include "reporting/tests_table.h"

static const char *const subjects[] = {"S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8"};
static const char *const seeds[] = {"0", "1", "2"};
static const char layer[] = "mean:1-2";

static double base_of(size_t subject)
{
    return 0.2 + 0.1 * (double)subject;
}

/* What brain-tuning adds. */
static double gain_of(size_t subject, size_t seed)
{
    return 0.05 + 0.01 * (double)seed + 0.002 * (double)subject;
}

static void add(bt_text *table, const char *objective, size_t subject, const char *seed, const char *roi, double value)
{
    const made what = {.objective = objective,
                       .subject = subjects[subject],
                       .tuned_subject = strcmp(objective, "pretrained") ? subjects[subject] : NULL,
                       .seed = seed};
    add_made_row(table, &what, "r", roi, layer, value);
}

/* Two subjects, three seeds; the random model of S2 under seed 2 is missing. */
static void make_world(bt_text *table)
{
    for (size_t s = 0; s < 2; ++s) {
        add(table, "pretrained", s, NULL, "language", base_of(s));
        for (size_t k = 0; k < 3; ++k) {
            add(table, "brain", s, seeds[k], "language", base_of(s) + gain_of(s, k));
            if (s == 0 || k < 2) add(table, "random", s, seeds[k], "language", base_of(s) + 0.001 * (double)k);
        }
    }
}

typedef struct {
    bt_table table;
    bt_selection selection;
    bt_tests tests;
} result;

static void start(const bt_text *text, result *out)
{
    const bt_query query = {0};
    read_made_table(text, "world", &out->table);
    expect_ok(bt_selection_create(&out->table, "world", &query, &out->selection));
    expect_ok(bt_tests_create(&out->selection, &out->tests));
}

static void stop(result *out, bt_text *text)
{
    bt_tests_clear(&out->tests);
    bt_selection_clear(&out->selection);
    bt_table_clear(&out->table);
    bt_text_clear(text);
}

/* The test of `a` against `b`, by their names, in the first ROI. */
static const bt_test *find(const result *all, const char *a, const char *b, bt_test_kind kind, size_t seed)
{
    for (size_t i = 0; i < all->tests.n; ++i) {
        const bt_test *const test = &all->tests.items[i];
        if (test->kind == kind && test->seed == seed && !strcmp(all->selection.series[test->of.a].what, a) &&
            !strcmp(all->selection.series[test->of.b].what, b))
            return test;
    }
    return NULL;
}

static void expect_mean(const bt_test *test, const double *difference, size_t n)
{
    const bt_interval wanted = bt_mean_interval(difference, n);
    assert_non_null(test);
    assert_int_equal(test->n_pair, n);
    expect_near(test->estimate.value, wanted.value, 1e-9);

    if (n < 2) return;
    expect_near(test->estimate.low, wanted.low, 1e-9);
    expect_near(test->estimate.high, wanted.high, 1e-9);
}

static void intervals_are_over_seeds_and_subjects(void **state)
{
    (void)state;
    bt_text text = {0};
    result all = {0};
    double brain[6], control[5], random[5];
    size_t n = 0, m = 0;
    make_world(&text);
    start(&text, &all);
    for (size_t k = 0; k < 3; ++k)
        for (size_t s = 0; s < 2; ++s) {
            brain[n++] = gain_of(s, k);
            if (s == 1 && k == 2) continue;
            control[m] = gain_of(s, k) - 0.001 * (double)k;
            random[m++] = 0.001 * (double)k;
        }
    expect_mean(find(&all, "brain", "pretrained", BT_TEST_PAIRED_T, BT_ALL), brain, 6);
    expect_mean(find(&all, "brain", "random", BT_TEST_PAIRED_T, BT_ALL), control, 5);
    expect_mean(find(&all, "random", "pretrained", BT_TEST_PAIRED_T, BT_ALL), random, 5);
    const bt_test *const pooled = find(&all, "brain", "pretrained", BT_TEST_PAIRED_T, BT_ALL);
    assert_true(pooled->n_seed == 3 && pooled->n_subject == 2);
    expect_near(bt_student_p(pooled->statistic, 5), pooled->p, 1e-12);
    for (size_t k = 0; k < 3; ++k) { /* "" sorts behind the numbers */
        assert_string_equal(all.selection.seeds.items[k], seeds[k]);
        expect_mean(find(&all, "brain", "pretrained", BT_TEST_PAIRED_T, k), brain + 2 * k, 2);
    }
    expect_mean(find(&all, "brain", "random", BT_TEST_PAIRED_T, 2), control + 4, 1);
    stop(&all, &text);
}

static void tests_are_over_subjects(void **state)
{
    (void)state;
    bt_text text = {0};
    result all = {0};
    make_world(&text);
    start(&text, &all);
    const bt_test *const test = find(&all, "brain", "pretrained", BT_TEST_WILCOXON, BT_ALL);
    assert_non_null(test);
    assert_int_equal(test->n_pair, 2); /* seeds averaged first */
    expect_near(test->p, 0.5, 1e-12);
    expect_near(test->median, (gain_of(0, 1) + gain_of(1, 1)) / 2, 1e-9);
    assert_true(bt_test_is_hopeless(test));
    const bt_test *const gain = find(&all, "brain", "pretrained", BT_TEST_PERCENT_GAIN, BT_ALL);
    expect_near(gain->estimate.value, 100 * (gain_of(0, 1) + gain_of(1, 1)) / (base_of(0) + base_of(1)), 1e-9);
    const bt_test *const mean = find(&all, "brain", "pretrained", BT_TEST_MEAN_PERCENT, BT_ALL);
    expect_near(mean->estimate.value, 50 * (gain_of(0, 1) / base_of(0) + gain_of(1, 1) / base_of(1)), 1e-9);
    assert_null(find(&all, "brain", "random", BT_TEST_PERCENT_GAIN, BT_ALL)); /* random is no base */
    stop(&all, &text);
}

/* A model tuned on S1 that predicts S2 is another series; its rows enter no other. */
static void other_subjects_models_stay_apart(void **state)
{
    (void)state;
    bt_text text = {0};
    result all = {0};
    const made transfer = {.objective = "brain", .tuned_subject = "S1", .subject = "S2", .seed = "0"};
    const made joint = {.objective = "brain", .tuned_subject = "S1+S2", .subject = "S2", .seed = "0"};
    make_world(&text);
    add_made_row(&text, &transfer, "r", "language", layer, 0.9);
    add_made_row(&text, &joint, "r", "language", layer, 0.8);
    start(&text, &all);
    const bt_test *const own = find(&all, "brain", "pretrained", BT_TEST_WILCOXON, BT_ALL);
    expect_near(own->median, (gain_of(0, 1) + gain_of(1, 1)) / 2, 1e-9);
    const bt_test *const other = find(&all, "brain, tuned on other subjects", "pretrained", BT_TEST_PAIRED_T, BT_ALL);
    assert_non_null(other);
    expect_near(other->estimate.value, 0.9 - base_of(1), 1e-9);
    assert_non_null(find(&all, "brain, tuned on all subjects", "pretrained", BT_TEST_PAIRED_T, BT_ALL));
    assert_null(find(&all, "brain, tuned on other subjects", "random", BT_TEST_PAIRED_T, BT_ALL));
    stop(&all, &text);
}

/* A base with seeds of its own: equal ones are paired; under others its mean counts. */
static void bases_may_have_seeds(void **state)
{
    (void)state;
    bt_text text = {0};
    result all = {0};
    const double wanted[] = {0.5 - 0.1, 0.6 - 0.3, 0.7 - 0.2};
    add(&text, "pretrained", 0, "0", "language", 0.1);
    add(&text, "pretrained", 0, "1", "language", 0.3);
    for (size_t k = 0; k < 3; ++k) add(&text, "brain", 0, seeds[k], "language", 0.5 + 0.1 * (double)k);
    start(&text, &all);
    expect_mean(find(&all, "brain", "pretrained", BT_TEST_PAIRED_T, BT_ALL), wanted, 3);
    stop(&all, &text);
}

/* 8 subjects, all up: p = 2/256 in both ROIs, twice that after Holm; with 7 ROIs nothing could be significant. */
static void holm_is_over_rois_and_models(void **state)
{
    (void)state;
    static const char *const rois[] = {"a", "b", "c", "d", "e", "f", "g"};
    for (size_t n_roi = 2; n_roi <= 7; n_roi += 5) {
        bt_text text = {0};
        result all = {0};
        for (size_t s = 0; s < 8; ++s)
            for (size_t roi = 0; roi < n_roi; ++roi) {
                add(&text, "pretrained", s, NULL, rois[roi], base_of(s));
                add(&text, "brain", s, "0", rois[roi], base_of(s) + gain_of(s, 0));
            }
        start(&text, &all);
        const bt_test *const test = find(&all, "brain", "pretrained", BT_TEST_WILCOXON, BT_ALL);
        expect_near(test->p, 0.0078125, 1e-12);
        expect_near(test->p_holm, 0.0078125 * (double)n_roi, 1e-12);
        assert_int_equal(test->holm_size, n_roi);
        assert_true(bt_test_is_hopeless(test) == (n_roi == 7));
        stop(&all, &text);
    }
}

/* What is not significant could have been: that is said by the number of pairs alone. */
static void hope_is_not_outcome(void **state)
{
    (void)state;
    bt_text text = {0};
    result all = {0};
    for (size_t s = 0; s < 8; ++s) {
        add(&text, "pretrained", s, NULL, "language", 0.2);
        add(&text, "brain", s, "0", "language", 0.2 + 0.01 * (double)(s + 1) * (s % 2 ? 1 : -1));
    }
    start(&text, &all);
    const bt_test *const test = find(&all, "brain", "pretrained", BT_TEST_WILCOXON, BT_ALL);
    assert_true(test->p_holm > 0.05 && !bt_test_is_hopeless(test));
    stop(&all, &text);
}

static void tables_of_tests_are_tidy(void **state)
{
    (void)state;
    bt_text text = {0}, rows = {0};
    result all = {0};
    bt_table tests;
    static const char *const columns[] = {"figure",    "a",      "b",      "family",    "roi",
                                          "layer",     "task",   "metric", "n_pair",    "test",
                                          "statistic", "p",      "p_holm", "holm_size", "median_difference",
                                          "ci_low",    "ci_high"};
    make_world(&text);
    start(&text, &all);
    expect_ok(bt_tests_write(test_path(test_scratch(), "world")));
    expect_ok(bt_table_read(test_path(test_scratch(), "world/tests.csv"), &tests));
    for (size_t i = 0; i < sizeof columns / sizeof *columns; ++i)
        assert_string_equal(tests.columns.items[i], columns[i]);
    assert_int_equal(tests.n_row, all.tests.n);
    const bt_test *const pooled = find(&all, "brain", "pretrained", BT_TEST_PAIRED_T, BT_ALL);
    size_t n_found = 0;
    for (size_t row = 0; row < tests.n_row; ++row) {
        if (strcmp(bt_table_cell(&tests, row, "test"), "wilcoxon") == 0)
            assert_string_equal(bt_table_cell(&tests, row, "remark"), "cannot be significant at this n");
        if (strcmp(bt_table_cell(&tests, row, "test"), "paired_t") != 0 || *bt_table_cell(&tests, row, "seed") ||
            strcmp(bt_table_cell(&tests, row, "b"), "pretrained") != 0 ||
            strcmp(bt_table_cell(&tests, row, "a"), "brain") != 0)
            continue;
        ++n_found;
        assert_string_equal(bt_table_cell(&tests, row, "layer"), layer);
        expect_near(bt_table_number(&tests, row, "estimate"), pooled->estimate.value, 1e-8);
        expect_near(bt_table_number(&tests, row, "ci_low"), pooled->estimate.low, 1e-8);
        assert_true(bt_table_number(&tests, row, "n_pair") == 6 && bt_table_number(&tests, row, "n_seed") == 3);
    }
    assert_int_equal(n_found, 1);
    expect_ok(bt_tests_text(&all.selection, &all.tests, BT_TEST_WILCOXON, &rows));
    assert_null(strstr(rows.data, "paired_t,"));
    bt_text_clear(&rows);
    bt_table_clear(&tests);
    stop(&all, &text);
}

static const bt_series *series_of(const bt_selection *selection, const char *what)
{
    for (size_t i = 0; i < selection->n_series; ++i)
        if (!strcmp(selection->series[i].what, what)) return &selection->series[i];
    print_error("no series %s\n", what);
    return NULL;
}

/* Names hold what sets series apart, and nothing else; each objective has one colour. */
static void series_are_told_apart(void **state)
{
    (void)state;
    bt_text text = {0};
    result all = {0};
    const made several[] = {
        {.objective = "pretrained", .origin = "simulated pre-training", .set = "pretrained"},
        {.objective = "brain", .tuned_subject = "S1", .set = "brain", .epoch = "best"},
        {.objective = "brain", .tuned_subject = "S1", .set = "one-roi", .epoch = "best"},
        {.objective = "brain", .tuned_subject = "S1", .set = "brain", .epoch = "5"},
        {.objective = "file", .target = "gpt2.h5", .set = "lm"},
        {.objective = "file", .target = "llama.h5", .set = "lm"},
    };
    for (size_t i = 0; i < sizeof several / sizeof *several; ++i) {
        made what = several[i];
        what.subject = "S1";
        what.seed = "0";
        add_made_row(&text, &what, "r", "language", layer, 0.1);
    }
    start(&text, &all);
    assert_int_equal(all.selection.n_series, 6);
    assert_true(series_of(&all.selection, "simulated pre-training")->is_base);
    assert_non_null(series_of(&all.selection, "brain, epoch best"));
    assert_non_null(series_of(&all.selection, "brain, set one-roi, epoch best"));
    assert_non_null(series_of(&all.selection, "brain, epoch 5"));
    assert_non_null(series_of(&all.selection, "file, target gpt2.h5"));
    for (size_t i = 0; i < all.selection.n_series; ++i)
        for (size_t j = 0; j < i; ++j)
            assert_true((all.selection.series[i].colour == all.selection.series[j].colour) ==
                        !strcmp(all.selection.series[i].key.objective, all.selection.series[j].key.objective));
    stop(&all, &text);
}

static void queries_choose_rows(void **state)
{
    (void)state;
    bt_text text = {0};
    bt_table table;
    bt_selection selection;
    const made first = {.objective = "brain", .subject = "S1", .entry = "encode.a;encode.b", .set = "brain"};
    const made second = {.objective = "brain", .subject = "S1", .entry = "encode.b", .set = "one-roi"};
    char *entry[] = {(char *)(uintptr_t) "encode.a"}, *set[] = {(char *)(uintptr_t) "one-roi"};
    char *rois[] = {(char *)(uintptr_t) "B", (char *)(uintptr_t) "A"}, *nobody[] = {(char *)(uintptr_t) "nobody"};
    const bt_names entries = {.n = 1, .items = entry}, sets = {.n = 1, .items = set}, regions = {.n = 2, .items = rois};
    const bt_names unknown = {.n = 1, .items = nobody};
    static const char *const all_rois[] = {"A", "B", "C"}, *const layers[] = {"0", "1", "mean:1-1"};
    for (size_t roi = 0; roi < 3; ++roi)
        for (size_t l = 0; l < 3; ++l) {
            add_made_row(&text, &first, "r", all_rois[roi], layers[l], 0.1 * (double)l);
            add_made_row(&text, &second, "r", all_rois[roi], layers[l], 0.2 * (double)l);
        }
    read_made_table(&text, "queries", &table);
    bt_query query = {.entries = &entries, .regions = &regions, .layers = "last"};
    expect_ok(bt_selection_create(&table, "t", &query, &selection));
    assert_int_equal(selection.n_series, 1);
    assert_true(selection.rois.n == 2 && !strcmp(selection.rois.items[0], "B"));
    assert_string_equal(selection.series[0].layer, "1");
    expect_near(bt_selection_cell(&selection, 0, BT_ALL, 0, "1").value, 0.1, 1e-12);
    bt_selection_clear(&selection);
    query = (bt_query){.models = &sets};
    expect_ok(bt_selection_create(&table, "t", &query, &selection));
    assert_int_equal(selection.n_series, 1);
    assert_string_equal(selection.series[0].layer, "mean:1-1");
    expect_near(bt_selection_cell(&selection, 0, BT_ALL, 0, "1").value, 0.2, 1e-12);
    bt_selection_clear(&selection);
    query = (bt_query){.models = &unknown};
    expect_failure(bt_selection_create(&table, "t", &query, &selection), BT_ERR_INPUT,
                   "models: nothing there is called nobody");
    query = (bt_query){.entries = &unknown};
    expect_failure(bt_selection_create(&table, "t", &query, &selection), BT_ERR_INPUT, "encode.a;encode.b, encode.b");
    query = (bt_query){.regions = &unknown};
    expect_failure(bt_selection_create(&table, "t", &query, &selection), BT_ERR_INPUT, "there are: A, B, C");
    query = (bt_query){.metric = "r_norm"};
    expect_failure(bt_selection_create(&table, "t", &query, &selection), BT_ERR_INPUT, "rows of metric r_norm");
    bt_table_clear(&table);
    bt_text_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_are_over_seeds_and_subjects),
        cmocka_unit_test(tests_are_over_subjects),
        cmocka_unit_test(other_subjects_models_stay_apart),
        cmocka_unit_test(bases_may_have_seeds),
        cmocka_unit_test(holm_is_over_rois_and_models),
        cmocka_unit_test(hope_is_not_outcome),
        cmocka_unit_test(tables_of_tests_are_tidy),
        cmocka_unit_test(series_are_told_apart),
        cmocka_unit_test(queries_choose_rows),
    };
    return cmocka_run_group_tests(tests, NULL, test_no_leak);
}
