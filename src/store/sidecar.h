/* Run facts beside an artefact, TARGET.run.json: start, end, host, ranks, threads, version, peak memory. They never
 * count for equality. */
#ifndef BT_STORE_SIDECAR_H
#define BT_STORE_SIDECAR_H

#include "base/status.h"

#include <stddef.h>

/* What main knows and the store does not: the program's version and the threads of this rank. Without it the side-car
 * says "unknown" and 0. `version` is copied, cut at 63 characters. */
void bt_run_describe(const char *version, int threads);
int bt_run_threads(void);

typedef struct {
    const char *recipe_digest;
    const char *start; /* bt_time_stamp */
    double seconds;
    int ranks;
    double peak_memory; /* bytes, the largest rank's */
} bt_run_facts;

bt_status bt_sidecar_write(const char *target, const bt_run_facts *facts) BT_MUST_CHECK;
char *bt_sidecar_path(const char *target); /* a new string */

#endif
