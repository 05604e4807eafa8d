/* `braintune run X.yaml` and `braintune rerun X.yaml --failed`. */
#include "cli/command.h"
#include "cli/door.h"
#include "cli/plans.h"

#include "base/installed.h"
#include "base/memory.h"
#include "sweep/run.h"
#include "sweep/slots.h"
#include "sweep/state.h"
#include "sweep/tables.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    char *task, *stage, *profile;
    bool failed;
    int inputs; /* INPUTS_... */
    int64_t limit;
} run_options;

enum { INPUTS_MAKE, INPUTS_LEAVE };

#define AT(member) offsetof(run_options, member)

static const bt_setting run_table[] = {
    {"task", BT_SET_TEXT, AT(task), BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "only these tasks and what they need, 3,7,10-12; those that failed before are tried again"},
    {"stage", BT_SET_TEXT, AT(stage), BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "only the tasks of this stage and what they need"},
    {"inputs", BT_SET_CHOICE, AT(inputs), 0, "make", "make|leave", 0, 0, NULL,
     "what these tasks need and is not there: made first, or left alone with the tasks that need it"},
    BT_LIMIT_SETTING(run_options),
};
static const bt_setting rerun_table[] = {
    {"failed", BT_SET_BOOL, AT(failed), 0, "false", NULL, 0, 0, NULL,
     "what failed, was killed or is blocked is tried again (there is nothing else to rerun)"},
    {"profile", BT_SET_TEXT, AT(profile), BT_OPTIONAL, NULL, NULL, 0, 0, NULL,
     "by Slurm, under this profile of slurm/profiles, instead of here"},
    BT_LIMIT_SETTING(run_options),
};
enum { N_RUN = sizeof run_table / sizeof *run_table, N_RERUN = sizeof rerun_table / sizeof *rerun_table };

bt_status bt_run_command_help(bt_text *out)
{
    run_options options = {0};
    return bt_plan_help(
        "braintune run X.yaml|PLAN.json [key.path=value ...]: runs what is missing, task by task on all "
        "ranks\n\nexample: mpirun -n 8 braintune run experiments/quickstart.yaml",
        run_table, N_RUN, &options, out);
}

bt_status bt_rerun_command_help(bt_text *out)
{
    run_options options = {0};
    return bt_plan_help("braintune rerun X.yaml|PLAN.json --failed [--profile NAME]: what failed, once more\n\n"
                        "example: braintune rerun experiments/paper.yaml --failed --profile mycluster",
                        rerun_table, N_RERUN, &options, out);
}

/* Everything about one run; on all ranks. */
typedef struct {
    const run_options *options;
    const bt_plan_words *words;
    bool rerun;
    bt_plan plan;
    bool *named; /* NULL: all */
    bt_door *door;
    size_t at_work;
} running;

/* --- signals ---------------------------------------------------------------------------------------------------------
 */

/* Told to end, a run ends: what is finished is in the store, what is not begins again next time. A stage that can save
 * its state (tune) hears the signals itself while it runs. */
static void end_now(int signal_number)
{
    static const char text[] = "braintune: told to end; what is finished is kept\n";
    (void)signal_number;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(BT_ERR_INTERRUPTED);
}

static void hear_signals(void)
{
    struct sigaction action = {.sa_handler = end_now};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGUSR1, &action, NULL);
}

/* --- tasks -----------------------------------------------------------------------------------------------------------
 */

static void note_task(void *context, size_t task)
{
    running *const r = context;
    r->at_work = task;
}

/* This rank is about to end the job, others hang in the stage: the task's failure would be lost. */
static void record_death(void *context, bt_status status)
{
    running *const r = context;
    char message[4096];
    (void)snprintf(message, sizeof message, "%s", bt_error_message());
    if (r->at_work != BT_NO_TASK) (void)!bt_state_failed(&r->plan, r->at_work, BT_STATE_FAILED, (int)status, message);
}

static bt_status call_stage(void *context, const bt_stage *stage, size_t n_word, char *const *words)
{
    const running *const r = context;
    bt_text result = {0};
    const bt_status status = bt_door_call(r->door, stage, n_word, words, &result);
    bt_text_clear(&result);
    return status;
}

/* Root plans, the others get what it wrote: one reading of files that may change. */
static bt_status share_plan(running *r)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    char *shared = NULL;
    const bool root = bt_comm_rank(r->door->comm) == 0;
    if (root) {
        status = bt_plan_load(r->words, r->options->limit, true, &r->plan);
        if (status == BT_OK) status = bt_plan_print(&r->plan, &text);
    }
    BT_TRY(bt_agree(r->door->comm, status));
    shared = text.data;
    BT_TRY(bt_comm_broadcast_text(r->door->comm, 0, &shared));
    if (!root) status = bt_plan_parse(shared, "the plan of rank 0", &r->plan);
    BT_TRY(bt_agree(r->door->comm, status));
cleanup:
    if (!root) bt_free(shared);
    bt_text_clear(&text);
    return status;
}

static bt_status pick_stage(running *r, const char *stage)
{
    size_t n = 0;
    for (size_t i = 0; i < r->plan.n_task; ++i) {
        if (strcmp(r->plan.tasks[i].stage, stage) != 0) continue;
        r->named[i] = true;
        ++n;
    }
    return n ? BT_OK : bt_fail(BT_ERR_USAGE, "command line: stage %s: the plan has no task of it", stage);
}

/* Tables and figures of what is picked, unless they also wait for what is not: they would be left without it. */
static void pick_results(const bt_plan *plan, const bt_report *reports, bool *named)
{
    for (size_t i = 0; i < plan->n_task; ++i) {
        const bt_task *const task = &plan->tasks[i];
        bool touched = false, whole = true;
        for (size_t k = 0; k < task->n_need; ++k) {
            const size_t need = task->needs[k];
            touched = touched || named[need];
            whole = whole && (named[need] || reports[need].state == BT_STATE_DONE);
        }
        named[i] = named[i] || (task->anew && touched && whole);
    }
}

/* What failed, was killed or is blocked; with `results` also what is made anew of it. */
static bt_status pick_failed(const bt_plan *plan, bool results, bool *named)
{
    bt_status status = BT_OK;
    bt_report *reports = NULL;
    BT_ALLOC(reports, plan->n_task);
    BT_TRY(bt_states_read(plan, reports));
    for (size_t i = 0; i < plan->n_task; ++i) named[i] = bt_slot_is_picked(&reports[i], BT_PICK_FAILED);
    if (results) pick_results(plan, reports, named);
cleanup:
    bt_reports_free(plan, reports);
    return status;
}

static bt_status pick(running *r)
{
    bt_status status = BT_OK;
    const run_options *const options = r->options;
    if (!options->task && !options->stage && !r->rerun) return BT_OK;
    BT_ALLOC(r->named, r->plan.n_task);
    if (options->task) BT_TRY(bt_plan_pick(&r->plan, options->task, r->named));
    if (options->stage) BT_TRY(pick_stage(r, options->stage));
    if (r->rerun) BT_TRY(pick_failed(&r->plan, true, r->named));
cleanup:
    return status;
}

static bt_status print_end(const running *r, const bt_run_outcome *outcome)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    bt_report *reports = NULL;
    BT_ALLOC(reports, r->plan.n_task);
    BT_TRY(bt_states_read(&r->plan, reports));
    BT_TRY(bt_table_states(&r->plan, reports, &text));
    BT_TRY(bt_text_add(&text, "results: %s\n", r->plan.results));
    (void)fputs(text.data, stdout);
    BT_CHECK(
        !outcome->n_failed && !outcome->n_blocked, BT_ERR_INPUT,
        "%zu task%s failed, %zu blocked by them; `braintune status %s` says why, `braintune rerun %s --failed` tries "
        "them again",
        outcome->n_failed, outcome->n_failed == 1 ? "" : "s", outcome->n_blocked, r->words->file, r->words->file);
    BT_CHECK(!outcome->n_left, BT_ERR_INPUT,
             "%zu task%s left alone: inputs are not there yet; `braintune status %s` says what became of them",
             outcome->n_left, outcome->n_left == 1 ? " is" : "s are", r->words->file);
cleanup:
    bt_reports_free(&r->plan, reports);
    bt_text_clear(&text);
    return status;
}

static bt_status run(bt_door *door, void *context)
{
    bt_status status = BT_OK;
    running *const r = context;
    bt_run_outcome outcome = {0};
    r->door = door;
    r->at_work = BT_NO_TASK;
    door->dying = record_death;
    door->context = r;
    BT_TRY(share_plan(r));
    BT_TRY(bt_agree(door->comm, pick(r)));
    const bt_run run = {.program = &bt_this_program,
                        .plan = &r->plan,
                        .comm = door->comm,
                        .named = r->named,
                        .leave = r->options->inputs == INPUTS_LEAVE,
                        .retry = r->options->task || r->rerun,
                        .call = call_stage,
                        .context = r,
                        .at_work = note_task};
    BT_TRY(bt_plan_run(&run, &outcome));
    status = bt_comm_rank(door->comm) == 0 ? print_end(r, &outcome) : BT_OK;
    status = bt_agree(door->comm, status);
cleanup:
    bt_free(r->named);
    bt_plan_clear(&r->plan);
    return status;
}

static int open_door(running *r)
{
    hear_signals();
    return bt_door_open(run, r);
}

int bt_run_command(int n_word, char **words)
{
    run_options options = {0};
    bt_settings settings = {0};
    bt_plan_words read = {0};
    running r = {.options = &options, .words = &read};
    const bt_status status = bt_plan_words_read(run_table, N_RUN, &options, n_word, words, &settings, &read);
    const int code = status == BT_OK ? open_door(&r) : bt_exit_code(status);
    bt_names_clear(&read.overrides);
    bt_settings_clear(&settings);
    bt_door_tell_leaks();
    return code;
}

/* --- rerun -----------------------------------------------------------------------------------------------------------
 */

/* Forgets the failures and hands over to slurm/submit, which submits what is missing and not queued. */
static bt_status submit(const bt_plan_words *words, const run_options *options)
{
    bt_status status = BT_OK;
    bt_plan plan = {0};
    bool *named = NULL;
    char program[PATH_MAX], *path = NULL, *const script = bt_installed_path("slurm", "submit", "BRAINTUNE_SLURM");
    BT_CHECK(script, BT_ERR_FILE,
             "slurm/submit: not found; set BRAINTUNE_SLURM to the folder slurm of braintune's source");
    BT_TRY(bt_plan_load(words, options->limit, true, &plan));
    BT_ALLOC(named, plan.n_task);
    BT_TRY(pick_failed(&plan, false, named));
    for (size_t i = 0; i < plan.n_task; ++i)
        if (named[i]) BT_TRY(bt_state_forget(&plan, i));
    path = bt_plan_path(&plan);
    if (!path) BT_TRY(BT_ERR_MEMORY);
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n > 0) {
        program[n] = '\0';
        (void)setenv("BRAINTUNE", program, 0);
    }
    char option[] = "--profile";
    char *const call[] = {script, path, option, options->profile, NULL};
    (void)execv(script, call);
    status = bt_fail(BT_ERR_FILE, "%s: cannot be run: %s", script, strerror(errno));
cleanup:
    bt_free(script);
    bt_free(path);
    bt_free(named);
    bt_plan_clear(&plan);
    return status;
}

int bt_rerun_command(int n_word, char **words)
{
    run_options options = {0};
    bt_settings settings = {0};
    bt_plan_words read = {0};
    running r = {.options = &options, .words = &read, .rerun = true};
    int code = 0;
    bt_status status = bt_plan_words_read(rerun_table, N_RERUN, &options, n_word, words, &settings, &read);
    if (status == BT_OK && !options.failed)
        status =
            bt_fail(BT_ERR_USAGE, "command line: rerun --failed tries again what failed; `braintune run` begins what "
                                  "never began");
    if (status == BT_OK && options.profile) status = submit(&read, &options);
    code = status == BT_OK ? open_door(&r) : bt_exit_code(status);
    bt_names_clear(&read.overrides);
    bt_settings_clear(&settings);
    bt_door_tell_leaks();
    return code;
}
