/* Presets: data files that fix every setting, keyed by stage. experiments/presets/NAME.yaml; one may extend another. */
#ifndef BT_SWEEP_PRESET_H
#define BT_SWEEP_PRESET_H

#include "base/status.h"
#include "base/text.h"
#include "store/stage.h"
#include "sweep/tree.h"

/* `named`: a name (clean), or a path that ends in .yaml, from the folder of the file at `place`. A name is looked for
 * in presets/ beside that file, then among those that came with the program. `files` gets what was read. Errors,
 * BT_ERR_USAGE: no such preset, with those that there are. */
bt_status bt_preset_read(bt_region *region, const char *named, bt_place place, bt_names *files,
                         const bt_node **out) BT_MUST_CHECK;
/* "paper" of "paper", "paper.yaml" and "presets/paper.yaml"; valid until the next call of this thread. */
const char *bt_preset_name(const char *named);
/* Names of the presets that came with the program, sorted. */
bt_status bt_preset_names(bt_names *names) BT_MUST_CHECK;

/* Every setting of a preset as "stage.key" and its text, in the file's order. */
bt_status bt_preset_settings(const bt_node *preset, bt_names *keys, bt_names *values) BT_MUST_CHECK;
/* A preset's settings of one stage as words "key?=value", those that the stage has; none when the preset says nothing
 * of it. Errors as of bt_preset_read from the command line. */
bt_status bt_preset_words(const char *named, const bt_stage *stage, bt_names *words) BT_MUST_CHECK;
/* The settings in which two presets differ, as a table. */
bt_status bt_preset_diff(const char *a, const char *b, bt_text *out) BT_MUST_CHECK;

#endif
