#include "sweep/preset.h"

#include "base/installed.h"
#include "base/memory.h"
#include "sweep/experiment.h"
#include "sweep/program.h"

#include <stdio.h>
#include <string.h>

static const char FOLDER[] = "experiments/presets";
static const char VARIABLE[] = "BRAINTUNE_PRESETS";

const char *bt_preset_name(const char *named)
{
    static _Thread_local char name[256];
    const char *const base = bt_path_base(named);
    const size_t length = strlen(base), tail = bt_ends_with(base, ".yaml") ? strlen(".yaml") : 0;
    (void)snprintf(name, sizeof name, "%.*s", (int)(length - tail), base);
    return name;
}

bt_status bt_preset_names(bt_names *names)
{
    bt_status status = BT_OK;
    bt_names files = {0};
    char *const clean = bt_installed_path(FOLDER, "clean.yaml", VARIABLE);
    char *folder = NULL;
    BT_CHECK(clean, BT_ERR_FILE, "%s: not found; set %s to that folder of braintune's source", FOLDER, VARIABLE);
    folder = bt_path_parent(clean);
    if (!folder) BT_TRY(BT_ERR_MEMORY);
    BT_TRY(bt_path_list(folder, &files));
    for (size_t i = 0; i < files.n; ++i)
        if (bt_ends_with(files.items[i], ".yaml")) BT_TRY(bt_names_add(names, bt_preset_name(files.items[i])));
cleanup:
    bt_free(clean);
    bt_free(folder);
    bt_names_clear(&files);
    return status;
}

static bt_status unknown_preset(const char *named, bt_place place)
{
    bt_status status = BT_OK;
    bt_names names = {0};
    bt_text list = {0};
    BT_TRY(bt_preset_names(&names));
    for (size_t i = 0; i < names.n; ++i) BT_TRY(bt_text_add(&list, "%s%s", i ? ", " : "", names.items[i]));
    const char *const nearest = bt_nearest(named, (const char *const *)names.items, names.n);
    status = bt_place_fail(place, "preset: there is no %s; there are %s%s%s%s", named, list.data,
                           nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
cleanup:
    bt_names_clear(&names);
    bt_text_clear(&list);
    return status;
}

static bt_status find(bt_region *region, const char *named, bt_place place, const char **path)
{
    bt_status status = BT_OK;
    char *file = NULL, *installed = NULL;
    const bool is_path = bt_ends_with(named, ".yaml") || strchr(named, '/');
    BT_TAKE(file, is_path ? bt_region_text(region, named) : bt_region_print(region, "presets/%s.yaml", named));
    BT_TAKE(*path, bt_place_path(region, place, file));
    if (bt_path_exists(*path)) goto cleanup;
    if (is_path) BT_TRY(bt_place_fail(place, "preset: %s is not there", *path));
    installed = bt_installed_path(FOLDER, bt_path_base(file), VARIABLE);
    if (!installed) BT_TRY(unknown_preset(named, place));
    BT_TAKE(*path, bt_region_text(region, installed));
cleanup:
    bt_free(installed);
    return status;
}

bt_status bt_preset_read(bt_region *region, const char *named, bt_place place, bt_names *files, const bt_node **out)
{
    bt_status status = BT_OK;
    const char *path = NULL;
    BT_TRY(find(region, named, place, &path));
    BT_TRY(bt_experiment_layers(region, path, files, out));
    for (size_t i = 0; i < (*out)->n; ++i) BT_TRY(bt_node_need_map((*out)->members[i].value, (*out)->members[i].key));
cleanup:
    return status;
}

static bt_status add_settings(const bt_node *map, const char *prefix, bt_names *keys, bt_names *values)
{
    bt_status status = BT_OK;
    bt_text key = {0}, value = {0};
    for (size_t i = 0; i < map->n; ++i) {
        const bt_member *const member = &map->members[i];
        bt_text_clear(&key);
        bt_text_clear(&value);
        BT_TRY(bt_text_add(&key, "%s%s%s", prefix, *prefix ? "." : "", member->key));
        if (member->value->kind == BT_NODE_MAP) {
            BT_TRY(add_settings(member->value, key.data, keys, values));
            continue;
        }
        BT_TRY(bt_node_join(member->value, key.data, &value));
        BT_TRY(bt_names_add(keys, key.data));
        BT_TRY(bt_names_add(values, value.data));
    }
cleanup:
    bt_text_clear(&key);
    bt_text_clear(&value);
    return status;
}

bt_status bt_preset_settings(const bt_node *preset, bt_names *keys, bt_names *values)
{
    return add_settings(preset, "", keys, values);
}

bt_status bt_preset_words(const char *named, const bt_stage *stage, bt_names *words)
{
    bt_status status = BT_OK;
    bt_region region = {0};
    bt_names files = {0}, keys = {0}, values = {0};
    bt_text word = {0};
    const bt_node *preset = NULL;
    BT_TRY(bt_preset_read(&region, named, (bt_place){.file = "command line"}, &files, &preset));
    if (bt_node_get(preset, stage->name)) BT_TRY(bt_preset_settings(bt_node_get(preset, stage->name), &keys, &values));
    for (size_t i = 0; i < keys.n; ++i) {
        if (!bt_stage_setting(stage, keys.items[i])) continue;
        bt_text_clear(&word);
        BT_TRY(bt_text_add(&word, "%s?=%s", keys.items[i], values.items[i]));
        BT_TRY(bt_names_add(words, word.data));
    }
cleanup:
    bt_text_clear(&word);
    bt_names_clear(&files);
    bt_names_clear(&keys);
    bt_names_clear(&values);
    bt_region_clear(&region);
    return status;
}

static const char *value_of(const bt_names *keys, const bt_names *values, const char *key)
{
    for (size_t i = 0; i < keys->n; ++i)
        if (!strcmp(keys->items[i], key)) return values->items[i];
    return "-";
}

static bt_status read_settings(bt_region *region, const char *name, bt_names *keys, bt_names *values)
{
    bt_status status = BT_OK;
    const bt_place place = {.file = "command line"};
    const bt_node *preset = NULL;
    bt_names files = {0};
    BT_TRY(bt_preset_read(region, name, place, &files, &preset));
    BT_TRY(bt_preset_settings(preset, keys, values));
cleanup:
    bt_names_clear(&files);
    return status;
}

bt_status bt_preset_diff(const char *a, const char *b, bt_text *out)
{
    enum { A, B };
    bt_status status = BT_OK;
    bt_region region = {0};
    bt_names keys[2] = {{0}}, values[2] = {{0}}, all = {0};
    BT_TRY(read_settings(&region, a, &keys[A], &values[A]));
    BT_TRY(read_settings(&region, b, &keys[B], &values[B]));
    BT_TRY(bt_names_copy(&keys[A], &all));
    for (size_t i = 0; i < keys[B].n; ++i)
        if (!bt_names_have(&all, keys[B].items[i])) BT_TRY(bt_names_add(&all, keys[B].items[i]));
    BT_TRY(bt_text_add(out, "%-32s %-34s ", "setting", bt_preset_name(a)));
    BT_TRY(bt_text_add(out, "%s\n", bt_preset_name(b)));
    for (size_t i = 0; i < all.n; ++i) {
        const char *const left = value_of(&keys[A], &values[A], all.items[i]);
        const char *const right = value_of(&keys[B], &values[B], all.items[i]);
        if (strcmp(left, right) != 0) BT_TRY(bt_text_add(out, "%-32s %-34s %s\n", all.items[i], left, right));
    }
cleanup:
    for (int i = 0; i < 2; ++i) {
        bt_names_clear(&keys[i]);
        bt_names_clear(&values[i]);
    }
    bt_names_clear(&all);
    bt_region_clear(&region);
    return status;
}
