#include "base/settings_yaml.h"

#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

enum { DEEPEST = 16 };

static bt_status add_node(bt_settings *settings, const char *path, yaml_document_t *document, int index,
                          const char *key, int depth);

static bt_status set_at(bt_settings *settings, const char *path, const yaml_node_t *node, const char *key,
                        const char *text)
{
    char origin[512];
    (void)snprintf(origin, sizeof origin, "%s:%zu:%zu", path, node->start_mark.line + 1, node->start_mark.column + 1);
    return bt_settings_set(settings, key, text, origin);
}

static bt_status add_sequence(bt_settings *settings, const char *path, yaml_document_t *document,
                              const yaml_node_t *node, const char *key)
{
    bt_status status = BT_OK;
    bt_text list = {0};
    BT_TRY(bt_text_add(&list, "["));
    const yaml_node_item_t *const first = node->data.sequence.items.start, *const end = node->data.sequence.items.top;
    for (const yaml_node_item_t *item = first; item < end; ++item) {
        const yaml_node_t *const child = yaml_document_get_node(document, *item);
        BT_CHECK(child->type == YAML_SCALAR_NODE, BT_ERR_USAGE, "%s:%zu:%zu: %s: a list may hold plain values only",
                 path, child->start_mark.line + 1, child->start_mark.column + 1, key);
        BT_TRY(bt_text_add(&list, "%s%s", item == first ? "" : ",", (const char *)child->data.scalar.value));
    }
    BT_TRY(bt_text_add(&list, "]"));
    BT_TRY(set_at(settings, path, node, key, list.data));
cleanup:
    bt_text_clear(&list);
    return status;
}

static bt_status add_mapping(bt_settings *settings, const char *path, yaml_document_t *document,
                             const yaml_node_t *node, const char *key, int depth)
{
    bt_status status = BT_OK;
    bt_text dotted = {0};
    const yaml_node_pair_t *const end = node->data.mapping.pairs.top;
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < end; ++pair) {
        const yaml_node_t *const name = yaml_document_get_node(document, pair->key);
        BT_CHECK(name->type == YAML_SCALAR_NODE, BT_ERR_USAGE, "%s:%zu:%zu: a key must be plain text", path,
                 name->start_mark.line + 1, name->start_mark.column + 1);
        bt_text_clear(&dotted);
        BT_TRY(bt_text_add(&dotted, "%s%s%s", key, key[0] ? "." : "", (const char *)name->data.scalar.value));
        BT_TRY(add_node(settings, path, document, pair->value, dotted.data, depth + 1));
    }
cleanup:
    bt_text_clear(&dotted);
    return status;
}

static bt_status add_node(bt_settings *settings, const char *path, yaml_document_t *document, int index,
                          const char *key, int depth)
{
    const yaml_node_t *const node = yaml_document_get_node(document, index);
    if (depth > DEEPEST)
        return bt_fail(BT_ERR_USAGE, "%s:%zu:%zu: %s: nested deeper than %d, or an anchor that holds itself", path,
                       node->start_mark.line + 1, node->start_mark.column + 1, key, DEEPEST);
    if (node->type == YAML_MAPPING_NODE) return add_mapping(settings, path, document, node, key, depth);
    if (!key[0])
        return bt_fail(BT_ERR_USAGE, "%s:%zu:%zu: expected key: value lines", path, node->start_mark.line + 1,
                       node->start_mark.column + 1);
    if (node->type == YAML_SEQUENCE_NODE) return add_sequence(settings, path, document, node, key);
    return set_at(settings, path, node, key, (const char *)node->data.scalar.value);
}

bt_status bt_settings_yaml(bt_settings *settings, const char *path)
{
    bt_status status = BT_OK;
    yaml_parser_t parser;
    yaml_document_t document;
    bool loaded = false;
    if (path[0] == '-')
        return bt_fail(BT_ERR_USAGE,
                       "command line: unknown option %s; settings are key=value, and --help and --dry-run "
                       "are all the options",
                       path);
    if (bt_path_is_directory(path))
        return bt_fail(BT_ERR_USAGE, "command line: %s is a folder, expected key=value or a settings file", path);
    FILE *const file = fopen(path, "rb");
    if (!file)
        return bt_fail(BT_ERR_USAGE, "%s: cannot open this settings file: %s (a setting is key=value, without spaces)",
                       path, strerror(errno));
    if (!yaml_parser_initialize(&parser)) {
        (void)fclose(file);
        return bt_fail(BT_ERR_MEMORY, "%s: out of memory", path);
    }
    yaml_parser_set_input_file(&parser, file);
    loaded = yaml_parser_load(&parser, &document) != 0;
    BT_CHECK(loaded, BT_ERR_USAGE, "%s:%zu:%zu: not valid YAML: %s", path, parser.problem_mark.line + 1,
             parser.problem_mark.column + 1, parser.problem ? parser.problem : "cannot be read");
    if (yaml_document_get_root_node(&document)) BT_TRY(add_node(settings, path, &document, 1, "", 0));
cleanup:
    if (loaded) yaml_document_delete(&document);
    yaml_parser_delete(&parser);
    (void)fclose(file);
    return status;
}
