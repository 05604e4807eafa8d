/* Without MPI a communicator is one rank, and its collectives leave the values alone. */
#include "base/memory.h"
#include "dist/comm.h"
#include "dist/grid.h"
#include "support.h"

static void collectives_of_one_rank(void **state)
{
    (void)state;
    bt_comm *comm = NULL, *part = NULL;
    assert_int_equal(bt_comm_create(MPI_COMM_NULL, &comm), BT_OK);
    assert_int_equal(bt_comm_rank(comm), 0);
    assert_int_equal(bt_comm_size(comm), 1);
    assert_true(bt_comm_mpi(comm) == MPI_COMM_NULL);
    double x[2] = {1.5, -2.0};
    float f[1] = {3.0F};
    int64_t i[1] = {INT64_MIN};
    assert_int_equal(bt_comm_sum_f64(comm, x, 2), BT_OK);
    assert_int_equal(bt_comm_sum_f32(comm, f, 1), BT_OK);
    assert_int_equal(bt_comm_sum_i64(comm, i, 1), BT_OK);
    assert_int_equal(bt_comm_max_f64(comm, x, 2), BT_OK);
    assert_int_equal(bt_comm_broadcast(comm, 0, x, sizeof x), BT_OK);
    assert_true(x[0] == 1.5 && x[1] == -2.0 && f[0] == 3.0F && i[0] == INT64_MIN);
    char words[] = "as it was", *text = words;
    assert_int_equal(bt_comm_broadcast_text(comm, 0, &text), BT_OK);
    assert_string_equal(text, "as it was");
    double all[2] = {0.0, 0.0};
    const size_t count = sizeof all;
    assert_int_equal(bt_comm_gather(comm, 0, x, &count, all), BT_OK);
    assert_memory_equal(all, x, sizeof x);
    assert_int_equal(bt_comm_barrier(comm), BT_OK);
    assert_int_equal(bt_comm_same(comm, 7, "seven"), BT_OK);
    assert_int_equal(bt_comm_split(comm, 3, &part), BT_OK);
    assert_int_equal(bt_comm_size(part), 1);
    bt_comm_destroy(&part);
    bt_comm_destroy(&comm);
    bt_comm_destroy(&comm);
    assert_int_equal(bt_memory_live(), 0);
}

static void one_rank_keeps_its_own_message(void **state)
{
    (void)state;
    bt_comm *comm = NULL;
    assert_int_equal(bt_comm_create(MPI_COMM_NULL, &comm), BT_OK);
    assert_int_equal(bt_agree(comm, BT_OK), BT_OK);
    assert_int_equal(bt_agree(comm, bt_fail(BT_ERR_INPUT, "a.wav: no samples")), BT_ERR_INPUT);
    assert_string_equal(bt_error_message(), "a.wav: no samples");
    bt_comm_destroy(&comm);
}

static void grid_of_one_rank(void **state)
{
    (void)state;
    bt_comm *comm = NULL;
    bt_grid *grid = NULL;
    const size_t extents[BT_AXIS_COUNT] = {0}, work[BT_AXIS_COUNT] = {3, 13, 0, 1000, 0};
    assert_int_equal(bt_comm_create(MPI_COMM_NULL, &comm), BT_OK);
    assert_int_equal(bt_grid_create(comm, extents, work, &grid), BT_OK);
    for (bt_axis axis = 0; axis < BT_AXIS_COUNT; ++axis) {
        assert_int_equal(bt_grid_extent(grid, axis), 1);
        assert_int_equal(bt_grid_place(grid, axis), 0);
        assert_int_equal(bt_comm_size(bt_grid_axis(grid, axis)), 1);
    }
    bt_grid_destroy(&grid);
    bt_grid_destroy(&grid);
    bt_comm_destroy(&comm);
    assert_int_equal(bt_memory_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(collectives_of_one_rank),
        cmocka_unit_test(one_rank_keeps_its_own_message),
        cmocka_unit_test(grid_of_one_rank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
