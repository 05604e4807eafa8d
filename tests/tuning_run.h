/* One tuning run made ready from words, as the stage makes it, for programs that look inside. */
#ifndef BT_TESTS_TUNING_RUN_H
#define BT_TESTS_TUNING_RUN_H

#include "tuning/tuning.h"

#include <mpi.h>
#include <stdio.h>
#include <string.h>

/* Settings of a run, and the run. */
typedef struct {
    bt_settings settings;
    bt_tune_options options;
    bt_common common;
    bt_stage_call call;
    bt_tuning tuning;
} tuning_run;

/* Without it there is nothing to go on with. */
static inline void must(bt_status status)
{
    if (status == BT_OK) return;
    (void)fprintf(stderr, "%s\n", bt_error_message());
    (void)MPI_Abort(MPI_COMM_WORLD, 1);
}

/* Collective. words (n): "key=value". */
static inline void tuning_run_open(tuning_run *run, const bt_comm *comm, int n, char **words)
{
    memset(run, 0, sizeof *run);
    bt_settings_add(&run->settings, bt_tune_settings, BT_TUNE_SETTINGS, &run->options);
    bt_settings_add(&run->settings, bt_common_settings, bt_common_settings_count, &run->common);
    must(bt_settings_parse(&run->settings, n, words));
    run->call =
        (bt_stage_call){.options = &run->options, .settings = &run->settings, .common = &run->common, .comm = comm};
    must(bt_tuning_open(&run->call, &run->tuning));
    must(bt_tuning_prepare(&run->tuning));
}

/* Collective. */
static inline void tuning_run_close(tuning_run *run)
{
    bt_tuning_close(&run->tuning);
    bt_settings_clear(&run->settings);
}

#endif
