#include "reporting/tests_table.h"

#include "base/memory.h"
#include "store/publish.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    FIGURE,
    A,
    B,
    FAMILY,
    ROI,
    LAYER,
    TASK,
    METRIC,
    N_PAIR,
    TEST,
    STATISTIC,
    P,
    P_HOLM,
    HOLM_SIZE,
    MEDIAN,
    CI_LOW,
    CI_HIGH,
    ESTIMATE,
    MODEL,
    PRESET,
    ENTRY,
    SEED,
    N_SUBJECT,
    N_SEED,
    REMARK,
    N_COLUMN
};

static const char *const columns[N_COLUMN] = {"figure",    "a",       "b",         "family",    "roi",
                                              "layer",     "task",    "metric",    "n_pair",    "test",
                                              "statistic", "p",       "p_holm",    "holm_size", "median_difference",
                                              "ci_low",    "ci_high", "estimate",  "model",     "preset",
                                              "entry",     "seed",    "n_subject", "n_seed",    "remark"};

static const char head[] =
    "# braintune tests 1; a - b, paired\n"
    "# wilcoxon: signed-rank test over subjects (a subject's seeds are averaged first), exact, two-sided; statistic: "
    "the "
    "smaller rank sum; estimate, ci_low, ci_high: Hodges-Lehmann and its exact 95 % interval, from 6 pairs on\n"
    "# p_holm: corrected after Holm within one comparison of a and b over holm_size models x ROIs; a remark says where "
    "no "
    "outcome could reach p_holm <= 0.05 at this n\n"
    "# paired_t: mean of a - b over seeds x subjects (seed empty) or over the subjects of one seed, 95 % interval by "
    "Student's t with n_pair - 1 degrees of freedom; pairs that share a subject are taken as independent\n"
    "# percent_gain: 100 (mean a - mean b) / mean b, means over subjects; ci_low, ci_high: percentiles of 10,000 "
    "bootstrap draws of subjects, from 5 on; mean_percent: the mean over subjects of 100 (a - b) / b, Student's t; "
    "neither where b is below 0.02\n"
    "# median_difference: the median of the paired differences\n"
    "# layer: that of both; see table.csv\n";

/* Texts of one row's numbers. */
typedef struct {
    char text[N_COLUMN][32];
} numbers;

static const char *print_real(numbers *all, int column, double value)
{
    bt_table_print(value, all->text[column], sizeof all->text[column]);
    return all->text[column];
}

static const char *print_count(numbers *all, int column, size_t value)
{
    (void)snprintf(all->text[column], sizeof all->text[column], "%zu", value);
    return all->text[column];
}

static const char *remark_of(const bt_test *test)
{
    return bt_test_is_hopeless(test) ? "cannot be significant at this n" : "";
}

static void fill_numbers(const bt_test *test, numbers *text, const char **cells)
{
    cells[N_PAIR] = print_count(text, N_PAIR, test->n_pair);
    cells[N_SUBJECT] = print_count(text, N_SUBJECT, test->n_subject);
    cells[STATISTIC] = print_real(text, STATISTIC, test->statistic);
    cells[P] = print_real(text, P, test->p);
    cells[P_HOLM] = print_real(text, P_HOLM, test->p_holm);
    cells[MEDIAN] = print_real(text, MEDIAN, test->median);
    cells[CI_LOW] = print_real(text, CI_LOW, test->estimate.low);
    cells[CI_HIGH] = print_real(text, CI_HIGH, test->estimate.high);
    cells[ESTIMATE] = print_real(text, ESTIMATE, test->estimate.value);
    if (test->holm_size) cells[HOLM_SIZE] = print_count(text, HOLM_SIZE, test->holm_size);
    if (test->n_seed) cells[N_SEED] = print_count(text, N_SEED, test->n_seed);
}

static bt_status add_row(const bt_selection *all, const bt_test *test, bt_text *out)
{
    static const char *const names[] = {"wilcoxon", "paired_t", "percent_gain", "mean_percent"};
    static const char *const figures[] = {"alignment_by_roi", "summary", "summary", "summary"};
    const bt_series *const a = &all->series[test->of.a], *const b = &all->series[test->of.b];
    const char *cells[N_COLUMN];
    numbers text;
    for (size_t i = 0; i < N_COLUMN; ++i) cells[i] = "";
    cells[FIGURE] = figures[test->kind];
    cells[A] = a->what;
    cells[B] = b->what;
    cells[FAMILY] = a->key.family;
    cells[ROI] = all->rois.items[test->roi];
    cells[LAYER] = a->layer;
    cells[METRIC] = all->query.metric;
    cells[TEST] = names[test->kind];
    cells[MODEL] = a->key.model;
    cells[PRESET] = a->key.preset;
    cells[ENTRY] = a->key.entry;
    cells[SEED] = test->seed == BT_ALL ? "" : all->seeds.items[test->seed];
    cells[REMARK] = remark_of(test);
    fill_numbers(test, &text, cells);
    return bt_table_add_row(out, cells, N_COLUMN);
}

bt_status bt_tests_text(const bt_selection *all, const bt_tests *tests, int only, bt_text *out)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(out, "%s", head));
    BT_TRY(bt_table_add_row(out, columns, N_COLUMN));
    for (size_t i = 0; i < tests->n; ++i)
        if (only < 0 || (int)tests->items[i].kind == only) BT_TRY(add_row(all, &tests->items[i], out));
cleanup:
    return status;
}

/* Scores that a selection takes: of an encoding from whose features nothing was removed, of both hemispheres. */
static bool has_scores(const bt_table *table)
{
    for (size_t row = 0; row < table->n_row; ++row)
        if (!strcmp(bt_table_cell(table, row, "metric"), "r") &&
            !strcmp(bt_table_cell(table, row, "stage"), "encode") &&
            !strcmp(bt_table_cell(table, row, "hemisphere"), "both") &&
            !strcmp(bt_table_cell(table, row, "removed"), "none"))
            return true;
    return false;
}

bt_status bt_tests_write(const char *folder)
{
    bt_status status = BT_OK;
    const bt_query query = {0};
    bt_table table = {0};
    bt_selection selection = {0};
    bt_tests tests = {0};
    bt_text text = {0};
    char *const from = bt_path_join(folder, "table.csv"), *const to = bt_path_join(folder, "tests.csv");
    if (!from || !to) BT_TRY(BT_ERR_MEMORY);
    BT_TRY(bt_table_read(from, &table));
    if (has_scores(&table)) {
        BT_TRY(bt_selection_create(&table, from, &query, &selection));
        BT_TRY(bt_tests_create(&selection, &tests));
    }
    BT_TRY(bt_tests_text(&selection, &tests, -1, &text));
    bt_leftovers_remove(to, NULL);
    BT_TRY(bt_publish_bytes(to, text.data, text.length));
cleanup:
    bt_text_clear(&text);
    bt_tests_clear(&tests);
    bt_selection_clear(&selection);
    bt_table_clear(&table);
    bt_free(from);
    bt_free(to);
    return status;
}
