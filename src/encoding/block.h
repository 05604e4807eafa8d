/* Device memory for one block of voxels, which all fits that look at the block share: each part grows to the largest
 * that was asked for. */
#ifndef BT_ENCODING_BLOCK_H
#define BT_ENCODING_BLOCK_H

#include "device/device.h"
#include "device/shorts.h"

typedef enum {
    BT_PART_RESPONSE,  /* training rows */
    BT_PART_HELD_OUT,  /* rows to predict */
    BT_PART_ROTATED,   /* q = U'Y */
    BT_PART_PAIRED,    /* t, or u */
    BT_PART_NEAR,      /* v */
    BT_PART_PROJECTED, /* z */
    BT_PART_SUMS,      /* per penalty */
    BT_PART_MORE_SUMS,
    BT_PART_PREDICTED,
    BT_PART_VISITOR, /* rows of another rank */
    BT_PARTS
} bt_block_part;

/* Zero-initialise, set `device`, clear. */
typedef struct {
    bt_device *device;             /* borrowed */
    bt_buffer *parts[BT_PARTS][2]; /* float32, float64 */
    bt_shorts shorts;              /* responses, for rough searches */
} bt_block;

/* A (rows, columns) matrix whose content is what was left there. */
bt_status bt_block_take(bt_block *block, bt_block_part part, bt_dtype type, size_t rows, size_t columns,
                        bt_matrix *out) BT_MUST_CHECK;
void bt_block_clear(bt_block *block);

/* Rows of responses: n of them by index, ascending, or with index NULL the first n. */
typedef struct {
    size_t n;
    const size_t *index; /* (n), borrowed */
} bt_row_list;

/* rows (n, n_voxel) of y (., n_voxel), by index. */
void bt_take_rows(const float *y, size_t n_voxel, bt_row_list rows, float *to);

/* These rows of y (., n_voxel) on the device, in `type`; column (n_voxel): in which order, NULL: as they are. */
bt_status bt_block_send(bt_block *block, bt_block_part part, bt_dtype type, const float *y, size_t n_voxel,
                        bt_row_list rows, const size_t *column, bt_matrix *out) BT_MUST_CHECK;

#endif
