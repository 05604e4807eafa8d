/* summary: each cell of the printed table is the table's. */
#include "unit/reporting/call.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cells_are_the_tables)};
    return cmocka_run_group_tests(tests, NULL, test_no_leak);
}
