/* Tree to YAML, through libyaml's emitter, which knows what must be quoted. */
#include "sweep/tree.h"

#include <stdint.h>
#include <string.h>
#include <yaml.h>

enum { WIDTH = 120 };

static int write_bytes(void *context, unsigned char *bytes, size_t n)
{
    return bt_text_add_bytes(context, (const char *)bytes, n) == BT_OK;
}

static bool emit_text(yaml_emitter_t *emitter, const char *text)
{
    yaml_event_t event;
    unsigned char *const bytes = (unsigned char *)(uintptr_t)text;
    const yaml_scalar_style_t style = text[0] ? YAML_ANY_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    return yaml_scalar_event_initialize(&event, NULL, NULL, bytes, (int)strlen(text), 1, 1, style) &&
           yaml_emitter_emit(emitter, &event);
}

/* A list of plain values stays on its line. */
static bool is_flat(const bt_node *list)
{
    for (size_t i = 0; i < list->n; ++i)
        if (list->items[i]->kind != BT_NODE_TEXT) return false;
    return true;
}

static bool emit(yaml_emitter_t *emitter, const bt_node *node)
{
    yaml_event_t event;
    if (node->kind == BT_NODE_TEXT) return emit_text(emitter, node->text);
    if (node->kind == BT_NODE_LIST) {
        const yaml_sequence_style_t style = is_flat(node) ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE;
        if (!yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, style)) return false;
        if (!yaml_emitter_emit(emitter, &event)) return false;
        for (size_t i = 0; i < node->n; ++i)
            if (!emit(emitter, node->items[i])) return false;
        return yaml_sequence_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event);
    }
    const yaml_mapping_style_t style = node->n ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE;
    if (!yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, style)) return false;
    if (!yaml_emitter_emit(emitter, &event)) return false;
    for (size_t i = 0; i < node->n; ++i)
        if (!emit_text(emitter, node->members[i].key) || !emit(emitter, node->members[i].value)) return false;
    return yaml_mapping_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event);
}

static bool emit_document(yaml_emitter_t *emitter, const bt_node *node)
{
    yaml_event_t event;
    return yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING) && yaml_emitter_emit(emitter, &event) &&
           yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1) && yaml_emitter_emit(emitter, &event) &&
           emit(emitter, node) && yaml_document_end_event_initialize(&event, 1) && yaml_emitter_emit(emitter, &event) &&
           yaml_stream_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event);
}

bt_status bt_tree_print(const bt_node *node, bt_text *out)
{
    yaml_emitter_t emitter;
    if (!yaml_emitter_initialize(&emitter)) return bt_fail(BT_ERR_MEMORY, "out of memory for YAML");
    yaml_emitter_set_output(&emitter, write_bytes, out);
    yaml_emitter_set_width(&emitter, WIDTH);
    yaml_emitter_set_unicode(&emitter, 1);
    const bool done = emit_document(&emitter, node);
    const bt_status status =
        done ? BT_OK : bt_fail(BT_ERR_INTERNAL, "cannot write YAML: %s", emitter.problem ? emitter.problem : "memory");
    yaml_emitter_delete(&emitter);
    return status;
}
