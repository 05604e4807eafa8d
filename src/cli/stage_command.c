/* `braintune STAGE ...`: one stage, under MPI or alone. */
#include "cli/command.h"
#include "cli/door.h"

#include <string.h>

static bool asks_help(int n_word, char **words)
{
    for (int i = 0; i < n_word; ++i)
        if (!strcmp(words[i], "--help") || !strcmp(words[i], "-h")) return true;
    return false;
}

static int print_help(const bt_stage *stage)
{
    bt_text text = {0};
    const bt_status status = bt_stage_help(stage, &text);
    if (status == BT_OK) (void)fputs(text.data, stdout);
    bt_text_clear(&text);
    return bt_exit_code(status);
}

typedef struct {
    const bt_stage *stage;
    int n_word;
    char **words;
} stage_words;

static bt_status run(bt_door *door, void *context)
{
    const stage_words *const call = context;
    bt_text result = {0};
    const bt_status status = bt_door_call(door, call->stage, (size_t)call->n_word, call->words, &result);
    if (status == BT_OK && result.data) (void)fputs(result.data, stdout);
    bt_text_clear(&result);
    return status;
}

int bt_stage_command(const bt_stage *stage, int n_word, char **words)
{
    static char dry_run[] = "dry_run=true";
    stage_words call = {stage, n_word, words};
    if (asks_help(n_word, words)) return print_help(stage);
    for (int i = 0; i < n_word; ++i)
        if (!strcmp(words[i], "--dry-run")) words[i] = dry_run;
    const int code = stage->serial ? bt_exit_code(run(NULL, &call)) : bt_door_open(run, &call);
    bt_door_tell_leaks();
    return code;
}
