/* Adam and gradients over a parameter table: who has memory, who moves, ranges. */
#include "device_matrices.h"

#include "device/backward.h"
#include "nn/adam.h"
#include "nn/trainable.h"

enum { FROZEN, PLAIN, DECAYING, OTHERS, HEAD, N_ROW };

/* Rows of 6 elements, all 1; DECAYING decays. */
static void make_table(bt_device *device, bt_parameters *table)
{
    static const char *const names[N_ROW] = {"frozen", "plain", "decaying", "others", "head"};
    float ones[6 * N_ROW];
    for (size_t i = 0; i < N_ROW; ++i) {
        const bt_parameter row = {.name = names[i],
                                  .rank = 2,
                                  .shape = {2, 3},
                                  .role = i == FROZEN ? BT_ROLE_FROZEN
                                          : i == HEAD ? BT_ROLE_HEAD
                                                      : BT_ROLE_BACKBONE,
                                  .trainable = i != FROZEN,
                                  .decay = i == DECAYING};
        expect_ok(bt_parameters_add(table, &row, NULL));
    }
    for (size_t i = 0; i < 6 * N_ROW; ++i) ones[i] = 1;
    expect_ok(bt_buffer_create(device, BT_F32, table->n_value, &table->values));
    expect_ok(bt_buffer_write(table->values, 0, ones, table->n_value));
}

static double first_of(bt_matrix matrix)
{
    float *const host = fetched(matrix);
    const double value = (double)host[0];
    bt_free(host);
    return value;
}

static double element(bt_matrix matrix, size_t index)
{
    float *const host = fetched(matrix);
    const double value = (double)host[index];
    bt_free(host);
    return value;
}

typedef struct {
    bt_parameters table;
    bt_gradients gradients;
    bt_adam adam;
} world;

/* All gradients 2. */
static void world_open(world *w, bt_device *device, const bt_adam_options *options, const bt_trainable_range *ranges,
                       size_t n)
{
    float d[6 * N_ROW];
    *w = (world){0};
    make_table(device, &w->table);
    expect_ok(bt_gradients_create(&w->gradients, device, &w->table));
    expect_ok(bt_adam_create(&w->adam, options, &w->table, &w->gradients, ranges, n));
    for (size_t i = 0; i < 6 * N_ROW; ++i) d[i] = 2;
    expect_ok(bt_buffer_write(w->gradients.values, 0, d, w->gradients.n_trainable));
}

static void world_close(world *w)
{
    bt_adam_clear(&w->adam);
    bt_gradients_clear(&w->gradients);
    bt_parameters_clear(&w->table);
}

static const double rates[BT_ROLES] = {[BT_ROLE_BACKBONE] = 0.01, [BT_ROLE_HEAD] = 0.1, [BT_ROLE_FROZEN] = 5};

/* The first step of Adam is the rate against the sign of the gradient. */
static void roles_and_decay(void **state)
{
    world w;
    bt_adam_options options = bt_adam_defaults();
    size_t offset, count;
    options.decay = -4; /* turns the sign of the gradient where it is heard */
    world_open(&w, *state, &options, NULL, 0);
    assert_int_equal(w.gradients.n_trainable, 24);
    assert_int_equal(bt_buffer_count(w.gradients.values), 24);
    assert_null(bt_gradient_matrix(&w.gradients, FROZEN).buffer);
    assert_int_equal(bt_gradient_join(&w.gradients, PLAIN, 3).rows, 6);
    expect_ok(bt_adam_apply(&w.adam, rates));
    expect_near(first_of(bt_parameter_matrix(&w.table, FROZEN)), 1, 0);
    expect_near(first_of(bt_parameter_matrix(&w.table, PLAIN)), 0.99, 1e-6);
    expect_near(first_of(bt_parameter_matrix(&w.table, DECAYING)), 1.01, 1e-6);
    expect_near(first_of(bt_parameter_matrix(&w.table, HEAD)), 0.9, 1e-6);
    expect_ok(bt_gradients_zero(&w.gradients));
    expect_near(first_of(bt_gradient_matrix(&w.gradients, HEAD)), 0, 0);
    bt_gradients_range(&w.gradients, FROZEN, DECAYING, &offset, &count);
    assert_true(offset == 0 && count == 12);
    bt_gradients_range(&w.gradients, FROZEN, FROZEN, &offset, &count);
    assert_int_equal(count, 0);
    world_close(&w);
}

/* AdamW: rate decay w is taken from the weight itself; the step is that of the gradient alone. */
static void decoupled_decay(void **state)
{
    world w;
    bt_adam_options options = bt_adam_defaults();
    options.decay = 0.5;
    options.decoupled = true;
    world_open(&w, *state, &options, NULL, 0);
    expect_ok(bt_adam_apply(&w.adam, rates));
    expect_near(first_of(bt_parameter_matrix(&w.table, PLAIN)), 0.99, 1e-6);
    expect_near(first_of(bt_parameter_matrix(&w.table, DECAYING)), 0.995 - 0.01, 1e-6);
    world_close(&w);
}

/* Ranges that cut rows: only their elements move, and together two owners do what one does. */
static void ranges_are_apart(void **state)
{
    static const bt_trainable_range mine[] = {{2, 3}, {10, 9}}, beyond[] = {{4, 2}, {5, 1}};
    world w;
    float moment[9];
    const bt_adam_options options = bt_adam_defaults();
    bt_adam refused;
    world_open(&w, *state, &options, mine, 2);
    assert_int_equal(bt_buffer_count(w.adam.moments[0]), 12);
    expect_ok(bt_adam_apply(&w.adam, rates));
    for (size_t i = 0; i < 24; ++i) {
        const bool moves = (i >= 2 && i < 5) || (i >= 10 && i < 19);
        const size_t row = PLAIN + i / 6;
        const double wanted = !moves ? 1 : row == HEAD ? 0.9 : 0.99;
        expect_near(element(bt_parameter_matrix(&w.table, row), i % 6), wanted, 1e-6);
    }
    expect_ok(bt_adam_read(&w.adam, 0, 10, 9, moment));
    for (size_t i = 0; i < 9; ++i) expect_near((double)moment[i], 0.2, 1e-6);
    expect_ok(bt_adam_read(&w.adam, 1, 11, 1, moment));
    expect_near((double)moment[0], 0.004, 1e-8);
    moment[0] = 7;
    expect_ok(bt_adam_write(&w.adam, 1, 4, 1, moment));
    expect_ok(bt_adam_read(&w.adam, 1, 2, 3, moment));
    expect_near((double)moment[2], 7, 0);
    expect_failure(bt_adam_read(&w.adam, 0, 4, 2, moment), BT_ERR_INTERNAL, "none of its ranges");
    expect_failure(bt_adam_create(&refused, &options, &w.table, &w.gradients, beyond, 2), BT_ERR_INTERNAL, "range 1");
    world_close(&w);
}

/* The trainable ordering leaves frozen rows out; sums, scaling and adding work on parts of it. */
static void trainable_ordering(void **state)
{
    world w;
    float values[24], more[5] = {1, 2, 3, 4, 5};
    double sum;
    const bt_adam_options options = bt_adam_defaults();
    world_open(&w, *state, &options, NULL, 0);
    for (size_t i = 0; i < 24; ++i) values[i] = (float)i;
    expect_ok(bt_parameters_write_trainable(&w.table, &w.gradients, 4, 10, values + 4));
    expect_near(element(bt_parameter_matrix(&w.table, FROZEN), 4), 1, 0);
    expect_near(element(bt_parameter_matrix(&w.table, PLAIN), 3), 1, 0);
    expect_near(element(bt_parameter_matrix(&w.table, PLAIN), 4), 4, 0);
    expect_near(element(bt_parameter_matrix(&w.table, OTHERS), 1), 13, 0);
    expect_ok(bt_parameters_read_trainable(&w.table, &w.gradients, 5, 3, values));
    assert_true(values[0] == 5 && values[2] == 7);
    expect_failure(bt_parameters_read_trainable(&w.table, &w.gradients, 20, 5, values), BT_ERR_INTERNAL, "20 + 5");
    expect_ok(bt_gradients_squares(&w.gradients, 3, 20, &sum));
    expect_near(sum, 80, 0);
    expect_ok(bt_gradients_scale(&w.gradients, 0, 4, 0.5));
    expect_ok(bt_gradients_add(&w.gradients, 2, 5, more));
    float *const d = fetched(bt_matrix_of(w.gradients.values, 1, 24));
    static const float wanted[] = {1, 1, 2, 3, 5, 6, 7, 2};
    assert_memory_equal(d, wanted, sizeof wanted);
    bt_free(d);
    world_close(&w);
}

/* More elements than the pieces that sums are made of. */
static void squares_of_many(void **state)
{
    float *host;
    double sum, wanted = 0;
    const bt_matrix x = made(*state, 3, 7, 5001, &host);
    for (size_t i = 0; i < 7; ++i)
        for (size_t j = 0; j < 4999; ++j) wanted += (double)host[i * 5001 + j] * (double)host[i * 5001 + j];
    expect_ok(bt_matrix_squares(*state, bt_matrix_part(x, 0, 0, 7, 4999), &sum));
    expect_near(sum, wanted, 1e-9 * wanted);
    expect_ok(bt_matrix_scale(*state, 2, bt_matrix_part(x, 1, 1, 6, 5000)));
    expect_ok(bt_matrix_squares(*state, bt_matrix_part(x, 1, 0, 6, 5001), &sum));
    wanted = 0;
    for (size_t i = 5001; i < (size_t)7 * 5001; ++i)
        wanted += (i % 5001 ? 4.0 : 1.0) * (double)host[i] * (double)host[i];
    expect_near(sum, wanted, 1e-9 * wanted);
    drop(x, host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(roles_and_decay), cmocka_unit_test(decoupled_decay),
                                       cmocka_unit_test(ranges_are_apart), cmocka_unit_test(trainable_ordering),
                                       cmocka_unit_test(squares_of_many)};
    return cmocka_run_group_tests_name("nn.adam", tests, setup, teardown);
}
