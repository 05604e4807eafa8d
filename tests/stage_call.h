/* Runs a stage as the command line does, for tests. */
#ifndef BT_TESTS_STAGE_CALL_H
#define BT_TESTS_STAGE_CALL_H

#include "support.h"

#include "store/stage.h"

/* Collective over `comm`. words: "key=value" separated by blanks, behind which come store= (in the scratch folder
 * unless given) and the stage's own. result may be NULL; else it gets what the command would print. */
static inline bt_status stage_call(const bt_stage *stage, const bt_comm *comm, const char *words, bt_text *result)
{
    enum { MOST = 32 };
    bt_status status = BT_OK;
    bt_settings settings = {0};
    bt_common common = {0};
    bt_text own = {0};
    char *copy = NULL, *list[MOST], *rest = NULL;
    int n = 0;
    char *options = NULL;
    BT_ALLOC(options, stage->options_size);
    copy = bt_strdup(words);
    for (char *word = strtok_r(copy, " ", &rest); word && n < MOST; word = strtok_r(NULL, " ", &rest)) list[n++] = word;
    bt_settings_add(&settings, stage->table, stage->n_setting, options);
    bt_settings_add(&settings, bt_common_settings, bt_common_settings_count, &common);
    BT_TRY(bt_settings_parse(&settings, n, list));
    const bt_stage_call call = {
        .options = options, .settings = &settings, .common = &common, .comm = comm, .result = result ? result : &own};
    BT_TRY(stage->run(&call));
cleanup:
    if (options) bt_settings_clear(&settings);
    bt_free(options);
    bt_free(copy);
    bt_text_clear(&own);
    return status;
}

#endif
