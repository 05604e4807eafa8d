/* NIfTI-1 and NIfTI-2, .nii and .nii.gz, either endian, every integer and float type, scl_slope and scl_inter. Voxel
 * order is the file's: x fastest. */
#ifndef BT_IO_NIFTI_H
#define BT_IO_NIFTI_H

#include "base/status.h"

#include <stddef.h>

typedef struct {
    size_t shape[4];   /* x, y, z, t (1 where absent) */
    double spacing[4]; /* mm, and seconds */
    const char *type;  /* "int16" */
    int version;       /* 1 or 2 */
} bt_nifti_info;

bt_status bt_nifti_inspect(const char *path, bt_nifti_info *info) BT_MUST_CHECK;
/* Mask: *index (n) = positions (x fastest) of the non-zero voxels of a 3-D image, ascending. */
bt_status bt_nifti_mask(const char *path, bt_nifti_info *info, size_t **index, size_t *n) BT_MUST_CHECK;
/* *rows (n_t, n) float32: the image's values at `index` for every volume. shape: the mask's, checked against the
 * image's (message names both files and both shapes). Streams: one volume in memory at a time. */
bt_status bt_nifti_rows(const char *path, const char *mask_path, const bt_nifti_info *mask, const size_t *index,
                        size_t n, float **rows, size_t *n_t) BT_MUST_CHECK;
/* A 3-D float32 map in a mask's geometry, NaN outside; the mask's header is copied. */
bt_status bt_nifti_write_map(const char *path, const char *mask_path, const size_t *index, size_t n,
                             const float *values) BT_MUST_CHECK;

#endif
