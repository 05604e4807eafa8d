/* Fault injection for tests. BRAINTUNE_FAULT="point:kind[:rank[:nth]]" makes the nth passage (default 1) of a named
 * point on a rank (default every rank) fail: kind `kill` raises SIGKILL, `fail` returns BT_ERR_FILE; `term` raises
 * SIGTERM and the point goes well. Without the variable a point costs one test of a pointer. */
#ifndef BT_BASE_FAULT_H
#define BT_BASE_FAULT_H

#include "base/status.h"

void bt_fault_rank(int rank); /* which rank this process is; 0 unless told */
bt_status bt_fault_point(const char *point) BT_MUST_CHECK;

#endif
