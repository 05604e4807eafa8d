/* Memory that lives as long as what it belongs to (a tree, a plan): texts and arrays that are never freed one by one.
 */
#ifndef BT_SWEEP_REGION_H
#define BT_SWEEP_REGION_H

#include "base/status.h"

#include <stddef.h>

/* Zero-initialise. Blocks of some size are cut up from the front; what is larger has one of its own. */
typedef struct {
    size_t n, capacity;
    void **blocks;
    char *open;  /* the block that is being cut */
    size_t left; /* bytes of it */
} bt_region;

/* Zeroed; NULL when memory is out, with the message set. Likewise the two below. */
void *bt_region_take(bt_region *region, size_t count, size_t size);
char *bt_region_text(bt_region *region, const char *text);
char *bt_region_print(bt_region *region, const char *format, ...) BT_PRINTF(2, 3);
void bt_region_clear(bt_region *region);

/* BT_TAKE(p, bt_region_...(...)): p, or status and `goto cleanup`. */
#define BT_TAKE(pointer, call)                                                                                         \
    do {                                                                                                               \
        (pointer) = (call);                                                                                            \
        if (!(pointer)) {                                                                                              \
            status = BT_ERR_MEMORY;                                                                                    \
            goto cleanup;                                                                                              \
        }                                                                                                              \
    } while (0)

#endif
