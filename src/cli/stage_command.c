/* `braintune STAGE ...`: one stage, under MPI or alone. */
#include "cli/command.h"
#include "cli/door.h"

#include "base/memory.h"
#include "sweep/preset.h"
#include "sweep/program.h"

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

/* The preset that the words name, a new string; NULL when they name none, or are refused for another reason, which the
 * door will tell. */
static bt_status find_preset(const stage_words *call, char **preset)
{
    bt_status status = BT_OK;
    bt_settings settings = {0};
    bt_common common = {0};
    bt_text name = {0};
    void *const options = bt_calloc(1, call->stage->options_size);
    if (!options) return BT_ERR_MEMORY;
    bt_settings_add(&settings, call->stage->table, call->stage->n_setting, options);
    bt_settings_add(&settings, bt_common_settings, bt_common_settings_count, &common);
    if (!bt_stage_setting(call->stage, "preset") || bt_settings_parse(&settings, call->n_word, call->words) != BT_OK ||
        !bt_settings_given(&settings, "preset"))
        goto cleanup;
    BT_TRY(bt_settings_text(&settings, "preset", &name));
    *preset = bt_strdup(name.data);
    if (!*preset) status = BT_ERR_MEMORY;
cleanup:
    bt_text_clear(&name);
    bt_settings_clear(&settings);
    bt_free(options);
    return status;
}

/* preset=NAME means the preset's settings, but for those that are given: as defaults, they come first. */
static bt_status add_preset(const stage_words *call, bt_names *words)
{
    bt_status status = BT_OK;
    char *preset = NULL;
    BT_TRY(find_preset(call, &preset));
    if (preset) BT_TRY(bt_preset_words(preset, call->stage, words));
    for (int i = 0; i < call->n_word; ++i) BT_TRY(bt_names_add(words, call->words[i]));
cleanup:
    bt_free(preset);
    return status;
}

static bt_status run(bt_door *door, void *context)
{
    bt_status status = BT_OK;
    const stage_words *const call = context;
    bt_names words = {0};
    bt_text result = {0};
    status = add_preset(call, &words);
    BT_TRY(door ? bt_agree(door->comm, status) : status);
    BT_TRY(bt_door_call(door, call->stage, words.n, words.items, &result));
    if (result.data) (void)fputs(result.data, stdout);
cleanup:
    bt_names_clear(&words);
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
