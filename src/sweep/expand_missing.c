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

/* --- lowlevel.NAME: encodings with features removed ------------------------------------------------------------------
 */

/* Its keys are those of an encoding, and `remove`; what they say must be sound, though nothing is made of it. */
static bt_status check_removal(const absent *a, const bt_node *entry, const char *subject)
{
    static const char *const own[] = {"models", "models_of", "features", "subjects", "evaluate_on",
                                      "scores", "preset",    "remove",   NULL};
    bt_status status = BT_OK;
    bt_expansion *const x = a->x;
    const bt_node *const features = bt_node_get(entry, "features");
    bt_entry reading = {.program = x->program,
                        .experiment = x->experiment,
                        .plan = x->plan,
                        .data = &x->data,
                        .section = a->section,
                        .own = own,
                        .subject = subject};
    bt_draft encode = {.stage = bt_program_stage(x->program, "encode"), .section = a->section};
    bt_draft states = {.stage = bt_program_stage(x->program, "features")};
    BT_TRY(bt_entry_put(&reading, entry, BT_ENTRY_ALL, &encode));
    BT_TRY(bt_expand_scores(x, a->section, bt_node_get(entry, "scores")));
    BT_TAKE(reading.section, bt_region_print(x->region, "%s.features", a->section));
    states.section = reading.section;
    reading.own = NULL;
    BT_TRY(bt_node_need_map(features, reading.section));
    BT_TRY(bt_entry_put(&reading, features, BT_ENTRY_ALL, &states));
cleanup:
    bt_draft_clear(&encode);
    bt_draft_clear(&states);
    return status;
}

/* One choice of the entry. */
static bt_status remove_each(const absent *a, const bt_node *entry)
{
    bt_status status = BT_OK;
    bt_expansion *const x = a->x;
    bt_indices variants = {0};
    bt_names removed = {0}, subjects = {0};
    const bt_node *const remove = bt_node_get(entry, "remove"), *const models = bt_node_get(entry, "models");
    const bt_node *const of = bt_node_get(entry, "subjects");
    if (!models || !remove) return bt_place_fail(a->place, "%s: expected models: and remove:", a->section);
    BT_TRY(bt_models_select(x, a->section, models, bt_node_get(entry, "models_of"), &variants));
    BT_TRY(bt_node_names(remove, "remove", &removed));
    BT_TRY(of ? bt_node_names(of, "subjects", &subjects) : bt_names_copy(&x->data.subjects, &subjects));
    BT_TRY(check_removal(a, entry, subjects.n ? subjects.items[0] : NULL));
    for (size_t v = 0; v < variants.n; ++v)
        for (size_t s = 0; s < subjects.n; ++s) {
            const bt_variant *const variant = &x->variants[variants.v[v]];
            if (*variant->subject && strcmp(variant->subject, subjects.items[s]) != 0) continue;
            for (size_t r = 0; r < removed.n; ++r) BT_TRY(add(a, variant->label, subjects.items[s], removed.items[r]));
        }
cleanup:
    bt_free(variants.v);
    bt_names_clear(&removed);
    bt_names_clear(&subjects);
    return status;
}

static bt_status removal(bt_expansion *x, const bt_member *member)
{
    static const char *const listed[] = {NULL};
    bt_status status = BT_OK;
    bt_choice *choices = NULL;
    size_t n = 0;
    absent a = {.x = x, .stage = "encode", .why = bt_not_built("lowlevel", "remove", NULL), .place = member->place};
    BT_TAKE(a.section, bt_region_print(x->region, "lowlevel.%s", member->key));
    BT_TRY(bt_node_need_map(member->value, a.section));
    BT_TRY(bt_entry_choices(x->region, member->value, listed, &choices, &n));
    for (size_t i = 0; i < n; ++i) BT_TRY(remove_each(&a, choices[i].entry));
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
