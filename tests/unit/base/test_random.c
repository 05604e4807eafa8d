#include "base/random.h"
#include "support.h"

static void streams_differ_and_repeat(void **state)
{
    (void)state;
    bt_random a = bt_random_start(1, bt_random_stream("voxel", 3)), b = a;
    bt_random c = bt_random_start(1, bt_random_stream("voxel", 4)),
              d = bt_random_start(2, bt_random_stream("voxel", 3));
    const uint64_t first = bt_random_bits(&a);
    assert_true(first == bt_random_bits(&b));
    assert_true(first != bt_random_bits(&c));
    assert_true(first != bt_random_bits(&d));
}

/* Moments within five standard errors of their values. */
static void moments_are_right(void **state)
{
    (void)state;
    enum { N = 200000 };
    bt_random random = bt_random_start(7, 0);
    double sum = 0, square = 0, fourth = 0, uniform = 0;
    for (int i = 0; i < N; ++i) {
        const double x = bt_random_normal(&random);
        sum += x;
        square += x * x;
        fourth += x * x * x * x;
        uniform += bt_random_uniform(&random);
    }
    expect_near(sum / N, 0.0, 5.0 / sqrt(N));
    expect_near(square / N, 1.0, 5.0 * sqrt(2.0 / N));
    expect_near(fourth / N, 3.0, 5.0 * sqrt(96.0 / N));
    expect_near(uniform / N, 0.5, 5.0 * sqrt(1.0 / 12.0 / N));
}

static void below_is_even(void **state)
{
    (void)state;
    enum { N = 60000, SIDES = 6 };
    bt_random random = bt_random_start(3, 1);
    int count[SIDES] = {0};
    for (int i = 0; i < N; ++i) ++count[bt_random_below(&random, SIDES)];
    for (int i = 0; i < SIDES; ++i) expect_near(count[i], N / SIDES, 5.0 * sqrt(N / 6.0 * 5.0 / 6.0));
}

static void permutations_hold_all(void **state)
{
    (void)state;
    size_t order[100];
    int seen[100] = {0}, in_place = 0;
    bt_random random = bt_random_start(3, 2);
    bt_random_permutation(&random, 100, order);
    for (size_t i = 0; i < 100; ++i) {
        ++seen[order[i]];
        in_place += order[i] == i;
    }
    for (size_t i = 0; i < 100; ++i) assert_int_equal(seen[i], 1);
    assert_true(in_place < 10);
}

/* The reference's numbers of seed 0. */
static void indexed_numbers_are_splitmix(void **state)
{
    static const uint64_t wanted[] = {0xe220a8397b1dcdafu, 0x6e789e6aa1b965f4u, 0x06c45d188009454fu};
    (void)state;
    for (uint64_t i = 0; i < sizeof wanted / sizeof *wanted; ++i) assert_true(bt_random_at(0, i) == wanted[i]);
}

/* Numbers by index: as even as a sequence's, bit by bit, and pairs of neighbours, in index and in key, are apart. */
static void indexed_numbers(void **state)
{
    enum { N = 40000, BITS = 64 };
    int set[BITS] = {0}, same_index = 0, same_key = 0;
    (void)state;
    for (uint64_t i = 0; i < N; ++i) {
        const uint64_t x = bt_random_at(3, i);
        assert_true(x == bt_random_at(3, i));
        for (int b = 0; b < BITS; ++b) set[b] += (int)(x >> b & 1);
        same_index += __builtin_popcountll(x ^ bt_random_at(3, i + 1));
        same_key += __builtin_popcountll(bt_random_at(i, 0) ^ bt_random_at(i + 1, 0));
    }
    for (int b = 0; b < BITS; ++b) expect_near(set[b], N / 2.0, 5.0 * sqrt(N) / 2);
    expect_near(same_index, N * BITS / 2.0, 5.0 * sqrt(N * (double)BITS) / 2);
    expect_near(same_key, N * BITS / 2.0, 5.0 * sqrt(N * (double)BITS) / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_differ_and_repeat),
        cmocka_unit_test(moments_are_right),
        cmocka_unit_test(below_is_even),
        cmocka_unit_test(permutations_hold_all),
        cmocka_unit_test(indexed_numbers_are_splitmix),
        cmocka_unit_test(indexed_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
