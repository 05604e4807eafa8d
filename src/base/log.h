/* Messages and progress on standard error. Standard output belongs to results. Only the rank that is told to speak
 * does (bt_log_speak(rank == 0)); the others' calls are silent. */
#ifndef BT_BASE_LOG_H
#define BT_BASE_LOG_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

void bt_log_speak(bool speak);
void bt_log_info(const char *format, ...) BT_PRINTF(1, 2);
void bt_log_warn(const char *format, ...) BT_PRINTF(1, 2); /* "warning: ..."; the same text is said once */

/* Progress of one phase: a first line at once, then at most one a second (a terminal) or one in ten seconds:
 * phase, done/total, rate, time left. No line at all for phases shorter than a second after the first. */
typedef struct {
    const char *phase; /* borrowed; "features: layer states" */
    const char *unit;  /* borrowed; "windows" */
    int64_t total, done;
    double start, last; /* seconds */
} bt_progress;

bt_progress bt_progress_start(const char *phase, const char *unit, int64_t total);
void bt_progress_add(bt_progress *progress, int64_t done);
void bt_progress_end(bt_progress *progress);

#endif
