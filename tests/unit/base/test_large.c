/* Large blocks: zeroed however often they come back, and never more of them than the most that was in use. */
#include "support.h"

#include "base/large.h"
#include "base/random.h"

#include <sys/mman.h>
#include <sys/resource.h>

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
    unsigned char *const smaller = bt_large_take(BYTES - 3 * MIB); /* the rest of it stays */
    assert_ptr_equal(smaller, first);
    assert_true(is_zero(smaller, BYTES - 3 * MIB));
    assert_int_equal(bt_large_kept(), 2 * MIB);
    assert_true(bt_large_give(smaller));
    assert_int_equal(bt_large_kept(), BYTES);
    assert_false(bt_large_give(NULL));
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
    char *small[LARGE / SMALL];
    for (size_t i = 0; i < LARGE / SMALL; ++i) {
        small[i] = bt_large_take(SMALL);
        assert_non_null(small[i]);
        assert_int_equal((i + 1) * SMALL + bt_large_kept(), LARGE);
    }
    for (size_t i = 0; i < LARGE / SMALL; ++i) assert_true(bt_large_give(small[i]));
    assert_int_equal(bt_large_kept(), LARGE);
    bt_large_count(SMALL, 0); /* elsewhere */
    assert_int_equal(bt_large_kept(), LARGE - SMALL + LARGE / 32);
    bt_large_count(0, SMALL);
    assert_null(bt_large_take(SIZE_MAX - MIB));
}

/* How many bytes of a block have pages, before it is touched. */
static size_t resident(void *block, size_t bytes)
{
    enum { PAGE = 4096 };
    unsigned char *const pages = calloc(bytes / PAGE, 1);
    size_t n = 0;
    assert_int_equal(mincore(block, bytes, pages), 0);
    for (size_t i = 0; i < bytes / PAGE; ++i) n += pages[i] & 1;
    free(pages);
    return n * PAGE;
}

static long faults(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_minflt;
}

/* Blocks of random sizes come and go: each keeps what is written in it, is zero at first, and has pages of its own from
 * the start, none of them new, as long as fewer are in use than once were. */
static void pages_are_put_together(void **state)
{
    (void)state;
    enum { BLOCKS = 12, ROUNDS = 400, PAGES = 8, ALL = BLOCKS * PAGES * 2 * MIB };
    static struct {
        unsigned char *at;
        size_t bytes;
    } blocks[BLOCKS];
    bt_random random = bt_random_start(3, 3);
    void *const once = bt_large_take(ALL);
    assert_non_null(once);
    memset(once, 1, ALL);
    assert_true(bt_large_give(once));
    const long before = faults();
    for (size_t round = 0; round < ROUNDS; ++round) {
        const size_t k = (size_t)bt_random_below(&random, BLOCKS);
        if (blocks[k].at) {
            for (size_t i = 0; i < blocks[k].bytes; i += 4096) assert_int_equal(blocks[k].at[i], k + 1);
            assert_true(bt_large_give(blocks[k].at));
            blocks[k].at = NULL;
        } else {
            blocks[k].bytes = 2 * MIB * (2 + (size_t)bt_random_below(&random, PAGES - 1));
            blocks[k].at = bt_large_take(blocks[k].bytes);
            assert_non_null(blocks[k].at);
            assert_int_equal(resident(blocks[k].at, blocks[k].bytes), blocks[k].bytes);
            assert_true(is_zero(blocks[k].at, blocks[k].bytes));
            memset(blocks[k].at, (int)k + 1, blocks[k].bytes);
        }
        size_t used = 0;
        for (size_t i = 0; i < BLOCKS; ++i) used += blocks[i].at ? blocks[i].bytes : 0;
        assert_int_equal(used + bt_large_kept(), ALL);
    }
    for (size_t k = 0; k < BLOCKS; ++k) assert_true(!blocks[k].at || bt_large_give(blocks[k].at));
    unsigned char *const again = bt_large_take(ALL); /* of all the pieces, and in their place */
    assert_int_equal(resident(again, ALL), ALL);
    assert_true(is_zero(again, ALL) && bt_large_kept() == 0);
#ifndef __SANITIZE_ADDRESS__ /* whose shadow has pages of its own */
    assert_in_range(faults() - before, 0, 64);
#else
    (void)before;
#endif
    assert_true(bt_large_give(again));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_come_back_zeroed),
        cmocka_unit_test(strangers_are_left_alone),
        cmocka_unit_test(what_is_kept_adds_nothing),
        cmocka_unit_test(pages_are_put_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
