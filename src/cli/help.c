#include "cli/command.h"

#include "base/memory.h"

#include <string.h>

void bt_help_print(FILE *stream)
{
    (void)fprintf(stream, "usage: braintune COMMAND [settings.yaml ...] [key=value ...]\n\n"
                          "stages (each makes one artefact; mpirun -n N braintune ... shares the work):\n");
    for (size_t i = 0; i < bt_stages_count; ++i)
        (void)fprintf(stream, "  %-10s %s\n", bt_stages[i]->name, bt_stages[i]->summary);
    (void)fprintf(stream, "\ncommands:\n");
    for (size_t i = 0; i < bt_commands_count; ++i)
        (void)fprintf(stream, "  %-10s %s\n", bt_commands[i].name, bt_commands[i].summary);
    (void)fprintf(stream,
                  "\nbraintune COMMAND --help lists every key with type, unit, default and range.\n\nexit codes:\n");
#define HELP_CODE(name, code, text) (void)fprintf(stream, "  %3d  %s\n", code, text);
    BT_STATUS_LIST(HELP_CODE)
#undef HELP_CODE
    (void)fprintf(stream, "  137  killed from outside\n");
}

bt_status bt_stage_help(const bt_stage *stage, bt_text *out)
{
    bt_status status = BT_OK;
    bt_settings own = {0}, shared = {0};
    bt_common common = {0};
    char *options = NULL;
    BT_ALLOC(options, stage->options_size);
    bt_settings_add(&own, stage->table, stage->n_setting, options);
    bt_settings_add(&shared, bt_common_settings, bt_common_settings_count, &common);
    BT_TRY(bt_text_add(out, "braintune %s: %s\n\nexample: %s\n\nkeys:\n", stage->name, stage->summary, stage->example));
    BT_TRY(bt_settings_help(&own, out));
    BT_TRY(bt_text_add(out, "\nkeys of every stage:\n"));
    BT_TRY(bt_settings_help(&shared, out));
cleanup:
    bt_free(options);
    return status;
}

int bt_command_help(const bt_command *command)
{
    bt_text text = {0};
    bt_status status = BT_OK;
    if (!strcmp(command->name, "help")) {
        bt_help_print(stdout);
        return BT_OK;
    }
    if (command->help)
        status = command->help(&text);
    else
        status = bt_text_add(&text, "braintune %s: %s\n", command->name, command->summary);
    if (status == BT_OK) (void)fputs(text.data, stdout);
    bt_text_clear(&text);
    return bt_exit_code(status);
}

int bt_help_command(int n_word, char **words)
{
    if (n_word == 0) {
        bt_help_print(stdout);
        return BT_OK;
    }
    const bt_command *const command = bt_command_find(words[0]);
    if (command) return bt_command_help(command);
    const bt_stage *const stage = bt_stage_find(words[0]);
    if (!stage) return bt_unknown_command(words[0]);
    bt_text text = {0};
    const bt_status status = bt_stage_help(stage, &text);
    if (status == BT_OK) (void)fputs(text.data, stdout);
    bt_text_clear(&text);
    return bt_exit_code(status);
}
