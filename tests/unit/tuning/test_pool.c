/* Pooling against its definition, and its adjoint: <pool(x), d> = <x, pool'(d)> for a linear rule, and for max near x.
 */
#include "base/random.h"
#include "device/backward.h"
#include "support.h"
#include "tuning/pool.h"

enum { FRAMES = 12, HIDDEN = 5, SEQUENCES = 3 };
static const size_t offsets[SEQUENCES + 1] = {0, 4, 5, FRAMES}, real[SEQUENCES] = {2, 1, 6};

static float x[FRAMES * HIDDEN], d[SEQUENCES * HIDDEN];

/* lengths: rows of each sequence that count, or NULL. */
static double plain(bt_tune_pool rule, const size_t *lengths, size_t s, size_t j)
{
    double value = rule == BT_TUNE_POOL_MAX ? -1e9 : 0;
    const size_t n = lengths ? lengths[s] : offsets[s + 1] - offsets[s];
    for (size_t f = offsets[s]; f < offsets[s] + n; ++f) {
        const double here = (double)x[f * HIDDEN + j];
        if (rule == BT_TUNE_POOL_MEAN) value += here / (double)n;
        if (rule == BT_TUNE_POOL_MAX && here > value) value = here;
        if (rule == BT_TUNE_POOL_LAST) value = here;
    }
    return value;
}

static void check(const size_t *lengths)
{
    bt_device *device = NULL;
    bt_buffer *states = NULL, *dstates = NULL;
    const bt_sequences sequences = {.n = SEQUENCES, .offsets = offsets, .lengths = lengths};
    bt_random random = bt_random_start(2, 2);
    for (size_t i = 0; i < FRAMES * HIDDEN; ++i) x[i] = (float)bt_random_normal(&random);
    for (size_t i = 0; i < SEQUENCES * HIDDEN; ++i) d[i] = (float)bt_random_normal(&random);
    expect_ok(bt_device_create(BT_DEVICE_CPU, &device));
    expect_ok(bt_buffer_create(device, BT_F32, FRAMES * HIDDEN, &states));
    expect_ok(bt_buffer_create(device, BT_F32, FRAMES * HIDDEN, &dstates));
    expect_ok(bt_buffer_write(states, 0, x, FRAMES * HIDDEN));
    const bt_matrix from = bt_matrix_of(states, FRAMES, HIDDEN), to = bt_matrix_of(dstates, FRAMES, HIDDEN);
    for (bt_tune_pool rule = BT_TUNE_POOL_MEAN; rule <= BT_TUNE_POOL_LAST; ++rule) {
        bt_pooling pooling = {.rule = rule, .device = device, .n_hidden = HIDDEN};
        float pooled[SEQUENCES * HIDDEN], dx[FRAMES * HIDDEN];
        double left = 0, right = 0;
        expect_ok(bt_matrix_clear(device, to));
        expect_ok(bt_pooling_forward(&pooling, from, sequences, pooled));
        expect_ok(bt_pooling_backward(&pooling, d, sequences, to));
        expect_ok(bt_buffer_read(dstates, 0, dx, FRAMES * HIDDEN));
        for (size_t s = 0; s < SEQUENCES; ++s)
            for (size_t j = 0; j < HIDDEN; ++j) {
                expect_near((double)pooled[s * HIDDEN + j], plain(rule, lengths, s, j), 1e-6);
                left += (double)pooled[s * HIDDEN + j] * (double)d[s * HIDDEN + j];
            }
        for (size_t i = 0; i < FRAMES * HIDDEN; ++i) right += (double)x[i] * (double)dx[i];
        expect_near(left, right, 1e-5);
        bt_pooling_clear(&pooling);
    }
    bt_buffer_destroy(&states);
    bt_buffer_destroy(&dstates);
    bt_device_destroy(&device);
    assert_int_equal(bt_memory_live(), 0);
}

static void forward_and_adjoint(void **state)
{
    (void)state;
    check(NULL);
    check(real);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(forward_and_adjoint)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
