/* encode: features of every model, encoded for every subject that it is for; and encodings of low-level features.
 * lowlevel: the first with low-level features taken out of the model's. */
#include "sweep/expand.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const own_keys[] = {"models",      "models_of", "features", "lowlevel", "subjects",
                                       "evaluate_on", "scores",    "preset",   NULL};
static const char *const own_keys_of_lowlevel[] = {"models",      "models_of", "features", "lowlevel", "subjects",
                                                   "evaluate_on", "scores",    "preset",   "removed",  NULL};
static const char *const listed_keys[] = {NULL};

/* One choice of an entry of encode or lowlevel. */
typedef struct {
    bt_expansion *x;
    const char *section; /* "encode.alignment" */
    bt_place place;      /* where the entry is */
    bool removes;        /* is of lowlevel */
    const bt_node *entry;
    const char *choice;
    bt_removals removals;
    bt_names subjects;
    bt_names heard;         /* stories whose features are needed; all subjects' together */
    const bt_names *sounds; /* those that the features are made for: as many or more */
} encoding;

typedef struct {
    size_t n, capacity;
    encoding *items;
    bt_indices *tasks; /* the encodings' */
} encodings;

static bt_entry entry_of(const encoding *e, const char *subject)
{
    return (bt_entry){.program = e->x->program,
                      .experiment = e->x->experiment,
                      .plan = e->x->plan,
                      .data = &e->x->data,
                      .section = e->section,
                      .own = e->removes ? own_keys_of_lowlevel : own_keys,
                      .subject = subject};
}

/* Settings of an encoding for one subject, without its inputs. */
static bt_status encode_settings(const encoding *e, const char *subject, bt_draft *draft)
{
    bt_status status = BT_OK;
    const bt_entry entry = entry_of(e, subject);
    BT_TRY(bt_expand_settings(e->x, &entry, e->entry, draft));
    BT_TRY(bt_draft_put(draft, "subject", subject, e->entry->place));
cleanup:
    return status;
}

/* The stories of the draft's roles, for its subject. */
static bt_status stories_of(const encoding *e, const bt_draft *draft, const char *key, bt_names *stories)
{
    bt_status status = BT_OK;
    const bt_node *written = NULL;
    bool left_out = false;
    BT_TRY(bt_tree_text(e->x->region, bt_draft_get(draft, key), e->entry->place, &written));
    BT_TRY(bt_data_stories(&e->x->data, written, key, NULL, stories, &left_out));
cleanup:
    return status;
}

static bt_status add_all(bt_names *to, const bt_names *from)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < from->n; ++i)
        if (!bt_names_have(to, from->items[i])) BT_TRY(bt_names_add(to, from->items[i]));
cleanup:
    return status;
}

static bt_status find_heard(encoding *e)
{
    bt_status status = BT_OK;
    bt_names stories = {0};
    bt_draft draft = {.stage = bt_program_stage(e->x->program, "encode"), .section = e->section, .label = ""};
    for (size_t i = 0; i < e->subjects.n; ++i) {
        bt_draft_clear(&draft);
        draft = (bt_draft){.stage = bt_program_stage(e->x->program, "encode"), .section = e->section, .label = ""};
        BT_TRY(encode_settings(e, e->subjects.items[i], &draft));
        bt_names_clear(&stories);
        BT_TRY(stories_of(e, &draft, "stories.encode", &stories));
        BT_TRY(stories_of(e, &draft, "stories.test", &stories));
        BT_TRY(add_all(&e->heard, &stories));
    }
    bt_names_sort(&e->heard);
cleanup:
    bt_names_clear(&stories);
    bt_draft_clear(&draft);
    return status;
}

static bool holds_all(const bt_names *in, const bt_names *what)
{
    for (size_t i = 0; i < what->n; ++i)
        if (!bt_names_have(in, what->items[i])) return false;
    return true;
}

/* Encodings whose stories are some of another's share its features. */
static void share_sounds(encodings *all)
{
    for (size_t i = 0; i < all->n; ++i) {
        encoding *const e = &all->items[i];
        e->sounds = &e->heard;
        for (size_t k = 0; k < all->n; ++k)
            if (all->items[k].heard.n > e->sounds->n && holds_all(&all->items[k].heard, &e->heard))
                e->sounds = &all->items[k].heard;
    }
}

static bt_status put_sounds(const encoding *e, bt_draft *draft)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    BT_TRY(bt_names_join(e->sounds, &text));
    BT_TRY(bt_draft_put(draft, "stories", text.data, e->entry->place));
cleanup:
    bt_text_clear(&text);
    return status;
}

/* --- features --------------------------------------------------------------------------------------------------------
 */

static bt_status add_features(const encoding *e, const bt_variant *variant, size_t *task)
{
    bt_status status = BT_OK;
    bt_expansion *const x = e->x;
    const bt_node *own = bt_node_get(e->entry, "features");
    bt_entry entry = entry_of(e, NULL);
    bt_draft draft = {
        .stage = bt_program_stage(x->program, "features"), .label = variant->label, .about = variant->about};
    const bt_data_parts parts = {.sounds = e->sounds};
    BT_TAKE(draft.section,
            own ? bt_region_print(x->region, "%s.features", e->section) : bt_region_text(x->region, "features"));
    if (!own) own = bt_node_get(x->experiment->root, "features");
    BT_TRY(bt_node_need_map(own, draft.section));
    entry.section = draft.section;
    entry.own = NULL;
    BT_TRY(bt_expand_model(x, variant, &draft));
    BT_TRY(bt_expand_settings(x, &entry, own, &draft));
    BT_TRY(bt_data_need(&x->data, x->plan, &parts, &draft));
    BT_TRY(put_sounds(e, &draft));
    bt_cost_features(&draft, &variant->size, bt_data_seconds(&x->data, e->sounds), bt_data_rows(&x->data, e->sounds));
    BT_TRY(bt_plan_add(x->plan, &draft, NULL, task));
cleanup:
    bt_draft_clear(&draft);
    return status;
}

/* Settings of the stage lowlevel, and the features that it makes; NULL: as the settings say. *made: these. */
static bt_status add_lowlevel(const encoding *e, const bt_node *settings, const char *features, const char **made,
                              size_t *task)
{
    bt_status status = BT_OK;
    bt_expansion *const x = e->x;
    const bt_node *preset = NULL;
    bt_entry entry = entry_of(e, NULL);
    bt_draft draft = {.stage = bt_program_stage(x->program, "lowlevel"), .label = "low-level"};
    const bt_data_parts parts = {.sounds = e->sounds, .words = e->sounds};
    BT_TAKE(draft.section, bt_region_print(x->region, "%s.lowlevel", e->section));
    entry.section = draft.section;
    entry.own = NULL;
    BT_TRY(bt_node_need_map(settings, draft.section));
    BT_TRY(bt_experiment_block(x->experiment, e->entry, "lowlevel", &preset));
    BT_TRY(bt_entry_put(&entry, preset, BT_ENTRY_PRESET, &draft));
    BT_TRY(bt_expand_settings(x, &entry, settings, &draft));
    if (features) BT_TRY(bt_draft_put(&draft, "features", features, e->place));
    BT_TRY(bt_data_need(&x->data, x->plan, &parts, &draft));
    BT_TRY(put_sounds(e, &draft));
    bt_cost_lowlevel(&draft, bt_data_seconds(&x->data, e->sounds), bt_data_rows(&x->data, e->sounds));
    BT_TRY(bt_plan_add(x->plan, &draft, NULL, task));
    BT_TAKE(*made, bt_region_text(x->region, bt_draft_get(&draft, "features")));
cleanup:
    bt_draft_clear(&draft);
    return status;
}

/* --- encodings -------------------------------------------------------------------------------------------------------
 */

static bt_status need_responses(const encoding *e, const char *subject, bt_draft *draft, double *rows,
                                double *test_rows)
{
    bt_status status = BT_OK;
    bt_names train = {0}, test = {0};
    BT_TRY(stories_of(e, draft, "stories.encode", &train));
    BT_TRY(stories_of(e, draft, "stories.test", &test));
    *rows = bt_data_rows(&e->x->data, &train);
    *test_rows = bt_data_rows(&e->x->data, &test);
    BT_TRY(bt_names_copy(&test, &train));
    const bt_data_parts parts = {.responses = &train, .subject = subject};
    BT_TRY(bt_data_need(&e->x->data, e->x->plan, &parts, draft));
cleanup:
    bt_names_clear(&train);
    bt_names_clear(&test);
    return status;
}

/* What is encoded: a model's features, or low-level ones. */
typedef struct {
    const char *label;
    bt_about about;
    size_t features; /* the task */
    size_t lowlevel; /* that makes what is removed, or BT_NO_TASK */
    const char *spaces;
    double n_feature, n_layer;
} source;

/* The features' file, and that of what is removed. */
static bt_status remove_features(const encoding *e, const source *from, const bt_removed *without, bt_draft *draft)
{
    bt_status status = BT_OK;
    bt_text files = {0};
    const bt_task *const tasks = e->x->plan->tasks;
    if (!*without->features) return BT_OK;
    BT_TRY(bt_draft_need(draft, e->x->plan, NULL, from->lowlevel, ""));
    BT_TRY(bt_text_add(&files, "%s,%s", tasks[from->features].out, tasks[from->lowlevel].out));
    BT_TRY(bt_draft_put(draft, "features", files.data, e->place));
    BT_TRY(bt_draft_put(draft, "remove", without->features, e->place));
    if (!*bt_draft_get(draft, "layers") && !*bt_draft_get(draft, "spaces"))
        BT_TRY(bt_draft_put(draft, "layers", "all", e->place));
cleanup:
    bt_text_clear(&files);
    return status;
}

static const char *label_of(const encoding *e, const source *from, const char *subject, const bt_removed *without)
{
    return bt_region_print(e->x->region, "%s on %s%s%s%s", from->label, subject, *e->choice ? " " : "", e->choice,
                           without->label);
}

static bt_status add_encoding(const encoding *e, const source *from, const char *subject, const bt_removed *without,
                              bt_indices *tasks)
{
    bt_status status = BT_OK;
    bt_expansion *const x = e->x;
    double rows = 0, test_rows = 0;
    size_t task = 0;
    bt_draft draft = {.stage = bt_program_stage(x->program, "encode"), .section = e->section, .about = from->about};
    draft.about.subject = subject;
    BT_TAKE(draft.label, label_of(e, from, subject, without));
    BT_TRY(encode_settings(e, subject, &draft));
    BT_TRY(bt_draft_need(&draft, x->plan, "features", from->features, ""));
    BT_TRY(remove_features(e, from, without, &draft));
    if (from->spaces && !*bt_draft_get(&draft, "spaces"))
        BT_TRY(bt_draft_put(&draft, "spaces", from->spaces, e->entry->place));
    BT_TRY(need_responses(e, subject, &draft, &rows, &test_rows));
    bt_cost_encode(&draft, from->n_feature, from->n_layer, rows, test_rows, x->data.n_voxel);
    BT_TRY(bt_plan_add(x->plan, &draft, NULL, &task));
    BT_TRY(bt_indices_add(tasks, task));
cleanup:
    bt_draft_clear(&draft);
    return status;
}

/* Is a model that was tuned on `whose` ("": on nobody's alone) evaluated on `subject`? */
static bt_status is_evaluated(const encoding *e, const char *whose, const char *subject, bool *is)
{
    bt_status status = BT_OK;
    bt_names on = {0};
    const bt_node *const node = bt_node_get(e->entry, "evaluate_on");
    *is = !*whose || !strcmp(whose, subject);
    if (!node || !*whose) return BT_OK;
    BT_TRY(bt_node_names(node, "evaluate_on", &on));
    *is = false;
    for (size_t i = 0; i < on.n; ++i) {
        const char *const item = on.items[i];
        const bool own = !strcmp(item, "own"), others = !strcmp(item, "others"), all = !strcmp(item, "all");
        if (!own && !others && !all && !bt_names_have(&e->x->data.subjects, item))
            BT_TRY(bt_place_fail(node->place, "%s.evaluate_on: expected own, others, all or subjects; found %s",
                                 e->section, item));
        *is = *is || all || !strcmp(item, subject) || (own && !strcmp(whose, subject)) ||
              (others && strcmp(whose, subject) != 0);
    }
cleanup:
    bt_names_clear(&on);
    return status;
}

/* A model on a subject, with all or without some of its features; what is not there yet is made or a gap. */
static bt_status encode_subject(const encoding *e, const bt_variant *variant, const char *subject,
                                const bt_removed *without, source *from, bt_indices *tasks)
{
    bt_status status = BT_OK;
    const char *label = NULL, *made = NULL;
    if (variant->why || without->why) {
        from->about.subject = subject;
        BT_TAKE(label, label_of(e, from, subject, without));
        return bt_expansion_gap_about(e->x, "encode", e->section, label, without->why ? without->why : variant->why,
                                      without->why ? e->place : variant->place, &from->about);
    }
    if (from->features == BT_NO_TASK) BT_TRY(add_features(e, variant, &from->features));
    if (*without->features && from->lowlevel == BT_NO_TASK)
        BT_TRY(add_lowlevel(e, bt_node_get(e->entry, "lowlevel"), e->removals.features, &made, &from->lowlevel));
    BT_TRY(add_encoding(e, from, subject, without, tasks));
cleanup:
    return status;
}

static bt_status encode_variant(const encoding *e, size_t index, bt_indices *tasks)
{
    bt_status status = BT_OK;
    const bt_variant variant = e->x->variants[index];
    source from = {.label = variant.label,
                   .about = variant.about,
                   .n_feature = (double)variant.size.n_hidden,
                   .n_layer = (double)variant.size.n_block + 1,
                   .features = BT_NO_TASK,
                   .lowlevel = BT_NO_TASK};
    for (size_t i = 0; i < e->subjects.n; ++i) {
        const char *const subject = e->subjects.items[i];
        bool is = false;
        BT_TRY(is_evaluated(e, variant.subject, subject, &is));
        for (size_t r = 0; is && r < e->removals.n; ++r)
            BT_TRY(encode_subject(e, &variant, subject, &e->removals.items[r], &from, tasks));
    }
cleanup:
    return status;
}

/* lowlevel: [envelope, word_rate], or a map of the stage's settings. */
static bt_status encode_lowlevel(const encoding *e, const bt_node *asked, bt_indices *tasks)
{
    bt_status status = BT_OK;
    source from = {
        .label = "low-level", .about = {.set = "low-level", .model = "lowlevel"}, .n_feature = 1, .n_layer = 1};
    const bool listed = asked->kind != BT_NODE_MAP;
    bt_text list = {0};
    const char *made = NULL;
    char *spaces = NULL;
    if (listed) BT_TRY(bt_node_join(asked, e->section, &list));
    BT_TRY(add_lowlevel(e, listed ? NULL : asked, list.data, &made, &from.features));
    BT_TAKE(spaces, bt_region_text(e->x->region, made));
    for (char *at = spaces; (at = strchr(at, ',')); ++from.n_feature) *at = '+';
    from.spaces = spaces;
    for (size_t i = 0; i < e->subjects.n; ++i)
        BT_TRY(add_encoding(e, &from, e->subjects.items[i], &e->removals.items[0], tasks));
cleanup:
    bt_text_clear(&list);
    return status;
}

static bt_status expand_one(const encoding *e, bt_indices *tasks)
{
    bt_status status = BT_OK;
    bt_indices variants = {0};
    const bt_node *models = bt_node_get(e->entry, "models"), *const asked = bt_node_get(e->entry, "lowlevel");
    if (bt_node_is(models, "")) models = NULL; /* ~ takes away what `like` brought */
    if (e->removes && !models) return bt_place_fail(e->place, "%s: expected models: and remove:", e->section);
    if (!e->removes && !models == !asked)
        return bt_place_fail(e->entry->place, "%s: give models: [...] or lowlevel: [features], one of the two",
                             e->section);
    if (!e->removes && asked) return encode_lowlevel(e, asked, tasks);
    BT_TRY(bt_models_select(e->x, e->section, models, bt_node_get(e->entry, "models_of"), &variants));
    for (size_t i = 0; i < variants.n; ++i) BT_TRY(encode_variant(e, variants.v[i], tasks));
cleanup:
    bt_free(variants.v);
    return status;
}

static bt_status read_subjects(encoding *e)
{
    bt_status status = BT_OK;
    const bt_node *const subjects = bt_node_get(e->entry, "subjects");
    const char *key = NULL;
    if (!subjects) return bt_names_copy(&e->x->data.subjects, &e->subjects);
    BT_TAKE(key, bt_region_print(e->x->region, "%s.subjects", e->section));
    BT_TRY(bt_node_names(subjects, key, &e->subjects));
    for (size_t i = 0; i < e->subjects.n; ++i)
        if (!bt_names_have(&e->x->data.subjects, e->subjects.items[i]))
            BT_TRY(bt_place_fail(subjects->place, "%s.subjects: %s is not one of dataset.subjects", e->section,
                                 e->subjects.items[i]));
cleanup:
    return status;
}

bt_status bt_expand_scores(bt_expansion *x, const char *section, const bt_node *scores)
{
    static const char *const built[] = {"r", "r_norm", "r2", "spe"}; /* always written, whatever is listed */
    bt_status status = BT_OK;
    bt_names names = {0};
    const char *key = NULL;
    if (!scores) return BT_OK;
    BT_TAKE(key, bt_region_print(x->region, "%s.scores", section));
    BT_TRY(bt_node_names(scores, key, &names));
    for (size_t i = 0; i < names.n; ++i) {
        bool is_built = false;
        for (size_t k = 0; k < sizeof built / sizeof *built; ++k)
            is_built = is_built || !strcmp(built[k], names.items[i]);
        if (is_built) continue;
        BT_TAKE(key, bt_region_print(x->region, "scores=%s", names.items[i]));
        BT_TRY(bt_expansion_gap(x, "", section, key, "a score that encode does not write; it writes r, r_norm, r2, spe",
                                scores->place));
    }
cleanup:
    bt_names_clear(&names);
    return status;
}

static bt_status read_removals(encoding *e)
{
    static bt_removed nothing = {.label = "", .features = ""};
    const bt_node *const list = bt_node_get(e->entry, "removed");
    e->removals = (bt_removals){.n = 1, .items = &nothing, .features = ""};
    if (!e->removes) return BT_OK;
    if (!list) return bt_place_fail(e->place, "%s: expected models: and remove:", e->section);
    return bt_expand_removals(e->x, e->section, list, &e->removals);
}

/* The choices of an entry, each with its subjects and stories. */
static bt_status add_entry(bt_expansion *x, const char *of, const bt_member *member, encodings *all)
{
    bt_status status = BT_OK;
    bt_choice *choices = NULL;
    size_t n = 0;
    const char *section = NULL;
    BT_TAKE(section, bt_region_print(x->region, "%s.%s", of, member->key));
    BT_TRY(bt_node_need_map(member->value, section));
    BT_TRY(bt_entry_choices(x->region, member->value, listed_keys, &choices, &n));
    for (size_t i = 0; i < n; ++i) {
        BT_GROW(all->items, all->n, all->capacity);
        encoding *const e = &all->items[all->n++];
        *e = (encoding){.x = x,
                        .section = section,
                        .place = member->place,
                        .removes = !strcmp(of, "lowlevel"),
                        .entry = choices[i].entry,
                        .choice = choices[i].label};
        BT_TRY(read_removals(e));
        BT_TRY(bt_expand_scores(x, section, bt_node_get(e->entry, "scores")));
        BT_TRY(read_subjects(e));
        BT_TRY(find_heard(e));
    }
cleanup:
    return status;
}

bt_status bt_expand_encode(bt_expansion *x, bt_indices *tasks)
{
    bt_status status = BT_OK;
    encodings all = {.tasks = tasks};
    static const char *const sections[] = {"encode", "lowlevel"};
    for (size_t s = 0; s < sizeof sections / sizeof *sections; ++s) {
        const bt_node *const entries = bt_node_get(x->experiment->root, sections[s]);
        BT_TRY(bt_node_need_map(entries, sections[s]));
        for (size_t i = 0; entries && i < entries->n; ++i)
            BT_TRY(add_entry(x, sections[s], &entries->members[i], &all));
    }
    share_sounds(&all);
    for (size_t i = 0; i < all.n; ++i) BT_TRY(expand_one(&all.items[i], tasks));
cleanup:
    for (size_t i = 0; i < all.n; ++i) {
        bt_names_clear(&all.items[i].subjects);
        bt_names_clear(&all.items[i].heard);
    }
    bt_free(all.items);
    return status;
}
