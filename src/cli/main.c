#include "base/log.h"
#include "base/text.h"
#include "cli/command.h"

#include <string.h>

int bt_exit_code(bt_status status)
{
    if (status != BT_OK) (void)fprintf(stderr, "braintune: error: %s\n", bt_error_message());
    return (int)status;
}

static int unknown_command(const char *name)
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

int main(int argc, char **argv)
{
    if (argc < 2) {
        bt_help_print(stderr);
        return BT_ERR_USAGE;
    }
    const char *name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h")) name = "help";
    if (!strcmp(name, "--version")) name = "version";
    for (size_t i = 0; i < bt_commands_count; ++i)
        if (!strcmp(bt_commands[i].name, name)) return bt_commands[i].run(argc - 2, argv + 2);
    const bt_stage *const stage = bt_stage_find(name);
    return stage ? bt_stage_command(stage, argc - 2, argv + 2) : unknown_command(name);
}
