/* Communicators: the caller's is duplicated once, here, and freed here. MPI_COMM_WORLD appears in main only. */
#ifndef BT_DIST_COMM_H
#define BT_DIST_COMM_H

#include "base/status.h"

#include <mpi.h>
#include <stddef.h>
#include <stdint.h>

typedef struct bt_comm bt_comm;

/* Collective over `from`. Without MPI (MPI not initialised) pass MPI_COMM_NULL: a communicator of one rank whose
 * collectives are copies. */
bt_status bt_comm_create(MPI_Comm from, bt_comm **out) BT_MUST_CHECK;
/* Collective. Ranks with equal colour share a new communicator, ordered by rank. */
bt_status bt_comm_split(const bt_comm *comm, int colour, bt_comm **out) BT_MUST_CHECK;
void bt_comm_destroy(bt_comm **comm); /* collective; takes NULL */

int bt_comm_rank(const bt_comm *comm);
int bt_comm_size(const bt_comm *comm);
int bt_comm_node_size(const bt_comm *comm); /* collective; ranks that share my node's memory */
MPI_Comm bt_comm_mpi(const bt_comm *comm);  /* for dist, io; MPI_COMM_NULL without MPI */

/* Collective. A failure on one rank becomes everyone's: all return the worst status (largest of: own code of the lowest
 * failing rank), with that rank's message, prefixed "rank R: " when there is more than one rank. */
bt_status bt_agree(const bt_comm *comm, bt_status status) BT_MUST_CHECK;

/* Collectives; all of them collective over `comm`, counts in elements, any count (cut into calls below 2^30 bytes). */
bt_status bt_comm_sum_f64(const bt_comm *comm, double *values, size_t n) BT_MUST_CHECK; /* in place, all get it */
bt_status bt_comm_sum_f32(const bt_comm *comm, float *values, size_t n) BT_MUST_CHECK;
bt_status bt_comm_sum_i64(const bt_comm *comm, int64_t *values, size_t n) BT_MUST_CHECK;
bt_status bt_comm_max_f64(const bt_comm *comm, double *values, size_t n) BT_MUST_CHECK;
bt_status bt_comm_broadcast(const bt_comm *comm, int root, void *bytes, size_t n) BT_MUST_CHECK;
/* A text, allocated on the other ranks; NULL stays NULL. */
bt_status bt_comm_broadcast_text(const bt_comm *comm, int root, char **text) BT_MUST_CHECK;
/* Rank r gives counts[r] bytes; root gets all in rank order (others pass NULL). counts (size) equal on all ranks. */
bt_status bt_comm_gather(const bt_comm *comm, int root, const void *mine, const size_t *counts,
                         void *all) BT_MUST_CHECK;
/* Every rank gives n bytes (n < 2^31); all (size n) get all in rank order. */
bt_status bt_comm_all_gather(const bt_comm *comm, const void *mine, size_t n, void *all) BT_MUST_CHECK;
/* values (size n), in rank order; mine (n): the sum over ranks of my part. */
bt_status bt_comm_sum_scatter_f32(const bt_comm *comm, const float *values, size_t n, float *mine) BT_MUST_CHECK;
bt_status bt_comm_barrier(const bt_comm *comm) BT_MUST_CHECK;

/* Collective. What each rank found by itself must be what rank 0 found; else BT_ERR_INPUT with both, on all ranks: a
 * path may lead to another file on another node. */
bt_status bt_comm_same_text(const bt_comm *comm, const char *found) BT_MUST_CHECK;
/* Debug builds: fails (BT_ERR_INTERNAL) unless `value` is the same on all ranks. Release: BT_OK at once. */
bt_status bt_comm_same(const bt_comm *comm, int64_t value, const char *name) BT_MUST_CHECK;

#endif
