/* What inspect.c dispatches to; each adds lines on one kind of file. */
#ifndef BT_REPORTING_INSPECT_PARTS_H
#define BT_REPORTING_INSPECT_PARTS_H

#include "base/status.h"
#include "base/text.h"

#include <stddef.h>

bt_status bt_inspect_hdf5(const char *path, bt_text *out) BT_MUST_CHECK;
bt_status bt_inspect_npy(const char *path, bt_text *out) BT_MUST_CHECK;
bt_status bt_inspect_nifti(const char *path, bt_text *out) BT_MUST_CHECK;
bt_status bt_inspect_audio(const char *path, bt_text *out) BT_MUST_CHECK;
bt_status bt_inspect_textgrid(const char *path, bt_text *out) BT_MUST_CHECK;
bt_status bt_inspect_tr_report(const char *path, bt_text *out) BT_MUST_CHECK;
bt_status bt_inspect_tensors(const char *path,
                             bt_text *out) BT_MUST_CHECK; /* a .safetensors file or a folder of such */
bt_status bt_inspect_json(const char *path, bt_text *out) BT_MUST_CHECK;
bt_status bt_inspect_csv(const char *path, bt_text *out) BT_MUST_CHECK;

/* "(3, 4)" */
bt_status bt_inspect_shape(bt_text *out, size_t rank, const size_t *shape) BT_MUST_CHECK;

#endif
