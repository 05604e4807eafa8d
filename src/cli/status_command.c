/* `braintune status X.yaml|PLAN.json`: how far a plan is. */
#include "cli/command.h"
#include "cli/plans.h"

#include "base/memory.h"
#include "sweep/tables.h"

typedef struct {
    int64_t limit;
} status_options;

static const bt_setting table[] = {BT_LIMIT_SETTING(status_options)};

bt_status bt_status_command_help(bt_text *out)
{
    status_options options = {0};
    return bt_plan_help(
        "braintune status X.yaml|PLAN.json: tasks per stage and state, who runs what, why what failed\n\n"
        "example: braintune status experiments/paper.yaml",
        table, 1, &options, out);
}

int bt_status_command(int n_word, char **words)
{
    bt_status status = BT_OK;
    status_options options = {0};
    bt_settings settings = {0};
    bt_plan_words read = {0};
    bt_plan plan = {0};
    bt_report *reports = NULL;
    bt_text text = {0};
    BT_TRY(bt_plan_words_read(table, 1, &options, n_word, words, &settings, &read));
    BT_TRY(bt_plan_load(&read, options.limit, false, &plan));
    BT_ALLOC(reports, plan.n_task);
    BT_TRY(bt_states_read(&plan, reports));
    BT_TRY(bt_table_states(&plan, reports, &text));
    (void)fputs(text.data, stdout);
cleanup:
    bt_text_clear(&text);
    bt_reports_free(&plan, reports);
    bt_plan_clear(&plan);
    bt_names_clear(&read.overrides);
    bt_settings_clear(&settings);
    return bt_exit_code(status);
}
