/* What an entry enumerates. */
#include "base/memory.h"
#include "sweep/entry.h"

#include <stdio.h>
#include <string.h>

enum { MOST = 100000 };

typedef struct {
    bt_region *region;
    const char *const *listed;
    size_t n, capacity;
    bt_choice *items;
} choosing;

/* The items of {each: [...]}, NULL when the node is none. */
static const bt_node *each_of(const bt_node *node)
{
    const bt_node *const list = node->kind == BT_NODE_MAP && node->n == 1 ? bt_node_get(node, "each") : NULL;
    return list && list->kind == BT_NODE_LIST ? list : NULL;
}

static bool is_listed(const choosing *c, const char *path)
{
    for (size_t i = 0; c->listed[i]; ++i)
        if (!strcmp(c->listed[i], path)) return true;
    return false;
}

/* The first place that enumerates: its dotted path, and the list. */
static bt_status find(const choosing *c, const bt_node *map, const char *prefix, const char **path,
                      const bt_node **list)
{
    bt_status status = BT_OK;
    for (size_t i = 0; map->kind == BT_NODE_MAP && i < map->n && !*list; ++i) {
        const bt_node *const value = map->members[i].value;
        const char *here = NULL;
        BT_TAKE(here, bt_region_print(c->region, "%s%s%s", prefix, *prefix ? "." : "", map->members[i].key));
        const bt_node *const each = each_of(value);
        *path = here;
        if (each)
            *list = each;
        else if (value->kind == BT_NODE_LIST && is_listed(c, here))
            *list = value;
        else if (value->kind == BT_NODE_MAP)
            BT_TRY(find(c, value, here, path, list));
    }
cleanup:
    return status;
}

/* " key=item" behind the label; an item that is a list reads a+b. */
static bt_status label_item(bt_region *region, const char *label, const char *path, const bt_node *item,
                            const char **out)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    if (item->kind == BT_NODE_MAP) return bt_place_fail(item->place, "%s: expected a value in this list", path);
    BT_TRY(bt_node_join(item, path, &text));
    for (char *at = text.data; *at; ++at) *at = *at == ',' ? '+' : *at;
    BT_TAKE(*out, bt_region_print(region, "%s%s%s=%s", label, *label ? " " : "", path, text.data));
cleanup:
    bt_text_clear(&text);
    return status;
}

/* An item that is a list itself stands for one value of several parts; as "a,b" it does not enumerate again. */
static bt_status one_value(bt_region *region, const bt_node *item, const char *path, const bt_node **out)
{
    bt_text text = {0};
    *out = item;
    if (item->kind == BT_NODE_TEXT) return BT_OK;
    bt_status status = bt_node_join(item, path, &text);
    if (status == BT_OK) status = bt_tree_text(region, text.data, item->place, out);
    bt_text_clear(&text);
    return status;
}

static bt_status choose(choosing *c, const bt_node *entry, const char *label)
{
    bt_status status = BT_OK;
    const char *path = NULL, *longer = label;
    const bt_node *list = NULL, *item = NULL, *one = NULL;
    BT_TRY(find(c, entry, "", &path, &list));
    if (!list) {
        if (c->n == MOST) return bt_place_fail(entry->place, "this entry enumerates more than %d choices", MOST);
        BT_GROW(c->items, c->n, c->capacity);
        c->items[c->n++] = (bt_choice){entry, label};
        goto cleanup;
    }
    if (!list->n) return bt_place_fail(list->place, "%s: the list is empty", path);
    for (size_t i = 0; i < list->n; ++i) {
        if (list->n > 1) BT_TRY(label_item(c->region, label, path, list->items[i], &longer));
        BT_TRY(one_value(c->region, list->items[i], path, &item));
        BT_TRY(bt_tree_put(c->region, entry, path, item, &one));
        BT_TRY(choose(c, one, longer));
    }
cleanup:
    return status;
}

bt_status bt_entry_choices(bt_region *region, const bt_node *entry, const char *const *listed, bt_choice **choices,
                           size_t *n)
{
    bt_status status = BT_OK;
    choosing c = {.region = region, .listed = listed};
    BT_TRY(choose(&c, entry, ""));
    BT_TAKE(*choices, bt_region_take(region, c.n, sizeof **choices));
    for (size_t i = 0; i < c.n; ++i) (*choices)[i] = c.items[i];
    *n = c.n;
cleanup:
    bt_free(c.items);
    return status;
}
