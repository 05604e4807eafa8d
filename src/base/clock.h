/* Clocks. */
#ifndef BT_BASE_CLOCK_H
#define BT_BASE_CLOCK_H

#include <stddef.h>

double bt_seconds(void);                     /* monotonic */
void bt_time_stamp(char *text, size_t size); /* now, UTC, ISO 8601, "2026-01-31T12:00:00Z" */
void bt_sleep(double seconds);

#endif
