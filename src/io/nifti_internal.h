/* What the NIfTI files of this room share: a parsed header and a stream of bytes. */
#ifndef BT_IO_NIFTI_INTERNAL_H
#define BT_IO_NIFTI_INTERNAL_H

#include "io/elements.h"
#include "io/nifti.h"

#include <stdbool.h>
#include <stddef.h>
#include <zlib.h>

enum { BT_NIFTI_1_SIZE = 348, BT_NIFTI_2_SIZE = 540 };

typedef struct {
    unsigned char bytes[BT_NIFTI_2_SIZE]; /* as in the file */
    size_t size;                          /* 348 or 540 */
    bool swap;
    bt_nifti_info info;
    bt_element element;
    double slope, intercept; /* value = slope * stored + intercept; 1 and 0 where the header says no scaling */
    size_t offset;           /* of the first voxel */
} bt_nifti_header;

/* A .nii or .nii.gz being read from the front. */
typedef struct {
    const char *path; /* borrowed */
    gzFile file;
    bt_nifti_header header;
} bt_nifti_stream;

/* Reads the header and stops at the first voxel. Zero-initialise the stream; close it whatever came back. */
bt_status bt_nifti_stream_open(const char *path, bt_nifti_stream *stream) BT_MUST_CHECK;
void bt_nifti_stream_close(bt_nifti_stream *stream);
bt_status bt_nifti_stream_read(bt_nifti_stream *stream, void *bytes, size_t size) BT_MUST_CHECK;
/* Behind the last voxel: reads to the end, so that gzip's checksum is checked. */
bt_status bt_nifti_stream_finish(bt_nifti_stream *stream) BT_MUST_CHECK;

/* `bytes`: the header's, size known. */
bt_status bt_nifti_parse(const char *path, bt_nifti_header *header) BT_MUST_CHECK;
/* The header of a 3-D float32 map in the same space, unscaled, without extensions, voxels at *offset. */
void bt_nifti_make_map(bt_nifti_header *header, size_t *offset);

#endif
