/* The models of an experiment: those in folders, and those that `tune` makes of them. Names stand for sets. */
#ifndef BT_SWEEP_MODELS_H
#define BT_SWEEP_MODELS_H

#include "base/status.h"
#include "sweep/cost.h"
#include "sweep/data.h"
#include "sweep/entry.h"
#include "sweep/plan.h"
#include "sweep/program.h"

#include <stdbool.h>
#include <stddef.h>

/* One model that can be evaluated. Texts are the experiment's. */
typedef struct {
    const char *set;     /* "pretrained", "untrained", or the entry of tune */
    const char *model;   /* key of `models` that it is, or was tuned from */
    const char *subject; /* whose fMRI tuned it alone; "" */
    const char *choice;  /* what its entry enumerates and this one is: "target=gpt2-medium seed=1", or "" */
    const char *label;   /* "brain.wav2vec2 UTS03 seed=1" */
    const char *path;    /* folder that is there; NULL when a task makes it */
    size_t task;         /* that makes it, or BT_NO_TASK */
    const char *tail;    /* path inside the task's folder */
    const char *why;     /* not built: why, and where it says so; NULL */
    bt_place place;
    bt_about about; /* its set, model, objective, target, tuned_subject, seed, as tables will have them */
    bt_model_size size;
} bt_variant;

typedef struct {
    size_t n, capacity;
    size_t *v; /* (n) */
} bt_indices;

bt_status bt_indices_add(bt_indices *indices, size_t index) BT_MUST_CHECK; /* once each */

typedef struct {
    const char *name;
    enum { BT_SET_NEW, BT_SET_OPEN, BT_SET_DONE } state;
    bt_indices variants;
} bt_model_set;

/* Everything about an experiment while it is expanded. */
typedef struct bt_expansion {
    const bt_program *program;
    bt_experiment *experiment;
    bt_region *region; /* the experiment's */
    bt_plan *plan;
    bt_data data;
    size_t n_variant, variant_capacity;
    bt_variant *variants;
    size_t n_set, set_capacity;
    bt_names frames;    /* "MODEL WINDOWS STORY" whose frames a task stores, for costs */
    bt_model_set *sets; /* entries of tune; and one per key of `models`, named "MODEL" */
} bt_expansion;

void bt_expansion_clear(bt_expansion *x);

/* The variant of a key of `models`, which `key` ("tune.brain.models") names: BT_ERR_USAGE, BT_ERR_INPUT for an unknown
 * name, a folder that is not there. */
bt_status bt_models_base(bt_expansion *x, const char *key, const char *name, bt_place place,
                         size_t *variant) BT_MUST_CHECK;
/* The variants of an entry of tune; adds its tasks to the plan at first. */
bt_status bt_models_tuned(bt_expansion *x, const char *name, bt_place place, const bt_indices **variants) BT_MUST_CHECK;
bt_status bt_models_add(bt_expansion *x, const bt_variant *variant, size_t *index) BT_MUST_CHECK;

/* What a list of `models:` means: names of `models`, `pretrained`, `untrained`, entries of tune, each also with .MODEL.
 * models_of narrows to those keys of `models`; NULL: what `families` lists, for pretrained and untrained only. What
 * `only` left out is passed over. section: "encode.alignment", for messages. */
bt_status bt_models_select(bt_expansion *x, const char *section, const bt_node *list, const bt_node *models_of,
                           bt_indices *out) BT_MUST_CHECK;

/* The task that there would be, as a gap. */
bt_status bt_expansion_gap(bt_expansion *x, const char *stage, const char *section, const char *label, const char *why,
                           bt_place place) BT_MUST_CHECK;
/* The same, of something that a table would be about. */
bt_status bt_expansion_gap_about(bt_expansion *x, const char *stage, const char *section, const char *label,
                                 const char *why, bt_place place, const bt_about *about) BT_MUST_CHECK;

/* Of expand_tune.c: an entry's tasks and variants. */
bt_status bt_expand_tune(bt_expansion *x, const char *name, const bt_node *entry, bt_indices *out) BT_MUST_CHECK;

#endif
