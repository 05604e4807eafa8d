/* Tests of paired differences between the series of a selection. The unit of Wilcoxon's test is the subject: its seeds
 * are averaged first. Intervals over seeds x subjects take two models with the same seed, tuned on and predicting the
 * same subject, for one pair. */
#ifndef BT_REPORTING_PAIRED_TESTS_H
#define BT_REPORTING_PAIRED_TESTS_H

#include "base/status.h"
#include "reporting/comparison.h"
#include "reporting/statistics.h"

#include <stdbool.h>

typedef enum {
    BT_TEST_WILCOXON,
    BT_TEST_PAIRED_T,
    BT_TEST_PERCENT_GAIN, /* ratio of the means over subjects */
    BT_TEST_MEAN_PERCENT  /* mean of the subjects' percentages */
} bt_test_kind;

typedef struct {
    bt_test_kind kind;
    bt_comparison of;
    size_t roi;
    size_t seed; /* BT_ALL, or the only one whose pairs count */
    size_t n_pair, n_subject, n_seed;
    double statistic, p, p_holm; /* NAN where there is none */
    double least_p_holm;         /* the least that p_holm could be, at these numbers of pairs */
    size_t holm_size;            /* 0 where nothing was corrected */
    double median;               /* of the paired differences */
    bt_interval estimate;        /* Hodges-Lehmann; the mean with Student's t; gains in percent, see the kinds */
} bt_test;

typedef struct {
    size_t n, capacity;
    bt_test *items;
} bt_tests;

/* Wilcoxon's tests over subjects, Holm's correction within each comparison of two objectives over models and ROIs; t
 * intervals over seeds x subjects, pooled and per seed; gains over the base in percent. Comparisons without a pair are
 * left out. */
bt_status bt_tests_create(const bt_selection *selection, bt_tests *out) BT_MUST_CHECK;
void bt_tests_clear(bt_tests *tests);
/* NULL when there is none. */
const bt_test *bt_tests_find(const bt_tests *tests, bt_test_kind kind, const bt_comparison *of, size_t roi,
                             size_t seed);
/* True for a Wilcoxon test when no outcome at this number of pairs could reach p_holm <= 0.05. */
bool bt_test_is_hopeless(const bt_test *test);

#endif
