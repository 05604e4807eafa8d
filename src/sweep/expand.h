/* An experiment's sections, enumerated: a plan. */
#ifndef BT_SWEEP_EXPAND_H
#define BT_SWEEP_EXPAND_H

#include "base/status.h"
#include "sweep/models.h"

/* Everything of the experiment that the program can do becomes tasks, everything else gaps. Reads names, sizes and
 * times of inputs, no contents but config.json, respdict.json, ROI groups and one response file's shape. rate: FLOP/s
 * of a core, for estimates of time. Errors: BT_ERR_USAGE with file:line:column, BT_ERR_INPUT for inputs that are not
 * there. */
bt_status bt_expand(const bt_program *program, bt_experiment *experiment, double rate, bt_plan *out) BT_MUST_CHECK;

/* Its parts. Timing and ceilings of the section `dataset`, into any draft whose stage has such settings. */
bt_status bt_expand_dataset_settings(bt_expansion *x, bt_draft *draft) BT_MUST_CHECK;
/* A draft's settings in their order: the preset's, the data set's, the entry's own; and the preset's name. */
bt_status bt_expand_settings(bt_expansion *x, const bt_entry *entry, const bt_node *settings,
                             bt_draft *draft) BT_MUST_CHECK;
/* The model as an input under the setting `model`. */
bt_status bt_expand_model(bt_expansion *x, const bt_variant *variant, bt_draft *draft) BT_MUST_CHECK;

/* encode and lowlevel. tasks (n): the encodings that the plan got. */
bt_status bt_expand_encode(bt_expansion *x, bt_indices *tasks) BT_MUST_CHECK;
/* scores: [r, r2, ...] of an entry of encode or lowlevel: one that `encode` does not write becomes a gap. */
bt_status bt_expand_scores(bt_expansion *x, const char *section, const bt_node *scores) BT_MUST_CHECK;
/* What the encodings of an entry of lowlevel go without, in turn. Texts are the experiment's. */
typedef struct {
    const char *label;    /* " without envelope", or "" */
    const char *features; /* "envelope,word_rate", or "": nothing is removed */
    const char *why;      /* not built: why; NULL */
} bt_removed;
typedef struct {
    size_t n;
    bt_removed *items;
    const char *features; /* all that the stage lowlevel has to make of them, as a list */
} bt_removals;
/* list: features, none, and all, which is the others of the list together. Errors: BT_ERR_USAGE with the list's place.
 */
bt_status bt_expand_removals(bt_expansion *x, const char *section, const bt_node *list, bt_removals *out) BT_MUST_CHECK;
/* A name of a low-level feature: BT_ERR_USAGE when there is none; *why: not built yet, else NULL. */
bt_status bt_expand_lowlevel_feature(const bt_expansion *x, const char *key, const char *name, bt_place place,
                                     const char **why) BT_MUST_CHECK;
/* collect, figures, statistics. */
bt_status bt_expand_results(bt_expansion *x, const bt_indices *encodings) BT_MUST_CHECK;
/* Ranks, threads, memory and times of tasks. */
bt_status bt_expand_resources(bt_expansion *x) BT_MUST_CHECK;
/* probe, prefer: not built yet, counted. */
bt_status bt_expand_missing(bt_expansion *x) BT_MUST_CHECK;

#endif
