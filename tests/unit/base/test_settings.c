#include "base/settings.h"
#include "support.h"

typedef struct {
    bool zscore;
    int64_t seed, ranks;
    double stride;
    int64_t memory;
    char *out;
    int pool;
    bt_ints delays;
    bt_reals alphas;
    bt_names stories;
} options;

#define AT(field) offsetof(options, field)

static const bt_setting table[] = {
    {"zscore", BT_SET_BOOL, AT(zscore), BT_SCIENCE, "true", NULL, 0, 0, NULL, "z-score features"},
    {"cv.seed", BT_SET_INT, AT(seed), BT_SCIENCE, "0", NULL, 0, 1e9, NULL, "seed"},
    {"window.stride", BT_SET_REAL, AT(stride), BT_SCIENCE, "0.1", NULL, 0.001, 60, "s", "stride"},
    {"ranks", BT_SET_INT, AT(ranks), BT_AUTO, "auto", NULL, 0, 64, "ranks", "ranks along an axis"},
    {"memory", BT_SET_BYTES, AT(memory), 0, "1GiB", NULL, 0, 0, NULL, "memory"},
    {"out", BT_SET_TEXT, AT(out), BT_OPTIONAL | BT_PATHS, NULL, NULL, 0, 0, NULL, "result"},
    {"pool", BT_SET_CHOICE, AT(pool), BT_SCIENCE, "last", "last|mean", 0, 0, NULL, "pooling"},
    {"delays", BT_SET_INTS, AT(delays), BT_SCIENCE, "1,2,3,4", NULL, 0, 20, "TR", "delays"},
    {"alphas", BT_SET_REALS, AT(alphas), BT_SCIENCE | BT_OPTIONAL, NULL, NULL, 1e-9, 1e12, NULL, "penalties"},
    {"stories.encode", BT_SET_TEXTS, AT(stories), BT_SCIENCE | BT_OPTIONAL, NULL, NULL, 0, 0, NULL, "stories"},
};

typedef struct {
    bt_settings settings;
    options values;
} fixture;

static bt_status parse(fixture *f, const char *a, const char *b)
{
    char *words[2] = {(char *)(uintptr_t)a, (char *)(uintptr_t)b};
    *f = (fixture){0};
    bt_settings_add(&f->settings, table, sizeof table / sizeof *table, &f->values);
    return bt_settings_parse(&f->settings, b ? 2 : a ? 1 : 0, words);
}

static void defaults_are_the_table(void **state)
{
    (void)state;
    fixture f;
    expect_ok(parse(&f, NULL, NULL));
    assert_true(f.values.zscore);
    expect_near(f.values.stride, 0.1, 0);
    assert_int_equal(f.values.memory, 1073741824);
    assert_null(f.values.out);
    assert_int_equal(f.values.delays.n, 4);
    assert_int_equal(f.values.delays.v[3], 4);
    assert_int_equal(f.values.alphas.n, 0);
    assert_false(bt_settings_given(&f.settings, "delays"));
    bt_settings_clear(&f.settings);
}

/* key?=value stands in for the table's default: not given, and no match for what is, wherever it stands. */
static void other_defaults(void **state)
{
    (void)state;
    fixture f;
    expect_ok(parse(&f, "cv.seed?=7", NULL));
    assert_int_equal(f.values.seed, 7);
    assert_false(bt_settings_given(&f.settings, "cv.seed"));
    bt_settings_clear(&f.settings);
    expect_ok(parse(&f, "cv.seed=3", "cv.seed?=7"));
    assert_int_equal(f.values.seed, 3);
    bt_settings_clear(&f.settings);
    expect_ok(parse(&f, "cv.seed?=7", "cv.seed=3"));
    assert_int_equal(f.values.seed, 3);
    assert_true(bt_settings_given(&f.settings, "cv.seed"));
    bt_settings_clear(&f.settings);
    expect_failure(parse(&f, "cv.seed?=x", NULL), BT_ERR_USAGE, "cv.seed=x: expected a whole number");
    bt_settings_clear(&f.settings);
    expect_failure(parse(&f, "cv.seed=3", "cv.seed?=x"), BT_ERR_USAGE, "cv.seed=x: expected a whole number");
    bt_settings_clear(&f.settings);
    expect_failure(parse(&f, "cv.sed?=1", NULL), BT_ERR_USAGE, "did you mean cv.seed?");
    bt_settings_clear(&f.settings);
}

static void one_value_can_be_checked(void **state)
{
    (void)state;
    expect_ok(bt_setting_check(&table[7], "[1, 2]", "here"));
    expect_ok(bt_setting_check(&table[8], "", "here"));
    expect_failure(bt_setting_check(&table[7], "1,99", "x.yaml:3:4"), BT_ERR_USAGE, "x.yaml:3:4: delays=99: must lie");
    expect_failure(bt_setting_check(&table[6], "max", "here"), BT_ERR_USAGE, "expected one of last|mean");
}

static void later_wins(void **state)
{
    (void)state;
    fixture f;
    const char *const file = test_write_text("a.yaml", "window:\n  stride: 0.5\npool: mean\nstories.encode: [a, b]\n"
                                                       "alphas:\n  - 1\n  - 1e3\n");
    expect_ok(parse(&f, file, "window.stride=0.25"));
    expect_near(f.values.stride, 0.25, 0);
    assert_int_equal(f.values.pool, 1);
    assert_int_equal(f.values.stories.n, 2);
    assert_string_equal(f.values.stories.items[1], "b");
    expect_near(f.values.alphas.v[1], 1000.0, 0);
    assert_true(bt_settings_given(&f.settings, "pool"));
    bt_settings_clear(&f.settings);
}

/* Keys that stand for each other: the later source wins, within one source neither. */
static void later_sources_win_over_earlier_ones(void **state)
{
    (void)state;
    fixture f;
    const char *const file = test_write_text("order.yaml", "delays: [1]\npool: mean\n");
    expect_ok(parse(&f, file, "alphas=1"));
    assert_true(bt_settings_later(&f.settings, "alphas", "delays"));
    assert_false(bt_settings_later(&f.settings, "delays", "alphas"));
    assert_false(bt_settings_later(&f.settings, "delays", "pool") || bt_settings_later(&f.settings, "pool", "delays"));
    bt_settings_clear(&f.settings);
    expect_ok(parse(&f, "alphas=1", "delays=1"));
    assert_false(bt_settings_later(&f.settings, "delays", "alphas"));
    bt_settings_clear(&f.settings);
}

static void lists_may_have_brackets(void **state)
{
    (void)state;
    fixture f;
    expect_ok(parse(&f, "delays=[0, 2]", "memory=1.5MiB"));
    assert_int_equal(f.values.delays.n, 2);
    assert_int_equal(f.values.delays.v[1], 2);
    assert_int_equal(f.values.memory, 1572864);
    bt_settings_clear(&f.settings);
}

static void auto_is_zero_where_it_may_stand(void **state)
{
    (void)state;
    fixture f;
    expect_ok(parse(&f, "ranks=3", "ranks=auto"));
    assert_int_equal(f.values.ranks, 0);
    bt_settings_clear(&f.settings);
    expect_failure(parse(&f, "cv.seed=auto", NULL), BT_ERR_USAGE, "whole number");
    bt_settings_clear(&f.settings);
}

static void canonical_text_round_trips(void **state)
{
    (void)state;
    fixture f;
    bt_text text = {0};
    expect_ok(parse(&f, "window.stride=1e-1", "alphas=10,0.3333333333333333"));
    expect_ok(bt_settings_text(&f.settings, "window.stride", &text));
    assert_string_equal(text.data, "0.1");
    bt_text_clear(&text);
    expect_ok(bt_settings_text(&f.settings, "alphas", &text));
    assert_string_equal(text.data, "10,0.3333333333333333");
    bt_text_clear(&text);
    bt_settings_clear(&f.settings);
}

static void bad_words_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *word, *part;
    } cases[] = {
        {"delay=1", "did you mean delays?"},
        {"xyzzy=1", "unknown key xyzzy"},
        {"stories=a", "unknown key stories; there is stories.encode"},
        {"window.stride=fast", "expected a number, in s"},
        {"window.stride=0", "between 0.001 and 60"},
        {"window.stride=nan", "expected a number"},
        {"cv.seed=1.5", "whole number"},
        {"cv.seed=99999999999999999999", "whole number"},
        {"zscore=maybe", "true or false"},
        {"pool=max", "one of last|mean"},
        {"pool=", "value is missing"},
        {"delays=", "value is missing"},
        {"delays=1,,2", "empty item"},
        {"delays=1,99", "between 0 and 20"},
        {"memory=8 parsecs", "bytes"},
        {"no-such-file.yaml", "cannot open this settings file"},
        {"-n", "unknown option -n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        fixture f;
        expect_failure(parse(&f, cases[i].word, NULL), BT_ERR_USAGE, cases[i].part);
        bt_settings_clear(&f.settings);
    }
}

static void help_is_what_the_parser_takes(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "  cv.seed                  seed\n                             a whole number, at least 0; default 0\n",
        "a number, in s, from 0.001 to 60; default 0.1",
        "a whole number or auto, in ranks, from 0 to 64; default auto",
        "last|mean; default last",
        "whole numbers a,b,c, in TR, from 0 to 20; default 1,2,3,4",
        "a path\n",
    };
    fixture f;
    bt_text text = {0};
    expect_ok(parse(&f, NULL, NULL));
    expect_ok(bt_settings_help(&f.settings, &text));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i)
        if (!strstr(text.data, parts[i])) fail_msg("no \"%s\" in:\n%s", parts[i], text.data);
    bt_text_clear(&text);
    bt_settings_clear(&f.settings);
}

static void bad_files_name_the_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"pool: mean\nwindow:\n  strid: 1\n", "bad.yaml:3:"},
        {"pool: [mean\n", "not valid YAML"},
        {"- 1\n- 2\n", "expected key: value"},
        {"delays: [[1], 2]\n", "a list may hold plain values only"},
        {"window: &a\n  stride: *a\n", "stride"},
        {"a: &a\n  b: *a\n", "nested deeper"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        fixture f;
        expect_failure(parse(&f, test_write_text("bad.yaml", cases[i].text), NULL), BT_ERR_USAGE, cases[i].part);
        bt_settings_clear(&f.settings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(defaults_are_the_table, test_no_leak),
        cmocka_unit_test_teardown(other_defaults, test_no_leak),
        cmocka_unit_test_teardown(one_value_can_be_checked, test_no_leak),
        cmocka_unit_test_teardown(later_wins, test_no_leak),
        cmocka_unit_test_teardown(later_sources_win_over_earlier_ones, test_no_leak),
        cmocka_unit_test_teardown(lists_may_have_brackets, test_no_leak),
        cmocka_unit_test_teardown(auto_is_zero_where_it_may_stand, test_no_leak),
        cmocka_unit_test_teardown(canonical_text_round_trips, test_no_leak),
        cmocka_unit_test_teardown(bad_words_are_named, test_no_leak),
        cmocka_unit_test_teardown(help_is_what_the_parser_takes, test_no_leak),
        cmocka_unit_test_teardown(bad_files_name_the_line, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
