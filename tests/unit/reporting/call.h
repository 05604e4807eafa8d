/* Calls a one-rank stage as the command line does. */
#ifndef BT_TESTS_UNIT_REPORTING_CALL_H
#define BT_TESTS_UNIT_REPORTING_CALL_H

#include "support.h"

#include "store/stage.h"

static inline bt_status call_stage(const bt_stage *stage, int n, char **words, bt_text *result)
{
    bt_status status = BT_OK;
    bt_common common = {0};
    bt_settings settings = {0};
    bt_comm *comm = NULL;
    void *const options = bt_calloc(1, stage->options_size);
    assert_non_null(options);
    bt_settings_add(&settings, stage->table, stage->n_setting, options);
    bt_settings_add(&settings, bt_common_settings, bt_common_settings_count, &common);
    BT_TRY(bt_settings_parse(&settings, n, words));
    BT_TRY(bt_comm_create(MPI_COMM_NULL, &comm));
    bt_text_clear(result);
    const bt_stage_call call = {
        .options = options, .settings = &settings, .common = &common, .comm = comm, .result = result};
    BT_TRY(stage->run(&call));
cleanup:
    bt_settings_clear(&settings);
    bt_comm_destroy(&comm);
    bt_free(options);
    return status;
}

#endif
