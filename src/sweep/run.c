#include "sweep/run.h"

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/lease.h"
#include "store/publish.h"
#include "sweep/list.h"
#include "sweep/state.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* Root's view of the tasks of this run. */
typedef struct {
    const bt_run *run;
    bool root;
    bool *wanted;          /* (n_task) named, or needed by what is */
    bt_report *reports;    /* (n_task) */
    bt_lease_watch *watch; /* (n_task) */
    bt_lease *lease;       /* on the task at work */
    size_t next;           /* where the round goes on */
    bool moved;            /* something began in this round */
    size_t held;           /* a task that another process is at; BT_NO_TASK */
    bool told;
    double pause;
    bt_run_outcome *outcome;
} rounds;

static bt_status start(const bt_run *run, bt_run_outcome *outcome, rounds *r)
{
    bt_status status = BT_OK;
    const bt_plan *const plan = run->plan;
    *outcome = (bt_run_outcome){0};
    *r = (rounds){.run = run, .root = bt_comm_rank(run->comm) == 0, .held = BT_NO_TASK, .outcome = outcome};
    BT_ALLOC(r->wanted, plan->n_task);
    BT_ALLOC(r->reports, plan->n_task);
    BT_ALLOC(r->watch, plan->n_task);
    for (size_t i = plan->n_task; i-- > 0;) {
        r->wanted[i] = r->wanted[i] || !run->named || run->named[i];
        for (size_t k = 0; r->wanted[i] && !run->leave && k < plan->tasks[i].n_need; ++k)
            r->wanted[plan->tasks[i].needs[k]] = true;
        r->watch[i] = bt_lease_watch_start();
    }
cleanup:
    return status;
}

static void finish(rounds *r)
{
    bt_lease_release(&r->lease);
    bt_reports_free(r->run->plan, r->reports);
    bt_free(r->wanted);
    bt_free(r->watch);
}

/* Failures that this run is to try again count as none. */
static bt_status forget_failures(rounds *r)
{
    bt_status status = BT_OK;
    const bt_run *const run = r->run;
    for (size_t i = 0; run->retry && i < run->plan->n_task; ++i) {
        if (run->named && !run->named[i]) continue;
        BT_TRY(bt_state_look(run->plan, i, &r->reports[i]));
        if (r->reports[i].state == BT_STATE_FAILED) BT_TRY(bt_state_forget(run->plan, i));
        bt_report_clear(&r->reports[i]);
    }
cleanup:
    return status;
}

/* A shared file system may show what a folder held some time ago, until the folder is opened again. */
static void open_folder_of(const char *path)
{
    char *const parent = bt_path_parent(path);
    DIR *const folder = parent ? opendir(parent) : NULL;
    if (folder) (void)closedir(folder);
    bt_free(parent);
}

/* Inputs that nobody is to make count as they are now. */
static bt_status look_at_inputs(rounds *r)
{
    const bt_plan *const plan = r->run->plan;
    if (!r->run->leave) return BT_OK;
    for (size_t i = 0; i < plan->n_task; ++i)
        for (size_t k = 0; r->wanted[i] && k < plan->tasks[i].n_need; ++k)
            open_folder_of(plan->tasks[plan->tasks[i].needs[k]].out);
    return bt_states_read(plan, r->reports);
}

/* Whether the inputs of a task let it begin: all there; or for a stage without artefact all settled and one there. */
static bool is_ready(rounds *r, size_t index)
{
    const bt_task *const task = &r->run->plan->tasks[index];
    size_t n_done = 0, n_open = 0, n_bad = 0;
    for (size_t i = 0; i < task->n_need; ++i) {
        const bt_state state = r->reports[task->needs[i]].state;
        n_done += state == BT_STATE_DONE;
        n_open += !bt_state_is_settled(state);
        n_bad += state == BT_STATE_FAILED || state == BT_STATE_BLOCKED;
    }
    const bool blocked = task->anew ? !n_open && !n_done && n_bad : n_bad > 0;
    if (blocked) r->reports[index].state = BT_STATE_BLOCKED;
    return !blocked && !n_open;
}

/* A result is there, but the process that made it did not come to its end: the stage, called once more, finds its work
 * done and removes what that one left. */
static bool is_untidy(const rounds *r, size_t index)
{
    const bt_plan *const plan = r->run->plan;
    char *const target = bt_state_lease(plan, index);
    const bool left = bt_lease_is_left(plan->tasks[index].out) || (target && bt_lease_is_left(target));
    bt_free(target);
    return left;
}

/* Takes the task for this run when it can begin now. */
static bt_status try_task(rounds *r, size_t index, bool *begun)
{
    bt_status status = BT_OK;
    bt_holder holder;
    bt_report *const report = &r->reports[index];
    char *target = NULL;
    *begun = false;
    BT_TRY(bt_state_look(r->run->plan, index, report));
    const bool untidy = report->state == BT_STATE_DONE && is_untidy(r, index);
    if (!untidy && (report->state == BT_STATE_DONE || report->state == BT_STATE_FAILED || !is_ready(r, index)))
        goto cleanup;
    target = bt_state_lease(r->run->plan, index);
    if (!target) BT_TRY(BT_ERR_MEMORY);
    BT_TRY(bt_path_make_parent(target));
    BT_TRY(bt_lease_try(target, &r->watch[index], &r->lease, &holder));
    if (!r->lease) {
        r->held = index;
        report->state = BT_STATE_RUNNING;
        goto cleanup;
    }
    bt_leftovers_remove(target, NULL);
    BT_TRY(bt_state_look(r->run->plan, index, report)); /* it may have ended while the lease was on its way */
    *begun = untidy || (report->state != BT_STATE_DONE && report->state != BT_STATE_FAILED);
    if (!*begun) bt_lease_release(&r->lease);
cleanup:
    bt_free(target);
    return status;
}

/* Between two rounds in which nothing could begin: another process is at what is left. */
static void wait_for_others(rounds *r)
{
    const bt_report *const report = &r->reports[r->held];
    if (!r->told)
        bt_log_info("task %zu is run by process %ld on %s, and what is left needs it; waiting", r->held + 1,
                    report->pid, report->host ? report->host : "?");
    r->told = true;
    r->pause = r->pause < 0.1 ? 0.1 : r->pause < 1.4 ? 1.4 * r->pause : 2.0;
    bt_sleep(r->pause);
}

/* Root: the next task to begin; BT_NO_TASK when there is none: all are settled, or left. */
static bt_status choose(rounds *r, size_t *task)
{
    bt_status status = BT_OK;
    const size_t n = r->run->plan->n_task;
    bool begun = false;
    for (;;) {
        for (; r->next < n; ++r->next) {
            const bt_state state = r->reports[r->next].state;
            if (!r->wanted[r->next] || bt_state_is_settled(state)) continue;
            BT_TRY(try_task(r, r->next, &begun));
            if (begun) {
                *task = r->next++;
                r->moved = true;
                r->pause = 0;
                goto cleanup;
            }
        }
        *task = BT_NO_TASK;
        if (!r->moved && r->held == BT_NO_TASK) goto cleanup;
        if (!r->moved) wait_for_others(r);
        r->next = 0;
        r->moved = false;
        r->held = BT_NO_TASK;
    }
cleanup:
    return status;
}

/* --- one task --------------------------------------------------------------------------------------------------------
 */

static bt_status make_words(const bt_run *run, size_t index, bt_names *words)
{
    bt_status status = BT_OK;
    const bt_task *const task = &run->plan->tasks[index];
    bt_text text = {0};
    for (size_t i = 0; i < task->n_word; ++i) BT_TRY(bt_names_add(words, task->words[i]));
    BT_TRY(bt_list_add_word(run->program, run->plan, index, words));
    BT_TRY(bt_text_add(&text, "store=%s", run->plan->store));
    BT_TRY(bt_names_add(words, text.data));
    bt_text_clear(&text);
    BT_TRY(bt_text_add(&text, "out=%s", task->out));
    BT_TRY(bt_names_add(words, text.data));
cleanup:
    bt_text_clear(&text);
    return status;
}

static bt_status call_stage(const bt_run *run, size_t index)
{
    bt_status status = BT_OK;
    bt_names words = {0};
    const bt_stage *const stage = bt_program_stage(run->program, run->plan->tasks[index].stage);
    status =
        stage ? make_words(run, index, &words)
              : bt_fail(BT_ERR_USAGE, "the plan has a task of stage %s, which this program does not have; plan again",
                        run->plan->tasks[index].stage);
    BT_TRY(bt_agree(run->comm, status));
    BT_TRY(run->call(run->context, stage, words.n, words.items));
cleanup:
    bt_names_clear(&words);
    return status;
}

static void tell(const rounds *r, size_t index)
{
    const bt_task *const task = &r->run->plan->tasks[index];
    bt_log_info("task %zu of %zu: %s, %s (%s)", index + 1, r->run->plan->n_task, task->stage, task->label,
                task->section);
}

/* Root: what became of it. The message of a failure stays stored. */
static bt_status record(rounds *r, size_t index, bt_status outcome)
{
    bt_status status = BT_OK;
    char message[4096];
    (void)snprintf(message, sizeof message, "%s", bt_error_message());
    if (outcome == BT_OK) {
        BT_TRY(bt_state_done(r->run->plan, index));
        r->reports[index].state = BT_STATE_DONE;
    } else {
        const bool saved = outcome == BT_ERR_INTERRUPTED;
        r->reports[index].state = saved ? BT_STATE_INTERRUPTED : BT_STATE_FAILED;
        BT_TRY(bt_state_failed(r->run->plan, index, r->reports[index].state, (int)outcome, message));
        bt_error_set(message);
        if (!saved) bt_log_warn("task %zu failed (%s): %s", index + 1, bt_status_text(outcome), message);
    }
cleanup:
    return status;
}

/* Collective. BT_OK unless the run must end. */
static bt_status run_task(rounds *r, size_t index)
{
    bt_status status = BT_OK;
    const bt_run *const run = r->run;
    if (r->root) {
        tell(r, index);
        status = bt_state_begin(run->plan, index, bt_comm_size(run->comm));
        if (status == BT_OK) status = bt_list_write(run->program, run->plan, index);
    }
    BT_TRY(bt_agree(run->comm, status));
    if (run->at_work) run->at_work(run->context, index);
    const bt_status outcome = call_stage(run, index);
    if (run->at_work) run->at_work(run->context, BT_NO_TASK);
    ++r->outcome->n_ran;
    status = r->root ? record(r, index, outcome) : BT_OK;
    bt_lease_release(&r->lease);
    BT_TRY(bt_agree(run->comm, status));
    if (outcome == BT_ERR_INTERRUPTED || outcome == BT_ERR_REMOTE) status = outcome;
cleanup:
    return status;
}

/* Collective. A request to stop that came too late for the stage at work ends the run behind it, on whichever rank it
 * arrived; a run that has nothing left to do comes to its end. */
static bt_status heed_request(const rounds *r)
{
    bt_status status = BT_OK;
    double asked[2] = {bt_interrupt_requested() ? 1 : 0, 0}; /* by how many ranks; how many tasks are left */
    for (size_t i = 0; r->root && i < r->run->plan->n_task; ++i)
        asked[1] += r->wanted[i] && !bt_state_is_settled(r->reports[i].state);
    BT_TRY(bt_comm_sum_f64(r->run->comm, asked, 2));
    BT_CHECK(asked[0] < 1 || asked[1] < 1, BT_ERR_INTERRUPTED,
             "told to end between two tasks; what is finished is kept, and the same call goes on");
cleanup:
    return status;
}

static void count(const rounds *r, bt_run_outcome *outcome)
{
    for (size_t i = 0; i < r->run->plan->n_task; ++i) {
        if (!r->wanted[i]) continue;
        outcome->n_done += r->reports[i].state == BT_STATE_DONE;
        outcome->n_failed += r->reports[i].state == BT_STATE_FAILED;
        outcome->n_blocked += r->reports[i].state == BT_STATE_BLOCKED;
        outcome->n_left += !bt_state_is_settled(r->reports[i].state);
    }
}

bt_status bt_plan_run(const bt_run *run, bt_run_outcome *outcome)
{
    bt_status status = BT_OK;
    rounds r;
    int64_t next = 0;
    status = start(run, outcome, &r);
    if (status == BT_OK && r.root) status = forget_failures(&r);
    if (status == BT_OK && r.root) status = look_at_inputs(&r);
    BT_TRY(bt_agree(run->comm, status));
    for (;;) {
        size_t task = BT_NO_TASK;
        status = r.root ? choose(&r, &task) : BT_OK;
        BT_TRY(bt_agree(run->comm, status));
        next = task == BT_NO_TASK ? -1 : (int64_t)task;
        BT_TRY(bt_comm_broadcast(run->comm, 0, &next, sizeof next));
        if (next < 0) break;
        BT_TRY(run_task(&r, (size_t)next));
        BT_TRY(heed_request(&r));
    }
    if (r.root) count(&r, outcome);
    BT_TRY(bt_comm_broadcast(run->comm, 0, outcome, sizeof *outcome));
cleanup:
    finish(&r);
    return status;
}
