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
}

void bt_take_rows(const float *y, size_t n_voxel, bt_row_list rows, float *to)
{
    for (size_t i = 0; n_voxel > 0 && i < rows.n; ++i)
        memcpy(to + i * n_voxel, y + rows.index[i] * n_voxel, n_voxel * sizeof *to);
}

/* How many rows from `first` of the list on lie one behind the other. */
static size_t run_length(bt_row_list rows, size_t first)
{
    size_t n = 1;
    while (first + n < rows.n && rows.index[first + n] == rows.index[first] + n) ++n;
    return n;
}

bt_status bt_block_send(bt_block *block, bt_block_part part, bt_dtype type, const float *y, size_t n_voxel,
                        bt_row_list rows, bt_matrix *out)
{
    bt_status status = BT_OK;
    bt_matrix single = {0};
    BT_TRY(bt_block_take(block, part, BT_F32, rows.n, n_voxel, &single));
    for (size_t i = 0, n = 0; i < rows.n; i += n) {
        n = rows.index ? run_length(rows, i) : rows.n;
        const size_t from = rows.index ? rows.index[i] : 0;
        BT_TRY(bt_buffer_write(single.buffer, i * n_voxel, y + from * n_voxel, n * n_voxel));
    }
    *out = single;
    if (type == BT_F32) goto cleanup;
    BT_TRY(bt_block_take(block, part, BT_F64, rows.n, n_voxel, out));
    BT_TRY(bt_convert(block->device, single, *out));
cleanup:
    return status;
}

bt_status bt_block_send_columns(bt_block *block, bt_block_part part, bt_dtype type, const float *y, size_t n_voxel,
                                bt_row_list rows, const size_t *column, bt_matrix *out)
{
    bt_status status = BT_OK;
    BT_TRY(bt_block_take(block, part, type, rows.n, n_voxel, out));
    for (size_t i = 0, n = 0; i < rows.n; i += n) {
        n = rows.index ? run_length(rows, i) : rows.n;
        const size_t from = rows.index ? rows.index[i] : 0;
        BT_TRY(bt_write_columns(block->device, y + from * n_voxel, n_voxel, column,
                                bt_matrix_part(*out, i, 0, n, n_voxel)));
    }
cleanup:
    return status;
}
