#include "sweep/region.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 1 << 15, ALIGNMENT = 16 };

static void *take_block(bt_region *region, size_t count, size_t size)
{
    bt_status status = BT_OK;
    void *block = NULL;
    BT_GROW(region->blocks, region->n, region->capacity);
    BT_TAKE(block, bt_calloc(count, size));
    region->blocks[region->n++] = block;
cleanup:
    return status == BT_OK ? block : NULL;
}

void *bt_region_take(bt_region *region, size_t count, size_t size)
{
    if (size && count > BLOCK / 4 / size) return take_block(region, count, size);
    const size_t wanted = (count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!region->open || wanted > region->left) {
        region->open = take_block(region, BLOCK, 1);
        region->left = region->open ? BLOCK : 0;
        if (!region->open) return NULL;
    }
    void *const taken = region->open;
    region->open += wanted;
    region->left -= wanted;
    return taken;
}

char *bt_region_text(bt_region *region, const char *text)
{
    char *const copy = bt_region_take(region, strlen(text) + 1, 1);
    if (copy) memcpy(copy, text, strlen(text));
    return copy;
}

char *bt_region_print(bt_region *region, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *const text = length < 0 ? NULL : bt_region_take(region, (size_t)length + 1, 1);
    if (text) (void)vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

void bt_region_clear(bt_region *region)
{
    for (size_t i = 0; i < region->n; ++i) bt_free(region->blocks[i]);
    bt_free(region->blocks);
    *region = (bt_region){0};
}
