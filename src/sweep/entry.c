#include "sweep/entry.h"

#include "base/installed.h"
#include "base/memory.h"
#include "sweep/data.h"

#include <string.h>

/* One leaf on its way into a draft. */
typedef struct {
    const bt_entry *entry;
    bt_draft *draft;
    bt_entry_part part;
} putting;

static bool is_own(const bt_entry *entry, const char *key)
{
    for (size_t i = 0; entry->own && entry->own[i]; ++i)
        if (!strcmp(entry->own[i], key)) return true;
    return false;
}

static bt_status unknown_key(const putting *p, const char *key, bt_place place)
{
    enum { MOST = 256 };
    const char *keys[MOST];
    size_t n = 0;
    for (size_t i = 0; p->entry->own && p->entry->own[i] && n < MOST; ++i) keys[n++] = p->entry->own[i];
    for (size_t i = 0; i < p->draft->stage->n_setting && n < MOST; ++i) keys[n++] = p->draft->stage->table[i].key;
    const char *const nearest = bt_nearest(key, keys, n);
    return bt_place_fail(place, "%s.%s: unknown key%s%s%s", p->entry->section, key, nearest ? "; did you mean " : "",
                         nearest ? nearest : "", nearest ? "?" : "");
}

static bool takes_list(const bt_setting *setting)
{
    return setting->type == BT_SET_INTS || setting->type == BT_SET_REALS || setting->type == BT_SET_TEXTS;
}

static bt_status put_text(const putting *p, const char *key, const char *text, bt_place place)
{
    const bool is_default = p->part == BT_ENTRY_PRESET || p->part == BT_ENTRY_DEFAULTS;
    return is_default ? bt_draft_default(p->draft, key, text, place) : bt_draft_put(p->draft, key, text, place);
}

/* "encode.alignment.stories.test", for messages. */
static char *path_of(const putting *p, const char *key)
{
    return bt_region_print(&p->entry->experiment->region, "%s.%s", p->entry->section, key);
}

static bt_status put_stories(const putting *p, const char *key, const bt_node *value)
{
    bt_status status = BT_OK;
    bt_names stories = {0};
    bt_text text = {0};
    bool left_out = false;
    const char *path = NULL;
    BT_TAKE(path, path_of(p, key));
    BT_TRY(bt_data_stories(p->entry->data, value, path, p->entry->subject, &stories, &left_out));
    BT_TRY(bt_names_join(&stories, &text));
    BT_TRY(put_text(p, key, text.data, value->place));
cleanup:
    bt_names_clear(&stories);
    bt_text_clear(&text);
    return status;
}

static const char SUBJECT[] = "{subject}";

/* Files of several subjects keep {subject} in the setting, and count by all of them. */
static bt_status put_path(const putting *p, const char *key, const char *text, bt_place place)
{
    bt_status status = BT_OK;
    bt_text file = {0};
    char *path = NULL;
    const bt_names *const subjects = strstr(text, SUBJECT) ? p->entry->subjects : NULL;
    if (!*text) return BT_OK;
    BT_TAKE(path, bt_place_path(&p->entry->experiment->region, place, text));
    BT_TRY(put_text(p, key, path, place));
    for (size_t i = 0; i < (subjects ? subjects->n : 1) && status == BT_OK; ++i) {
        bt_text_clear(&file);
        BT_TRY(bt_text_add_filled(&file, path, SUBJECT, subjects ? subjects->items[i] : SUBJECT));
        status = bt_draft_file(p->draft, key, file.data);
    }
    if (status == BT_ERR_INPUT)
        (void)bt_fail_prefix(status, "%s: %s.%s", bt_place_text(&p->entry->experiment->region, place),
                             p->entry->section, key);
cleanup:
    bt_text_clear(&file);
    return status;
}

static bt_status put_value(const putting *p, const bt_setting *setting, const bt_node *value)
{
    bt_status status = BT_OK;
    bt_text joined = {0}, text = {0};
    const char *const key = setting->key;
    if (p->entry->data && setting->type == BT_SET_TEXTS && bt_starts_with(key, "stories."))
        return put_stories(p, key, value);
    if (value->kind == BT_NODE_LIST && !takes_list(setting))
        return bt_place_fail(value->place,
                             "%s.%s: one value is expected here, found a list; {each: [...]} makes a task of each "
                             "(bare lists do so for seeds, target, voxels.roi and remove only)",
                             p->entry->section, key);
    const char *path = NULL;
    BT_TAKE(path, path_of(p, key));
    BT_TRY(bt_node_join(value, path, &joined));
    BT_TRY(bt_text_add_filled(&text, joined.data, SUBJECT, p->entry->subject ? p->entry->subject : SUBJECT));
    if ((setting->flags & BT_PATHS) && setting->type == BT_SET_TEXT)
        BT_TRY(put_path(p, key, text.data, value->place));
    else
        BT_TRY(put_text(p, key, text.data, value->place));
cleanup:
    bt_text_clear(&joined);
    bt_text_clear(&text);
    return status;
}

static bt_status add_gap(const bt_entry *entry, const char *key, const char *why, bt_place place)
{
    bt_gap gap = {.stage = "", .section = entry->section, .label = key, .why = why};
    gap.where = bt_place_text(&entry->experiment->region, place);
    return gap.where ? bt_plan_add_gap(entry->plan, &gap) : BT_ERR_MEMORY;
}

static bt_status put_leaf(const putting *p, const char *key, const bt_member *member)
{
    const bt_node *const value = member->value;
    const bool preset = bt_experiment_is_preset(p->entry->experiment, member->place);
    const char *const stage = p->draft->stage->name;
    const bt_setting *const setting = bt_stage_setting(p->draft->stage, key);
    const bool some = p->part == BT_ENTRY_PRESET || p->part == BT_ENTRY_OWN;
    if (some && preset != (p->part == BT_ENTRY_PRESET)) return BT_OK;
    const char *const why = bt_not_built(stage, key, value->kind == BT_NODE_TEXT ? value->text : NULL);
    if (why) return preset ? BT_OK : add_gap(p->entry, key, why, member->place);
    if (setting) return put_value(p, setting, value);
    return preset ? BT_OK : unknown_key(p, key, member->place);
}

static bt_status put_map(const putting *p, const bt_node *map, const char *prefix)
{
    bt_status status = BT_OK;
    bt_text key = {0};
    for (size_t i = 0; i < map->n; ++i) {
        const bt_member *const member = &map->members[i];
        bt_text_clear(&key);
        BT_TRY(bt_text_add(&key, "%s%s%s", prefix, *prefix ? "." : "", member->key));
        if (is_own(p->entry, key.data)) continue;
        if (member->value->kind == BT_NODE_MAP && !bt_not_built(p->draft->stage->name, key.data, NULL))
            BT_TRY(put_map(p, member->value, key.data));
        else
            BT_TRY(put_leaf(p, key.data, member));
    }
cleanup:
    bt_text_clear(&key);
    return status;
}

bt_status bt_entry_put(const bt_entry *entry, const bt_node *settings, bt_entry_part part, bt_draft *draft)
{
    const putting p = {entry, draft, part};
    return settings ? put_map(&p, settings, "") : BT_OK;
}

bt_status bt_entry_file(bt_region *region, const bt_node *node, const char *installed, const char **path)
{
    bt_status status = BT_OK;
    char *found = NULL;
    BT_TAKE(*path, bt_place_path(region, node->place, node->text));
    if (bt_path_exists(*path)) return BT_OK;
    if (node->text[0] != '/') found = bt_installed_path(installed, node->text, "BRAINTUNE_EXPERIMENTS");
    if (!found) BT_TRY(bt_place_fail(node->place, "%s is not there", *path));
    BT_TAKE(*path, bt_region_text(region, found));
cleanup:
    bt_free(found);
    return status;
}

bt_status bt_entry_list(const bt_node *node, const char *key, const char *missing, bt_names *items)
{
    bt_status status = BT_OK;
    if (!node) return bt_names_add(items, missing);
    BT_TRY(bt_node_names(node, key, items));
    if (!items->n) status = bt_place_fail(node->place, "%s: the list is empty", key);
cleanup:
    return status;
}
