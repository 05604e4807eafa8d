/* A plan: stage calls in an order in which each follows what it needs. */
#ifndef BT_SWEEP_PLAN_H
#define BT_SWEEP_PLAN_H

#include "base/settings.h"
#include "base/status.h"
#include "base/text.h"
#include "store/digest.h"
#include "store/stage.h"
#include "sweep/region.h"
#include "sweep/tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BT_NO_TASK SIZE_MAX

/* All ranks together; memory per rank. */
typedef struct {
    double flops, read_bytes, written_bytes, memory_bytes;
} bt_cost;

/* What a result is about, as tables have it; "" where it does not apply. */
typedef struct {
    const char *set; /* of models, as the experiment names it: "pretrained", "brain" */
    const char *model, *objective, *target, *tuned_subject, *subject, *seed;
} bt_about;

typedef struct {
    const char *stage;   /* "encode" */
    const char *section; /* where the experiment asks for it first: "encode.alignment" */
    const char *label;   /* "brain.wav2vec2 UTS03" */
    bt_about about;
    size_t n_also;
    const char **also; /* (n_also) "SECTION\tSET" of other entries that ask for the same */
    size_t n_word;
    const char **words; /* (n_word) key=value and key?=value, without out= and store= */
    size_t n_need;
    size_t *needs;               /* (n_need) indices of tasks before this one */
    char digest[BT_DIGEST_SIZE]; /* of the call: equal work has one name */
    const char *out;             /* STORE/STAGE/DIGEST + suffix, or where a stage without artefact writes */
    bool anew;                   /* such a stage: it takes what there is of its needs */
    bt_cost cost;
    int64_t ranks, threads; /* that the experiment asks for; 1 and 1 unless it does */
    int64_t at_once;        /* jobs of its stage; 0: as many as there is room for */
    double memory;          /* bytes per rank that it asks for; 0: the estimate */
    double seconds;         /* at these ranks and threads; the estimate unless the experiment says */
    size_t level;           /* tasks of its own stage below it, in a chain */
} bt_task;

/* What the experiment asks for and the program cannot do yet. */
typedef struct {
    const char *stage; /* of the task that there would be; "" for a setting */
    const char *section, *label, *why;
    const char *where; /* file:line:column */
    bt_about about;
} bt_gap;

typedef struct {
    bt_region region;
    const char *experiment, *file, *preset, *store, *results;
    char digest[BT_DIGEST_SIZE];
    size_t n_task, task_capacity;
    bt_task *tasks; /* (n_task); task number = index + 1 */
    size_t n_gap, gap_capacity;
    bt_gap *gaps;        /* (n_gap) */
    double rate;         /* FLOP/s of a core behind `seconds` */
    const char *assumed; /* what the estimates rest on that could not be looked up; "" */
    size_t n_slot;
    size_t *slots; /* (n_slot) index + 1 of tasks by digest, 0 = free; NULL when read from a file */
} bt_plan;

void bt_plan_clear(bt_plan *plan); /* takes a zeroed one */

/* A task in the making. Zero-initialise but for `stage`. */
typedef struct {
    const bt_stage *stage;
    const char *section, *label; /* borrowed */
    bt_about about;              /* borrowed; NULL counts as "" */
    bt_names keys, values;       /* settings, in the order in which they were first put */
    bt_names marks;              /* "?" for a default, "" for a setting that was given */
    bt_names inputs;             /* "NAME digest" of tasks */
    bt_text identities;          /* of files that are there */
    size_t n_need, need_capacity;
    size_t *needs;
    bt_cost cost;
} bt_draft;

void bt_draft_clear(bt_draft *draft);
/* A setting of the stage's table, checked; replaces an earlier value. BT_ERR_USAGE with `place`. */
bt_status bt_draft_put(bt_draft *draft, const char *key, const char *value, bt_place place) BT_MUST_CHECK;
/* A default in place of the table's: it gives way to what is put. */
bt_status bt_draft_default(bt_draft *draft, const char *key, const char *value, bt_place place) BT_MUST_CHECK;
/* Takes away the defaults of `key` and of what lies below it. */
void bt_draft_drop_defaults(bt_draft *draft, const char *key);
const char *bt_draft_get(const bt_draft *draft, const char *key); /* "" when not put */
bool bt_draft_knows(const bt_draft *draft, const char *key);
/* An input that another task makes; `tail` is a path inside its folder, or "". key NULL: it is needed, no setting names
 * it. */
bt_status bt_draft_need(bt_draft *draft, const bt_plan *plan, const char *key, size_t task,
                        const char *tail) BT_MUST_CHECK;
/* An input that is there: counts by bt_identity_add under `name`. */
bt_status bt_draft_file(bt_draft *draft, const char *name, const char *path) BT_MUST_CHECK;

/* Adds it, or finds the task of the same digest; *task is its index. `out`: NULL for a place in the store. */
bt_status bt_plan_add(bt_plan *plan, const bt_draft *draft, const char *out, size_t *task) BT_MUST_CHECK;
/* A gap; the same one (stage "", label and place) is kept once. */
bt_status bt_plan_add_gap(bt_plan *plan, const bt_gap *gap) BT_MUST_CHECK;
/* Sets the plan's digest, and each task's level. */
bt_status bt_plan_finish(bt_plan *plan) BT_MUST_CHECK;

/* STORE/plans/NAME-DIGEST.json; and the folder of its tasks' states, the same without .json. New strings. */
char *bt_plan_path(const bt_plan *plan);
char *bt_plan_folder(const bt_plan *plan);

/* Written at once and whole. */
bt_status bt_plan_write(const bt_plan *plan) BT_MUST_CHECK;
bt_status bt_plan_print(const bt_plan *plan, bt_text *out) BT_MUST_CHECK;
/* BT_ERR_INPUT naming file and key. `name` stands for the file in messages. */
bt_status bt_plan_parse(const char *text, const char *name, bt_plan *out) BT_MUST_CHECK;

#endif
