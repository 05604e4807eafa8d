/* The rows of each optimiser step. Pure functions of the rows, the seed and the epoch: the same on any ranks. */
#ifndef BT_TUNING_BATCHES_H
#define BT_TUNING_BATCHES_H

#include "base/status.h"
#include "tuning/rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    BT_BATCHES_SHUFFLED, /* a permutation of all used rows: bt_random_start(seed, bt_random_stream("batches", epoch)) */
    BT_BATCHES_TIME_ORDER /* in time inside one story, stories in order; the last batch of a story is short */
} bt_batches_order;

typedef struct {
    int order; /* bt_batches_order */
    size_t size;
    uint64_t seed;
} bt_batches_options;

typedef struct bt_batches bt_batches;

/* used (bt_rows_count), or NULL: all. Every used row is in one batch of an epoch; the last batch may be short. Errors:
 * BT_ERR_INPUT when no row is used. */
bt_status bt_batches_create(const bt_rows *rows, const bool *used, const bt_batches_options *options,
                            bt_batches **out) BT_MUST_CHECK;
void bt_batches_destroy(bt_batches **batches); /* takes NULL */

size_t bt_batches_count(const bt_batches *batches); /* of an epoch; every epoch has as many */
void bt_batches_epoch(bt_batches *batches, size_t epoch);
/* Rows of batch i of the epoch, valid until the next bt_batches_epoch; *n <= size. */
const size_t *bt_batches_rows(const bt_batches *batches, size_t i, size_t *n);

#endif
