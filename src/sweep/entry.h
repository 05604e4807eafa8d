/* An entry of the YAML (tune.brain, encode.alignment, features, ...): its settings into a task's, and what it
 * enumerates.
 */
#ifndef BT_SWEEP_ENTRY_H
#define BT_SWEEP_ENTRY_H

#include "base/status.h"
#include "sweep/experiment.h"
#include "sweep/plan.h"
#include "sweep/program.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const bt_program *program;
    bt_experiment *experiment;
    bt_plan *plan;
    const struct bt_data *data; /* for stories.*; NULL: none have to be resolved */
    const char *section;        /* "encode.alignment", for messages */
    const char *const *own;     /* keys that are no settings of the stage, NULL behind the last; NULL: none */
    const char *subject;        /* for {subject} and allow_missing; NULL */
    const bt_names *subjects;   /* of a task of several; NULL */
} bt_entry;

typedef enum { BT_ENTRY_PRESET, BT_ENTRY_OWN, BT_ENTRY_ALL, BT_ENTRY_DEFAULTS } bt_entry_part;

/* Puts the settings below the map `settings` into the draft: those that come from a preset, as defaults; those that do
 * not; all; or all as defaults.
 * Values of stories.* become stories, paths become absolute inputs. What is not built yet becomes a gap of the plan. A
 * preset's key that the stage does not have is passed over; any other is BT_ERR_USAGE with the nearest. */
bt_status bt_entry_put(const bt_entry *entry, const bt_node *settings, bt_entry_part part,
                       bt_draft *draft) BT_MUST_CHECK;

/* The file that a node names: from the folder of its own file, else below `installed` of what came with the program. */
bt_status bt_entry_file(bt_region *region, const bt_node *node, const char *installed, const char **path) BT_MUST_CHECK;

/* One of what an entry enumerates: the entry with one value in each place, and how it differs, "target=gpt2 ..." or "".
 */
typedef struct {
    const bt_node *entry;
    const char *label;
} bt_choice;

/* {each: [...]} anywhere, and lists at the keys `listed` (NULL behind the last): every combination, in the file's
 * order. The array is of the region. */
bt_status bt_entry_choices(bt_region *region, const bt_node *entry, const char *const *listed, bt_choice **choices,
                           size_t *n) BT_MUST_CHECK;

/* Items of a list, or of a text "0,1,2"; NULL: `missing`, one item. */
bt_status bt_entry_list(const bt_node *node, const char *key, const char *missing, bt_names *items) BT_MUST_CHECK;

#endif
