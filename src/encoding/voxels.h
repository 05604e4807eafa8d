/* This rank's voxels: training and test responses in blocks of columns, which voxels cannot be fitted, and the powers
 * of the test repeats. The responses are held when they fit into the memory given, else read again block by block. */
#ifndef BT_ENCODING_VOXELS_H
#define BT_ENCODING_VOXELS_H

#include "dist/comm.h"
#include "dist/partition.h"
#include "stimulus/powers.h"
#include "stimulus/responses.h"
#include "stimulus/story_rows.h"

typedef struct bt_voxels bt_voxels;

typedef enum { BT_VOXEL_KEPT, BT_VOXEL_NAN, BT_VOXEL_CONSTANT } bt_voxel_state;

typedef struct {
    const bt_responses *train;      /* borrowed, as the next three */
    const bt_responses *test;       /* with repeats: their mean is the target; NULL: there are no test rows */
    const bt_story_rows *test_rows; /* of the test responses, before `drop` */
    const bt_comm *comm;            /* that the responses were opened with */
    size_t drop;                    /* rows left out at the start of each test story */
    bt_total_power total_power;
    size_t block;      /* voxels that are asked for at once, at most */
    double held_bytes; /* what the responses may take */
} bt_voxels_options;

/* Collective. Reads everything once. */
bt_status bt_voxels_create(const bt_voxels_options *options, bt_voxels **out) BT_MUST_CHECK;
void bt_voxels_destroy(bt_voxels **voxels); /* takes NULL */

bt_range bt_voxels_range(const bt_voxels *voxels); /* mine, among all voxels */
size_t bt_voxels_count(const bt_voxels *voxels);   /* mine */
size_t bt_voxels_train_rows(const bt_voxels *voxels);
size_t bt_voxels_test_rows(const bt_voxels *voxels); /* without the dropped ones */
bool bt_voxels_are_held(const bt_voxels *voxels);
/* Mine whose training mean is more than one standard deviation from 0: ridge has no intercept to fit it. */
size_t bt_voxels_off_centre(const bt_voxels *voxels);
bt_voxel_state bt_voxels_state(const bt_voxels *voxels, size_t voxel); /* voxel counts from my first */
bt_power bt_voxels_power(const bt_voxels *voxels, size_t voxel);       /* zeros without repeats */

/* y (n_row, n) and y_test (n_test_row, n) of my voxels [low, low + n), borrowed until the next call; low is a multiple
 * of block, n is block or what is left. Columns of voxels that are not kept are 0. This rank alone. */
bt_status bt_voxels_block(bt_voxels *voxels, size_t low, size_t n, const float **y, const float **y_test) BT_MUST_CHECK;

/* Bytes that holding n_voxel voxels takes, with the work of reading repeats. */
double bt_voxels_bytes(const bt_voxels_options *options, size_t n_voxel);

#endif
