#include "tuning_support.h"

#include "io/array.h"
#include "tuning/batches.h"

static bt_dataset *dataset;
static bt_rows *rows;

static int set_up(void **state)
{
    (void)state;
    expect_ok(bt_dataset_open(tuning_world("world"), &dataset));
    rows = tuning_rows(dataset, "tune");
    return 0;
}

static int tear_down(void **state)
{
    bt_rows_destroy(&rows);
    bt_dataset_close(&dataset);
    return test_no_leak(state);
}

/* The order of three epochs by tests/parity/golden_tuning.py, which has its own generator. */
static void test_python_shuffles_alike(void **state)
{
    (void)state;
    bt_batches *batches = NULL;
    double *golden = NULL;
    int rank = 0;
    size_t shape[BT_ARRAY_RANK] = {0};
    const bt_batches_options options = {.order = BT_BATCHES_SHUFFLED, .size = 16, .seed = 7};
    expect_ok(bt_array_read_all(test_file("golden/tuning/batches.npy"), &rank, shape, &golden));
    assert_int_equal(shape[1], bt_rows_count(rows));
    expect_ok(bt_batches_create(rows, NULL, &options, &batches));
    assert_int_equal(bt_batches_count(batches), 5);
    for (size_t epoch = 0; epoch < shape[0]; ++epoch) {
        bt_batches_epoch(batches, epoch);
        for (size_t i = 0, at = 0; i < 5; ++i) {
            size_t n = 0;
            const size_t *const batch = bt_batches_rows(batches, i, &n);
            assert_int_equal(n, i < 4 ? 16 : 1);
            for (size_t k = 0; k < n; ++k, ++at) expect_near(golden[epoch * shape[1] + at], (double)batch[k], 0);
        }
    }
    bt_batches_destroy(&batches);
    bt_free(golden);
}

/* Each used row comes once in an epoch, no other does. */
static void expect_each_once(bt_batches *batches, const bool *used)
{
    size_t *const seen = bt_calloc(bt_rows_count(rows), sizeof *seen);
    for (size_t i = 0; i < bt_batches_count(batches); ++i) {
        size_t n = 0;
        const size_t *const batch = bt_batches_rows(batches, i, &n);
        assert_true(n > 0);
        for (size_t k = 0; k < n; ++k) ++seen[batch[k]];
    }
    for (size_t row = 0; row < bt_rows_count(rows); ++row) assert_int_equal(seen[row], used[row]);
    bt_free(seen);
}

static void test_only_used_rows_come(void **state)
{
    (void)state;
    bool used[65];
    for (size_t i = 0; i < 65; ++i) used[i] = i % 3 != 1 && (i < 20 || i >= 47); /* nothing of bread */
    for (int order = BT_BATCHES_SHUFFLED; order <= BT_BATCHES_TIME_ORDER; ++order) {
        bt_batches *batches = NULL;
        const bt_batches_options options = {.order = order, .size = 5, .seed = 1};
        expect_ok(bt_batches_create(rows, used, &options, &batches));
        for (size_t epoch = 0; epoch < 4; ++epoch) {
            bt_batches_epoch(batches, epoch);
            expect_each_once(batches, used);
        }
        bt_batches_destroy(&batches);
    }
}

/* Stories in order, rows in time, a story's last batch short. */
static void test_time_order(void **state)
{
    (void)state;
    static const size_t sizes[] = {16, 4, 16, 11, 16, 2};
    bt_batches *batches = NULL;
    const bt_batches_options options = {.order = BT_BATCHES_TIME_ORDER, .size = 16};
    expect_ok(bt_batches_create(rows, NULL, &options, &batches));
    assert_int_equal(bt_batches_count(batches), 6);
    size_t next = 0;
    bt_batches_epoch(batches, 3);
    for (size_t i = 0; i < 6; ++i) {
        size_t n = 0;
        const size_t *const batch = bt_batches_rows(batches, i, &n);
        assert_int_equal(n, sizes[i]);
        for (size_t k = 0; k < n; ++k) assert_int_equal(batch[k], next++);
    }
    bt_batches_destroy(&batches);
}

static void test_seeds_and_epochs_differ(void **state)
{
    (void)state;
    bt_batches *batches[2] = {NULL, NULL};
    for (size_t i = 0; i < 2; ++i) {
        const bt_batches_options options = {.order = BT_BATCHES_SHUFFLED, .size = 65, .seed = 3 + i};
        expect_ok(bt_batches_create(rows, NULL, &options, &batches[i]));
    }
    size_t first[65], n = 0;
    memcpy(first, bt_batches_rows(batches[0], 0, &n), sizeof first);
    assert_memory_not_equal(first, bt_batches_rows(batches[1], 0, &n), sizeof first);
    bt_batches_epoch(batches[0], 1);
    assert_memory_not_equal(first, bt_batches_rows(batches[0], 0, &n), sizeof first);
    bt_batches_epoch(batches[0], 0);
    assert_memory_equal(first, bt_batches_rows(batches[0], 0, &n), sizeof first);
    bt_batches_destroy(&batches[0]);
    bt_batches_destroy(&batches[1]);
}

static void test_nothing_to_learn_from(void **state)
{
    (void)state;
    bt_batches *batches = NULL;
    const bool used[65] = {false};
    const bt_batches_options options = {.order = BT_BATCHES_SHUFFLED, .size = 65};
    expect_failure(bt_batches_create(rows, used, &options, &batches), BT_ERR_INPUT,
                   "stories.tune: none of its 65 rows has a target");
    assert_null(batches);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_python_shuffles_alike),
        cmocka_unit_test(test_only_used_rows_come),
        cmocka_unit_test(test_time_order),
        cmocka_unit_test(test_seeds_and_epochs_differ),
        cmocka_unit_test(test_nothing_to_learn_from),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
