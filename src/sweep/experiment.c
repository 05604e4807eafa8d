#include "sweep/experiment.h"

#include "base/memory.h"
#include "sweep/preset.h"
#include "sweep/sections.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file being read, and the one that extends it. */
typedef struct chain {
    const char *real;
    const struct chain *by;
} chain;

static bt_status check_loop(const char *real, const chain *files, bt_place place)
{
    for (const chain *file = files; file; file = file->by)
        if (!strcmp(file->real, real)) return bt_place_fail(place, "extends: %s extends itself: a loop", real);
    return BT_OK;
}

static bt_status check_sections(const bt_node *root)
{
    for (size_t i = 0; i < root->n; ++i)
        if (!bt_section_is_known(root->members[i].key))
            return bt_section_unknown(root->members[i].place, root->members[i].key);
    return BT_OK;
}

/* set: {dotted.path: value} */
static bt_status apply_set(bt_region *region, const bt_node *set, const bt_node **root)
{
    bt_status status = BT_OK;
    BT_TRY(bt_node_need_map(set, "set"));
    for (size_t i = 0; set && i < set->n; ++i) {
        BT_TRY(bt_section_check_path(*root, set->members[i].place, set->members[i].key));
        BT_TRY(bt_tree_put(region, *root, set->members[i].key, set->members[i].value, root));
    }
cleanup:
    return status;
}

static bt_status check_only(const bt_node *root, const bt_node *only, const bt_names *kept)
{
    for (size_t i = 0; i < kept->n; ++i) {
        const char *const dot = strchr(kept->items[i], '.');
        const bt_status status = bt_section_check_path(root, only->place, kept->items[i]);
        if (status != BT_OK) return status;
        if (!dot && !bt_node_get(root, kept->items[i]))
            return bt_place_fail(only->place, "only: there is no section %s", kept->items[i]);
    }
    return BT_OK;
}

/* Tuned models that stand for base models are needed whatever `only` says. */
static bt_status keep_bases(bt_region *region, const bt_node *root, bt_names *kept)
{
    bt_status status = BT_OK;
    const bt_node *const models = bt_node_get(root, "models");
    for (size_t i = 0; models && models->kind == BT_NODE_MAP && i < models->n; ++i) {
        const bt_node *const tuned = bt_node_get(models->members[i].value, "tuned");
        char *name = NULL;
        if (!tuned || tuned->kind != BT_NODE_TEXT) continue;
        BT_TAKE(name, bt_region_print(region, "tune.%s", tuned->text));
        BT_TRY(bt_names_add(kept, name));
    }
cleanup:
    return status;
}

static bt_status drop_entries(bt_region *region, const char *section, const bt_names *kept, const bt_node **root,
                              bt_names *left_out)
{
    bt_status status = BT_OK;
    const bt_node *const entries = bt_node_get(*root, section);
    if (!entries || bt_names_have(kept, section)) return BT_OK;
    for (size_t i = 0; i < entries->n && entries->kind == BT_NODE_MAP && bt_section_is_named(section); ++i) {
        char *path = NULL;
        BT_TAKE(path, bt_region_print(region, "%s.%s", section, entries->members[i].key));
        if (bt_names_have(kept, path)) continue;
        BT_TRY(bt_names_add(left_out, path));
        BT_TRY(bt_tree_put(region, *root, path, NULL, root));
    }
    if (!bt_section_is_named(section)) {
        BT_TRY(bt_names_add(left_out, section));
        BT_TRY(bt_tree_put(region, *root, section, NULL, root));
    }
cleanup:
    return status;
}

/* After entries are copied, so that what they were copied from may go. */
static bt_status apply_only(bt_region *region, const bt_node **root, bt_names *left_out)
{
    bt_status status = BT_OK;
    bt_names kept = {0};
    const bt_node *const only = bt_node_get(*root, "only");
    if (!only) return BT_OK;
    BT_TRY(bt_node_names(only, "only", &kept));
    BT_TRY(check_only(*root, only, &kept));
    BT_TRY(keep_bases(region, *root, &kept));
    for (size_t i = 0; bt_section_optional(i); ++i)
        BT_TRY(drop_entries(region, bt_section_optional(i), &kept, root, left_out));
    BT_TRY(bt_tree_put(region, *root, "only", NULL, root));
cleanup:
    bt_names_clear(&kept);
    return status;
}

/* Before entries are copied, so that copies follow. */
static bt_status apply_layer(bt_region *region, const bt_node *file, const bt_node **root)
{
    bt_status status = BT_OK;
    BT_TRY(bt_tree_put(region, *root, "extends", NULL, root));
    BT_TRY(bt_tree_put(region, *root, "set", NULL, root));
    BT_TRY(check_sections(*root));
    BT_TRY(apply_set(region, bt_node_get(file, "set"), root));
cleanup:
    return status;
}

static bt_status read_layers(bt_region *region, const char *path, const chain *above, bt_place from, bt_names *files,
                             bool is_experiment, const bt_node **out)
{
    bt_status status = BT_OK;
    char real[PATH_MAX];
    const bt_node *file = NULL, *below = NULL;
    char *base = NULL;
    if (!realpath(path, real)) (void)snprintf(real, sizeof real, "%s", path);
    const chain here = {real, above};
    BT_TRY(check_loop(real, above, from));
    BT_TRY(bt_tree_read(region, path, &file));
    if (files) BT_TRY(bt_names_add(files, path));
    const bt_node *extends = bt_node_get(file, "extends");
    if (extends) {
        BT_TRY(bt_tree_fill(region, extends, &extends));
        if (extends->kind != BT_NODE_TEXT) BT_TRY(bt_place_fail(extends->place, "extends: expected one file"));
        BT_TAKE(base, bt_place_path(region, extends->place, extends->text));
        status = read_layers(region, base, &here, extends->place, files, is_experiment, &below);
        if (status == BT_ERR_USAGE && !bt_path_exists(base))
            status = bt_place_fail(extends->place, "extends: %s is not there", base);
        BT_TRY(status);
    }
    BT_TRY(bt_tree_join(region, below, file, out));
    if (is_experiment) BT_TRY(apply_layer(region, file, out));
cleanup:
    return status;
}

bt_status bt_experiment_layers(bt_region *region, const char *path, bt_names *files, const bt_node **out)
{
    bt_status status = read_layers(region, path, NULL, (bt_place){.file = path}, files, false, out);
    if (status == BT_OK) status = bt_tree_put(region, *out, "extends", NULL, out);
    return status;
}

static bt_status apply_word(bt_region *region, const char *word, const bt_node **root)
{
    bt_status status = BT_OK;
    const bt_place place = {.file = "command line"};
    const char *const equals = strchr(word, '=');
    const bt_node *value = NULL;
    char *path = NULL;
    if (!equals || equals == word)
        return bt_place_fail(place, "%s: expected key.path=value, which replaces a key of the experiment", word);
    BT_TAKE(path, bt_region_print(region, "%.*s", (int)(equals - word), word));
    BT_TRY(bt_section_check_path(*root, place, path));
    BT_TRY(bt_tree_value(region, equals + 1, &value));
    BT_TRY(bt_tree_put(region, *root, path, value, root));
cleanup:
    return status;
}

/* --- like ------------------------------------------------------------------------------------------------------------
 */

static bt_status find_entry(const bt_node *root, const char *section, const bt_node *like, const char **found_section,
                            const char **name)
{
    if (like->kind != BT_NODE_TEXT) return bt_place_fail(like->place, "like: expected the name of an entry");
    const char *const dot = strchr(like->text, '.');
    *found_section = section;
    *name = like->text;
    if (dot && !bt_node_get(bt_node_get(root, section), like->text)) {
        *found_section = bt_section_of_path(like->text);
        *name = dot + 1;
        if (!*found_section) return bt_place_fail(like->place, "like: %s: there is no such section", like->text);
    }
    if (bt_node_get(bt_node_get(root, *found_section), *name)) return BT_OK;
    return bt_section_no_entry(root, like->place, *found_section, *name);
}

/* A copied entry: where it was taken from, and who asked. */
typedef struct link {
    const char *section, *name;
    const struct link *from;
} link;

static bt_status resolve_like(bt_region *region, const bt_node *root, const link *here, const bt_node **out)
{
    bt_status status = BT_OK;
    const bt_node *const entry = bt_node_get(bt_node_get(root, here->section), here->name);
    const bt_node *const like = bt_node_get(entry, "like"), *below = NULL;
    link there = {.from = here};
    *out = entry;
    if (!like) return BT_OK;
    BT_TRY(find_entry(root, here->section, like, &there.section, &there.name));
    for (const link *at = here; at; at = at->from)
        if (!strcmp(at->section, there.section) && !strcmp(at->name, there.name))
            return bt_place_fail(like->place, "like: %s.%s is like itself: a loop", there.section, there.name);
    BT_TRY(resolve_like(region, root, &there, &below));
    BT_TRY(bt_tree_join(region, below, entry, out));
    BT_TRY(bt_tree_put(region, *out, "like", NULL, out));
cleanup:
    return status;
}

static bt_status apply_like(bt_region *region, const bt_node **root)
{
    bt_status status = BT_OK;
    const bt_node *const written = *root;
    for (size_t s = 0; bt_section_optional(s); ++s) {
        const char *const section = bt_section_optional(s);
        const bt_node *const entries = bt_node_get(written, section), *made = entries;
        if (!entries || !bt_section_is_named(section)) continue;
        BT_TRY(bt_node_need_map(entries, section));
        for (size_t i = 0; i < entries->n; ++i) {
            const link here = {section, entries->members[i].key, NULL};
            const bt_node *entry = NULL;
            BT_TRY(bt_node_need_map(entries->members[i].value, here.name));
            BT_TRY(resolve_like(region, written, &here, &entry));
            BT_TRY(bt_tree_put(region, made, here.name, entry, &made));
        }
        BT_TRY(bt_tree_put(region, *root, section, made, root));
    }
cleanup:
    return status;
}

/* --- other spellings -------------------------------------------------------------------------------------------------
 */

/* Where a section reads better with them; plain: only where the value is no map. */
static const struct {
    const char *stage, *key, *setting;
    bool plain;
} aliases[] = {
    {"encode", "alphas.penalty", "penalty", false}, {"encode", "stories", "stories.encode", true},
    {"tune", "stories", "stories.tune", true},      {"features", "context", "window.context", false},
    {"features", "stride", "window.stride", false},
};

/* The map at `path` with a stage's settings under their own names. */
static bt_status rename_keys(bt_experiment *out, const char *stage, const char *path)
{
    bt_status status = BT_OK;
    const bt_node *entry = bt_node_at(out->root, path);
    if (!entry || entry->kind != BT_NODE_MAP) return BT_OK;
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; ++i) {
        if (strcmp(aliases[i].stage, stage) != 0) continue;
        const bt_node *const value = bt_node_at(entry, aliases[i].key);
        if (!value || (aliases[i].plain && value->kind == BT_NODE_MAP && !bt_node_get(value, "each"))) continue;
        BT_TRY(bt_tree_put(&out->region, entry, aliases[i].key, NULL, &entry));
        BT_TRY(bt_tree_put(&out->region, entry, aliases[i].setting, value, &entry));
    }
    BT_TRY(bt_tree_put(&out->region, out->root, path, entry, &out->root));
cleanup:
    return status;
}

/* Entries of lowlevel are encodings whose `remove` lists what is taken out, in turn; it makes room for the settings of
 * that name. */
static bt_status rename_removed(bt_experiment *out, const char *path)
{
    bt_status status = BT_OK;
    const bt_node *entry = bt_node_at(out->root, path);
    const bt_node *const remove = bt_node_get(entry, "remove");
    if (!remove || remove->kind == BT_NODE_MAP) return BT_OK;
    BT_TRY(bt_tree_put(&out->region, entry, "remove", NULL, &entry));
    BT_TRY(bt_tree_put(&out->region, entry, "removed", remove, &entry));
    BT_TRY(bt_tree_put(&out->region, out->root, path, entry, &out->root));
cleanup:
    return status;
}

/* --- presets ---------------------------------------------------------------------------------------------------------
 */

const char *bt_experiment_preset(const bt_experiment *experiment, const bt_node *entry)
{
    const bt_node *named = bt_node_get(entry, "preset");
    if (!named) named = bt_node_get(experiment->root, "preset");
    return named && named->kind == BT_NODE_TEXT && *named->text ? bt_preset_name(named->text) : "clean";
}

bool bt_experiment_is_preset(const bt_experiment *experiment, bt_place place)
{
    return bt_names_have(&experiment->presets, place.file);
}

/* One that was read before comes from memory. */
static bt_status recall_preset(bt_experiment *out, const char *name, bt_place place, const bt_node **preset)
{
    bt_status status = BT_OK;
    const char *key = NULL;
    BT_TAKE(key, bt_region_print(&out->region, "%s %s", place.file, name));
    for (size_t i = 0; i < out->named.n; ++i)
        if (!strcmp(out->named.items[i], key)) {
            *preset = out->read[i];
            return BT_OK;
        }
    if (out->named.n == BT_MOST_PRESETS)
        return bt_place_fail(place, "preset: more than %d in one experiment", BT_MOST_PRESETS);
    BT_TRY(bt_preset_read(&out->region, name, place, &out->presets, preset));
    out->read[out->named.n] = *preset;
    BT_TRY(bt_names_add(&out->named, key));
cleanup:
    return status;
}

/* The preset that an entry names, else the experiment's. */
static bt_status read_preset(bt_experiment *out, const bt_node *entry, const bt_node **preset)
{
    bt_status status = BT_OK;
    const bt_node *named = bt_node_get(entry, "preset");
    const bt_place nowhere = {.file = "braintune"};
    if (!named) named = bt_node_get(out->root, "preset");
    if (!named) return recall_preset(out, "clean", nowhere, preset);
    if (named->kind != BT_NODE_TEXT) return bt_place_fail(named->place, "preset: expected one name");
    BT_TRY(bt_tree_fill(&out->region, named, &named));
    BT_TRY(recall_preset(out, named->text, named->place, preset));
cleanup:
    return status;
}

/* What the preset has at `block` ("encode") below the map at `path`; `entry` says which preset. */
static bt_status put_below(bt_experiment *out, const bt_node *entry, const char *block, const char *path)
{
    bt_status status = BT_OK;
    const bt_node *preset = NULL, *joined = NULL;
    const bt_node *const own = bt_node_at(out->root, path);
    BT_TRY(read_preset(out, entry, &preset));
    const bt_node *const below = bt_node_at(preset, block);
    if (!below) return BT_OK;
    BT_TRY(bt_node_need_map(own, path));
    BT_TRY(bt_tree_join(&out->region, below, own ? own : below, &joined));
    BT_TRY(bt_tree_put(&out->region, out->root, path, joined, &out->root));
cleanup:
    return status;
}

static bt_status preset_entries(bt_experiment *out, const char *section)
{
    bt_status status = BT_OK;
    const bool removes = !strcmp(section, "lowlevel");
    const char *const stage = removes ? "encode" : section;
    const bt_node *const entries = bt_node_get(out->root, section);
    char *path = NULL;
    for (size_t i = 0; entries && i < entries->n; ++i) {
        const bt_node *const entry = entries->members[i].value;
        BT_TAKE(path, bt_region_print(&out->region, "%s.%s", section, entries->members[i].key));
        BT_TRY(rename_keys(out, stage, path));
        if (removes) BT_TRY(rename_removed(out, path));
        if (removes) BT_TRY(put_below(out, entry, "lowlevel.removal", path));
        BT_TRY(put_below(out, entry, stage, path));
        BT_TAKE(path, bt_region_print(&out->region, "%s.features", path));
        if (strcmp(stage, "encode") != 0 || !bt_node_get(entry, "features")) continue;
        BT_TRY(rename_keys(out, "features", path));
        BT_TRY(put_below(out, entry, "features", path));
    }
cleanup:
    return status;
}

bt_status bt_experiment_block(bt_experiment *experiment, const bt_node *entry, const char *block, const bt_node **out)
{
    bt_status status = BT_OK;
    const bt_node *preset = NULL;
    BT_TRY(read_preset(experiment, entry, &preset));
    *out = bt_node_get(preset, block);
cleanup:
    return status;
}

/* Each of the list `figures`. */
static bt_status preset_figures(bt_experiment *out)
{
    bt_status status = BT_OK;
    bt_node *list = NULL;
    const bt_node *preset = NULL;
    const bt_node *const written = bt_node_get(out->root, "figures");
    if (!written || written->kind != BT_NODE_LIST) return BT_OK;
    BT_TRY(read_preset(out, NULL, &preset));
    const bt_node *const below = bt_node_get(preset, "figures");
    BT_TAKE(list, bt_region_take(&out->region, 1, sizeof *list));
    *list = *written;
    BT_TAKE(list->items, bt_region_take(&out->region, written->n, sizeof *list->items));
    for (size_t i = 0; i < written->n; ++i)
        BT_TRY(bt_tree_join(&out->region, below, written->items[i], &list->items[i]));
    BT_TRY(bt_tree_put(&out->region, out->root, "figures", list, &out->root));
cleanup:
    return status;
}

static bt_status apply_presets(bt_experiment *out)
{
    bt_status status = BT_OK;
    BT_TRY(preset_entries(out, "tune"));
    BT_TRY(preset_entries(out, "encode"));
    BT_TRY(preset_entries(out, "lowlevel"));
    BT_TRY(rename_keys(out, "features", "features"));
    BT_TRY(put_below(out, NULL, "features", "features"));
    BT_TRY(put_below(out, NULL, "collect", "collect"));
    BT_TRY(preset_figures(out));
    if (bt_node_get(out->root, "ceiling")) BT_TRY(put_below(out, NULL, "ceiling", "ceiling"));
cleanup:
    return status;
}

bt_status bt_experiment_read(const char *path, size_t n_word, char *const *words, bt_experiment *out)
{
    bt_status status = BT_OK;
    *out = (bt_experiment){0};
    BT_TAKE(out->file, bt_region_text(&out->region, path));
    BT_TRY(read_layers(&out->region, path, NULL, (bt_place){.file = path}, NULL, true, &out->root));
    for (size_t i = 0; i < n_word; ++i) BT_TRY(apply_word(&out->region, words[i], &out->root));
    BT_TRY(apply_like(&out->region, &out->root));
    BT_TRY(apply_only(&out->region, &out->root, &out->left_out));
    BT_TRY(apply_presets(out));
    BT_TRY(bt_tree_fill(&out->region, out->root, &out->root));
cleanup:
    if (status != BT_OK) bt_experiment_clear(out);
    return status;
}

void bt_experiment_clear(bt_experiment *experiment)
{
    bt_names_clear(&experiment->left_out);
    bt_names_clear(&experiment->presets);
    bt_names_clear(&experiment->named);
    bt_region_clear(&experiment->region);
    *experiment = (bt_experiment){0};
}
