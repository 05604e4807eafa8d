#include "sweep/slots.h"

#include "base/memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

bool bt_slot_is_picked(const bt_report *report, bt_pick pick)
{
    const bt_state state = report->state;
    const bool failed = state == BT_STATE_FAILED || state == BT_STATE_BLOCKED || state == BT_STATE_KILLED;
    if (state == BT_STATE_DONE) return false;
    return pick == BT_PICK_ALL || failed == (pick == BT_PICK_FAILED);
}

static void stage_name(const bt_task *task, char name[64])
{
    if (task->level)
        (void)snprintf(name, 64, "%s.%zu", task->stage, task->level + 1);
    else
        (void)snprintf(name, 64, "%s", task->stage);
}

/* What a rank of it needs: what was asked for, else the estimate with room for what it leaves out. */
static double memory_of(const bt_task *task)
{
    const double base = 256 * 1048576.0;
    return task->memory > 0 ? task->memory : base + 1.2 * task->cost.memory_bytes;
}

/* A slot in the making. */
typedef struct {
    const bt_task *shape;
    double seconds, memory;
    bt_text tasks;
    bt_names depends;
} slot;

static bool fits(const slot *open, const bt_task *task, double seconds)
{
    const bt_task *const shape = open->shape;
    return shape && !strcmp(shape->stage, task->stage) && shape->level == task->level && shape->ranks == task->ranks &&
           shape->threads == task->threads && open->seconds + task->seconds <= seconds;
}

static bt_status close_slot(slot *open, bt_text *out)
{
    bt_status status = BT_OK;
    char stage[64];
    if (!open->shape) return BT_OK;
    stage_name(open->shape, stage);
    BT_TRY(bt_text_add(out, "%s\t%" PRId64 "\t%" PRId64 "\t%.0f\t%.0f\t%s\t%" PRId64 "\t", stage, open->shape->ranks,
                       open->shape->threads, ceil(open->memory), ceil(open->seconds), open->tasks.data,
                       open->shape->at_once));
    for (size_t i = 0; i < open->depends.n; ++i) BT_TRY(bt_text_add(out, "%s%s", i ? "," : "", open->depends.items[i]));
    BT_TRY(bt_text_add(out, "\n"));
cleanup:
    bt_text_clear(&open->tasks);
    bt_names_clear(&open->depends);
    *open = (slot){0};
    return status;
}

static bt_status add_task(const bt_plan *plan, const bool *picked, size_t index, slot *open)
{
    bt_status status = BT_OK;
    const bt_task *const task = &plan->tasks[index];
    char stage[64];
    if (!open->shape) open->shape = task;
    open->seconds += task->seconds;
    open->memory = fmax(open->memory, memory_of(task));
    BT_TRY(bt_text_add(&open->tasks, "%s%zu", open->tasks.length ? "," : "", index + 1));
    for (size_t i = 0; i < task->n_need; ++i) {
        if (!picked[task->needs[i]]) continue;
        stage_name(&plan->tasks[task->needs[i]], stage);
        if (!bt_names_have(&open->depends, stage)) BT_TRY(bt_names_add(&open->depends, stage));
    }
cleanup:
    return status;
}

bt_status bt_slots_print(const bt_plan *plan, const bool *picked, double seconds, bt_text *out)
{
    bt_status status = BT_OK;
    bool *placed = NULL;
    slot open = {0};
    BT_ALLOC(placed, plan->n_task);
    for (size_t first = 0; first < plan->n_task; ++first) {
        if (!picked[first] || placed[first]) continue;
        for (size_t i = first; i < plan->n_task; ++i) { /* all of this shape, in the plan's order */
            const bt_task *const task = &plan->tasks[i], *const shape = &plan->tasks[first];
            const slot empty = {.shape = shape};
            if (!picked[i] || placed[i] || !fits(&empty, task, INFINITY)) continue;
            if (!fits(&open, task, seconds)) BT_TRY(close_slot(&open, out));
            BT_TRY(add_task(plan, picked, i, &open));
            placed[i] = true;
        }
        BT_TRY(close_slot(&open, out));
    }
cleanup:
    bt_text_clear(&open.tasks);
    bt_names_clear(&open.depends);
    bt_free(placed);
    return status;
}
