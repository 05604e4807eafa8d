#include "sweep/list.h"

#include "base/memory.h"
#include "store/publish.h"

#include <stdio.h>
#include <string.h>

static const char KEY[] = "artefacts.list";

static bool takes_list(const bt_program *program, const bt_task *task)
{
    const bt_stage *const stage = bt_program_stage(program, task->stage);
    return stage && bt_stage_setting(stage, KEY);
}

static bt_status list_path(const bt_plan *plan, size_t task, bt_text *out)
{
    char *const folder = bt_plan_folder(plan);
    const bt_status status = folder ? bt_text_add(out, "%s/%zu.list", folder, task + 1) : BT_ERR_MEMORY;
    bt_free(folder);
    return status;
}

static bt_status add_line(bt_text *out, const char *path, const char *entry, const char *set, const char *stage,
                          const bt_about *about)
{
    return bt_text_add(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", path, entry, set, stage, about->model,
                       about->objective, about->target, about->tuned_subject, about->subject, about->seed);
}

static bt_status add_task(bt_text *out, const bt_task *task)
{
    bt_status status = BT_OK;
    char entry[256];
    BT_TRY(add_line(out, task->out, task->section, task->about.set, task->stage, &task->about));
    for (size_t i = 0; i < task->n_also; ++i) {
        const char *const tab = strchr(task->also[i], '\t');
        (void)snprintf(entry, sizeof entry, "%.*s", tab ? (int)(tab - task->also[i]) : 0, task->also[i]);
        BT_TRY(add_line(out, task->out, entry, tab ? tab + 1 : "", task->stage, &task->about));
    }
cleanup:
    return status;
}

bt_status bt_list_write(const bt_program *program, const bt_plan *plan, size_t task)
{
    bt_status status = BT_OK;
    bt_text text = {0}, path = {0};
    if (!takes_list(program, &plan->tasks[task])) return BT_OK;
    BT_TRY(bt_text_add(&text, "path\tentry\tset\tstage\tmodel\tobjective\ttarget\ttuned_subject\tsubject\tseed\n"));
    for (size_t i = 0; i < plan->tasks[task].n_need; ++i)
        BT_TRY(add_task(&text, &plan->tasks[plan->tasks[task].needs[i]]));
    for (size_t i = 0; i < plan->n_gap; ++i) {
        const bt_gap *const gap = &plan->gaps[i];
        if (!*gap->about.model) continue;
        bt_text_clear(&path);
        BT_TRY(bt_text_add(&path, "not built/%s/%s", gap->section, gap->label));
        BT_TRY(add_line(&text, path.data, gap->section, gap->about.set, gap->stage, &gap->about));
    }
    bt_text_clear(&path);
    BT_TRY(list_path(plan, task, &path));
    BT_TRY(bt_path_make_parent(path.data));
    BT_TRY(bt_publish_bytes(path.data, text.data, text.length));
cleanup:
    bt_text_clear(&text);
    bt_text_clear(&path);
    return status;
}

bt_status bt_list_add_word(const bt_program *program, const bt_plan *plan, size_t task, bt_names *words)
{
    bt_status status = BT_OK;
    bt_text path = {0}, word = {0};
    if (!takes_list(program, &plan->tasks[task])) return BT_OK;
    BT_TRY(list_path(plan, task, &path));
    BT_TRY(bt_text_add(&word, "%s=%s", KEY, path.data));
    BT_TRY(bt_names_add(words, word.data));
cleanup:
    bt_text_clear(&path);
    bt_text_clear(&word);
    return status;
}
