/* NIfTI: what nibabel writes (tests/parity/golden_io.py), real images, and files that lie. */
#include "support.h"

#include "io/array.h"
#include "io/nifti.h"

static const char *golden(const char *name)
{
    return test_path(test_file("golden/io"), name);
}

typedef struct {
    bt_nifti_info info;
    size_t *index, n;
} mask;

static mask read_mask(const char *path)
{
    mask m = {0};
    expect_ok(bt_nifti_mask(path, &m.info, &m.index, &m.n));
    return m;
}

static void masks(void **state)
{
    (void)state;
    static const char *const names[] = {"mask.nii.gz", "mask_be.nii"};
    for (int k = 0; k < 2; ++k) {
        mask m = read_mask(golden(names[k]));
        /* x + 3 y + 12 z of (1,0,0), (0,2,0), (0,0,1), (2,3,1) */
        const size_t expected[4] = {1, 6, 12, 23};
        assert_int_equal(m.n, 4);
        assert_memory_equal(m.index, expected, sizeof expected);
        assert_int_equal(m.info.shape[0], 3);
        assert_int_equal(m.info.shape[1], 4);
        assert_int_equal(m.info.shape[2], 2);
        assert_int_equal(m.info.shape[3], 1);
        assert_true(m.info.spacing[0] == 2 && m.info.spacing[1] == 3 && m.info.spacing[2] == 4);
        assert_string_equal(m.info.type, k ? "float32" : "uint8");
        bt_free(m.index);
    }
}

static void types_versions_and_endians(void **state)
{
    (void)state;
    static const char *const kinds[] = {"i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"};
    static const char *const types[] = {"int8",   "uint8", "int16",  "uint16",  "int32",
                                        "uint32", "int64", "uint64", "float32", "float64"};
    mask m = read_mask(golden("mask.nii.gz"));
    for (size_t k = 0; k < 10; ++k)
        for (int variant = 0; variant < 4; ++variant) {
            char name[64];
            float *rows = NULL;
            size_t n_t = 0;
            bt_nifti_info info;
            const int version = 1 + variant / 2;
            (void)snprintf(name, sizeof name, "v%d_%s_%s.nii.gz", version, variant & 1 ? "be" : "le", kinds[k]);
            expect_ok(bt_nifti_inspect(golden(name), &info));
            assert_int_equal(info.version, version);
            assert_string_equal(info.type, types[k]);
            assert_int_equal(info.shape[3], 5);
            expect_near(info.spacing[3], 1.5, 1e-12); /* 1500 ms in the files */
            assert_true(info.spacing[0] == 2);
            expect_ok(bt_nifti_rows(golden(name), golden("mask.nii.gz"), &m.info, m.index, m.n, &rows, &n_t));
            assert_int_equal(n_t, 5);
            for (size_t t = 0; t < n_t; ++t)
                for (size_t v = 0; v < m.n; ++v) {
                    const float stored = (float)(24 * t + m.index[v]) - (kinds[k][0] == 'u' ? 0 : 60);
                    assert_true(rows[t * m.n + v] == stored);
                }
            bt_free(rows);
        }
    bt_free(m.index);
}

/* Rows against an .npy that nibabel made. */
static void check_rows(const char *path, const char *mask_path, const mask *m, const char *expected_path,
                       double tolerance)
{
    float *rows = NULL;
    double *expected = NULL;
    size_t n_t = 0, shape[BT_ARRAY_RANK];
    int rank;
    expect_ok(bt_nifti_rows(path, mask_path, &m->info, m->index, m->n, &rows, &n_t));
    expect_ok(bt_array_read_all(expected_path, &rank, shape, &expected));
    assert_int_equal(shape[0], n_t);
    assert_int_equal(shape[1], m->n);
    for (size_t i = 0; i < n_t * m->n; ++i) expect_near((double)rows[i], expected[i], tolerance);
    bt_free(rows);
    bt_free(expected);
}

static void scaling(void **state)
{
    (void)state;
    static const char *const names[] = {"v1_le_scaled.nii", "v1_be_scaled.nii", "v2_le_scaled.nii", "v2_be_scaled.nii"};
    mask m = read_mask(golden("mask.nii.gz"));
    for (int k = 0; k < 4; ++k)
        check_rows(golden(names[k]), golden("mask.nii.gz"), &m, golden("scaled_rows.npy"), 1e-6);
    bt_free(m.index);
}

/* Every voxel of an image, at the mask's places, equals what the mask alone gives. */
static void check_subset(const char *path, const mask *m)
{
    const size_t total = m->info.shape[0] * m->info.shape[1] * m->info.shape[2];
    size_t *const every = bt_calloc(total, sizeof *every);
    size_t n_t = 0;
    float *all = NULL, *some = NULL;
    for (size_t i = 0; i < total; ++i) every[i] = i;
    expect_ok(bt_nifti_rows(path, path, &m->info, every, total, &all, &n_t));
    expect_ok(bt_nifti_rows(path, path, &m->info, m->index, m->n, &some, &n_t));
    for (size_t t = 0; t < n_t; ++t)
        for (size_t v = 0; v < m->n; ++v) assert_true(all[t * total + m->index[v]] == some[t * m->n + v]);
    bt_free(every);
    bt_free(all);
    bt_free(some);
}

/* Haxby et al. 2001: a real run's first 12 volumes in grey matter; an oblique look at nibabel's scaled example. */
static void real_images(void **state)
{
    (void)state;
    const char *const gray = test_file("fmri/haxby2001_gray.nii.gz");
    mask m = read_mask(gray);
    bt_nifti_info info;
    expect_ok(bt_nifti_inspect(test_file("fmri/haxby2001_run001_12.nii.gz"), &info));
    expect_near(info.spacing[3], 2.5, 1e-9);
    check_rows(test_file("fmri/haxby2001_run001_12.nii.gz"), gray, &m, test_file("fmri/haxby2001_run001_12_rows.npy"),
               0);
    bt_free(m.index);

    const char *const functional = test_file("fmri/nibabel_functional_4.nii");
    expect_ok(bt_nifti_inspect(functional, &m.info));
    m.n = 17 * 21 * 3 / 7;
    m.index = bt_calloc(m.n, sizeof *m.index);
    for (size_t i = 0; i < m.n; ++i) m.index[i] = 7 * i;
    check_rows(functional, functional, &m, test_file("fmri/nibabel_functional_4_rows.npy"), 0);
    check_subset(functional, &m);
    bt_free(m.index);
}

/* Brainiak's own z-scored epochs from its image and mask; its voxels are in C order, ours in the file's. */
static void brainiak_epochs(void **state)
{
    (void)state;
    enum { VOLUMES = 10, EPOCH = 4, X = 64, Y = 64, Z = 26 };
    const char *const mask_path = test_file("fmri/brainiak_mask.nii.gz");
    mask m = read_mask(mask_path);
    float *rows = NULL;
    double *expected = NULL;
    size_t n_t = 0, shape[BT_ARRAY_RANK];
    int rank;
    assert_int_equal(m.n, 81);
    expect_ok(
        bt_nifti_rows(test_file("fmri/brainiak_subject1_bet.nii.gz"), mask_path, &m.info, m.index, m.n, &rows, &n_t));
    expect_ok(bt_array_read_all(test_file("fmri/brainiak_expected_raw_data.npy"), &rank, shape, &expected));
    assert_int_equal(n_t, VOLUMES);
    assert_int_equal(shape[2], m.n);
    for (size_t v = 0; v < m.n; ++v) {
        size_t place = 0; /* in C order */
        const size_t z = m.index[v] / (X * Y), y = m.index[v] / X % Y, x = m.index[v] % X;
        for (size_t u = 0; u < m.n; ++u)
            place += (m.index[u] % X * Y + m.index[u] / X % Y) * Z + m.index[u] / (X * Y) < (x * Y + y) * Z + z;
        for (size_t epoch = 0; epoch < 2; ++epoch) {
            double mean = 0, square = 0;
            const float *const first = rows + epoch * 5 * m.n + v;
            for (size_t t = 0; t < EPOCH; ++t) mean += (double)first[t * m.n] / EPOCH;
            for (size_t t = 0; t < EPOCH; ++t) square += pow((double)first[t * m.n] - mean, 2);
            for (size_t t = 0; t < EPOCH; ++t) {
                const double brainiaks = expected[(epoch * EPOCH + t) * m.n + place];
                expect_near(square > 0 ? ((double)first[t * m.n] - mean) / sqrt(square) : 0, brainiaks, 1e-6);
            }
        }
    }
    bt_free(rows);
    bt_free(expected);
    bt_free(m.index);
}

/* Whole real images, where they are; the sums are nibabel's. */
static void whole_real_images(void **state)
{
    (void)state;
    static const struct {
        const char *path, *type;
        size_t shape[4];
        int version;
    } images[] = {
        {"fmri/nibabel_anatomical.nii", "int16", {33, 41, 25, 1}, 1},
        {"fmri/nibabel_example_nifti2.nii.gz", "int16", {32, 20, 12, 2}, 2},
        {"fmri/nibabel_functional.nii", "int16", {17, 21, 3, 20}, 1},
        {"fmri/nilearn_image_10426.nii.gz", "float32", {53, 63, 46, 1}, 1},
        {"fmri/nitime_fmri1.nii.gz", "int16", {10, 10, 18, 40}, 1},
        {"fmri/haxby2001/sub001/BOLD/task001_run012/bold_25mm.nii.gz", "int16", {6, 10, 10, 121}, 1},
    };
    for (size_t i = 0; i < sizeof images / sizeof *images; ++i) {
        const char *const path = test_data(images[i].path);
        bt_nifti_info info;
        float *rows = NULL;
        size_t n_t = 0;
        const size_t index[2] = {0, 5};
        if (!path) continue;
        expect_ok(bt_nifti_inspect(path, &info));
        assert_int_equal(info.version, images[i].version);
        assert_string_equal(info.type, images[i].type);
        assert_memory_equal(info.shape, images[i].shape, sizeof info.shape);
        expect_ok(bt_nifti_rows(path, path, &info, index, 2, &rows, &n_t));
        assert_int_equal(n_t, images[i].shape[3]);
        bt_free(rows);
    }
}

static void maps_come_back(void **state)
{
    (void)state;
    static const char *const masks_of[] = {"mask.nii.gz", "mask_be.nii", "v2_be_f8.nii.gz", "v1_le_scaled.nii"};
    static const char *const outs[] = {"map.nii.gz", "map.nii", "map2.nii.gz", "map3.nii"};
    mask m = read_mask(golden("mask.nii.gz"));
    const float values[4] = {0.5f, -1, NAN, 3e-5f};
    for (int k = 0; k < 4; ++k) {
        const char *const path = test_path(test_scratch(), outs[k]);
        bt_nifti_info info, from;
        float *rows = NULL;
        size_t n_t = 0;
        size_t every[24];
        for (size_t i = 0; i < 24; ++i) every[i] = i;
        expect_ok(bt_nifti_write_map(path, golden(masks_of[k]), m.index, m.n, values));
        expect_ok(bt_nifti_inspect(path, &info));
        expect_ok(bt_nifti_inspect(golden(masks_of[k]), &from));
        assert_string_equal(info.type, "float32");
        assert_int_equal(info.version, from.version);
        assert_int_equal(info.shape[3], 1);
        for (int i = 0; i < 3; ++i) assert_true(info.spacing[i] == from.spacing[i]);
        if (k == 3) { /* of a four-dimensional image, too, a map has three axes */
            const unsigned char axes[10] = {3, 0, 3, 0, 4, 0, 2, 0, 1, 0};
            char *bytes = NULL;
            size_t size = 0;
            expect_ok(bt_path_read(path, &bytes, &size));
            assert_memory_equal(bytes + 40, axes, sizeof axes);
            bt_free(bytes);
        }
        expect_ok(bt_nifti_rows(path, golden("mask.nii.gz"), &m.info, every, 24, &rows, &n_t));
        assert_int_equal(n_t, 1);
        for (size_t i = 0, v = 0; i < 24; ++i) {
            const bool inside = v < m.n && m.index[v] == i;
            const float want = inside ? values[v++] : NAN;
            assert_true(isnan(want) ? isnan(rows[i]) : rows[i] == want);
        }
        bt_free(rows);
    }
    expect_failure(
        bt_nifti_write_map(test_path(test_scratch(), "no/map.nii"), golden("mask.nii.gz"), m.index, m.n, values),
        BT_ERR_FILE, "No such file");
    bt_free(m.index);
}

static void refuse(const char *path, const char *part)
{
    mask m = {0};
    expect_failure(bt_nifti_mask(path, &m.info, &m.index, &m.n), BT_ERR_INPUT, part);
    assert_non_null(strstr(bt_error_message(), path));
    assert_null(m.index);
}

/* A copy of mask_be.nii (float32, big-endian) with `n` bytes at `at` replaced. */
static const char *patched(size_t at, const char *bytes, size_t n)
{
    char *content = NULL;
    size_t size = 0;
    expect_ok(bt_path_read(golden("mask_be.nii"), &content, &size));
    memcpy(content + at, bytes, n);
    const char *const path = test_write("patched.nii", content, size);
    bt_free(content);
    return path;
}

static void headers_that_are_wrong(void **state)
{
    (void)state;
    refuse(patched(40, "\0\11", 2), "dim[0] = 9");
    refuse(patched(40, "\0\0", 2), "dim[0] = 0");
    refuse(patched(42, "\377\375", 2), "dim[1] = -3");
    refuse(patched(44, "\0\0", 2), "dim[2] = 0");
    refuse(patched(46, "\177\377", 2), "truncated");
    refuse(patched(40, "\0\5\0\3\0\4\0\1\0\1\0\2", 12), "found 2 along axis 5");
    refuse(patched(70, "\0\200", 2), "datatype 128");
    refuse(patched(72, "\0\10", 2), "bitpix 8 contradicts");
    refuse(patched(108, "\0\0\0\0", 4), "vox_offset 0");
    refuse(patched(108, "\177\300\0\0", 4), "vox_offset nan");
    refuse(patched(112, "\77\200\0\0\177\200\0\0", 8), "scl_inter is not finite");
    refuse(patched(344, "abcd", 4), "without its magic");
    refuse(patched(0, "\0\0\1\0", 4), "another kind of file");
    refuse(patched(352, "\177\300\0\0", 4), "found NaN at voxel 0");
    refuse(golden("pair.hdr"), ".hdr/.img pair");
    refuse(golden("complex.nii.gz"), "datatype 32");
    refuse(golden("v1_le_i2.nii.gz"), "expected a mask of one volume, found 5");
    refuse(test_file("fmri/nibabel_nifti1.hdr"), ".hdr/.img pair");
    refuse(test_file("fmri/nibabel_analyze.hdr"), "Analyze");
    refuse(golden("cube_c.npy"), "another kind of file");
    refuse(test_path(test_scratch(), "absent.nii"), "absent.nii");
}

static void masks_that_do_not_fit(void **state)
{
    (void)state;
    mask m = read_mask(test_file("fmri/haxby2001_gray.nii.gz"));
    float *rows = NULL;
    size_t n_t = 0;
    expect_failure(bt_nifti_rows(golden("v1_le_i2.nii.gz"), "gray.nii.gz", &m.info, m.index, m.n, &rows, &n_t),
                   BT_ERR_INPUT, "the mask gray.nii.gz, 6 x 10 x 10, found 3 x 4 x 2");
    assert_null(rows);
    bt_free(m.index);
    char *content = NULL;
    size_t size = 0;
    expect_ok(bt_path_read(golden("mask_be.nii"), &content, &size));
    memset(content + 352, 0, size - 352);
    refuse(test_write("zero.nii", content, size), "no voxel that is not zero");
    bt_free(content);
}

static void files_that_are_cut(void **state)
{
    (void)state;
    static const char *const names[] = {"mask_be.nii", "mask.nii.gz"};
    for (int k = 0; k < 2; ++k) {
        char *content = NULL;
        size_t size = 0;
        char name[32];
        (void)snprintf(name, sizeof name, "cut_%s", names[k]);
        expect_ok(bt_path_read(golden(names[k]), &content, &size));
        for (size_t cut = 1; cut < size; ++cut) refuse(test_write(name, content, cut), name);
        if (k) { /* gzip's checksum is looked at */
            content[size - 6] = (char)(content[size - 6] ^ 1);
            refuse(test_write(name, content, size), "gzip");
        }
        bt_free(content);
    }
    mask m = read_mask(golden("mask.nii.gz"));
    float *rows = NULL;
    char *content = NULL;
    size_t n_t = 0, size = 0;
    expect_ok(bt_path_read(golden("v2_be_f8.nii.gz"), &content, &size));
    const char *const path = test_write("cut_rows.nii.gz", content, size / 2);
    expect_failure(bt_nifti_rows(path, path, &m.info, m.index, m.n, &rows, &n_t), BT_ERR_INPUT, "cut_rows.nii.gz");
    assert_null(rows);
    bt_free(content);
    bt_free(m.index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(masks, test_no_leak),
        cmocka_unit_test_teardown(types_versions_and_endians, test_no_leak),
        cmocka_unit_test_teardown(scaling, test_no_leak),
        cmocka_unit_test_teardown(real_images, test_no_leak),
        cmocka_unit_test_teardown(brainiak_epochs, test_no_leak),
        cmocka_unit_test_teardown(whole_real_images, test_no_leak),
        cmocka_unit_test_teardown(maps_come_back, test_no_leak),
        cmocka_unit_test_teardown(headers_that_are_wrong, test_no_leak),
        cmocka_unit_test_teardown(masks_that_do_not_fit, test_no_leak),
        cmocka_unit_test_teardown(files_that_are_cut, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
