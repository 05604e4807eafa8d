/* A score file of `encode`: what it is about, its spaces and ROIs, and the maps in it. */
#ifndef BT_REPORTING_SCORE_FILE_H
#define BT_REPORTING_SCORE_FILE_H

#include "base/status.h"
#include "base/text.h"
#include "io/hdf5.h"
#include "reporting/facts.h"
#include "store/digest.h"

#include <stdint.h>

typedef struct {
    bt_h5 *file;
    char digest[BT_DIGEST_SIZE]; /* of the recipe: the artefact's name */
    bt_facts about;
    char *score, *penalty, *stories, *test_stories; /* "" when the file does not say */
    bt_names spaces; /* groups that hold "r": layers in order, then others by name; one "" for a plain file (/r) */
    size_t n_voxel;
    bt_names rois;   /* the file's, then "all" */
    uint8_t *member; /* (rois.n, n_voxel) */
    float *cc_max;   /* (n_voxel), NULL when the file has none */
} bt_score_file;

/* Attributes and names only, until bt_score_file_load. *is_score is false (and *out empty) for an HDF5 file that is no
 * score file of ours. */
bt_status bt_score_file_open(const char *path, bt_score_file *out, bool *is_score) BT_MUST_CHECK;
/* ROI labels and ceilings. BT_ERR_INPUT naming both sizes when they do not fit the voxels. */
bt_status bt_score_file_load(bt_score_file *scores) BT_MUST_CHECK;
void bt_score_file_close(bt_score_file *scores); /* takes a zeroed one */

/* *map (n_voxel), allocated: "r" of a space; NULL when the space has no such map. */
bt_status bt_score_file_map(const bt_score_file *scores, const char *space, const char *name,
                            float **map) BT_MUST_CHECK;
/* The number of "layer_07"; -1 for a space that is no layer. */
int bt_score_layer(const char *space);

#endif
