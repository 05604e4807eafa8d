/* What every reader checks first: stubs, missing and unfit files; and recognition by content. */
#include "support.h"

#include "io/foreign.h"
#include "io/utf8.h"

#include <sys/stat.h>
#include <zlib.h>

static void expect_kind(const char *path, bt_file_kind wanted)
{
    bt_file_kind kind;
    expect_ok(bt_file_recognise(path, &kind));
    if (kind != wanted)
        print_error("%s: recognised as %s, wanted %s\n", path, bt_file_kind_name(kind), bt_file_kind_name(wanted));
    assert_int_equal(kind, wanted);
}

static void expect_stub(const char *path, const char *fix)
{
    expect_kind(path, BT_FILE_ANNEX_STUB);
    expect_failure(bt_file_check(path), BT_ERR_INPUT, fix);
    assert_non_null(strstr(bt_error_message(), path));
    assert_non_null(strstr(bt_error_message(), "never fetched"));
}

static void annex_pointer_files_are_stubs(void **state)
{
    (void)state;
    expect_stub(test_write_text("pointer.TextGrid", "/annex/objects/MD5E-s998492--0a1b2c3d.TextGrid\n"),
                "datalad get /");
    expect_stub(test_write_text("link_as_text.wav", "../.git/annex/objects/X0/9k/MD5E-s10--ab.wav/MD5E-s10--ab.wav"),
                "datalad get /");
    expect_stub(test_write_text("weights.safetensors", "version https://git-lfs.github.com/spec/v1\n"
                                                       "oid sha256:4d7a\nsize 377607901\n"),
                "git lfs pull");
}

static void text_about_the_annex_is_no_stub(void **state)
{
    (void)state;
    expect_ok(bt_file_check(test_write_text("README", "Content lies in .git/annex/objects/ until it is fetched.\n")));
    expect_ok(bt_file_check(test_write_text("b.txt", "see\n/annex/objects/MD5E-s1--ab\n")));
}

static void dangling_links_are_told_apart(void **state)
{
    (void)state;
    const char *const annex = test_path(test_scratch(), "story.wav"), *const chain = test_path(test_scratch(), "a.wav");
    const char *const plain = test_path(test_scratch(), "plain.wav"), *const loop = test_path(test_scratch(), "loop");
    assert_int_equal(symlink(".git/annex/objects/0W/mF/MD5E-s5--e.wav/MD5E-s5--e.wav", annex), 0);
    assert_int_equal(symlink("story.wav", chain), 0);
    assert_int_equal(symlink("nowhere/b.wav", plain), 0);
    assert_int_equal(symlink("loop", loop), 0);
    expect_stub(annex, "datalad get /");
    expect_stub(chain, "datalad get /");
    expect_failure(bt_file_check(plain), BT_ERR_INPUT, "nowhere/b.wav, which does not exist");
    expect_failure(bt_file_check(loop), BT_ERR_INPUT, "cannot open");
    const char *const there = test_path(test_scratch(), "there");
    const char *const objects = test_path(test_scratch(), ".git/annex/objects");
    expect_ok(bt_path_make(objects));
    (void)test_write_text(".git/annex/objects/K", "content");
    assert_int_equal(symlink(".git/annex/objects/K", there), 0);
    expect_ok(bt_file_check(there));
}

static void missing_files_name_what_is_missing(void **state)
{
    (void)state;
    bt_file_kind kind;
    const char *const folder = test_path(test_scratch(), "gone");
    expect_failure(bt_file_check(test_path(folder, "deeper/x.wav")), BT_ERR_INPUT, "there is no folder");
    const char *const behind = strstr(bt_error_message(), "there is no folder");
    assert_string_equal(behind + strlen("there is no folder "), folder);
    expect_failure(bt_file_check(test_path(test_scratch(), "x.wav")), BT_ERR_INPUT, "check the name");
    const char *const file = test_write_text("file", "x");
    expect_failure(bt_file_check(test_path(file, "x.wav")), BT_ERR_INPUT, "is a file, not a folder");
    expect_failure(bt_file_check("gone/x.wav"), BT_ERR_INPUT, "there is no folder gone");
    expect_failure(bt_file_check(test_scratch()), BT_ERR_INPUT, "is a folder");
    expect_failure(bt_file_check(test_write("empty", "", 0)), BT_ERR_INPUT, "is empty");
    expect_failure(bt_file_check(""), BT_ERR_INPUT, "name of an input file is empty");
    expect_failure(bt_file_check("/dev/null"), BT_ERR_INPUT, "not a regular file");
    expect_failure(bt_file_recognise("gone/x.wav", &kind), BT_ERR_INPUT, "there is no folder gone");
}

static void content_beats_the_name(void **state)
{
    (void)state;
    char bytes[2048] = {0};
    memcpy(bytes, "\x89HDF\r\n\x1a\n", 8);
    expect_kind(test_write("responses.csv", bytes, 64), BT_FILE_HDF5);
    memset(bytes, 0, 8);
    memcpy(bytes + 1024, "\x89HDF\r\n\x1a\n", 8);
    expect_kind(test_write("user_block", bytes, sizeof bytes), BT_FILE_HDF5);
    expect_kind(test_write("numpy.wav", "\x93NUMPY\1\0 and more", 16), BT_FILE_NPY);
    expect_kind(test_write("t.bin", "\x10\0\0\0\0\0\0\0{\"a\": [0, 1, 2]}", 24), BT_FILE_SAFETENSORS);
    expect_kind(test_write("t2.bin", "\x11\0\0\0\0\0\0\0{\"a\": [0, 1, 2]}", 24), BT_FILE_UNKNOWN);
    expect_kind(test_write_text("j.txt", " \n{\"a\": 1}"), BT_FILE_JSON);
    expect_kind(test_write_text("bom", "\xEF\xBB\xBF{\"a\": 1}"), BT_FILE_JSON);
    expect_kind(test_write_text("flow.yaml", "{a: 1}"), BT_FILE_YAML);
    expect_kind(test_write_text("r.txt", "\n0.000000 init-trigger\n2.0 trigger\n"), BT_FILE_TR_REPORT);
    expect_kind(test_write_text("pitch", "File type = \"ooTextFile\"\nObject class = \"Pitch 1\"\n"), BT_FILE_UNKNOWN);
    expect_kind(test_write("w", "RF64\xff\xff\xff\xffWAVEds64", 16), BT_FILE_AUDIO);
    expect_kind(test_write("a",
                           "FORM\0\0\0\x10"
                           "AIFFCOMM",
                           16),
                BT_FILE_AUDIO);
    expect_kind(test_write_text("webp", "RIFF\1\1\1\1WEBPVP8 "), BT_FILE_UNKNOWN);
}

static void names_decide_where_content_does_not(void **state)
{
    (void)state;
    expect_kind(test_write_text("s.yml", "a: 1"), BT_FILE_YAML);
    expect_kind(test_write_text("t.CSV", "a,b"), BT_FILE_CSV);
    expect_kind(test_write_text("participants.tsv", "a\tb"), BT_FILE_CSV);
    expect_kind(test_write_text("x.TextGrid", "damaged"), BT_FILE_TEXTGRID);
    expect_kind(test_write_text("x.nii.gz", "damaged"), BT_FILE_NIFTI);
    expect_kind(test_write_text("notes", "a"), BT_FILE_UNKNOWN);
}

static void write_gzip(const char *path, const char *bytes, unsigned size)
{
    gzFile const file = gzopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, size), (int)size);
    assert_int_equal(gzclose(file), Z_OK);
}

static void nifti_is_seen_through_gzip(void **state)
{
    (void)state;
    char head[352] = {92, 1};
    memcpy(head + 344, "n+1", 4);
    expect_kind(test_write("little", head, sizeof head), BT_FILE_NIFTI);
    const char *const packed = test_path(test_scratch(), "packed");
    write_gzip(packed, head, sizeof head);
    expect_kind(packed, BT_FILE_NIFTI);
    memcpy(head, "\0\0\1\x5c", 4);
    expect_kind(test_write("big", head, sizeof head), BT_FILE_NIFTI);
    memcpy(head + 344, "\0\0\0", 4);
    expect_kind(test_write("analyze", head, sizeof head), BT_FILE_UNKNOWN);
    char second[540] = {28, 2, 0, 0, 'n', '+', '2'};
    expect_kind(test_write("second", second, sizeof second), BT_FILE_NIFTI);
}

static void excerpts_are_recognised(void **state)
{
    (void)state;
    expect_kind(test_file("textgrid/parselmouth_the_north_wind_and_the_sun.short.utf16.TextGrid"), BT_FILE_TEXTGRID);
    expect_kind(test_file("textgrid/moth_chronological_crlf.TextGrid"), BT_FILE_TEXTGRID);
    expect_kind(test_file("tr_report/naked.report"), BT_FILE_TR_REPORT);
    expect_kind(test_file("audio/ss0880.sph"), BT_FILE_AUDIO);
    expect_kind(test_file("audio/mfa_24bit.wav"), BT_FILE_AUDIO);
    expect_kind(test_file("audio/README.md"), BT_FILE_UNKNOWN);
}

static void shared_data_are_recognised(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bt_file_kind kind;
    } files[] = {
        {"moth/TextGrids_clean/legacy.TextGrid", BT_FILE_TEXTGRID},
        {"moth/trfiles/souls.report", BT_FILE_TR_REPORT},
        {"moth/ds003020_meta/participants.tsv", BT_FILE_CSV},
        {"moth/ds003020_meta/dataset_description.json", BT_FILE_JSON},
        {"fmri/nilearn_image_10426.nii.gz", BT_FILE_NIFTI},
        {"speech/librivox_timit_style/ss0870.sph", BT_FILE_AUDIO},
        {"speech/pocketsphinx_librivox/extra/goforward.raw", BT_FILE_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i)
        if (test_data(files[i].path)) expect_kind(test_data(files[i].path), files[i].kind);
}

static void utf8_letters(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {1, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF};
    char letter[4];
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i) {
        const size_t n = bt_utf8_encode(numbers[i], letter);
        assert_int_equal(bt_utf8_length(letter, 4), n);
        if (n > 1) assert_int_equal(bt_utf8_length(letter, n - 1), 0);
    }
    static const char *const invalid[] = {
        "\x80",         "\xC0\x80",         "\xC1\xBF",         "\xE0\x80\x80",
        "\xED\xA0\x80", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80",
        "\xC3("};
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; ++i)
        assert_int_equal(bt_utf8_length(invalid[i], strlen(invalid[i])), 0);
    assert_int_equal(bt_utf8_length("", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(annex_pointer_files_are_stubs, test_no_leak),
        cmocka_unit_test_teardown(text_about_the_annex_is_no_stub, test_no_leak),
        cmocka_unit_test_teardown(dangling_links_are_told_apart, test_no_leak),
        cmocka_unit_test_teardown(missing_files_name_what_is_missing, test_no_leak),
        cmocka_unit_test_teardown(content_beats_the_name, test_no_leak),
        cmocka_unit_test_teardown(names_decide_where_content_does_not, test_no_leak),
        cmocka_unit_test_teardown(nifti_is_seen_through_gzip, test_no_leak),
        cmocka_unit_test_teardown(excerpts_are_recognised, test_no_leak),
        cmocka_unit_test_teardown(shared_data_are_recognised, test_no_leak),
        cmocka_unit_test_teardown(utf8_letters, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
