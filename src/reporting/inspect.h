/* `braintune inspect PATH`: what is this file or folder? Data sets are stimulus/inspect_dataset.h. */
#ifndef BT_REPORTING_INSPECT_H
#define BT_REPORTING_INSPECT_H

#include "base/status.h"
#include "base/text.h"

/* Adds lines to `out`: the kind, and for .npy shape, type and order; HDF5 the tree with shapes and attributes; NIfTI
 * shape and spacing; audio format, rate, channels, seconds; TextGrid tiers with counts; TR report triggers and TR;
 * safetensors and model folders tensors and parameters; JSON keys; a table its columns; an annex stub the command that
 * fetches it; our own artefacts their recipe's digest. Errors: BT_ERR_INPUT for what is broken, as the kind's reader
 * says it; a stub is no error. */
bt_status bt_inspect(const char *path, bt_text *out) BT_MUST_CHECK;

/* Writes one map of a score or voxel file: map is NAME@SPACE (r@layer_03, r@3) or NAME (cc_max). out_path ends in .npy:
 * (n_voxel) float32; or in .nii or .nii.gz: needs `mask` (else NULL), the image whose non-zero voxels are the file's.
 * Errors: BT_ERR_INPUT names the maps that there are, or both sizes; BT_ERR_USAGE for another ending. */
bt_status bt_inspect_map(const char *path, const char *map, const char *out_path, const char *mask,
                         bt_text *out) BT_MUST_CHECK;

#endif
