/* Model folders: one file, or shards and the index that says which tensor is where. */
#include "base/memory.h"
#include "base/text.h"
#include "io/foreign.h"
#include "io/safetensors_internal.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const bt_tensor_entry *)a)->name, ((const bt_tensor_entry *)b)->name);
}

size_t bt_tensor_find(const bt_tensor_entry *entries, size_t n, const char *name)
{
    size_t low = 0, high = n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(name, entries[middle].name);
        if (order == 0) return middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return SIZE_MAX;
}

/* "model-00001-of-00002.safetensors" and nothing that could lead out of the folder. */
static bool is_plain_name(const char *name)
{
    return name && *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* Every shard that the index names, once, in order of first mention. */
static bt_status add_shards(bt_checkpoint *checkpoint, const char *index, json_t *map)
{
    bt_status status = BT_OK;
    bt_names shards = {0};
    char *path = NULL;
    const char *tensor;
    json_t *value;
    json_object_foreach(map, tensor, value)
    {
        const char *const shard = json_string_value(value);
        BT_CHECK(is_plain_name(shard), BT_ERR_INPUT, "%s: weight_map: %s: expected a file name of the same folder",
                 index, tensor);
        if (!bt_names_have(&shards, shard)) BT_TRY(bt_names_add(&shards, shard));
    }
    for (size_t i = 0; i < shards.n; ++i) {
        path = bt_path_join(checkpoint->folder, shards.items[i]);
        BT_CHECK(path, BT_ERR_MEMORY, "%s: out of memory", index);
        BT_TRY(bt_checkpoint_add(checkpoint, path));
        bt_free(path);
        path = NULL;
    }
cleanup:
    bt_free(path);
    bt_names_clear(&shards);
    return status;
}

/* Index and shards must name the same tensors at the same places. */
static bt_status check_map(const bt_checkpoint *checkpoint, const char *index, json_t *map)
{
    bt_status status = BT_OK;
    const char *tensor;
    json_t *value;
    for (size_t i = 0; i < checkpoint->n; ++i) {
        const bt_tensor_entry *const entry = &checkpoint->entries[i];
        const char *const found = bt_path_base(checkpoint->files[entry->file].path);
        const char *const expected = json_string_value(json_object_get(map, entry->name));
        BT_CHECK(expected, BT_ERR_INPUT, "%s: weight_map: tensor %s of %s is missing", index, entry->name, found);
        BT_CHECK(!strcmp(expected, found), BT_ERR_INPUT, "%s: weight_map: tensor %s: expected in %s, found in %s",
                 index, entry->name, expected, found);
    }
    json_object_foreach(map, tensor, value) BT_CHECK(bt_checkpoint_find(checkpoint, tensor) != SIZE_MAX, BT_ERR_INPUT,
                                                     "%s: weight_map: tensor %s is not in %s; fetch the model again",
                                                     index, tensor, json_string_value(value));
cleanup:
    return status;
}

static void sort_entries(bt_checkpoint *checkpoint)
{
    if (checkpoint->n) qsort(checkpoint->entries, checkpoint->n, sizeof *checkpoint->entries, compare_names);
}

static bt_status open_sharded(bt_checkpoint *checkpoint, const char *index)
{
    bt_status status = BT_OK;
    char *text = NULL;
    size_t size = 0;
    json_t *root = NULL;
    json_error_t error;
    BT_TRY(bt_file_check(index));
    BT_TRY(bt_path_read(index, &text, &size));
    root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    BT_CHECK(root, BT_ERR_INPUT, "%s:%d: %s", index, error.line, error.text);
    json_t *const map = json_object_get(root, "weight_map");
    BT_CHECK(json_is_object(map) && json_object_size(map), BT_ERR_INPUT,
             "%s: expected an object weight_map of tensor names and files, found none", index);
    BT_TRY(add_shards(checkpoint, index, map));
    sort_entries(checkpoint);
    BT_TRY(check_map(checkpoint, index, map));
cleanup:
    json_decref(root);
    bt_free(text);
    return status;
}

/* A link that dangles (an annex, an incomplete cache) counts: bt_file_check explains it. */
static bool is_listed(const char *folder, const char *name)
{
    bt_names names = {0};
    const bool found = bt_path_list(folder, &names) == BT_OK && bt_names_have(&names, name);
    bt_names_clear(&names);
    return found;
}

/* The path of what holds the folder's weights, the first of those that are there; or the file itself. */
static bt_status find_weights(const char *folder, char **path, bool *sharded)
{
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                        "pytorch_model.bin.index.json"};
    enum { N = sizeof names / sizeof *names };
    bt_status status = BT_OK;
    size_t i = 0;
    *sharded = false;
    if ((bt_ends_with(folder, ".safetensors") || bt_ends_with(folder, ".bin")) && !bt_path_is_directory(folder)) {
        *path = bt_strdup(folder);
    } else {
        while (i < N && !is_listed(folder, names[i])) ++i;
        BT_CHECK(i < N, BT_ERR_INPUT,
                 "%s: expected model.safetensors, pytorch_model.bin, or an index of shards (.index.json), found none; "
                 "give the folder of a Hugging Face model",
                 folder);
        *path = bt_path_join(folder, names[i]);
        *sharded = i % 2;
    }
    BT_CHECK(*path, BT_ERR_MEMORY, "%s: out of memory", folder);
cleanup:
    return status;
}

bt_status bt_checkpoint_open(const char *folder, bt_checkpoint **out)
{
    bt_status status = BT_OK;
    bt_checkpoint *checkpoint = NULL;
    char *path = NULL;
    bool sharded;
    *out = NULL;
    BT_ALLOC(checkpoint, 1);
    checkpoint->folder = bt_strdup(folder);
    BT_CHECK(checkpoint->folder, BT_ERR_MEMORY, "%s: out of memory", folder);
    BT_TRY(find_weights(folder, &path, &sharded));
    BT_TRY(sharded ? open_sharded(checkpoint, path) : bt_checkpoint_add(checkpoint, path));
    sort_entries(checkpoint);
    *out = checkpoint;
    checkpoint = NULL;
cleanup:
    bt_free(path);
    bt_checkpoint_close(&checkpoint);
    return status;
}
