/* An experiment's YAML with everything that stands for something else replaced: `extends`, `set`, `only`, `like`,
 * presets, ${VAR}, and key=value of the command line. What is left are sections that expand.h enumerates.
 *
 *     extends: ../paper.yaml               this file's keys on top of that one's, map by map
 *     set: {tune.brain.models: [wav2vec2]} dotted paths, after extends, before like
 *     like: alignment                      an entry on top of another one's, of its section or another (encode.a)
 *     only: [tune.brain, encode.alignment] of the entries of tune, encode, lowlevel, probe and prefer, after like
 */
#ifndef BT_SWEEP_EXPERIMENT_H
#define BT_SWEEP_EXPERIMENT_H

#include "base/status.h"
#include "base/text.h"
#include "sweep/tree.h"

#include <stdbool.h>
#include <stddef.h>

enum { BT_MOST_PRESETS = 32 };

typedef struct {
    bt_region region;
    const char *file; /* as given */
    const bt_node *root;
    bt_names left_out; /* "tune.random": written, but not in `only` */
    bt_names presets;  /* files that presets were read from */
    bt_names named;    /* presets that were read, by the file that names them and the name */
    const bt_node *read[BT_MOST_PRESETS];
} bt_experiment;

/* words (n_word): key.path=value, on top of the file. Errors, BT_ERR_USAGE with file:line:column: those of
 * bt_tree_read, loops of extends and like, unknown sections and entries (with the nearest). */
bt_status bt_experiment_read(const char *path, size_t n_word, char *const *words, bt_experiment *out) BT_MUST_CHECK;
void bt_experiment_clear(bt_experiment *experiment); /* takes a zeroed one */

/* Was this key written in a preset, not in the experiment? */
bool bt_experiment_is_preset(const bt_experiment *experiment, bt_place place);
/* The name of the preset of an entry, or the experiment's own; "clean" when none is named. */
const char *bt_experiment_preset(const bt_experiment *experiment, const bt_node *entry);

/* What the preset of an entry (NULL: the experiment's) has at `block`, "lowlevel"; NULL when nothing. */
bt_status bt_experiment_block(bt_experiment *experiment, const bt_node *entry, const char *block,
                              const bt_node **out) BT_MUST_CHECK;

/* A file with the files it extends below it, but nothing else of the above: for presets. */
bt_status bt_experiment_layers(bt_region *region, const char *path, bt_names *files, const bt_node **out) BT_MUST_CHECK;

#endif
