#include "sweep/tables.h"

#include "base/memory.h"
#include "io/json.h"
#include "store/sidecar.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *bt_code_text(int code)
{
    static const struct {
        int code;
        const char *text;
    } signals[] = {{137, "killed from outside: out of memory, a time limit or kill -9"},
                   {143, "ended by SIGTERM"},
                   {139, "crashed: a defect of ours"},
                   {134, "crashed: a defect of ours"}};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; ++i)
        if (signals[i].code == code) return signals[i].text;
    return code > 128 ? "ended by a signal" : bt_status_text((bt_status)code);
}

/* Stages in the order in which the plan, and what it lacks, names them first; each once. */
static bt_status list_stages(const bt_plan *plan, bt_names *stages)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < plan->n_task; ++i)
        if (!bt_names_have(stages, plan->tasks[i].stage)) BT_TRY(bt_names_add(stages, plan->tasks[i].stage));
    for (size_t i = 0; i < plan->n_gap; ++i)
        if (*plan->gaps[i].stage && !bt_names_have(stages, plan->gaps[i].stage))
            BT_TRY(bt_names_add(stages, plan->gaps[i].stage));
cleanup:
    return status;
}

static size_t count_gaps(const bt_plan *plan, const char *stage)
{
    size_t n = 0;
    for (size_t i = 0; i < plan->n_gap; ++i) n += !strcmp(plan->gaps[i].stage, stage);
    return n;
}

/* Tasks of a stage in each state; stage NULL: of all. */
static size_t count_states(const bt_plan *plan, const bt_report *reports, const char *stage, size_t n[BT_STATE_COUNT])
{
    size_t all = 0;
    memset(n, 0, BT_STATE_COUNT * sizeof *n);
    for (size_t i = 0; i < plan->n_task; ++i) {
        if (stage && strcmp(plan->tasks[i].stage, stage) != 0) continue;
        ++n[reports[i].state];
        ++all;
    }
    return all;
}

bt_status bt_table_tasks(const bt_plan *plan, const bt_report *reports, bt_text *out)
{
    bt_status status = BT_OK;
    bt_names stages = {0};
    size_t n[BT_STATE_COUNT], all_gaps = 0;
    BT_TRY(list_stages(plan, &stages));
    BT_TRY(bt_text_add(out, "%-10s %7s %7s %7s %10s\n", "stage", "tasks", "done", "to do", "not built"));
    for (size_t s = 0; s < stages.n; ++s) {
        const size_t all = count_states(plan, reports, stages.items[s], n), gaps = count_gaps(plan, stages.items[s]);
        all_gaps += gaps;
        BT_TRY(bt_text_add(out, "%-10s %7zu %7zu %7zu %10zu\n", stages.items[s], all, n[BT_STATE_DONE],
                           all - n[BT_STATE_DONE], gaps));
    }
    const size_t all = count_states(plan, reports, NULL, n);
    BT_TRY(bt_text_add(out, "%-10s %7zu %7zu %7zu %10zu\n", "all", all, n[BT_STATE_DONE], all - n[BT_STATE_DONE],
                       all_gaps));
cleanup:
    bt_names_clear(&stages);
    return status;
}

/* --- gaps ------------------------------------------------------------------------------------------------------------
 */

static bool same_gap(const bt_gap *a, const bt_gap *b)
{
    return !strcmp(a->stage, b->stage) && !strcmp(a->section, b->section) && !strcmp(a->why, b->why) &&
           !strcmp(a->where, b->where);
}

static bt_status add_gap(const bt_plan *plan, size_t first, bt_text *out)
{
    bt_status status = BT_OK;
    const bt_gap *const gap = &plan->gaps[first];
    size_t n = 0;
    for (size_t i = 0; i < first; ++i)
        if (same_gap(&plan->gaps[i], gap)) return BT_OK;
    for (size_t i = first; i < plan->n_gap; ++i) n += same_gap(&plan->gaps[i], gap);
    if (*gap->stage)
        BT_TRY(bt_text_add(out, "  %s: %s: %zu %s task%s: %s\n", gap->where, gap->section, n, gap->stage,
                           n == 1 ? "" : "s", gap->why));
    else if (!strcmp(gap->section, gap->label))
        BT_TRY(bt_text_add(out, "  %s: %s: %s\n", gap->where, gap->section, gap->why));
    else
        BT_TRY(
            bt_text_add(out, "  %s: %s.%s: %s; planned without it\n", gap->where, gap->section, gap->label, gap->why));
cleanup:
    return status;
}

bt_status bt_table_gaps(const bt_plan *plan, bt_text *out)
{
    bt_status status = BT_OK;
    if (!plan->n_gap) return BT_OK;
    BT_TRY(bt_text_add(out, "not built yet:\n"));
    for (size_t i = 0; i < plan->n_gap; ++i) BT_TRY(add_gap(plan, i, out));
cleanup:
    return status;
}

/* --- costs -----------------------------------------------------------------------------------------------------------
 */

static const char *bytes_text(double bytes, char text[32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t unit = 0;
    for (; bytes >= 1024 && unit + 1 < sizeof units / sizeof *units; ++unit) bytes /= 1024;
    (void)snprintf(text, 32, "%.*f %s", unit ? 1 : 0, bytes, units[unit]);
    return text;
}

typedef struct {
    size_t n;
    double flops, written, memory, hours, core_hours, longest;
} total;

static void add_cost(total *sum, const bt_task *task)
{
    const double cores = (double)(task->ranks * task->threads);
    ++sum->n;
    sum->flops += task->cost.flops;
    sum->written += task->cost.written_bytes;
    sum->memory = fmax(sum->memory, task->memory > 0 ? task->memory : task->cost.memory_bytes);
    sum->hours += task->seconds / 3600;
    sum->core_hours += task->seconds / 3600 * cores;
    sum->longest = fmax(sum->longest, task->seconds / 3600);
}

static bt_status add_cost_line(bt_text *out, const char *stage, const total *sum)
{
    char written[32], memory[32];
    return bt_text_add(out, "%-10s %6zu %11s %11s %9.2g %10.2f %11.2f %12.2f\n", stage, sum->n,
                       bytes_text(sum->written, written), bytes_text(sum->memory, memory), sum->flops, sum->hours,
                       sum->longest, sum->core_hours);
}

bt_status bt_table_costs(const bt_plan *plan, const bt_report *reports, bt_text *out)
{
    bt_status status = BT_OK;
    bt_names stages = {0};
    total all = {0};
    BT_TRY(list_stages(plan, &stages));
    BT_TRY(bt_text_add(out, "%-10s %6s %11s %11s %9s %10s %11s %12s\n", "to do", "tasks", "written", "memory/rank",
                       "FLOPs", "hours", "longest, h", "core hours"));
    for (size_t s = 0; s < stages.n; ++s) {
        total sum = {0};
        for (size_t i = 0; i < plan->n_task; ++i) {
            if (strcmp(plan->tasks[i].stage, stages.items[s]) != 0 || reports[i].state == BT_STATE_DONE) continue;
            add_cost(&sum, &plan->tasks[i]);
            add_cost(&all, &plan->tasks[i]);
        }
        if (sum.n) BT_TRY(add_cost_line(out, stages.items[s], &sum));
    }
    BT_TRY(add_cost_line(out, "all", &all));
    BT_TRY(bt_text_add(
        out,
        "hours: the tasks one after the other, each on the ranks and threads that `resources` asks for. All "
        "numbers come\nfrom a model of each stage's arithmetic and the sizes of models and data, none was "
        "measured by a run; they are good\nto a factor of two or so. A core is taken to do 60 %% of %.0f "
        "GFLOP/s%s%s.\n",
        plan->rate / 1e9, *plan->assumed ? "; " : "", plan->assumed));
cleanup:
    bt_names_clear(&stages);
    return status;
}

/* --- states ----------------------------------------------------------------------------------------------------------
 */

/* What a result took, by its side-car; 0 when there is none. */
static double seconds_taken(const bt_task *task)
{
    bt_json *json = NULL;
    double seconds = 0;
    char *const path = bt_sidecar_path(task->out);
    if (path && bt_path_exists(path) && bt_json_read(path, &json) == BT_OK &&
        bt_json_real(json, "seconds", &seconds) != BT_OK)
        seconds = 0;
    bt_json_close(&json);
    bt_free(path);
    return seconds;
}

/* Of the stage's tasks that are done; stage NULL: of all. */
static double measure(const bt_plan *plan, const bt_report *reports, const char *stage)
{
    double seconds = 0;
    for (size_t i = 0; i < plan->n_task; ++i)
        if (reports[i].state == BT_STATE_DONE && (!stage || !strcmp(plan->tasks[i].stage, stage)))
            seconds += seconds_taken(&plan->tasks[i]);
    return seconds;
}

static const char *time_text(double seconds, char text[32])
{
    const double value = seconds < 120 ? seconds : seconds < 7200 ? seconds / 60 : seconds / 3600;
    (void)snprintf(text, 32, "%.1f %s", value, seconds < 120 ? "s" : seconds < 7200 ? "min" : "h");
    return text;
}

static bt_status add_state_line(bt_text *out, const char *stage, size_t all, const size_t n[BT_STATE_COUNT],
                                size_t gaps, double seconds)
{
    char time[32];
    return bt_text_add(out, "%-10s %6zu %6zu %8zu %7zu %8zu %8zu %10zu %10s\n", stage, all, n[BT_STATE_DONE],
                       n[BT_STATE_RUNNING], n[BT_STATE_FAILED], n[BT_STATE_BLOCKED],
                       n[BT_STATE_WAITING] + n[BT_STATE_KILLED] + n[BT_STATE_INTERRUPTED], gaps,
                       seconds > 0 ? time_text(seconds, time) : "-");
}

static bt_status add_running(bt_text *out, size_t number, const bt_task *task, const bt_report *report)
{
    bt_status status = BT_OK;
    char since[32] = "?";
    const time_t when = (time_t)report->since;
    struct tm parts;
    if (gmtime_r(&when, &parts)) (void)strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%SZ", &parts);
    BT_TRY(bt_text_add(out, "running:  task %zu, %s, %s: process %ld on %s since %s", number, task->stage, task->label,
                       report->pid, report->host ? report->host : "?", since));
    if (report->age > 60) BT_TRY(bt_text_add(out, "; no sign of life for %.0f s", report->age));
    BT_TRY(bt_text_add(out, "\n"));
cleanup:
    return status;
}

static bt_status add_detail(const bt_plan *plan, const bt_report *reports, size_t index, bt_text *out)
{
    const bt_task *const task = &plan->tasks[index];
    const bt_report *const report = &reports[index];
    const char *const host = report->host ? report->host : "?", *const when = report->time ? report->time : "?";
    switch (report->state) {
    case BT_STATE_RUNNING: return add_running(out, index + 1, task, report);
    case BT_STATE_FAILED:
        return bt_text_add(out, "failed:   task %zu, %s, %s: code %d (%s) on %s at %s\n          %s\n", index + 1,
                           task->stage, task->label, report->code, bt_code_text(report->code), host, when,
                           report->message ? report->message : "");
    case BT_STATE_KILLED:
        return bt_text_add(
            out,
            "killed:   task %zu, %s, %s: begun on %s at %s, and nobody is at it any more: 137, %s; `run` "
            "begins it again\n",
            index + 1, task->stage, task->label, host, when, bt_code_text(137));
    case BT_STATE_INTERRUPTED:
        return bt_text_add(out, "stopped:  task %zu, %s, %s: state saved on %s at %s; `run` goes on from there\n",
                           index + 1, task->stage, task->label, host, when);
    case BT_STATE_WAITING:
    case BT_STATE_DONE:
    case BT_STATE_BLOCKED:
    case BT_STATE_COUNT: break;
    }
    return BT_OK;
}

/* "blocked: 12 tasks by task 3". */
static bt_status add_blocked(const bt_plan *plan, const bt_report *reports, size_t by, bt_text *out)
{
    size_t n = 0;
    for (size_t i = 0; i < plan->n_task; ++i) n += reports[i].state == BT_STATE_BLOCKED && reports[i].by == by;
    return n ? bt_text_add(out, "blocked:  %zu task%s by task %zu\n", n, n == 1 ? "" : "s", by + 1) : BT_OK;
}

bt_status bt_table_states(const bt_plan *plan, const bt_report *reports, bt_text *out)
{
    bt_status status = BT_OK;
    bt_names stages = {0};
    size_t n[BT_STATE_COUNT], all_gaps = 0;
    BT_TRY(list_stages(plan, &stages));
    BT_TRY(bt_text_add(out, "%-10s %6s %6s %8s %7s %8s %8s %10s %10s\n", "stage", "tasks", "done", "running", "failed",
                       "blocked", "waiting", "not built", "took"));
    for (size_t s = 0; s < stages.n; ++s) {
        const size_t all = count_states(plan, reports, stages.items[s], n), gaps = count_gaps(plan, stages.items[s]);
        all_gaps += gaps;
        BT_TRY(add_state_line(out, stages.items[s], all, n, gaps, measure(plan, reports, stages.items[s])));
    }
    const size_t all = count_states(plan, reports, NULL, n);
    BT_TRY(add_state_line(out, "all", all, n, all_gaps, measure(plan, reports, NULL)));
    for (size_t i = 0; i < plan->n_task; ++i) {
        BT_TRY(add_detail(plan, reports, i, out));
        if (reports[i].state == BT_STATE_FAILED) BT_TRY(add_blocked(plan, reports, i, out));
    }
cleanup:
    bt_names_clear(&stages);
    return status;
}
