/* Arrays: every .npy that numpy writes (tests/parity/golden_io.py), data sets of HDF5 files, and files that lie. */
#include "support.h"

#include "io/array.h"
#include "io/elements.h"
#include "io/npy.h"

static double formula(char kind, size_t i)
{
    const double x = 3.0 * (double)i;
    return kind == 'b' ? (double)(i % 2) : kind == 'u' ? x : kind == 'i' ? x - 7 : (x - 7) / 4;
}

static bt_array *open_golden(const char *name)
{
    bt_array *array = NULL;
    expect_ok(bt_array_open(test_path(test_file("golden/io"), name), NULL, &array));
    return array;
}

/* Every rectangle of a (3, 5) array in both types. */
static void check_rectangles(const bt_array *array, char kind)
{
    for (size_t row = 0; row < 3; ++row)
        for (size_t column = 0; column < 5; ++column)
            for (size_t n_row = 0; row + n_row <= 3; ++n_row)
                for (size_t n_column = 0; column + n_column <= 5; ++n_column) {
                    float singles[15];
                    double doubles[15];
                    expect_ok(bt_array_read(array, 0, row, n_row, column, n_column, BT_F32, singles));
                    expect_ok(bt_array_read(array, 0, row, n_row, column, n_column, BT_F64, doubles));
                    for (size_t i = 0; i < n_row * n_column; ++i) {
                        const double want = formula(kind, (row + i / n_column) * 5 + column + i % n_column);
                        assert_true(doubles[i] == want);
                        assert_true(singles[i] == (float)want);
                    }
                }
}

static void check_all(const char *spec, char kind)
{
    int rank = 0;
    size_t shape[BT_ARRAY_RANK];
    double *values = NULL;
    expect_ok(bt_array_read_all(spec, &rank, shape, &values));
    assert_int_equal(rank, 2);
    assert_int_equal(shape[0], 3);
    assert_int_equal(shape[1], 5);
    assert_int_equal(shape[2], 1);
    for (size_t i = 0; i < 15; ++i) assert_true(values[i] == formula(kind, i));
    bt_free(values);
}

static void types_and_orders(void **state)
{
    (void)state;
    static const char *const kinds[] = {"b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"};
    size_t seen = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; ++k)
        for (int variant = 0; variant < 4; ++variant) {
            char name[32];
            const bool big = variant & 1;
            if (big && kinds[k][1] == '1') continue;
            (void)snprintf(name, sizeof name, "%s_%s_%c.npy", big ? "be" : "le", kinds[k], variant & 2 ? 'f' : 'c');
            bt_array *array = open_golden(name);
            assert_int_equal(bt_array_rank(array), 2);
            assert_int_equal(bt_array_extent(array, 0), 3);
            assert_int_equal(bt_array_extent(array, 1), 5);
            assert_int_equal(bt_array_extent(array, 2), 1);
            assert_int_equal(bt_array_is_integer(array), kinds[k][0] != 'f');
            check_rectangles(array, kinds[k][0]);
            check_all(bt_array_spec(array), kinds[k][0]);
            bt_array_close(&array);
            ++seen;
        }
    assert_int_equal(seen, 42);
}

static void data_sets(void **state)
{
    (void)state;
    static const char *const sets[] = {"/le/b1", "/le/u2", "/be/i8", "/be/f8", "/le/f8", "/le/f2"};
    for (size_t k = 0; k < sizeof sets / sizeof *sets; ++k) {
        char spec[4096];
        bt_array *array = NULL;
        (void)snprintf(spec, sizeof spec, "%s:%s", test_file("golden/io/h5py.h5"), sets[k]);
        expect_ok(bt_array_open(spec, NULL, &array));
        assert_string_equal(bt_array_spec(array), spec);
        assert_int_equal(bt_array_is_integer(array), sets[k][4] != 'f');
        check_rectangles(array, sets[k][4]);
        check_all(spec, sets[k][4]);
        bt_array_close(&array);
    }
}

/* Slabs of a (2, 3, 4) array. */
static void check_cube(bt_array *cube)
{
    float taken[6];
    assert_int_equal(bt_array_rank(cube), 3);
    for (size_t slab = 0; slab < 2; ++slab) {
        expect_ok(bt_array_read(cube, slab, 1, 2, 1, 3, BT_F32, taken));
        for (size_t i = 0; i < 6; ++i)
            assert_true(taken[i] == (float)formula('f', slab * 12 + (1 + i / 3) * 4 + 1 + i % 3));
    }
    expect_failure(bt_array_read(cube, 2, 0, 1, 0, 1, BT_F32, taken), BT_ERR_INPUT,
                   "slowest axis [2, 3), found only 2");
    expect_failure(bt_array_read(cube, 0, 3, 1, 0, 1, BT_F32, taken), BT_ERR_INPUT, "rows [3, 4), found only 3");
    expect_failure(bt_array_read(cube, 0, 0, 1, 2, 3, BT_F32, taken), BT_ERR_INPUT, "columns [2, 5), found only 4");
    float all[12];
    expect_ok(bt_array_read_columns(cube, NULL, 1, all));
    for (size_t i = 0; i < 12; ++i) assert_true(all[i] == (float)formula('f', 12 + i));
    bt_array_close(&cube);
}

static void slabs(void **state)
{
    (void)state;
    check_cube(open_golden("cube_c.npy"));
    check_cube(open_golden("cube_f.npy"));
    check_cube(open_golden("h5py.h5:/cube"));
}

static void other_ranks(void **state)
{
    (void)state;
    int rank = -1;
    size_t shape[BT_ARRAY_RANK];
    double *values = NULL, one = 0;
    float line[7];
    bt_array *array = open_golden("scalar.npy");
    assert_int_equal(bt_array_rank(array), 0);
    expect_ok(bt_array_read(array, 0, 0, 1, 0, 1, BT_F64, &one));
    assert_true(one == 2.5);
    bt_array_close(&array);
    static const char *const lines[] = {"line.npy", "h5py.h5:/line"};
    for (int k = 0; k < 2; ++k) {
        array = open_golden(lines[k]);
        expect_ok(bt_array_read(array, 0, 2, 5, 0, 1, BT_F32, line));
        for (size_t i = 0; i < 5; ++i) assert_true(line[i] == (float)formula('i', i + 2));
        expect_failure(bt_array_read(array, 0, 0, 1, 1, 1, BT_F32, line), BT_ERR_INPUT, "columns [1, 2), found only 1");
        bt_array_close(&array);
    }
    expect_ok(bt_array_read_all(test_file("golden/io/four_f.npy"), &rank, shape, &values));
    assert_int_equal(rank, 4);
    for (size_t i = 0; i < 120; ++i) assert_true(values[i] == formula('i', i));
    bt_free(values);
    expect_ok(bt_array_read_all(test_file("golden/io/empty.npy"), &rank, shape, &values));
    assert_int_equal(shape[0], 0);
    assert_int_equal(shape[1], 4);
    bt_free(values);
    array = open_golden("four_f.npy");
    expect_failure(bt_array_read(array, 0, 0, 1, 0, 1, BT_F32, line), BT_ERR_INPUT, "at most 3 axes, found 4");
    bt_array_close(&array);
    for (int version = 2; version <= 3; ++version) {
        char name[32];
        (void)snprintf(name, sizeof name, "version_%d.npy", version);
        array = open_golden(name);
        check_rectangles(array, 'f');
        bt_array_close(&array);
    }
}

static void refuse(const char *spec, const char *part)
{
    bt_array *array = NULL;
    expect_failure(bt_array_open(spec, NULL, &array), BT_ERR_INPUT, part);
    assert_non_null(strstr(bt_error_message(), spec));
    assert_null(array);
}

static void what_numpy_writes_and_we_do_not_read(void **state)
{
    (void)state;
    refuse(test_file("golden/io/objects.npy"), "pickled objects");
    refuse(test_file("golden/io/records.npy"), "records");
    refuse(test_file("golden/io/text.npy"), "text");
    refuse(test_file("golden/io/complex.npy"), "complex");
    refuse(test_file("golden/io/five.npy"), "at most 4 axes");
    refuse(test_file("golden/io/several.npz"), "a zip: .npz");
    refuse(test_file("golden/io/h5py.h5"), "name a data set behind it");
    refuse(test_path(test_scratch(), "absent.npy"), "absent.npy");
    bt_array *array = NULL;
    char spec[4096];
    (void)snprintf(spec, sizeof spec, "%s:/wird", test_file("golden/io/h5py.h5"));
    expect_failure(bt_array_open(spec, NULL, &array), BT_ERR_INPUT, "did you mean wide?");
    (void)snprintf(spec, sizeof spec, "%s:/words", test_file("golden/io/h5py.h5"));
    expect_failure(bt_array_open(spec, NULL, &array), BT_ERR_INPUT, "expected numbers, found text");
}

/* A version 1.0 file of this dictionary and n_data bytes. */
static const char *make(const char *dictionary, size_t n_data)
{
    char bytes[1024] = "\x93NUMPY\x01";
    const size_t length = strlen(dictionary);
    assert_true(10 + length + n_data <= sizeof bytes);
    bytes[8] = (char)(length & 0xff);
    bytes[9] = (char)(length >> 8);
    memcpy(bytes + 10, dictionary, length);
    return test_write("made.npy", bytes, 10 + length + n_data);
}

static void headers_that_are_right(void **state)
{
    (void)state;
    static const char *const right[] = {
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }\n",
        "{\"shape\":(2,3),\"descr\":\"<f8\",\"fortran_order\":False}",
        "  { 'fortran_order' : True , 'shape' : ( 2L , 3L , ) , 'descr' : '=f8' , }   \n",
    };
    for (size_t i = 0; i < sizeof right / sizeof *right; ++i) {
        bt_array *array = NULL;
        expect_ok(bt_array_open(make(right[i], 48), NULL, &array));
        assert_int_equal(bt_array_extent(array, 0), 2);
        assert_int_equal(bt_array_extent(array, 1), 3);
        bt_array_close(&array);
    }
}

/* Versions 2 and 3 are there for headers beyond 64 KiB. */
static void a_long_header(void **state)
{
    (void)state;
    enum { LENGTH = 70000 };
    bt_text bytes = {0};
    const char prefix[12] = {
        '\x93', 'N', 'U', 'M', 'P', 'Y', 2, 0, (char)(LENGTH & 0xff), (char)(LENGTH >> 8 & 0xff), LENGTH >> 16, 0};
    const double value = 0.75;
    double taken = 0;
    bt_array *array = NULL;
    expect_ok(bt_text_add_bytes(&bytes, prefix, sizeof prefix));
    expect_ok(bt_text_add(&bytes, "%-*s", (int)LENGTH, "{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}"));
    expect_ok(bt_text_add_bytes(&bytes, (const char *)&value, sizeof value));
    expect_ok(bt_array_open(test_write("long.npy", bytes.data, bytes.length), NULL, &array));
    expect_ok(bt_array_read(array, 0, 0, 1, 0, 1, BT_F64, &taken));
    assert_true(taken == value);
    bt_array_close(&array);
    bt_text_clear(&bytes);
}

static void headers_that_are_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *dictionary;
        size_t n_data;
        const char *part;
    } wrong[] = {
        {"", 48, "expected '{'"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)", 48, "expected ',' or '}'"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3", 0, "expected ',' or ')'"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2, -3), }", 48, "numbers >= 0"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2.0, 3), }", 48, "expected ',' or ')'"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': [2, 3], }", 48, "'(' before the shape"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999, 3), }", 48, "below 2^64"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", 48, "passes any file's size"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807, 1), }", 48, "passes any file's size"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }", 48, "truncated"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", 47, "truncated"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", 49, "longer than its header says"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 48, "longer than its header says"},
        {"{'descr': '<f8', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 48, "duplicate key 'descr'"},
        {"{'descr': '<f8', 'order': False, 'shape': (2, 3), }", 48, "unknown key 'order'"},
        {"{'descr': '<f8', 'fortran_order': 0, 'shape': (2, 3), }", 48, "True or False"},
        {"{'descr': '<f8', 'shape': (2, 3), }", 48, "'fortran_order' is missing"},
        {"{'descr': '<f16', 'fortran_order': False, 'shape': (3,), }", 48, "unknown type"},
        {"{'descr': '<f3', 'fortran_order': False, 'shape': (2, 3), }", 48, "unknown type"},
        {"{'descr': '', 'fortran_order': False, 'shape': (2, 3), }", 48, "unknown type"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (6,), }", 48, "pickled objects"},
        {"{'descr': '<M8[s]', 'fortran_order': False, 'shape': (6,), }", 48, "dates"},
        {"{'descr': <f8, 'fortran_order': False, 'shape': (6,), }", 48, "a quoted name"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), } import os", 48, "nothing behind '}'"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i)
        refuse(make(wrong[i].dictionary, wrong[i].n_data), wrong[i].part);
}

static void files_that_are_cut(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t size = 0;
    expect_ok(bt_path_read(test_file("golden/io/le_f8_c.npy"), &bytes, &size));
    for (size_t cut = 1; cut < size; ++cut) refuse(test_write("cut.npy", bytes, cut), "cut.npy");
    bytes[6] = 9;
    refuse(test_write("version.npy", bytes, size), "expected 1.0, 2.0 or 3.0");
    bytes[0] = 'x';
    refuse(test_write("magic.npy", bytes, size), "expected a .npy file");
    bt_free(bytes);
}

static void written_arrays_come_back(void **state)
{
    (void)state;
    const char *const path = test_path(test_scratch(), "out.npy");
    const size_t shape[4] = {2, 3, 1, 2};
    double doubles[12], *back = NULL;
    float singles[12];
    int32_t ints[12];
    for (int i = 0; i < 12; ++i) {
        doubles[i] = i / 3.0;
        singles[i] = (float)i / 7;
        ints[i] = 5 - i;
    }
    for (int n_axis = 0; n_axis <= 4; ++n_axis) {
        int rank = -1;
        size_t found[BT_ARRAY_RANK], n = 1;
        for (int i = 0; i < n_axis; ++i) n *= shape[i];
        expect_ok(bt_npy_write(path, BT_F64, n_axis, shape, doubles));
        expect_ok(bt_array_read_all(path, &rank, found, &back));
        assert_int_equal(rank, n_axis);
        assert_memory_equal(back, doubles, n * sizeof *doubles);
        bt_free(back);
        char *bytes = NULL;
        size_t size = 0;
        expect_ok(bt_path_read(path, &bytes, &size));
        assert_int_equal((size - n * sizeof *doubles) % 64, 0); /* the data are aligned */
        bt_free(bytes);
        expect_ok(bt_npy_write(path, BT_F32, n_axis, shape, singles));
        expect_ok(bt_array_read_all(path, &rank, found, &back));
        for (size_t i = 0; i < n; ++i) assert_true(back[i] == (double)singles[i]);
        bt_free(back);
        expect_ok(bt_npy_write(path, BT_I32, n_axis, shape, ints));
        expect_ok(bt_array_read_all(path, &rank, found, &back));
        for (size_t i = 0; i < n; ++i) assert_true(back[i] == (double)ints[i]);
        bt_free(back);
    }
    expect_failure(bt_npy_write(test_path(test_scratch(), "no/out.npy"), BT_F32, 1, shape, singles), BT_ERR_FILE,
                   "No such file");
}

/* All 65536 halves, against the definition of binary16. */
static void halves(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 65536; ++bits) {
        const uint16_t half = (uint16_t)bits;
        const unsigned exponent = bits >> 10 & 31, fraction = bits & 1023;
        double want = exponent == 31  ? fraction ? NAN : INFINITY
                      : exponent == 0 ? ldexp(fraction, -24)
                                      : ldexp(1024 + fraction, (int)exponent - 25);
        if (bits >> 15) want = -want;
        double taken;
        bt_elements_convert(BT_ELEMENT_F16, false, &half, 1, 1, BT_F64, &taken);
        assert_true(isnan(want) ? isnan(taken) : taken == want && !signbit(taken) == !signbit(want));
    }
}

/* Ours from a Fortran file that is larger than the reader's blocks and tiles. */
static void large_fortran_array(void **state)
{
    (void)state;
    enum { ROWS = 700, COLUMNS = 77 };
    static float values[ROWS * COLUMNS], taken[ROWS * COLUMNS];
    char head[128];
    bt_text bytes = {0};
    const int length = snprintf(head, sizeof head, "%s{'descr': '<f4', 'fortran_order': True, 'shape': (%d, %d)}",
                                "          ", (int)ROWS, (int)COLUMNS);
    memcpy(head, "\x93NUMPY\x01\x00", 8);
    head[8] = (char)(length - 10);
    head[9] = 0;
    expect_ok(bt_text_add_bytes(&bytes, head, (size_t)length));
    for (int i = 0; i < ROWS * COLUMNS; ++i) values[i] = (float)i;
    expect_ok(bt_text_add_bytes(&bytes, (const char *)values, sizeof values));
    bt_array *array = NULL;
    expect_ok(bt_array_open(test_write("columns.npy", bytes.data, bytes.length), NULL, &array));
    expect_ok(bt_array_read(array, 0, 3, ROWS - 3, 1, COLUMNS - 1, BT_F32, taken));
    for (size_t r = 3; r < ROWS; ++r)
        for (size_t c = 1; c < COLUMNS; ++c)
            assert_true(taken[(r - 3) * (COLUMNS - 1) + c - 1] == (float)(c * ROWS + r));
    bt_array_close(&array);
    bt_text_clear(&bytes);
}

static void real_arrays(void **state)
{
    (void)state;
    int rank = 0;
    size_t shape[BT_ARRAY_RANK];
    double *values = NULL;
    expect_ok(bt_array_read_all(test_file("fmri/brainiak_epoch_labels.npy"), &rank, shape, &values));
    assert_int_equal(rank, 4);
    assert_int_equal(shape[3], 10);
    double sum = 0;
    for (size_t i = 0; i < 2 * 2 * 2 * 10; ++i) sum += values[i];
    assert_true(sum == 16);
    bt_free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(types_and_orders, test_no_leak),
        cmocka_unit_test_teardown(data_sets, test_no_leak),
        cmocka_unit_test_teardown(slabs, test_no_leak),
        cmocka_unit_test_teardown(other_ranks, test_no_leak),
        cmocka_unit_test_teardown(what_numpy_writes_and_we_do_not_read, test_no_leak),
        cmocka_unit_test_teardown(headers_that_are_right, test_no_leak),
        cmocka_unit_test_teardown(a_long_header, test_no_leak),
        cmocka_unit_test_teardown(headers_that_are_wrong, test_no_leak),
        cmocka_unit_test_teardown(files_that_are_cut, test_no_leak),
        cmocka_unit_test_teardown(written_arrays_come_back, test_no_leak),
        cmocka_unit_test_teardown(halves, test_no_leak),
        cmocka_unit_test_teardown(large_fortran_array, test_no_leak),
        cmocka_unit_test_teardown(real_arrays, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
