/* Responses: files whose rows are joined in order, columns are voxels. PATH.npy, PATH.h5:/dataset (n_tr, n_voxel), or
 * with repeats (n_repeat, n_tr, n_voxel); PATH.nii[.gz] with a mask, whose non-zero voxels in file order are the
 * columns. */
#ifndef BT_STIMULUS_RESPONSES_H
#define BT_STIMULUS_RESPONSES_H

#include "base/status.h"
#include "base/text.h"
#include "dist/comm.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct bt_responses bt_responses;

/* Reads headers only. Collective over comm when it has several ranks (NULL: this rank alone). Errors: BT_ERR_INPUT when
 * voxels or repeats differ between files (names both files and both counts), BT_ERR_USAGE for a NIfTI file without
 * mask, or a mask without NIfTI files. */
bt_status bt_responses_open(const bt_names *specs, const char *mask, const bt_comm *comm,
                            bt_responses **out) BT_MUST_CHECK;
void bt_responses_close(bt_responses **responses); /* takes NULL */

size_t bt_responses_files(const bt_responses *responses);
const char *bt_responses_name(const bt_responses *responses, size_t file);
size_t bt_responses_rows(const bt_responses *responses, size_t file);
size_t bt_responses_rows_all(const bt_responses *responses);
size_t bt_responses_voxels(const bt_responses *responses);
bool bt_responses_have_repeats(const bt_responses *responses);
size_t bt_responses_repeats(const bt_responses *responses); /* 1 without */

/* rows (n_row of all files, n_voxel) float32 of the voxels [voxel, voxel + n_voxel). This rank alone. */
bt_status bt_responses_read(const bt_responses *responses, size_t repeat, size_t voxel, size_t n_voxel,
                            float *rows) BT_MUST_CHECK;
/* Collective over the comm of open: rows (n_row of all files, or of one, my bt_partition of the voxels). */
bt_status bt_responses_read_mine(const bt_responses *responses, const bt_comm *comm, size_t repeat,
                                 float *rows) BT_MUST_CHECK;
bt_status bt_responses_read_file(const bt_responses *responses, const bt_comm *comm, size_t file, size_t repeat,
                                 float *rows) BT_MUST_CHECK;

#endif
