/* ROIs of groups of labels by the three rules, against numpy (tests/parity/golden_rois.py). */
#include "unit/reporting/call.h"

#include "io/name_lists.h"
#include "reporting/collect.h"
#include "reporting/table.h"

static bt_text result;

/* collect of the golden file with RULE, groups FILE and a word more. */
static bt_status collect_with(const char *rule, const char *groups, const char *more)
{
    char artefact[4096], out[4096], score[128], file[4096], last[128], above[] = "ceiling.keep_above=0.3";
    (void)snprintf(last, sizeof last, "%s", more);
    (void)snprintf(artefact, sizeof artefact, "artefacts=%s", test_file("golden/rois/scores.h5"));
    (void)snprintf(out, sizeof out, "out=%s", test_path(test_scratch(), rule));
    (void)snprintf(score, sizeof score, "roi.score=%s", rule);
    (void)snprintf(file, sizeof file, "roi.groups=%s", groups);
    char *words[] = {artefact, out, score, file, above, last};
    return call_stage(&bt_collect_stage, 6, words, &result);
}

static bt_status collect_by(const char *rule, const char *groups)
{
    return collect_with(rule, groups, "roi.hemisphere=both");
}

static bool is(const bt_table *table, size_t row, const char *column, const char *value)
{
    return !strcmp(bt_table_cell(table, row, column), value);
}

static void expect_number(const bt_table *table, size_t row, const bt_table *wanted, size_t at, const char *column)
{
    const double value = atof(bt_table_cell(wanted, at, column));
    expect_near(atof(bt_table_cell(table, row, column)), value, 2e-6 * fmax(1, fabs(value)));
}

/* Rows of one rule; the number of them. */
static size_t check_rule(const char *rule, const bt_table *wanted)
{
    bt_table table;
    size_t n = 0;
    expect_ok(collect_by(rule, test_file("golden/rois/groups.yaml")));
    expect_ok(bt_table_read(test_path(test_path(test_scratch(), rule), "table.csv"), &table));
    for (size_t at = 0; at < wanted->n_row; ++at) {
        size_t found = 0;
        if (!is(wanted, at, "rule", rule)) continue;
        for (size_t row = 0; row < table.n_row; ++row) {
            if (!is(&table, row, "roi", bt_table_cell(wanted, at, "roi")) || !is(&table, row, "layer", "1") ||
                !is(&table, row, "metric", bt_table_cell(wanted, at, "metric")))
                continue;
            assert_true(is(&table, row, "removed", "envelope"));
            expect_number(&table, row, wanted, at, "value");
            expect_number(&table, row, wanted, at, "se");
            expect_number(&table, row, wanted, at, "n");
            expect_number(&table, row, wanted, at, "n_dropped");
            ++found;
        }
        assert_int_equal(found, 1);
        ++n;
    }
    bool says = false;
    for (size_t i = 0; i < table.comments.n; ++i) {
        char rule_word[64];
        (void)snprintf(rule_word, sizeof rule_word, "# roi: rule \"%s\"", rule);
        says = says || strstr(table.comments.items[i], rule_word);
        assert_null(strstr(table.comments.items[i], "(null)"));
    }
    assert_true(says);
    for (size_t row = 0; row < table.n_row; ++row) assert_false(is(&table, row, "roi", "unknown"));
    bt_table_clear(&table);
    return n;
}

static void rules_are_numpys(void **state)
{
    (void)state;
    bt_table wanted;
    expect_ok(bt_table_read(test_file("golden/rois/expected.csv"), &wanted));
    assert_int_equal(check_rule("voxels", &wanted) + check_rule("labels", &wanted) +
                         check_rule("labels_zero_filled", &wanted),
                     wanted.n_row);
    expect_ok(collect_by("voxels", test_file("golden/rois/groups.yaml")));
    assert_non_null(strstr(result.data, "(0 read anew)"));
    bt_table_clear(&wanted);
}

static const char *groups_of(const char *text)
{
    const char *const path = test_path(test_scratch(), "groups.yaml");
    FILE *const file = fopen(path, "wb");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0) abort();
    return path;
}

static size_t row_of(const bt_table *table, const char *roi, const char *hemisphere, const char *metric)
{
    size_t row = 0;
    while (row < table->n_row && !(is(table, row, "roi", roi) && is(table, row, "hemisphere", hemisphere) &&
                                   is(table, row, "metric", metric) && is(table, row, "layer", "1")))
        ++row;
    return row;
}

/* What lh has of 44 and A1 is what L_44 and L_A1 are; the right has nothing of these. */
static void hemispheres_are_those_of_the_labels(void **state)
{
    (void)state;
    static const char *const columns[] = {"value", "se", "n", "n_dropped"};
    static const char *const rules[] = {"voxels", "labels", "labels_zero_filled"};
    bt_table table;
    for (size_t i = 0; i < 3; ++i) {
        const char *const groups = groups_of("sides: [44, A1]\nleft: [L_44, L_A1]\nright: [R_44, R_A1]\n");
        expect_ok(collect_with(rules[i], groups, "roi.hemisphere=both,lh,rh"));
        expect_ok(bt_table_read(test_path(test_path(test_scratch(), rules[i]), "table.csv"), &table));
        static const char *const sides[][2] = {{"lh", "left"}, {"rh", "right"}};
        for (size_t s = 0; s < 2; ++s) {
            const size_t one = row_of(&table, "sides", sides[s][0], "r"),
                         both = row_of(&table, sides[s][1], "both", "r");
            assert_true(one < table.n_row && both < table.n_row && one != both);
            for (size_t c = 0; c < 4; ++c)
                assert_string_equal(bt_table_cell(&table, one, columns[c]), bt_table_cell(&table, both, columns[c]));
        }
        assert_true(row_of(&table, "left", "rh", "r") == table.n_row &&
                    row_of(&table, "all", "lh", "r") == table.n_row);
        assert_true(row_of(&table, "all", "both", "r_norm") < table.n_row);
        bt_table_clear(&table);
    }
    expect_failure(collect_with("voxels", test_file("golden/rois/groups.yaml"), "roi.hemisphere=left"), BT_ERR_USAGE,
                   "roi.hemisphere: expected some of both, lh, rh; found left");
}

static void groups_must_make_sense(void **state)
{
    (void)state;
    expect_failure(collect_by("labels", groups_of("frontal: [44, 55c]\n")), BT_ERR_INPUT, "group frontal: ");
    expect_failure(collect_by("labels", groups_of("frontal: [44, R_55]\n")), BT_ERR_INPUT, "did you mean R_55b?");
    expect_failure(collect_by("labels", groups_of("frontal: 44\n")), BT_ERR_INPUT, "groups.yaml:1:10: expected");
    expect_failure(collect_by("labels", groups_of("a: [x]\na: [y]\n")), BT_ERR_INPUT, "groups.yaml:2:1: ");
    expect_failure(collect_by("labels", groups_of("a: [x\n")), BT_ERR_INPUT, "groups.yaml:2:1: ");
    expect_failure(collect_by("labels", groups_of("[a]\n")), BT_ERR_INPUT, "no map");
    expect_failure(collect_by("labels", groups_of("")), BT_ERR_INPUT, "found nothing");
    expect_failure(collect_by("labels", "/nowhere/groups.yaml"), BT_ERR_INPUT, "cannot be read");
}

static int clear(void **state)
{
    bt_text_clear(&result);
    return test_no_leak(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(rules_are_numpys, clear),
        cmocka_unit_test_teardown(hemispheres_are_those_of_the_labels, clear),
        cmocka_unit_test_teardown(groups_must_make_sense, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
