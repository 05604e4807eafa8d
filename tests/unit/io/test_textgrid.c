/* TextGrids: real files of every format, variants of each oddity, faults with their lines, and files cut or damaged at
 * every byte. */
#include "support.h"

#include "io/textgrid.h"

/* ---- real files ---- */

static void expect_tier(const bt_textgrid *grid, const char *name, bool is_points, size_t n, const char *first,
                        const char *last)
{
    const bt_tier *const tier = bt_textgrid_tier(grid, name);
    if (!tier) print_error("no tier \"%s\"\n", name);
    assert_non_null(tier);
    assert_int_equal(tier->is_points, is_points);
    assert_int_equal(tier->n, n);
    assert_string_equal(tier->marks[0].label, first);
    assert_string_equal(tier->marks[n - 1].label, last);
}

static void the_same_grid_in_four_formats(void **state)
{
    (void)state;
    static const char *const files[] = {"utf8", "utf16", "short.utf8", "short.utf16"};
    for (int i = 0; i < 4; ++i) {
        bt_textgrid grid;
        char name[128];
        (void)snprintf(name, sizeof name, "textgrid/parselmouth_the_north_wind_and_the_sun.%s.TextGrid", files[i]);
        expect_ok(bt_textgrid_read(test_file(name), &grid));
        assert_int_equal(grid.n, 2);
        assert_int_equal(grid.n_odd, 0);
        expect_near(grid.end, 1.283265306122449, 0);
        expect_tier(&grid, "phonemes", false, 16, "", "n");
        expect_tier(&grid, "syllable nuclei", true, 6, "The", "Sun");
        assert_string_equal(grid.tiers[0].marks[1].label, "\xC3\xB0"); /* eth */
        assert_string_equal(grid.tiers[0].marks[2].label, "\xC9\x99"); /* schwa */
        expect_near(grid.tiers[0].marks[2].start, 0.08867687921858255, 0);
        expect_near(grid.tiers[0].marks[2].end, 0.11975392053582794, 0);
        expect_near(grid.tiers[1].marks[0].start, 0.10218212453545583, 0);
        expect_near(grid.tiers[1].marks[0].end, 0.10218212453545583, 0);
        bt_textgrid_clear(&grid);
    }
}

static void aligners_output(void **state)
{
    (void)state;
    bt_textgrid grid;
    expect_ok(bt_textgrid_read(test_file("textgrid/polyglotdb_maus_test.TextGrid"), &grid));
    expect_tier(&grid, "ORT", false, 6, "ASPIRIN", "");
    expect_tier(&grid, "MAU", false, 21, "AE", "<p:>");
    bt_textgrid_clear(&grid);
    expect_ok(bt_textgrid_read(test_file("textgrid/polyglotdb_mfa_test_words_phones_yes.TextGrid"), &grid));
    expect_tier(&grid, "word|words", false, 6, "ASPIRIN", "");
    expect_tier(&grid, "PHONE|Phones", false, 21, "AE", "");
    bt_textgrid_clear(&grid);
    expect_ok(bt_textgrid_read(test_file("textgrid/ss0880.TextGrid"), &grid));
    expect_tier(&grid, "words", false, 12, "", "");
    expect_tier(&grid, "phones", false, 29, "sil", "");
    assert_int_equal(grid.n_odd, 0);
    bt_textgrid_clear(&grid);
}

static void elan_and_bounds_that_differ(void **state)
{
    (void)state;
    bt_textgrid grid;
    expect_ok(bt_textgrid_read(test_file("textgrid/bobby_phones_elan.TextGrid"), &grid));
    expect_tier(&grid, "phone", false, 15, "", "");
    expect_near(grid.end, 1.194625, 0);
    expect_near(grid.tiers[0].end, 1.18979591837, 0);
    bt_textgrid_clear(&grid);
    expect_ok(bt_textgrid_read(test_file("textgrid/bobby_phones.TextGrid"), &grid));
    expect_tier(&grid, "phone", false, 15, "", "");
    bt_textgrid_clear(&grid);
    expect_ok(bt_textgrid_read(test_file("textgrid/bobby_words.TextGrid"), &grid));
    expect_tier(&grid, "word", false, 6, "", "");
    expect_tier(&grid, "phrase", false, 3, "", "");
    bt_textgrid_clear(&grid);
}

static void quotes_and_newlines_in_labels(void **state)
{
    (void)state;
    static const char *const files[] = {"textgrid/bobby_words_with_newlines.TextGrid",
                                        "textgrid/bobby_words_with_newlines_longfile.TextGrid"};
    for (int i = 0; i < 2; ++i) {
        bt_textgrid grid;
        expect_ok(bt_textgrid_read(test_file(files[i]), &grid));
        assert_int_equal(grid.n, 3);
        expect_tier(&grid, "\"word\"", false, 6, "", "");
        assert_string_equal(grid.tiers[0].marks[1].label, "\"\"\"BOBBY\"\"\"\nNoun");
        assert_string_equal(grid.tiers[0].marks[2].label, "RIPPED\nVerb");
        assert_string_equal(grid.tiers[2].name, "");
        assert_true(grid.tiers[2].is_points);
        assert_int_equal(grid.tiers[2].n, 4);
        assert_string_equal(grid.tiers[2].marks[3].label, "85\np4");
        bt_textgrid_clear(&grid);
    }
}

static void story_grids(void **state)
{
    (void)state;
    bt_textgrid grid;
    expect_ok(bt_textgrid_read(test_file("textgrid/moth_sentences.TextGrid"), &grid));
    expect_tier(&grid, "phone", false, 37, "AY1", "T");
    expect_tier(&grid, "word", false, 14, "SENTENCE_START", "SENTENCE_END");
    assert_null(bt_textgrid_tier(&grid, "pho|wor|wordy"));
    expect_near(grid.tiers[1].marks[0].end, grid.tiers[1].marks[0].start, 0);
    assert_true(grid.n_odd >= 1); /* the declared size is 12 */
    bt_textgrid_clear(&grid);
    expect_ok(bt_textgrid_read(test_file("textgrid/moth_gaps.TextGrid"), &grid));
    expect_tier(&grid, "phone", false, 14, "ns", "D");
    expect_tier(&grid, "word", false, 6, "{NS}", "LOVED");
    assert_int_equal(grid.n_odd, 1);
    bt_textgrid_clear(&grid);
    expect_ok(bt_textgrid_read(test_file("textgrid/moth_chronological_crlf.TextGrid"), &grid));
    expect_tier(&grid, "phone", false, 4, "ns", "sp");
    expect_tier(&grid, "word", false, 3, "{NS}", "sp");
    assert_int_equal(grid.n_odd, 0);
    bt_textgrid_clear(&grid);
}

static void shared_grids(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        size_t n_phone, n_word, n_odd;
    } files[] = {
        {"moth/TextGrids/avatar.TextGrid", 5171, 2138, 23},
        {"moth/TextGrids/howtodraw.TextGrid", 6952, 2818, 5},
        {"moth/TextGrids/souls.TextGrid", 6819, 2753, 6},
        {"moth/TextGrids/wheretheressmoke.TextGrid", 6068, 2650, 10},
        {"moth/TextGrids_clean/avatar.TextGrid", 5171, 1952, 22},
        {"moth/TextGrids_clean/howtodraw.TextGrid", 6952, 2516, 4},
        {"moth/TextGrids_clean/souls.TextGrid", 6819, 2481, 5},
        {"moth/TextGrids_clean/wheretheressmoke.TextGrid", 6068, 2308, 9},
        {"moth/TextGrids_clean/legacy.TextGrid", 6773, 2568, 7},
        {"speech/librivox_timit_style/ss0870.TextGrid", 81, 27, 0},
        {"speech/librivox_timit_style/ss0880.TextGrid", 29, 12, 0},
        {"speech/librivox_timit_style/ss0890.TextGrid", 55, 18, 0},
        {"speech/librivox_timit_style/ss0920.TextGrid", 70, 22, 0},
        {"speech/librivox_timit_style/ss0930.TextGrid", 35, 11, 0},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
        bt_textgrid grid;
        if (!test_data(files[i].path)) continue;
        expect_ok(bt_textgrid_read(test_data(files[i].path), &grid));
        const bt_tier *const phone = bt_textgrid_tier(&grid, "phone|phones");
        const bt_tier *const word = bt_textgrid_tier(&grid, "word|words");
        assert_non_null(phone);
        assert_non_null(word);
        assert_int_equal(phone->n, files[i].n_phone);
        assert_int_equal(word->n, files[i].n_word);
        assert_int_equal(grid.n_odd, files[i].n_odd);
        bt_textgrid_clear(&grid);
    }
}

/* ---- variants and faults ---- */

#define HEAD        "File type = \"ooTextFile\"\nObject class = \"TextGrid\"\n\n"
#define WORDS(size) "\"IntervalTier\"\n\"word\"\n0\n3\n" size "\n"

static bt_status parse(const char *text, bt_textgrid *grid)
{
    return bt_textgrid_parse(text, strlen(text), "g", grid);
}

static void expect_grid(const char *text, size_t n_first, size_t n_odd)
{
    bt_textgrid grid;
    expect_ok(parse(text, &grid));
    if (grid.n > 0) assert_int_equal(grid.tiers[0].n, n_first);
    assert_int_equal(grid.n_odd, n_odd);
    bt_textgrid_clear(&grid);
}

static void expect_refused(const char *text, const char *part)
{
    bt_textgrid grid;
    expect_failure(parse(text, &grid), BT_ERR_INPUT, part);
    assert_null(grid.tiers);
    assert_int_equal(grid.n, 0);
}

static void sizes_that_lie(void **state)
{
    (void)state;
    expect_grid(HEAD "0 3 <exists> 1\n" WORDS("2") "0 1 \"a\" 1 2 \"b\" 2 3 \"c\"", 3, 1);
    expect_grid(HEAD "0 3 <exists> 1\n" WORDS("9") "0 1 \"a\" 1 3 \"b\"", 2, 1);
    expect_grid(HEAD "0 3 <exists> 2\n" WORDS("9") "0 1 \"a\" " WORDS("1") "0 3 \"a\"", 1, 1);
    expect_grid(HEAD "0 3 <exists> 1\n" WORDS("1") "0 3 \"a\" " WORDS("1") "0 3 \"a\"", 1, 1);
    expect_refused(HEAD "0 3 <exists> 1\n" WORDS("9") "0 1 \"a\" 1 2 \"b\"",
                   "declares 9 marks, but the file ends after 2");
    expect_refused(HEAD "0 3 <exists> 2\n" WORDS("1") "0 3 \"a\"", "declares 2 tiers, but the file ends after 1");
    expect_refused(HEAD "0 3 <exists> 1\n\"TextTier\" \"p\" 0 3 2 1 \"a\"", "declares 2 marks");
}

static void times_that_are_odd(void **state)
{
    (void)state;
    expect_grid(HEAD "0 3 <exists> 1\n" WORDS("2") "0 1 \"a\" 2 3 \"b\"", 2, 1);
    expect_grid(HEAD "0 3 <exists> 1\n" WORDS("2") "0 1.00005 \"a\" 1 3 \"b\"", 2, 1);
    expect_grid(HEAD "0 3 <exists> 1\n" WORDS("3") "0 1 \"a\" 1 1 \"z\" 1 3 \"b\"", 3, 0);
    expect_grid(HEAD "0 3 <exists> 1\n" WORDS("1") "0 4 \"a\"", 1, 1);
    expect_grid(HEAD "-1 3 <exists> 1\n" WORDS("1") "0 3e0 \"a\"", 1, 0);
    expect_refused(HEAD "0 3 <exists> 1\n" WORDS("2") "0 1.001 \"a\"\n1 3 \"b\"",
                   "g:11: interval 2 of tier \"word\" begins before the one before it ends");
    expect_refused(HEAD "0 3 <exists> 1\n" WORDS("2") "1 2 \"a\"\n0 1 \"b\"",
                   "g:11: interval 2 of tier \"word\" is out");
    expect_refused(HEAD "0 3 <exists> 1\n" WORDS("1") "2 1 \"a\"", "ends before it starts");
    expect_refused(HEAD "3 0 <exists> 1\n" WORDS("1") "0 3 \"a\"", "g:4: the grid ends before it starts");
    expect_refused(HEAD "0 3 <exists> 1\n\"TextTier\" \"p\" 0 3 2 2 \"a\" 1 \"b\"", "point 2 of tier \"p\" is out");
}

static void words_that_are_comments(void **state)
{
    (void)state;
    expect_grid(HEAD "xmin = 0 ! begins \"here\" 7\nxmax = 3\ntiers? <exists>\nsize = 1\nitem[1]:\n" WORDS(
                    "size = 1") "intervals [1]\n xmin =\t0 xmax = 3 text = \"! no comment\"\n",
                1, 0);
    expect_grid(HEAD "0 3 <absent>", 0, 0);
    expect_grid("\n\"ooTextFile short\"\n\"TextGrid\"\n0 3 <exists> 1\n" WORDS("1") "0 3 \"a\"", 1, 0);
    expect_grid("\xEF\xBB\xBF" HEAD "0 3 <exists> 1\r" WORDS("1") "0\r\n3 \"a\"", 1, 0);
}

static void labels_survive_line_ends(void **state)
{
    (void)state;
    bt_textgrid grid;
    expect_ok(parse(HEAD "0 3 <exists> 1\n" WORDS("1") "0 3 \" a\r\nb\rc\nd \"", &grid));
    assert_string_equal(grid.tiers[0].marks[0].label, " a\nb\nc\nd ");
    bt_textgrid_clear(&grid);
}

static void faults_name_the_line(void **state)
{
    (void)state;
    expect_refused("", "not a TextGrid");
    expect_refused("some notes 12\n", "not a TextGrid");
    expect_refused("\"something else\"", "file type \"something else\"");
    expect_refused("File type = \"ooTextFile\"\nObject class = \"Pitch 1\"\n0 3\n", "holds a Praat Pitch 1");
    expect_refused("File type = \"ooTextFile\"\n", "expected the object class");
    expect_refused(HEAD "0 3 <exists> 1\n" WORDS("1") "0 0,5 \"a\"", "g:10: \"0,5\" is not a number");
    expect_refused(HEAD "0 3 <exists> 1\n" WORDS("1") "0 0x3 \"a\"", "\"0x3\" is not a number");
    expect_refused(HEAD "0 3 <exists> 1\n" WORDS("1") "0 1e999 \"a\"", "is not a number");
    expect_refused(HEAD "0 3 <exists> 1\n" WORDS("1") "0 nan \"a\"",
                   "expected the end of an interval (a number), found the text \"a\"");
    expect_refused(HEAD "0 3 <exists> 1\n" WORDS("1.5") "0 3 \"a\"", "g:9: the size of a tier is 1.5");
    expect_refused(HEAD "0 3 <exists> 1\n" WORDS("-1") "0 3 \"a\"", "expected a whole number");
    expect_refused(HEAD "0 3 <perhaps> 1\n", "found <perhaps>");
    expect_refused(HEAD "0 3 <exists> 1\n\"WordTier\" \"w\" 0 3 0", "class \"WordTier\"");
    expect_refused(HEAD "0 3 <exists> 1\n\"TextTier\" \"w\" 3 0 0", "tier \"w\" ends before it starts");
    expect_refused(HEAD "0 3 <exists> 1\n" WORDS("1") "0\n3\n\"a\n\n",
                   "g:12: the text that begins here has no closing quote");
    expect_refused(HEAD "0 3 <exists> 1\n" WORDS("2") "0 1 \"a\n\nb\" 1 \"c\"",
                   "g:12: expected the end of an interval");
    expect_refused(HEAD "0 3 <exists> 1\n" WORDS("1") "0 3\n", "found the end of the file; is it cut off?");
    expect_refused(HEAD "0 3 <exists> 1\n" WORDS("1") "0 3 4", "expected a label (a quoted text), found the number 4");
}

static void encodings_that_cannot_be(void **state)
{
    (void)state;
    bt_textgrid grid;
    expect_refused(HEAD "0 3 <exists> 1\n" WORDS("1") "0 3 \"caf\xE9\"", "g:10: byte 0xE9 is not UTF-8");
    expect_failure(bt_textgrid_parse("\xFF\xFE\"\0x\0y", 7, "g", &grid), BT_ERR_INPUT, "odd number of bytes");
    expect_failure(bt_textgrid_parse("\xFE\xFF\0\"\xDC\0\0\"", 8, "g", &grid), BT_ERR_INPUT, "surrogate");
    expect_failure(bt_textgrid_parse("File type\0x", 11, "g", &grid), BT_ERR_INPUT, "NUL");
    expect_failure(bt_textgrid_read(test_write_text("stub.TextGrid", "/annex/objects/MD5E-s1--a"), &grid), BT_ERR_INPUT,
                   "datalad get");
}

/* UTF-16 of both orders with and without mark, with a letter beyond 16 bits. */
static void utf16_of_every_kind(void **state)
{
    (void)state;
    static const char *const text = HEAD "0 3 <exists> 1\n" WORDS("1") "0 3 \"*\"\r\n";
    for (int big = 0; big < 2; ++big)
        for (int mark = 0; mark < 2; ++mark) {
            char bytes[512];
            size_t n = 0;
            const uint16_t units[] = {0xFEFF, 0xD83D, 0xDE00};
            for (size_t i = mark ? 0 : 1; i <= strlen(text); ++i) {
                const size_t from = text[i ? i - 1 : 0] == '*' ? 1 : 0, count = from ? 2 : 1;
                for (size_t k = 0; k < count; ++k) {
                    const uint16_t unit = i == 0 || from ? units[from + k] : (uint16_t)text[i - 1];
                    bytes[n++] = (char)(big ? unit >> 8 : unit & 255);
                    bytes[n++] = (char)(big ? unit & 255 : unit >> 8);
                }
            }
            bt_textgrid grid;
            expect_ok(bt_textgrid_parse(bytes, n, "g", &grid));
            assert_string_equal(grid.tiers[0].marks[0].label, "\xF0\x9F\x98\x80");
            bt_textgrid_clear(&grid);
        }
}

#define TIMES                                                                                                          \
    "\"Praat chronological TextGrid text file\"\n0 2 ! Time domain.\n2\n\"IntervalTier\" \"w\" 0 2\n\"TextTier\" "     \
    "\"p\" 0 2\n"

static void chronological_format(void **state)
{
    (void)state;
    expect_grid(TIMES "1 0 1\n\"a\"\n2 0.5\n\"x\"\n1 1 2\n\"b\"", 2, 0);
    expect_refused(TIMES "1 0 1\n\"a\"\n2 0.5\n\"x\"", "the file is cut off");
    expect_refused(TIMES "1 0 1\n\"a\"\n3 1 2\n\"b\"", "g:8: a mark of tier 3, but there are 2 tiers");
    expect_refused(TIMES "1 0 1\n\"a\"\n1 1", "found the end of the file");
}

static void tiers_are_found_by_any_of_their_names(void **state)
{
    (void)state;
    bt_textgrid grid;
    expect_ok(parse(TIMES "1 0 2\n\"a\"", &grid));
    assert_ptr_equal(bt_textgrid_tier(&grid, "word|W"), &grid.tiers[0]);
    assert_ptr_equal(bt_textgrid_tier(&grid, "P|w"), &grid.tiers[1]);
    assert_null(bt_textgrid_tier(&grid, "words|phones"));
    assert_null(bt_textgrid_tier(&grid, ""));
    bt_textgrid_clear(&grid);
}

/* ---- writing ---- */

static void expect_same(const bt_textgrid *a, const bt_textgrid *b)
{
    assert_int_equal(a->n, b->n);
    expect_near(a->end, b->end, 0);
    for (size_t i = 0; i < a->n; ++i) {
        assert_int_equal(a->tiers[i].n, b->tiers[i].n);
        assert_string_equal(a->tiers[i].name, b->tiers[i].name);
        assert_int_equal(a->tiers[i].is_points, b->tiers[i].is_points);
        for (size_t j = 0; j < a->tiers[i].n; ++j) {
            expect_near(a->tiers[i].marks[j].start, b->tiers[i].marks[j].start, 0);
            expect_near(a->tiers[i].marks[j].end, b->tiers[i].marks[j].end, 0);
            assert_string_equal(a->tiers[i].marks[j].label, b->tiers[i].marks[j].label);
        }
    }
}

static void what_is_written_comes_back(void **state)
{
    (void)state;
    static const char *const files[] = {"textgrid/bobby_words_with_newlines.TextGrid",
                                        "textgrid/parselmouth_the_north_wind_and_the_sun.short.utf16.TextGrid",
                                        "textgrid/moth_sentences.TextGrid"};
    const char *const copy = test_path(test_scratch(), "copy.TextGrid");
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
        bt_textgrid grid, back;
        expect_ok(bt_textgrid_read(test_file(files[i]), &grid));
        expect_ok(bt_textgrid_write(copy, &grid));
        expect_ok(bt_textgrid_read(copy, &back));
        expect_same(&grid, &back);
        bt_textgrid_clear(&grid);
        bt_textgrid_clear(&back);
    }
    const bt_textgrid empty = {0};
    expect_failure(bt_textgrid_write("/no/such/folder/x", &empty), BT_ERR_FILE, "/no/such/folder/x: cannot write");
    expect_failure(bt_textgrid_write("/dev/full", &empty), BT_ERR_FILE, "cannot write");
}

/* The long UTF-8 file is what Praat itself wrote. */
static void the_long_format_is_praats(void **state)
{
    (void)state;
    bt_textgrid grid;
    char *ours, *praats;
    size_t n_ours, n_praats;
    const char *const path = test_file("textgrid/parselmouth_the_north_wind_and_the_sun.utf8.TextGrid");
    const char *const copy = test_path(test_scratch(), "praat.TextGrid");
    expect_ok(bt_textgrid_read(path, &grid));
    expect_ok(bt_textgrid_write(copy, &grid));
    bt_textgrid_clear(&grid);
    expect_ok(bt_path_read(path, &praats, &n_praats));
    expect_ok(bt_path_read(copy, &ours, &n_ours));
    assert_int_equal(n_ours, n_praats);
    assert_memory_equal(ours, praats, n_ours);
    bt_free(ours);
    bt_free(praats);
}

/* ---- damage: a status, never a crash, never a leak ---- */

static void try_bytes(const char *bytes, size_t size, size_t *n_ok)
{
    bt_textgrid grid;
    const bt_status status = bt_textgrid_parse(bytes, size, "g", &grid);
    assert_true(status == BT_OK || status == BT_ERR_INPUT);
    *n_ok += status == BT_OK;
    bt_textgrid_clear(&grid);
    assert_true(bt_memory_live() <= 2);
}

static void damaged_files_are_judged(void **state)
{
    (void)state;
    static const char *const files[] = {"textgrid/parselmouth_the_north_wind_and_the_sun.short.utf16.TextGrid",
                                        "textgrid/bobby_words_with_newlines.TextGrid",
                                        "textgrid/moth_chronological_crlf.TextGrid"};
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
        char *bytes, *part;
        size_t size, n_whole = 0, n_changed = 0;
        expect_ok(bt_path_read(test_file(files[i]), &bytes, &size));
        for (size_t n = 0; n + 8 < size; ++n) { /* a copy of its own size, so that reading too far is seen */
            part = bt_calloc(n, 1);
            assert_non_null(part);
            memcpy(part, bytes, n);
            try_bytes(part, n, &n_whole);
            bt_free(part);
        }
        assert_int_equal(n_whole, 0);
        for (size_t at = 0; at < size; ++at)
            for (int letter = 0; letter < 256; letter += 17) {
                const char before = bytes[at];
                bytes[at] = (char)letter;
                try_bytes(bytes, size, &n_changed);
                bytes[at] = before;
            }
        assert_true(n_changed > 0);
        bt_free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_same_grid_in_four_formats, test_no_leak),
        cmocka_unit_test_teardown(aligners_output, test_no_leak),
        cmocka_unit_test_teardown(elan_and_bounds_that_differ, test_no_leak),
        cmocka_unit_test_teardown(quotes_and_newlines_in_labels, test_no_leak),
        cmocka_unit_test_teardown(story_grids, test_no_leak),
        cmocka_unit_test_teardown(shared_grids, test_no_leak),
        cmocka_unit_test_teardown(sizes_that_lie, test_no_leak),
        cmocka_unit_test_teardown(times_that_are_odd, test_no_leak),
        cmocka_unit_test_teardown(words_that_are_comments, test_no_leak),
        cmocka_unit_test_teardown(labels_survive_line_ends, test_no_leak),
        cmocka_unit_test_teardown(faults_name_the_line, test_no_leak),
        cmocka_unit_test_teardown(encodings_that_cannot_be, test_no_leak),
        cmocka_unit_test_teardown(utf16_of_every_kind, test_no_leak),
        cmocka_unit_test_teardown(chronological_format, test_no_leak),
        cmocka_unit_test_teardown(tiers_are_found_by_any_of_their_names, test_no_leak),
        cmocka_unit_test_teardown(what_is_written_comes_back, test_no_leak),
        cmocka_unit_test_teardown(the_long_format_is_praats, test_no_leak),
        cmocka_unit_test_teardown(damaged_files_are_judged, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
