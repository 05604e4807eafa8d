#include "sweep/models.h"

#include "base/memory.h"
#include "io/json.h"
#include "sweep/sections.h"

#include <stdio.h>
#include <string.h>

static const char UNTRAINED[] = "untrained models: no stage writes randomly initialised weights of a given model";

bt_status bt_indices_add(bt_indices *indices, size_t index)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < indices->n; ++i)
        if (indices->v[i] == index) return BT_OK;
    BT_GROW(indices->v, indices->n, indices->capacity);
    indices->v[indices->n++] = index;
cleanup:
    return status;
}

void bt_expansion_clear(bt_expansion *x)
{
    for (size_t i = 0; i < x->n_set; ++i) bt_free(x->sets[i].variants.v);
    bt_free(x->sets);
    bt_free(x->variants);
    bt_names_clear(&x->frames);
    bt_data_close(&x->data);
}

bt_status bt_models_add(bt_expansion *x, const bt_variant *variant, size_t *index)
{
    bt_status status = BT_OK;
    BT_GROW(x->variants, x->n_variant, x->variant_capacity);
    *index = x->n_variant;
    x->variants[x->n_variant++] = *variant;
cleanup:
    return status;
}

bt_status bt_expansion_gap_about(bt_expansion *x, const char *stage, const char *section, const char *label,
                                 const char *why, bt_place place, const bt_about *about)
{
    bt_gap gap = {.stage = stage, .section = section, .label = label, .why = why, .about = *about};
    gap.where = bt_place_text(x->region, place);
    return gap.where ? bt_plan_add_gap(x->plan, &gap) : BT_ERR_MEMORY;
}

bt_status bt_expansion_gap(bt_expansion *x, const char *stage, const char *section, const char *label, const char *why,
                           bt_place place)
{
    const bt_about nothing = {0};
    return bt_expansion_gap_about(x, stage, section, label, why, place, &nothing);
}

/* --- models in folders -----------------------------------------------------------------------------------------------
 */

static bt_status unknown_model(const bt_expansion *x, const char *key, const char *name, bt_place place)
{
    const char *const nearest = bt_node_nearest_key(bt_node_get(x->experiment->root, "models"), name);
    return bt_place_fail(place, "%s: models.%s is not there%s%s%s", key, name, nearest ? "; did you mean " : "",
                         nearest ? nearest : "", nearest ? "?" : "");
}

/* The family and sizes of the model in a folder. */
static bt_status look_into(bt_expansion *x, bt_variant *variant)
{
    bt_status status = BT_OK;
    bt_json *json = NULL;
    char *family = NULL, *config = bt_path_join(variant->path, "config.json");
    if (!config) BT_TRY(BT_ERR_MEMORY);
    status = bt_path_is_directory(variant->path)
                 ? bt_json_read(config, &json)
                 : bt_fail(BT_ERR_INPUT, "%s: no such folder; expected a Hugging Face model", variant->path);
    if (status == BT_OK) status = bt_json_text(json, "model_type", &family);
    if (status == BT_ERR_INPUT)
        (void)bt_fail_prefix(status, "%s: models.%s", bt_place_text(x->region, variant->place), variant->model);
    BT_TRY(status);
    BT_TRY(bt_model_size_read(config, &variant->size));
    if (!x->program->has_family(family)) BT_TAKE(variant->why, bt_region_print(x->region, "model family %s", family));
cleanup:
    bt_json_close(&json);
    bt_free(family);
    bt_free(config);
    return status;
}

static bt_status open_simulated(bt_expansion *x, const bt_node *inside, bt_variant *variant)
{
    bt_draft draft = {.stage = bt_program_stage(x->program, "simulate"), .section = "dataset.simulate"};
    const bt_entry entry = {
        .program = x->program, .experiment = x->experiment, .plan = x->plan, .section = "dataset.simulate"};
    if (x->data.task == BT_NO_TASK || inside->kind != BT_NODE_TEXT)
        return bt_place_fail(inside->place,
                             "models.%s: {simulated: model} is the folder model of dataset.simulate, which "
                             "is not there",
                             variant->model);
    const bt_status status = bt_entry_put(&entry, bt_node_get(x->data.section, "simulate"), BT_ENTRY_ALL, &draft);
    if (status == BT_OK) variant->size = bt_model_size_simulated(&draft);
    variant->task = x->data.task;
    variant->tail = inside->text;
    variant->about.objective = "untrained";
    bt_draft_clear(&draft);
    return status;
}

/* {tuned: NAME}: the one model that an entry of tune makes, as a base model. */
static bt_status open_tuned(bt_expansion *x, const bt_node *tuned, bt_variant *variant)
{
    bt_status status = BT_OK;
    const bt_indices *made = NULL;
    if (tuned->kind != BT_NODE_TEXT)
        return bt_place_fail(tuned->place, "models.%s: tuned: expected a name", variant->model);
    const bt_node *const entries = bt_node_get(x->experiment->root, "tune");
    if (!bt_node_get(entries, tuned->text)) {
        const char *const near = bt_node_nearest_key(entries, tuned->text);
        return bt_place_fail(tuned->place, "models.%s.tuned: there is no tune.%s%s%s%s", variant->model, tuned->text,
                             near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    BT_TRY(bt_models_tuned(x, tuned->text, tuned->place, &made));
    if (made->n != 1)
        return bt_place_fail(tuned->place, "models.%s: tune.%s makes %zu models; a base model is one", variant->model,
                             tuned->text, made->n);
    const bt_variant *const from = &x->variants[made->v[0]];
    variant->task = from->task;
    variant->path = from->path;
    variant->tail = from->tail;
    variant->why = from->why;
    variant->size = from->size;
    variant->about.model = from->about.model;
    variant->about.objective = from->about.objective;
cleanup:
    return status;
}

static bt_status check_model_keys(const bt_node *map, const char *name)
{
    static const char *const keys[] = {"path", "input", "simulated", "tuned"};
    for (size_t i = 0; i < map->n; ++i) {
        bool known = false;
        for (size_t k = 0; k < sizeof keys / sizeof *keys; ++k) known = known || !strcmp(keys[k], map->members[i].key);
        if (!known)
            return bt_place_fail(map->members[i].place,
                                 "models.%s.%s: unknown key; there are path, input, simulated, tuned", name,
                                 map->members[i].key);
    }
    return BT_OK;
}

/* input: pad30, which all stages do to a model that hears 30 s, or short, which entries of features and tune may ask
 * for. */
static bt_status check_input(bt_expansion *x, const char *name, const bt_node *input)
{
    if (!input || bt_node_is(input, "pad30")) return BT_OK;
    if (!bt_node_is(input, "short"))
        return bt_place_fail(input->place, "models.%s.input: expected pad30 or short", name);
    return bt_expansion_gap(x, "", "models", name, bt_not_built("models", "input", "short"), input->place);
}

static bt_status open_base(bt_expansion *x, const bt_member *member, bt_variant *variant)
{
    bt_status status = BT_OK;
    const bt_node *const node = member->value;
    const bt_node *const path = node->kind == BT_NODE_TEXT ? node : bt_node_get(node, "path");
    const bt_node *const simulated = bt_node_get(node, "simulated"), *const tuned = bt_node_get(node, "tuned");
    if (node->kind == BT_NODE_MAP) BT_TRY(check_model_keys(node, member->key));
    if ((path != NULL) + (simulated != NULL) + (tuned != NULL) != 1)
        return bt_place_fail(
            node->place, "models.%s: expected a folder, {path: DIR}, {simulated: model} or {tuned: NAME}", member->key);
    BT_TRY(check_input(x, member->key, bt_node_get(node, "input")));
    if (simulated) BT_TRY(open_simulated(x, simulated, variant));
    if (tuned) BT_TRY(open_tuned(x, tuned, variant));
    if (path) {
        if (path->kind != BT_NODE_TEXT) return bt_place_fail(path->place, "models.%s: expected a folder", member->key);
        BT_TAKE(variant->path, bt_place_path(x->region, path->place, path->text));
        variant->about.model = bt_path_base(variant->path);
        BT_TRY(look_into(x, variant));
    }
cleanup:
    return status;
}

bt_status bt_models_base(bt_expansion *x, const char *key, const char *name, bt_place place, size_t *variant)
{
    bt_status status = BT_OK;
    const bt_member *const member = bt_node_member(bt_node_get(x->experiment->root, "models"), name);
    if (!member) return unknown_model(x, key, name, place);
    for (*variant = 0; *variant < x->n_variant; ++*variant)
        if (!strcmp(x->variants[*variant].set, "pretrained") && !strcmp(x->variants[*variant].model, name))
            return BT_OK;
    bt_variant base = {.set = "pretrained",
                       .model = member->key,
                       .subject = "",
                       .choice = "",
                       .label = member->key,
                       .task = BT_NO_TASK,
                       .tail = "",
                       .place = member->place,
                       .about = {.set = "pretrained", .model = member->key, .objective = "pretrained"}};
    BT_TRY(open_base(x, member, &base));
    BT_TRY(bt_models_add(x, &base, variant));
cleanup:
    return status;
}

/* --- models that tune makes ------------------------------------------------------------------------------------------
 */

/* The set of an entry of tune; a new one when it was not asked for yet. Its index, since sets move as they grow. */
static bt_status find_set(bt_expansion *x, const char *name, size_t *index)
{
    bt_status status = BT_OK;
    for (*index = 0; *index < x->n_set; ++*index)
        if (!strcmp(x->sets[*index].name, name)) return BT_OK;
    BT_GROW(x->sets, x->n_set, x->set_capacity);
    x->sets[x->n_set++] = (bt_model_set){.name = name};
cleanup:
    return status;
}

bt_status bt_models_tuned(bt_expansion *x, const char *name, bt_place place, const bt_indices **variants)
{
    bt_status status = BT_OK;
    size_t index = 0;
    bt_indices made = {0};
    const bt_member *const entry = bt_node_member(bt_node_get(x->experiment->root, "tune"), name);
    if (!entry) return bt_section_no_entry(x->experiment->root, place, "tune", name);
    BT_TRY(find_set(x, entry->key, &index));
    if (x->sets[index].state == BT_SET_OPEN)
        return bt_place_fail(place, "tune.%s is tuned from a model that it makes itself: a loop", name);
    if (x->sets[index].state == BT_SET_NEW) {
        x->sets[index].state = BT_SET_OPEN;
        BT_TRY(bt_expand_tune(x, entry->key, entry->value, &made));
        x->sets[index].variants = made;
        x->sets[index].state = BT_SET_DONE;
        made = (bt_indices){0};
    }
    *variants = &x->sets[index].variants;
cleanup:
    bt_free(made.v);
    return status;
}

/* --- lists of models -------------------------------------------------------------------------------------------------
 */

/* One item of a list: "brain", "brain.hubert", "pretrained.hubert", "hubert-large". */
typedef struct {
    const char *key;          /* "encode.alignment.models" */
    const char *item, *model; /* model: behind the dot, NULL */
    char set[128];            /* before it */
    bt_place place;
    const bt_names *narrow; /* keys of `models` that count; NULL: all */
} selecting;

static bool counts(const selecting *s, const char *model)
{
    if (s->model && strcmp(s->model, model) != 0) return false;
    return s->model || !s->narrow || bt_names_have(s->narrow, model);
}

static bt_status add_untrained(bt_expansion *x, const selecting *s, const char *model, bt_indices *out)
{
    bt_status status = BT_OK;
    size_t base = 0, index = 0;
    BT_TRY(bt_models_base(x, s->key, model, s->place, &base));
    bt_variant untrained = x->variants[base];
    untrained.set = untrained.about.set = untrained.about.objective = "untrained";
    untrained.place = s->place;
    untrained.why = UNTRAINED;
    BT_TAKE(untrained.label, bt_region_print(x->region, "untrained.%s", model));
    for (index = 0; index < x->n_variant; ++index)
        if (!strcmp(x->variants[index].label, untrained.label)) break;
    if (index == x->n_variant) BT_TRY(bt_models_add(x, &untrained, &index));
    BT_TRY(bt_indices_add(out, index));
cleanup:
    return status;
}

static bt_status add_bases(bt_expansion *x, const selecting *s, bool trained, bt_indices *out)
{
    bt_status status = BT_OK;
    const bt_node *const models = bt_node_get(x->experiment->root, "models");
    size_t index = 0;
    if (s->model && !bt_node_get(models, s->model)) return unknown_model(x, s->key, s->model, s->place);
    for (size_t i = 0; models && i < models->n; ++i) {
        const char *const model = models->members[i].key;
        if (!counts(s, model)) continue;
        if (!trained) {
            BT_TRY(add_untrained(x, s, model, out));
            continue;
        }
        BT_TRY(bt_models_base(x, s->key, model, s->place, &index));
        BT_TRY(bt_indices_add(out, index));
    }
cleanup:
    return status;
}

static bt_status add_tuned(bt_expansion *x, const selecting *s, bt_indices *out)
{
    bt_status status = BT_OK;
    const bt_indices *variants = NULL;
    size_t n = 0;
    BT_TRY(bt_models_tuned(x, s->set, s->place, &variants));
    for (size_t i = 0; i < variants->n; ++i) {
        if (!counts(s, x->variants[variants->v[i]].model)) continue;
        BT_TRY(bt_indices_add(out, variants->v[i]));
        ++n;
    }
    if (s->model && !n)
        status = bt_place_fail(s->place, "%s: %s: tune.%s tunes no model %s", s->key, s->item, s->set, s->model);
cleanup:
    return status;
}

static bt_status no_such_set(const bt_expansion *x, const selecting *s)
{
    bt_status status = BT_OK;
    bt_names names = {0};
    const bt_node *const lists[] = {bt_node_get(x->experiment->root, "models"),
                                    bt_node_get(x->experiment->root, "tune")};
    BT_TRY(bt_names_add(&names, "pretrained"));
    BT_TRY(bt_names_add(&names, "untrained"));
    for (size_t l = 0; l < sizeof lists / sizeof *lists; ++l)
        for (size_t i = 0; lists[l] && i < lists[l]->n; ++i) BT_TRY(bt_names_add(&names, lists[l]->members[i].key));
    const char *const nearest = bt_nearest(s->set, (const char *const *)names.items, names.n);
    status = bt_place_fail(s->place, "%s: %s: there is no such set or model%s%s%s", s->key, s->item,
                           nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
cleanup:
    bt_names_clear(&names);
    return status;
}

static bool was_left_out(const bt_expansion *x, const char *set)
{
    char path[160];
    (void)snprintf(path, sizeof path, "tune.%s", set);
    return bt_names_have(&x->experiment->left_out, path);
}

static bt_status add_item(bt_expansion *x, selecting *s, const bt_names *families, bool narrowed, bt_indices *out)
{
    const bt_node *const root = x->experiment->root;
    const bool whole = bt_node_get(bt_node_get(root, "models"), s->item) != NULL;
    const char *const dot = whole ? NULL : strchr(s->item, '.');
    s->model = whole ? s->item : dot ? dot + 1 : NULL;
    (void)snprintf(s->set, sizeof s->set, "%.*s", dot ? (int)(dot - s->item) : (int)strlen(s->item), s->item);
    const bool pretrained = whole || !strcmp(s->set, "pretrained");
    if (pretrained || !strcmp(s->set, "untrained")) {
        s->narrow = families;
        return add_bases(x, s, pretrained, out);
    }
    s->narrow = narrowed ? families : NULL;
    if (bt_node_get(bt_node_get(root, "tune"), s->set)) return add_tuned(x, s, out);
    return was_left_out(x, s->set) ? BT_OK : no_such_set(x, s);
}

bt_status bt_models_select(bt_expansion *x, const char *section, const bt_node *list, const bt_node *models_of,
                           bt_indices *out)
{
    bt_status status = BT_OK;
    bt_names items = {0}, families = {0};
    const bt_node *const narrow = models_of ? models_of : bt_node_get(x->experiment->root, "families");
    const char *key = NULL, *of = "families";
    BT_TAKE(key, bt_region_print(x->region, "%s.models", section));
    if (models_of) BT_TAKE(of, bt_region_print(x->region, "%s.models_of", section));
    BT_TRY(bt_node_names(list, key, &items));
    if (narrow) BT_TRY(bt_node_names(narrow, of, &families));
    for (size_t i = 0; i < families.n; ++i)
        if (!bt_node_get(bt_node_get(x->experiment->root, "models"), families.items[i]))
            BT_TRY(unknown_model(x, of, families.items[i], narrow->place));
    for (size_t i = 0; i < items.n; ++i) {
        selecting s = {.key = key,
                       .item = items.items[i],
                       .place = list->kind == BT_NODE_LIST ? list->items[i]->place : list->place};
        BT_TRY(add_item(x, &s, narrow ? &families : NULL, models_of != NULL, out));
    }
cleanup:
    bt_names_clear(&items);
    bt_names_clear(&families);
    return status;
}
