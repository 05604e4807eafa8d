/* The grid's lines of ranks on 1 to 4 ranks. */
#include "base/memory.h"
#include "dist/grid.h"
#include "mpi/dist/expect.h"

#include <stdlib.h>
#include <string.h>

static size_t rank_of(const bt_grid *grid)
{
    size_t rank = 0;
    for (bt_axis axis = 0; axis < BT_AXIS_COUNT; ++axis)
        rank = rank * bt_grid_extent(grid, axis) + bt_grid_place(grid, axis);
    return rank;
}

/* On every line the ranks differ along its axis alone, and stand in the order of their places. */
static void check_lines(const bt_comm *comm, const bt_grid *grid)
{
    EXPECT(rank_of(grid) == (size_t)bt_comm_rank(comm));
    size_t stride = 1;
    for (int axis = BT_AXIS_COUNT - 1; axis >= 0; --axis) {
        const bt_comm *const line = bt_grid_axis(grid, (bt_axis)axis);
        const size_t extent = bt_grid_extent(grid, (bt_axis)axis), place = bt_grid_place(grid, (bt_axis)axis);
        EXPECT((size_t)bt_comm_size(line) == extent);
        EXPECT((size_t)bt_comm_rank(line) == place);
        int64_t ranks[4] = {0};
        ranks[place] = bt_comm_rank(comm);
        EXPECT(bt_comm_sum_i64(line, ranks, extent) == BT_OK);
        for (size_t i = 0; i < extent; ++i)
            EXPECT((size_t)ranks[i] == (size_t)bt_comm_rank(comm) - place * stride + i * stride);
        stride *= extent;
    }
    EXPECT(stride == (size_t)bt_comm_size(comm));
}

static void all_shapes(const bt_comm *comm)
{
    const size_t size = (size_t)bt_comm_size(comm);
    const size_t work[BT_AXIS_COUNT] = {9, 9, 9, 9, 9};
    for (size_t a = 1; a <= size; ++a)
        for (size_t b = 1; a * b <= size; ++b)
            for (int first = 0; first < BT_AXIS_COUNT; ++first)
                for (int second = 0; second < BT_AXIS_COUNT; ++second) {
                    size_t extents[BT_AXIS_COUNT] = {1, 1, 1, 1, 1};
                    extents[first] = a;
                    if (second != first) extents[second] = b;
                    bt_grid *grid = NULL;
                    const bt_status status = bt_grid_create(comm, extents, work, &grid);
                    const size_t product = second != first ? a * b : a;
                    EXPECT(status == (size % product ? BT_ERR_USAGE : BT_OK));
                    EXPECT((grid != NULL) == (status == BT_OK));
                    if (grid) check_lines(comm, grid);
                    bt_grid_destroy(&grid);
                }
}

static void automatic(const bt_comm *comm)
{
    const size_t extents[BT_AXIS_COUNT] = {0};
    static const size_t works[][BT_AXIS_COUNT] = {{2, 3, 0, 100, 0}, {0, 0, 0, 0, 1}, {1, 1, 5, 1, 0}, {0}};
    for (size_t i = 0; i < sizeof works / sizeof *works; ++i) {
        bt_grid *grid = NULL;
        EXPECT(bt_grid_create(comm, extents, works[i], &grid) == BT_OK);
        if (grid) check_lines(comm, grid);
        bt_grid_destroy(&grid);
    }
}

int main(int argc, char **argv)
{
    int provided = 0;
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return 1;
    bt_comm *comm = NULL;
    EXPECT(bt_comm_create(MPI_COMM_WORLD, &comm) == BT_OK);
    all_shapes(comm);
    automatic(comm);
    bt_comm_destroy(&comm);
    EXPECT(bt_memory_live() == 0);
    return expect_end();
}
