/* Activations: one buffer, laid out once per shape. Slots that are never in use at the same time share memory; nothing
 * is allocated inside a step whose shapes were planned. */
#ifndef BT_NN_ARENA_H
#define BT_NN_ARENA_H

#include "base/status.h"
#include "device/device.h"

#include <stddef.h>

/* In use from phase `first` to phase `last`, both included; phases are numbers of the caller's. */
typedef struct {
    size_t rows, columns;
    int first, last;
    size_t offset; /* filled by the layout */
} bt_arena_slot;

/* Fills the offsets (first fit in the given order, multiples of 16 elements); elements of the whole. */
size_t bt_arena_layout(bt_arena_slot *slots, size_t n);

typedef struct bt_arena bt_arena;

bt_status bt_arena_create(bt_device *device, bt_arena **out) BT_MUST_CHECK;
void bt_arena_destroy(bt_arena **arena);
/* Lays out the slots; the buffer grows when it is too small, which ends earlier matrices. */
bt_status bt_arena_plan(bt_arena *arena, bt_arena_slot *slots, size_t n) BT_MUST_CHECK;
bt_matrix bt_arena_matrix(const bt_arena *arena, const bt_arena_slot *slot);

#endif
