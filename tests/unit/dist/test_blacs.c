/* The block-cyclic layout and the shape of process grids, without MPI. */
#include "dist/blacs.h"
#include "support.h"

enum { MOST = 70 };

static void every_index_has_one_place(void **state)
{
    (void)state;
    for (int extent = 1; extent <= 5; ++extent)
        for (size_t block = 1; block <= 9; ++block)
            for (size_t n = 0; n <= MOST; ++n) {
                int seen[MOST] = {0};
                for (int place = 0; place < extent; ++place) {
                    const size_t count = bt_blacs_count(n, block, place, extent);
                    for (size_t local = 0; local < count; ++local) {
                        const size_t global = bt_blacs_global(local, block, place, extent);
                        assert_true(global < n);
                        assert_int_equal(global / block % (size_t)extent, place);
                        ++seen[global];
                    }
                }
                for (size_t i = 0; i < n; ++i) assert_int_equal(seen[i], 1);
            }
}

static void grids_are_near_square_and_leave_few_ranks(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 2000; ++size) {
        int rows = 0, columns = 0;
        bt_blacs_shape(size, size, &rows, &columns);
        assert_true(rows >= 1 && columns >= rows && columns <= 3 * rows);
        assert_true((size_t)(rows * columns) <= size);
        assert_true((size_t)(rows * columns) * 4 >= size * 3 || size == 2);
    }
    static const int expected[][3] = {{1, 1, 1}, {2, 1, 2}, {3, 1, 3}, {4, 2, 2}, {6, 2, 3}, {7, 2, 3}, {16, 4, 4}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; ++i) {
        int rows = 0, columns = 0;
        bt_blacs_shape((size_t)expected[i][0], 99, &rows, &columns);
        assert_int_equal(rows, expected[i][1]);
        assert_int_equal(columns, expected[i][2]);
    }
}

static void grids_stay_below_the_most(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 300; ++size)
        for (size_t most = 1; most <= 12; ++most) {
            int rows = 0, columns = 0;
            bt_blacs_shape(size, most, &rows, &columns);
            assert_true(rows >= 1 && (size_t)rows <= most && columns >= 1 && (size_t)columns <= most);
        }
    int rows = 0, columns = 0;
    bt_blacs_shape(1024, 12, &rows, &columns);
    assert_int_equal(rows * columns, 144);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_index_has_one_place),
        cmocka_unit_test(grids_are_near_square_and_leave_few_ranks),
        cmocka_unit_test(grids_stay_below_the_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
