/* The header of a safetensors file: a JSON object of tensors that tile the data exactly. */
#include "base/memory.h"
#include "base/text.h"
#include "io/elements.h"
#include "io/safetensors_internal.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

size_t bt_tensor_type(const char *type, const char **name)
{
    static const struct {
        const char *name;
        size_t size;
    } known[] = {
        {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F64", 8}, {"I64", 8},  {"I32", 4},     {"I16", 2},     {"I8", 1},
        {"U64", 8}, {"U32", 4}, {"U16", 2},  {"U8", 1},  {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; ++i)
        if (!strcmp(type, known[i].name)) {
            *name = known[i].name;
            return known[i].size;
        }
    return 0;
}

/* A JSON integer that is not negative. */
static bool get_size(const json_t *value, size_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
    *out = (size_t)json_integer_value(value);
    return true;
}

static bt_status parse_shape(const char *path, const json_t *shape, bt_tensor_entry *entry)
{
    if (!json_is_array(shape))
        return bt_fail(BT_ERR_INPUT, "%s: tensor %s: expected a shape, found none; the file is damaged", path,
                       entry->name);
    const size_t rank = json_array_size(shape);
    if (rank > BT_TENSOR_RANK)
        return bt_fail(BT_ERR_INPUT, "%s: tensor %s: expected at most %d axes, found %zu", path, entry->name,
                       BT_TENSOR_RANK, rank);
    entry->rank = (int)rank;
    for (size_t i = 0; i < rank; ++i)
        if (!get_size(json_array_get(shape, i), &entry->shape[i]))
            return bt_fail(BT_ERR_INPUT, "%s: tensor %s: shape[%zu]: expected an integer >= 0; the file is damaged",
                           path, entry->name, i);
    return BT_OK;
}

static bt_status parse_place(const char *path, const json_t *place, size_t n_data, bt_tensor_entry *entry)
{
    const bool pair = json_is_array(place) && json_array_size(place) == 2 &&
                      get_size(json_array_get(place, 0), &entry->low) &&
                      get_size(json_array_get(place, 1), &entry->high);
    if (!pair || entry->low > entry->high)
        return bt_fail(BT_ERR_INPUT, "%s: tensor %s: data_offsets: expected [begin, end]; the file is damaged", path,
                       entry->name);
    if (entry->high > n_data)
        return bt_fail(
            BT_ERR_INPUT,
            "%s: tensor %s: data_offsets end at byte %zu, found only %zu bytes of data; the file is truncated, "
            "fetch it again",
            path, entry->name, entry->high, n_data);
    return BT_OK;
}

static bt_status parse_entry(const char *path, const json_t *value, size_t n_data, bt_tensor_entry *entry)
{
    bt_status status = BT_OK;
    size_t span;
    BT_CHECK(json_is_object(value) && json_object_size(value) == 3, BT_ERR_INPUT,
             "%s: tensor %s: expected dtype, shape and data_offsets; the file is damaged", path, entry->name);
    const char *const type = json_string_value(json_object_get(value, "dtype"));
    const size_t size = type ? bt_tensor_type(type, &entry->type) : 0;
    BT_CHECK(size, BT_ERR_INPUT, "%s: tensor %s: dtype %s is not one that is known here; convert it to F32", path,
             entry->name, type ? type : "(none)");
    BT_TRY(parse_shape(path, json_object_get(value, "shape"), entry));
    BT_TRY(parse_place(path, json_object_get(value, "data_offsets"), n_data, entry));
    BT_CHECK(bt_elements_span(entry->rank, entry->shape, size, &span) && span == entry->high - entry->low, BT_ERR_INPUT,
             "%s: tensor %s: shape and dtype %s contradict its %zu bytes; the file is damaged", path, entry->name, type,
             entry->high - entry->low);
cleanup:
    return status;
}

static bt_status check_metadata(const char *path, json_t *metadata)
{
    const char *key;
    json_t *value;
    bool texts = json_is_object(metadata);
    if (texts) json_object_foreach(metadata, key, value) texts = texts && json_is_string(value);
    if (texts) return BT_OK;
    return bt_fail(BT_ERR_INPUT, "%s: __metadata__: expected an object of texts; the file is damaged", path);
}

static int compare_places(const void *a, const void *b)
{
    const bt_tensor_entry *const x = a, *const y = b;
    if (x->low != y->low) return x->low < y->low ? -1 : 1;
    return x->high < y->high ? -1 : x->high > y->high;
}

/* Sorted by place, every tensor begins where the one before ended, and the last ends with the data. */
static bt_status check_tiling(const char *path, bt_tensor_entry *entries, size_t n, size_t n_data)
{
    size_t end = 0;
    if (n) qsort(entries, n, sizeof *entries, compare_places);
    for (size_t i = 0; i < n; ++i) {
        if (entries[i].low != end)
            return bt_fail(BT_ERR_INPUT, "%s: tensor %s: data begin at byte %zu, expected %zu: %s; the file is damaged",
                           path, entries[i].name, entries[i].low, end,
                           entries[i].low < end ? "it overlaps another tensor" : "bytes before it belong to no tensor");
        end = entries[i].high;
    }
    if (end == n_data) return BT_OK;
    return bt_fail(BT_ERR_INPUT, "%s: expected %zu bytes of data (its header), found %zu; the file is damaged", path,
                   end, n_data);
}

static bt_status parse_all(bt_checkpoint *checkpoint, json_t *root, const unsigned char *data, size_t n_data)
{
    bt_status status = BT_OK;
    const char *name;
    json_t *value;
    const size_t first = checkpoint->n, file = checkpoint->n_file - 1;
    const char *const path = checkpoint->files[file].path;
    json_object_foreach(root, name, value)
    {
        if (!strcmp(name, "__metadata__")) {
            BT_TRY(check_metadata(path, value));
            continue;
        }
        BT_GROW(checkpoint->entries, checkpoint->n, checkpoint->capacity);
        bt_tensor_entry *const entry = &checkpoint->entries[checkpoint->n];
        *entry = (bt_tensor_entry){.file = file, .name = bt_strdup(name)};
        if (!entry->name) return BT_ERR_MEMORY;
        ++checkpoint->n;
        BT_TRY(parse_entry(path, value, n_data, entry));
        entry->data = data + entry->low;
    }
    BT_CHECK(checkpoint->n > first, BT_ERR_INPUT, "%s: expected tensors, found none", path);
    BT_TRY(check_tiling(path, checkpoint->entries + first, checkpoint->n - first, n_data));
cleanup:
    return status;
}

bt_status bt_safetensors_parse(bt_checkpoint *checkpoint, const char *header, size_t length, const unsigned char *data,
                               size_t n_data)
{
    bt_status status = BT_OK;
    json_error_t error;
    const char *const path = checkpoint->files[checkpoint->n_file - 1].path;
    json_t *const root = json_loadb(header, length, JSON_REJECT_DUPLICATES, &error);
    BT_CHECK(root, BT_ERR_INPUT, "%s: safetensors header at byte %d: %s; the file is damaged", path, 8 + error.position,
             error.text);
    BT_CHECK(json_is_object(root), BT_ERR_INPUT, "%s: safetensors header: expected a JSON object; the file is damaged",
             path);
    BT_TRY(parse_all(checkpoint, root, data, n_data));
cleanup:
    json_decref(root);
    return status;
}
