/* The parameter table: layout, names and spellings, complaints all at once, weight norm. */
#include "support.h"

#include "nn/parameters.h"

static int setup(void **state)
{
    bt_device *device = NULL;
    if (bt_device_create(BT_DEVICE_CPU, &device) != BT_OK) return 1;
    *state = device;
    return 0;
}

static int teardown(void **state)
{
    bt_device *device = *state;
    bt_device_destroy(&device);
    return test_no_leak(state);
}

static const float numbers[64] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12,
                                  13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24};

/* A folder of the scratch folder with these tensors in model.safetensors, open. */
static bt_checkpoint *written(const bt_tensor *tensors, size_t n)
{
    static int turn;
    char folder[128], path[160];
    bt_checkpoint *checkpoint = NULL;
    (void)snprintf(folder, sizeof folder, "%s/checkpoint-%d", test_scratch(), turn++);
    (void)snprintf(path, sizeof path, "%s/model.safetensors", folder);
    expect_ok(bt_path_make(folder));
    expect_ok(bt_safetensors_write(path, tensors, n));
    expect_ok(bt_checkpoint_open(folder, &checkpoint));
    return checkpoint;
}

/* w (2, 3), k (2, 2), v (2, 2), b (2); g and direction, and the kernel (2, 1, 3) derived from them. */
static void make_table(bt_parameters *table)
{
    const bt_parameter rows[] = {
        {.name = "w", .rank = 2, .shape = {2, 3}, .role = BT_ROLE_BACKBONE, .trainable = true, .decay = true},
        {.name = "k", .rank = 2, .shape = {2, 2}},
        {.name = "v", .rank = 2, .shape = {2, 2}},
        {.name = "b", .rank = 1, .shape = {2}},
        {.name = "conv.weight_g", .spelling = "conv.original0", .rank = 3, .shape = {1, 1, 3}},
        {.name = "conv.weight_v", .spelling = "conv.original1", .rank = 3, .shape = {2, 1, 3}},
        {.name = "conv.weight", .rank = 3, .shape = {2, 1, 3}, .derivation = BT_DERIVED_WEIGHT_NORM, .from = {4, 5}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
        size_t index = 99;
        expect_ok(bt_parameters_add(table, &rows[i], &index));
        assert_int_equal(index, i);
    }
}

#define W                                                                                                              \
    {                                                                                                                  \
        .name = "w", .rank = 2, .shape = {2, 3}, .data = numbers                                                       \
    }
#define K                                                                                                              \
    {                                                                                                                  \
        .name = "k", .rank = 2, .shape = {2, 2}, .data = numbers + 6                                                   \
    }
#define V                                                                                                              \
    {                                                                                                                  \
        .name = "v", .rank = 2, .shape = {2, 2}, .data = numbers + 10                                                  \
    }
#define B                                                                                                              \
    {                                                                                                                  \
        .name = "b", .rank = 1, .shape = {2}, .data = numbers + 14                                                     \
    }

static void check_values(const bt_parameters *table, size_t index, const float *wanted, size_t n, double tolerance)
{
    float values[16];
    const bt_matrix matrix = bt_parameter_matrix(table, index);
    expect_ok(bt_buffer_read(matrix.buffer, matrix.offset, values, n));
    for (size_t i = 0; i < n; ++i) expect_near((double)values[i], (double)wanted[i], tolerance);
}

static void layout_and_loading(void **state)
{
    static const char *const unused[] = {"head.", "mask"};
    bt_parameters table = {0};
    make_table(&table);
    assert_int_equal(table.n_value, 6 + 4 + 4 + 2 + 3 + 6 + 6);
    assert_int_equal(bt_parameters_stored(&table), 25);
    const bt_tensor tensors[] = {{.name = "net.w", .rank = 2, .shape = {2, 3}, .data = numbers},
                                 K,
                                 {.name = "net.v", .rank = 2, .shape = {2, 2}, .data = numbers + 10},
                                 B,
                                 {.name = "net.conv.original0", .rank = 3, .shape = {1, 1, 3}, .data = numbers},
                                 {.name = "conv.weight_v", .rank = 3, .shape = {2, 1, 3}, .data = numbers + 2},
                                 {.name = "head.x", .rank = 1, .shape = {1}, .data = numbers},
                                 {.name = "net.mask", .rank = 1, .shape = {1}, .data = numbers}};
    bt_checkpoint *checkpoint = written(tensors, sizeof tensors / sizeof *tensors);
    const bt_parameter_names names = {.folder = "F", .prefix = "net.", .unused = unused, .n_unused = 2};
    expect_ok(bt_parameters_load(&table, *state, checkpoint, &names));
    check_values(&table, 0, numbers, 6, 0);
    check_values(&table, 3, numbers + 14, 2, 0);
    const bt_matrix joined = bt_parameter_join(&table, 1, 2);
    assert_int_equal(joined.rows, 4);
    assert_int_equal(joined.columns, 2);
    float both[8];
    expect_ok(bt_buffer_read(joined.buffer, joined.offset, both, 8));
    assert_memory_equal(both, numbers + 6, sizeof both);
    float kernel[6]; /* g[k] v[:, k] / |v[:, k]| */
    for (size_t i = 0; i < 6; ++i) {
        const float *const v = numbers + 2;
        kernel[i] = numbers[i % 3] * v[i] / sqrtf(v[i % 3] * v[i % 3] + v[3 + i % 3] * v[3 + i % 3]);
    }
    check_values(&table, 6, kernel, 6, 1e-6);
    bt_checkpoint_close(&checkpoint);
    bt_parameters_clear(&table);
}

/* Every complaint is in the one message. */
static void complaints(void **state)
{
    bt_parameters table = {0};
    make_table(&table);
    const bt_tensor tensors[] = {{.name = "w", .rank = 2, .shape = {3, 2}, .data = numbers},
                                 {.name = "b", .rank = 2, .shape = {1, 2}, .data = numbers},
                                 {.name = "k", .rank = 2, .shape = {2, 2}, .data = numbers},
                                 {.name = "conv.weight_g", .rank = 3, .shape = {1, 1, 3}, .data = numbers},
                                 {.name = "conv.weight", .rank = 3, .shape = {2, 1, 3}, .data = numbers},
                                 {.name = "headless", .rank = 1, .shape = {1}, .data = numbers}};
    bt_checkpoint *checkpoint = written(tensors, sizeof tensors / sizeof *tensors);
    static const char *const unused[] = {"head."};
    const bt_parameter_names names = {.folder = "F", .prefix = "net.", .unused = unused, .n_unused = 1};
    expect_failure(bt_parameters_load(&table, *state, checkpoint, &names), BT_ERR_INPUT,
                   "2 missing, 2 misshapen, 2 unused");
    static const char *const parts[] = {"F: ", "Missing: v (2, 2), conv.weight_v (2, 1, 3).",
                                        "w expected (2, 3) found (3, 2)", "b expected (2) found (1, 2)",
                                        "conv.weight, headless"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i) {
        if (!strstr(bt_error_message(), parts[i])) print_error("\"%s\" has no \"%s\"\n", bt_error_message(), parts[i]);
        assert_non_null(strstr(bt_error_message(), parts[i]));
    }
    assert_null(table.values);
    bt_checkpoint_close(&checkpoint);
    bt_parameters_clear(&table);
}

static void zero_direction(void **state)
{
    static const float zeros[6] = {0};
    bt_parameters table = {0};
    make_table(&table);
    const bt_tensor tensors[] = {W,
                                 K,
                                 V,
                                 B,
                                 {.name = "conv.original0", .rank = 3, .shape = {1, 1, 3}, .data = numbers},
                                 {.name = "conv.original1", .rank = 3, .shape = {2, 1, 3}, .data = zeros}};
    bt_checkpoint *checkpoint = written(tensors, sizeof tensors / sizeof *tensors);
    const bt_parameter_names names = {.folder = "F"};
    expect_failure(bt_parameters_load(&table, *state, checkpoint, &names), BT_ERR_INPUT,
                   "conv.weight: the direction of kernel element 0");
    bt_checkpoint_close(&checkpoint);
    bt_parameters_clear(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(layout_and_loading), cmocka_unit_test(complaints),
                                       cmocka_unit_test(zero_direction)};
    return cmocka_run_group_tests_name("nn.parameters", tests, setup, teardown);
}
