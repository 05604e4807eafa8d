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

static bt_status check_keys(const bt_node *entry, const char *section, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < entry->n; ++i) {
        bool known = false;
        for (size_t k = 0; k < n; ++k) known = known || !strcmp(keys[k], entry->members[i].key);
        if (known) continue;
        const char *const near = bt_nearest(entry->members[i].key, keys, n);
        return bt_place_fail(entry->members[i].place, "%s.%s: unknown key%s%s%s", section, entry->members[i].key,
                             near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    return BT_OK;
}

static bt_status add(const absent *a, const char *label, const char *subject, const char *item)
{
    bt_status status = BT_OK;
    const char *text = NULL;
    BT_TAKE(text, bt_region_print(a->x->region, "%s%s%s %s", label, *subject ? " on " : "", subject, item));
    BT_TRY(bt_expansion_gap(a->x, a->stage, a->section, text, a->why, a->place));
cleanup:
    return status;
}

/* lowlevel.NAME: encodings with features removed. */
static bt_status removal(bt_expansion *x, const bt_member *member)
{
    bt_status status = BT_OK;
    bt_indices variants = {0};
    bt_names removed = {0}, subjects = {0};
    const bt_node *const entry = member->value, *const remove = bt_node_get(entry, "remove");
    const bt_node *const of = bt_node_get(entry, "subjects"), *const models = bt_node_get(entry, "models");
    absent a = {.x = x, .stage = "encode", .why = bt_not_built("encode", "remove", NULL), .place = member->place};
    BT_TAKE(a.section, bt_region_print(x->region, "lowlevel.%s", member->key));
    if (!models || !remove) return bt_place_fail(member->place, "%s: expected models: and remove:", a.section);
    BT_TRY(bt_models_select(x, models, bt_node_get(entry, "models_of"), "models", &variants));
    BT_TRY(bt_node_names(remove, "remove", &removed));
    BT_TRY(of ? bt_node_names(of, "subjects", &subjects) : bt_names_copy(&x->data.subjects, &subjects));
    for (size_t v = 0; v < variants.n; ++v)
        for (size_t s = 0; s < subjects.n; ++s) {
            const bt_variant *const variant = &x->variants[variants.v[v]];
            if (*variant->subject && strcmp(variant->subject, subjects.items[s]) != 0) continue;
            for (size_t r = 0; r < removed.n; ++r) BT_TRY(add(&a, variant->label, subjects.items[s], removed.items[r]));
        }
cleanup:
    bt_free(variants.v);
    bt_names_clear(&removed);
    bt_names_clear(&subjects);
    return status;
}

/* models x items x seeds; a model that was made with a seed keeps it. */
static bt_status each_model(const absent *a, const bt_node *entry, const bt_names *items, const bt_names *seeds)
{
    bt_status status = BT_OK;
    bt_indices variants = {0};
    bt_text text = {0};
    const bt_node *const models = bt_node_get(entry, "models");
    if (!models) return bt_place_fail(entry->place, "%s.models: missing", a->section);
    BT_TRY(bt_models_select(a->x, models, bt_node_get(entry, "models_of"), "models", &variants));
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

static bt_status probes(bt_expansion *x, const bt_member *member)
{
    static const char *const keys[] = {"models", "models_of", "layers", "tasks", "missing_corpus", "seeds"};
    bt_status status = BT_OK;
    bt_names tasks = {0}, seeds = {0};
    const bt_node *const entry = member->value, *const list = bt_node_get(entry, "tasks");
    const bt_node *own = bt_node_get(entry, "seeds");
    const absent a = {x, "probe", "probe", "stage probe", member->place};
    BT_TRY(bt_node_need_map(entry, "probe"));
    BT_TRY(check_keys(entry, "probe", keys, sizeof keys / sizeof *keys));
    if (!list || list->kind != BT_NODE_MAP) return bt_place_fail(entry->place, "probe.tasks: expected a map of tasks");
    if (!own) own = bt_node_get(x->experiment->root, "seeds");
    for (size_t i = 0; i < list->n; ++i) BT_TRY(bt_names_add(&tasks, list->members[i].key));
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
    BT_TRY(check_keys(member->value, a.section, keys, sizeof keys / sizeof *keys));
    BT_TRY(bt_names_add(&items, "pairs"));
    BT_TRY(bt_entry_list(bt_node_get(member->value, "seeds"), "seeds", "0", &seeds));
    BT_TRY(each_model(&a, member->value, &items, &seeds));
cleanup:
    bt_names_clear(&items);
    bt_names_clear(&seeds);
    return status;
}

static bt_status each_entry(bt_expansion *x, const char *section,
                            bt_status (*expand)(bt_expansion *, const bt_member *))
{
    bt_status status = BT_OK;
    const bt_node *const entries = bt_node_get(x->experiment->root, section);
    BT_TRY(bt_node_need_map(entries, section));
    for (size_t i = 0; entries && i < entries->n; ++i) BT_TRY(expand(x, &entries->members[i]));
cleanup:
    return status;
}

bt_status bt_expand_missing(bt_expansion *x)
{
    bt_status status = BT_OK;
    const bt_member *const probe = bt_node_member(x->experiment->root, "probe");
    BT_TRY(each_entry(x, "lowlevel", removal));
    if (probe) BT_TRY(probes(x, probe));
    BT_TRY(each_entry(x, "prefer", preference));
    for (size_t i = 0; i < x->experiment->root->n; ++i) {
        const bt_member *const member = &x->experiment->root->members[i];
        const char *const why = bt_not_built("experiment", member->key, NULL);
        if (why) BT_TRY(bt_expansion_gap(x, "", member->key, member->key, why, member->place));
    }
cleanup:
    return status;
}
