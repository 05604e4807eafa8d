/* HDF5: what we write comes back, what h5py wrote is read (tests/parity/golden_io.py), and failures are explained. */
#include "support.h"

#include "io/hdf5.h"

#include <signal.h>
#include <sys/resource.h>

static const char *scratch(const char *name)
{
    return test_path(test_scratch(), name);
}

static bt_h5 *open_golden(void)
{
    bt_h5 *file = NULL;
    expect_ok(bt_h5_open(test_file("golden/io/h5py.h5"), NULL, &file));
    return file;
}

static void round_trip(void **state)
{
    (void)state;
    const char *const path = scratch("round.h5");
    const size_t shape[4] = {2, 3, 1, 4};
    float singles[24], singles_back[24];
    double doubles[24];
    int32_t ints[24];
    for (int i = 0; i < 24; ++i) {
        singles[i] = (float)i / 3;
        doubles[i] = i / 7.0;
        ints[i] = 1000 - i;
    }
    doubles[5] = NAN;
    bt_h5 *file = NULL;
    expect_ok(bt_h5_create(path, &file));
    expect_ok(bt_h5_write(file, "/story/layer_00", BT_F32, 4, shape, singles));
    expect_ok(bt_h5_write(file, "/story/times", BT_F64, 1, (size_t[]){24}, doubles));
    expect_ok(bt_h5_write(file, "/roi_label", BT_I32, 2, (size_t[]){6, 4}, ints));
    expect_ok(bt_h5_write(file, "/nobody", BT_F32, 2, (size_t[]){0, 4}, singles));
    assert_string_equal(bt_h5_path(file), path);
    expect_ok(bt_h5_close(&file));
    assert_null(file);

    expect_ok(bt_h5_open(path, NULL, &file));
    bt_h5_shape found;
    void *data = NULL;
    expect_ok(bt_h5_shape_of(file, "/story/layer_00", &found));
    assert_int_equal(found.rank, 4);
    assert_memory_equal(found.shape, shape, sizeof shape);
    assert_int_equal(found.element_size, 4);
    assert_false(found.is_integer);
    expect_ok(bt_h5_read_all(file, "/story/layer_00", BT_F32, &found, &data));
    assert_memory_equal(data, singles, sizeof singles);
    bt_free(data);
    expect_ok(bt_h5_read_all(file, "/story/times", BT_F64, &found, &data));
    assert_memory_equal(data, doubles, sizeof doubles);
    bt_free(data);
    expect_ok(bt_h5_read_all(file, "/story/times", BT_F32, &found, &data));
    for (int i = 0; i < 24; ++i)
        if (i != 5) assert_true(((float *)data)[i] == (float)doubles[i]);
    assert_true(isnan(((float *)data)[5]));
    bt_free(data);
    expect_ok(bt_h5_read_all(file, "/roi_label", BT_I32, &found, &data));
    assert_memory_equal(data, ints, sizeof ints);
    assert_true(found.is_integer && found.is_number);
    bt_free(data);
    expect_ok(bt_h5_read_all(file, "/nobody", BT_F32, &found, &data));
    assert_int_equal(found.shape[0], 0);
    bt_free(data);
    expect_ok(
        bt_h5_read(file, "/story/layer_00", BT_F32, (size_t[]){1, 1, 0, 1}, (size_t[]){1, 2, 1, 2}, singles_back));
    const float expected[4] = {singles[17], singles[18], singles[21], singles[22]};
    assert_memory_equal(singles_back, expected, sizeof expected);
    expect_ok(bt_h5_close(&file));
}

static void rows_of_a_reserved_set(void **state)
{
    (void)state;
    const char *const path = scratch("rows.h5");
    bt_h5 *file = NULL;
    double row[6];
    expect_ok(bt_h5_create(path, &file));
    expect_ok(bt_h5_reserve(file, "/weights", BT_F64, 3, (size_t[]){5, 2, 3}));
    for (size_t i = 5; i-- > 0;) {
        for (size_t j = 0; j < 6; ++j) row[j] = (double)(10 * i + j);
        expect_ok(bt_h5_write_rows(file, "/weights", BT_F64, i, 1, row));
    }
    expect_ok(bt_h5_close(&file));
    expect_ok(bt_h5_open(path, NULL, &file));
    bt_h5_shape shape;
    void *data = NULL;
    expect_ok(bt_h5_read_all(file, "/weights", BT_F64, &shape, &data));
    for (size_t i = 0; i < 30; ++i) assert_true(((double *)data)[i] == (double)(10 * (i / 6) + i % 6));
    bt_free(data);
    expect_ok(bt_h5_close(&file));
}

/* Narrowing works in blocks of 16 MiB: three rows and a bit more than one block each, and one row that must be cut. */
static void large_sets_are_narrowed_in_blocks(void **state)
{
    (void)state;
    const size_t n_row = 3, n_column = (5u << 20) / 2 + 7;
    const char *const path = scratch("large.h5");
    double *const wide = bt_calloc(n_row * n_column, sizeof *wide);
    float *const narrow = bt_calloc(n_row * n_column, sizeof *narrow);
    bt_h5 *file = NULL;
    assert_true(wide && narrow);
    for (size_t i = 0; i < n_row * n_column; ++i) wide[i] = (double)i / 3;
    expect_ok(bt_h5_create(path, &file));
    expect_ok(bt_h5_write(file, "/data", BT_F64, 2, (size_t[]){n_row, n_column}, wide));
    expect_ok(bt_h5_close(&file));
    expect_ok(bt_h5_open(path, NULL, &file));
    expect_ok(bt_h5_read(file, "/data", BT_F32, (size_t[]){0, 0}, (size_t[]){n_row, n_column}, narrow));
    size_t wrong = 0;
    for (size_t i = 0; i < n_row * n_column; ++i) wrong += narrow[i] != (float)wide[i];
    assert_int_equal(wrong, 0);
    expect_ok(bt_h5_read(file, "/data", BT_F32, (size_t[]){1, 5}, (size_t[]){2, n_column - 9}, narrow));
    for (size_t r = 0; r < 2; ++r)
        for (size_t c = 0; c < n_column - 9; ++c)
            wrong += narrow[r * (n_column - 9) + c] != (float)wide[(r + 1) * n_column + c + 5];
    assert_int_equal(wrong, 0);
    expect_ok(bt_h5_close(&file));
    bt_free(wide);
    bt_free(narrow);
}

static void equal_data_are_equal_bytes(void **state)
{
    (void)state;
    char *bytes[2] = {NULL, NULL};
    size_t size[2] = {0, 0};
    for (int k = 0; k < 2; ++k) {
        bt_h5 *file = NULL;
        const char *const path = scratch(k ? "equal_1.h5" : "equal_0.h5");
        const float values[4] = {1, 2, 3, 4};
        if (k) (void)sleep(2); /* HDF5's times are in seconds */
        expect_ok(bt_h5_create(path, &file));
        expect_ok(bt_h5_write(file, "/a/b/c", BT_F32, 2, (size_t[]){2, 2}, values));
        expect_ok(bt_h5_set_text(file, "/", "recipe", "{\"stage\": \"encode\"}"));
        expect_ok(bt_h5_set_int(file, "/a/b", "n", 4));
        expect_ok(bt_h5_close(&file));
        expect_ok(bt_path_read(path, &bytes[k], &size[k]));
    }
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(bytes[0], bytes[1], size[0]);
    bt_free(bytes[0]);
    bt_free(bytes[1]);
}

static void attributes(void **state)
{
    (void)state;
    const char *const path = scratch("attributes.h5");
    bt_h5 *file = NULL;
    char *text = NULL;
    double number = 0;
    bt_text lengthy = {0};
    for (int i = 0; i < 20000; ++i) expect_ok(bt_text_add(&lengthy, "key_%d=1,", i));
    expect_ok(bt_h5_create(path, &file));
    expect_ok(bt_h5_write(file, "/r", BT_F32, 1, (size_t[]){1}, (float[]){1}));
    expect_ok(bt_h5_set_text(file, "/", "recipe", "old"));
    expect_ok(bt_h5_set_text(file, "/", "recipe", lengthy.data)); /* beyond an object header's 64 KiB */
    expect_ok(bt_h5_set_text(file, "/r", "unit", "\xc2\xb5V"));
    expect_ok(bt_h5_set_text(file, "/r", "empty", ""));
    expect_ok(bt_h5_set_real(file, "/r", "alpha", 0.1));
    expect_ok(bt_h5_set_int(file, "/r", "n", -5));
    expect_failure(bt_h5_set_int(file, "/q", "n", 1), BT_ERR_INPUT, "there is: r");
    expect_ok(bt_h5_close(&file));
    expect_ok(bt_h5_open(path, NULL, &file));
    expect_ok(bt_h5_get_text(file, "/", "recipe", &text));
    assert_string_equal(text, lengthy.data);
    bt_free(text);
    expect_ok(bt_h5_get_text(file, "/r", "unit", &text));
    assert_string_equal(text, "\xc2\xb5V");
    bt_free(text);
    expect_ok(bt_h5_get_text(file, "/r", "empty", &text));
    assert_string_equal(text, "");
    bt_free(text);
    expect_ok(bt_h5_get_real(file, "/r", "alpha", &number));
    assert_true(number == 0.1);
    expect_ok(bt_h5_get_real(file, "/r", "n", &number));
    assert_true(number == -5);
    assert_true(bt_h5_has_attribute(file, "/r", "unit"));
    assert_false(bt_h5_has_attribute(file, "/r", "units"));
    assert_false(bt_h5_has_attribute(file, "/nowhere", "unit"));
    expect_failure(bt_h5_get_text(file, "/r", "units", &text), BT_ERR_INPUT, "expected an attribute units");
    expect_failure(bt_h5_get_text(file, "/r", "n", &text), BT_ERR_INPUT, "expected text");
    expect_failure(bt_h5_get_real(file, "/r", "unit", &number), BT_ERR_INPUT, "expected a number");
    bt_h5_abandon(&file);
    bt_text_clear(&lengthy);
}

static void attributes_of_h5py(void **state)
{
    (void)state;
    bt_h5 *file = open_golden();
    char *text = NULL;
    double number = 0;
    expect_ok(bt_h5_get_text(file, "/", "text", &text));
    assert_string_equal(text, "r\xc3\xa9"
                              "cit");
    bt_free(text);
    expect_ok(bt_h5_get_text(file, "/", "bytes", &text));
    assert_string_equal(text, "fixed");
    bt_free(text);
    expect_ok(bt_h5_get_text(file, "/", "one_text", &text));
    assert_string_equal(text, "single");
    bt_free(text);
    expect_ok(bt_h5_get_real(file, "/", "int", &number));
    assert_true(number == -3);
    expect_ok(bt_h5_get_real(file, "/", "real", &number));
    assert_true(number == 0.25);
    expect_failure(bt_h5_get_real(file, "/", "list", &number), BT_ERR_INPUT, "expected one value, found 2");
    expect_ok(bt_h5_close(&file));
}

static double formula(char kind, int i)
{
    return kind == 'b' ? i % 2 : kind == 'u' ? 3 * i : kind == 'i' ? 3 * i - 7 : (3 * i - 7) / 4.0;
}

static void types_of_h5py(void **state)
{
    (void)state;
    static const char *const sets[] = {"/le/b1", "/le/i1", "/le/u1", "/le/i2", "/le/u2", "/le/i4", "/le/u4", "/le/i8",
                                       "/le/u8", "/le/f2", "/le/f4", "/le/f8", "/be/i1", "/be/u1", "/be/i2", "/be/u2",
                                       "/be/i4", "/be/u4", "/be/i8", "/be/u8", "/be/f2", "/be/f4", "/be/f8"};
    bt_h5 *file = open_golden();
    for (size_t k = 0; k < sizeof sets / sizeof *sets; ++k) {
        const char kind = sets[k][4];
        bt_h5_shape shape;
        void *doubles = NULL, *singles = NULL, *ints = NULL;
        expect_ok(bt_h5_read_all(file, sets[k], BT_F64, &shape, &doubles));
        expect_ok(bt_h5_read_all(file, sets[k], BT_F32, &shape, &singles));
        assert_int_equal(shape.rank, 2);
        assert_int_equal(shape.shape[0], 3);
        assert_int_equal(shape.shape[1], 5);
        assert_int_equal(shape.is_integer, kind != 'f');
        if (kind == 'f')
            expect_failure(bt_h5_read_all(file, sets[k], BT_I32, &shape, &ints), BT_ERR_INPUT, "expected integers");
        else
            expect_ok(bt_h5_read_all(file, sets[k], BT_I32, &shape, &ints));
        for (int i = 0; i < 15; ++i) {
            assert_true(((double *)doubles)[i] == formula(kind, i));
            assert_true(((float *)singles)[i] == (float)formula(kind, i));
            if (ints) assert_true(((int32_t *)ints)[i] == (int32_t)formula(kind, i));
        }
        bt_free(doubles);
        bt_free(singles);
        bt_free(ints);
    }
    expect_ok(bt_h5_close(&file));
}

static void layouts_of_h5py(void **state)
{
    (void)state;
    bt_h5 *file = open_golden();
    float packed[23 * 11], wide[23 * 11];
    double one = 0, holes[4];
    for (size_t row = 0; row < 23; row += 4)
        for (size_t column = 0; column < 11; column += 3) {
            const size_t start[2] = {row, column};
            const size_t count[2] = {23 - row < 6 ? 23 - row : 6, 11 - column < 5 ? 11 - column : 5};
            expect_ok(bt_h5_read(file, "/packed", BT_F32, start, count, packed));
            expect_ok(bt_h5_read(file, "/wide", BT_F32, start, count, wide));
            assert_memory_equal(packed, wide, count[0] * count[1] * sizeof *wide);
            for (size_t i = 0; i < count[0] * count[1]; ++i) {
                const size_t r = row + i / count[1], c = column + i % count[1];
                assert_true(wide[i] == (float)formula('f', (int)(r * 11 + c)));
            }
        }
    expect_ok(bt_h5_read(file, "/scalar", BT_F64, NULL, NULL, &one));
    assert_true(one == 2.5);
    expect_ok(bt_h5_read(file, "/holes", BT_F64, (size_t[]){0, 0}, (size_t[]){2, 2}, holes));
    assert_true(isnan(holes[1]) && isinf(holes[2]) && holes[3] == 4);
    expect_ok(bt_h5_close(&file));
}

static void names(void **state)
{
    (void)state;
    bt_h5 *file = open_golden();
    bt_names found = {0};
    expect_ok(bt_h5_list(file, "/be", &found));
    assert_int_equal(found.n, 11);
    assert_string_equal(found.items[0], "f2");
    assert_string_equal(found.items[10], "u8");
    bt_names_clear(&found);
    assert_true(bt_h5_has(file, "/"));
    assert_true(bt_h5_has(file, "/le"));
    assert_true(bt_h5_has(file, "/le/f4"));
    assert_true(bt_h5_has(file, "le/f4"));
    assert_false(bt_h5_has(file, "/le/f5"));
    assert_false(bt_h5_has(file, "/la/f4"));
    assert_false(bt_h5_has(file, "/le/f4/x"));
    expect_failure(bt_h5_list(file, "/le/f4", &found), BT_ERR_INPUT, "/le/f4");
    expect_failure(bt_h5_list(file, "/lo", &found), BT_ERR_INPUT, "did you mean");
    bt_names_clear(&found);
    expect_ok(bt_h5_close(&file));
}

static void what_is_no_array_of_numbers(void **state)
{
    (void)state;
    bt_h5 *file = open_golden();
    bt_h5_shape shape;
    void *data = NULL;
    float four[4];
    expect_failure(bt_h5_read_all(file, "/wird", BT_F32, &shape, &data), BT_ERR_INPUT, "did you mean wide?");
    expect_failure(bt_h5_read_all(file, "/le", BT_F32, &shape, &data), BT_ERR_INPUT, "expected a data set");
    expect_failure(bt_h5_read_all(file, "/words", BT_F32, &shape, &data), BT_ERR_INPUT, "expected numbers, found text");
    expect_failure(bt_h5_read_all(file, "/records", BT_F32, &shape, &data), BT_ERR_INPUT,
                   "expected numbers, found text");
    expect_failure(bt_h5_read_all(file, "/five", BT_F32, &shape, &data), BT_ERR_INPUT,
                   "expected at most 4 axes, found 5");
    expect_failure(bt_h5_read_all(file, "/nothing", BT_F32, &shape, &data), BT_ERR_INPUT, "found nothing");
    expect_failure(bt_h5_read_all(file, "/large", BT_I32, &shape, &data), BT_ERR_INPUT, "32-bit");
    expect_ok(bt_h5_shape_of(file, "/words", &shape));
    assert_false(shape.is_number);
    expect_failure(bt_h5_read(file, "/line", BT_F32, (size_t[]){4}, (size_t[]){4}, four), BT_ERR_INPUT,
                   "expected at least 8 along axis 0, found 7");
    assert_null(data);
    expect_ok(bt_h5_close(&file));
}

static void what_is_no_file(void **state)
{
    (void)state;
    bt_h5 *file = NULL;
    char *bytes = NULL;
    size_t size = 0;
    expect_ok(bt_path_read(test_file("golden/io/h5py.h5"), &bytes, &size));
    expect_failure(bt_h5_open(scratch("absent.h5"), NULL, &file), BT_ERR_INPUT, "absent.h5");
    expect_failure(bt_h5_open(test_write_text("text.h5", "no numbers here\n"), NULL, &file), BT_ERR_INPUT,
                   "no HDF5 signature");
    const size_t cuts[] = {9, 60, 500, 2000, 10000};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; ++i) {
        expect_failure(bt_h5_open(test_write("cut.h5", bytes, cuts[i]), NULL, &file), BT_ERR_INPUT, "cut.h5");
        assert_null(file);
    }
    expect_failure(bt_h5_open(test_write("cut.h5", bytes, size - 1), NULL, &file), BT_ERR_INPUT, "truncated");
    expect_failure(bt_h5_create(scratch("no/such/folder.h5"), &file), BT_ERR_FILE, "No such file or directory");
    assert_null(file);
    bt_free(bytes);
}

/* A file size limit fails as a full disk does: in the data, or only when metadata are written at the end. */
static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*const old)(int) = signal(SIGXFSZ, SIG_IGN);
    float *const values = bt_calloc(1 << 18, sizeof *values);
    small = before;
    for (int at_close = 0; at_close < 2; ++at_close) {
        bt_h5 *file = NULL;
        bt_status status = BT_OK;
        small.rlim_cur = at_close ? 2100 : 65536;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        expect_ok(bt_h5_create(scratch("full.h5"), &file));
        status = bt_h5_write(file, "/r", BT_F32, 1, (size_t[]){at_close ? 4 : 1 << 18}, values);
        assert_int_equal(status, at_close ? BT_OK : BT_ERR_FILE);
        for (int i = 0; at_close && status == BT_OK && i < 40; ++i) {
            char name[16];
            (void)snprintf(name, sizeof name, "/g%d/x", i);
            status = bt_h5_reserve(file, name, BT_F32, 1, (size_t[]){1});
        }
        expect_failure(bt_h5_close(&file), BT_ERR_FILE, "File too large");
        assert_null(file);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    }
    bt_free(values);
    (void)signal(SIGXFSZ, old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(round_trip, test_no_leak),
        cmocka_unit_test_teardown(rows_of_a_reserved_set, test_no_leak),
        cmocka_unit_test_teardown(large_sets_are_narrowed_in_blocks, test_no_leak),
        cmocka_unit_test_teardown(equal_data_are_equal_bytes, test_no_leak),
        cmocka_unit_test_teardown(attributes, test_no_leak),
        cmocka_unit_test_teardown(attributes_of_h5py, test_no_leak),
        cmocka_unit_test_teardown(types_of_h5py, test_no_leak),
        cmocka_unit_test_teardown(layouts_of_h5py, test_no_leak),
        cmocka_unit_test_teardown(names, test_no_leak),
        cmocka_unit_test_teardown(what_is_no_array_of_numbers, test_no_leak),
        cmocka_unit_test_teardown(what_is_no_file, test_no_leak),
        cmocka_unit_test_teardown(a_full_disk_is_an_error, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
