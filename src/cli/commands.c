#include "cli/command.h"

const bt_command bt_commands[] = {
    {"inspect", "says what a file, model folder or data set is, and whether it is whole", bt_inspect_command},
    {"summary", "the small table of a collected experiment: results=DIR", bt_summary_command},
    {"help", "this text; `help STAGE` lists a stage's keys", bt_help_command},
    {"version", "version, libraries and the CPU kernels they run", bt_version_command},
};
const size_t bt_commands_count = sizeof bt_commands / sizeof *bt_commands;
