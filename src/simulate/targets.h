/* What simulated pre-training learns to predict: how many phones and words of each kind a row's window of sound holds.
 */
#ifndef BT_SIMULATE_TARGETS_H
#define BT_SIMULATE_TARGETS_H

#include "base/status.h"
#include "base/text.h"
#include "simulate/grammar.h"
#include "simulate/story.h"
#include "stimulus/timing.h"

#include <stddef.h>

typedef struct {
    bt_names phones; /* those of flite's lexicon, lower case */
    bt_names words;  /* all that the grammar can say */
} bt_labels;

bt_status bt_labels_create(const bt_grammar_options *options, bt_labels *out) BT_MUST_CHECK;
void bt_labels_clear(bt_labels *labels);
size_t bt_labels_count(const bt_labels *labels); /* phones, then words */

typedef struct {
    double tr, sound_start; /* s */
    double seconds;         /* of a window */
} bt_target_options;

/* Counts (n_row, bt_labels_count): window i is the sound of `seconds` that ends with the volume of stored row i; a
 * phone or word on its edge counts by the part of it that is inside. */
bt_status bt_label_rows(const bt_target_options *options, const bt_labels *labels, const bt_told *told, size_t n_row,
                        double *counts) BT_MUST_CHECK;

#endif
