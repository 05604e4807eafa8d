#include "sweep/plan.h"

#include "base/memory.h"
#include "store/recipe.h"
#include "sweep/identity.h"
#include "sweep/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bt_plan_clear(bt_plan *plan)
{
    bt_free(plan->tasks);
    bt_free(plan->gaps);
    bt_free(plan->slots);
    bt_region_clear(&plan->region);
    *plan = (bt_plan){0};
}

/* --- drafts ----------------------------------------------------------------------------------------------------------
 */

void bt_draft_clear(bt_draft *draft)
{
    bt_names_clear(&draft->keys);
    bt_names_clear(&draft->values);
    bt_names_clear(&draft->marks);
    bt_names_clear(&draft->inputs);
    bt_text_clear(&draft->identities);
    bt_free(draft->needs);
    *draft = (bt_draft){0};
}

bool bt_draft_knows(const bt_draft *draft, const char *key)
{
    return bt_stage_setting(draft->stage, key) != NULL;
}

static size_t find_key(const bt_draft *draft, const char *key)
{
    size_t at = 0;
    while (at < draft->keys.n && strcmp(draft->keys.items[at], key) != 0) ++at;
    return at;
}

const char *bt_draft_get(const bt_draft *draft, const char *key)
{
    const size_t at = find_key(draft, key);
    return at < draft->keys.n ? draft->values.items[at] : "";
}

static bt_status replace_text(char **text, const char *with)
{
    char *const copy = bt_strdup(with);
    if (!copy) return BT_ERR_MEMORY;
    bt_free(*text);
    *text = copy;
    return BT_OK;
}

static bt_status put(bt_draft *draft, const char *key, const char *value, const char *mark, bt_place place)
{
    bt_status status = BT_OK;
    bt_region region = {0};
    const bt_setting *const setting = bt_stage_setting(draft->stage, key);
    const char *origin = NULL;
    BT_CHECK(setting, BT_ERR_INTERNAL, "%s has no setting %s", draft->stage->name, key);
    BT_TAKE(origin, bt_place_text(&region, place));
    bt_setting named = *setting;
    BT_TAKE(named.key, bt_region_print(&region, "%s.%s", draft->section, key));
    BT_TRY(bt_setting_check(&named, value, origin));
    const size_t at = find_key(draft, key);
    if (at == draft->keys.n) {
        BT_TRY(bt_names_add(&draft->values, value));
        BT_TRY(bt_names_add(&draft->marks, mark));
        BT_TRY(bt_names_add(&draft->keys, key));
    } else if (!*mark || *draft->marks.items[at]) {
        BT_TRY(replace_text(&draft->values.items[at], value));
        BT_TRY(replace_text(&draft->marks.items[at], mark));
    }
cleanup:
    bt_region_clear(&region);
    return status;
}

bt_status bt_draft_put(bt_draft *draft, const char *key, const char *value, bt_place place)
{
    return put(draft, key, value, "", place);
}

bt_status bt_draft_default(bt_draft *draft, const char *key, const char *value, bt_place place)
{
    return put(draft, key, value, "?", place);
}

void bt_draft_drop_defaults(bt_draft *draft, const char *key)
{
    const size_t length = strlen(key);
    size_t kept = 0;
    for (size_t i = 0; i < draft->keys.n; ++i) {
        const char *const here = draft->keys.items[i];
        const bool below = !strncmp(here, key, length) && (here[length] == '\0' || here[length] == '.');
        bt_names *const lists[] = {&draft->keys, &draft->values, &draft->marks};
        const bool drop = below && *draft->marks.items[i];
        for (size_t l = 0; l < 3; ++l) {
            if (drop)
                bt_free(lists[l]->items[i]);
            else
                lists[l]->items[kept] = lists[l]->items[i];
        }
        kept += !drop;
    }
    draft->keys.n = draft->values.n = draft->marks.n = kept;
}

bt_status bt_draft_need(bt_draft *draft, const bt_plan *plan, const char *key, size_t task, const char *tail)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    const bt_task *const needed = &plan->tasks[task];
    if (key) {
        BT_TRY(bt_text_add(&text, "%s%s%s", needed->out, *tail ? "/" : "", tail));
        BT_TRY(bt_draft_put(draft, key, text.data, (bt_place){.file = draft->section}));
        bt_text_clear(&text);
    }
    BT_TRY(bt_text_add(&text, "%s %s %s", key ? key : "needs", needed->digest, tail));
    BT_TRY(bt_names_add(&draft->inputs, text.data));
    for (size_t i = 0; i < draft->n_need; ++i)
        if (draft->needs[i] == task) goto cleanup;
    BT_GROW(draft->needs, draft->n_need, draft->need_capacity);
    draft->needs[draft->n_need++] = task;
cleanup:
    bt_text_clear(&text);
    return status;
}

bt_status bt_draft_file(bt_draft *draft, const char *name, const char *path)
{
    return bt_identity_add(name, path, &draft->identities);
}

/* "key=value" of every setting; the array ends with NULL. */
static bt_status draft_words(const bt_draft *draft, bt_region *region, const char ***words)
{
    bt_status status = BT_OK;
    BT_TAKE(*words, bt_region_take(region, draft->keys.n + 1, sizeof **words));
    for (size_t i = 0; i < draft->keys.n; ++i)
        BT_TAKE((*words)[i], bt_region_print(region, "%s%s=%s", draft->keys.items[i], draft->marks.items[i],
                                             draft->values.items[i]));
cleanup:
    return status;
}

typedef struct {
    const bt_stage *stage;
    bt_recipe *recipe;
} counting;

/* Of a stage that writes anew, everything counts: what it wrote says nothing of how. */
static bt_status add_setting(void *context, const bt_setting *setting, const char *text)
{
    const counting *const to = context;
    const bool science = setting->flags & (BT_SCIENCE | BT_CHOOSES), anew = to->stage->suffix == NULL;
    if ((setting->flags & BT_PATHS) || !(science || anew)) return BT_OK;
    return bt_recipe_setting(to->recipe, setting->key, text);
}

/* Settings that count, in their canonical form, defaults included: another default is another result. */
static bt_status add_settings(const bt_draft *draft, char *const *words, bt_recipe *recipe)
{
    bt_status status = BT_OK;
    bt_settings settings = {0};
    counting to = {draft->stage, recipe};
    void *options = bt_calloc(1, draft->stage->options_size);
    if (!options) return BT_ERR_MEMORY;
    bt_settings_add(&settings, draft->stage->table, draft->stage->n_setting, options);
    status = bt_settings_parse(&settings, (int)draft->keys.n, words);
    if (status == BT_ERR_USAGE) (void)bt_fail_prefix(status, "%s", draft->section);
    BT_TRY(status);
    BT_TRY(bt_settings_visit(&settings, 0, add_setting, &to));
cleanup:
    bt_settings_clear(&settings);
    bt_free(options);
    return status;
}

static bt_status draft_digest(const bt_draft *draft, const char **words, char digest[BT_DIGEST_SIZE])
{
    bt_status status = BT_OK;
    bt_recipe *recipe = NULL;
    char key[32];
    BT_TRY(bt_recipe_create(draft->stage->name, draft->stage->version, &recipe));
    BT_TRY(add_settings(draft, (char *const *)(uintptr_t)words, recipe));
    for (size_t i = 0; i < draft->inputs.n; ++i) {
        (void)snprintf(key, sizeof key, "task %zu", i);
        BT_TRY(bt_recipe_setting(recipe, key, draft->inputs.items[i]));
    }
    if (draft->identities.data) BT_TRY(bt_recipe_setting(recipe, "files", draft->identities.data));
    BT_TRY(bt_recipe_digest(recipe, digest));
cleanup:
    bt_recipe_destroy(&recipe);
    return status;
}

/* --- tasks -----------------------------------------------------------------------------------------------------------
 */

/* Where a digest stands in the table, or would. */
static size_t slot_of(const bt_plan *plan, const char *digest)
{
    char front[17];
    (void)snprintf(front, sizeof front, "%.16s", digest);
    size_t at = (size_t)strtoull(front, NULL, 16) & (plan->n_slot - 1);
    while (plan->slots[at] && strcmp(plan->tasks[plan->slots[at] - 1].digest, digest) != 0)
        at = (at + 1) & (plan->n_slot - 1);
    return at;
}

static bt_status grow_slots(bt_plan *plan)
{
    bt_status status = BT_OK;
    if (2 * (plan->n_task + 1) < plan->n_slot) return BT_OK;
    size_t *old = plan->slots;
    plan->slots = NULL;
    plan->n_slot = plan->n_slot ? 2 * plan->n_slot : 256;
    BT_ALLOC(plan->slots, plan->n_slot);
    for (size_t i = 0; i < plan->n_task; ++i) plan->slots[slot_of(plan, plan->tasks[i].digest)] = i + 1;
cleanup:
    bt_free(old);
    return status;
}

static bt_status copy_about(bt_region *region, const bt_about *from, bt_about *to)
{
    bt_status status = BT_OK;
    const char *const texts[] = {from->set,           from->model,   from->objective, from->target,
                                 from->tuned_subject, from->subject, from->seed};
    const char **const copies[] = {&to->set,           &to->model,   &to->objective, &to->target,
                                   &to->tuned_subject, &to->subject, &to->seed};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i)
        BT_TAKE(*copies[i], bt_region_text(region, texts[i] ? texts[i] : ""));
cleanup:
    return status;
}

/* Another entry asks for what is there already. */
static bt_status add_also(bt_plan *plan, const bt_draft *draft, bt_task *task)
{
    bt_status status = BT_OK;
    const char *const set = draft->about.set ? draft->about.set : "", *text = NULL;
    const char **longer = NULL;
    if (!strcmp(task->section, draft->section) && !strcmp(task->about.set, set)) return BT_OK;
    BT_TAKE(text, bt_region_print(&plan->region, "%s\t%s", draft->section, set));
    for (size_t i = 0; i < task->n_also; ++i)
        if (!strcmp(task->also[i], text)) return BT_OK;
    BT_TAKE(longer, bt_region_take(&plan->region, task->n_also + 1, sizeof *longer));
    for (size_t i = 0; i < task->n_also; ++i) longer[i] = task->also[i];
    longer[task->n_also++] = text;
    task->also = longer;
cleanup:
    return status;
}

static bt_status fill_task(bt_plan *plan, const bt_draft *draft, const char **words, const char *out, bt_task *task)
{
    bt_status status = BT_OK;
    task->stage = draft->stage->name;
    task->n_word = draft->keys.n;
    task->words = words;
    task->n_need = draft->n_need;
    task->cost = draft->cost;
    task->ranks = task->threads = 1;
    task->anew = draft->stage->suffix == NULL;
    BT_TAKE(task->section, bt_region_text(&plan->region, draft->section));
    BT_TAKE(task->label, bt_region_text(&plan->region, draft->label));
    BT_TRY(copy_about(&plan->region, &draft->about, &task->about));
    BT_TAKE(task->needs, bt_region_take(&plan->region, draft->n_need, sizeof *task->needs));
    if (draft->n_need) memcpy(task->needs, draft->needs, draft->n_need * sizeof *task->needs);
    if (out)
        BT_TAKE(task->out, bt_region_text(&plan->region, out));
    else
        BT_TAKE(task->out, bt_region_print(&plan->region, "%s/%s/%s%s", plan->store, task->stage, task->digest,
                                           draft->stage->suffix));
cleanup:
    return status;
}

bt_status bt_plan_add(bt_plan *plan, const bt_draft *draft, const char *out, size_t *task)
{
    bt_status status = BT_OK;
    const char **words = NULL;
    bt_task added = {0};
    BT_TRY(draft_words(draft, &plan->region, &words));
    BT_TRY(draft_digest(draft, words, added.digest));
    BT_TRY(grow_slots(plan));
    const size_t slot = slot_of(plan, added.digest);
    if (!plan->slots[slot]) {
        BT_TRY(fill_task(plan, draft, words, out, &added));
        BT_GROW(plan->tasks, plan->n_task, plan->task_capacity);
        plan->tasks[plan->n_task++] = added;
        plan->slots[slot] = plan->n_task;
    }
    *task = plan->slots[slot] - 1;
    BT_TRY(add_also(plan, draft, &plan->tasks[*task]));
cleanup:
    return status;
}

bt_status bt_plan_add_gap(bt_plan *plan, const bt_gap *gap)
{
    bt_status status = BT_OK;
    bt_gap added = {0};
    for (size_t i = 0; !*gap->stage && i < plan->n_gap; ++i)
        if (!*plan->gaps[i].stage && !strcmp(plan->gaps[i].where, gap->where) &&
            !strcmp(plan->gaps[i].label, gap->label))
            return BT_OK;
    BT_TAKE(added.stage, bt_region_text(&plan->region, gap->stage));
    BT_TAKE(added.section, bt_region_text(&plan->region, gap->section));
    BT_TAKE(added.label, bt_region_text(&plan->region, gap->label));
    BT_TAKE(added.why, bt_region_text(&plan->region, gap->why));
    BT_TAKE(added.where, bt_region_text(&plan->region, gap->where));
    BT_TRY(copy_about(&plan->region, &gap->about, &added.about));
    BT_GROW(plan->gaps, plan->n_gap, plan->gap_capacity);
    plan->gaps[plan->n_gap++] = added;
cleanup:
    return status;
}

static size_t level_of(const bt_plan *plan, const bt_task *task)
{
    size_t level = 0;
    for (size_t i = 0; i < task->n_need; ++i) {
        const bt_task *const needed = &plan->tasks[task->needs[i]];
        if (!strcmp(needed->stage, task->stage) && needed->level + 1 > level) level = needed->level + 1;
    }
    return level;
}

bt_status bt_plan_finish(bt_plan *plan)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    BT_TRY(bt_text_add(&text, "%s\n%s\n", plan->experiment, plan->results));
    for (size_t i = 0; i < plan->n_task; ++i) {
        bt_task *const task = &plan->tasks[i];
        task->level = level_of(plan, task);
        BT_TRY(bt_text_add(&text, "%s %s\n", task->digest, task->out));
    }
    for (size_t i = 0; i < plan->n_gap; ++i)
        BT_TRY(bt_text_add(&text, "%s %s %s\n", plan->gaps[i].stage, plan->gaps[i].section, plan->gaps[i].label));
    bt_digest_bytes(text.data, text.length, plan->digest);
cleanup:
    bt_text_clear(&text);
    return status;
}

char *bt_plan_folder(const bt_plan *plan)
{
    bt_text path = {0};
    if (bt_text_add(&path, "%s/plans/%s-%.12s", plan->store, plan->experiment, plan->digest) != BT_OK)
        bt_text_clear(&path);
    return path.data;
}

char *bt_plan_path(const bt_plan *plan)
{
    bt_text path = {0};
    if (bt_text_add(&path, "%s/plans/%s-%.12s.json", plan->store, plan->experiment, plan->digest) != BT_OK)
        bt_text_clear(&path);
    return path.data;
}
