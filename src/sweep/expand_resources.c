/* resources: what a stage's tasks ask of a machine. */
#include "sweep/expand.h"

#include "base/memory.h"
#include "sweep/sections.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* "90", "30s", "10min", "2h", "1d" in seconds; "auto" is 0. */
static bt_status read_time(const bt_node *node, const char *key, double *seconds)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"", 1}, {"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
    char *end = NULL;
    *seconds = 0;
    if (bt_node_is(node, "auto")) return BT_OK;
    if (node->kind == BT_NODE_TEXT) {
        *seconds = strtod(node->text, &end);
        while (isspace((unsigned char)*end)) ++end;
        for (size_t i = 0; end != node->text && *seconds > 0 && i < sizeof units / sizeof *units; ++i)
            if (!strcmp(units[i].unit, end)) {
                *seconds *= units[i].seconds;
                return BT_OK;
            }
    }
    return bt_place_fail(node->place, "%s: expected a time such as 30s, 10min, 2h, or auto", key);
}

/* What one stage's tasks ask of a machine. */
typedef struct {
    int64_t ranks, threads, memory, at_once;
    double seconds;
} asked;

static const bt_setting resource_settings[] = {
    {"ranks", BT_SET_INT, offsetof(asked, ranks), 0, "1", NULL, 1, 1e6, NULL, "ranks of a task"},
    {"threads", BT_SET_INT, offsetof(asked, threads), 0, "1", NULL, 1, 4096, NULL, "threads of a rank"},
    {"memory", BT_SET_BYTES, offsetof(asked, memory), 0, "0", NULL, 0, 0, "bytes", "of a rank"},
    {"at_once", BT_SET_INT, offsetof(asked, at_once), 0, "0", NULL, 0, 1e6, "jobs", "of the stage; 0: no bound"},
};

/* One section of resources while it is read. */
typedef struct {
    bt_expansion *x;
    const char *name, *section; /* "tune", "resources.tune" */
    asked asks;
    double minutes; /* between states that are saved; 0: the setting stands */
} reading;

/* checkpoint: 10min, of stages that save their state. */
static bt_status read_checkpoint(reading *r, const bt_member *member, const char *key)
{
    double seconds = 0;
    const bt_stage *const stage = bt_program_stage(r->x->program, r->name);
    const bt_status status = read_time(member->value, key, &seconds);
    r->minutes = seconds / 60;
    if (status != BT_OK || !stage || bt_stage_setting(stage, "checkpoint.minutes")) return status;
    return bt_place_fail(member->place, "%s: tasks of this stage save no state; leave it out", key);
}

/* time, checkpoint, requeue. */
static bt_status read_other(reading *r, const bt_member *member, const char *key)
{
    if (!strcmp(member->key, "time")) return read_time(member->value, key, &r->asks.seconds);
    if (!strcmp(member->key, "checkpoint")) return read_checkpoint(r, member, key);
    if (bt_node_is(member->value, "true")) return BT_OK;
    return bt_place_fail(
        member->place, "%s: jobs that were stopped always go back to the queue; true, or nothing, may stand here", key);
}

static bt_status read_member(reading *r, bt_settings *settings, const bt_member *member)
{
    bt_status status = BT_OK;
    const char *key = NULL;
    BT_TAKE(key, bt_region_print(r->x->region, "%s.%s", r->section, member->key));
    for (size_t i = 0; i < sizeof resource_settings / sizeof *resource_settings; ++i) {
        bt_setting named = resource_settings[i];
        if (strcmp(named.key, member->key) != 0) continue;
        if (member->value->kind != BT_NODE_TEXT) return bt_place_fail(member->place, "%s: expected one value", key);
        named.key = key;
        BT_TRY(bt_setting_check(&named, member->value->text, bt_place_text(r->x->region, member->place)));
        return bt_settings_set(settings, member->key, member->value->text, key);
    }
    status = read_other(r, member, key);
cleanup:
    return status;
}

/* Sections are named as stages, those that are not built included. */
static bt_status check_stage(const bt_expansion *x, const bt_member *section)
{
    bt_status status = BT_OK;
    bt_names names = {0};
    for (size_t i = 0; i < x->program->n_stage; ++i) BT_TRY(bt_names_add(&names, x->program->stages[i]->name));
    for (size_t i = 0; bt_section_optional(i); ++i) BT_TRY(bt_names_add(&names, bt_section_optional(i)));
    if (bt_names_have(&names, section->key)) goto cleanup;
    const char *const near = bt_nearest(section->key, (const char *const *)names.items, names.n);
    status = bt_place_fail(section->place, "resources.%s: there is no such stage%s%s%s", section->key,
                           near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
cleanup:
    bt_names_clear(&names);
    return status;
}

static bt_status read_resources(reading *r, const bt_member *section)
{
    static const char *const keys[] = {"ranks", "threads", "memory", "time", "at_once", "checkpoint", "requeue"};
    bt_status status = BT_OK;
    bt_settings settings = {0};
    BT_TAKE(r->section, bt_region_print(r->x->region, "resources.%s", section->key));
    BT_TRY(bt_node_need_map(section->value, r->section));
    BT_TRY(bt_node_check_keys(section->value, r->section, keys, sizeof keys / sizeof *keys));
    bt_settings_add(&settings, resource_settings, sizeof resource_settings / sizeof *resource_settings, &r->asks);
    BT_TRY(bt_settings_parse(&settings, 0, NULL));
    for (size_t i = 0; i < section->value->n; ++i) BT_TRY(read_member(r, &settings, &section->value->members[i]));
cleanup:
    bt_settings_clear(&settings);
    return status;
}

/* checkpoint: 10min is a setting of the tasks that have one. */
static bt_status put_checkpoint(bt_expansion *x, bt_task *task, double minutes)
{
    bt_status status = BT_OK;
    const bt_stage *const stage = bt_program_stage(x->program, task->stage);
    if (!(minutes > 0) || !bt_stage_setting(stage, "checkpoint.minutes")) return BT_OK;
    for (size_t i = 0; i < task->n_word; ++i)
        if (bt_starts_with(task->words[i], "checkpoint.minutes")) return BT_OK;
    BT_TAKE(task->words[task->n_word], bt_region_print(&x->plan->region, "checkpoint.minutes=%g", minutes));
    ++task->n_word;
cleanup:
    return status;
}

bt_status bt_expand_resources(bt_expansion *x)
{
    bt_status status = BT_OK;
    const bt_node *const resources = bt_node_get(x->experiment->root, "resources");
    BT_TRY(bt_node_need_map(resources, "resources"));
    for (size_t s = 0; resources && s < resources->n; ++s) {
        const bt_member *const section = &resources->members[s];
        reading r = {.x = x, .name = section->key};
        const char *const why = bt_not_built("resources", section->key, NULL);
        if (why) {
            BT_TRY(bt_expansion_gap(x, "", "resources", section->key, why, section->place));
            continue;
        }
        BT_TRY(check_stage(x, section));
        BT_TRY(read_resources(&r, section));
        for (size_t i = 0; i < x->plan->n_task; ++i) {
            bt_task *const task = &x->plan->tasks[i];
            if (strcmp(task->stage, section->key) != 0) continue;
            task->ranks = r.asks.ranks;
            task->threads = r.asks.threads;
            task->memory = (double)r.asks.memory;
            task->seconds = r.asks.seconds;
            task->at_once = r.asks.at_once;
            BT_TRY(put_checkpoint(x, task, r.minutes));
        }
    }
cleanup:
    return status;
}
