/* Counted, 64-byte aligned host memory. Every allocation of ours goes through here, so that tests can say that an error
 * path leaked nothing. */
#ifndef BT_BASE_MEMORY_H
#define BT_BASE_MEMORY_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { BT_ALIGNMENT = 64 };

/* count * size zeroed bytes, or NULL with the message set (overflow, no memory). count = 0 gives a valid pointer. */
void *bt_calloc(size_t count, size_t size);

/* Keeps the first old_count elements, zeroes the rest; NULL leaves `block` untouched. block may be NULL. */
void *bt_regrow(void *block, size_t old_count, size_t new_count, size_t size);

void bt_free(void *block); /* takes NULL */

size_t bt_memory_live(void);      /* allocations not yet freed */
size_t bt_memory_peak_rss(void);  /* bytes, of the process (VmHWM) */
size_t bt_memory_available(void); /* bytes the machine or its cgroup can still give */

/* BT_ALLOC(p, n): p = n zeroed elements, else status and `goto cleanup`. */
#define BT_ALLOC(pointer, count)                                                                                       \
    do {                                                                                                               \
        (pointer) = bt_calloc((count), sizeof *(pointer));                                                             \
        if (!(pointer)) {                                                                                              \
            status = BT_ERR_MEMORY;                                                                                    \
            goto cleanup;                                                                                              \
        }                                                                                                              \
    } while (0)

/* Makes room for one element more in a growing array: capacity doubles from 16. */
#define BT_GROW(pointer, count, capacity)                                                                              \
    do {                                                                                                               \
        if ((count) == (capacity)) {                                                                                   \
            const size_t grown_to = (capacity) ? 2 * (capacity) : 16;                                                  \
            void *const grown = bt_regrow((pointer), (count), grown_to, sizeof *(pointer));                            \
            if (!grown) {                                                                                              \
                status = BT_ERR_MEMORY;                                                                                \
                goto cleanup;                                                                                          \
            }                                                                                                          \
            (pointer) = grown;                                                                                         \
            (capacity) = grown_to;                                                                                     \
        }                                                                                                              \
    } while (0)

#endif
