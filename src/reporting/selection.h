/* What the figures and the summary take from the table: ROIs, series of results (a model and its objective, or a
 * feature space without layers), subjects, layers; and the mean of one cell over subjects. */
#ifndef BT_REPORTING_SELECTION_H
#define BT_REPORTING_SELECTION_H

#include "base/status.h"
#include "base/text.h"
#include "reporting/table.h"

#include <stdbool.h>

typedef struct {
    char *label; /* "wav2vec2-base (untrained)", "control: envelope + word_rate" */
    char *model, *objective, *preset;
    bool is_control; /* low-level features */
    bool has_layers;
    char *layer;     /* the rule for one number per ROI: "mean:7-12", else the deepest layer, else "" */
    unsigned colour; /* 0xRRGGBB, Okabe-Ito; the same for an objective in every figure */
    double shade;    /* of that colour, 0..1: tells models with the same objective apart */
} bt_series;

/* A row of metric r or cc_max, its texts as indices into the selection's lists. */
typedef struct {
    size_t series; /* SIZE_MAX for ceilings, which belong to none */
    size_t roi, subject;
    const char *layer; /* of the table */
    double value, low, high, n_voxel;
} bt_entry;

typedef struct {
    const bt_table *table; /* borrowed; must outlive the selection */
    bt_names rois;         /* in the table's order; "all" only when there is no other */
    bt_names subjects;     /* sorted */
    bt_names layers;       /* numbers, ascending */
    size_t n_series, capacity;
    bt_series *series; /* layered ones first, controls last */
    size_t n_entry, entry_capacity;
    bt_entry *entries;
} bt_selection;

/* Errors: BT_ERR_INPUT when the table holds no row of metric r. */
bt_status bt_selection_create(const bt_table *table, const char *path, bt_selection *out) BT_MUST_CHECK;
void bt_selection_clear(bt_selection *selection);

/* One cell: its subjects' values (rows of the same subject are averaged), and their mean with a 95 % interval:
 * Student's t over subjects from 5 of them on, else over voxels, the subjects' squared standard errors added. */
typedef struct {
    double value, low, high;
    size_t n_subject;
    double n_voxel; /* of all its subjects */
    bool over_subjects;
} bt_cell;

/* r of a series in a layer; series NULL: the noise ceiling. subject NULL: all of them. n_subject = 0: no such row. */
bt_cell bt_selection_cell(const bt_selection *selection, const bt_series *series, const char *subject, const char *roi,
                          const char *layer);

#endif
