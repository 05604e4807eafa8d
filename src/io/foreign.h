/* What is this file? Signatures, git-annex stubs, git-lfs stubs. */
#ifndef BT_IO_FOREIGN_H
#define BT_IO_FOREIGN_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    BT_FILE_UNKNOWN,
    BT_FILE_ANNEX_STUB, /* an annex pointer (text "/annex/objects/..." or a link to .git/annex/objects that dangles), or
                           a git-lfs pointer */
    BT_FILE_HDF5,
    BT_FILE_NPY,
    BT_FILE_NIFTI,
    BT_FILE_AUDIO,
    BT_FILE_TEXTGRID,
    BT_FILE_TR_REPORT,
    BT_FILE_SAFETENSORS,
    BT_FILE_JSON,
    BT_FILE_YAML,
    BT_FILE_CSV /* also tab-separated */
} bt_file_kind;

const char *bt_file_kind_name(bt_file_kind kind);

/* By content first, then by name. A stub is BT_OK here; a missing file, a folder and an empty file fail as below. */
bt_status bt_file_recognise(const char *path, bt_file_kind *kind) BT_MUST_CHECK;

/* True for a git-annex stub; *bytes is then the size of its content, as far as its key says, else 0. */
bool bt_file_is_annex_stub(const char *path, int64_t *bytes);

/* Every reader calls this first. BT_ERR_INPUT with the fix: a missing file (names the uppermost missing folder), a link
 * that dangles, a directory, an empty file, an annex stub ("...: its content was never fetched; run: datalad get
 * PATH"), a git-lfs stub ("git lfs pull"). */
bt_status bt_file_check(const char *path) BT_MUST_CHECK;

#endif
