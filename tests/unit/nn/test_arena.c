/* Activation memory and ragged sequences. */
#include "support.h"

#include "base/random.h"
#include "nn/arena.h"
#include "nn/ragged.h"

/* No two slots that live at the same time may share an element, whatever the slots; and the sum bounds the whole. */
static void layout_never_collides(void **state)
{
    (void)state;
    enum { N = 12, TRIALS = 300 };
    bt_random random = bt_random_start(5, 1);
    for (int trial = 0; trial < TRIALS; ++trial) {
        bt_arena_slot slots[N];
        size_t sum = 0;
        for (size_t i = 0; i < N; ++i) {
            const int first = (int)bt_random_below(&random, 6);
            slots[i] = (bt_arena_slot){.rows = bt_random_below(&random, 20),
                                       .columns = 1 + bt_random_below(&random, 30),
                                       .first = first,
                                       .last = first + (int)bt_random_below(&random, 4)};
            sum += (slots[i].rows * slots[i].columns + 15) / 16 * 16;
        }
        const size_t total = bt_arena_layout(slots, N);
        assert_true(total <= sum);
        for (size_t i = 0; i < N; ++i) {
            const size_t end = slots[i].offset + slots[i].rows * slots[i].columns;
            assert_true(slots[i].offset % 16 == 0 && end <= total);
            for (size_t j = 0; j < i; ++j) {
                const bool together = slots[i].first <= slots[j].last && slots[j].first <= slots[i].last;
                const size_t other = slots[j].offset + slots[j].rows * slots[j].columns;
                assert_true(!together || end <= slots[j].offset || other <= slots[i].offset);
            }
        }
    }
}

static void memory_is_shared_and_kept(void **state)
{
    (void)state;
    bt_device *device = NULL;
    bt_arena *arena = NULL;
    bt_arena_slot slots[] = {{64, 10, 0, 1, 0}, {32, 20, 1, 2, 0}, {640, 1, 2, 3, 0}};
    assert_int_equal(bt_arena_layout(slots, 3), 1280); /* the last lies where the first was */
    assert_int_equal(slots[2].offset, slots[0].offset);
    expect_ok(bt_device_create(BT_DEVICE_CPU, &device));
    expect_ok(bt_arena_create(device, &arena));
    expect_ok(bt_arena_plan(arena, slots, 3));
    const bt_matrix first = bt_arena_matrix(arena, &slots[1]);
    assert_int_equal(first.rows, 32);
    assert_int_equal(first.columns, 20);
    slots[1].rows = 8;
    const size_t live = bt_memory_live();
    expect_ok(bt_arena_plan(arena, slots, 3)); /* smaller: nothing is allocated */
    assert_int_equal(bt_memory_live(), live);
    assert_ptr_equal(bt_arena_matrix(arena, &slots[1]).buffer, first.buffer);
    slots[1].rows = 1000;
    expect_ok(bt_arena_plan(arena, slots, 3));
    assert_int_equal(bt_buffer_count(bt_arena_matrix(arena, &slots[1]).buffer), 20640);
    bt_arena_destroy(&arena);
    bt_device_destroy(&device);
}

static void ragged(void **state)
{
    (void)state;
    bt_ragged r = {0};
    assert_int_equal(bt_ragged_total(&r), 0);
    expect_ok(bt_ragged_reset(&r, 3));
    for (size_t s = 0; s < 3; ++s) bt_ragged_set(&r, s, s * 5);
    assert_int_equal(bt_ragged_total(&r), 15);
    assert_int_equal(bt_ragged_length(&r, 0), 0);
    assert_int_equal(bt_ragged_length(&r, 2), 10);
    assert_int_equal(bt_ragged_view(&r).offsets[2], 5);
    expect_ok(bt_ragged_reset(&r, 7));
    assert_int_equal(bt_ragged_total(&r), 0);
    expect_ok(bt_ragged_reset(&r, 1));
    bt_ragged_set(&r, 0, 4);
    assert_int_equal(bt_ragged_total(&r), 4);
    bt_ragged_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(layout_never_collides),
                                       cmocka_unit_test(memory_is_shared_and_kept), cmocka_unit_test(ragged)};
    return cmocka_run_group_tests_name("nn.arena", tests, NULL, test_no_leak);
}
