/* How far a plan's tasks are, from what lies on the disk: results in the store, records beside the plan, leases.
 *
 *     STORE/STAGE/DIGEST...                a result: the task is done, whoever made it
 *     STORE/plans/NAME-DIGEST/7.json       the record of task 7: begun, failed, interrupted; done only where a stage
 *                                          makes no artefact
 *     STORE/running/.DIGEST.lease          who runs it now (store/lease.h)
 *
 * A record of "begun" without a living holder of the lease is a task that was killed. */
#ifndef BT_SWEEP_STATE_H
#define BT_SWEEP_STATE_H

#include "base/status.h"
#include "base/text.h"
#include "store/lease.h"
#include "sweep/plan.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum {
    BT_STATE_WAITING, /* not begun, or its inputs are not there yet */
    BT_STATE_RUNNING,
    BT_STATE_DONE,
    BT_STATE_FAILED,
    BT_STATE_BLOCKED,     /* an input failed */
    BT_STATE_KILLED,      /* begun, and nobody is at it any more; `run` begins again */
    BT_STATE_INTERRUPTED, /* ended with its state saved; `run` goes on */
    BT_STATE_COUNT
} bt_state;

const char *bt_state_name(bt_state state);
bool bt_state_is_settled(bt_state state); /* done, failed, blocked: nothing more will happen by itself */

/* Texts are of the report; zero-initialise, clear. */
typedef struct {
    bt_state state;
    int code; /* exit code of a failed task */
    char *message, *host, *time;
    long pid;
    double since, age; /* of a running one: seconds since 1970, seconds since its last heartbeat */
    size_t by;         /* of a blocked one: the task that failed */
} bt_report;

void bt_report_clear(bt_report *report);

/* All tasks. reports (n_task), zeroed. */
bt_status bt_states_read(const bt_plan *plan, bt_report *reports) BT_MUST_CHECK;
void bt_reports_free(const bt_plan *plan, bt_report *reports); /* takes NULL */

/* One task by its own result, record and lease; needs only count where a stage makes no artefact: it is done when it
 * took all of them that are there now. */
bt_status bt_state_look(const bt_plan *plan, size_t task, bt_report *out) BT_MUST_CHECK;

/* Records, whole or not at all. The message is cut to its last line. */
bt_status bt_state_begin(const bt_plan *plan, size_t task, int ranks) BT_MUST_CHECK;
bt_status bt_state_done(const bt_plan *plan, size_t task) BT_MUST_CHECK;
bt_status bt_state_failed(const bt_plan *plan, size_t task, bt_state state, int code,
                          const char *message) BT_MUST_CHECK;
bt_status bt_state_forget(const bt_plan *plan, size_t task) BT_MUST_CHECK; /* of a failure: it may be tried again */

/* STORE/running/DIGEST, the lease's target; a new string. */
char *bt_state_lease(const bt_plan *plan, size_t task);

#endif
