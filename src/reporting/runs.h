/* Tunings in the table: one run per model, objective, tuned subject and seed, with its curves over epochs. */
#ifndef BT_REPORTING_RUNS_H
#define BT_REPORTING_RUNS_H

#include "base/status.h"
#include "base/text.h"
#include "reporting/series.h"
#include "reporting/table.h"

typedef enum { BT_CURVE_TRAIN, BT_CURVE_VALIDATE, BT_CURVE_R, BT_CURVE_COUNT } bt_curve_kind;

/* (n) points; r is that of ROI "all", the mean over the subjects of a joint tuning. */
typedef struct {
    size_t n, capacity;
    double *epoch, *value;
} bt_curve;

typedef struct {
    size_t series;
    const char *tuned_subject, *seed, *artefact; /* of the table */
    const char *loss;                            /* metric of the losses */
    double best_epoch;                           /* NAN when the table does not say */
    bt_curve curves[BT_CURVE_COUNT];
} bt_run;

typedef struct {
    size_t n_series, series_capacity;
    bt_series *series;
    size_t n, capacity;
    bt_run *items;    /* by series, subject, seed */
    bt_names missing; /* tunings that were planned and are not there */
} bt_runs;

/* Rows of stage tune, of the sets, objectives or models in `models` (NULL or empty: all). n = 0 without any. */
bt_status bt_runs_create(const bt_table *table, const bt_names *models, bt_runs *out) BT_MUST_CHECK;
void bt_runs_clear(bt_runs *runs);

#endif
