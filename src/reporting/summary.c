#include "reporting/summary.h"

#include "base/memory.h"
#include "reporting/paired_tests.h"
#include "reporting/selection.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_WIDTH = 36, CELL_WIDTH = 25, ROIS_A_LINE = 4 };

typedef struct {
    const bt_selection *all;
    const bt_tests *tests;
    const bt_comparison *comparisons;
    size_t n_comparison;
    size_t first, last; /* ROIs of this block of columns */
    bt_text *out;
    bool over_subjects;
} block;

/* `text` is cut to its column with "..". */
static bt_status add_label(bt_text *out, const char *text)
{
    if (strlen(text) < LABEL_WIDTH) return bt_text_add(out, "%-*s", LABEL_WIDTH, text);
    return bt_text_add(out, "%.*s.. ", LABEL_WIDTH - 3, text);
}

static bt_status end_line(bt_text *out)
{
    while (out->length && out->data[out->length - 1] == ' ') out->data[--out->length] = '\0';
    return bt_text_add(out, "\n");
}

static bt_status add_heads(const block *b, const char *label)
{
    bt_status status = BT_OK;
    BT_TRY(add_label(b->out, label));
    for (size_t roi = b->first; roi < b->last; ++roi)
        BT_TRY(bt_text_add(b->out, " %-*s", CELL_WIDTH - 1, b->all->rois.items[roi]));
    BT_TRY(end_line(b->out));
cleanup:
    return status;
}

/* --- values ----------------------------------------------------------------------------------------------------------
 */

static bt_status add_line(block *b, const char *label, size_t series, const char *layer)
{
    bt_status status = BT_OK;
    char text[64];
    BT_TRY(add_label(b->out, label));
    for (size_t roi = b->first; roi < b->last; ++roi) {
        const bt_cell cell = bt_selection_cell(b->all, series, BT_ALL, roi, layer);

        if (!cell.n_subject)
            (void)snprintf(text, sizeof text, "%6s", "-");
        else if (isnan(cell.low))
            (void)snprintf(text, sizeof text, "%6.3f", cell.value);
        else
            (void)snprintf(text, sizeof text, "%6.3f [%.3f, %.3f]", cell.value, cell.low, cell.high);
        b->over_subjects = b->over_subjects || cell.over_subjects;
        BT_TRY(bt_text_add(b->out, "%-*s", CELL_WIDTH, text));
    }
    BT_TRY(end_line(b->out));
cleanup:
    return status;
}

static bt_status add_series(block *b, size_t at)
{
    bt_status status = BT_OK;
    char label[64];
    const bt_series *const series = &b->all->series[at];
    if (!series->has_layers) {
        BT_TRY(add_line(b, series->label, at, series->layer));
        goto cleanup;
    }
    BT_TRY(bt_text_add(b->out, "%s\n", series->label));
    for (size_t i = 0; i < b->all->n_number; ++i) {
        (void)snprintf(label, sizeof label, "  layer %s", b->all->layers.items[i]);
        BT_TRY(add_line(b, label, at, b->all->layers.items[i]));
    }
    if (bt_starts_with(series->layer, "mean:")) {
        (void)snprintf(label, sizeof label, "  mean of layers %s", series->layer + strlen("mean:"));
        BT_TRY(add_line(b, label, at, series->layer));
    }
cleanup:
    return status;
}

static bt_status add_values(block *b)
{
    bt_status status = BT_OK;
    BT_TRY(add_heads(b, ""));
    for (size_t i = 0; i < b->all->n_series; ++i) BT_TRY(add_series(b, i));
    BT_TRY(add_line(b, "noise ceiling (cc_max)", b->all->n_series, ""));
    BT_TRY(bt_text_add(b->out, "\n"));
cleanup:
    return status;
}

/* --- differences -----------------------------------------------------------------------------------------------------
 */

/* One kind of test over the ROIs; `interval`: its limits too, `unit` behind its number. */
static bt_status add_tests(const block *b, const char *label, const bt_comparison *of, bt_test_kind kind, size_t seed)
{
    bt_status status = BT_OK;
    const bool percent = kind == BT_TEST_PERCENT_GAIN;
    char text[64];
    BT_TRY(add_label(b->out, label));
    for (size_t roi = b->first; roi < b->last; ++roi) {
        const bt_test *const test = bt_tests_find(b->tests, kind, of, roi, seed);
        if (!test)
            (void)snprintf(text, sizeof text, "%6s", "-");
        else if (percent)
            (void)snprintf(text, sizeof text, "%+6.1f %%", test->estimate.value);
        else if (seed != BT_ALL || test->n_pair < 2)
            (void)snprintf(text, sizeof text, "%+6.3f", test->estimate.value);
        else
            (void)snprintf(text, sizeof text, "%+6.3f [%+.3f, %+.3f]", test->estimate.value, test->estimate.low,
                           test->estimate.high);
        BT_TRY(bt_text_add(b->out, "%-*s", CELL_WIDTH, text));
    }
    BT_TRY(end_line(b->out));
cleanup:
    return status;
}

static bool has_test(const block *b, bt_test_kind kind, const bt_comparison *of, size_t seed)
{
    for (size_t roi = b->first; roi < b->last; ++roi)
        if (bt_tests_find(b->tests, kind, of, roi, seed)) return true;
    return false;
}

static bt_status add_comparison(const block *b, const bt_comparison *of)
{
    bt_status status = BT_OK;
    const bt_selection *const all = b->all;
    bt_text label = {0};
    BT_TRY(bt_text_add(&label, "  %s - %s", all->series[of->a].what, all->series[of->b].what));
    BT_TRY(add_tests(b, label.data, of, BT_TEST_PAIRED_T, BT_ALL));
    for (size_t seed = 0; seed < all->seeds.n; ++seed) {
        if (!has_test(b, BT_TEST_PAIRED_T, of, seed)) continue;
        label.length = 0;
        BT_TRY(bt_text_add(&label, "    seed %s", *all->seeds.items[seed] ? all->seeds.items[seed] : "none"));
        BT_TRY(add_tests(b, label.data, of, BT_TEST_PAIRED_T, seed));
    }
    if (has_test(b, BT_TEST_PERCENT_GAIN, of, BT_ALL))
        BT_TRY(add_tests(b, "    gain of the means", of, BT_TEST_PERCENT_GAIN, BT_ALL));
cleanup:
    bt_text_clear(&label);
    return status;
}

static bt_status add_differences(const block *b)
{
    bt_status status = BT_OK;
    const char *model = NULL, *layer = NULL;
    if (!b->n_comparison) return BT_OK;
    BT_TRY(add_heads(b, "differences in r"));
    for (size_t i = 0; i < b->n_comparison; ++i) {
        const bt_series *const a = &b->all->series[b->comparisons[i].a];
        if (!model || strcmp(model, a->key.model) != 0 || strcmp(layer, a->layer) != 0)
            BT_TRY(bt_text_add(b->out, "%s, layer %s\n", *a->key.model ? a->key.model : "scores", a->layer));
        model = a->key.model;
        layer = a->layer;
        BT_TRY(add_comparison(b, &b->comparisons[i]));
    }
    BT_TRY(bt_text_add(b->out, "\n"));
cleanup:
    return status;
}

/* --- how to read it --------------------------------------------------------------------------------------------------
 */

static size_t most_pairs(const bt_tests *tests)
{
    size_t most = 0;
    for (size_t i = 0; i < tests->n; ++i)
        if (tests->items[i].kind == BT_TEST_PAIRED_T && tests->items[i].n_pair > most) most = tests->items[i].n_pair;
    return most;
}

static bt_status add_notes(const block *b)
{
    bt_status status = BT_OK;
    const bt_selection *const all = b->all;
    const size_t n = all->subjects.n;
    BT_TRY(bt_text_add(b->out,
                       "r: mean over the ROI's voxels of the correlation between predicted and measured responses to "
                       "the test story; mean over %zu subject%s",
                       n, n == 1 ? "" : "s"));
    for (size_t i = 0; i < n; ++i)
        if (all->subjects.items[i][0]) BT_TRY(bt_text_add(b->out, "%s %s", i ? "," : ":", all->subjects.items[i]));
    BT_TRY(bt_text_add(b->out, "%s\n", all->seeds.n > 1 ? ", the mean over seeds of each" : ""));
    BT_TRY(bt_text_add(b->out, "[low, high]: 95 %% interval over %s\n",
                       b->over_subjects ? "subjects (Student's t)" : "voxels, taken as independent"));
    if (b->n_comparison)
        BT_TRY(
            bt_text_add(b->out,
                        "differences: mean over seeds x subjects (up to %zu pairs of the same seed and subject) with "
                        "its 95 %% interval by Student's t; each seed: mean over subjects\n",
                        most_pairs(b->tests)));
    for (size_t i = 0; i < all->missing.n; ++i) BT_TRY(bt_text_add(b->out, "missing: %s\n", all->missing.items[i]));
    if (all->n_averaged)
        BT_TRY(bt_text_add(b->out, "%zu values average several artefacts of the same model, subject and seed\n",
                           all->n_averaged));
cleanup:
    return status;
}

bt_status bt_summary(const char *table_csv, bt_text *out)
{
    bt_status status = BT_OK;
    const bt_query query = {0};
    bt_table table = {0};
    bt_selection selection = {0};
    bt_tests tests = {0};
    bt_comparison *comparisons = NULL;
    block b = {.all = &selection, .tests = &tests, .out = out};
    BT_CHECK(bt_path_exists(table_csv), BT_ERR_INPUT, "%s: no such table; run `braintune collect` first", table_csv);
    BT_TRY(bt_table_read(table_csv, &table));
    BT_TRY(bt_table_check(&table, table_csv));
    BT_TRY(bt_selection_create(&table, table_csv, &query, &selection));
    BT_TRY(bt_tests_create(&selection, &tests));
    BT_TRY(bt_comparisons_list(&selection, &comparisons, &b.n_comparison));
    b.comparisons = comparisons;
    for (; b.first < selection.rois.n; b.first = b.last) {
        b.last = b.first + ROIS_A_LINE < selection.rois.n ? b.first + ROIS_A_LINE : selection.rois.n;
        BT_TRY(add_values(&b));
        BT_TRY(add_differences(&b));
    }
    BT_TRY(add_notes(&b));
cleanup:
    bt_free(comparisons);
    bt_tests_clear(&tests);
    bt_selection_clear(&selection);
    bt_table_clear(&table);
    return status;
}
