/* resources: what a stage's tasks ask of a machine. */
#include "sweep/expand.h"

#include "base/memory.h"

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

/* time, checkpoint, requeue; BT_ERR_USAGE for a key that nobody knows. */
static bt_status read_other(const char *stage, const bt_member *member, asked *out, double *minutes)
{
    static const char *const keys[] = {"ranks", "threads", "memory", "time", "at_once", "checkpoint", "requeue"};
    enum { N = sizeof keys / sizeof *keys };
    double seconds = 0;
    bt_status status = BT_OK;
    if (!strcmp(member->key, "time")) return read_time(member->value, "time", &out->seconds);
    if (!strcmp(member->key, "checkpoint")) {
        status = read_time(member->value, "checkpoint", &seconds);
        *minutes = seconds / 60;
        return status;
    }
    if (!strcmp(member->key, "requeue")) {
        if (bt_node_is(member->value, "true")) return BT_OK;
        return bt_place_fail(member->place,
                             "resources.%s.requeue: jobs that were stopped always go back to the queue; "
                             "true, or nothing, may stand here",
                             stage);
    }
    const char *const near = bt_nearest(member->key, keys, N);
    return bt_place_fail(member->place, "resources.%s.%s: unknown key%s%s%s", stage, member->key,
                         near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static bt_status read_resources(bt_expansion *x, const bt_member *section, asked *out, double *minutes)
{
    bt_status status = BT_OK;
    bt_settings settings = {0};
    BT_TRY(bt_node_need_map(section->value, section->key));
    bt_settings_add(&settings, resource_settings, sizeof resource_settings / sizeof *resource_settings, out);
    BT_TRY(bt_settings_parse(&settings, 0, NULL));
    for (size_t i = 0; i < section->value->n; ++i) {
        const bt_member *const member = &section->value->members[i];
        bool known = false;
        for (size_t k = 0; k < sizeof resource_settings / sizeof *resource_settings; ++k)
            known = known || !strcmp(resource_settings[k].key, member->key);
        if (!known || member->value->kind != BT_NODE_TEXT)
            BT_TRY(read_other(section->key, member, out, minutes));
        else
            BT_TRY(
                bt_settings_set(&settings, member->key, member->value->text, bt_place_text(x->region, member->place)));
    }
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
        asked asks = {.ranks = 1};
        double minutes = 0;
        const char *const why = bt_not_built("resources", section->key, NULL);
        if (why) {
            BT_TRY(bt_expansion_gap(x, "", "resources", section->key, why, section->place));
            continue;
        }
        BT_TRY(read_resources(x, section, &asks, &minutes));
        for (size_t i = 0; i < x->plan->n_task; ++i) {
            bt_task *const task = &x->plan->tasks[i];
            if (strcmp(task->stage, section->key) != 0) continue;
            task->ranks = asks.ranks;
            task->threads = asks.threads;
            task->memory = (double)asks.memory;
            task->seconds = asks.seconds;
            task->at_once = asks.at_once;
            BT_TRY(put_checkpoint(x, task, minutes));
        }
    }
cleanup:
    return status;
}
