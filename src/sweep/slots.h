/* A plan cut into slots: what one job of an array runs, for slurm/submit. */
#ifndef BT_SWEEP_SLOTS_H
#define BT_SWEEP_SLOTS_H

#include "base/status.h"
#include "base/text.h"
#include "sweep/plan.h"
#include "sweep/state.h"

#include <stdbool.h>

/* One line a slot, tab-separated: STAGE, RANKS, THREADS, MEMORY_BYTES_PER_RANK, SECONDS, TASKS, AT_ONCE, DEPENDS. Tasks
 * of one shape share a slot up to `seconds` by their estimates. A stage whose tasks need each other comes in levels,
 * tune and tune.2. DEPENDS: stages of slots here that make what is needed. picked (n_task): the tasks to submit. */
bt_status bt_slots_print(const bt_plan *plan, const bool *picked, double seconds, bt_text *out) BT_MUST_CHECK;

/* Tasks that are not done: all of them, or those that failed, were killed or are blocked, or the others. */
typedef enum { BT_PICK_ALL, BT_PICK_FAILED, BT_PICK_MISSING } bt_pick;
bool bt_slot_is_picked(const bt_report *report, bt_pick pick);

#endif
