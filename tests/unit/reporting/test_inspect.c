/* inspect: every kind of file is told, broken ones fail as their reader says, maps come out. */
#include "support.h"

#include "io/array.h"
#include "io/hdf5.h"
#include "io/nifti.h"
#include "io/safetensors.h"
#include "reporting/inspect.h"

#include <sys/stat.h>

static void expect_words(const char *path, const char *first, const char *second)
{
    bt_text out = {0};
    expect_ok(bt_inspect(path, &out));
    if (!strstr(out.data, first) || !strstr(out.data, second))
        print_error("%s: wanted \"%s\" and \"%s\" in:\n%s\n", path, first, second, out.data);
    assert_non_null(strstr(out.data, first));
    assert_non_null(strstr(out.data, second));
    bt_text_clear(&out);
}

static void files_are_told(void **state)
{
    (void)state;
    expect_words(test_file("golden/reporting/scores_S01.h5"), "/layer_03/r (60) float32", "@names = primary_auditory");
    expect_words(test_file("golden/reporting/scores_S01.h5"), "made by braintune encode, recipe ", "@subject = S01");
    expect_words(test_file("golden/reporting/expected.csv"), "9 columns", "n_dropped");
    const size_t shape[2] = {3, 2};
    const double values[6] = {0};
    expect_ok(bt_npy_write(test_path(test_scratch(), "x.npy"), BT_F64, 2, shape, values));
    expect_words(test_path(test_scratch(), "x.npy"), "shape (3, 2) float64", "C order");
    expect_words(test_write_text("x.json", "{\"b\": 1, \"a.c\": 2}"), "2 keys", "a.c");
    expect_words(test_write_text("x.tsv", "onset\tduration\n1.5\t2, or so\n"), "1 row, 2 columns: onset, duration",
                 "x.tsv: table");
    expect_words(test_file("audio/bobby_16bit_16khz.wav"), "16000 Hz, 1 channel", " s\n");
    expect_words(test_file("fmri/brainiak_mask.nii.gz"), "NIfTI-1", "voxels");
    expect_words(test_scratch(), "folder of", "x.npy");
    expect_words(test_write_text("x.TextGrid",
                                 "File type = \"ooTextFile\"\nObject class = \"TextGrid\"\n\n0\n1\n<exists>\n1\n"
                                 "\"IntervalTier\"\n\"word\"\n0\n1\n2\n0\n0.5\n\"a\"\n0.5\n1\n\"\"\n"),
                 "1 tier", "word: 2 intervals, 1 with a label");
}

static void models_are_told(void **state)
{
    (void)state;
    const float weights[6] = {0};
    const bt_tensor tensor = {.name = "encoder.weight", .rank = 2, .shape = {2, 3}, .data = weights};
    expect_ok(bt_path_make(test_path(test_scratch(), "model")));
    expect_ok(bt_safetensors_write(test_path(test_scratch(), "model/model.safetensors"), &tensor, 1));
    (void)test_write_text("model/config.json", "{\"model_type\": \"wav2vec2\", \"hidden_size\": 3}");
    expect_words(test_path(test_scratch(), "model"), "model_type wav2vec2, hidden_size 3",
                 "without preprocessor_config");
    expect_words(test_path(test_scratch(), "model"), "1 tensor, 6 parameters", "encoder.weight F32 (2, 3)");
    expect_words(test_path(test_scratch(), "model/model.safetensors"), "safetensors", "encoder.weight");
}

static void stubs_say_what_to_run(void **state)
{
    (void)state;
    assert_int_equal(
        symlink("../.git/annex/objects/aa/bb/MD5E-s3--0.wav/MD5E-s3--0.wav", test_path(test_scratch(), "story.wav")),
        0);
    expect_words(test_path(test_scratch(), "story.wav"), "stub", "datalad get");
}

static void broken_files_fail(void **state)
{
    (void)state;
    bt_text out = {0};
    expect_failure(bt_inspect(test_path(test_scratch(), "nothing"), &out), BT_ERR_INPUT, "nothing");
    expect_failure(bt_inspect(test_write("cut.h5", "\211HDF\r\n\032\n", 8), &out), BT_ERR_INPUT, "cut.h5");
    expect_failure(bt_inspect(test_write("cut.npy", "\223NUMPY\1", 7), &out), BT_ERR_INPUT, "cut.npy");
    bt_text_clear(&out);
}

static void maps_come_out(void **state)
{
    (void)state;
    bt_text out = {0};
    double *values = NULL;
    size_t shape[BT_ARRAY_RANK];
    int rank = 0;
    const char *const scores = test_file("golden/reporting/scores_S01.h5");
    const char *const npy = test_path(test_scratch(), "map.npy");
    expect_ok(bt_inspect_map(scores, "r@3", npy, NULL, &out));
    expect_ok(bt_array_read_all(npy, &rank, shape, &values));
    assert_true(rank == 1 && shape[0] == 60);
    bt_free(values);
    expect_ok(bt_inspect_map(scores, "cc_max", npy, NULL, &out));
    expect_failure(bt_inspect_map(scores, "q@layer_03", npy, NULL, &out), BT_ERR_INPUT, "/layer_03/q");
    expect_failure(bt_inspect_map(scores, "r", npy, NULL, &out), BT_ERR_INPUT, "there is map=r@layer_0");
    expect_failure(bt_inspect_map(scores, "r@77", npy, NULL, &out), BT_ERR_INPUT, "there is map=r@layer_0");
    expect_failure(bt_inspect_map(scores, "r@3", "x.png", NULL, &out), BT_ERR_USAGE, ".npy");
    const char *const image = test_path(test_scratch(), "map.nii.gz");
    expect_failure(bt_inspect_map(scores, "r@3", image, NULL, &out), BT_ERR_USAGE, "mask=");
    expect_failure(bt_inspect_map(scores, "r@3", image, test_file("fmri/brainiak_mask.nii.gz"), &out), BT_ERR_INPUT,
                   "60");
    bt_text_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_told),    cmocka_unit_test(models_are_told), cmocka_unit_test(stubs_say_what_to_run),
        cmocka_unit_test(broken_files_fail), cmocka_unit_test(maps_come_out),
    };
    return cmocka_run_group_tests(tests, NULL, test_no_leak);
}
