/* Paired differences between two series of one model. */
#ifndef BT_REPORTING_COMPARISON_H
#define BT_REPORTING_COMPARISON_H

#include "base/status.h"
#include "reporting/selection.h"

/* Series `a` against `b`: tuned against what tuning started from, brain-tuned against other objectives. Only series of
 * the same model, preset, entry, and among tuned ones the same epoch and relation to the subject are compared. */
typedef struct {
    size_t a, b;
} bt_comparison;

/* *list (n) is allocated: per model brain against the others first, then each tuned one against its base. */
bt_status bt_comparisons_list(const bt_selection *selection, bt_comparison **list, size_t *n) BT_MUST_CHECK;

/* a - b in one ROI, each at its own layer; (n) pairs in order of seed, then subject. */
typedef struct {
    size_t n;
    double *before, *after; /* b, a */
    double *difference;
    size_t *subject;
    size_t *seed; /* of a */
} bt_pairs;

/* by_seed: one pair per seed and subject; else one per subject, the mean over its seeds. A series that was not tuned
 * goes with every seed: by its own measure under that seed where it has one, else by the mean of those it has. No pairs
 * where the two series' layers differ. */
bt_status bt_pairs_create(const bt_selection *selection, const bt_comparison *comparison, size_t roi, bool by_seed,
                          bt_pairs *out) BT_MUST_CHECK;
void bt_pairs_clear(bt_pairs *pairs);

#endif
