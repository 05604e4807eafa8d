#include "sweep/state.h"

#include "base/clock.h"
#include "base/memory.h"
#include "io/json.h"
#include "store/holder.h"
#include "store/publish.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const names[BT_STATE_COUNT] = {"waiting", "running", "done",       "failed",
                                                  "blocked", "killed",  "interrupted"};

const char *bt_state_name(bt_state state)
{
    return names[state];
}

bool bt_state_is_settled(bt_state state)
{
    return state == BT_STATE_DONE || state == BT_STATE_FAILED || state == BT_STATE_BLOCKED;
}

void bt_report_clear(bt_report *report)
{
    bt_free(report->message);
    bt_free(report->host);
    bt_free(report->time);
    *report = (bt_report){0};
}

void bt_reports_free(const bt_plan *plan, bt_report *reports)
{
    for (size_t i = 0; reports && i < plan->n_task; ++i) bt_report_clear(&reports[i]);
    bt_free(reports);
}

char *bt_state_lease(const bt_plan *plan, size_t task)
{
    bt_text path = {0};
    if (bt_text_add(&path, "%s/running/%s", plan->store, plan->tasks[task].digest) != BT_OK) bt_text_clear(&path);
    return path.data;
}

static char *record_path(const bt_plan *plan, size_t task)
{
    bt_text path = {0};
    char *const folder = bt_plan_folder(plan);
    if (!folder || bt_text_add(&path, "%s/%zu.json", folder, task + 1) != BT_OK) bt_text_clear(&path);
    bt_free(folder);
    return path.data;
}

/* --- records ---------------------------------------------------------------------------------------------------------
 */

/* What a stage without artefact found of its needs: names of those that are there. */
static bt_status taken(const bt_plan *plan, const bt_task *task, char digest[BT_DIGEST_SIZE])
{
    bt_status status = BT_OK;
    bt_text text = {0};
    BT_TRY(bt_text_add(&text, "%s\n", task->digest));
    for (size_t i = 0; i < task->n_need; ++i) {
        const bt_task *const need = &plan->tasks[task->needs[i]];
        char below[BT_DIGEST_SIZE] = "";
        if (!bt_path_exists(need->out)) continue;
        if (need->anew) BT_TRY(taken(plan, need, below));
        BT_TRY(bt_text_add(&text, "%s %s\n", need->digest, below));
    }
    bt_digest_bytes(text.data, text.length, digest);
cleanup:
    bt_text_clear(&text);
    return status;
}

/* The last line of a message, at most a few hundred bytes: what a table has room for. */
static const char *last_line(const char *message)
{
    enum { MOST = 600 };
    const size_t length = strlen(message);
    const char *const line = strrchr(message, '\n');
    const char *const at = line && line[1] ? line + 1 : message;
    return strlen(at) > MOST ? message + length - MOST : at;
}

static bt_status add_record(const bt_plan *plan, size_t task, bt_state state, int code, const char *message, int ranks,
                            bt_text *out)
{
    bt_status status = BT_OK;
    char now[32], host[256] = "localhost", digest[BT_DIGEST_SIZE] = "";
    bt_time_stamp(now, sizeof now);
    (void)gethostname(host, sizeof host - 1);
    if (plan->tasks[task].anew && state == BT_STATE_DONE) BT_TRY(taken(plan, &plan->tasks[task], digest));
    BT_TRY(bt_text_add(out, "{\"task\": %zu, \"state\": \"%s\", \"code\": %d, \"time\": \"%s\", \"ranks\": %d, ",
                       task + 1, bt_state_name(state), code, now, ranks));
    BT_TRY(bt_text_add(out, "\"pid\": %ld, \"taken\": \"%s\", \"host\": ", (long)getpid(), digest));
    BT_TRY(bt_json_quote(out, host));
    BT_TRY(bt_text_add(out, ", \"message\": "));
    BT_TRY(bt_json_quote(out, last_line(message)));
    BT_TRY(bt_text_add(out, "}\n"));
cleanup:
    return status;
}

static bt_status write_record(const bt_plan *plan, size_t task, bt_state state, int code, const char *message,
                              int ranks)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    char *folder = NULL, *const path = record_path(plan, task);
    if (!path) return BT_ERR_MEMORY;
    folder = bt_plan_folder(plan);
    if (!folder) BT_TRY(BT_ERR_MEMORY);
    BT_TRY(bt_path_make(folder));
    BT_TRY(add_record(plan, task, state, code, message, ranks, &text));
    bt_leftovers_remove(path, NULL);
    BT_TRY(bt_publish_bytes(path, text.data, text.length));
cleanup:
    bt_text_clear(&text);
    bt_free(folder);
    bt_free(path);
    return status;
}

bt_status bt_state_begin(const bt_plan *plan, size_t task, int ranks)
{
    return write_record(plan, task, BT_STATE_RUNNING, 0, "", ranks);
}

bt_status bt_state_failed(const bt_plan *plan, size_t task, bt_state state, int code, const char *message)
{
    return write_record(plan, task, state, code, message, 0);
}

bt_status bt_state_done(const bt_plan *plan, size_t task)
{
    if (plan->tasks[task].anew) return write_record(plan, task, BT_STATE_DONE, 0, "", 0);
    return bt_state_forget(plan, task); /* its result says it */
}

bt_status bt_state_forget(const bt_plan *plan, size_t task)
{
    char *const path = record_path(plan, task);
    const bt_status status = path ? bt_path_remove(path) : BT_ERR_MEMORY;
    bt_free(path);
    return status;
}

/* --- looking ---------------------------------------------------------------------------------------------------------
 */

static bt_state state_of_name(const char *name)
{
    for (size_t i = 0; i < BT_STATE_COUNT; ++i)
        if (!strcmp(names[i], name)) return (bt_state)i;
    return BT_STATE_WAITING;
}

/* The record, as it was written; BT_STATE_WAITING when there is none. */
static bt_status read_record(const bt_plan *plan, size_t task, bt_report *out, char **digest)
{
    bt_status status = BT_OK;
    bt_json *json = NULL;
    char *name = NULL, *text = NULL, *const path = record_path(plan, task);
    int64_t code = 0, pid = 0;
    size_t size = 0;
    if (!path) return BT_ERR_MEMORY;
    if (!bt_path_exists(path) || bt_path_read(path, &text, &size) != BT_OK) goto cleanup; /* gone meanwhile: none */
    BT_TRY(bt_json_parse(text, path, &json));
    BT_TRY(bt_json_text(json, "state", &name));
    BT_TRY(bt_json_int(json, "code", &code));
    BT_TRY(bt_json_int(json, "pid", &pid));
    BT_TRY(bt_json_text(json, "message", &out->message));
    BT_TRY(bt_json_text(json, "host", &out->host));
    BT_TRY(bt_json_text(json, "time", &out->time));
    BT_TRY(bt_json_text(json, "taken", digest));
    out->state = state_of_name(name);
    out->code = (int)code;
    out->pid = (long)pid;
cleanup:
    bt_json_close(&json);
    bt_free(name);
    bt_free(text);
    bt_free(path);
    return status;
}

static bt_status is_done(const bt_plan *plan, const bt_task *task, const bt_report *record, const char *digest,
                         bool *done)
{
    bt_status status = BT_OK;
    char now[BT_DIGEST_SIZE];
    *done = bt_path_exists(task->out);
    if (!*done || !task->anew) return BT_OK;
    BT_TRY(taken(plan, task, now));
    *done = record->state == BT_STATE_DONE && digest && !strcmp(digest, now);
cleanup:
    return status;
}

static bt_status look_at_lease(const bt_plan *plan, size_t task, bt_report *out)
{
    bt_holder holder;
    char *const lease = bt_state_lease(plan, task);
    if (!lease) return BT_ERR_MEMORY;
    const bool held = bt_lease_look(lease, &holder, &out->since, &out->age);
    bt_free(lease);
    if (!held) {
        if (out->state == BT_STATE_RUNNING) out->state = BT_STATE_KILLED;
        return BT_OK;
    }
    out->state = BT_STATE_RUNNING;
    out->pid = holder.pid;
    bt_free(out->host);
    out->host = bt_strdup(holder.host);
    return out->host ? BT_OK : BT_ERR_MEMORY;
}

bt_status bt_state_look(const bt_plan *plan, size_t task, bt_report *out)
{
    bt_status status = BT_OK;
    char *digest = NULL;
    bool done = false;
    bt_report_clear(out);
    if (!plan->tasks[task].anew && bt_path_exists(plan->tasks[task].out)) {
        out->state = BT_STATE_DONE;
        return BT_OK;
    }
    BT_TRY(read_record(plan, task, out, &digest));
    BT_TRY(is_done(plan, &plan->tasks[task], out, digest, &done));
    if (done) {
        out->state = BT_STATE_DONE;
        goto cleanup;
    }
    if (out->state == BT_STATE_DONE) out->state = BT_STATE_WAITING; /* of fewer inputs than there are now */
    if (out->state != BT_STATE_FAILED) BT_TRY(look_at_lease(plan, task, out));
cleanup:
    bt_free(digest);
    return status;
}

/* A task whose inputs failed will not begin; one without artefact waits until all of its inputs are settled, and is
 * blocked only when none is there. */
static void look_at_needs(const bt_plan *plan, size_t index, bt_report *reports)
{
    const bt_task *const task = &plan->tasks[index];
    bt_report *const here = &reports[index];
    size_t n_done = 0, n_open = 0, bad = BT_NO_TASK;
    for (size_t i = 0; i < task->n_need; ++i) {
        const bt_report *const need = &reports[task->needs[i]];
        n_done += need->state == BT_STATE_DONE;
        n_open += !bt_state_is_settled(need->state);
        if (need->state == BT_STATE_FAILED && bad == BT_NO_TASK) bad = task->needs[i];
        if (need->state == BT_STATE_BLOCKED && bad == BT_NO_TASK) bad = need->by;
    }
    if (task->anew && n_open && here->state == BT_STATE_DONE) here->state = BT_STATE_WAITING;
    const bool stands = here->state == BT_STATE_DONE || here->state == BT_STATE_RUNNING;
    if (bad == BT_NO_TASK || stands || (task->anew && (n_open || n_done))) return;
    here->state = BT_STATE_BLOCKED;
    here->by = bad;
}

bt_status bt_states_read(const bt_plan *plan, bt_report *reports)
{
    bt_status status = BT_OK;
    for (size_t i = 0; i < plan->n_task; ++i) {
        BT_TRY(bt_state_look(plan, i, &reports[i]));
        look_at_needs(plan, i, reports);
    }
cleanup:
    return status;
}
