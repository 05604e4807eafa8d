/* `braintune plan X.yaml`: what an experiment would run. */
#include "cli/command.h"
#include "cli/plans.h"

#include "base/memory.h"
#include "sweep/slots.h"
#include "sweep/tables.h"

typedef struct {
    bool show, dry_run, failed, missing;
    int64_t limit;
    double slots;
    char *task;
} plan_options;

#define AT(member) offsetof(plan_options, member)

static const bt_setting table[] = {
    {"show", BT_SET_BOOL, AT(show), 0, "false", NULL, 0, 0, NULL,
     "print the experiment with extends, like, presets and ${VAR} replaced, and no plan"},
    {"dry_run", BT_SET_BOOL, AT(dry_run), 0, "false", NULL, 0, 0, NULL,
     "print bytes, memory, FLOPs and hours per stage; write no plan"},
    BT_LIMIT_SETTING(plan_options),
    {"slots", BT_SET_REAL, AT(slots), BT_OPTIONAL, NULL, NULL, 0, 1e9, "s",
     "print one line per job of an array instead: STAGE, RANKS, THREADS, MEMORY, SECONDS, TASKS, AT_ONCE, DEPENDS, "
     "parted by "
     "tabs; "
     "short tasks are packed up to so many seconds"},
    {"failed", BT_SET_BOOL, AT(failed), 0, "false", NULL, 0, 0, NULL,
     "with --slots: only tasks that failed, were killed or are blocked"},
    {"missing", BT_SET_BOOL, AT(missing), 0, "false", NULL, 0, 0, NULL, "with --slots: only the others"},
    {"task", BT_SET_TEXT, AT(task), BT_OPTIONAL, NULL, NULL, 0, 0, NULL, "with --slots: only these, 3,7,10-12"},
};
enum { N = sizeof table / sizeof *table };

bt_status bt_plan_command_help(bt_text *out)
{
    plan_options options = {0};
    return bt_plan_help("braintune plan X.yaml [key.path=value ...]: the tasks of an experiment, in order\n\n"
                        "example: braintune plan experiments/paper.yaml --dry-run seeds=0,1,2",
                        table, N, &options, out);
}

static bt_status show(const bt_plan_words *words)
{
    bt_status status = BT_OK;
    bt_experiment experiment = {0};
    bt_text text = {0};
    if (bt_ends_with(words->file, ".json"))
        return bt_fail(BT_ERR_USAGE, "command line: --show: give the experiment's YAML, not its plan");
    BT_TRY(bt_experiment_read(words->file, words->overrides.n, words->overrides.items, &experiment));
    BT_TRY(bt_tree_print(experiment.root, &text));
    (void)fputs(text.data, stdout);
cleanup:
    bt_text_clear(&text);
    bt_experiment_clear(&experiment);
    return status;
}

static bt_status print_slots(const bt_plan *plan, const bt_report *reports, const plan_options *options)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    bool *picked = NULL, *named = NULL;
    const bt_pick pick = options->failed ? BT_PICK_FAILED : options->missing ? BT_PICK_MISSING : BT_PICK_ALL;
    BT_CHECK(!options->failed || !options->missing, BT_ERR_USAGE,
             "command line: --failed and --missing exclude each other");
    BT_ALLOC(picked, plan->n_task);
    BT_ALLOC(named, plan->n_task);
    if (options->task) BT_TRY(bt_plan_pick(plan, options->task, named));
    for (size_t i = 0; i < plan->n_task; ++i)
        picked[i] = (!options->task || named[i]) && bt_slot_is_picked(&reports[i], pick);
    BT_TRY(bt_slots_print(plan, picked, options->slots, &text));
    if (text.data) (void)fputs(text.data, stdout);
cleanup:
    bt_text_clear(&text);
    bt_free(picked);
    bt_free(named);
    return status;
}

static bt_status print_plan(const bt_plan *plan, const bt_report *reports, bool dry_run)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    char *const path = bt_plan_path(plan);
    if (!path) return BT_ERR_MEMORY;
    if (!dry_run) BT_TRY(bt_text_add(&text, "%s\n", path));
    BT_TRY(bt_table_tasks(plan, reports, &text));
    if (dry_run) BT_TRY(bt_table_costs(plan, reports, &text));
    BT_TRY(bt_table_gaps(plan, &text));
    (void)fputs(text.data, stdout);
cleanup:
    bt_text_clear(&text);
    bt_free(path);
    return status;
}

int bt_plan_command(int n_word, char **words)
{
    bt_status status = BT_OK;
    plan_options options = {0};
    bt_settings settings = {0};
    bt_plan_words read = {0};
    bt_plan plan = {0};
    bt_report *reports = NULL;
    BT_TRY(bt_plan_words_read(table, N, &options, n_word, words, &settings, &read));
    if (options.show) {
        status = show(&read);
        goto cleanup;
    }
    const bool slots = bt_settings_given(&settings, "slots");
    BT_TRY(bt_plan_load(&read, options.limit, !options.dry_run && !bt_ends_with(read.file, ".json"), &plan));
    BT_ALLOC(reports, plan.n_task);
    BT_TRY(bt_states_read(&plan, reports));
    BT_TRY(slots ? print_slots(&plan, reports, &options) : print_plan(&plan, reports, options.dry_run));
cleanup:
    bt_reports_free(&plan, reports);
    bt_plan_clear(&plan);
    bt_names_clear(&read.overrides);
    bt_settings_clear(&settings);
    return bt_exit_code(status);
}
