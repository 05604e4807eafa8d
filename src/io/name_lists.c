#include "io/name_lists.h"

#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

static bt_status fail_at(const char *path, yaml_mark_t at, const char *what)
{
    return bt_fail(BT_ERR_INPUT, "%s:%zu:%zu: expected NAME: [NAME, ...], found %s", path, at.line + 1, at.column + 1,
                   what);
}

static bt_status read_list(const char *path, yaml_document_t *document, const yaml_node_t *node, bt_names *list)
{
    bt_status status = BT_OK;
    if (node->type != YAML_SEQUENCE_NODE) return fail_at(path, node->start_mark, "no list");
    for (const yaml_node_item_t *at = node->data.sequence.items.start; at < node->data.sequence.items.top; ++at) {
        const yaml_node_t *const item = yaml_document_get_node(document, *at);
        if (item->type != YAML_SCALAR_NODE || !item->data.scalar.length)
            return fail_at(path, item->start_mark, "no name in the list");
        BT_TRY(bt_names_add(list, (const char *)item->data.scalar.value));
    }
cleanup:
    return status;
}

static bt_status read_map(const char *path, yaml_document_t *document, bt_name_lists *out)
{
    bt_status status = BT_OK;
    const yaml_node_t *const root = yaml_document_get_root_node(document);
    if (!root) return bt_fail(BT_ERR_INPUT, "%s: expected NAME: [NAME, ...], found nothing", path);
    if (root->type != YAML_MAPPING_NODE) return fail_at(path, root->start_mark, "no map");
    const yaml_node_pair_t *const first = root->data.mapping.pairs.start;
    BT_ALLOC(out->lists, (size_t)(root->data.mapping.pairs.top - first));
    for (const yaml_node_pair_t *pair = first; pair < root->data.mapping.pairs.top; ++pair) {
        const yaml_node_t *const key = yaml_document_get_node(document, pair->key);
        if (key->type != YAML_SCALAR_NODE || !key->data.scalar.length) return fail_at(path, key->start_mark, "no name");
        if (bt_names_have(&out->keys, (const char *)key->data.scalar.value))
            return fail_at(path, key->start_mark, "a name that was there before");
        BT_TRY(bt_names_add(&out->keys, (const char *)key->data.scalar.value));
        BT_TRY(read_list(path, document, yaml_document_get_node(document, pair->value), &out->lists[out->keys.n - 1]));
    }
cleanup:
    return status;
}

bt_status bt_name_lists_read(const char *path, bt_name_lists *out)
{
    bt_status status = BT_OK;
    yaml_parser_t parser;
    yaml_document_t document;
    FILE *const file = fopen(path, "rb");
    *out = (bt_name_lists){0};
    if (!file) return bt_fail(BT_ERR_INPUT, "%s: cannot be read: %s", path, strerror(errno));
    if (!yaml_parser_initialize(&parser)) {
        (void)fclose(file);
        return BT_ERR_MEMORY;
    }
    yaml_parser_set_input_file(&parser, file);
    if (yaml_parser_load(&parser, &document)) {
        status = read_map(path, &document, out);
        yaml_document_delete(&document);
    } else {
        status = fail_at(path, parser.problem_mark, parser.problem ? parser.problem : "no YAML");
    }
    yaml_parser_delete(&parser);
    (void)fclose(file);
    if (status != BT_OK) bt_name_lists_clear(out);
    return status;
}

void bt_name_lists_clear(bt_name_lists *lists)
{
    for (size_t i = 0; lists->lists && i < lists->keys.n; ++i) bt_names_clear(&lists->lists[i]);
    bt_free(lists->lists);
    bt_names_clear(&lists->keys);
    *lists = (bt_name_lists){0};
}

bool bt_label_is(const char *label, const char *name)
{
    const bool sided = bt_starts_with(label, "L_") || bt_starts_with(label, "R_");
    return !strcmp(label, name) || (sided && !strcmp(label + strlen("L_"), name));
}
