#include "dist/grid.h"

#include "base/memory.h"

struct bt_grid {
    size_t extents[BT_AXIS_COUNT], place[BT_AXIS_COUNT];
    bt_comm *comms[BT_AXIS_COUNT];
};

const char *bt_axis_name(bt_axis axis)
{
    switch (axis) {
    case BT_AXIS_SUBJECT: return "subject";
    case BT_AXIS_LAYER: return "layer";
    case BT_AXIS_SPLIT: return "split";
    case BT_AXIS_VOXEL: return "voxel";
    case BT_AXIS_SAMPLE: return "sample";
    case BT_AXIS_COUNT: break;
    }
    return "?";
}

/* Takes the explicit extents out of `size`; what remains is for the automatic ones. */
static bt_status take_explicit(size_t size, const size_t *extents, const size_t *work, size_t *plan, size_t *left)
{
    *left = size;
    for (bt_axis axis = 0; axis < BT_AXIS_COUNT; ++axis) {
        plan[axis] = 1;
        if (extents[axis] <= 1) continue;
        if (!work[axis])
            return bt_fail(BT_ERR_USAGE, "grid.%s=%zu: this stage does not share its work over %ss; leave it out",
                           bt_axis_name(axis), extents[axis], bt_axis_name(axis));
        if (*left % extents[axis])
            return bt_fail(BT_ERR_USAGE,
                           "grid.%s=%zu: the extents must multiply to a divisor of the %zu ranks, and the axes before "
                           "it leave %zu; give a divisor of %zu, or auto",
                           bt_axis_name(axis), extents[axis], size, *left, *left);
        plan[axis] = extents[axis];
        *left /= extents[axis];
    }
    return BT_OK;
}

static size_t largest_divisor(size_t n, size_t most)
{
    size_t best = 1;
    for (size_t d = 1; d <= most && d <= n; ++d)
        if (n % d == 0) best = d;
    return best;
}

bt_status bt_grid_plan(size_t size, const size_t extents[BT_AXIS_COUNT], const size_t work[BT_AXIS_COUNT],
                       size_t plan[BT_AXIS_COUNT])
{
    size_t left = size;
    const bt_status status = take_explicit(size, extents, work, plan, &left);
    if (status != BT_OK) return status;
    bt_axis last = BT_AXIS_COUNT, last_automatic = BT_AXIS_COUNT;
    for (bt_axis axis = 0; axis < BT_AXIS_COUNT; ++axis) {
        if (!work[axis]) continue;
        last = axis;
        if (extents[axis]) continue;
        last_automatic = axis;
        plan[axis] = largest_divisor(left, work[axis]);
        left /= plan[axis];
    }
    if (last_automatic != BT_AXIS_COUNT) last = last_automatic;
    plan[last == BT_AXIS_COUNT ? BT_AXIS_SAMPLE : last] *= left;
    return BT_OK;
}

bt_status bt_grid_create(const bt_comm *comm, const size_t extents[BT_AXIS_COUNT], const size_t work[BT_AXIS_COUNT],
                         bt_grid **out)
{
    bt_status status = BT_OK;
    *out = NULL;
    bt_grid *grid = bt_calloc(1, sizeof *grid);
    BT_TRY(bt_agree(comm, grid ? BT_OK : BT_ERR_MEMORY));
    BT_TRY(bt_grid_plan((size_t)bt_comm_size(comm), extents, work, grid->extents));
    size_t stride = 1; /* between neighbours along an axis; the last axis is the fastest */
    for (int axis = BT_AXIS_COUNT - 1; axis >= 0; --axis) {
        const size_t rank = (size_t)bt_comm_rank(comm);
        grid->place[axis] = rank / stride % grid->extents[axis];
        const size_t line = rank - grid->place[axis] * stride; /* the first rank of my line */
        BT_TRY(bt_agree(comm, bt_comm_split(comm, (int)line, &grid->comms[axis])));
        stride *= grid->extents[axis];
    }
    *out = grid;
    grid = NULL;
cleanup:
    bt_grid_destroy(&grid);
    return status;
}

void bt_grid_destroy(bt_grid **grid)
{
    if (!*grid) return;
    for (bt_axis axis = 0; axis < BT_AXIS_COUNT; ++axis) bt_comm_destroy(&(*grid)->comms[axis]);
    bt_free(*grid);
    *grid = NULL;
}

const bt_comm *bt_grid_axis(const bt_grid *grid, bt_axis axis)
{
    return grid->comms[axis];
}

size_t bt_grid_extent(const bt_grid *grid, bt_axis axis)
{
    return grid->extents[axis];
}

size_t bt_grid_place(const bt_grid *grid, bt_axis axis)
{
    return grid->place[axis];
}
