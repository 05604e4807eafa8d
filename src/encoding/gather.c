#include "encoding/gather.h"

#include "base/memory.h"
#include "dist/partition.h"

#include <string.h>

static void place(const char *blocks, size_t n_rank, size_t n_row, size_t n_column, size_t size, char *all)
{
    for (size_t rank = 0; rank < n_rank; ++rank) {
        const bt_range columns = bt_partition(rank, n_rank, n_column);
        const size_t bytes = (columns.high - columns.low) * size;
        for (size_t i = 0; i < n_row && bytes > 0; ++i, blocks += bytes)
            memcpy(all + (i * n_column + columns.low) * size, blocks, bytes);
    }
}

bt_status bt_gather_columns(const bt_comm *comm, const void *mine, size_t n_row, size_t n_column, size_t size,
                            void *all)
{
    bt_status status = BT_OK;
    const size_t n_rank = (size_t)bt_comm_size(comm);
    const bool root = bt_comm_rank(comm) == 0;
    if (n_rank == 1) {
        if (n_row * n_column > 0) memcpy(all, mine, n_row * n_column * size);
        return BT_OK;
    }
    char *blocks = root ? bt_calloc(n_row * n_column, size) : NULL;
    size_t *counts = bt_calloc(n_rank, sizeof *counts);
    BT_TRY(bt_agree(comm, counts && (blocks || !root) ? BT_OK : BT_ERR_MEMORY));
    for (size_t rank = 0; rank < n_rank; ++rank) {
        const bt_range columns = bt_partition(rank, n_rank, n_column);
        counts[rank] = n_row * (columns.high - columns.low) * size;
    }
    BT_TRY(bt_comm_gather(comm, 0, mine, counts, blocks));
    if (root) place(blocks, n_rank, n_row, n_column, size, all);
cleanup:
    bt_free(blocks);
    bt_free(counts);
    return status;
}
