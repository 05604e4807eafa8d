/* Which stories, and when their volumes were measured: story roles of a data set and the sources of TR times. */
#ifndef BT_STIMULUS_STORIES_H
#define BT_STIMULUS_STORIES_H

#include "base/settings.h"
#include "base/status.h"
#include "stimulus/dataset.h"

#include <stddef.h>

typedef enum { BT_TIMES_RESPDICT, BT_TIMES_TRFILE } bt_times_source;
typedef enum { BT_TIMES_MIDDLE, BT_TIMES_START } bt_times_at;

typedef struct {
    int source;         /* bt_times_source */
    double tr;          /* s; respdict only */
    double sound_start; /* s after the first trigger; respdict only */
    int at;             /* bt_times_at: the middle or the start of a volume */
    char *reports;      /* folder of STORY.report; trfile only */
} bt_timing;

/* The rows of a stage's table for its member `timing`. */
// clang-format off
#define BT_TIMING_SETTINGS(options)                                                                                    \
    {"timing.source", BT_SET_CHOICE, offsetof(options, timing.source), BT_SCIENCE, "respdict", "respdict|trfile",      \
     0, 0, NULL, "TR times of a data set: from respdict.json's counts, or from TR reports"},                           \
    {"timing.tr", BT_SET_REAL, offsetof(options, timing.tr), BT_SCIENCE, "2.0045", NULL, 0.01, 100, "s",               \
     "repetition time, for timing.source=respdict"},                                                                   \
    {"timing.sound_start", BT_SET_REAL, offsetof(options, timing.sound_start), BT_SCIENCE, "10.0235", NULL,            \
     -1000, 1000, "s", "the sound's start after the first trigger, for timing.source=respdict"},                       \
    {"timing.at", BT_SET_CHOICE, offsetof(options, timing.at), BT_SCIENCE, "middle", "middle|start", 0, 0, NULL,       \
     "which point of a volume is its time"},                                                                           \
    {"timing.reports", BT_SET_TEXT, offsetof(options, timing.reports), BT_PATHS | BT_OPTIONAL, NULL, NULL, 0, 0, NULL, \
     "folder of STORY.report files, for timing.source=trfile"}
// clang-format on

/* *times (n), seconds from the start of the sound: one per trigger, n = respdict - 5. With TR reports a missed trigger
 * has been put in; their count must agree with respdict's (BT_ERR_INPUT naming both files). */
bt_status bt_story_times(const bt_dataset *dataset, const char *story, const bt_timing *timing, double **times,
                         size_t *n) BT_MUST_CHECK;
/* STORY.report in timing->reports; a new string. */
char *bt_story_report_path(const bt_timing *timing, const char *story);

/* The stories that a list names. An item is a story of respdict or a role of the data set's own ROOT/stories.yaml
 * ("stories.encode: [a, b]" is the role "encode"); an empty list is every story. Sorted, each once. Errors,
 * BT_ERR_INPUT: a name that is neither (with the nearest), a role that names an unknown story. */
bt_status bt_stories_resolve(const bt_dataset *dataset, const bt_names *list, bt_names *stories) BT_MUST_CHECK;

/* The stories of the role pretrain: sound and transcript only, which nobody heard; none where it is not defined. */
bt_status bt_stories_unheard(const bt_dataset *dataset, bt_names *stories) BT_MUST_CHECK;

#endif
