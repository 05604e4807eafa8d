/* summary: each cell of the printed table is the table's. */
#include "unit/reporting/call.h"
#include "unit/reporting/makers.h"

#include "reporting/collect.h"
#include "reporting/summary.h"
#include "reporting/table.h"

static void cells_are_the_tables(void **state)
{
    (void)state;
    char first[4096], second[512], wanted[64];
    bt_text result = {0}, text = {0};
    bt_table table;
    (void)snprintf(first, sizeof first, "artefacts=%s", test_file("golden/reporting"));
    (void)snprintf(second, sizeof second, "out=%s", test_path(test_scratch(), "results"));
    char *words[] = {first, second};
    expect_ok(call_stage(&bt_collect_stage, 2, words, &result));
    expect_ok(bt_summary(test_path(test_scratch(), "results/table.csv"), &text));
    expect_ok(bt_table_read(test_path(test_scratch(), "results/table.csv"), &table));
    if (getenv("BRAINTUNE_KEEP_FIGURES")) print_message("%s", text.data);
    static const char *const lines[] = {
        "primary_auditory",   "language",          "layer 0",       "layer 4",
        "mean of layers 3-4", "control: envelope", "noise ceiling", "2 subjects: S01, S02",
        "over voxels"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; ++i) assert_non_null(strstr(text.data, lines[i]));
    double sum = 0;
    for (size_t row = 0; row < table.n_row; ++row)
        if (!strcmp(bt_table_cell(&table, row, "roi"), "mixed") && !strcmp(bt_table_cell(&table, row, "layer"), "2") &&
            !strcmp(bt_table_cell(&table, row, "metric"), "r"))
            sum += bt_table_number(&table, row, "value");
    (void)snprintf(wanted, sizeof wanted, "%.3f [", sum / 2);
    assert_non_null(strstr(strstr(text.data, "layer 2"), wanted));
    bt_table_clear(&table);
    bt_text_clear(&result);
    bt_text_clear(&text);
    expect_failure(bt_summary("nowhere/table.csv", &text), BT_ERR_INPUT, "braintune collect");
    expect_failure(bt_summary(test_write_text("x.csv", "a,b\n1,2\n"), &text), BT_ERR_INPUT, "expected the column");
}

/* Means over seeds x subjects, each seed, and the gain in percent, as lines. */
static void differences_are_printed(void **state)
{
    (void)state;
    static const char *const seeds[] = {"0", "1"}, *const subjects[] = {"S1", "S2"};
    bt_text table = {0}, text = {0};
    bt_table read;
    for (size_t s = 0; s < 2; ++s) {
        const made base = {.objective = "pretrained", .subject = subjects[s]};
        add_made_row(&table, &base, "r", "language", "1", 0.2);
        for (size_t k = 0; k < 2; ++k) {
            made what = {.objective = "brain", .tuned_subject = subjects[s], .subject = subjects[s], .seed = seeds[k]};
            add_made_row(&table, &what, "r", "language", "1", 0.25 + 0.02 * (double)k);
            what.objective = "random";
            add_made_row(&table, &what, "r", "language", "1", 0.2);
        }
    }
    read_made_table(&table, "differences", &read);
    expect_ok(bt_summary(test_path(test_scratch(), "differences/table.csv"), &text));
    static const char *const lines[] = {"  brain - random                    +0.060 [+0.042, +0.078]",
                                        "    seed 0                          +0.050\n",
                                        "    seed 1                          +0.070\n",
                                        "  brain - pretrained                +0.060 [+0.042, +0.078]",
                                        "    gain of the means                +30.0 %",
                                        "  random - pretrained               +0.000 [+0.000, +0.000]",
                                        "up to 4 pairs"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; ++i) {
        if (!strstr(text.data, lines[i])) print_error("no \"%s\" in:\n%s", lines[i], text.data);
        assert_non_null(strstr(text.data, lines[i]));
    }
    bt_table_clear(&read);
    bt_text_clear(&table);
    bt_text_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cells_are_the_tables),
                                       cmocka_unit_test(differences_are_printed)};
    return cmocka_run_group_tests(tests, NULL, test_no_leak);
}
