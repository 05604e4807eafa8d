/* What figures, tests and the summary take from the table: values by series, ROI, layer, subject and seed, and their
 * means. */
#ifndef BT_REPORTING_SELECTION_H
#define BT_REPORTING_SELECTION_H

#include "base/status.h"
#include "base/text.h"
#include "reporting/series.h"
#include "reporting/table.h"

#include <stdbool.h>

/* Which rows to take; zero-initialised: all, metric r, the mean over the upper half of the layers. */
typedef struct {
    const char *metric;      /* r, r_norm, r_norm_ratio; NULL: r */
    const bt_names *entries; /* of the experiment's file; NULL or empty: all, each a series of its own */
    const bt_names *models;  /* sets, objectives or models */
    const bt_names *regions; /* ROIs, in the order wanted */
    const char *layers;      /* mean, last, a number, or a layer of the table ("mean:7-12", "best"); NULL: mean */
} bt_query;

/* One ROI of one subject under one seed, the mean over its rows. */
typedef struct {
    double value, low, high;   /* 95 % interval over voxels, NAN where the table has none */
    double n_voxel, n_dropped; /* that count, and that do not */
    unsigned n_row;            /* 0: no such measure */
} bt_measure;

typedef struct {
    const bt_table *table; /* borrowed; must outlive the selection */
    bt_query query;        /* borrowed too */
    bt_names rois;         /* in the table's order, or the query's; "all" only when there is no other */
    bt_names subjects;     /* sorted */
    bt_names seeds;        /* sorted by number; "" for what has none */
    bt_names layers;       /* all that occur; the numbers first, ascending */
    size_t n_number;       /* of layers that are numbers */
    size_t n_series, capacity;
    bt_series *series;
    bt_measure *measures; /* (n_series + 1, roi, layer, subject, seed); the last series is the noise ceiling */
    bt_names missing;     /* planned and not there, by series: "wav2vec2-base (brain): S02 seed 1, S03" */
    size_t n_averaged;    /* measures that average rows of several artefacts, where one was to be expected */
} bt_selection;

#define BT_ALL ((size_t)-1)
enum { BT_STUDENT_FROM = 5 }; /* subjects from which on there are intervals over subjects */

/* Errors: BT_ERR_INPUT when the table holds no row of the query's metric, or lacks a region, an entry or a model that
 * the query names (the message lists those there are). */
bt_status bt_selection_create(const bt_table *table, const char *path, const bt_query *query,
                              bt_selection *out) BT_MUST_CHECK;
void bt_selection_clear(bt_selection *selection);

/* Indices into the lists above. series = n_series: the noise ceiling, whose layer is "". */
const bt_measure *bt_selection_measure(const bt_selection *selection, size_t series, size_t roi, size_t layer,
                                       size_t subject, size_t seed);
size_t bt_selection_layer(const bt_selection *selection, const char *layer); /* SIZE_MAX when it does not occur */

/* One cell: seeds of a subject are averaged first; then subjects, with a 95 % interval: Student's t over subjects from
 * 5 of them on, else over voxels, the subjects' squared standard errors added. */
typedef struct {
    double value, low, high;
    size_t n_subject, n_seed; /* n_seed: the most that one subject has */
    double n_voxel;           /* of all its subjects */
    bool over_subjects;
} bt_cell;

/* subject BT_ALL: all of them. n_subject = 0: no such measure. */
bt_cell bt_selection_cell(const bt_selection *selection, size_t series, size_t subject, size_t roi, const char *layer);

#endif
