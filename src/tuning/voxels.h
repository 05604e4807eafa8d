/* Which voxels of a subject are learnt: those above a noise ceiling, of ROIs, of a file, or of all of these at once. */
#ifndef BT_TUNING_VOXELS_H
#define BT_TUNING_VOXELS_H

#include "base/status.h"
#include "base/text.h"
#include "dist/comm.h"
#include "stimulus/dataset.h"
#include "store/recipe.h"

#include <stdbool.h>
#include <stddef.h>

/* As encode's ceiling.from: auto is the repeats of the test stories where all of them have some, else the data set's
 * file. */
typedef enum { BT_KEEP_AUTO, BT_KEEP_REPEATS, BT_KEEP_FILE, BT_KEEP_NONE } bt_keep_ceiling;

typedef struct {
    double keep_above;      /* a voxel is kept when its ceiling is above; undefined ceilings are not */
    int ceiling;            /* bt_keep_ceiling; NONE: no voxel is dropped for its ceiling */
    bt_names roi;           /* groups, or names of the label table; none: no voxel is dropped for its place */
    char *rois, *roi_names; /* labels and their names, with {subject}; NULL: the data set's */
    char *groups;           /* groups.yaml of labels, or NULL */
    char *file;             /* .npy: bool (n_voxel), or indices from 0; NULL: none */
} bt_voxels_rule;

typedef struct {
    size_t n_voxel, n_kept;
    size_t *index; /* (n_kept) ascending: which voxel of the responses each kept one is */
    /* What each rule alone drops; a voxel may be dropped by several. */
    size_t n_low, n_undefined; /* ceiling not above keep_above; no ceiling (of n_low's) */
    size_t n_elsewhere;        /* outside the ROIs */
    size_t n_unlisted;         /* not in the file */
    const char *ceiling;       /* "repeats", "file" or "none" */
    double keep_above;
    /* For validation r by ROI the groups that have labels, else all ROIs of the label table; none without labels. */
    bt_names roi;
    bool *member;                              /* (roi.n, n_kept) */
    char *ceiling_file, *roi_file, *roi_names; /* that were read; NULL */
    bt_names repeats;                          /* specs that were read */
} bt_kept_voxels;

/* Collective: ranks share the reading of repeats. stories: one of them tells how many voxels there are; test_stories:
 * for the repeats, may be none; both resolved. Errors, BT_ERR_INPUT naming
 * file, expected and found: no such subject (nearest); no repeats or no file where it is asked for, or neither with
 * auto; ceilings, labels or a mask of another length; an index out of range or twice; an unknown ROI (nearest), ROIs,
 * or groups, without labels; no voxel kept (with what each rule dropped). */
bt_status bt_kept_voxels_create(const bt_voxels_rule *rule, const bt_dataset *dataset, const char *subject,
                                const bt_names *test_stories, const bt_names *stories, const bt_comm *comm,
                                bt_kept_voxels *out) BT_MUST_CHECK;
void bt_kept_voxels_clear(bt_kept_voxels *voxels);

/* "12345 of 81126 voxels: ..." added to `out`: one line for the log. */
bt_status bt_kept_voxels_describe(const bt_kept_voxels *voxels, bt_text *out) BT_MUST_CHECK;
/* Contents of the files that were read, as inputs PREFIX.ceiling, PREFIX.rois, ... */
bt_status bt_kept_voxels_record(const bt_kept_voxels *voxels, const bt_voxels_rule *rule, const char *prefix,
                                const char *store, bt_recipe *recipe) BT_MUST_CHECK;

#endif
