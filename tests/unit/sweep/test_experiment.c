/* extends, set, only, like, presets, overrides: what is left of them, and what is refused with which line. */
#include "support.h"

#include "sweep/experiment.h"
#include "sweep/preset.h"

static bt_status read_words(const char *text, size_t n, char *const *words, bt_experiment *out)
{
    return bt_experiment_read(test_write_text("experiment.yaml", text), n, words, out);
}

static void expect_at(const bt_experiment *experiment, const char *path, const char *wanted)
{
    bt_text text = {0};
    const bt_node *const node = bt_node_at(experiment->root, path);
    if (!node) print_error("nothing at %s\n", path);
    assert_non_null(node);
    expect_ok(bt_node_join(node, path, &text));
    assert_string_equal(text.data, wanted);
    bt_text_clear(&text);
}

static const char base[] =
    "experiment: base\nmodels: {m: /m, n: /n}\n"
    "tune:\n  brain: {models: [m], objective: brain}\n  random: {models: [m], objective: random}\n"
    "encode:\n  a: {models: [brain], delays: [1], cv: {chunk: 20, repeats: 3}}\n"
    "  b: {like: a, cv: {chunk: 10}}\n";

static void test_like_and_overrides(void **state)
{
    (void)state;
    bt_experiment experiment = {0};
    static char one[] = "encode.a.delays=[1,2]", two[] = "encode.b.models=random";
    char *const words[] = {one, two};
    expect_ok(read_words(base, 2, words, &experiment));
    expect_at(&experiment, "encode.b.cv.chunk", "10");
    expect_at(&experiment, "encode.b.cv.repeats", "3"); /* maps are joined */
    expect_at(&experiment, "encode.a.cv.chunk", "20");
    expect_at(&experiment, "encode.b.delays", "1,2"); /* an entry is like what the other became */
    expect_at(&experiment, "encode.b.models", "random");
    assert_null(bt_node_at(experiment.root, "encode.b.like"));
    bt_experiment_clear(&experiment);
}

static void test_extends_set_only(void **state)
{
    (void)state;
    bt_experiment experiment = {0};
    (void)test_write_text("base.yaml", base);
    expect_ok(read_words("extends: base.yaml\nexperiment: more\nonly: [tune.brain, encode.b]\n"
                         "set:\n  tune.brain.models: [n]\n  encode.a.cv.chunk: {each: [5, 6]}\n",
                         0, NULL, &experiment));
    expect_at(&experiment, "experiment", "more");
    expect_at(&experiment, "tune.brain.models", "n");
    assert_null(bt_node_at(experiment.root, "tune.random"));
    assert_true(bt_names_have(&experiment.left_out, "tune.random"));
    bt_experiment_clear(&experiment);
}

/* `only` leaves nothing that is needed behind: a base model that is tuned. */
static void test_only_keeps_bases(void **state)
{
    (void)state;
    bt_experiment experiment = {0};
    expect_ok(read_words("experiment: x\nmodels: {small: /m, base: {tuned: pretrain}}\n"
                         "tune: {pretrain: {models: [small]}, brain: {models: [base]}, random: {models: [base]}}\n"
                         "only: [tune.brain]\n",
                         0, NULL, &experiment));
    assert_non_null(bt_node_at(experiment.root, "tune.pretrain"));
    assert_null(bt_node_at(experiment.root, "tune.random"));
    bt_experiment_clear(&experiment);
}

static void test_presets(void **state)
{
    (void)state;
    bt_experiment experiment = {0};
    (void)test_write_text("own.yaml", "encode: {delays: [7], cv: {scheme: kfold}, unknown_yet: 1}\n");
    expect_ok(read_words("experiment: x\npreset: released-code\nencode:\n"
                         "  a: {models: [m], alphas: [1, 2], cv: {chunk: 5}}\n"
                         "  b: {models: [m], preset: own.yaml}\n"
                         "  c: {models: [m], preset: clean, features: {context: 2}, stories: lowlevel}\n",
                         0, NULL, &experiment));
    expect_at(&experiment, "encode.a.cv.scheme", "chunks");
    expect_at(&experiment, "encode.a.cv.chunk", "5");
    expect_at(&experiment, "encode.a.alphas", "1,2"); /* a list in place of the preset's logspace */
    assert_null(bt_node_at(experiment.root, "encode.a.alphas.logspace"));
    expect_at(&experiment, "encode.b.delays", "7");
    expect_at(&experiment, "encode.c.cv.scheme", "stories");
    expect_at(&experiment, "encode.c.features.window.context", "2"); /* the setting behind the other spelling */
    expect_at(&experiment, "encode.c.features.window.stride", "0.1");
    expect_at(&experiment, "encode.c.stories.encode", "lowlevel");
    expect_at(&experiment, "encode.c.stories.test", "test");
    const bt_node *const a = bt_node_at(experiment.root, "encode.a"), *const b =
                                                                          bt_node_at(experiment.root, "encode.b");
    assert_string_equal(bt_experiment_preset(&experiment, a), "released-code");
    assert_string_equal(bt_experiment_preset(&experiment, b), "own");
    assert_true(bt_experiment_is_preset(&experiment, bt_node_member(a, "zscore")->place));
    assert_false(bt_experiment_is_preset(&experiment, bt_node_member(a, "models")->place));
    bt_experiment_clear(&experiment);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } bad[] = {
        {"experiment: x\nencod: {}\n", "experiment.yaml:2:1: unknown key encod; did you mean encode?"},
        {"experiment: x\nextends: nowhere.yaml\n", "experiment.yaml:2:10: extends:"},
        {"experiment: x\nextends: experiment.yaml\n", "extends itself: a loop"},
        {"experiment: x\nextends: [a, b]\n", "expected one file"},
        {"tune: {a: {like: b}, b: {like: a}}\n", "experiment.yaml:1:32: like: tune.a is like itself: a loop"},
        {"tune: {brain: {models: [m]}, b: {like: brian}}\n", "there is no tune.brian; did you mean tune.brain?"},
        {"tune: {a: {like: enocde.x}}\n", "there is no such section"},
        {"tune: {a: {like: [x]}}\n", "like: expected the name"},
        {"tune: [1]\n", "tune: expected a map"},
        {"tune: {a: 3}\n", "a: expected a map"},
        {"tune: {brain: {}}\nset: {tune.brian.models: 1}\n", "experiment.yaml:2:7: there is no tune.brian"},
        {"tune: {brain: {}}\nset: {tun.brain.models: 1}\n", "unknown key tun; did you mean tune?"},
        {"tune: {brain: {}}\nonly: [tune.brian]\n", "experiment.yaml:2:7: there is no tune.brian"},
        {"tune: {brain: {}}\nonly: [probe]\n", "only: there is no section probe"},
        {"experiment: x\npreset: papre\n", "experiment.yaml:2:9: preset: there is no papre; there are clean, paper, "
                                           "released-code; did you mean paper?"},
        {"experiment: x\npreset: presets/mine.yaml\n", "mine.yaml is not there"},
        {"experiment: ${BT_NOT_SET}\n", "experiment.yaml:1:13: ${BT_NOT_SET}: this variable is not set"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        bt_experiment experiment = {0};
        expect_failure(read_words(bad[i].text, 0, NULL, &experiment), BT_ERR_USAGE, bad[i].part);
    }
    bt_experiment experiment = {0};
    static char bare[] = "tune.brain", typo[] = "tune.brian.epochs=3";
    char *const words[] = {bare, typo};
    expect_failure(read_words(base, 1, words, &experiment), BT_ERR_USAGE, "tune.brain: expected key.path=value");
    expect_failure(read_words(base, 1, words + 1, &experiment), BT_ERR_USAGE, "command line: there is no tune.brian");
}

/* A file that extends one that extends the first. */
static void test_long_loop(void **state)
{
    (void)state;
    bt_experiment experiment = {0};
    (void)test_write_text("one.yaml", "extends: two.yaml\n");
    (void)test_write_text("two.yaml", "extends: experiment.yaml\n");
    expect_failure(read_words("extends: one.yaml\n", 0, NULL, &experiment), BT_ERR_USAGE, "two.yaml:1:10: extends:");
}

/* The presets that come with the program are total: each fixes what the others fix. */
static void test_presets_are_total(void **state)
{
    (void)state;
    static const char *const names[] = {"released-code", "paper", "clean"};
    bt_region region = {0};
    bt_names keys[3] = {{0}}, values = {0}, files = {0};
    for (size_t i = 0; i < 3; ++i) {
        const bt_node *preset = NULL;
        expect_ok(bt_preset_read(&region, names[i], (bt_place){.file = "test"}, &files, &preset));
        expect_ok(bt_preset_settings(preset, &keys[i], &values));
        bt_names_sort(&keys[i]);
        for (size_t k = 1; k < keys[i].n; ++k) assert_string_not_equal(keys[i].items[k], keys[i].items[k - 1]);
    }
    for (size_t i = 1; i < 3; ++i)
        for (size_t k = 0; k < keys[0].n || k < keys[i].n; ++k) {
            assert_true(k < keys[0].n && k < keys[i].n);
            assert_string_equal(keys[i].items[k], keys[0].items[k]);
        }
    assert_true(keys[0].n > 80);
    for (size_t i = 0; i < 3; ++i) bt_names_clear(&keys[i]);
    bt_names_clear(&values);
    bt_names_clear(&files);
    bt_region_clear(&region);
}

static void test_preset_diff(void **state)
{
    (void)state;
    bt_text text = {0};
    expect_ok(bt_preset_diff("paper", "released-code", &text));
    assert_non_null(strstr(text.data, "tune.schedule.backbone"));
    assert_non_null(strstr(text.data, "tune.random.method"));
    assert_null(strstr(text.data, "encode.cv.scheme")); /* equal in both */
    bt_text_clear(&text);
    expect_ok(bt_preset_diff("clean", "clean", &text));
    assert_int_equal(strchr(text.data, '\n') - text.data + 1, (long)text.length); /* the head alone */
    bt_text_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_like_and_overrides, test_no_leak),
        cmocka_unit_test_teardown(test_extends_set_only, test_no_leak),
        cmocka_unit_test_teardown(test_only_keeps_bases, test_no_leak),
        cmocka_unit_test_teardown(test_presets, test_no_leak),
        cmocka_unit_test_teardown(test_refusals, test_no_leak),
        cmocka_unit_test_teardown(test_long_loop, test_no_leak),
        cmocka_unit_test_teardown(test_presets_are_total, test_no_leak),
        cmocka_unit_test_teardown(test_preset_diff, test_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
