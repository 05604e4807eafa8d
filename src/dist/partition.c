#include "dist/partition.h"

#include <assert.h>

bt_range bt_partition(size_t rank, size_t size, size_t n)
{
    assert(size > 0 && rank < size);
    const size_t base = n / size, extra = n % size;
    const size_t low = rank * base + (rank < extra ? rank : extra);
    return (bt_range){.low = low, .high = low + base + (rank < extra)};
}

size_t bt_partition_owner(size_t size, size_t n, size_t index)
{
    assert(size > 0 && index < n);
    const size_t base = n / size, extra = n % size;
    const size_t in_longer = extra * (base + 1);
    return index < in_longer ? index / (base + 1) : extra + (index - in_longer) / base;
}
