/* One file of everything that this room writes, read back by ourselves; tests/parity/check_io.py has the peers read the
 * same files, kept in the folder that BRAINTUNE_WRITTEN names. */
#include "support.h"

#include "io/array.h"
#include "io/hdf5.h"
#include "io/nifti.h"
#include "io/safetensors.h"

enum { MOST = 64 };
static float singles[MOST];
static double doubles[MOST];
static int32_t ints[MOST];

static const char *out(const char *name)
{
    const char *const folder = getenv("BRAINTUNE_WRITTEN");
    return test_path(folder ? folder : test_scratch(), name);
}

static int make_numbers(void **state)
{
    (void)state;
    for (int i = 0; i < MOST; ++i) {
        singles[i] = (float)i / 3;
        doubles[i] = i / 3.0;
        ints[i] = 1000 - i;
    }
    return 0;
}

static void npy(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bt_dtype type;
        const void *data;
    } kinds[] = {{"f4", BT_F32, singles}, {"f8", BT_F64, doubles}, {"i4", BT_I32, ints}};
    const size_t shape[4] = {2, 3, 1, 2};
    for (int k = 0; k < 3; ++k)
        for (int rank = 0; rank <= 4; ++rank) {
            char name[16];
            (void)snprintf(name, sizeof name, "%s_%d.npy", kinds[k].name, rank);
            expect_ok(bt_npy_write(out(name), kinds[k].type, rank, shape, kinds[k].data));
            bt_array *array = NULL;
            expect_ok(bt_array_open(out(name), NULL, &array));
            assert_int_equal(bt_array_rank(array), rank);
            bt_array_close(&array);
        }
}

/* Filled back to front, the file is the one that is written at once. */
static void npy_in_pieces(void **state)
{
    (void)state;
    const size_t shape[3] = {2, 3, 4};
    char *bytes[2] = {NULL, NULL};
    size_t size[2] = {0, 0};
    expect_ok(bt_npy_write(out("whole.npy"), BT_F32, 3, shape, singles));
    expect_ok(bt_npy_reserve(out("pieces.npy"), BT_F32, 3, shape));
    for (size_t low = 24; low > 0; low -= 6)
        expect_ok(bt_npy_fill(out("pieces.npy"), BT_F32, 3, shape, low - 6, 6, singles + low - 6));
    expect_ok(bt_path_read(out("whole.npy"), &bytes[0], &size[0]));
    expect_ok(bt_path_read(out("pieces.npy"), &bytes[1], &size[1]));
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(bytes[0], bytes[1], size[0]);
    bt_free(bytes[0]);
    bt_free(bytes[1]);
    expect_failure(bt_npy_fill(out("absent.npy"), BT_F32, 3, shape, 0, 6, singles), BT_ERR_FILE, "absent.npy");
    expect_failure(bt_npy_reserve("/nowhere/x.npy", BT_F32, 3, shape), BT_ERR_FILE,
                   "/nowhere/x.npy: cannot be created");
}

static void hdf5(void **state)
{
    (void)state;
    bt_h5 *file = NULL;
    expect_ok(bt_h5_create(out("written.h5"), &file));
    expect_ok(bt_h5_write(file, "/story/layer_00", BT_F32, 2, (size_t[]){5, 7}, singles));
    expect_ok(bt_h5_write(file, "/story/times", BT_F64, 1, (size_t[]){5}, doubles));
    expect_ok(bt_h5_write(file, "/roi_label", BT_I32, 3, (size_t[]){2, 3, 4}, ints));
    expect_ok(bt_h5_reserve(file, "/reserved", BT_F64, 2, (size_t[]){6, 2}));
    expect_ok(bt_h5_write_rows(file, "/reserved", BT_F64, 4, 2, doubles + 8));
    expect_ok(bt_h5_write_rows(file, "/reserved", BT_F64, 0, 4, doubles));
    expect_ok(bt_h5_set_text(file, "/", "recipe", "{\"stage\": \"encode\"}"));
    expect_ok(bt_h5_set_text(file, "/story", "unit", "\xc2\xb5V"));
    expect_ok(bt_h5_set_real(file, "/roi_label", "alpha", 0.1));
    expect_ok(bt_h5_set_int(file, "/roi_label", "n", -5));
    expect_ok(bt_h5_close(&file));
    expect_ok(bt_h5_open(out("written.h5"), NULL, &file));
    assert_true(bt_h5_has(file, "/story/times"));
    expect_ok(bt_h5_close(&file));
}

static void nifti(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"map_1_le.nii.gz", "mask.nii.gz"}, {"map_1_be.nii", "mask_be.nii"}, {"map_2_be.nii.gz", "v2_be_f8.nii.gz"}};
    size_t *index = NULL, n = 0;
    bt_nifti_info info;
    expect_ok(bt_nifti_mask(test_file("golden/io/mask.nii.gz"), &info, &index, &n));
    assert_int_equal(n, 4);
    for (int k = 0; k < 3; ++k) {
        const char *const mask = test_path(test_file("golden/io"), pairs[k][1]);
        expect_ok(bt_nifti_write_map(out(pairs[k][0]), mask, index, n, singles));
        expect_ok(bt_nifti_inspect(out(pairs[k][0]), &info));
    }
    bt_free(index);
}

static void safetensors(void **state)
{
    (void)state;
    const bt_tensor tensors[] = {
        {.name = "b.bias", .rank = 1, .shape = {4}, .data = singles},
        {.name = "a.weight", .rank = 2, .shape = {3, 5}, .data = singles},
        {.name = "quote\"d", .rank = 0, .data = singles},
        {.name = "empty", .rank = 2, .shape = {0, 4}, .data = singles},
    };
    bt_checkpoint *checkpoint = NULL;
    expect_ok(bt_safetensors_write(out("model.safetensors"), tensors, 4));
    expect_ok(bt_checkpoint_open(out("model.safetensors"), &checkpoint));
    assert_int_equal(bt_checkpoint_count(checkpoint), 4);
    bt_checkpoint_close(&checkpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(npy, test_no_leak),         cmocka_unit_test_teardown(npy_in_pieces, test_no_leak),
        cmocka_unit_test_teardown(hdf5, test_no_leak),        cmocka_unit_test_teardown(nifti, test_no_leak),
        cmocka_unit_test_teardown(safetensors, test_no_leak),
    };
    return cmocka_run_group_tests(tests, make_numbers, NULL);
}
