#include "reporting/paired_tests.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double significance = 0.05;

static size_t count_seeds(const bt_pairs *pairs)
{
    size_t n = 0;
    for (size_t i = 0; i < pairs->n; ++i) n += !i || pairs->seed[i] != pairs->seed[i - 1];
    return n;
}

static size_t count_subjects(const bt_pairs *pairs)
{
    size_t n = 0;
    for (size_t i = 0; i < pairs->n; ++i) {
        bool before = false;
        for (size_t j = 0; j < i; ++j) before = before || pairs->subject[j] == pairs->subject[i];
        n += !before;
    }
    return n;
}

static bt_status add_test(bt_tests *tests, bt_test *test, const bt_pairs *pairs)
{
    bt_status status = BT_OK;
    test->n_pair = pairs->n;
    test->n_subject = count_subjects(pairs);
    BT_TRY(bt_median(pairs->difference, pairs->n, &test->median));
    BT_GROW(tests->items, tests->n, tests->capacity);
    tests->items[tests->n++] = *test;
cleanup:
    return status;
}

static bt_status add_wilcoxon(bt_tests *tests, const bt_comparison *of, size_t roi, const bt_pairs *pairs)
{
    bt_status status = BT_OK;
    bt_wilcoxon result;
    bt_test test = {.kind = BT_TEST_WILCOXON, .of = *of, .roi = roi, .seed = BT_ALL, .p_holm = NAN};
    BT_TRY(bt_wilcoxon_test(pairs->difference, pairs->n, &result));
    BT_TRY(bt_hodges_lehmann(pairs->difference, pairs->n, &test.estimate));
    test.statistic = result.statistic;
    test.p = result.p;
    BT_TRY(add_test(tests, &test, pairs));
cleanup:
    return status;
}

/* Both ways to average percentages; none where a base is below BT_LEAST_BASE. */
static bt_status add_gains(bt_tests *tests, const bt_comparison *of, size_t roi, const bt_pairs *pairs)
{
    bt_status status = BT_OK;
    double *percent = NULL;
    size_t n = 0;
    bt_test test = {.kind = BT_TEST_PERCENT_GAIN, .of = *of, .roi = roi, .seed = BT_ALL};
    test.statistic = test.p = test.p_holm = NAN;
    BT_TRY(bt_percent_gain(pairs->before, pairs->after, pairs->n, &test.estimate));
    if (isfinite(test.estimate.value)) BT_TRY(add_test(tests, &test, pairs));
    BT_ALLOC(percent, pairs->n);
    for (size_t i = 0; i < pairs->n; ++i)
        if (pairs->before[i] >= BT_LEAST_BASE) percent[n++] = 100 * pairs->difference[i] / pairs->before[i];
    if (!n || n < pairs->n) goto cleanup;
    test.kind = BT_TEST_MEAN_PERCENT;
    test.estimate = bt_mean_interval(percent, n);
    BT_TRY(add_test(tests, &test, pairs));
cleanup:
    bt_free(percent);
    return status;
}

static bt_status add_t(bt_tests *tests, const bt_comparison *of, size_t roi, size_t seed, const bt_pairs *pairs)
{
    bt_test test = {.kind = BT_TEST_PAIRED_T, .of = *of, .roi = roi, .seed = seed, .p_holm = NAN};
    test.n_seed = count_seeds(pairs);
    test.estimate = bt_mean_interval(pairs->difference, pairs->n);
    const double freedom = (double)pairs->n - 1, half = test.estimate.high - test.estimate.value;
    test.statistic = half > 0 ? test.estimate.value / (half / bt_student_quantile(1 - significance / 2, freedom)) : NAN;
    test.p = bt_student_p(test.statistic, freedom);
    return add_test(tests, &test, pairs);
}

/* All seeds x subjects, then each seed by itself where there are several. */
static bt_status add_intervals(bt_tests *tests, const bt_comparison *of, size_t roi, const bt_pairs *pairs)
{
    bt_status status = BT_OK;
    BT_TRY(add_t(tests, of, roi, BT_ALL, pairs));
    if (count_seeds(pairs) < 2) goto cleanup;
    for (size_t from = 0, to = 0; from < pairs->n; from = to) {
        while (to < pairs->n && pairs->seed[to] == pairs->seed[from]) ++to;
        const bt_pairs one = {.n = to - from,
                              .difference = pairs->difference + from,
                              .subject = pairs->subject + from,
                              .seed = pairs->seed + from};
        BT_TRY(add_t(tests, of, roi, pairs->seed[from], &one));
    }
cleanup:
    return status;
}

static bt_status add_roi(const bt_selection *all, const bt_comparison *of, size_t roi, bt_tests *tests)
{
    bt_status status = BT_OK;
    bt_pairs subjects = {0}, runs = {0};
    BT_TRY(bt_pairs_create(all, of, roi, false, &subjects));
    if (!subjects.n) goto cleanup;
    BT_TRY(bt_pairs_create(all, of, roi, true, &runs));
    BT_TRY(add_wilcoxon(tests, of, roi, &subjects));
    BT_TRY(add_intervals(tests, of, roi, &runs));
    if (!all->series[of->b].is_tuned) BT_TRY(add_gains(tests, of, roi, &subjects));
cleanup:
    bt_pairs_clear(&subjects);
    bt_pairs_clear(&runs);
    return status;
}

/* --- Holm ------------------------------------------------------------------------------------------------------------
 */

/* One family of tests: the same two things compared, in every model and ROI. */
static bool same_family(const bt_selection *all, const bt_test *a, const bt_test *b)
{
    return a->kind == BT_TEST_WILCOXON && b->kind == BT_TEST_WILCOXON &&
           !strcmp(all->series[a->of.a].what, all->series[b->of.a].what) &&
           !strcmp(all->series[a->of.b].what, all->series[b->of.b].what);
}

static bt_status correct_family(const bt_selection *all, bt_tests *tests, const bt_test *first)
{
    bt_status status = BT_OK;
    double *p = NULL, *least = NULL, *adjusted = NULL;
    size_t n = 0;
    BT_ALLOC(p, tests->n);
    BT_ALLOC(least, tests->n);
    BT_ALLOC(adjusted, 2 * tests->n);
    for (size_t i = 0; i < tests->n; ++i) {
        if (!same_family(all, first, &tests->items[i])) continue;
        p[n] = tests->items[i].p;
        least[n++] = bt_wilcoxon_least_p(tests->items[i].n_pair);
    }
    BT_TRY(bt_holm(p, n, adjusted));
    BT_TRY(bt_holm(least, n, adjusted + n));
    for (size_t i = 0, at = 0; i < tests->n; ++i) {
        bt_test *const test = &tests->items[i];
        if (!same_family(all, first, test)) continue;
        test->p_holm = adjusted[at];
        test->least_p_holm = adjusted[n + at++];
        test->holm_size = n;
    }
cleanup:
    bt_free(p);
    bt_free(least);
    bt_free(adjusted);
    return status;
}

bt_status bt_tests_create(const bt_selection *all, bt_tests *out)
{
    bt_status status = BT_OK;
    bt_comparison *list = NULL;
    size_t n = 0;
    *out = (bt_tests){0};
    BT_TRY(bt_comparisons_list(all, &list, &n));
    for (size_t i = 0; i < n; ++i)
        for (size_t roi = 0; roi < all->rois.n; ++roi) BT_TRY(add_roi(all, &list[i], roi, out));
    for (size_t i = 0; i < out->n; ++i)
        if (out->items[i].kind == BT_TEST_WILCOXON && !out->items[i].holm_size)
            BT_TRY(correct_family(all, out, &out->items[i]));
cleanup:
    bt_free(list);
    if (status != BT_OK) bt_tests_clear(out);
    return status;
}

void bt_tests_clear(bt_tests *tests)
{
    bt_free(tests->items);
    *tests = (bt_tests){0};
}

const bt_test *bt_tests_find(const bt_tests *tests, bt_test_kind kind, const bt_comparison *of, size_t roi, size_t seed)
{
    for (size_t i = 0; i < tests->n; ++i) {
        const bt_test *const test = &tests->items[i];
        if (test->kind == kind && test->of.a == of->a && test->of.b == of->b && test->roi == roi && test->seed == seed)
            return test;
    }
    return NULL;
}

bool bt_test_is_hopeless(const bt_test *test)
{
    return test->kind == BT_TEST_WILCOXON && test->least_p_holm > significance;
}
