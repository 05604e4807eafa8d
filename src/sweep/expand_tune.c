/* tune: one task per choice, model, subject and seed. */
#include "sweep/expand.h"

#include "base/memory.h"
#include "io/name_lists.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const own_keys[] = {"models", "per", "subjects", "seeds", "target", "preset", NULL};
static const char *const listed_keys[] = {"target", "voxels.roi", NULL};

/* An entry of tune while it is enumerated. */
typedef struct {
    bt_expansion *x;
    const char *name, *section; /* "brain", "tune.brain" */
    const bt_node *entry;       /* one choice */
    const char *choice;
    bool per_subject, with_subjects;
    bt_names models, subjects, seeds;
    const char *empty_group; /* why it cannot be made: a ROI without labels; NULL */
    bt_place empty_at;
    bt_indices *out;
} tuning;

/* One model to be made. */
typedef struct {
    const bt_variant *base;
    const char *subject; /* NULL: of nobody alone */
    const char *seed;
} making;

static bt_status check_subjects(const tuning *t, const bt_node *node)
{
    for (size_t i = 0; i < t->subjects.n; ++i)
        if (!bt_names_have(&t->x->data.subjects, t->subjects.items[i]))
            return bt_place_fail(node->place, "%s.subjects: %s is not one of dataset.subjects", t->section,
                                 t->subjects.items[i]);
    return BT_OK;
}

static char *key_of(const tuning *t, const char *key)
{
    return bt_region_print(t->x->region, "%s.%s", t->section, key);
}

static bt_status read_lists(tuning *t)
{
    bt_status status = BT_OK;
    const char *of_models = NULL, *of_subjects = NULL, *of_seeds = "seeds";
    const bt_node *const models = bt_node_get(t->entry, "models"), *const per = bt_node_get(t->entry, "per");
    const bt_node *seeds = bt_node_get(t->entry, "seeds"), *const subjects = bt_node_get(t->entry, "subjects");
    const bt_node *const objective = bt_node_get(t->entry, "objective");
    if (!models)
        return bt_place_fail(t->entry->place, "%s.models: missing; expected a list of names of `models`", t->section);
    if (per && !bt_node_is(per, "subject")) return bt_place_fail(per->place, "%s.per: expected subject", t->section);
    const bool learns_responses = !objective || bt_node_is(objective, "brain") || bt_node_is(objective, "random");
    if (per && bt_node_is(objective, "file"))
        return bt_place_fail(per->place, "%s.per: this objective learns nobody's responses; leave it out", t->section);
    BT_TAKE(of_models, key_of(t, "models"));
    BT_TAKE(of_subjects, key_of(t, "subjects"));
    if (seeds) BT_TAKE(of_seeds, key_of(t, "seeds"));
    if (!seeds) seeds = bt_node_get(t->x->experiment->root, "seeds");
    t->per_subject = per != NULL;
    t->with_subjects = learns_responses || subjects;
    BT_TRY(bt_node_names(models, of_models, &t->models));
    BT_TRY(bt_entry_list(seeds, of_seeds, "0", &t->seeds));
    BT_TRY(subjects ? bt_node_names(subjects, of_subjects, &t->subjects)
                    : bt_names_copy(&t->x->data.subjects, &t->subjects));
    if (subjects) BT_TRY(check_subjects(t, subjects));
cleanup:
    return status;
}

/* target: NAME of `targets`. What it is when it is no file. */
static bt_status put_target(const tuning *t, bt_draft *draft)
{
    bt_status status = BT_OK;
    const bt_node *const name = bt_node_get(t->entry, "target");
    const bt_node *const targets = bt_node_get(t->x->experiment->root, "targets");
    const char *path = NULL;
    if (!name) return BT_OK;
    if (name->kind != BT_NODE_TEXT)
        return bt_place_fail(name->place, "%s.target: expected a name of `targets`", t->section);
    const bt_node *const target = bt_node_get(targets, name->text);
    const bt_node *const file = bt_node_get(target, "file"), *const inside = bt_node_get(target, "simulated");
    if (!target) {
        const char *const near = bt_node_nearest_key(targets, name->text);
        return bt_place_fail(name->place, "%s.target: there is no targets.%s%s%s%s", t->section, name->text,
                             near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    if (inside && t->x->data.task != BT_NO_TASK && inside->kind == BT_NODE_TEXT)
        return bt_draft_need(draft, t->x->plan, "target", t->x->data.task, inside->text);
    if (!file || file->kind != BT_NODE_TEXT)
        return bt_place_fail(target->place, "targets.%s: expected {file: FILE.h5} for this objective%s", name->text,
                             inside ? "; {simulated: ...} needs dataset.simulate" : "");
    BT_TAKE(path, bt_place_path(t->x->region, file->place, file->text));
    BT_TRY(bt_draft_put(draft, "target", path, file->place));
    BT_TRY(bt_draft_file(draft, "target", path));
cleanup:
    return status;
}

/* Why this model cannot be made yet, and where the experiment says so; NULL when it can. */
static const char *find_gap(const tuning *t, const making *m, bt_place *place)
{
    const bt_member *const objective = bt_node_member(t->entry, "objective");
    const bool text = objective && objective->value->kind == BT_NODE_TEXT;
    const char *why = text ? bt_not_built("tune", "objective", objective->value->text) : NULL;
    *place = t->entry->place;
    if (why) {
        *place = objective->place;
        return why;
    }
    if (m->base->why) {
        *place = m->base->place;
        return m->base->why;
    }
    if (!bt_program_stage(t->x->program, "tune")) return "stage tune";
    if (t->empty_group) *place = t->empty_at;
    return t->empty_group;
}

/* Names of voxels.roi. */
static bt_status read_rois(const tuning *t, bt_names *names, bt_place *place)
{
    const bt_node *const rois = bt_node_at(t->entry, "voxels.roi");
    if (!rois) return BT_OK;
    *place = rois->place;
    return bt_node_names(rois, "voxels.roi", names);
}

/* The file of the ROIs' groups: the entry's own, else the data set's; NULL: none is named. */
static bt_status groups_file(const tuning *t, const char **path)
{
    const bt_node *const own = bt_node_at(t->entry, "roi.groups"), *const rois =
                                                                       bt_node_get(t->x->data.section, "rois");
    const bt_node *const file = own ? own : bt_node_get(rois, "groups");
    *path = NULL;
    return file && file->kind == BT_NODE_TEXT ? bt_entry_file(t->x->region, file, "experiments", path) : BT_OK;
}

/* A ROI that is a group whose labels nobody has written down, and where the experiment asks for it. */
static bt_status find_empty_group(tuning *t)
{
    bt_status status = BT_OK;
    bt_names wanted = {0};
    bt_name_lists groups = {0};
    const char *path = NULL;
    t->empty_group = NULL;
    BT_TRY(read_rois(t, &wanted, &t->empty_at));
    if (wanted.n > 0) BT_TRY(groups_file(t, &path));
    if (path) BT_TRY(bt_name_lists_read(path, &groups));
    for (size_t g = 0; g < groups.keys.n && !t->empty_group; ++g)
        if (groups.lists[g].n == 0 && bt_names_have(&wanted, groups.keys.items[g]))
            BT_TAKE(t->empty_group, bt_region_print(t->x->region, "the group %s, which has no labels in %s",
                                                    groups.keys.items[g], path));
cleanup:
    bt_names_clear(&wanted);
    bt_name_lists_clear(&groups);
    return status;
}

static bt_status put_subjects(const tuning *t, const making *m, bt_draft *draft)
{
    bt_text all = {0};
    bt_status status = m->subject ? bt_text_add(&all, "%s", m->subject) : bt_names_join(&t->subjects, &all);
    if (status == BT_OK) status = bt_draft_put(draft, "subjects", all.data, t->entry->place);
    bt_text_clear(&all);
    return status;
}

/* The stories of both roles, for `subject` or (NULL) for nobody's responses; *trained: those of the first. */
static bt_status both_roles(const tuning *t, const bt_draft *draft, const char *subject, bt_names *stories,
                            double *rows, bool *left_out)
{
    static const char *const keys[] = {"stories.tune", "stories.validate"};
    bt_status status = BT_OK;
    bool some = false;
    for (size_t r = 0; r < 2; ++r) {
        const bt_node *written = NULL;
        BT_TRY(bt_tree_text(t->x->region, bt_draft_get(draft, keys[r]), t->entry->place, &written));
        BT_TRY(bt_data_stories(&t->x->data, written, keys[r], subject, stories, &some));
        *left_out = *left_out || some;
        if (r == 0 && rows) *rows = bt_data_rows(&t->x->data, stories);
    }
cleanup:
    return status;
}

/* The subject's test stories, where noise ceilings may be of their repeats; one that it did not hear has none. */
static bt_status add_repeated(const tuning *t, const bt_draft *draft, const char *subject, bt_names *stories)
{
    bt_status status = BT_OK;
    bt_names test = {0};
    const bt_node *written = NULL;
    const char *const ceiling = bt_draft_get(draft, "voxels.ceiling"), *const role =
                                                                           bt_draft_get(draft, "stories.test");
    bool left_out = false;
    if (!*role || (*ceiling && strcmp(ceiling, "auto") != 0 && strcmp(ceiling, "repeats") != 0)) return BT_OK;
    BT_TRY(bt_tree_text(t->x->region, role, t->entry->place, &written));
    BT_TRY(bt_data_stories(&t->x->data, written, "stories.test", NULL, &test, &left_out));
    for (size_t i = 0; i < test.n; ++i)
        if (bt_dataset_has_responses(t->x->data.dataset, subject, test.items[i]) &&
            !bt_names_have(stories, test.items[i]))
            BT_TRY(bt_names_add(stories, test.items[i]));
cleanup:
    bt_names_clear(&test);
    return status;
}

/* Rows whose frames no task before this one stores. Subjects and objectives share them: they are of a story's windows
 * and the weights that stay as they are. */
static bt_status count_frames(const tuning *t, const making *m, const bt_draft *draft, const bt_names *stories,
                              double *rows)
{
    static const char *const keys[] = {"window.seconds", "window.rule",  "normalise",
                                       "whisper.input",  "train.blocks", "lora.rank"};
    bt_status status = BT_OK;
    bt_text windows = {0}, name = {0};
    *rows = 0;
    if (!bt_cost_keeps_frames(draft)) return BT_OK;
    for (size_t k = 0; k < sizeof keys / sizeof *keys; ++k)
        BT_TRY(bt_text_add(&windows, " %s", bt_draft_get(draft, keys[k])));
    for (size_t i = 0; i < stories->n; ++i) {
        const bt_names one = {.n = 1, .items = &stories->items[i]};
        bt_text_clear(&name);
        BT_TRY(bt_text_add(&name, "%s%s %s", m->base->model, windows.data, stories->items[i]));
        if (bt_names_have(&t->x->frames, name.data)) continue;
        BT_TRY(bt_names_add(&t->x->frames, name.data));
        *rows += bt_data_rows(&t->x->data, &one);
    }
cleanup:
    bt_text_clear(&windows);
    bt_text_clear(&name);
    return status;
}

/* Every sound, and each subject's responses. */
static bt_status need_data(const tuning *t, const making *m, bt_draft *draft, double *rows, double *frame_rows)
{
    bt_status status = BT_OK;
    bt_names sounds = {0}, heard = {0};
    bool left_out = false;
    const size_t n = !t->with_subjects || !t->x->data.dataset ? 0 : m->subject ? 1 : t->subjects.n;
    BT_TRY(both_roles(t, draft, NULL, &sounds, rows, &left_out));
    BT_TRY(count_frames(t, m, draft, &sounds, frame_rows));
    const bt_data_parts shared = {.sounds = &sounds};
    BT_TRY(bt_data_need(&t->x->data, t->x->plan, &shared, draft));
    for (size_t i = 0; i < n; ++i) {
        const bt_data_parts parts = {.responses = &heard, .subject = m->subject ? m->subject : t->subjects.items[i]};
        bt_names_clear(&heard);
        BT_TRY(both_roles(t, draft, parts.subject, &heard, NULL, &left_out));
        BT_TRY(add_repeated(t, draft, parts.subject, &heard));
        BT_TRY(bt_data_need(&t->x->data, t->x->plan, &parts, draft));
    }
    if (left_out && bt_draft_knows(draft, "stories.missing"))
        BT_TRY(bt_draft_put(draft, "stories.missing", "skip", t->entry->place));
cleanup:
    bt_names_clear(&sounds);
    bt_names_clear(&heard);
    return status;
}

static double largest(const char *list)
{
    double most = 0;
    for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',') most = fmax(most, strtod(at, NULL));
    return most;
}

static bool is_zero(const bt_draft *draft, const char *key)
{
    const char *const text = bt_draft_get(draft, key);
    return !*text || strtod(text, NULL) <= 0;
}

/* Defaults of a preset that mean nothing to this objective would count as part of what was asked for. */
static void drop_idle(const tuning *t, bt_draft *draft)
{
    static const char *const of_responses[] = {"voxels", "rois", "roi", "heads", "stories.test", "stories.missing"};
    const char *const objective = bt_draft_get(draft, "objective");
    const bool random = !strcmp(objective, "random"), file = !strcmp(objective, "file");
    for (size_t i = 0; i < sizeof of_responses / sizeof *of_responses && !t->with_subjects; ++i)
        bt_draft_drop_defaults(draft, of_responses[i]);
    if (!random) bt_draft_drop_defaults(draft, "random");
    if (!file) bt_draft_drop_defaults(draft, "target");
    if (is_zero(draft, "lora.rank")) bt_draft_drop_defaults(draft, "lora");
    if (is_zero(draft, "mask.time")) bt_draft_drop_defaults(draft, "mask.time_length");
    if (is_zero(draft, "mask.feature")) bt_draft_drop_defaults(draft, "mask.feature_length");
    if (largest(bt_draft_get(draft, "snapshots")) > largest(bt_draft_get(draft, "epochs")))
        bt_draft_drop_defaults(draft, "snapshots");
}

static bt_status add_task(const tuning *t, const making *m, bt_variant *variant)
{
    bt_status status = BT_OK;
    double rows = 0, frame_rows = 0;
    bt_expansion *const x = t->x;
    bt_draft draft = {.stage = bt_program_stage(x->program, "tune"),
                      .section = t->section,
                      .label = variant->label,
                      .about = variant->about};
    const bt_entry entry = {.program = x->program,
                            .experiment = x->experiment,
                            .plan = x->plan,
                            .data = &x->data,
                            .section = t->section,
                            .own = own_keys,
                            .subject = m->subject,
                            .subjects = t->with_subjects && !m->subject ? &t->subjects : NULL};
    BT_TRY(bt_expand_model(x, m->base, &draft));
    BT_TRY(bt_expand_settings(x, &entry, t->entry, &draft));
    BT_TRY(bt_draft_put(&draft, "seed", m->seed, t->entry->place));
    if (t->with_subjects) BT_TRY(put_subjects(t, m, &draft));
    BT_TRY(put_target(t, &draft));
    drop_idle(t, &draft);
    BT_TRY(need_data(t, m, &draft, &rows, &frame_rows));
    const double n_subject = !t->with_subjects ? 0 : m->subject ? 1 : (double)t->subjects.n;
    bt_cost_tune(&draft, &variant->size, rows * fmax(1, n_subject), x->data.n_voxel, frame_rows);
    BT_TRY(bt_plan_add(x->plan, &draft, NULL, &variant->task));
cleanup:
    bt_draft_clear(&draft);
    return status;
}

static bt_status name_variant(const tuning *t, const making *m, bt_variant *variant)
{
    bt_status status = BT_OK;
    const char *seed = "";
    if (t->seeds.n > 1) BT_TAKE(seed, bt_region_print(t->x->region, "seed=%s", m->seed));
    BT_TAKE(variant->choice, bt_region_print(t->x->region, "%s%s%s", t->choice, *t->choice && *seed ? " " : "", seed));
    BT_TAKE(variant->label,
            bt_region_print(t->x->region, "%s.%s%s%s%s%s", t->name, m->base->model, *variant->subject ? " " : "",
                            variant->subject, *variant->choice ? " " : "", variant->choice));
cleanup:
    return status;
}

/* As braintune.json and the tables will have it. */
static bt_status describe(const tuning *t, const making *m, bt_about *about)
{
    bt_status status = BT_OK;
    const bt_node *const objective = bt_node_get(t->entry, "objective"), *const target =
                                                                             bt_node_get(t->entry, "target");
    const bt_node *const called = bt_node_at(t->entry, "label.objective"), *const name =
                                                                               bt_node_at(t->entry, "label.name");
    about->set = t->name;
    about->objective = "brain";
    if (objective && objective->kind == BT_NODE_TEXT) about->objective = objective->text;
    if (called && called->kind == BT_NODE_TEXT) about->objective = called->text;
    if (name && name->kind == BT_NODE_TEXT) about->model = name->text;
    if (target && target->kind == BT_NODE_TEXT) about->target = target->text;
    if (m->subject) BT_TAKE(about->tuned_subject, bt_region_text(t->x->region, m->subject));
    BT_TAKE(about->seed, bt_region_text(t->x->region, m->seed));
cleanup:
    return status;
}

static bt_status make(const tuning *t, const making *m)
{
    bt_status status = BT_OK;
    size_t index = 0;
    bt_variant variant = *m->base;
    variant.set = t->name;
    variant.subject = "";
    if (m->subject) BT_TAKE(variant.subject, bt_region_text(t->x->region, m->subject));
    BT_TRY(describe(t, m, &variant.about));
    variant.path = NULL;
    variant.tail = "";
    variant.task = BT_NO_TASK;
    BT_TRY(name_variant(t, m, &variant));
    variant.why = find_gap(t, m, &variant.place);
    if (variant.why)
        BT_TRY(bt_expansion_gap_about(t->x, "tune", t->section, variant.label, variant.why, variant.place,
                                      &variant.about));
    else
        BT_TRY(add_task(t, m, &variant));
    BT_TRY(bt_models_add(t->x, &variant, &index));
    BT_TRY(bt_indices_add(t->out, index));
cleanup:
    return status;
}

static bt_status make_all(const tuning *t)
{
    bt_status status = BT_OK;
    const bt_node *const list = bt_node_get(t->entry, "models");
    const size_t n_subject = t->per_subject ? t->subjects.n : 1;
    const char *key = NULL;
    BT_TAKE(key, key_of(t, "models"));
    for (size_t i = 0; i < t->models.n; ++i) {
        const bt_place place = list->kind == BT_NODE_LIST ? list->items[i]->place : list->place;
        size_t base = 0;
        BT_TRY(bt_models_base(t->x, key, t->models.items[i], place, &base));
        const bt_variant from = t->x->variants[base]; /* the array moves as it grows */
        for (size_t s = 0; s < n_subject; ++s)
            for (size_t k = 0; k < t->seeds.n; ++k) {
                const making m = {&from, t->per_subject ? t->subjects.items[s] : NULL, t->seeds.items[k]};
                BT_TRY(make(t, &m));
            }
    }
cleanup:
    return status;
}

bt_status bt_expand_tune(bt_expansion *x, const char *name, const bt_node *entry, bt_indices *out)
{
    bt_status status = BT_OK;
    bt_choice *choices = NULL;
    size_t n = 0;
    tuning t = {.x = x, .name = name, .out = out};
    BT_TAKE(t.section, bt_region_print(x->region, "tune.%s", name));
    BT_TRY(bt_node_need_map(entry, t.section));
    BT_TRY(bt_entry_choices(x->region, entry, listed_keys, &choices, &n));
    for (size_t i = 0; i < n; ++i) {
        t.entry = choices[i].entry;
        t.choice = choices[i].label;
        BT_TRY(read_lists(&t));
        BT_TRY(find_empty_group(&t));
        BT_TRY(make_all(&t));
        bt_names_clear(&t.models);
        bt_names_clear(&t.subjects);
        bt_names_clear(&t.seeds);
    }
cleanup:
    bt_names_clear(&t.models);
    bt_names_clear(&t.subjects);
    bt_names_clear(&t.seeds);
    return status;
}
