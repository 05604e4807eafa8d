#include "cli/command.h"

#include <string.h>

const bt_command bt_commands[] = {
    {"plan", "the tasks of an experiment's YAML: what would run, how long, what is missing", bt_plan_command,
     bt_plan_command_help},
    {"run", "runs a plan, task by task on all ranks: what is done stays, what is missing is made", bt_run_command,
     bt_run_command_help},
    {"status", "how far a plan is: done, running, failed and why, blocked", bt_status_command, bt_status_command_help},
    {"rerun", "--failed: tries again what failed, here or by Slurm", bt_rerun_command, bt_rerun_command_help},
    {"preset", "the presets: show one, or where two differ", bt_preset_command, bt_preset_command_help},
    {"inspect", "says what a file, model folder or data set is, and whether it is whole", bt_inspect_command,
     bt_inspect_help},
    {"summary", "the small table of a collected experiment: results=DIR", bt_summary_command, bt_summary_help},
    {"help", "this text; `help COMMAND` lists the keys of one", bt_help_command, NULL},
    {"version", "version, libraries and the CPU kernels they run", bt_version_command, NULL},
};
const size_t bt_commands_count = sizeof bt_commands / sizeof *bt_commands;

const bt_command *bt_command_find(const char *name)
{
    for (size_t i = 0; i < bt_commands_count; ++i)
        if (!strcmp(bt_commands[i].name, name)) return &bt_commands[i];
    return NULL;
}

int bt_unknown_command(const char *name)
{
    enum { MOST = 32 };
    const char *names[MOST];
    size_t n = 0;
    for (size_t i = 0; i < bt_stages_count; ++i) names[n++] = bt_stages[i]->name;
    for (size_t i = 0; i < bt_commands_count; ++i) names[n++] = bt_commands[i].name;
    const char *const nearest = bt_nearest(name, names, n);
    (void)fprintf(stderr, "braintune: error: unknown command %s; %s%s%s\n", name, nearest ? "did you mean " : "",
                  nearest ? nearest : "`braintune help` lists the commands", nearest ? "?" : "");
    return BT_ERR_USAGE;
}
