/* Who owns what: pure functions of (rank, size, n). */
#ifndef BT_DIST_PARTITION_H
#define BT_DIST_PARTITION_H

#include <stddef.h>

typedef struct {
    size_t low, high; /* [low, high) */
} bt_range;

/* Blocks as equal as possible: the first n % size ranks get one more. */
bt_range bt_partition(size_t rank, size_t size, size_t n);
size_t bt_partition_owner(size_t size, size_t n, size_t index); /* whose range holds index */

#endif
