/* What plan and status print. */
#ifndef BT_SWEEP_TABLES_H
#define BT_SWEEP_TABLES_H

#include "base/status.h"
#include "base/text.h"
#include "sweep/plan.h"
#include "sweep/state.h"

#include <stdbool.h>

/* Tasks per stage: all, done, to do, not built. */
bt_status bt_table_tasks(const bt_plan *plan, const bt_report *reports, bt_text *out) BT_MUST_CHECK;
/* What is not built yet, equal reasons together, each with the line that asks for it. */
bt_status bt_table_gaps(const bt_plan *plan, bt_text *out) BT_MUST_CHECK;
/* What is left to do per stage: bytes, memory, FLOPs, hours; with what the numbers rest on. */
bt_status bt_table_costs(const bt_plan *plan, const bt_report *reports, bt_text *out) BT_MUST_CHECK;
/* Tasks per stage and state, and what those that are done took; then who runs what, the last line of each failure, what
 * is blocked by what. */
bt_status bt_table_states(const bt_plan *plan, const bt_report *reports, bt_text *out) BT_MUST_CHECK;

/* What an exit code means, with that of a killed program. */
const char *bt_code_text(int code);

#endif
