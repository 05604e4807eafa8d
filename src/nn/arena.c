#include "nn/arena.h"

#include "base/memory.h"

#include <stdbool.h>

enum { ELEMENTS_OF_A_LINE = 16 };

struct bt_arena {
    bt_device *device;
    bt_buffer *buffer;
    size_t count;
};

static size_t slot_size(const bt_arena_slot *slot)
{
    return (slot->rows * slot->columns + ELEMENTS_OF_A_LINE - 1) / ELEMENTS_OF_A_LINE * ELEMENTS_OF_A_LINE;
}

/* Both in time and in memory. */
static bool collide(const bt_arena_slot *a, const bt_arena_slot *b)
{
    return a->first <= b->last && b->first <= a->last && a->offset < b->offset + slot_size(b) &&
           b->offset < a->offset + slot_size(a);
}

/* The lowest offset at which slot `i` collides with none of those before it. */
static size_t lowest_offset(bt_arena_slot *slots, size_t i)
{
    bt_arena_slot *const slot = &slots[i];
    slot->offset = 0;
    for (size_t j = 0; j < i;)
        if (collide(slot, &slots[j])) {
            slot->offset = slots[j].offset + slot_size(&slots[j]);
            j = 0;
        } else {
            ++j;
        }
    return slot->offset;
}

size_t bt_arena_layout(bt_arena_slot *slots, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; ++i) {
        const size_t end = lowest_offset(slots, i) + slot_size(&slots[i]);
        count = end > count ? end : count;
    }
    return count;
}

bt_status bt_arena_create(bt_device *device, bt_arena **out)
{
    *out = bt_calloc(1, sizeof **out);
    if (!*out) return BT_ERR_MEMORY;
    (*out)->device = device;
    return BT_OK;
}

void bt_arena_destroy(bt_arena **arena)
{
    if (!*arena) return;
    bt_buffer_destroy(&(*arena)->buffer);
    bt_free(*arena);
    *arena = NULL;
}

bt_status bt_arena_plan(bt_arena *arena, bt_arena_slot *slots, size_t n)
{
    bt_status status = BT_OK;
    const size_t count = bt_arena_layout(slots, n);
    if (arena->buffer && count <= arena->count) return BT_OK;
    bt_buffer_destroy(&arena->buffer);
    arena->count = 0;
    BT_TRY(bt_buffer_create(arena->device, BT_F32, count, &arena->buffer));
    arena->count = count;
cleanup:
    return status;
}

bt_matrix bt_arena_matrix(const bt_arena *arena, const bt_arena_slot *slot)
{
    return (bt_matrix){.buffer = arena->buffer,
                       .offset = slot->offset,
                       .rows = slot->rows,
                       .columns = slot->columns,
                       .stride = slot->columns};
}
