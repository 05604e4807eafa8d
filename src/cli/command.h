/* The commands. A stage needs no file here: it is one line in stages.c. */
#ifndef BT_CLI_COMMAND_H
#define BT_CLI_COMMAND_H

#include "store/stage.h"

#include <stdio.h>

typedef struct {
    const char *name, *summary;
    int (*run)(int n_word, char **words); /* words behind the command; returns the exit code */
    bt_status (*help)(bt_text *out);      /* its keys; NULL when it has none */
} bt_command;

extern const bt_command bt_commands[];
extern const size_t bt_commands_count;
extern const bt_stage *const bt_stages[];
extern const size_t bt_stages_count;

const bt_stage *bt_stage_find(const char *name);
int bt_stage_command(const bt_stage *stage, int n_word, char **words);
const bt_command *bt_command_find(const char *name);
void bt_help_print(FILE *stream);
bt_status bt_stage_help(const bt_stage *stage, bt_text *out) BT_MUST_CHECK;
bt_status bt_inspect_help(bt_text *out) BT_MUST_CHECK;
bt_status bt_summary_help(bt_text *out) BT_MUST_CHECK;
bt_status bt_plan_command_help(bt_text *out) BT_MUST_CHECK;
bt_status bt_run_command_help(bt_text *out) BT_MUST_CHECK;
bt_status bt_status_command_help(bt_text *out) BT_MUST_CHECK;
bt_status bt_rerun_command_help(bt_text *out) BT_MUST_CHECK;
bt_status bt_preset_command_help(bt_text *out) BT_MUST_CHECK;
/* --help of a command that is no stage. Both return the exit code. */
int bt_command_help(const bt_command *command);
int bt_unknown_command(const char *name);

/* Prints the stored message as "braintune: error: ...", and returns the status's exit code. */
int bt_exit_code(bt_status status);

int bt_help_command(int n_word, char **words);
int bt_version_command(int n_word, char **words);
int bt_inspect_command(int n_word, char **words);
int bt_summary_command(int n_word, char **words);
int bt_plan_command(int n_word, char **words);
int bt_run_command(int n_word, char **words);
int bt_status_command(int n_word, char **words);
int bt_rerun_command(int n_word, char **words);
int bt_preset_command(int n_word, char **words);

#endif
