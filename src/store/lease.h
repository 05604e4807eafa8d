/* The lease on a target: who computes it now. Leases save work only; publication is safe without them.
 *
 * On disk: a folder PARENT/.NAME.lease with one empty file whose name says who holds it (store/holder.h) and whose
 * mtime is touched every 5 s. It appears by renaming a private folder onto it, which fails when one with a file in it
 * is there (an empty one counts as none). A dead holder's is taken by renaming the file inside: the name that is given
 * up is unique, so of two takers one finds it gone. Both hold on local and shared file systems. */
#ifndef BT_STORE_LEASE_H
#define BT_STORE_LEASE_H

#include "base/status.h"
#include "dist/comm.h"
#include "store/holder.h"

#include <stdbool.h>
#include <time.h>

typedef struct bt_lease bt_lease;

/* What a waiting process remembers between two tries: a holder on another machine is dead when its heartbeat stood
 * still for `patience` seconds of the watcher's own clock (so that clocks need not agree), or is 10 minutes old at
 * first sight. */
typedef struct {
    double patience;
    char holder[BT_HOLDER_SIZE];
    struct timespec beat;
    double since;
} bt_lease_watch;

bt_lease_watch bt_lease_watch_start(void); /* patience 60 s */

/* Tries once. *out is NULL when another one holds it: *holder says who (pid 0: it has just changed hands). A dead one's
 * is taken with a line that says whose. Errors, BT_ERR_FILE: the folder cannot be written, with the system's reason. */
bt_status bt_lease_try(const char *target, bt_lease_watch *watch, bt_lease **out, bt_holder *holder) BT_MUST_CHECK;

/* *met: what the lease is wanted for is there, nothing is left to do. */
typedef bt_status bt_lease_look_first(void *context, bool *met);
/* Collective; the target and the lease are root's. Tries until it is mine; `look` (or NULL) comes before each try, and
 * ends the wait without a lease when it finds the work done. Waiting is said once. BT_ERR_INTERRUPTED: any rank was
 * told to end meanwhile (base/interrupt.h). */
bt_status bt_lease_wait(const char *target, const bt_comm *comm, bt_lease_look_first *look, void *context,
                        bt_lease **out) BT_MUST_CHECK;
/* Does a process hold it, as far as can be told at a glance: one of this machine that lives, or one elsewhere whose
 * heartbeat is younger than 10 minutes? Then also who, since when and how old the heartbeat is (seconds since 1970,
 * seconds). Takes and changes nothing. */
bool bt_lease_look(const char *target, bt_holder *holder, double *since, double *age);
/* Is it that of a process that ended without letting it go? */
bool bt_lease_is_left(const char *target);
const char *bt_lease_holder(const bt_lease *lease); /* my bt_holder_text */
void bt_lease_release(bt_lease **lease);            /* takes NULL; stops the heartbeat, removes the lease */

#endif
