#include "io/safetensors.h"

#include "base/memory.h"
#include "base/text.h"
#include "io/elements.h"
#include "io/foreign.h"
#include "io/safetensors_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PREFIX = 8 };
static const size_t longest_header = 100000000; /* the format's own limit */

static bt_status map_file(bt_tensor_file *file)
{
    bt_status status = BT_OK;
    struct stat facts;
    const int descriptor = open(file->path, O_RDONLY | O_CLOEXEC);
    BT_CHECK(descriptor >= 0 && fstat(descriptor, &facts) == 0, BT_ERR_FILE, "%s: cannot be opened: %s", file->path,
             strerror(errno));
    BT_CHECK(facts.st_size > PREFIX, BT_ERR_INPUT,
             "%s: expected a safetensors file, found %lld bytes; the file is truncated, fetch it again", file->path,
             (long long)facts.st_size);
    void *const bytes = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_SHARED, descriptor, 0);
    BT_CHECK(bytes != MAP_FAILED, BT_ERR_FILE, "%s: cannot be mapped into memory: %s", file->path, strerror(errno));
    file->bytes = bytes;
    file->size = (size_t)facts.st_size;
cleanup:
    if (descriptor >= 0) (void)close(descriptor);
    return status;
}

static bt_status add_safetensors(bt_checkpoint *checkpoint)
{
    bt_status status = BT_OK;
    bt_tensor_file *const file = &checkpoint->files[checkpoint->n_file - 1];
    BT_TRY(map_file(file));
    uint64_t length;
    memcpy(&length, file->bytes, PREFIX);
    BT_CHECK(length <= longest_header, BT_ERR_INPUT,
             "%s: expected a safetensors header below 100 MB, found a length of %llu; it is of another kind or damaged",
             file->path, (unsigned long long)length);
    BT_CHECK(length <= file->size - PREFIX, BT_ERR_INPUT,
             "%s: expected a header of %llu bytes, found only %zu; the file is truncated, fetch it again", file->path,
             (unsigned long long)length, file->size - PREFIX);
    const char *const header = (const char *)file->bytes + PREFIX;
    BT_TRY(bt_safetensors_parse(checkpoint, header, (size_t)length, (const unsigned char *)header + length,
                                file->size - PREFIX - (size_t)length));
cleanup:
    return status;
}

bt_status bt_checkpoint_add(bt_checkpoint *checkpoint, const char *path)
{
    bt_status status = BT_OK;
    BT_TRY(bt_file_check(path));
    BT_GROW(checkpoint->files, checkpoint->n_file, checkpoint->file_capacity);
    bt_tensor_file *const file = &checkpoint->files[checkpoint->n_file];
    *file = (bt_tensor_file){.path = bt_strdup(path)};
    BT_CHECK(file->path, BT_ERR_MEMORY, "%s: out of memory", path);
    ++checkpoint->n_file;
    BT_TRY(bt_ends_with(path, ".bin") ? bt_archive_open(checkpoint) : add_safetensors(checkpoint));
cleanup:
    return status;
}

void bt_checkpoint_close(bt_checkpoint **handle)
{
    bt_checkpoint *const checkpoint = *handle;
    if (!checkpoint) return;
    for (size_t i = 0; i < checkpoint->n; ++i) bt_free(checkpoint->entries[i].name);
    for (size_t i = 0; i < checkpoint->n_file; ++i) {
        if (checkpoint->files[i].bytes) (void)munmap(checkpoint->files[i].bytes, checkpoint->files[i].size);
        bt_archive_close(&checkpoint->files[i]);
        bt_free(checkpoint->files[i].path);
    }
    bt_free(checkpoint->folder);
    bt_free(checkpoint->entries);
    bt_free(checkpoint->files);
    bt_free(checkpoint);
    *handle = NULL;
}

size_t bt_checkpoint_count(const bt_checkpoint *checkpoint)
{
    return checkpoint->n;
}

bt_tensor_info bt_checkpoint_info(const bt_checkpoint *checkpoint, size_t index)
{
    assert(index < checkpoint->n);
    const bt_tensor_entry *const entry = &checkpoint->entries[index];
    bt_tensor_info info = {.name = entry->name, .rank = entry->rank, .type = entry->type};
    memcpy(info.shape, entry->shape, sizeof info.shape);
    return info;
}

size_t bt_checkpoint_find(const bt_checkpoint *checkpoint, const char *name)
{
    return bt_tensor_find(checkpoint->entries, checkpoint->n, name);
}

static bool element_of(const char *type, bt_element *element)
{
    static const struct {
        const char *type;
        bt_element element;
    } known[] = {{"F32", BT_ELEMENT_F32}, {"F16", BT_ELEMENT_F16}, {"BF16", BT_ELEMENT_BF16}, {"F64", BT_ELEMENT_F64}};
    for (size_t i = 0; i < sizeof known / sizeof *known; ++i)
        if (!strcmp(type, known[i].type)) {
            *element = known[i].element;
            return true;
        }
    return false;
}

/* n elements as float32, straight from the file or by way of a copy. */
static bt_status convert(const bt_tensor_file *file, const bt_tensor_entry *entry, bt_element element, size_t n,
                         float *out)
{
    bt_status status = BT_OK;
    unsigned char *copy = NULL;
    if (n == 0) return BT_OK;
    if (!entry->data) {
        BT_ALLOC(copy, n * bt_element_size(element));
        BT_TRY(bt_archive_read(file, entry, copy));
    }
    bt_elements_convert(element, false, copy ? copy : entry->data, 1, n, BT_F32, out);
cleanup:
    bt_free(copy);
    return status;
}

bt_status bt_checkpoint_read(const bt_checkpoint *checkpoint, size_t index, float *out)
{
    bt_status status = BT_OK;
    assert(index < checkpoint->n);
    const bt_tensor_entry *const entry = &checkpoint->entries[index];
    const bt_tensor_file *const file = &checkpoint->files[entry->file];
    const char *const path = file->path;
    bt_element element = BT_ELEMENT_F32;
    size_t n = 1;
    BT_CHECK(element_of(entry->type, &element), BT_ERR_INPUT,
             "%s: tensor %s: expected F32, F16, BF16 or F64, found %s; convert the weights", path, entry->name,
             entry->type);
    for (int i = 0; i < entry->rank; ++i) n *= entry->shape[i];
    BT_TRY(convert(file, entry, element, n, out));
    for (size_t i = 0; i < n; ++i)
        BT_CHECK(
            isfinite(out[i]), BT_ERR_INPUT,
            "%s: tensor %s: element %zu is %s in float32; the training that wrote it diverged or the file is damaged",
            path, entry->name, i, isnan(out[i]) ? "not a number" : "infinite");
cleanup:
    return status;
}
