#include "store/recipe.h"

#include "base/memory.h"
#include "io/json.h"
#include "store/artefact.h"
#include "store/digest.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char *key, *value;
} pair;

typedef struct {
    size_t n, capacity;
    pair *items;
} pairs;

struct bt_recipe {
    char *stage;
    int version;
    pairs settings, inputs;
};

static void clear_pairs(pairs *list)
{
    for (size_t i = 0; i < list->n; ++i) {
        bt_free(list->items[i].key);
        bt_free(list->items[i].value);
    }
    bt_free(list->items);
    *list = (pairs){0};
}

/* A key that is there gets the new value. */
static bt_status put(pairs *list, const char *key, const char *value)
{
    bt_status status = BT_OK;
    pair added = {bt_strdup(key), bt_strdup(value)};
    if (!added.key || !added.value) BT_TRY(BT_ERR_MEMORY);
    size_t at = 0;
    while (at < list->n && strcmp(list->items[at].key, key) != 0) ++at;
    if (at == list->n) {
        BT_GROW(list->items, list->n, list->capacity);
        ++list->n;
    }
    const pair replaced = list->items[at];
    list->items[at] = added;
    added = replaced;
cleanup:
    bt_free(added.key);
    bt_free(added.value);
    return status;
}

bt_status bt_recipe_create(const char *stage, int version, bt_recipe **out)
{
    bt_status status = BT_OK;
    bt_recipe *recipe = NULL;
    *out = NULL;
    BT_ALLOC(recipe, 1);
    recipe->version = version;
    recipe->stage = bt_strdup(stage);
    if (!recipe->stage) BT_TRY(BT_ERR_MEMORY);
    *out = recipe;
    recipe = NULL;
cleanup:
    bt_recipe_destroy(&recipe);
    return status;
}

void bt_recipe_destroy(bt_recipe **recipe)
{
    if (!recipe || !*recipe) return;
    clear_pairs(&(*recipe)->settings);
    clear_pairs(&(*recipe)->inputs);
    bt_free((*recipe)->stage);
    bt_free(*recipe);
    *recipe = NULL;
}

const char *bt_recipe_stage(const bt_recipe *recipe)
{
    return recipe->stage;
}

bt_status bt_recipe_setting(bt_recipe *recipe, const char *key, const char *canonical)
{
    return put(&recipe->settings, key, canonical);
}

static bt_status visit_setting(void *context, const bt_setting *setting, const char *text)
{
    if (setting->flags & BT_PATHS) return BT_OK;
    return bt_recipe_setting(context, setting->key, text);
}

bt_status bt_recipe_settings(bt_recipe *recipe, const bt_settings *settings)
{
    return bt_settings_visit(settings, BT_SCIENCE, visit_setting, recipe);
}

bt_status bt_recipe_input(bt_recipe *recipe, const char *name, const char *path, const char *store)
{
    bt_status status = BT_OK;
    char digest[BT_DIGEST_SIZE];
    char *json = NULL;
    if (bt_path_exists(path)) BT_TRY(bt_artefact_recipe_of(path, &json));
    if (json)
        bt_digest_bytes(json, strlen(json), digest);
    else if (bt_path_is_directory(path))
        BT_TRY(bt_digest_folder(path, store, digest));
    else
        BT_TRY(bt_digest_file(path, store, digest));
    BT_TRY(put(&recipe->inputs, name, digest));
cleanup:
    bt_free(json);
    return status;
}

static int compare_pairs(const void *a, const void *b)
{
    const pair *const left = a, *const right = b;
    return strcmp(left->key, right->key);
}

static bt_status add_pairs(bt_text *out, const char *name, const pairs *list)
{
    bt_status status = BT_OK;
    pair *sorted = NULL;
    BT_ALLOC(sorted, list->n);
    if (list->n) {
        memcpy(sorted, list->items, list->n * sizeof *sorted);
        qsort(sorted, list->n, sizeof *sorted, compare_pairs);
    }
    BT_TRY(bt_text_add(out, "\"%s\": {", name));
    for (size_t i = 0; i < list->n; ++i) {
        if (i) BT_TRY(bt_text_add(out, ", "));
        BT_TRY(bt_json_quote(out, sorted[i].key));
        BT_TRY(bt_text_add(out, ": "));
        BT_TRY(bt_json_quote(out, sorted[i].value));
    }
    BT_TRY(bt_text_add(out, "}"));
cleanup:
    bt_free(sorted);
    return status;
}

bt_status bt_recipe_json(const bt_recipe *recipe, bt_text *out)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(out, "{"));
    BT_TRY(add_pairs(out, "inputs", &recipe->inputs));
    BT_TRY(bt_text_add(out, ", "));
    BT_TRY(add_pairs(out, "settings", &recipe->settings));
    BT_TRY(bt_text_add(out, ", \"stage\": "));
    BT_TRY(bt_json_quote(out, recipe->stage));
    BT_TRY(bt_text_add(out, ", \"version\": %d}", recipe->version));
cleanup:
    return status;
}

bt_status bt_recipe_digest(const bt_recipe *recipe, char digest[33])
{
    bt_text json = {0};
    const bt_status status = bt_recipe_json(recipe, &json);
    if (status == BT_OK) bt_digest_bytes(json.data, json.length, digest);
    bt_text_clear(&json);
    return status;
}

bool bt_recipe_is_one(const char *text)
{
    json_t *const root = json_loads(text, 0, NULL);
    const bool is_one =
        json_is_string(json_object_get(root, "stage")) && json_is_integer(json_object_get(root, "version")) &&
        json_is_object(json_object_get(root, "settings")) && json_is_object(json_object_get(root, "inputs"));
    json_decref(root);
    return is_one;
}

static const char NOTHING[] = "none";

static const char *text_of(const json_t *value)
{
    const char *const text = json_string_value(value);
    return !text ? NOTHING : *text ? text : "empty";
}

static bt_status add_difference(bt_text *out, const char *key, const char *what, const char *here, const char *there)
{
    return bt_text_add(out, "%s%s (wanted %s%s, holds %s%s)", out->length ? ", " : "", key,
                       strcmp(here, NOTHING) ? what : "", here, strcmp(there, NOTHING) ? what : "", there);
}

/* The members of one object of both recipes, in the order of their keys, `what` before each value. */
static bt_status compare_members(bt_text *out, const json_t *here, const json_t *there, const char *what)
{
    bt_status status = BT_OK;
    bt_names keys = {0};
    const char *key;
    const json_t *sides[2] = {here, there};
    for (size_t side = 0; side < 2; ++side)
        for (void *at = json_object_iter((json_t *)(uintptr_t)sides[side]); at;
             at = json_object_iter_next((json_t *)(uintptr_t)sides[side], at)) {
            key = json_object_iter_key(at);
            if (!bt_names_have(&keys, key)) BT_TRY(bt_names_add(&keys, key));
        }
    bt_names_sort(&keys);
    for (size_t i = 0; i < keys.n; ++i) {
        const json_t *const a = json_object_get(here, keys.items[i]), *const b = json_object_get(there, keys.items[i]);
        if (!json_equal(a, b)) BT_TRY(add_difference(out, keys.items[i], what, text_of(a), text_of(b)));
    }
cleanup:
    bt_names_clear(&keys);
    return status;
}

bt_status bt_recipe_difference(const char *here, const char *there, bt_text *out)
{
    bt_status status = BT_OK;
    json_t *const a = json_loads(here, 0, NULL), *const b = json_loads(there, 0, NULL);
    BT_CHECK(a && b, BT_ERR_INPUT, "a recipe that is not JSON: %.80s", a ? there : here);
    const char *const stage_a = text_of(json_object_get(a, "stage")), *const stage_b =
                                                                          text_of(json_object_get(b, "stage"));
    if (strcmp(stage_a, stage_b) != 0) BT_TRY(add_difference(out, "stage", "", stage_a, stage_b));
    const long long version_a = json_integer_value(json_object_get(a, "version"));
    const long long version_b = json_integer_value(json_object_get(b, "version"));
    if (version_a != version_b)
        BT_TRY(bt_text_add(out, "%sversion (wanted %lld, holds %lld)", out->length ? ", " : "", version_a, version_b));
    BT_TRY(compare_members(out, json_object_get(a, "settings"), json_object_get(b, "settings"), ""));
    BT_TRY(compare_members(out, json_object_get(a, "inputs"), json_object_get(b, "inputs"), "content "));
cleanup:
    json_decref(a);
    json_decref(b);
    return status;
}
