/* Running a plan: one task after the other, all ranks together. Any number of runs of a plan, and of plans that share
 * tasks, may be at work at once: who begins a task takes its lease, the others go on with other tasks and look again.
 */
#ifndef BT_SWEEP_RUN_H
#define BT_SWEEP_RUN_H

#include "base/status.h"
#include "dist/comm.h"
#include "sweep/plan.h"
#include "sweep/program.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const bt_program *program;
    const bt_plan *plan; /* the same on all ranks */
    const bt_comm *comm;
    const bool *named; /* (n_task) what to run; what they need comes first. NULL: all */
    bool leave;        /* named tasks alone: one whose inputs are not there is left as it is */
    bool retry;        /* named tasks that failed before are tried again; else they stay failed */
    /* Collective: the stage with these settings; its failure is the task's, on all ranks. */
    bt_status (*call)(void *context, const bt_stage *stage, size_t n_word, char *const *words);
    void *context;
    /* Root: which task is at work, so that a rank that has to end the job can say so; BT_NO_TASK behind it. */
    void (*at_work)(void *context, size_t task);
} bt_run;

typedef struct {
    size_t n_ran, n_done, n_failed, n_blocked, n_left; /* of what was to run, and what they need */
} bt_run_outcome;

/* Collective. BT_OK when the run came to its end, whatever became of the tasks. BT_ERR_INTERRUPTED: a stage saved its
 * state and ended, and so does the run; or it ended with a request to stop (base/interrupt.h) that it had not seen.
 * Other failures: the records cannot be written, or the ranks lost each other. */
bt_status bt_plan_run(const bt_run *run, bt_run_outcome *outcome) BT_MUST_CHECK;

#endif
