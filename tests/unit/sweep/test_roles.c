/* Story roles: expressions, loops, unknown names; and the file of roles that comes with the program. */
#include "support.h"

#include "sweep/roles.h"

static bt_status resolve(bt_region *region, const char *roles, const char *known, const char *expression, bt_text *out)
{
    bt_status status = BT_OK;
    const bt_node *map = NULL, *asked = NULL, *list = NULL;
    bt_names names = {0}, stories = {0};
    BT_TRY(bt_tree_read(region, test_write_text("roles.yaml", roles), &map));
    BT_TRY(bt_tree_value(region, expression, &asked));
    if (known) {
        BT_TRY(bt_tree_value(region, known, &list));
        BT_TRY(bt_node_names(list, "known", &names));
    }
    BT_TRY(bt_roles_resolve(map, known ? &names : NULL, asked, "stories.tune", &stories));
    bt_text_clear(out);
    for (size_t i = 0; i < stories.n; ++i) BT_TRY(bt_text_add(out, "%s%s", i ? "," : "", stories.items[i]));
cleanup:
    bt_names_clear(&names);
    bt_names_clear(&stories);
    return status;
}

static const char *const five = "all: [e, d, c, b, a]\ntest: [e]\nvalidate: [b]\ntune: all - test - validate\n"
                                "more: tune + [e, b] - c\nempty: []\n";

static void test_expressions(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"all", "a,b,c,d,e"},        {"tune", "a,c,d"},  {"more", "a,b,d,e"},     {"all - [a, b] - test", "c,d"},
        {"[tune, e, e]", "a,c,d,e"}, {"\"b,a\"", "a,b"}, {"\"test + a\"", "a,e"}, {"all - empty", "a,b,c,d,e"}};
    bt_region region = {0};
    bt_text text = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        expect_ok(resolve(&region, five, "[a, b, c, d, e]", cases[i][0], &text));
        assert_string_equal(text.data, cases[i][1]);
    }
    expect_ok(resolve(&region, five, NULL, "[tune, unheard]", &text)); /* stories that are not known yet */
    assert_string_equal(text.data, "a,c,d,unheard");
    bt_text_clear(&text);
    bt_region_clear(&region);
}

static void test_refusals(void **state)
{
    (void)state;
    bt_region region = {0};
    bt_text text = {0};
    expect_failure(resolve(&region, five, "[a, b, c, d, e]", "valdate", &text), BT_ERR_USAGE, "did you mean validate?");
    expect_failure(resolve(&region, "x: y\ny: z - x\nz: [a]\n", "[a]", "x", &text), BT_ERR_USAGE,
                   "roles.yaml:1:4: role x holds itself");
    expect_failure(resolve(&region, five, "[a]", "{a: 1}", &text), BT_ERR_USAGE, "found a map");
    expect_failure(resolve(&region, five, "[a, b, c, d, e]", "\"all - []\"", &text), BT_ERR_USAGE,
                   "expected a role or story");
    bt_text_clear(&text);
    bt_region_clear(&region);
}

/* SCIENCE's counts: 27, 24, 24, 10; the lists of amounts; encode_released holds stagefright. */
static void test_ds003020(void **state)
{
    (void)state;
    static const struct {
        const char *role;
        size_t n;
    } counts[] = {{"all", 27},        {"tune", 24},       {"encode", 24},    {"encode_released", 24},
                  {"lowlevel", 10},   {"validate", 2},    {"stories_2", 2},  {"stories_5", 6},
                  {"stories_10", 10}, {"stories_15", 15}, {"stories_20", 20}};
    bt_region region = {0};
    const bt_node *roles = NULL, *asked = NULL;
    bt_names all = {0}, stories = {0}, released = {0};
    expect_ok(bt_tree_read(&region, test_path(test_source(), "experiments/presets/stories/ds003020-27.yaml"), &roles));
    expect_ok(bt_node_names(bt_node_get(roles, "all"), "all", &all));
    for (size_t i = 0; i < sizeof counts / sizeof *counts; ++i) {
        expect_ok(bt_tree_value(&region, counts[i].role, &asked));
        bt_names_clear(&stories);
        expect_ok(bt_roles_resolve(roles, &all, asked, counts[i].role, &stories));
        assert_int_equal(stories.n, counts[i].n);
    }
    expect_ok(bt_tree_value(&region, "encode_released", &asked));
    expect_ok(bt_roles_resolve(roles, &all, asked, "x", &released));
    assert_true(bt_names_have(&released, "stagefright") && !bt_names_have(&released, "life"));
    for (size_t i = 0; i < stories.n; ++i) assert_true(bt_names_have(&released, stories.items[i])); /* of stories_20 */
    for (size_t i = 0; i < 20; ++i) assert_string_equal(stories.items[i], released.items[i]); /* its first twenty */
    bt_names_clear(&all);
    bt_names_clear(&stories);
    bt_names_clear(&released);
    bt_region_clear(&region);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_expressions, test_no_leak),
        cmocka_unit_test_teardown(test_refusals, test_no_leak),
        cmocka_unit_test_teardown(test_ds003020, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
