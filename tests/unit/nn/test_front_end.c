/* The convolutional front end: sizes, and that tiles do not show. (What it computes is compared with transformers in
 * unit.speech.wav2vec2.) */
#include "support.h"

#include "base/random.h"
#include "nn/front_end.h"

enum { LAYERS = 3 };
static const size_t channels[LAYERS] = {6, 9, 5}, kernels[LAYERS] = {10, 3, 2}, strides[LAYERS] = {5, 2, 2};

static bt_front_end_spec spec_with_tile(size_t tile)
{
    bt_front_end_spec spec = {.n_layer = LAYERS, .epsilon = 1e-5, .tile = tile};
    memcpy(spec.channels, channels, sizeof channels);
    memcpy(spec.kernels, kernels, sizeof kernels);
    memcpy(spec.strides, strides, sizeof strides);
    return spec;
}

static void sizes(void **state)
{
    (void)state;
    const bt_front_end_spec spec = spec_with_tile(8);
    assert_int_equal(bt_front_end_hop(&spec), 20);
    assert_int_equal(bt_front_end_samples(&spec, 1), 30); /* ((1 + 1) 2 + 1 - 1) 5 + 10 */
    for (size_t n = 1; n < 100; ++n) {
        assert_int_equal(bt_front_end_frames(&spec, bt_front_end_samples(&spec, n)), n);
        assert_int_equal(bt_front_end_frames(&spec, bt_front_end_samples(&spec, n) - 1), n - 1);
    }
    assert_int_equal(bt_front_end_frames(&spec, 0), 0);
}

/* A table of random values, as if loaded. */
static void make_table(bt_device *device, bt_parameters *table, bt_front_end_rows *rows)
{
    bt_random random = bt_random_start(11, 0);
    for (size_t i = 0; i < LAYERS; ++i) {
        const bt_parameter weight = {
            .name = "w", .rank = 3, .shape = {channels[i], i ? channels[i - 1] : 1, kernels[i]}};
        expect_ok(bt_parameters_add(table, &weight, &rows->weight[i]));
        rows->bias[i] = SIZE_MAX;
    }
    const bt_parameter vector = {.name = "v", .rank = 1, .shape = {channels[0]}};
    const bt_parameter bias = {.name = "b", .rank = 1, .shape = {channels[2]}};
    expect_ok(bt_parameters_add(table, &vector, &rows->norm_scale[0]));
    expect_ok(bt_parameters_add(table, &vector, &rows->norm_shift[0]));
    expect_ok(bt_parameters_add(table, &bias, &rows->bias[2]));
    float *const values = bt_calloc(table->n_value, sizeof *values);
    for (size_t i = 0; i < table->n_value; ++i) values[i] = (float)bt_random_normal(&random);
    expect_ok(bt_buffer_create(device, BT_F32, table->n_value, &table->values));
    expect_ok(bt_buffer_write(table->values, 0, values, table->n_value));
    bt_free(values);
}

/* Frames of `n` samples through tiles of at most `tile` frames; allocated. */
static float *frames_of(bt_device *device, const bt_parameters *table, const bt_front_end_rows *rows, size_t tile,
                        const float *samples, size_t n)
{
    const bt_front_end_spec spec = spec_with_tile(tile);
    const size_t n_frame = bt_front_end_frames(&spec, n);
    bt_front_end *front_end = NULL;
    bt_buffer *buffers[5] = {NULL};
    size_t counts[3];
    bt_matrix work[3];
    expect_ok(bt_front_end_create(device, &spec, table, rows, &front_end));
    bt_front_end_work(front_end, n_frame, counts);
    for (size_t i = 0; i < 3; ++i) {
        expect_ok(bt_buffer_create(device, BT_F32, counts[i], &buffers[i]));
        work[i] = bt_matrix_of(buffers[i], 1, counts[i]);
    }
    expect_ok(bt_buffer_create(device, BT_F32, n, &buffers[3]));
    expect_ok(bt_buffer_create(device, BT_F32, n_frame * channels[2], &buffers[4]));
    expect_ok(bt_buffer_write(buffers[3], 0, samples, n));
    expect_ok(bt_front_end_apply(front_end, bt_matrix_of(buffers[3], 1, n), work,
                                 bt_matrix_of(buffers[4], n_frame, channels[2])));
    float *const out = bt_calloc(n_frame * channels[2], sizeof *out);
    expect_ok(bt_buffer_read(buffers[4], 0, out, n_frame * channels[2]));
    for (size_t i = 0; i < 5; ++i) bt_buffer_destroy(&buffers[i]);
    bt_front_end_destroy(&front_end);
    return out;
}

static void tiles_do_not_show(void **state)
{
    (void)state;
    enum { MOST = 4000 };
    static const size_t lengths[] = {30, 49, 50, 200, 391, 1234, MOST}, tiles[] = {1, 4, 7, 16, 64};
    bt_device *device = NULL;
    bt_parameters table = {0};
    bt_front_end_rows rows;
    float samples[MOST];
    bt_random random = bt_random_start(12, 0);
    for (size_t i = 0; i < MOST; ++i) samples[i] = (float)bt_random_normal(&random);
    expect_ok(bt_device_create(BT_DEVICE_CPU, &device));
    make_table(device, &table, &rows);
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; ++l) {
        const bt_front_end_spec spec = spec_with_tile(MOST);
        const size_t n = bt_front_end_frames(&spec, lengths[l]) * channels[2];
        float *const whole = frames_of(device, &table, &rows, MOST, samples, lengths[l]);
        for (size_t t = 0; t < sizeof tiles / sizeof *tiles; ++t) {
            float *const parts = frames_of(device, &table, &rows, tiles[t], samples, lengths[l]);
            for (size_t i = 0; i < n; ++i) expect_near((double)parts[i], (double)whole[i], 1e-5);
            bt_free(parts);
        }
        bt_free(whole);
    }
    bt_parameters_clear(&table);
    bt_device_destroy(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes), cmocka_unit_test(tiles_do_not_show)};
    return cmocka_run_group_tests_name("nn.front_end", tests, NULL, test_no_leak);
}
