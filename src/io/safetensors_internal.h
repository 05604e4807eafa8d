/* What the readers of checkpoints share: mapped safetensors files and opened PyTorch archives, and their tensors. */
#ifndef BT_IO_SAFETENSORS_INTERNAL_H
#define BT_IO_SAFETENSORS_INTERNAL_H

#include "base/status.h"
#include "io/safetensors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    char *name;
    int rank;
    size_t shape[BT_TENSOR_RANK];
    const char *type;              /* a constant */
    size_t file;                   /* number of its bt_tensor_file */
    size_t low, high;              /* bytes in the file's data, or in the archive's member */
    const unsigned char *data;     /* NULL: in an archive */
    uint64_t member;               /* of the archive */
    size_t stride[BT_TENSOR_RANK]; /* elements; in an archive only */
} bt_tensor_entry;

typedef struct {
    char *path;
    void *bytes; /* mapped */
    size_t size;
    struct zip *archive; /* opened; NULL: mapped */
} bt_tensor_file;

struct bt_checkpoint {
    char *folder;
    bt_tensor_file *files;
    size_t n_file, file_capacity;
    bt_tensor_entry *entries; /* sorted by name */
    size_t n, capacity;
};

/* Opens one more file, validates it and adds its tensors (unsorted). */
bt_status bt_checkpoint_add(bt_checkpoint *checkpoint, const char *path) BT_MUST_CHECK;
/* The last file, of which only the path is known, as a PyTorch archive. */
bt_status bt_archive_open(bt_checkpoint *checkpoint) BT_MUST_CHECK;
void bt_archive_close(bt_tensor_file *file);
/* All elements of a tensor of an archive in the file's type, dense; out (elements). */
bt_status bt_archive_read(const bt_tensor_file *file, const bt_tensor_entry *entry, unsigned char *out) BT_MUST_CHECK;
/* Its tensors' names, shapes and places, from the JSON header of `length` bytes; data: n_data bytes behind it. */
bt_status bt_safetensors_parse(bt_checkpoint *checkpoint, const char *header, size_t length, const unsigned char *data,
                               size_t n_data) BT_MUST_CHECK;
/* The name's index among n sorted entries, or SIZE_MAX. */
size_t bt_tensor_find(const bt_tensor_entry *entries, size_t n, const char *name);
/* Bytes of an element of a type of the format, with its constant name; 0 for a type that there is not. */
size_t bt_tensor_type(const char *type, const char **name);

#endif
