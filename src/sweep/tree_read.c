/* YAML to tree, through libyaml's documents. */
#include "base/memory.h"
#include "sweep/tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

enum { DEEPEST = 32, MOST_VALUES = 100000 };

/* One document on its way into a region. */
typedef struct {
    bt_region *region;
    const char *file;
    bool is_file;
    yaml_document_t document;
    size_t n;
    const bt_node **made; /* (n) by libyaml's node number - 1; NULL until made */
    bool *open;           /* (n) on the way down to here */
    size_t *weight;       /* (n) values below and with it, aliases counted each time */
} reading;

static bt_place place_of(const reading *r, const yaml_node_t *node)
{
    if (!r->is_file) return (bt_place){.file = r->file};
    return (bt_place){.file = r->file, .line = node->start_mark.line + 1, .column = node->start_mark.column + 1};
}

static bt_status read_node(reading *r, int index, int depth, const bt_node **out);

static bt_status read_text(reading *r, const yaml_node_t *yaml, bt_node *node)
{
    bt_status status = BT_OK;
    const char *text = (const char *)yaml->data.scalar.value;
    const bool plain = yaml->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (plain && (!strcmp(text, "~") || !strcmp(text, "null"))) text = "";
    BT_TAKE(node->text, bt_region_text(r->region, text));
cleanup:
    return status;
}

static bt_status read_list(reading *r, const yaml_node_t *yaml, int depth, size_t *weight, bt_node *node)
{
    bt_status status = BT_OK;
    const yaml_node_item_t *const first = yaml->data.sequence.items.start;
    node->kind = BT_NODE_LIST;
    node->n = (size_t)(yaml->data.sequence.items.top - first);
    BT_TAKE(node->items, bt_region_take(r->region, node->n, sizeof *node->items));
    for (size_t i = 0; i < node->n; ++i) {
        BT_TRY(read_node(r, first[i], depth + 1, &node->items[i]));
        *weight += r->weight[first[i] - 1];
    }
cleanup:
    return status;
}

static bool has_key(const bt_member *members, size_t n, const char *key)
{
    for (size_t i = 0; i < n; ++i)
        if (!strcmp(members[i].key, key)) return true;
    return false;
}

/* `<<: *anchor` or `<<: [*a, *b]`: what the map itself does not say. *room grows in a new array. */
static bt_status join_merged(reading *r, const bt_node *from, bt_member **members, size_t *n, size_t *room)
{
    bt_status status = BT_OK;
    if (from->kind == BT_NODE_LIST) {
        for (size_t i = 0; i < from->n; ++i) BT_TRY(join_merged(r, from->items[i], members, n, room));
        return BT_OK;
    }
    if (from->kind != BT_NODE_MAP) return bt_place_fail(from->place, "<<: expected a map or a list of maps");
    bt_member *grown = NULL;
    BT_TAKE(grown, bt_region_take(r->region, *room + from->n, sizeof *grown));
    for (size_t i = 0; i < *n; ++i) grown[i] = (*members)[i];
    for (size_t i = 0; i < from->n; ++i)
        if (!has_key(grown, *n, from->members[i].key)) grown[(*n)++] = from->members[i];
    *members = grown;
    *room += from->n;
cleanup:
    return status;
}

static bt_status read_pair(reading *r, const yaml_node_pair_t *pair, int depth, bt_member *members, size_t *n,
                           const bt_node **merged)
{
    bt_status status = BT_OK;
    const yaml_node_t *const key = yaml_document_get_node(&r->document, pair->key);
    const bt_place place = place_of(r, key);
    const bt_node *value = NULL;
    if (key->type != YAML_SCALAR_NODE) return bt_place_fail(place, "a key must be plain text");
    const char *const text = (const char *)key->data.scalar.value;
    if (has_key(members, *n, text)) return bt_place_fail(place, "%s: this key is here twice; leave one of them", text);
    BT_TRY(read_node(r, pair->value, depth + 1, &value));
    if (!strcmp(text, "<<")) {
        *merged = value;
        goto cleanup;
    }
    bt_member *const member = &members[*n];
    BT_TAKE(member->key, bt_region_text(r->region, text));
    member->place = place;
    member->value = value;
    ++*n;
cleanup:
    return status;
}

static bt_status read_map(reading *r, const yaml_node_t *yaml, int depth, size_t *weight, bt_node *node)
{
    bt_status status = BT_OK;
    const yaml_node_pair_t *const first = yaml->data.mapping.pairs.start;
    size_t room = (size_t)(yaml->data.mapping.pairs.top - first);
    const size_t n_pair = room;
    const bt_node *merged = NULL;
    bt_member *members = NULL;
    BT_TAKE(members, bt_region_take(r->region, room, sizeof *members));
    for (size_t i = 0; i < n_pair; ++i) {
        BT_TRY(read_pair(r, &first[i], depth, members, &node->n, &merged));
        *weight += r->weight[first[i].value - 1];
    }
    if (merged) BT_TRY(join_merged(r, merged, &members, &node->n, &room));
    node->kind = BT_NODE_MAP;
    node->members = members;
cleanup:
    return status;
}

static bt_status read_node(reading *r, int index, int depth, const bt_node **out)
{
    bt_status status = BT_OK;
    const yaml_node_t *const yaml = yaml_document_get_node(&r->document, index);
    const bt_place place = place_of(r, yaml);
    size_t weight = 1;
    bt_node *node = NULL;
    if (r->open[index - 1]) return bt_place_fail(place, "an anchor that holds an alias of itself: a loop without end");
    if (depth > DEEPEST) return bt_place_fail(place, "nested deeper than %d", DEEPEST);
    *out = r->made[index - 1];
    if (*out) return BT_OK;
    r->open[index - 1] = true;
    BT_TAKE(node, bt_region_take(r->region, 1, sizeof *node));
    node->place = place;
    if (yaml->type == YAML_SCALAR_NODE)
        BT_TRY(read_text(r, yaml, node));
    else if (yaml->type == YAML_SEQUENCE_NODE)
        BT_TRY(read_list(r, yaml, depth, &weight, node));
    else
        BT_TRY(read_map(r, yaml, depth, &weight, node));
    if (weight > MOST_VALUES)
        BT_TRY(bt_place_fail(place, "aliases expand to more than %d values below here", MOST_VALUES));
    r->weight[index - 1] = weight;
    r->made[index - 1] = node;
    *out = node;
cleanup:
    r->open[index - 1] = false;
    return status;
}

/* What follows the one document of a file. */
static bt_status expect_end(yaml_parser_t *parser, const char *file)
{
    yaml_document_t next;
    if (!yaml_parser_load(parser, &next))
        return bt_fail(BT_ERR_USAGE, "%s:%zu:%zu: not valid YAML: %s", file, parser->problem_mark.line + 1,
                       parser->problem_mark.column + 1, parser->problem ? parser->problem : "cannot be read");
    const yaml_node_t *const root = yaml_document_get_root_node(&next);
    const size_t line = root ? root->start_mark.line + 1 : 0;
    yaml_document_delete(&next);
    if (!root) return BT_OK;
    return bt_fail(BT_ERR_USAGE, "%s:%zu:1: a second document begins here; a file holds one", file, line);
}

static bt_status read_document(reading *r, yaml_parser_t *parser, const bt_node **out)
{
    bt_status status = BT_OK;
    if (!yaml_parser_load(parser, &r->document))
        return bt_fail(BT_ERR_USAGE, "%s:%zu:%zu: not valid YAML: %s", r->file, parser->problem_mark.line + 1,
                       parser->problem_mark.column + 1, parser->problem ? parser->problem : "cannot be read");
    r->n = (size_t)(r->document.nodes.top - r->document.nodes.start);
    BT_ALLOC(r->made, r->n);
    BT_ALLOC(r->open, r->n);
    BT_ALLOC(r->weight, r->n);
    if (r->n) {
        BT_TRY(read_node(r, 1, 0, out));
        BT_TRY(expect_end(parser, r->file));
    } else {
        bt_node *empty = NULL;
        BT_TAKE(empty, bt_region_take(r->region, 1, sizeof *empty));
        empty->kind = r->is_file ? BT_NODE_MAP : BT_NODE_TEXT;
        empty->place = (bt_place){.file = r->file, .line = r->is_file, .column = r->is_file};
        empty->text = "";
        *out = empty;
    }
cleanup:
    yaml_document_delete(&r->document);
    bt_free(r->made);
    bt_free(r->open);
    bt_free(r->weight);
    return status;
}

bt_status bt_tree_read(bt_region *region, const char *path, const bt_node **out)
{
    bt_status status = BT_OK;
    yaml_parser_t parser;
    reading r = {.region = region, .is_file = true};
    FILE *const file = bt_path_is_directory(path) ? NULL : fopen(path, "rb");
    if (!file)
        return bt_fail(BT_ERR_USAGE, "%s: cannot open this YAML file: %s", path,
                       bt_path_is_directory(path) ? "it is a folder" : strerror(errno));
    if (!yaml_parser_initialize(&parser)) {
        (void)fclose(file);
        return bt_fail(BT_ERR_MEMORY, "%s: out of memory", path);
    }
    yaml_parser_set_input_file(&parser, file);
    BT_TAKE(r.file, bt_region_text(region, path));
    BT_TRY(read_document(&r, &parser, out));
    if ((*out)->kind != BT_NODE_MAP) status = bt_place_fail((*out)->place, "expected key: value lines");
cleanup:
    yaml_parser_delete(&parser);
    (void)fclose(file);
    return status;
}

bt_status bt_tree_value(bt_region *region, const char *text, const bt_node **out)
{
    bt_status status = BT_OK;
    yaml_parser_t parser;
    reading r = {.region = region, .file = "command line"};
    if (!yaml_parser_initialize(&parser)) return bt_fail(BT_ERR_MEMORY, "%s: out of memory", text);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
    status = read_document(&r, &parser, out);
    yaml_parser_delete(&parser);
    const bool shaped = status == BT_OK && ((*out)->kind != BT_NODE_MAP || text[0] == '{');
    if (shaped || status == BT_ERR_MEMORY || text[0] == '{' || text[0] == '[') return status;
    return bt_tree_text(region, text, (bt_place){.file = "command line"}, out);
}
