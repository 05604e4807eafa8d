/* What a YAML file says, as a tree of maps, lists and texts in which each part knows its file, line and column. Nodes
 * never change: an override makes a new map that shares what it leaves alone. */
#ifndef BT_SWEEP_TREE_H
#define BT_SWEEP_TREE_H

#include "base/status.h"
#include "base/text.h"
#include "sweep/region.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum { BT_NODE_TEXT, BT_NODE_LIST, BT_NODE_MAP } bt_node_kind;

typedef struct {
    const char *file; /* as it was opened; "command line" */
    size_t line, column;
} bt_place;

typedef struct bt_node bt_node;

typedef struct {
    const char *key;
    bt_place place; /* of the key */
    const bt_node *value;
} bt_member;

struct bt_node {
    bt_node_kind kind;
    bt_place place;
    const char *text; /* BT_NODE_TEXT; "" for nothing, null and ~ */
    size_t n;
    const bt_node **items;    /* (n) of a list */
    const bt_member *members; /* (n) of a map, each key once */
};

/* Nodes and texts live in the region. Aliases are their anchors' nodes, `<<` is joined in. Errors, BT_ERR_USAGE with
 * file:line:column: no such file, bad YAML, a key twice, an anchor that holds itself, aliases that expand to more than
 * 100,000 values. An empty file is an empty map. */
bt_status bt_tree_read(bt_region *region, const char *path, const bt_node **out) BT_MUST_CHECK;
/* The value of key=TEXT on the command line: a YAML value; one that is none (a,b: c) counts as plain text. */
bt_status bt_tree_value(bt_region *region, const char *text, const bt_node **out) BT_MUST_CHECK;
bt_status bt_tree_text(bt_region *region, const char *text, bt_place place, const bt_node **out) BT_MUST_CHECK;

/* Every ${VAR} replaced from the environment; BT_ERR_USAGE for one that is not set. */
bt_status bt_tree_fill(bt_region *region, const bt_node *node, const bt_node **out) BT_MUST_CHECK;

/* `over` on top of `below`: maps are joined key by key, anything else replaces. below may be NULL. */
bt_status bt_tree_join(bt_region *region, const bt_node *below, const bt_node *over, const bt_node **out) BT_MUST_CHECK;
/* A map like `map` in which the dotted `path` holds `value`; value NULL removes it. Parts of the path that are not
 * there become maps. */
bt_status bt_tree_put(bt_region *region, const bt_node *map, const char *path, const bt_node *value,
                      const bt_node **out) BT_MUST_CHECK;

/* NULL when `map` is NULL, no map, or has no such key. The second follows a dotted path, whole keys first. */
const bt_member *bt_node_member(const bt_node *map, const char *key);
const bt_node *bt_node_get(const bt_node *map, const char *key);
const bt_node *bt_node_at(const bt_node *map, const char *path);
/* The key of `map` that is nearest to `word`; NULL when none is near. */
const char *bt_node_nearest_key(const bt_node *map, const char *word);
bool bt_node_is(const bt_node *node, const char *text); /* a text, this one */

/* A text, or a list of texts joined by ",", appended to `out`. A map or a nested list is BT_ERR_USAGE naming `key`. */
bt_status bt_node_join(const bt_node *node, const char *key, bt_text *out) BT_MUST_CHECK;
/* Items of a list of texts, or of a text "a,b,c"; appended. */
bt_status bt_node_names(const bt_node *node, const char *key, bt_names *names) BT_MUST_CHECK;
/* BT_ERR_USAGE unless the node is a map; NULL passes. */
bt_status bt_node_need_map(const bt_node *node, const char *key) BT_MUST_CHECK;
/* BT_ERR_USAGE for a key of the map that is none of keys (n), with the nearest: "SECTION.KEY: unknown key". */
bt_status bt_node_check_keys(const bt_node *map, const char *section, const char *const *keys, size_t n) BT_MUST_CHECK;

/* The path that a file names: relative ones count from that file's folder (from the working directory on the command
 * line). Absolute; NULL when memory is out. */
char *bt_place_path(bt_region *region, bt_place place, const char *path);
/* Relative ones count from the working directory. */
char *bt_absolute_path(bt_region *region, const char *path);

/* "file:line:column", for messages. */
const char *bt_place_text(bt_region *region, bt_place place);
/* BT_ERR_USAGE "file:line:column: ..." */
bt_status bt_place_fail(bt_place place, const char *format, ...) BT_PRINTF(2, 3) BT_MUST_CHECK;

/* The tree as YAML. */
bt_status bt_tree_print(const bt_node *node, bt_text *out) BT_MUST_CHECK;

#endif
