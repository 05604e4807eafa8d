/* Adam and gradients over a parameter table: who has memory, who moves, owners. */
#include "device_matrices.h"

#include "nn/adam.h"

enum { FROZEN, PLAIN, DECAYING, OTHERS, HEAD, N_ROW };

/* Rows of 6 elements, all 1; DECAYING decays, OTHERS is rank 1's. */
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
                                  .decay = i == DECAYING,
                                  .owner = i == OTHERS};
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

/* The first step of Adam is the rate against the sign of the gradient. */
static void roles_decay_owners(void **state)
{
    bt_parameters table = {0};
    bt_gradients gradients;
    bt_adam adam;
    bt_adam_options options = bt_adam_defaults();
    const double rates[BT_ROLES] = {[BT_ROLE_BACKBONE] = 0.01, [BT_ROLE_HEAD] = 0.1, [BT_ROLE_FROZEN] = 5};
    const float d[6] = {2, 2, 2, 2, 2, 2};
    options.decay = -4; /* turns the sign of the gradient where it is heard */
    make_table(*state, &table);
    expect_ok(bt_gradients_create(&gradients, *state, &table));
    expect_ok(bt_adam_create(&adam, &options, *state, &table, 0));
    assert_int_equal(gradients.n_trainable, 24);
    assert_int_equal(bt_buffer_count(gradients.values), 24);
    assert_int_equal(bt_buffer_count(adam.first), 18);
    assert_null(bt_gradient_matrix(&gradients, FROZEN).buffer);
    assert_null(bt_adam_moment(&adam, OTHERS, 0).buffer);
    assert_int_equal(bt_gradient_join(&gradients, PLAIN, 3).rows, 6);
    for (size_t i = PLAIN; i < N_ROW; ++i)
        expect_ok(bt_buffer_write(gradients.values, bt_gradient_matrix(&gradients, i).offset, d, 6));
    expect_ok(bt_adam_apply(&adam, &gradients, rates));
    expect_near(first_of(bt_parameter_matrix(&table, FROZEN)), 1, 0);
    expect_near(first_of(bt_parameter_matrix(&table, PLAIN)), 0.99, 1e-6);
    expect_near(first_of(bt_parameter_matrix(&table, DECAYING)), 1.01, 1e-6);
    expect_near(first_of(bt_parameter_matrix(&table, OTHERS)), 1, 0);
    expect_near(first_of(bt_parameter_matrix(&table, HEAD)), 0.9, 1e-6);
    expect_near(first_of(bt_adam_moment(&adam, PLAIN, 0)), 0.2, 1e-6);
    expect_near(first_of(bt_adam_moment(&adam, PLAIN, 1)), 0.004, 1e-8);
    expect_ok(bt_gradients_zero(&gradients));
    expect_near(first_of(bt_gradient_matrix(&gradients, HEAD)), 0, 0);
    size_t offset, count;
    bt_gradients_range(&gradients, FROZEN, DECAYING, &offset, &count);
    assert_true(offset == 0 && count == 12);
    bt_gradients_range(&gradients, FROZEN, FROZEN, &offset, &count);
    assert_int_equal(count, 0);
    bt_adam_clear(&adam);
    bt_gradients_clear(&gradients);
    bt_parameters_clear(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(roles_decay_owners)};
    return cmocka_run_group_tests_name("nn.adam", tests, setup, teardown);
}
