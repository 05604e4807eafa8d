#include "sweep/tree.h"

#include "base/memory.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bt_status bt_place_fail(bt_place place, const char *format, ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (!place.line) return bt_fail(BT_ERR_USAGE, "%s: %s", place.file, text);
    return bt_fail(BT_ERR_USAGE, "%s:%zu:%zu: %s", place.file, place.line, place.column, text);
}

const char *bt_place_text(bt_region *region, bt_place place)
{
    if (!place.line) return place.file;
    return bt_region_print(region, "%s:%zu:%zu", place.file, place.line, place.column);
}

const bt_member *bt_node_member(const bt_node *map, const char *key)
{
    for (size_t i = 0; map && map->kind == BT_NODE_MAP && i < map->n; ++i)
        if (!strcmp(map->members[i].key, key)) return &map->members[i];
    return NULL;
}

const bt_node *bt_node_get(const bt_node *map, const char *key)
{
    const bt_member *const member = bt_node_member(map, key);
    return member ? member->value : NULL;
}

const bt_node *bt_node_at(const bt_node *map, const char *path)
{
    const bt_node *const whole = bt_node_get(map, path);
    if (whole) return whole;
    for (size_t i = 0; map && map->kind == BT_NODE_MAP && i < map->n; ++i) {
        const size_t length = strlen(map->members[i].key);
        if (strncmp(map->members[i].key, path, length) != 0 || path[length] != '.') continue;
        const bt_node *const found = bt_node_at(map->members[i].value, path + length + 1);
        if (found) return found;
    }
    return NULL;
}

bool bt_node_is(const bt_node *node, const char *text)
{
    return node && node->kind == BT_NODE_TEXT && !strcmp(node->text, text);
}

const char *bt_node_nearest_key(const bt_node *map, const char *word)
{
    const char *nearest = NULL;
    const size_t n = map && map->kind == BT_NODE_MAP ? map->n : 0;
    const char **const keys = bt_calloc(n, sizeof *keys);
    for (size_t i = 0; keys && i < n; ++i) keys[i] = map->members[i].key;
    if (keys) nearest = bt_nearest(word, keys, n);
    bt_free(keys);
    return nearest;
}

bt_status bt_node_join(const bt_node *node, const char *key, bt_text *out)
{
    bt_status status = BT_OK;
    if (node->kind == BT_NODE_MAP)
        return bt_place_fail(node->place, "%s: expected a value or a list, found a map", key);
    if (node->kind == BT_NODE_TEXT) return bt_text_add(out, "%s", node->text);
    BT_TRY(bt_text_add(out, "%s", ""));
    for (size_t i = 0; i < node->n; ++i) {
        if (node->items[i]->kind != BT_NODE_TEXT)
            return bt_place_fail(node->items[i]->place, "%s: a list may hold plain values only", key);
        BT_TRY(bt_text_add(out, "%s%s", i ? "," : "", node->items[i]->text));
    }
cleanup:
    return status;
}

bt_status bt_node_names(const bt_node *node, const char *key, bt_names *names)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    BT_TRY(bt_node_join(node, key, &text));
    for (char *at = text.data; at && *at;) {
        at += strspn(at, " ");
        char *const comma = strchr(at, ',');
        if (comma) *comma = '\0';
        for (size_t n = strlen(at); n && at[n - 1] == ' '; --n) at[n - 1] = '\0';
        if (!*at) BT_TRY(bt_place_fail(node->place, "%s: an empty item in the list", key));
        BT_TRY(bt_names_add(names, at));
        at = comma ? comma + 1 : NULL;
    }
cleanup:
    bt_text_clear(&text);
    return status;
}

bt_status bt_node_need_map(const bt_node *node, const char *key)
{
    if (!node || node->kind == BT_NODE_MAP) return BT_OK;
    return bt_place_fail(node->place, "%s: expected a map (key: value), found %s", key,
                         node->kind == BT_NODE_LIST ? "a list" : "a value");
}

bt_status bt_node_check_keys(const bt_node *map, const char *section, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < map->n; ++i) {
        const bt_member *const member = &map->members[i];
        bool known = false;
        for (size_t k = 0; k < n; ++k) known = known || !strcmp(keys[k], member->key);
        if (known) continue;
        const char *const near = bt_nearest(member->key, keys, n);
        return bt_place_fail(member->place, "%s.%s: unknown key%s%s%s", section, member->key,
                             near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    return BT_OK;
}

char *bt_absolute_path(bt_region *region, const char *path)
{
    char here[PATH_MAX];
    if (path[0] == '/') return bt_region_text(region, path);
    if (!getcwd(here, sizeof here)) (void)snprintf(here, sizeof here, ".");
    while (path[0] == '.' && path[1] == '/') path += 2;
    return bt_region_print(region, "%s/%s", here, path);
}

char *bt_place_path(bt_region *region, bt_place place, const char *path)
{
    const char *const slash = place.line ? strrchr(place.file, '/') : NULL;
    if (path[0] == '/' || !slash) return bt_absolute_path(region, path);
    while (path[0] == '.' && path[1] == '/') path += 2;
    char *const joined = bt_region_print(region, "%.*s/%s", (int)(slash - place.file), place.file, path);
    return joined ? bt_absolute_path(region, joined) : NULL;
}

bt_status bt_tree_text(bt_region *region, const char *text, bt_place place, const bt_node **out)
{
    bt_status status = BT_OK;
    bt_node *node = NULL;
    BT_TAKE(node, bt_region_take(region, 1, sizeof *node));
    node->place = place;
    BT_TAKE(node->text, bt_region_text(region, text));
    *out = node;
cleanup:
    return status;
}

/* A map of room for `n` members; the first come from `from`, which may be NULL. */
static bt_status new_map(bt_region *region, const bt_node *from, bt_place place, size_t n, bt_node **out,
                         bt_member **members)
{
    bt_status status = BT_OK;
    BT_TAKE(*out, bt_region_take(region, 1, sizeof **out));
    BT_TAKE(*members, bt_region_take(region, n, sizeof **members));
    (*out)->kind = BT_NODE_MAP;
    (*out)->place = from ? from->place : place;
    (*out)->members = *members;
    (*out)->n = from ? from->n : 0;
    for (size_t i = 0; i < (*out)->n; ++i) (*members)[i] = from->members[i];
cleanup:
    return status;
}

bt_status bt_tree_join(bt_region *region, const bt_node *below, const bt_node *over, const bt_node **out)
{
    bt_status status = BT_OK;
    bt_node *map = NULL;
    bt_member *members = NULL;
    *out = over;
    if (!below || below->kind != BT_NODE_MAP || over->kind != BT_NODE_MAP) return BT_OK;
    BT_TRY(new_map(region, below, over->place, below->n + over->n, &map, &members));
    map->place = over->place;
    for (size_t i = 0; i < over->n; ++i) {
        const bt_member *const added = &over->members[i];
        size_t at = 0;
        while (at < map->n && strcmp(members[at].key, added->key) != 0) ++at;
        const bt_node *const old = at < map->n ? members[at].value : NULL;
        members[at] = *added;
        BT_TRY(bt_tree_join(region, old, added->value, &members[at].value));
        map->n += at == map->n;
    }
    *out = map;
cleanup:
    return status;
}

/* Length of the part of `path` that names a member of `map`: the whole path when such a key is there or when its first
 * part holds a plain value ("delays" beside "delays.scope"), else its first part. */
static size_t first_part(const bt_node *map, const char *path)
{
    const char *const dot = strchr(path, '.');
    if (!dot || bt_node_member(map, path)) return strlen(path);
    const size_t length = (size_t)(dot - path);
    for (size_t i = 0; map && i < map->n; ++i)
        if (strlen(map->members[i].key) == length && !strncmp(map->members[i].key, path, length))
            return map->members[i].value->kind == BT_NODE_MAP ? length : strlen(path);
    return length;
}

static void remove_member(bt_node *map, bt_member *members, size_t at)
{
    if (at >= map->n) return;
    for (size_t i = at + 1; i < map->n; ++i) members[i - 1] = members[i];
    --map->n;
}

bt_status bt_tree_put(bt_region *region, const bt_node *map, const char *path, const bt_node *value,
                      const bt_node **out)
{
    bt_status status = BT_OK;
    bt_node *made = NULL;
    bt_member *members = NULL;
    const size_t length = first_part(map, path);
    const bt_place place = value ? value->place : (bt_place){0};
    size_t at = 0;
    BT_TRY(new_map(region, map, place, (map ? map->n : 0) + 1, &made, &members));
    while (at < made->n && (strncmp(members[at].key, path, length) != 0 || members[at].key[length])) ++at;
    *out = made;
    if (!value && (path[length] == '\0' || at == made->n)) {
        remove_member(made, members, at);
        goto cleanup;
    }
    if (at == made->n) {
        BT_TAKE(members[at].key, bt_region_print(region, "%.*s", (int)length, path));
        members[at].place = place;
        ++made->n;
    }
    if (path[length] == '\0') {
        members[at].place = place;
        members[at].value = value;
    } else {
        BT_TRY(bt_tree_put(region, members[at].value, path + length + 1, value, &members[at].value));
    }
cleanup:
    return status;
}

/* "${NAME}" at `at`: its value, and where it ends. */
static bt_status variable(bt_place place, const char *at, const char **value, const char **end)
{
    char name[128];
    const char *const close = strchr(at, '}');
    const size_t length = close ? (size_t)(close - at) - 2 : 0;
    if (!close || !length || length >= sizeof name)
        return bt_place_fail(place, "\"%s\": expected ${NAME}, a variable of the environment", at);
    (void)snprintf(name, sizeof name, "%.*s", (int)length, at + 2);
    *value = getenv(name);
    *end = close + 1;
    if (*value) return BT_OK;
    return bt_place_fail(place, "${%s}: this variable is not set; export %s=... first", name, name);
}

static bt_status fill_text(bt_region *region, const bt_node *node, const bt_node **out)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    const char *value = NULL, *at = node->text;
    *out = node;
    if (!strstr(at, "${")) return BT_OK;
    for (const char *next; (next = strstr(at, "${"));) {
        BT_TRY(bt_text_add_bytes(&text, at, (size_t)(next - at)));
        BT_TRY(variable(node->place, next, &value, &at));
        BT_TRY(bt_text_add(&text, "%s", value));
    }
    BT_TRY(bt_text_add(&text, "%s", at));
    BT_TRY(bt_tree_text(region, text.data, node->place, out));
cleanup:
    bt_text_clear(&text);
    return status;
}

bt_status bt_tree_fill(bt_region *region, const bt_node *node, const bt_node **out)
{
    bt_status status = BT_OK;
    bt_node *made = NULL;
    bt_member *members = NULL;
    if (node->kind == BT_NODE_TEXT) return fill_text(region, node, out);
    if (node->kind == BT_NODE_MAP) {
        BT_TRY(new_map(region, node, node->place, node->n, &made, &members));
        for (size_t i = 0; i < node->n; ++i) BT_TRY(bt_tree_fill(region, node->members[i].value, &members[i].value));
    } else {
        BT_TAKE(made, bt_region_take(region, 1, sizeof *made));
        *made = *node;
        BT_TAKE(made->items, bt_region_take(region, node->n, sizeof *made->items));
        for (size_t i = 0; i < node->n; ++i) BT_TRY(bt_tree_fill(region, node->items[i], &made->items[i]));
    }
    *out = made;
cleanup:
    return status;
}
