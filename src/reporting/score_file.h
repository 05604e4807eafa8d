/* A score file of `encode`: what it is about, its spaces and ROIs, and the maps in it. */
#ifndef BT_REPORTING_SCORE_FILE_H
#define BT_REPORTING_SCORE_FILE_H

#include "base/status.h"
#include "base/text.h"
#include "io/hdf5.h"
#include "io/name_lists.h"
#include "reporting/facts.h"
#include "reporting/roi_score.h"
#include "store/digest.h"

#include <stdint.h>

typedef enum { BT_HEMISPHERE_BOTH, BT_HEMISPHERE_LEFT, BT_HEMISPHERE_RIGHT, BT_HEMISPHERES } bt_hemisphere;
extern const char *const bt_hemisphere_names[BT_HEMISPHERES]; /* both, lh, rh */

typedef struct {
    bt_h5 *file;
    char digest[BT_DIGEST_SIZE]; /* of the recipe: the artefact's name */
    bt_facts about;
    char *score, *penalty, *stories, *test_stories, *removed; /* "" when the file does not say */
    bt_names spaces; /* groups that hold "r": layers in order, then others by name; one "" for a plain file (/r) */
    size_t n_voxel;
    bt_names labels;           /* the file's */
    uint8_t *label;            /* (labels.n, n_voxel) 0/1 */
    bt_names rois;             /* groups of labels, or each label by itself; then, of both hemispheres, "all" */
    bt_hemisphere *hemisphere; /* (rois.n) */
    size_t *first;             /* (rois.n + 1) ROI k has parts [first[k], first[k + 1]) */
    uint8_t *member;           /* (first[rois.n], n_voxel) of the parts */
    bool zero_filled;
    float *cc_max; /* (n_voxel), NULL when the file has none */
} bt_score_file;

/* Attributes and names only, until bt_score_file_load. *is_score is false (and *out empty) for an HDF5 file that is no
 * score file of ours. */
bt_status bt_score_file_open(const char *path, bt_score_file *out, bool *is_score) BT_MUST_CHECK;
/* How ROIs are made of labels. */
typedef struct {
    bt_roi_rule rule;
    const char *path;            /* of the groups, for messages */
    const bt_name_lists *groups; /* of labels, NULL: each label by itself. A is A, L_A and R_A; L_A is L_A */
    const bt_names *hemispheres; /* some of bt_hemisphere_names; in lh and rh ROIs with labels there, L_A or R_A */
} bt_roi_options;

/* ROI labels and ceilings. BT_ERR_INPUT naming both sizes when they do not fit the voxels, and a group's label that the
 * file does not have. */
bt_status bt_score_file_load(bt_score_file *scores, const bt_roi_options *options) BT_MUST_CHECK;
bt_roi bt_score_file_roi(const bt_score_file *scores, size_t roi);
void bt_score_file_close(bt_score_file *scores); /* takes a zeroed one */

/* *map (n_voxel), allocated: "r" of a space; NULL when the space has no such map. */
bt_status bt_score_file_map(const bt_score_file *scores, const char *space, const char *name,
                            float **map) BT_MUST_CHECK;
/* The number of "layer_07"; -1 for a space that is no layer. */
int bt_score_layer(const char *space);

#endif
