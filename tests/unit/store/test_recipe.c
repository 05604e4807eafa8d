/* Recipes and digests: canonical text, known digests, annex keys, the cache, differences. */
#include "support.h"

#include "io/hdf5.h"
#include "store/artefact.h"
#include "store/digest.h"
#include "store/recipe.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void digests_are_xxh3_128(void **state)
{
    (void)state;
    char digest[BT_DIGEST_SIZE];
    bt_digest_bytes("", 0, digest); /* the published value of XXH128 of nothing with seed 0 */
    assert_string_equal(digest, "99aa06d3014798d86001c324468d497f");
    char whole[BT_DIGEST_SIZE];
    bt_digest_bytes("abc", 3, whole);
    expect_ok(bt_digest_file(test_write_text("abc", "abc"), NULL, digest));
    assert_string_equal(digest, whole);
}

static bt_recipe *example(const char *alpha, const char *first, const char *second)
{
    bt_recipe *recipe = NULL;
    expect_ok(bt_recipe_create("encode", 3, &recipe));
    expect_ok(bt_recipe_setting(recipe, first, alpha));
    expect_ok(bt_recipe_setting(recipe, second, alpha));
    return recipe;
}

static void json_is_canonical(void **state)
{
    (void)state;
    bt_text text = {0};
    char a[33], b[33];
    bt_recipe *recipe = example("1", "cv.scheme", "alpha"), *other = example("1", "alpha", "cv.scheme");
    expect_ok(bt_recipe_json(recipe, &text));
    assert_string_equal(text.data, "{\"inputs\": {}, \"settings\": {\"alpha\": \"1\", \"cv.scheme\": \"1\"}, "
                                   "\"stage\": \"encode\", \"version\": 3}");
    assert_true(bt_recipe_is_one(text.data));
    assert_false(bt_recipe_is_one("{\"stage\": \"soup\", \"onions\": 2}"));
    expect_ok(bt_recipe_digest(recipe, a));
    expect_ok(bt_recipe_digest(other, b));
    assert_string_equal(a, b);
    expect_ok(bt_recipe_setting(other, "alpha", "2"));
    expect_ok(bt_recipe_digest(other, b));
    assert_string_not_equal(a, b);
    bt_text_clear(&text);
    bt_recipe_destroy(&recipe);
    bt_recipe_destroy(&other);
}

static void differences_name_keys(void **state)
{
    (void)state;
    bt_text a = {0}, b = {0}, keys = {0};
    bt_recipe *here = example("1", "alpha", "beta"), *there = example("1", "alpha", "gamma");
    expect_ok(bt_recipe_setting(there, "alpha", "7"));
    expect_ok(bt_recipe_json(here, &a));
    expect_ok(bt_recipe_json(there, &b));
    expect_ok(bt_recipe_difference(a.data, b.data, &keys));
    assert_string_equal(keys.data,
                        "alpha (wanted 1, holds 7), beta (wanted 1, holds none), gamma (wanted none, holds 1)");
    bt_text_clear(&keys);
    expect_ok(bt_recipe_difference(a.data, a.data, &keys));
    assert_int_equal(keys.length, 0);
    bt_text_clear(&a);
    bt_text_clear(&b);
    bt_recipe_destroy(&here);
    bt_recipe_destroy(&there);
}

static void only_science_settings_count(void **state)
{
    (void)state;
    struct {
        int64_t alpha, threads;
        char *path;
    } options = {0};
    static const bt_setting table[] = {
        {"alpha", BT_SET_INT, 0, BT_SCIENCE, "5", NULL, 0, 0, NULL, "-"},
        {"threads", BT_SET_INT, sizeof(int64_t), 0, "2", NULL, 0, 0, NULL, "-"},
        {"model", BT_SET_TEXT, 2 * sizeof(int64_t), BT_SCIENCE | BT_PATHS, "here", NULL, 0, 0, NULL, "-"},
    };
    bt_settings settings = {0};
    bt_recipe *recipe = NULL;
    bt_text text = {0};
    bt_settings_add(&settings, table, 3, &options);
    expect_ok(bt_settings_parse(&settings, 0, NULL));
    expect_ok(bt_recipe_create("s", 1, &recipe));
    expect_ok(bt_recipe_settings(recipe, &settings));
    expect_ok(bt_recipe_json(recipe, &text));
    assert_string_equal(text.data,
                        "{\"inputs\": {}, \"settings\": {\"alpha\": \"5\"}, \"stage\": \"s\", \"version\": 1}");
    bt_text_clear(&text);
    bt_settings_clear(&settings);
    bt_recipe_destroy(&recipe);
}

static void annexed_files_count_by_key(void **state)
{
    (void)state;
    char plain[BT_DIGEST_SIZE];
    char objects[4096], set[4096];
    (void)snprintf(objects, sizeof objects, "%s/set/.git/annex/objects/aa/bb", test_scratch());
    (void)snprintf(set, sizeof set, "%s/set", test_scratch());
    const char *const keys[] = {"MD5E-s3--0123456789abcdef.wav", "MD5-s3--0123456789abcdef", "URL-s3--abc"};
    char digests[3][BT_DIGEST_SIZE];
    for (size_t i = 0; i < 3; ++i) {
        expect_ok(bt_path_make(test_path(objects, keys[i])));
        FILE *const file = fopen(test_path(test_path(objects, keys[i]), keys[i]), "w");
        assert_non_null(file);
        (void)fprintf(file, "content %zu", i);
        (void)fclose(file);
        const char *const link = test_path(set, keys[i]);
        assert_int_equal(symlink(test_path(test_path(objects, keys[i]), keys[i]), link), 0);
        expect_ok(bt_digest_file(link, NULL, digests[i]));
    }
    assert_string_equal(digests[0], digests[1]); /* the same hash, whatever the bytes */
    bt_digest_bytes("content 2", 9, plain);
    assert_string_equal(digests[2], plain); /* a URL key says nothing of the content */
}

enum { BIG = (1 << 20) + 7 };

static void write_big(const char *path, char fill)
{
    static char bytes[BIG];
    memset(bytes, fill, BIG);
    FILE *const file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, BIG, file), BIG);
    assert_int_equal(fclose(file), 0);
}

static void set_times(const char *path, time_t seconds)
{
    const struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static size_t count_entries(const char *folder)
{
    bt_names names = {0};
    if (bt_path_exists(folder)) expect_ok(bt_path_list(folder, &names));
    const size_t n = names.n;
    bt_names_clear(&names);
    return n;
}

static void big_files_are_remembered_until_they_change(void **state)
{
    (void)state;
    char first[BT_DIGEST_SIZE], second[BT_DIGEST_SIZE];
    const char *const store = test_path(test_scratch(), "store-a"), *const big = test_path(test_scratch(), "big");
    write_big(big, 'a');
    expect_ok(bt_digest_file(big, store, first));
    assert_int_equal(count_entries(test_path(store, "digests")), 0); /* just written: not yet remembered */
    set_times(big, time(NULL) - 100);
    expect_ok(bt_digest_file(big, store, first));
    assert_int_equal(count_entries(test_path(store, "digests")), 1);
    /* a poisoned entry shows that the cache is read */
    bt_names names = {0};
    expect_ok(bt_path_list(test_path(store, "digests"), &names));
    FILE *const entry = fopen(test_path(test_path(store, "digests"), names.items[0]), "r+");
    assert_non_null(entry);
    assert_int_equal(fseek(entry, -33, SEEK_END), 0);
    (void)fputs("00000000000000000000000000000000", entry);
    (void)fclose(entry);
    bt_names_clear(&names);
    expect_ok(bt_digest_file(big, store, second));
    assert_string_equal(second, "00000000000000000000000000000000");
    /* same size and mtime, other bytes */
    write_big(big, 'b');
    set_times(big, time(NULL) - 100);
    expect_ok(bt_digest_file(big, store, second));
    assert_string_not_equal(first, second);
    assert_string_not_equal(second, "00000000000000000000000000000000");
}

static void folders_count_by_content(void **state)
{
    (void)state;
    char first[BT_DIGEST_SIZE], second[BT_DIGEST_SIZE];
    expect_ok(bt_path_make(test_path(test_scratch(), "model/sub")));
    (void)test_write_text("model/a", "1");
    (void)test_write_text("model/sub/b", "2");
    const char *const model = test_path(test_scratch(), "model");
    expect_ok(bt_digest_folder(model, NULL, first));
    (void)test_write_text("model/a.run.json", "{}");
    (void)test_write_text("model/.hidden", "x");
    expect_ok(bt_digest_folder(model, NULL, second));
    assert_string_equal(first, second);
    (void)test_write_text("model/sub/b", "3");
    expect_ok(bt_digest_folder(model, NULL, second));
    assert_string_not_equal(first, second);
    assert_int_equal(symlink(".", test_path(model, "loop")), 0);
    expect_failure(bt_digest_folder(model, NULL, second), BT_ERR_INPUT, "folders deep");
}

static void inputs_of_ours_count_by_recipe(void **state)
{
    (void)state;
    bt_h5 *file = NULL;
    bt_recipe *recipe = example("1", "a", "b"), *user = NULL;
    bt_text json = {0}, with = {0};
    char digest[33];
    const char *const path = test_path(test_scratch(), "ours.h5");
    expect_ok(bt_recipe_json(recipe, &json));
    expect_ok(bt_recipe_digest(recipe, digest));
    expect_ok(bt_h5_create(path, &file));
    expect_ok(bt_h5_set_text(file, "/", "recipe", json.data));
    expect_ok(bt_h5_close(&file));
    expect_ok(bt_recipe_create("user", 1, &user));
    expect_ok(bt_recipe_input(user, "features", path, NULL));
    expect_ok(bt_recipe_json(user, &with));
    assert_non_null(strstr(with.data, digest));
    expect_failure(bt_recipe_input(user, "x", test_path(test_scratch(), "nothing.wav"), NULL), BT_ERR_INPUT,
                   "nothing.wav");
    bt_text_clear(&json);
    bt_text_clear(&with);
    bt_recipe_destroy(&user);
    bt_recipe_destroy(&recipe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_xxh3_128),       cmocka_unit_test(json_is_canonical),
        cmocka_unit_test(differences_name_keys),      cmocka_unit_test(only_science_settings_count),
        cmocka_unit_test(annexed_files_count_by_key), cmocka_unit_test(big_files_are_remembered_until_they_change),
        cmocka_unit_test(folders_count_by_content),   cmocka_unit_test(inputs_of_ours_count_by_recipe),
    };
    return cmocka_run_group_tests(tests, NULL, test_no_leak);
}
