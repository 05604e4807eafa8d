/* The named axes of one grid of ranks: subject, layer, split, voxel, sample (DESIGN 6). A stage says which axes it uses
 * and how many pieces of work each has; the extents' product is the number of ranks that work together. */
#ifndef BT_DIST_GRID_H
#define BT_DIST_GRID_H

#include "dist/comm.h"

typedef enum { BT_AXIS_SUBJECT, BT_AXIS_LAYER, BT_AXIS_SPLIT, BT_AXIS_VOXEL, BT_AXIS_SAMPLE, BT_AXIS_COUNT } bt_axis;

typedef struct bt_grid bt_grid;

const char *bt_axis_name(bt_axis axis);

/* Collective. extents[axis]: ranks along it; 0 = choose (unused axes: 1). Slowest axis first in rank order.
 * `work[axis]` bounds an automatic extent (0 = axis unused). Explicit extents must multiply to a divisor of the size,
 * else BT_ERR_USAGE naming grid.AXIS; what is left over goes to the last used axis. */
bt_status bt_grid_create(const bt_comm *comm, const size_t extents[BT_AXIS_COUNT], const size_t work[BT_AXIS_COUNT],
                         bt_grid **out) BT_MUST_CHECK;
void bt_grid_destroy(bt_grid **grid);

/* The extents that bt_grid_create takes for `size` ranks; pure. Automatic axes get, slowest first, the largest divisor
 * of what is left that is not above their work; the rest goes to the last automatic axis, else to the last used one. */
bt_status bt_grid_plan(size_t size, const size_t extents[BT_AXIS_COUNT], const size_t work[BT_AXIS_COUNT],
                       size_t plan[BT_AXIS_COUNT]) BT_MUST_CHECK;

const bt_comm *bt_grid_axis(const bt_grid *grid, bt_axis axis); /* the ranks that differ from me along `axis` only */
size_t bt_grid_extent(const bt_grid *grid, bt_axis axis);
size_t bt_grid_place(const bt_grid *grid, bt_axis axis); /* my coordinate */

#endif
