/* `braintune summary results=DIR`: the small table of a collected experiment. */
#include "cli/command.h"

#include "base/memory.h"
#include "reporting/summary.h"

typedef struct {
    char *results;
} summary_options;

static const bt_setting table[] = {
    {"results", BT_SET_TEXT, offsetof(summary_options, results), BT_REQUIRED | BT_PATHS, NULL, NULL, 0, 0, NULL,
     "folder that `braintune collect` wrote"},
};

bt_status bt_summary_help(bt_text *out)
{
    summary_options options = {0};
    bt_settings settings = {0};
    bt_settings_add(&settings, table, sizeof table / sizeof *table, &options);
    const bt_status status =
        bt_text_add(out, "braintune summary results=DIR: r by ROI and layer, and noise ceilings, of "
                         "a collected experiment\n\nexample: braintune summary results=results\n\nkeys:\n");
    return status == BT_OK ? bt_settings_help(&settings, out) : status;
}

int bt_summary_command(int n_word, char **words)
{
    bt_status status = BT_OK;
    summary_options options = {0};
    bt_settings settings = {0};
    bt_text text = {0};
    char *path = NULL;
    bt_settings_add(&settings, table, sizeof table / sizeof *table, &options);
    BT_TRY(bt_settings_parse(&settings, n_word, words));
    path = bt_path_join(options.results, "table.csv");
    if (!path) BT_TRY(BT_ERR_MEMORY);
    BT_TRY(bt_summary(path, &text));
    (void)fputs(text.data, stdout);
cleanup:
    bt_free(path);
    bt_text_clear(&text);
    bt_settings_clear(&settings);
    return bt_exit_code(status);
}
