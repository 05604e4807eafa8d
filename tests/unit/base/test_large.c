/* Large blocks: zeroed however often they come back, and never more of them than the most that was in use. */
#include "support.h"

#include "base/large.h"

enum { MIB = 1 << 20 };

static bool is_zero(const unsigned char *block, size_t bytes)
{
    for (size_t i = 0; i < bytes; ++i)
        if (block[i]) return false;
    return true;
}

static void blocks_come_back_zeroed(void **state)
{
    (void)state;
    enum { BYTES = 8 * MIB };
    unsigned char *const first = bt_large_take(BYTES);
    assert_non_null(first);
    assert_true((uintptr_t)first % (2 * MIB) == 0 && is_zero(first, BYTES));
    memset(first, 1, BYTES);
    assert_true(bt_large_give(first));
    assert_int_equal(bt_large_kept(), BYTES);
    unsigned char *const smaller = bt_large_take(BYTES - 3 * MIB); /* the rest of it goes back */
    assert_ptr_equal(smaller, first);
    assert_true(is_zero(smaller, BYTES - 3 * MIB));
    assert_int_equal(bt_large_kept(), 0);
    assert_true(bt_large_give(smaller));
    assert_false(bt_large_give(smaller)); /* it is nobody's now */
}

static void strangers_are_left_alone(void **state)
{
    (void)state;
    void *const stranger = aligned_alloc(2 * MIB, 2 * MIB);
    assert_non_null(stranger);
    assert_false(bt_large_give(stranger));
    free(stranger);
}

/* Resident memory while blocks of changing sizes come and go. */
static void what_is_kept_adds_nothing(void **state)
{
    (void)state;
    enum { LARGE = 64 * MIB, SMALL = 16 * MIB };
    char *const large = bt_large_take(LARGE);
    assert_non_null(large);
    assert_true(bt_large_give(large));
    assert_int_equal(bt_large_kept(), LARGE);
    char *small[LARGE / SMALL]; /* less than half of it each: new ones, for which it must make room */
    for (size_t i = 0; i < LARGE / SMALL; ++i) {
        small[i] = bt_large_take(SMALL);
        assert_non_null(small[i]);
        assert_true((i + 1) * SMALL + bt_large_kept() <= LARGE + LARGE / 32);
    }
    for (size_t i = 0; i < LARGE / SMALL; ++i) assert_true(bt_large_give(small[i]));
    assert_int_equal(bt_large_kept(), LARGE);
    bt_large_count(SMALL, 0); /* elsewhere */
    assert_int_equal(bt_large_kept(), LARGE - SMALL);
    bt_large_count(0, SMALL);
    assert_null(bt_large_take(SIZE_MAX - MIB));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_come_back_zeroed),
        cmocka_unit_test(strangers_are_left_alone),
        cmocka_unit_test(what_is_kept_adds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
