/* The tensors of a model folder. safetensors, one file or sharded: memory-mapped, validated (header length, offsets in
 * range, no overlap, shape times element size equal to the span, duplicate names). pytorch_model.bin, one file or
 * sharded: a zip archive of which a pickle lists the tensors; it is read, never executed, and what asks for more than
 * tensors is refused. f32, f16, bf16, f64 read as f32. */
#ifndef BT_IO_SAFETENSORS_H
#define BT_IO_SAFETENSORS_H

#include "base/status.h"
#include "device/device.h"

#include <stddef.h>

enum { BT_TENSOR_RANK = 6 };

typedef struct bt_checkpoint bt_checkpoint; /* the tensors of a model folder */

typedef struct {
    const char *name;
    int rank;
    size_t shape[BT_TENSOR_RANK];
    const char *type; /* "F32", "BF16", ... as in the file */
} bt_tensor_info;

/* `folder` holds model.safetensors, model.safetensors.index.json, pytorch_model.bin or its index, of which the first is
 * taken (symlinks of a hub cache are followed); a path that ends in .safetensors or .bin is that one file. Errors,
 * BT_ERR_INPUT: none is there, and every way in which a file can contradict itself or the index. Tensors are sorted by
 * name. */
bt_status bt_checkpoint_open(const char *folder, bt_checkpoint **out) BT_MUST_CHECK;
void bt_checkpoint_close(bt_checkpoint **checkpoint);
size_t bt_checkpoint_count(const bt_checkpoint *checkpoint);
bt_tensor_info bt_checkpoint_info(const bt_checkpoint *checkpoint, size_t index);
/* Index of a tensor, or SIZE_MAX. */
size_t bt_checkpoint_find(const bt_checkpoint *checkpoint, const char *name);
/* All elements as float32; integers, bool and float8 are BT_ERR_INPUT. Non-finite values are BT_ERR_INPUT with tensor
 * and index. */
bt_status bt_checkpoint_read(const bt_checkpoint *checkpoint, size_t index, float *out) BT_MUST_CHECK;

/* One file, F32, tensors in the given order, metadata {"format": "pt"}; names differ. On failure the file is removed.
 */
typedef struct {
    const char *name;
    int rank;
    size_t shape[BT_TENSOR_RANK];
    const float *data;
} bt_tensor;
bt_status bt_safetensors_write(const char *path, const bt_tensor *tensors, size_t n) BT_MUST_CHECK;

/* The same, one tensor in memory at a time: `data` is not looked at, `give` fills all elements of tensor `index`. */
typedef struct {
    bt_status (*give)(void *context, size_t index, float *out);
    void *context;
} bt_tensor_source;
bt_status bt_safetensors_write_from(const char *path, const bt_tensor *tensors, size_t n,
                                    bt_tensor_source source) BT_MUST_CHECK;

#endif
