#include "sweep/expand.h"

#include "base/memory.h"
#include "sweep/sections.h"

#include <stdio.h>
#include <string.h>

/* --- what all stages' settings share ---------------------------------------------------------------------------------
 */

static bt_status put_if_known(bt_draft *draft, const char *key, const bt_node *value)
{
    if (!value || !bt_draft_knows(draft, key)) return BT_OK;
    if (value->kind != BT_NODE_TEXT) return bt_place_fail(value->place, "dataset: expected one value for %s", key);
    return bt_draft_default(draft, key, value->text, value->place);
}

/* timing: {tr: 2.0045} */
static bt_status put_timing(bt_expansion *x, const bt_node *timing, bt_draft *draft)
{
    bt_status status = BT_OK;
    char key[128];
    BT_TRY(bt_node_need_map(timing, "dataset.timing"));
    if (!timing || !bt_draft_knows(draft, "timing.source")) return BT_OK;
    const char *const section = draft->section;
    draft->section = "dataset"; /* in messages */
    for (size_t i = 0; i < timing->n; ++i) {
        const bt_member *const member = &timing->members[i];
        (void)snprintf(key, sizeof key, "timing.%s", member->key);
        if (!bt_draft_knows(draft, key))
            BT_TRY(bt_place_fail(member->place,
                                 "dataset.%s: unknown key; there are timing.source, tr, sound_start, at, "
                                 "reports",
                                 key));
        if (strcmp(key, "timing.reports") != 0 || member->value->kind != BT_NODE_TEXT) {
            BT_TRY(put_if_known(draft, key, member->value));
            continue;
        }
        char *path = NULL;
        BT_TAKE(path, bt_place_path(x->region, member->value->place, member->value->text));
        BT_TRY(bt_draft_default(draft, key, path, member->value->place));
        BT_TRY(bt_draft_file(draft, key, path));
    }
    draft->section = section;
cleanup:
    return status;
}

/* ceiling: {from: repeats | file | none | auto | a path, keep_above: 0.4, total_power: data} */
static bt_status put_ceiling(bt_expansion *x, const bt_node *ceiling, bt_draft *draft)
{
    static const char *const sources[] = {"auto", "repeats", "file", "none"};
    bt_status status = BT_OK;
    BT_TRY(bt_node_need_map(ceiling, "dataset.ceiling"));
    for (size_t i = 0; ceiling && i < ceiling->n; ++i) {
        const bt_member *const member = &ceiling->members[i];
        const bt_node *const value = member->value;
        const bool from = !strcmp(member->key, "from"), above = !strcmp(member->key, "keep_above");
        bool word = false;
        for (size_t k = 0; k < sizeof sources / sizeof *sources; ++k) word = word || bt_node_is(value, sources[k]);
        if (!from && !above && strcmp(member->key, "total_power") != 0)
            return bt_place_fail(
                member->place, "dataset.ceiling.%s: unknown key; there are from, keep_above, total_power", member->key);
        if (from && !word) {
            BT_TRY(bt_expansion_gap(x, "", "dataset", "ceiling.from", bt_not_built("dataset", "ceiling.from", "path"),
                                    member->place));
            continue;
        }
        BT_TRY(put_if_known(draft,
                            from    ? "ceiling.from"
                            : above ? "ceiling.keep_above"
                                    : "ceiling.total_power",
                            value));
        if (from || above) BT_TRY(put_if_known(draft, from ? "voxels.ceiling" : "voxels.keep_above", value));
    }
cleanup:
    return status;
}

/* A value of dataset.rois as a setting of the draft, with {subject} and paths resolved. */
static bt_status put_roi_setting(const bt_entry *entry, const char *key, const bt_node *value, bt_draft *draft)
{
    bt_status status = BT_OK;
    bt_entry rois = *entry;
    const char *const section = draft->section;
    const bt_member member = {.key = key, .place = value->place, .value = value};
    const bt_node map = {.kind = BT_NODE_MAP, .place = value->place, .n = 1, .members = &member};
    if (!bt_draft_knows(draft, key)) return BT_OK;
    rois.section = draft->section = "dataset.rois";
    status = bt_entry_put(&rois, &map, BT_ENTRY_DEFAULTS, draft);
    draft->section = section;
    return status;
}

/* Names of labels: what is said, or the labels' file with .json at its end. */
static bt_status put_label_names(bt_expansion *x, const bt_entry *entry, const bt_node *labels, bt_draft *draft)
{
    bt_status status = BT_OK;
    const char *path = NULL;
    const bt_node *named = bt_node_get(bt_node_get(x->data.section, "rois"), "names");
    if (!named) {
        const size_t length = strlen(labels->text);
        if (!bt_ends_with(labels->text, ".npy"))
            return bt_place_fail(labels->place, "dataset.rois.labels: expected FILE.npy, whose names are FILE.json; or "
                                                "give names: too");
        BT_TAKE(path, bt_region_print(x->region, "%.*s.json", (int)(length - strlen(".npy")), labels->text));
        BT_TRY(bt_tree_text(x->region, path, labels->place, &named));
    }
    BT_TRY(put_roi_setting(entry, "rois.names", named, draft));
cleanup:
    return status;
}

/* rois: {labels: FILE.npy with {subject}, names: FILE.json, groups: FILE.yaml, score: voxels} */
static bt_status put_rois(bt_expansion *x, const bt_entry *entry, bt_draft *draft)
{
    static const char *const keys[] = {"labels", "names", "groups", "score"};
    bt_status status = BT_OK;
    const bt_node *const rois = bt_node_get(x->data.section, "rois");
    const bt_node *file = NULL;
    const char *path = NULL;
    if (!rois) return BT_OK;
    BT_TRY(bt_node_need_map(rois, "dataset.rois"));
    BT_TRY(bt_node_check_keys(rois, "dataset.rois", keys, sizeof keys / sizeof *keys));
    const bt_node *const labels = bt_node_get(rois, "labels"), *const groups = bt_node_get(rois, "groups");
    const bt_node *const score = bt_node_get(rois, "score");
    if ((labels && labels->kind != BT_NODE_TEXT) || (groups && groups->kind != BT_NODE_TEXT))
        return bt_place_fail(rois->place, "dataset.rois: expected a file each for labels and groups");
    if (labels && (entry->subject || entry->subjects) && bt_draft_knows(draft, "rois")) {
        BT_TRY(put_roi_setting(entry, "rois", labels, draft));
        BT_TRY(put_label_names(x, entry, labels, draft));
    }
    if (groups && bt_draft_knows(draft, "roi.groups")) {
        BT_TRY(bt_entry_file(x->region, groups, "experiments", &path));
        BT_TRY(bt_tree_text(x->region, path, groups->place, &file));
        BT_TRY(put_roi_setting(entry, "roi.groups", file, draft));
    }
    if (score) BT_TRY(put_roi_setting(entry, "roi.score", score, draft));
cleanup:
    return status;
}

bt_status bt_expand_dataset_settings(bt_expansion *x, bt_draft *draft)
{
    bt_status status = BT_OK;
    BT_TRY(put_timing(x, bt_node_get(x->data.section, "timing"), draft));
    BT_TRY(put_ceiling(x, bt_node_get(x->data.section, "ceiling"), draft));
cleanup:
    return status;
}

/* Roles that nobody named: the stage's own default, resolved by the experiment's roles. */
static bt_status put_default_roles(const bt_entry *entry, bt_draft *draft)
{
    bt_status status = BT_OK;
    const bt_stage *const stage = draft->stage;
    const bt_node *role = NULL;
    for (size_t i = 0; i < stage->n_setting; ++i) {
        const bt_setting *const setting = &stage->table[i];
        if (setting->type != BT_SET_TEXTS || !bt_starts_with(setting->key, "stories.") || !setting->preset) continue;
        if (*bt_draft_get(draft, setting->key)) continue;
        BT_TRY(bt_tree_text(&entry->experiment->region, setting->preset,
                            bt_node_get(entry->experiment->root, "dataset")->place, &role));
        const bt_member member = {.key = setting->key, .place = role->place, .value = role};
        const bt_node map = {.kind = BT_NODE_MAP, .place = role->place, .n = 1, .members = &member};
        BT_TRY(bt_entry_put(entry, &map, BT_ENTRY_DEFAULTS, draft));
    }
cleanup:
    return status;
}

bt_status bt_expand_settings(bt_expansion *x, const bt_entry *entry, const bt_node *settings, bt_draft *draft)
{
    bt_status status = BT_OK;
    const char *const preset = bt_experiment_preset(x->experiment, settings);
    const bt_place place = settings ? settings->place : x->experiment->root->place;
    BT_TRY(bt_entry_put(entry, settings, BT_ENTRY_PRESET, draft));
    BT_TRY(bt_expand_dataset_settings(x, draft));
    BT_TRY(put_rois(x, entry, draft));
    BT_TRY(bt_entry_put(entry, settings, BT_ENTRY_OWN, draft));
    if (bt_draft_knows(draft, "preset")) BT_TRY(bt_draft_put(draft, "preset", preset, place));
    BT_TRY(put_default_roles(entry, draft));
cleanup:
    return status;
}

bt_status bt_expand_model(bt_expansion *x, const bt_variant *variant, bt_draft *draft)
{
    bt_status status = BT_OK;
    if (variant->task != BT_NO_TASK) return bt_draft_need(draft, x->plan, "model", variant->task, variant->tail);
    BT_TRY(bt_draft_put(draft, "model", variant->path, variant->place));
    BT_TRY(bt_draft_file(draft, "model", variant->path));
cleanup:
    return status;
}

/* --- single sections -------------------------------------------------------------------------------------------------
 */

static bt_status read_head(bt_experiment *experiment, bt_plan *out)
{
    bt_status status = BT_OK;
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    const bt_node *const name = bt_node_get(experiment->root, "experiment");
    const bt_node *const store = bt_node_get(experiment->root, "store");
    const bt_node *const results = bt_node_get(experiment->root, "results");
    if (!name || name->kind != BT_NODE_TEXT || !*name->text || name->text[strspn(name->text, plain)])
        return bt_place_fail(name ? name->place : experiment->root->place,
                             "experiment: expected a name of letters, digits, '.', '_' and '-'");
    if ((store && store->kind != BT_NODE_TEXT) || (results && results->kind != BT_NODE_TEXT))
        return bt_place_fail(experiment->root->place, "store, results: expected a folder each");
    BT_TAKE(out->experiment, bt_region_text(&out->region, name->text));
    BT_TAKE(out->file, bt_absolute_path(&out->region, experiment->file));
    BT_TAKE(out->preset, bt_region_text(&out->region, bt_experiment_preset(experiment, NULL)));
    BT_TAKE(out->store, bt_absolute_path(&out->region, store ? store->text : "store"));
    BT_TAKE(out->results, bt_absolute_path(&out->region, results ? results->text : "results"));
cleanup:
    return status;
}

/* targets: {NAME: {file: FILE.h5} | {simulated: PATH} | {model: DIR, layers: all}}; what is used of them is tune's. */
static bt_status check_targets(bt_expansion *x)
{
    static const char *const keys[] = {"file", "simulated", "model", "layers"};
    bt_status status = BT_OK;
    const bt_node *const targets = bt_node_get(x->experiment->root, "targets");
    const char *section = NULL;
    BT_TRY(bt_node_need_map(targets, "targets"));
    for (size_t i = 0; targets && i < targets->n; ++i) {
        const bt_node *const target = targets->members[i].value;
        BT_TAKE(section, bt_region_print(x->region, "targets.%s", targets->members[i].key));
        BT_TRY(bt_node_need_map(target, section));
        BT_TRY(bt_node_check_keys(target, section, keys, sizeof keys / sizeof *keys));
        const bt_member *const layers = bt_node_member(target, "layers");
        if (layers && !bt_node_get(target, "model"))
            BT_TRY(bt_place_fail(layers->place, "%s.layers: these are of a model; give model: DIR, or leave it out",
                                 section));
        const int n = (bt_node_get(target, "file") != NULL) + (bt_node_get(target, "simulated") != NULL) +
                      (bt_node_get(target, "model") != NULL);
        if (n != 1)
            BT_TRY(bt_place_fail(target->place, "%s: give file: FILE.h5, simulated: PATH or model: DIR, one of them",
                                 section));
    }
cleanup:
    return status;
}

static bt_status expand_tune(bt_expansion *x)
{
    bt_status status = BT_OK;
    const bt_node *const entries = bt_node_get(x->experiment->root, "tune");
    const bt_indices *ignored = NULL;
    BT_TRY(bt_node_need_map(entries, "tune"));
    for (size_t i = 0; entries && i < entries->n; ++i) {
        if (bt_node_get(bt_node_get(x->experiment->root, "models"), entries->members[i].key))
            return bt_place_fail(entries->members[i].place,
                                 "tune.%s: there is a model of this name too; choose another", entries->members[i].key);
        BT_TRY(bt_models_tuned(x, entries->members[i].key, entries->members[i].place, &ignored));
    }
cleanup:
    return status;
}

/* ceiling: {...}: noise ceilings of every subject. */
static bt_status expand_ceiling(bt_expansion *x)
{
    static const char *const own[] = {"subjects", "preset", NULL};
    bt_status status = BT_OK;
    bt_names subjects = {0}, test = {0};
    const bt_node *const section = bt_node_get(x->experiment->root, "ceiling"), *written = NULL;
    const bt_node *const of = bt_node_get(section, "subjects");
    bt_entry entry = {.program = x->program,
                      .experiment = x->experiment,
                      .plan = x->plan,
                      .data = &x->data,
                      .section = "ceiling",
                      .own = own};
    bt_draft draft = {.stage = NULL};
    bool left_out = false;
    if (!section) return BT_OK;
    BT_TRY(bt_node_need_map(section, "ceiling"));
    BT_TRY(of ? bt_node_names(of, "subjects", &subjects) : bt_names_copy(&x->data.subjects, &subjects));
    for (size_t i = 0; i < subjects.n; ++i) {
        size_t task = 0;
        bt_draft_clear(&draft);
        draft = (bt_draft){
            .stage = bt_program_stage(x->program, "ceiling"), .section = "ceiling", .label = subjects.items[i]};
        entry.subject = subjects.items[i];
        BT_TRY(bt_expand_settings(x, &entry, section, &draft));
        BT_TRY(bt_draft_put(&draft, "subject", subjects.items[i], section->place));
        BT_TRY(bt_tree_text(x->region, bt_draft_get(&draft, "stories.test"), section->place, &written));
        bt_names_clear(&test);
        BT_TRY(bt_data_stories(&x->data, written, "stories.test", subjects.items[i], &test, &left_out));
        const bt_data_parts parts = {.responses = &test, .subject = subjects.items[i]};
        BT_TRY(bt_data_need(&x->data, x->plan, &parts, &draft));
        bt_cost_ceiling(&draft, bt_data_rows(&x->data, &test), x->data.n_voxel);
        BT_TRY(bt_plan_add(x->plan, &draft, NULL, &task));
    }
cleanup:
    bt_names_clear(&subjects);
    bt_names_clear(&test);
    bt_draft_clear(&draft);
    return status;
}

bt_status bt_expand(const bt_program *program, bt_experiment *experiment, double rate, bt_plan *out)
{
    bt_status status = BT_OK;
    bt_expansion x = {.program = program, .experiment = experiment, .region = &experiment->region, .plan = out};
    bt_indices encodings = {0};
    *out = (bt_plan){.rate = rate};
    x.data.task = BT_NO_TASK;
    BT_TRY(read_head(experiment, out));
    BT_TRY(bt_data_open(program, experiment, out, &x.data));
    BT_TAKE(out->assumed, x.data.n_voxel_assumed
                              ? bt_region_print(&out->region, "%.0f voxels a subject are assumed", x.data.n_voxel)
                              : bt_region_text(&out->region, ""));
    BT_TRY(check_targets(&x));
    BT_TRY(expand_tune(&x));
    BT_TRY(expand_ceiling(&x));
    BT_TRY(bt_expand_encode(&x, &encodings));
    BT_TRY(bt_expand_missing(&x));
    BT_TRY(bt_expand_results(&x, &encodings));
    BT_TRY(bt_expand_resources(&x));
    for (size_t i = 0; i < out->n_task; ++i)
        if (!(out->tasks[i].seconds > 0)) out->tasks[i].seconds = bt_cost_seconds(&out->tasks[i], rate);
    BT_TRY(bt_plan_finish(out));
cleanup:
    bt_free(encodings.v);
    bt_expansion_clear(&x);
    if (status != BT_OK) bt_plan_clear(out);
    return status;
}
