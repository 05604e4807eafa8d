/* What an experiment may ask for and no stage does yet: enumerated and counted like the rest, as gaps. */
#include "sweep/expand.h"

#include "base/memory.h"

#include <string.h>

/* Tasks of one section: models x subjects or not x a list. */
typedef struct {
    bt_expansion *x;
    const char *stage, *section, *why;
    bt_place place;
} absent;

static bt_status add(const absent *a, const char *label, const char *subject, const char *item)
{
    bt_status status = BT_OK;
    const char *text = NULL;
    BT_TAKE(text, bt_region_print(a->x->region, "%s%s%s %s", label, *subject ? " on " : "", subject, item));
    BT_TRY(bt_expansion_gap(a->x, a->stage, a->section, text, a->why, a->place));
cleanup:
    return status;
}

/* --- probe, prefer ---------------------------------------------------------------------------------------------------
 */

/* models x items x seeds; a model that was made with a seed keeps it. */
static bt_status each_model(const absent *a, const bt_node *entry, const bt_names *items, const bt_names *seeds)
{
    bt_status status = BT_OK;
    bt_indices variants = {0};
    bt_text text = {0};
    const bt_node *const models = bt_node_get(entry, "models");
    if (!models) return bt_place_fail(entry->place, "%s.models: missing", a->section);
    BT_TRY(bt_models_select(a->x, a->section, models, bt_node_get(entry, "models_of"), &variants));
    for (size_t v = 0; v < variants.n; ++v)
        for (size_t i = 0; i < items->n; ++i)
            for (size_t k = 0; k < seeds->n; ++k) {
                const bt_variant *const variant = &a->x->variants[variants.v[v]];
                bt_text_clear(&text);
                BT_TRY(bt_text_add(&text, "%s seed=%s", items->items[i], seeds->items[k]));
                BT_TRY(add(a, variant->label, "", text.data));
                if (strstr(variant->choice, "seed=")) break;
            }
cleanup:
    bt_free(variants.v);
    bt_text_clear(&text);
    return status;
}

/* tasks: {NAME: {corpus: DIR, ...}} */
static bt_status read_tasks(bt_region *region, const bt_node *entry, bt_names *tasks)
{
    static const char *const keys[] = {"corpus", "split", "label", "train"};
    bt_status status = BT_OK;
    const bt_node *const list = bt_node_get(entry, "tasks");
    const char *section = NULL;
    if (!list || list->kind != BT_NODE_MAP) return bt_place_fail(entry->place, "probe.tasks: expected a map of tasks");
    for (size_t i = 0; i < list->n; ++i) {
        const bt_node *const task = list->members[i].value;
        BT_TAKE(section, bt_region_print(region, "probe.tasks.%s", list->members[i].key));
        BT_TRY(bt_node_need_map(task, section));
        BT_TRY(bt_node_check_keys(task, section, keys, sizeof keys / sizeof *keys));
        BT_TRY(bt_names_add(tasks, list->members[i].key));
    }
cleanup:
    return status;
}

static bt_status probes(bt_expansion *x, const bt_member *member)
{
    static const char *const keys[] = {"models", "models_of", "layers", "tasks", "missing_corpus", "seeds"};
    bt_status status = BT_OK;
    bt_names tasks = {0}, seeds = {0};
    const bt_node *const entry = member->value;
    const bt_node *own = bt_node_get(entry, "seeds");
    const absent a = {x, "probe", "probe", "stage probe", member->place};
    BT_TRY(bt_node_need_map(entry, "probe"));
    BT_TRY(bt_node_check_keys(entry, "probe", keys, sizeof keys / sizeof *keys));
    BT_TRY(read_tasks(x->region, entry, &tasks));
    if (!own) own = bt_node_get(x->experiment->root, "seeds");
    BT_TRY(bt_entry_list(own, "seeds", "0", &seeds));
    BT_TRY(each_model(&a, entry, &tasks, &seeds));
cleanup:
    bt_names_clear(&tasks);
    bt_names_clear(&seeds);
    return status;
}

static bt_status preference(bt_expansion *x, const bt_member *member)
{
    static const char *const keys[] = {"models", "models_of", "layers", "corpus", "pairs", "seeds", "words"};
    bt_status status = BT_OK;
    bt_names items = {0}, seeds = {0};
    absent a = {x, "prefer", NULL, "stage prefer", member->place};
    BT_TAKE(a.section, bt_region_print(x->region, "prefer.%s", member->key));
    BT_TRY(bt_node_need_map(member->value, a.section));
    BT_TRY(bt_node_check_keys(member->value, a.section, keys, sizeof keys / sizeof *keys));
    BT_TRY(bt_names_add(&items, "pairs"));
    BT_TRY(bt_entry_list(bt_node_get(member->value, "seeds"), "seeds", "0", &seeds));
    BT_TRY(each_model(&a, member->value, &items, &seeds));
cleanup:
    bt_names_clear(&items);
    bt_names_clear(&seeds);
    return status;
}

bt_status bt_expand_missing(bt_expansion *x)
{
    bt_status status = BT_OK;
    const bt_member *const probe = bt_node_member(x->experiment->root, "probe");
    const bt_node *const prefer = bt_node_get(x->experiment->root, "prefer");
    if (probe) BT_TRY(probes(x, probe));
    BT_TRY(bt_node_need_map(prefer, "prefer"));
    for (size_t i = 0; prefer && i < prefer->n; ++i) BT_TRY(preference(x, &prefer->members[i]));
    for (size_t i = 0; i < x->experiment->root->n; ++i) {
        const bt_member *const member = &x->experiment->root->members[i];
        const char *const why = bt_not_built("experiment", member->key, NULL);
        if (why) BT_TRY(bt_expansion_gap(x, "", member->key, member->key, why, member->place));
    }
cleanup:
    return status;
}
