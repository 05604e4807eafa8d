/* JSON: members by dotted paths, types, messages, quoting. */
#include "support.h"

#include "io/json.h"

static const char *const sample =
    "{\"story\": 363, \"half\": 512.0, \"rate\": 5e-5, \"on\": true, \"off\": false, \"none\": null,\n"
    " \"name\": \"caf\\u00e9\", \"a.b\": 7, \"a\": {\"c\": {\"d\": 8}, \"e.f\": 9},\n"
    " \"kernels\": [10, 3, 3], \"mixed\": [1, \"x\"], \"types\": [\"gelu\", \"relu\"], \"big\": 9007199254740993}";

static bt_json *open_sample(void)
{
    bt_json *json = NULL;
    expect_ok(bt_json_parse(sample, "sample.json", &json));
    return json;
}

static void members_have_types(void **state)
{
    (void)state;
    bt_json *json = open_sample();
    int64_t whole;
    double real;
    bool flag;
    char *text;
    expect_ok(bt_json_int(json, "story", &whole));
    assert_int_equal(whole, 363);
    expect_ok(bt_json_int(json, "half", &whole));
    assert_int_equal(whole, 512);
    expect_ok(bt_json_int(json, "big", &whole));
    assert_true(whole == INT64_C(9007199254740993));
    expect_ok(bt_json_real(json, "rate", &real));
    expect_near(real, 5e-5, 0);
    expect_ok(bt_json_real(json, "story", &real));
    expect_near(real, 363, 0);
    expect_ok(bt_json_bool(json, "on", &flag));
    assert_true(flag);
    expect_ok(bt_json_bool(json, "off", &flag));
    assert_false(flag);
    expect_ok(bt_json_text(json, "name", &text));
    assert_string_equal(text, "caf\xC3\xA9");
    bt_free(text);
    bt_json_close(&json);
    assert_null(json);
    bt_json_close(&json);
}

static void dotted_paths_reach_inside(void **state)
{
    (void)state;
    bt_json *json = open_sample();
    int64_t value;
    expect_ok(bt_json_int(json, "a.c.d", &value));
    assert_int_equal(value, 8);
    expect_ok(bt_json_int(json, "a.b", &value));
    assert_int_equal(value, 7);
    expect_ok(bt_json_int(json, "a.e.f", &value));
    assert_int_equal(value, 9);
    assert_true(bt_json_has(json, "a.c"));
    assert_false(bt_json_has(json, "a.c.x"));
    assert_false(bt_json_has(json, "a."));
    assert_false(bt_json_has(json, "axc.d"));
    assert_false(bt_json_has(json, "none"));
    bt_json_close(&json);
}

static void lists_and_keys(void **state)
{
    (void)state;
    bt_json *json = open_sample();
    int64_t values[3];
    size_t n;
    bt_names names = {0};
    expect_ok(bt_json_ints(json, "kernels", values, 3, &n));
    assert_int_equal(n, 3);
    assert_true(values[0] == 10 && values[2] == 3);
    expect_failure(bt_json_ints(json, "kernels", values, 2, &n), BT_ERR_INPUT, "a list of 3, expected at most 2");
    expect_failure(bt_json_ints(json, "mixed", values, 3, &n), BT_ERR_INPUT,
                   "element 1 is a text, expected an integer");
    assert_int_equal(n, 0);
    expect_ok(bt_json_texts(json, "types", &names));
    assert_int_equal(names.n, 2);
    assert_string_equal(names.items[1], "relu");
    expect_failure(bt_json_texts(json, "mixed", &names), BT_ERR_INPUT, "element 0 is an integer, expected a text");
    bt_names_clear(&names);
    expect_ok(bt_json_keys(json, "a", &names));
    assert_int_equal(names.n, 2);
    assert_string_equal(names.items[0], "c");
    bt_names_clear(&names);
    expect_ok(bt_json_keys(json, "", &names));
    assert_int_equal(names.n, 13);
    assert_string_equal(names.items[0], "story");
    bt_names_clear(&names);
    expect_failure(bt_json_keys(json, "kernels", &names), BT_ERR_INPUT, "expected an object, found a list");
    bt_json_close(&json);
}

/* Elements of a list are documents of their own, which name their place and outlive the list. */
static void lists_of_objects(void **state)
{
    (void)state;
    bt_json *json = NULL, *item = NULL;
    int64_t whole;
    size_t n = 0;
    expect_ok(
        bt_json_parse("{\"tasks\": [{\"task\": 1}, {\"task\": 2, \"a\": {\"b\": 3}}, 4], \"x\": 1}", "p.json", &json));
    expect_ok(bt_json_count(json, "tasks", &n));
    assert_int_equal(n, 3);
    expect_failure(bt_json_count(json, "x", &n), BT_ERR_INPUT, "p.json: key \"x\": expected a list");
    expect_failure(bt_json_item(json, "tasks", 2, &item), BT_ERR_INPUT, "element 2 is an integer, expected an object");
    expect_failure(bt_json_item(json, "tasks", 3, &item), BT_ERR_INPUT, "element 3 is missing");
    expect_ok(bt_json_item(json, "tasks", 1, &item));
    bt_json_close(&json);
    expect_ok(bt_json_int(item, "a.b", &whole));
    assert_int_equal(whole, 3);
    expect_failure(bt_json_int(item, "c", &whole), BT_ERR_INPUT, "p.json:tasks[1]: key \"c\" is missing");
    bt_json_close(&item);
}

static void wrong_types_name_file_and_key(void **state)
{
    (void)state;
    bt_json *json = open_sample();
    int64_t whole;
    double real;
    bool flag;
    char *text;
    size_t n;
    expect_failure(bt_json_int(json, "missing", &whole), BT_ERR_INPUT, "sample.json: key \"missing\" is missing");
    expect_failure(bt_json_int(json, "rate", &whole), BT_ERR_INPUT, "\"rate\": expected an integer, found a number");
    expect_failure(bt_json_int(json, "on", &whole), BT_ERR_INPUT, "found true or false");
    expect_failure(bt_json_int(json, "none", &whole), BT_ERR_INPUT, "found null");
    expect_failure(bt_json_real(json, "name", &real), BT_ERR_INPUT, "expected a number, found a text");
    expect_failure(bt_json_bool(json, "story", &flag), BT_ERR_INPUT, "expected true or false, found an integer");
    expect_failure(bt_json_text(json, "a", &text), BT_ERR_INPUT, "expected a text, found an object");
    expect_failure(bt_json_ints(json, "story", &whole, 1, &n), BT_ERR_INPUT, "expected a list of integers");
    bt_json_close(&json);
}

static void bad_files_name_line_and_column(void **state)
{
    (void)state;
    bt_json *json = NULL;
    expect_failure(bt_json_read(test_write_text("a.json", "{\"a\": 1,\n \"b\": }"), &json), BT_ERR_INPUT, "a.json:2:");
    expect_failure(bt_json_read(test_write_text("a.json", "{\"a\": 1, \"a\": 2}"), &json), BT_ERR_INPUT, "duplicate");
    expect_failure(bt_json_read(test_write_text("a.json", "[1]"), &json), BT_ERR_INPUT, "expected a JSON object");
    expect_failure(bt_json_read(test_write_text("a.json", "{} x"), &json), BT_ERR_INPUT, "a.json:1:");
    expect_failure(bt_json_read(test_write_text("a.json", "{\"a\": NaN}"), &json), BT_ERR_INPUT, "not valid JSON");
    expect_failure(bt_json_read(test_write_text("a.json", "/annex/objects/MD5E-s3--a.json"), &json), BT_ERR_INPUT,
                   "datalad get");
    expect_failure(bt_json_read("no.json", &json), BT_ERR_INPUT, "does not exist");
    assert_null(json);
    expect_ok(bt_json_read(test_write_text("bom.json", "\xEF\xBB\xBF{\"a\": 1}"), &json));
    assert_true(bt_json_has(json, "a"));
    bt_json_close(&json);
}

static void quoting_comes_back(void **state)
{
    (void)state;
    static const char *const hard = "a\"b\\c\n\t\r\x01\x7f/caf\xC3\xA9 \xF0\x9F\x98\x80";
    bt_text text = {0};
    bt_json *json = NULL;
    char *back;
    expect_ok(bt_text_add(&text, "{\"k\": "));
    expect_ok(bt_json_quote(&text, hard));
    expect_ok(bt_text_add(&text, "}"));
    expect_ok(bt_json_parse(text.data, "quoted", &json));
    expect_ok(bt_json_text(json, "k", &back));
    assert_string_equal(back, hard);
    bt_free(back);
    bt_json_close(&json);
    bt_text_clear(&text);
    expect_ok(bt_json_quote(&text, "x\xE9y"));
    assert_string_equal(text.data, "\"x\xEF\xBF\xBDy\"");
    bt_text_clear(&text);
}

static void shared_files(void **state)
{
    (void)state;
    static const char *const files[] = {
        "moth/ds003020_meta/dataset_description.json", "moth/ds003020_meta/task-wheretheressmoke_bold.json",
        "moth/ds003020_meta/sub-UTS03_ses-3_task-wheretheressmoke_run-2_bold.json", "models/hf_config_shapes.json"};
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
        bt_json *json = NULL;
        if (!test_data(files[i])) continue;
        expect_ok(bt_json_read(test_data(files[i]), &json));
        bt_json_close(&json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(members_have_types, test_no_leak),
        cmocka_unit_test_teardown(dotted_paths_reach_inside, test_no_leak),
        cmocka_unit_test_teardown(lists_and_keys, test_no_leak),
        cmocka_unit_test_teardown(lists_of_objects, test_no_leak),
        cmocka_unit_test_teardown(wrong_types_name_file_and_key, test_no_leak),
        cmocka_unit_test_teardown(bad_files_name_line_and_column, test_no_leak),
        cmocka_unit_test_teardown(quoting_comes_back, test_no_leak),
        cmocka_unit_test_teardown(shared_files, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
