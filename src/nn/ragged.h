/* Sequences of unequal length joined without padding: the owner of what device/layers.h calls bt_sequences. */
#ifndef BT_NN_RAGGED_H
#define BT_NN_RAGGED_H

#include "base/status.h"
#include "device/layers.h"

#include <stddef.h>

/* Zero-initialise; free with bt_ragged_clear. */
typedef struct {
    size_t n, capacity;
    size_t *offsets; /* (n + 1) */
} bt_ragged;

/* n sequences, all empty. */
bt_status bt_ragged_reset(bt_ragged *ragged, size_t n) BT_MUST_CHECK;
void bt_ragged_clear(bt_ragged *ragged);

/* Sequence s gets `length` rows; to be called for s = 0, 1, ... in order. */
void bt_ragged_set(bt_ragged *ragged, size_t s, size_t length);
size_t bt_ragged_length(const bt_ragged *ragged, size_t s);
size_t bt_ragged_longest(const bt_ragged *ragged);
size_t bt_ragged_total(const bt_ragged *ragged);
bt_sequences bt_ragged_view(const bt_ragged *ragged);

#endif
