/* Feature files: what is in them, and what is said of those that do not fit. */
#include "support.h"

#include "io/hdf5.h"
#include "stimulus/features_file.h"

/* /a and /b with layer_00 (3, 2) and times; /a alone with layer_01; widths of /b's layer_00 as told. */
static const char *write_file(const char *name, size_t width_b)
{
    const char *const path = test_path(test_scratch(), name);
    const float values[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    const double times[3] = {0.5, 1.5, 2.5};
    const size_t two[2] = {3, 2}, other[2] = {3, width_b}, three = 3;
    bt_h5 *file = NULL;
    expect_ok(bt_h5_create(path, &file));
    expect_ok(bt_h5_write(file, "/b/layer_00", BT_F32, 2, other, values));
    expect_ok(bt_h5_write(file, "/a/layer_00", BT_F32, 2, two, values));
    expect_ok(bt_h5_write(file, "/a/layer_01", BT_F32, 2, two, values));
    expect_ok(bt_h5_write(file, "/a/rate", BT_F32, 1, &three, values));
    expect_ok(bt_h5_write(file, "/b/rate", BT_F32, 1, &three, values));
    expect_ok(bt_h5_write(file, "/a/times", BT_F64, 1, &three, times));
    expect_ok(bt_h5_write(file, "/b/times", BT_F64, 1, &three, times));
    expect_ok(bt_h5_close(&file));
    return path;
}

static void test_layout(void **state)
{
    (void)state;
    bt_features *features = NULL;
    size_t n = 0;
    expect_ok(bt_features_open(write_file("layout.h5", 2), &features));
    assert_int_equal(bt_features_stories(features)->n, 2);
    assert_string_equal(bt_features_stories(features)->items[0], "a");
    assert_int_equal(bt_features_spaces(features)->n, 2);
    assert_string_equal(bt_features_spaces(features)->items[0], "layer_00");
    assert_string_equal(bt_features_spaces(features)->items[1], "rate");
    expect_ok(bt_features_width(features, "layer_00", &n));
    assert_int_equal(n, 2);
    expect_ok(bt_features_width(features, "rate", &n));
    assert_int_equal(n, 1);
    bt_features_close(&features);
}

static void test_read(void **state)
{
    (void)state;
    bt_features *features = NULL;
    float *rows = NULL;
    size_t n = 0, d = 0;
    expect_ok(bt_features_open(write_file("read.h5", 2), &features));
    expect_ok(bt_features_read(features, "a", "layer_00", &rows, &n, &d));
    assert_int_equal(n, 3);
    assert_int_equal(d, 2);
    for (size_t i = 0; i < 6; ++i) expect_near(rows[i], (double)i, 0);
    bt_free(rows);
    expect_failure(bt_features_read(features, "c", "layer_00", &rows, &n, &d), BT_ERR_INPUT, "no story named 'c'");
    assert_null(rows);
    expect_failure(bt_features_read(features, "a", "layer_0", &rows, &n, &d), BT_ERR_INPUT, "did you mean 'layer_00'?");
    bt_features_close(&features);
}

static void test_misfits(void **state)
{
    (void)state;
    bt_features *features = NULL;
    bt_h5 *file = NULL;
    size_t n = 0;
    expect_ok(bt_features_open(write_file("widths.h5", 3), &features));
    expect_failure(bt_features_width(features, "layer_00", &n), BT_ERR_INPUT, "has 3 columns where /a/layer_00 has 2");
    bt_features_close(&features);
    const char *const empty = test_path(test_scratch(), "empty.h5");
    expect_ok(bt_h5_create(empty, &file));
    expect_ok(bt_h5_close(&file));
    expect_failure(bt_features_open(empty, &features), BT_ERR_INPUT, "found nothing");
    expect_failure(bt_features_open(test_path(test_scratch(), "no.h5"), &features), BT_ERR_INPUT, "no.h5");
    assert_null(features);
}

static void test_layer_names(void **state)
{
    (void)state;
    char *const seven = bt_layer_name(7), *const many = bt_layer_name(123);
    assert_string_equal(seven, "layer_07");
    assert_string_equal(many, "layer_123");
    bt_free(seven);
    bt_free(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_misfits),
        cmocka_unit_test(test_layer_names),
    };
    return cmocka_run_group_tests(tests, NULL, test_no_leak);
}
