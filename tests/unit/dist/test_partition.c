/* Partitions for all small sizes: they cover, do not overlap, differ by one at most, and agree with the owner. */
#include "dist/partition.h"
#include "support.h"

enum { MOST = 40 };

static void ranges_tile_the_whole(void **state)
{
    (void)state;
    for (size_t size = 1; size <= MOST; ++size)
        for (size_t n = 0; n <= 3 * MOST; ++n) {
            size_t at = 0;
            for (size_t rank = 0; rank < size; ++rank) {
                const bt_range range = bt_partition(rank, size, n);
                assert_int_equal(range.low, at);
                assert_true(range.high >= range.low);
                at = range.high;
            }
            assert_int_equal(at, n);
        }
}

static void first_ranks_get_one_more(void **state)
{
    (void)state;
    for (size_t size = 1; size <= MOST; ++size)
        for (size_t n = 0; n <= 3 * MOST; ++n)
            for (size_t rank = 0; rank < size; ++rank) {
                const bt_range range = bt_partition(rank, size, n);
                assert_int_equal(range.high - range.low, n / size + (rank < n % size ? 1 : 0));
            }
}

static void owner_holds_the_index(void **state)
{
    (void)state;
    for (size_t size = 1; size <= MOST; ++size)
        for (size_t n = 1; n <= 3 * MOST; ++n)
            for (size_t index = 0; index < n; ++index) {
                const size_t owner = bt_partition_owner(size, n, index);
                assert_true(owner < size);
                const bt_range range = bt_partition(owner, size, n);
                assert_true(range.low <= index && index < range.high);
            }
}

static void large_sizes_do_not_overflow(void **state)
{
    (void)state;
    const size_t n = SIZE_MAX / 2, size = 1024;
    assert_int_equal(bt_partition(size - 1, size, n).high, n);
    assert_int_equal(bt_partition_owner(size, n, n - 1), size - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_tile_the_whole),
        cmocka_unit_test(first_ranks_get_one_more),
        cmocka_unit_test(owner_holds_the_index),
        cmocka_unit_test(large_sizes_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
