#include "cli/command.h"

#include <string.h>

int bt_exit_code(bt_status status)
{
    if (status != BT_OK) (void)fprintf(stderr, "braintune: error: %s\n", bt_error_message());
    return (int)status;
}

static bool asks_help(int n_word, char **words)
{
    for (int i = 0; i < n_word; ++i)
        if (!strcmp(words[i], "--help") || !strcmp(words[i], "-h")) return true;
    return false;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        bt_help_print(stderr);
        return BT_ERR_USAGE;
    }
    const char *name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h")) name = "help";
    if (!strcmp(name, "--version")) name = "version";
    const bt_command *const command = bt_command_find(name);
    if (command) return asks_help(argc - 2, argv + 2) ? bt_command_help(command) : command->run(argc - 2, argv + 2);
    const bt_stage *const stage = bt_stage_find(name);
    return stage ? bt_stage_command(stage, argc - 2, argv + 2) : bt_unknown_command(name);
}
