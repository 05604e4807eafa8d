/* A plan run by several ranks together with stages that write a line: the order of things, failures and what they
 * block, what a second run does, what is taken for done. */
#include "sweep_program.h"

#include "base/interrupt.h"
#include "base/log.h"
#include "store/lease.h"
#include "store/publish.h"
#include "sweep/run.h"
#include "sweep/state.h"
#include "sweep/tables.h"

#include <mpi.h>
#include <signal.h>

static bt_comm *comm;
static char folder[256]; /* the same on all ranks */

/* What the made-up stages do, and saw. */
typedef struct {
    const char *failing; /* a part of the words of calls that fail, on the last rank; NULL */
    bt_status code;      /* with this */
    const char *told;    /* a stage whose calls are told to end when they look no more, on the last rank; NULL */
    size_t n_call, n_collected;
    bt_text order; /* stages called */
} house;

static const char *value_of(size_t n_word, char *const *words, const char *key)
{
    const size_t length = strlen(key);
    for (size_t i = 0; i < n_word; ++i)
        if (!strncmp(words[i], key, length) && words[i][length] == '=') return words[i] + length + 1;
    return NULL;
}

/* Lines of the list that name files that are there. */
static size_t listed(const char *path)
{
    char *text = NULL, *rest = NULL;
    size_t size = 0, n = 0;
    if (!path || bt_path_read(path, &text, &size) != BT_OK) return 0;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        line[strcspn(line, "\t")] = '\0';
        n += bt_path_exists(line);
    }
    bt_free(text);
    return n;
}

static bt_status call(void *context, const bt_stage *stage, size_t n_word, char *const *words)
{
    bt_status status = BT_OK;
    house *const h = context;
    bool fails = false;
    const char *const out = value_of(n_word, words, "out");
    ++h->n_call;
    expect_ok(bt_text_add(&h->order, "%s ", stage->name));
    if (h->told && !strcmp(stage->name, h->told)) {
        bt_interrupt_watch(true);
        if (bt_comm_rank(comm) == bt_comm_size(comm) - 1) (void)raise(SIGUSR1);
        bt_interrupt_watch(false);
    }
    for (size_t i = 0; i < n_word && h->failing; ++i) fails = fails || strstr(words[i], h->failing);
    if (fails && bt_comm_rank(comm) == bt_comm_size(comm) - 1)
        status = bt_fail(h->code, "first line\nno luck with %s", out);
    BT_TRY(bt_agree(comm, status));
    if (bt_comm_rank(comm) == 0) {
        if (!strcmp(stage->name, "collect")) h->n_collected = listed(value_of(n_word, words, "artefacts.list"));
        char *const parent = bt_path_parent(out);
        expect_ok(bt_path_make(stage->suffix ? parent : out));
        bt_free(parent);
        if (stage->suffix) expect_ok(bt_publish_bytes(out, stage->name, strlen(stage->name)));
    }
    status = bt_comm_barrier(comm);
cleanup:
    return status;
}

/* The small experiment's plan, the same on all ranks, in a folder of its own. */
static void make_plan(const char *name, bt_plan *plan)
{
    bt_text text = {0};
    char *shared = NULL;
    const bool root = bt_comm_rank(comm) == 0;
    if (root) {
        const bt_program program = fake_program(true);
        bt_plan made;
        char where[512], *word = where;
        (void)snprintf(where, sizeof where, "store=%s/%s", folder, name);
        expect_ok(fake_plan(&program, "small.yaml", fake_small(), 1, &word, &made));
        expect_ok(bt_plan_print(&made, &text));
        bt_plan_clear(&made);
    }
    shared = text.data;
    expect_ok(bt_comm_broadcast_text(comm, 0, &shared));
    expect_ok(bt_plan_parse(shared, name, plan));
    if (!root) bt_free(shared);
    bt_text_clear(&text);
}

static bt_status run(const bt_plan *plan, house *h, const bool *named, bool retry, bt_run_outcome *outcome)
{
    const bt_program program = fake_program(true);
    const bt_run all = {
        .program = &program, .plan = plan, .comm = comm, .named = named, .retry = retry, .call = call, .context = h};
    bt_text_clear(&h->order);
    h->n_call = 0;
    return bt_plan_run(&all, outcome);
}

static size_t find(const bt_plan *plan, const char *stage, const char *label)
{
    for (size_t i = 0; i < plan->n_task; ++i)
        if (!strcmp(plan->tasks[i].stage, stage) && !strcmp(plan->tasks[i].label, label)) return i;
    assert_true(false);
    return 0;
}

static bt_state state_of(const bt_plan *plan, size_t task)
{
    bt_report *reports = bt_calloc(plan->n_task, sizeof *reports);
    expect_ok(bt_comm_barrier(comm));
    expect_ok(bt_states_read(plan, reports));
    const bt_state found = reports[task].state;
    bt_reports_free(plan, reports);
    expect_ok(bt_comm_barrier(comm));
    return found;
}

static void everything_once(void **state)
{
    (void)state;
    bt_plan plan;
    bt_run_outcome outcome;
    house h = {0};
    make_plan("once", &plan);
    expect_ok(run(&plan, &h, NULL, false, &outcome));
    assert_int_equal(h.n_call, plan.n_task);
    assert_int_equal(outcome.n_ran, plan.n_task);
    assert_int_equal(outcome.n_done, plan.n_task);
    assert_true(bt_starts_with(h.order.data, "simulate tune "));
    assert_true(bt_ends_with(h.order.data, "collect figures "));
    if (bt_comm_rank(comm) == 0) assert_int_equal(h.n_collected, 4 + 8);
    expect_ok(run(&plan, &h, NULL, false, &outcome));
    assert_int_equal(h.n_call, 0);
    assert_int_equal(outcome.n_done, plan.n_task);
    bt_text_clear(&h.order);
    bt_plan_clear(&plan);
}

/* One tuned model fails: its features and scores are blocked, everything else is done, the table takes what there is.
 */
static void a_failure_blocks_its_own(void **state)
{
    (void)state;
    bt_plan plan;
    bt_run_outcome outcome;
    house h = {.failing = "objective=random", .code = BT_ERR_NUMERICS};
    make_plan("failure", &plan);
    expect_ok(run(&plan, &h, NULL, false, &outcome));
    assert_int_equal(outcome.n_failed, 2);
    assert_int_equal(outcome.n_blocked, 2 * 2);
    assert_int_equal(outcome.n_done, plan.n_task - 6);
    if (bt_comm_rank(comm) == 0) assert_int_equal(h.n_collected, 2 + 6);
    const size_t failed = find(&plan, "tune", "random.base SIM01"),
                 blocked = find(&plan, "encode", "random.base SIM01 on SIM01");
    assert_int_equal(state_of(&plan, failed), BT_STATE_FAILED);
    assert_int_equal(state_of(&plan, blocked), BT_STATE_BLOCKED);
    if (bt_comm_rank(comm) == 0) {
        bt_report report = {0};
        bt_text text = {0};
        bt_report *const reports = bt_calloc(plan.n_task, sizeof *reports);
        expect_ok(bt_state_look(&plan, failed, &report));
        assert_int_equal(report.code, BT_ERR_NUMERICS);
        assert_true(bt_starts_with(report.message, "no luck with ")); /* the last line */
        expect_ok(bt_states_read(&plan, reports));
        expect_ok(bt_table_states(&plan, reports, &text));
        assert_non_null(strstr(text.data, "code 5 (numerics)"));
        assert_non_null(strstr(text.data, "no luck with"));
        assert_non_null(strstr(text.data, "blocked:  2 tasks by task"));
        bt_text_clear(&text);
        bt_reports_free(&plan, reports);
        bt_report_clear(&report);
    }
    h.failing = NULL; /* the cause is gone, but nobody asked to try again */
    expect_ok(run(&plan, &h, NULL, false, &outcome));
    assert_int_equal(h.n_call, 0);
    bool *named = bt_calloc(plan.n_task, sizeof *named);
    named[blocked] = true; /* a failed input of a named task stays failed */
    expect_ok(run(&plan, &h, named, true, &outcome));
    assert_int_equal(h.n_call, 0);
    assert_int_equal(outcome.n_blocked, 2); /* features and scores */
    named[failed] = true;
    expect_ok(run(&plan, &h, named, true, &outcome));
    assert_string_equal(h.order.data, "tune features encode ");
    expect_ok(run(&plan, &h, NULL, false, &outcome)); /* the table again: it took fewer before */
    assert_string_equal(h.order.data, "collect figures ");
    assert_int_equal(outcome.n_failed, 1);
    assert_int_equal(outcome.n_blocked, 2);
    bt_free(named);
    bt_text_clear(&h.order);
    bt_plan_clear(&plan);
}

static void interruption_ends_the_run(void **state)
{
    (void)state;
    bt_plan plan;
    bt_run_outcome outcome;
    house h = {.failing = "objective=brain", .code = BT_ERR_INTERRUPTED};
    make_plan("interrupted", &plan);
    expect_failure(run(&plan, &h, NULL, false, &outcome), BT_ERR_INTERRUPTED, "no luck");
    assert_string_equal(h.order.data, "simulate tune ");
    assert_int_equal(state_of(&plan, find(&plan, "tune", "brain.base SIM01")), BT_STATE_INTERRUPTED);
    h.failing = NULL;
    expect_ok(run(&plan, &h, NULL, false, &outcome));
    assert_int_equal(h.n_call, plan.n_task - 1);
    bt_text_clear(&h.order);
    bt_plan_clear(&plan);
}

/* A stage that finishes all the same is done, and no other begins; with nothing left, the run has come to its end. */
static void a_late_request_ends_the_run(void **state)
{
    (void)state;
    bt_plan plan;
    bt_run_outcome outcome;
    house h = {.told = "tune"};
    make_plan("late", &plan);
    expect_failure(run(&plan, &h, NULL, false, &outcome), BT_ERR_INTERRUPTED, "between two tasks");
    assert_string_equal(h.order.data, "simulate tune ");
    assert_int_equal(state_of(&plan, find(&plan, "tune", "brain.base SIM01")), BT_STATE_DONE);
    bt_interrupt_watch(true); /* another process knows nothing of it */
    bt_interrupt_watch(false);
    h.told = "figures";
    expect_ok(run(&plan, &h, NULL, false, &outcome));
    assert_int_equal(h.n_call, plan.n_task - 2);
    bt_interrupt_watch(true);
    bt_interrupt_watch(false);
    bt_text_clear(&h.order);
    bt_plan_clear(&plan);
}

/* Only what is named and what it needs. */
static void named_tasks_take_their_inputs(void **state)
{
    (void)state;
    bt_plan plan;
    bt_run_outcome outcome;
    house h = {0};
    make_plan("named", &plan);
    bool *named = bt_calloc(plan.n_task, sizeof *named);
    named[find(&plan, "encode", "brain.base SIM02 on SIM02")] = true;
    expect_ok(run(&plan, &h, named, false, &outcome));
    assert_string_equal(h.order.data, "simulate tune features encode ");
    assert_int_equal(outcome.n_done, 4);
    bt_free(named);
    bt_text_clear(&h.order);
    bt_plan_clear(&plan);
}

/* Inputs that are not there are not made when they are to be left. */
static void named_tasks_leave_their_inputs(void **state)
{
    (void)state;
    bt_plan plan;
    bt_run_outcome outcome;
    house h = {0};
    make_plan("left", &plan);
    const bt_program program = fake_program(true);
    const size_t scores = find(&plan, "encode", "brain.base SIM02 on SIM02"),
                 model = find(&plan, "tune", "brain.base SIM02"), states = find(&plan, "features", "brain.base SIM02");
    bool *named = bt_calloc(plan.n_task, sizeof *named);
    const bt_run alone = {.program = &program,
                          .plan = &plan,
                          .comm = comm,
                          .named = named,
                          .leave = true,
                          .retry = true,
                          .call = call,
                          .context = &h};
    named[scores] = true;
    expect_ok(bt_plan_run(&alone, &outcome));
    assert_int_equal(h.n_call, 0);
    assert_int_equal(outcome.n_left, 1);
    h.failing = "objective=brain";
    h.code = BT_ERR_NUMERICS;
    named[scores] = false;
    named[model] = true;
    expect_ok(run(&plan, &h, named, true, &outcome)); /* with its own input */
    assert_string_equal(h.order.data, "simulate tune ");
    bt_text_clear(&h.order);
    named[model] = false;
    named[scores] = true;
    expect_ok(bt_plan_run(&alone, &outcome));
    assert_int_equal(outcome.n_left, 0);
    assert_int_equal(outcome.n_blocked, 1); /* by the model, through states that are not there */
    h.failing = NULL;
    named[model] = named[states] = true; /* in the plan's order each finds what the one before made */
    expect_ok(bt_plan_run(&alone, &outcome));
    assert_string_equal(h.order.data, "tune features encode ");
    assert_int_equal(outcome.n_done, 3);
    bt_free(named);
    bt_text_clear(&h.order);
    bt_plan_clear(&plan);
}

/* Begun by a process that is no more: killed, begun again. Begun by one that lives: left to it. */
static void leases_tell_who_runs(void **state)
{
    (void)state;
    bt_plan plan;
    make_plan("leases", &plan);
    const size_t task = find(&plan, "simulate", "data set");
    const bool root = bt_comm_rank(comm) == 0;
    bt_lease *lease = NULL;
    if (root) expect_ok(bt_state_begin(&plan, task, 1));
    assert_int_equal(state_of(&plan, task), BT_STATE_KILLED);
    if (root) {
        bt_lease_watch watch = bt_lease_watch_start();
        bt_holder holder;
        char *const target = bt_state_lease(&plan, task), *const parent = bt_path_parent(target);
        expect_ok(bt_path_make(parent));
        expect_ok(bt_lease_try(target, &watch, &lease, &holder));
        assert_non_null(lease);
        bt_free(target);
        bt_free(parent);
    }
    assert_int_equal(state_of(&plan, task), BT_STATE_RUNNING);
    if (root) {
        bt_report *const reports = bt_calloc(plan.n_task, sizeof *reports);
        bt_text text = {0};
        char wanted[64];
        expect_ok(bt_states_read(&plan, reports));
        assert_true(reports[task].since > 1.6e9 && reports[task].age >= 0 && reports[task].age < 60);
        expect_ok(bt_table_states(&plan, reports, &text));
        (void)snprintf(wanted, sizeof wanted, "process %ld on ", (long)getpid());
        assert_non_null(strstr(text.data, wanted));
        bt_text_clear(&text);
        bt_reports_free(&plan, reports);
    }
    bt_lease_release(&lease);
    assert_int_equal(state_of(&plan, task), BT_STATE_KILLED);
    bt_plan_clear(&plan);
}

/* The program of an older plan: a stage that is not there is the task's failure, not the run's. */
static void unknown_stages_fail_alone(void **state)
{
    (void)state;
    bt_plan plan;
    bt_run_outcome outcome;
    house h = {0};
    make_plan("older", &plan);
    const bt_program program = fake_program(false);
    const bt_run all = {.program = &program, .plan = &plan, .comm = comm, .call = call, .context = &h};
    expect_ok(bt_plan_run(&all, &outcome));
    assert_int_equal(outcome.n_failed, 4);
    assert_int_equal(outcome.n_blocked, 4 * 2);
    bt_text_clear(&h.order);
    bt_plan_clear(&plan);
}

int main(int argc, char **argv)
{
    int rank = 0, failed = 1;
    (void)MPI_Init(&argc, &argv);
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    bt_log_speak(false);
    if (rank == 0) (void)snprintf(folder, sizeof folder, "%s/mpi", test_scratch());
    (void)MPI_Bcast(folder, sizeof folder, MPI_CHAR, 0, MPI_COMM_WORLD);
    const bool ready = bt_comm_create(MPI_COMM_WORLD, &comm) == BT_OK && bt_path_make(folder) == BT_OK;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_once),
        cmocka_unit_test(a_failure_blocks_its_own),
        cmocka_unit_test(interruption_ends_the_run),
        cmocka_unit_test(a_late_request_ends_the_run),
        cmocka_unit_test(named_tasks_take_their_inputs),
        cmocka_unit_test(leases_tell_who_runs),
        cmocka_unit_test(unknown_stages_fail_alone),
        cmocka_unit_test(named_tasks_leave_their_inputs),
    };
    if (ready) failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)MPI_Barrier(MPI_COMM_WORLD);
    bt_comm_destroy(&comm);
    failed += !ready || bt_memory_live() != 0;
    (void)MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    (void)MPI_Finalize();
    return failed != 0;
}
