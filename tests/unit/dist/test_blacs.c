/* The block-cyclic layout and the shape of process grids, without MPI. */
#include "dist/blacs.h"
#include "dist/internal.h"
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
        bt_blacs_shape(size, &rows, &columns);
        assert_true(rows >= 1 && columns >= rows && columns <= 3 * rows);
        assert_true((size_t)(rows * columns) <= size);
        assert_true((size_t)(rows * columns) * 4 >= size * 3 || size == 2);
    }
    static const int expected[][3] = {{1, 1, 1}, {2, 1, 2}, {3, 1, 3}, {4, 2, 2}, {6, 2, 3}, {7, 2, 3}, {16, 4, 4}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; ++i) {
        int rows = 0, columns = 0;
        bt_blacs_shape((size_t)expected[i][0], &rows, &columns);
        assert_int_equal(rows, expected[i][1]);
        assert_int_equal(columns, expected[i][2]);
    }
}

static void small_matrices_take_few_ranks(void **state)
{
    (void)state;
    assert_int_equal(bt_dense_layout_for(1).most, 1);
    assert_int_equal(bt_dense_layout_for(512).most, 4);
    assert_int_equal(bt_dense_layout_for(3072).most, 144);
    for (size_t n = 1; n < 20000; n += 97) {
        const bt_dense_layout layout = bt_dense_layout_for(n);
        int rows = 0, columns = 0;
        bt_blacs_shape(layout.most, &rows, &columns);
        assert_int_equal(rows, columns);
        assert_true(rows == 1 || (size_t)rows * layout.block * 4 <= n); /* four blocks a process row */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_index_has_one_place),
        cmocka_unit_test(grids_are_near_square_and_leave_few_ranks),
        cmocka_unit_test(small_matrices_take_few_ranks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
