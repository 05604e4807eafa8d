/* The commands. A stage needs no file here: it is one line in stages.c. */
#ifndef BT_CLI_COMMAND_H
#define BT_CLI_COMMAND_H

#include "store/stage.h"

#include <stdio.h>

typedef struct {
    const char *name, *summary;
    int (*run)(int n_word, char **words); /* words behind the command; returns the exit code */
} bt_command;

extern const bt_command bt_commands[];
extern const size_t bt_commands_count;
extern const bt_stage *const bt_stages[];
extern const size_t bt_stages_count;

const bt_stage *bt_stage_find(const char *name);
int bt_stage_command(const bt_stage *stage, int n_word, char **words);
void bt_help_print(FILE *stream);
bt_status bt_stage_help(const bt_stage *stage, bt_text *out) BT_MUST_CHECK;

/* Prints the stored message as "braintune: error: ...", and returns the status's exit code. */
int bt_exit_code(bt_status status);

int bt_help_command(int n_word, char **words);
int bt_version_command(int n_word, char **words);
int bt_inspect_command(int n_word, char **words);
int bt_summary_command(int n_word, char **words);

#endif
