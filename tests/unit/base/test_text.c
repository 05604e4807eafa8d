#include "base/text.h"
#include "support.h"

static void paths_join_and_split(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b, *joined, *stem, *parent;
    } cases[] = {
        {"a", "b.wav", "a/b.wav", "b", "a"},
        {"a/", "b.tar.gz", "a/b.tar.gz", "b.tar", "a"},
        {"a", "/b", "/b", "b", "/"},
        {"", "b", "b", "b", "."},
        {"x/y", ".hidden", "x/y/.hidden", ".hidden", "x/y"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char *const joined = bt_path_join(cases[i].a, cases[i].b);
        char *const stem = bt_path_stem(joined), *const parent = bt_path_parent(joined);
        assert_string_equal(joined, cases[i].joined);
        assert_string_equal(stem, cases[i].stem);
        assert_string_equal(parent, cases[i].parent);
        bt_free(joined);
        bt_free(stem);
        bt_free(parent);
    }
}

static void folders_come_and_go(void **state)
{
    (void)state;
    const char *const deep = test_path(test_scratch(), "one/two/three");
    const char *const top = test_path(test_scratch(), "one");
    expect_ok(bt_path_make(deep));
    expect_ok(bt_path_make(deep));
    assert_true(bt_path_is_directory(deep));
    (void)test_write_text("one/two/file", "x");
    bt_names names = {0};
    expect_ok(bt_path_list(test_path(test_scratch(), "one/two"), &names));
    assert_int_equal(names.n, 2);
    assert_string_equal(names.items[0], "file");
    bt_names_clear(&names);
    expect_failure(bt_path_make(test_path(test_scratch(), "one/two/file/below")), BT_ERR_FILE, "cannot make");
    expect_ok(bt_path_remove(top));
    assert_false(bt_path_exists(top));
    expect_ok(bt_path_remove(top));
}

static void files_are_read_whole(void **state)
{
    (void)state;
    char *data = NULL;
    size_t size = 0;
    expect_ok(bt_path_read(test_write("bytes", "a\0b", 3), &data, &size));
    assert_int_equal(size, 3);
    assert_memory_equal(data, "a\0b", 4);
    bt_free(data);
    expect_failure(bt_path_read(test_path(test_scratch(), "nothing"), &data, &size), BT_ERR_INPUT, "cannot open");
    expect_failure(bt_path_read(test_scratch(), &data, &size), BT_ERR_INPUT, "not a regular file");
    assert_null(data);
}

static void text_grows(void **state)
{
    (void)state;
    bt_text text = {0};
    for (int i = 0; i < 1000; ++i) expect_ok(bt_text_add(&text, "%d,", i));
    assert_int_equal(text.length, strlen(text.data));
    assert_true(bt_ends_with(text.data, "998,999,"));
    assert_true(bt_starts_with(text.data, "0,1,2,"));
    bt_text_clear(&text);
}

static void slips_find_their_word(void **state)
{
    (void)state;
    static const char *const words[] = {"window.context", "window.stride", "delays"};
    assert_int_equal(bt_edit_distance("kitten", "sitting"), 3);
    assert_int_equal(bt_edit_distance("", "abc"), 3);
    assert_string_equal(bt_nearest("window.contxt", words, 3), "window.context");
    assert_string_equal(bt_nearest("delay", words, 3), "delays");
    assert_null(bt_nearest("something", words, 3));
    static const char *const maps[] = {"sp", "r", "r2"};
    assert_string_equal(bt_nearest("R", maps, 3), "r");
    assert_null(bt_nearest("q", maps, 3));
}

static void messages_chain(void **state)
{
    (void)state;
    bt_status status = bt_fail(BT_ERR_INPUT, "%s: no samples", "a.wav");
    status = bt_fail_prefix(status, "story %s", "souls");
    assert_int_equal(status, 3);
    assert_string_equal(bt_error_message(), "story souls: a.wav: no samples");
    status = bt_fail(BT_ERR_FILE, "again: %s", bt_error_message());
    assert_string_equal(bt_error_message(), "again: story souls: a.wav: no samples");
    assert_string_equal(bt_status_text(status), "file system");
}

static void impossible_sizes_fail(void **state)
{
    (void)state;
    assert_null(bt_calloc(SIZE_MAX / 2, 8));
    assert_non_null(strstr(bt_error_message(), "out of memory"));
    assert_null(bt_calloc((size_t)1 << 60, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(paths_join_and_split, test_no_leak),
        cmocka_unit_test_teardown(folders_come_and_go, test_no_leak),
        cmocka_unit_test_teardown(files_are_read_whole, test_no_leak),
        cmocka_unit_test_teardown(text_grows, test_no_leak),
        cmocka_unit_test_teardown(slips_find_their_word, test_no_leak),
        cmocka_unit_test_teardown(messages_chain, test_no_leak),
        cmocka_unit_test_teardown(impossible_sizes_fail, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
