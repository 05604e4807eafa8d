/* `braintune preset`, `preset show NAME`, `preset diff A B`. */
#include "cli/command.h"
#include "cli/plans.h"

#include "base/memory.h"
#include "sweep/preset.h"

#include <string.h>

bt_status bt_preset_command_help(bt_text *out)
{
    return bt_text_add(out,
                       "braintune preset: presets, total data files of settings\n\n"
                       "  braintune preset              their names\n"
                       "  braintune preset show NAME    every setting; those that no stage has yet are marked\n"
                       "  braintune preset diff A B     the settings in which two differ\n\n"
                       "NAME is one of them, or a file.yaml of your own. An experiment names one by preset: NAME.\n");
}

static bt_status list(bt_text *out)
{
    bt_status status = BT_OK;
    bt_names names = {0};
    BT_TRY(bt_preset_names(&names));
    for (size_t i = 0; i < names.n; ++i) BT_TRY(bt_text_add(out, "%s\n", names.items[i]));
cleanup:
    bt_names_clear(&names);
    return status;
}

/* Does a stage of this program have the setting "stage.key"? Those of lowlevel.removal are encode's. */
static bool is_built(const char *path)
{
    static const char removal[] = "lowlevel.removal.";
    char name[64];
    if (bt_starts_with(path, removal)) return bt_stage_setting(bt_stage_find("encode"), path + strlen(removal)) != NULL;
    const size_t length = strcspn(path, ".");
    (void)snprintf(name, sizeof name, "%.*s", (int)length, path);
    const bt_stage *const stage = bt_stage_find(name);
    return stage && path[length] && bt_stage_setting(stage, path + length + 1);
}

static bt_status show(const char *name, bt_text *out)
{
    bt_status status = BT_OK;
    bt_region region = {0};
    bt_names files = {0}, keys = {0}, values = {0};
    const bt_node *preset = NULL;
    BT_TRY(bt_preset_read(&region, name, (bt_place){.file = "command line"}, &files, &preset));
    BT_TRY(bt_preset_settings(preset, &keys, &values));
    for (size_t i = 0; i < keys.n; ++i)
        BT_TRY(bt_text_add(out, "%-32s %-32s%s\n", keys.items[i], values.items[i],
                           is_built(keys.items[i]) ? "" : " not built yet"));
cleanup:
    bt_names_clear(&files);
    bt_names_clear(&keys);
    bt_names_clear(&values);
    bt_region_clear(&region);
    return status;
}

int bt_preset_command(int n_word, char **words)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    if (n_word == 0)
        status = list(&text);
    else if (n_word == 2 && !strcmp(words[0], "show"))
        status = show(words[1], &text);
    else if (n_word == 3 && !strcmp(words[0], "diff"))
        status = bt_preset_diff(words[1], words[2], &text);
    else
        status = bt_fail(BT_ERR_USAGE, "command line: expected preset, preset show NAME or preset diff A B");
    if (status == BT_OK) (void)fputs(text.data, stdout);
    bt_text_clear(&text);
    return bt_exit_code(status);
}
