/* A long vector of which every rank has a part of the sum: summed bucket by bucket while it is still being made, each
 * rank keeping one slice of every bucket; later each rank's new slices go to all. What data-parallel training needs:
 * gradients in, parameters out, optimiser state for the slices only.
 *
 * A bucket's slices are bt_partition's. Sums are taken in rank order from what arrived, so they do not depend on who
 * came first: bitwise equal from run to run on as many ranks, and to rounding between rank counts.
 *
 * Cost for n elements on P ranks: each rank sends and receives n (P - 1) / P elements for the sums and as many for the
 * sharing, which is the least that any algorithm needs, in P - 1 messages a bucket each way; memory: the outgoing
 * vector and n (P - 1) / P elements that arrive. */
#ifndef BT_DIST_EXCHANGE_H
#define BT_DIST_EXCHANGE_H

#include "base/status.h"
#include "dist/comm.h"
#include "dist/partition.h"

#include <stddef.h>
#include <stdint.h>

typedef struct bt_exchange bt_exchange;

typedef struct {
    int64_t bytes_sent, messages; /* by this rank */
    double waited;                /* s in which there was nothing left to do but wait */
} bt_exchange_count;

/* Collective. bounds (n_bucket + 1), ascending from 0, equal on all ranks; a bucket has fewer than 2^30 elements. */
bt_status bt_exchange_create(const bt_comm *comm, const size_t *bounds, size_t n_bucket,
                             bt_exchange **out) BT_MUST_CHECK;
void bt_exchange_destroy(bt_exchange **exchange); /* takes NULL; not while sums are under way */

size_t bt_exchange_buckets(const bt_exchange *exchange);
bt_range bt_exchange_bucket(const bt_exchange *exchange, size_t bucket);
bt_range bt_exchange_slice(const bt_exchange *exchange, size_t bucket); /* mine, in elements of the whole vector */

/* The whole vector on its way, (bounds[n_bucket]): the caller fills a bucket before it starts, and reads all of it
 * after bt_exchange_share. */
float *bt_exchange_vector(bt_exchange *exchange);

/* Collective, in the same order of buckets on all ranks; returns at once. */
bt_status bt_exchange_start(bt_exchange *exchange, size_t bucket) BT_MUST_CHECK;
/* Lets what is under way move on. */
bt_status bt_exchange_progress(bt_exchange *exchange) BT_MUST_CHECK;
/* Collective: waits for every bucket, each of which must have started; my slices of the vector hold the sums. */
bt_status bt_exchange_finish(bt_exchange *exchange) BT_MUST_CHECK;
/* Collective: my slices of the vector go to all ranks. */
bt_status bt_exchange_share(bt_exchange *exchange) BT_MUST_CHECK;

bt_exchange_count bt_exchange_counted(const bt_exchange *exchange); /* since it was created */

#endif
