/* Columns that ranks hold by bt_partition, together on rank 0 of a communicator. */
#ifndef BT_ENCODING_GATHER_H
#define BT_ENCODING_GATHER_H

#include "base/status.h"
#include "dist/comm.h"

#include <stdbool.h>
#include <stddef.h>

/* Collective. mine (n_row, my columns) of elements of `size` bytes -> all (n_row, n_column) on rank 0 (NULL elsewhere).
 */
bt_status bt_gather_columns(const bt_comm *comm, const void *mine, size_t n_row, size_t n_column, size_t size,
                            void *all) BT_MUST_CHECK;

#endif
