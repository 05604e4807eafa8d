/* Buckets of relative positions against transformers (tests/parity/golden_models.py); distances by head and back. */
#include "device_matrices.h"

#include "device/backward.h"
#include "io/safetensors.h"
#include "nn/positions.h"

static void buckets(void **state)
{
    enum { N = 1000 };
    static const bt_position_spec base = {.n_bucket = 320, .farthest = 800};
    bt_checkpoint *truth = NULL;
    float wanted[2 * N + 1];
    (void)state;
    expect_ok(bt_checkpoint_open(test_file("golden/models/wavlm/states.safetensors"), &truth));
    const size_t index = bt_checkpoint_find(truth, "buckets");
    assert_true(index != SIZE_MAX);
    assert_int_equal(bt_checkpoint_info(truth, index).shape[0], 2 * N + 1);
    expect_ok(bt_checkpoint_read(truth, index, wanted));
    for (ptrdiff_t d = -N; d <= N; ++d) assert_int_equal(bt_position_bucket(&base, d), (size_t)wanted[d + N]);
    bt_checkpoint_close(&truth);
}

/* Of few rows, of more, of few again: column reach - 1 + query - key is the bucket of key - query; and the adjoint. */
static void distances(void **state)
{
    enum { HEADS = 3, BUCKETS = 9 };
    static const size_t reaches[] = {4, 31, 1, 12};
    bt_positions positions = {.spec = {.n_bucket = BUCKETS, .farthest = 20}};
    float *table, *dtable;
    bt_matrix rows = made(*state, 1, BUCKETS, HEADS, &table), drows = made(*state, 2, BUCKETS, HEADS, &dtable);
    for (size_t r = 0; r < sizeof reaches / sizeof *reaches; ++r) {
        const size_t n = 2 * reaches[r] - 1;
        float *dy;
        bt_matrix out = empty(*state, HEADS, n), dout = made(*state, 3, HEADS, n, &dy);
        expect_ok(bt_positions_apply(&positions, *state, rows, out));
        expect_ok(bt_positions_backward(&positions, *state, dout, drows));
        float *const given = fetched(out);
        for (size_t h = 0; h < HEADS; ++h)
            for (size_t i = 0; i < n; ++i) {
                const size_t bucket = bt_position_bucket(&positions.spec, (ptrdiff_t)reaches[r] - 1 - (ptrdiff_t)i);
                assert_true(bucket < BUCKETS);
                assert_true(given[h * n + i] == table[bucket * HEADS + h]);
                dtable[bucket * HEADS + h] += dy[h * n + i];
            }
        bt_free(given);
        bt_buffer_destroy(&out.buffer);
        drop(dout, dy);
    }
    float *const sums = fetched(drows);
    assert_memory_equal(sums, dtable, BUCKETS * HEADS * sizeof *sums);
    bt_free(sums);
    bt_positions_clear(&positions);
    drop(rows, table);
    drop(drows, dtable);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(buckets), cmocka_unit_test(distances)};
    return cmocka_run_group_tests_name("nn.positions", tests, setup, teardown);
}
