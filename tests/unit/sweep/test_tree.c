/* YAML trees: what stands for something else, where things are, what is refused. */
#include "support.h"

#include "sweep/tree.h"

static bt_status read_text(bt_region *region, const char *text, const bt_node **out)
{
    return bt_tree_read(region, test_write_text("tree.yaml", text), out);
}

static void expect_text(const bt_node *root, const char *path, const char *wanted)
{
    bt_text text = {0};
    const bt_node *const node = bt_node_at(root, path);
    assert_non_null(node);
    expect_ok(bt_node_join(node, path, &text));
    assert_string_equal(text.data, wanted);
    bt_text_clear(&text);
}

static void test_nodes_know_their_place(void **state)
{
    (void)state;
    bt_region region = {0};
    const bt_node *root = NULL;
    expect_ok(read_text(&region, "a:\n  b: [1, 2]\n  c.d: x\n  e: {f: ~, g: null, h: 'null'}\n", &root));
    expect_text(root, "a.b", "1,2");
    expect_text(root, "a.c.d", "x"); /* a key that holds a dot */
    expect_text(root, "a.e.f", "");
    expect_text(root, "a.e.g", "");
    expect_text(root, "a.e.h", "null");
    const bt_node *const b = bt_node_at(root, "a.b");
    assert_int_equal(b->place.line, 2);
    assert_int_equal(b->place.column, 6);
    assert_int_equal(bt_node_member(bt_node_get(root, "a"), "e")->place.line, 4);
    expect_failure(bt_place_fail(b->items[1]->place, "here"), BT_ERR_USAGE, "tree.yaml:2:10: here");
    bt_region_clear(&region);
}

static void test_anchors_and_merges(void **state)
{
    (void)state;
    bt_region region = {0};
    const bt_node *root = NULL;
    expect_ok(read_text(&region,
                        "w: &w {mode: windows, pool: last}\nv: &v {pool: mean, x: 1}\n"
                        "one: *w\ntwo: {<<: *w, pool: max}\nthree: {<<: [*w, *v], y: 2}\n",
                        &root));
    expect_text(root, "one.pool", "last");
    expect_text(root, "two.pool", "max");
    expect_text(root, "two.mode", "windows");
    expect_text(root, "three.pool", "last"); /* the first of the list wins */
    expect_text(root, "three.x", "1");
    assert_null(bt_node_at(root, "two.<<"));
    bt_region_clear(&region);
}

static void test_bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } bad[] = {
        {"a: &x [1, *x]\n", "tree.yaml:1:4: an anchor that holds an alias of itself"},
        {"a: &x {b: {c: *x}}\n", "holds an alias of itself"},
        {"a: 1\nb: {c: 1, c: 2}\n", "tree.yaml:2:11: c: this key is here twice"},
        {"a: *nowhere\n", "tree.yaml:1:4: not valid YAML"},
        {"a: [1, 2\nb: 3\n", "not valid YAML"},
        {"- 1\n- 2\n", "tree.yaml:1:1: expected key: value lines"},
        {"a: 1\n---\nb: 2\n", "a second document"},
        {"? [1, 2]\n: 3\n", "a key must be plain text"},
        {"<<: 3\n", "<<: expected a map"},
        {"a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
         "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n",
         "aliases expand to more than"},
        {"a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n", "nested deeper"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        bt_region region = {0};
        const bt_node *root = NULL;
        expect_failure(read_text(&region, bad[i].text, &root), BT_ERR_USAGE, bad[i].part);
        bt_region_clear(&region);
    }
    bt_region region = {0};
    const bt_node *root = NULL;
    expect_failure(bt_tree_read(&region, "/nowhere/x.yaml", &root), BT_ERR_USAGE, "/nowhere/x.yaml: cannot open");
    expect_failure(bt_tree_read(&region, "/tmp", &root), BT_ERR_USAGE, "it is a folder");
    bt_region_clear(&region);
}

static void test_environment(void **state)
{
    (void)state;
    bt_region region = {0};
    const bt_node *root = NULL, *filled = NULL;
    (void)setenv("BT_TEST_A", "x", 1);
    (void)setenv("BT_TEST_B", "${BT_TEST_A}", 1); /* a value is not looked into */
    (void)unsetenv("BT_TEST_C");
    expect_ok(read_text(&region, "a: ${BT_TEST_A}/y${BT_TEST_A}\nb: [\"${BT_TEST_B}\", z]\nc: '{subject}'\n", &root));
    expect_ok(bt_tree_fill(&region, root, &filled));
    expect_text(filled, "a", "x/yx");
    expect_text(filled, "b", "${BT_TEST_A},z");
    expect_text(filled, "c", "{subject}");
    expect_text(root, "a", "${BT_TEST_A}/y${BT_TEST_A}"); /* nodes never change */
    expect_ok(read_text(&region, "a: 1\nb: {c: [\"${BT_TEST_C}/x\"]}\n", &root));
    expect_failure(bt_tree_fill(&region, root, &filled), BT_ERR_USAGE,
                   "tree.yaml:2:9: ${BT_TEST_C}: this variable is not");
    expect_ok(read_text(&region, "a: ${OPEN\n", &root));
    expect_failure(bt_tree_fill(&region, root, &filled), BT_ERR_USAGE, "expected ${NAME}");
    bt_region_clear(&region);
}

static void test_join_and_put(void **state)
{
    (void)state;
    bt_region region = {0};
    const bt_node *below = NULL, *over = NULL, *joined = NULL, *value = NULL, *put = NULL;
    expect_ok(read_text(&region, "a: {b: 1, c: {d: 2, e: 3}}\nf: [1, 2]\ng: 4\n", &below));
    expect_ok(read_text(&region, "a: {c: {e: 5}, h: 6}\nf: [7]\n", &over));
    expect_ok(bt_tree_join(&region, below, over, &joined));
    expect_text(joined, "a.b", "1");
    expect_text(joined, "a.c.d", "2");
    expect_text(joined, "a.c.e", "5");
    expect_text(joined, "a.h", "6");
    expect_text(joined, "f", "7"); /* lists are replaced */
    expect_text(joined, "g", "4");
    expect_ok(bt_tree_value(&region, "[8, 9]", &value));
    expect_ok(bt_tree_put(&region, joined, "a.c.e", value, &put));
    expect_text(put, "a.c.e", "8,9");
    expect_text(joined, "a.c.e", "5");
    expect_ok(bt_tree_put(&region, put, "f.scope", value, &put)); /* beside a plain value: a dotted key */
    expect_text(put, "f", "7");
    expect_text(put, "f.scope", "8,9");
    expect_ok(bt_tree_put(&region, put, "new.map.here", value, &put));
    expect_text(put, "new.map.here", "8,9");
    expect_ok(bt_tree_put(&region, put, "a.c.d", NULL, &put));
    assert_null(bt_node_at(put, "a.c.d"));
    expect_ok(bt_tree_put(&region, put, "not.there", NULL, &put));
    assert_null(bt_node_get(put, "not"));
    bt_region_clear(&region);
}

static void test_values_of_the_command_line(void **state)
{
    (void)state;
    bt_region region = {0};
    const bt_node *value = NULL;
    expect_ok(bt_tree_value(&region, "0,1,2", &value));
    assert_true(bt_node_is(value, "0,1,2"));
    expect_ok(bt_tree_value(&region, "{each: [1, 2]}", &value));
    assert_int_equal(value->kind, BT_NODE_MAP);
    expect_ok(bt_tree_value(&region, "a: b", &value)); /* no map without braces */
    assert_true(bt_node_is(value, "a: b"));
    expect_ok(bt_tree_value(&region, "", &value));
    assert_true(bt_node_is(value, ""));
    expect_failure(bt_tree_value(&region, "[1, 2", &value), BT_ERR_USAGE, "command line");
    bt_region_clear(&region);
}

/* What is printed reads back as the same tree. */
static void test_print(void **state)
{
    (void)state;
    bt_region region = {0};
    bt_text first = {0}, second = {0};
    const bt_node *root = NULL, *again = NULL;
    expect_ok(read_text(
        &region,
        "a: 'x: y # z'\nb: [\"mean:7-12\", '', \"a, b\"]\nc: {d: {}, e: []}\nf: [{g: 1}, {g: \"two\\nlines\"}]\n",
        &root));
    expect_ok(bt_tree_print(root, &first));
    expect_ok(read_text(&region, first.data, &again));
    expect_ok(bt_tree_print(again, &second));
    assert_string_equal(first.data, second.data);
    expect_text(again, "a", "x: y # z");
    assert_string_equal(bt_node_at(again, "b")->items[2]->text, "a, b");
    assert_string_equal(bt_node_at(again, "f")->items[1]->members[0].value->text, "two\nlines");
    bt_text_clear(&first);
    bt_text_clear(&second);
    bt_region_clear(&region);
}

static void test_paths(void **state)
{
    (void)state;
    bt_region region = {0};
    const bt_place in_file = {.file = "/a/b/c.yaml", .line = 1}, on_line = {.file = "command line"};
    assert_string_equal(bt_place_path(&region, in_file, "d/e"), "/a/b/d/e");
    assert_string_equal(bt_place_path(&region, in_file, "./d"), "/a/b/d");
    assert_string_equal(bt_place_path(&region, in_file, "/d"), "/d");
    assert_string_equal(bt_place_path(&region, on_line, "x"), bt_absolute_path(&region, "x"));
    assert_int_equal(bt_absolute_path(&region, "x")[0], '/');
    bt_region_clear(&region);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_nodes_know_their_place, test_no_leak),
        cmocka_unit_test_teardown(test_anchors_and_merges, test_no_leak),
        cmocka_unit_test_teardown(test_bad_files, test_no_leak),
        cmocka_unit_test_teardown(test_environment, test_no_leak),
        cmocka_unit_test_teardown(test_join_and_put, test_no_leak),
        cmocka_unit_test_teardown(test_values_of_the_command_line, test_no_leak),
        cmocka_unit_test_teardown(test_print, test_no_leak),
        cmocka_unit_test_teardown(test_paths, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
