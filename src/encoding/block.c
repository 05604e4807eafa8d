#include "encoding/block.h"

#include "device/spectral.h"

#include <string.h>

bt_status bt_block_take(bt_block *block, bt_block_part part, bt_dtype type, size_t rows, size_t columns, bt_matrix *out)
{
    bt_status status = BT_OK;
    bt_buffer **const buffer = &block->parts[part][type == BT_F64];
    if (*buffer && bt_buffer_count(*buffer) < rows * columns) bt_buffer_destroy(buffer);
    if (!*buffer) BT_TRY(bt_buffer_create(block->device, type, rows * columns, buffer));
    *out = bt_matrix_of(*buffer, rows, columns);
cleanup:
    return status;
}

void bt_block_clear(bt_block *block)
{
    for (int part = 0; part < BT_PARTS; ++part)
        for (int type = 0; type < 2; ++type) bt_buffer_destroy(&block->parts[part][type]);
    bt_shorts_clear(&block->shorts);
}

void bt_take_rows(const float *y, size_t n_voxel, bt_row_list rows, float *to)
{
    for (size_t i = 0; n_voxel > 0 && i < rows.n; ++i)
        memcpy(to + i * n_voxel, y + rows.index[i] * n_voxel, n_voxel * sizeof *to);
}

bt_status bt_block_send(bt_block *block, bt_block_part part, bt_dtype type, const float *y, size_t n_voxel,
                        bt_row_list rows, const size_t *column, bt_matrix *out)
{
    bt_status status = BT_OK;
    const bt_picked from = {y, n_voxel, rows.index, column};
    BT_TRY(bt_block_take(block, part, type, rows.n, n_voxel, out));
    BT_TRY(bt_write_picked(block->device, &from, *out));
cleanup:
    return status;
}
