/* What this rank sends to others, counted as if by the algorithms that send fewest bytes: a broadcast runs along a
 * chain of ranks, sums are a ring's reduce-scatter and all-gather. Summed over the ranks the bytes are what must pass
 * at least, whatever MPI does; messages are those of these algorithms. ScaLAPACK calls MPI by itself: estimates, see
 * dense.h. */
#ifndef BT_DIST_COUNT_H
#define BT_DIST_COUNT_H

#include "dist/comm.h"

typedef enum { BT_SENT_COLLECTIVES, BT_SENT_EXCHANGES, BT_SENT_SCALAPACK, BT_SENT_KINDS } bt_sent_kind;

typedef struct {
    double bytes, messages;
} bt_sent;

/* Since the program started. One thread. */
bt_sent bt_sent_so_far(bt_sent_kind kind);

/* For those who call MPI. */
void bt_sent_add(bt_sent_kind kind, double bytes, double messages);

/* With BRAINTUNE_COUNT in the environment: one line about this rank on standard error. */
void bt_sent_tell(int rank);

#endif
