/* pytorch_model.bin as torch.save writes it since PyTorch 1.6: a zip archive of plain members, NAME/data.pkl, which
 * says what the tensors are, and NAME/data/KEY, their storages. Nothing is unpacked: members are stored as they are, so
 * what a tensor takes is never more than what the file has. */
#include "base/memory.h"
#include "base/text.h"
#include "io/elements.h"
#include "io/pickle.h"
#include "io/safetensors_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

static const uint64_t longest_pickle = 1 << 28; /* bytes: a state_dict takes a few hundred for a tensor */

/* Functions that a pickle of tensors asks for; storages begin at STORAGES. */
enum { ORDERED_DICT, REBUILD_TENSOR, STORAGES };
static const char *const globals[] = {
    [ORDERED_DICT] = "collections OrderedDict",
    [REBUILD_TENSOR] = "torch._utils _rebuild_tensor_v2",
    "torch FloatStorage",
    "torch HalfStorage",
    "torch BFloat16Storage",
    "torch DoubleStorage",
    "torch LongStorage",
    "torch IntStorage",
    "torch ShortStorage",
    "torch CharStorage",
    "torch ByteStorage",
    "torch BoolStorage",
};
enum { N_GLOBAL = sizeof globals / sizeof *globals };
static const char *const types[N_GLOBAL - STORAGES] = {"F32", "F16", "BF16", "F64", "I64",
                                                       "I32", "I16", "I8",   "U8",  "BOOL"};

/* --- members ---------------------------------------------------------------------------------------------------------
 */

/* An archive while its pickle is read. */
typedef struct {
    bt_checkpoint *checkpoint;
    const char *path;
    struct zip *zip;
    uint64_t size; /* of the file */
    char *prefix;  /* "NAME/" */
    bt_pickle *pickle;
} archive;

static bt_status no_archive(const archive *a, const char *why)
{
    return bt_fail(BT_ERR_INPUT,
                   "%s: no zip archive of PyTorch: %s; if it was saved before PyTorch 1.6, load it there and save it "
                   "again, else fetch it again",
                   a->path, why);
}

/* Members must be stored as they are and lie within the file. */
static bt_status member_size(const archive *a, uint64_t member, uint64_t *size)
{
    zip_stat_t facts;
    const zip_uint64_t wanted = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_NAME;
    if (zip_stat_index(a->zip, member, 0, &facts) != 0 || (facts.valid & wanted) != wanted)
        return no_archive(a, "a member without size");
    if (facts.comp_method != ZIP_CM_STORE || facts.size != facts.comp_size)
        return bt_fail(BT_ERR_INPUT,
                       "%s: %s is compressed (%" PRIu64 " bytes in %" PRIu64
                       "), which PyTorch never does; it is refused",
                       a->path, facts.name, (uint64_t)facts.size, (uint64_t)facts.comp_size);
    if (facts.size > a->size)
        return bt_fail(BT_ERR_INPUT, "%s: %s claims %" PRIu64 " bytes, more than the file has; it is damaged", a->path,
                       facts.name, (uint64_t)facts.size);
    *size = facts.size;
    return BT_OK;
}

/* Bytes [low, low + n) of a member of `size` bytes. Reading on from its end checks its sum. */
static bt_status read_member(struct zip *zip, const char *path, uint64_t member, uint64_t size, uint64_t low, size_t n,
                             void *out)
{
    bt_status status = BT_OK;
    char beyond;
    struct zip_file *const file = zip_fopen_index(zip, member, 0);
    BT_CHECK(file, BT_ERR_INPUT, "%s: member %" PRIu64 ": %s; fetch it again", path, member, zip_strerror(zip));
    BT_CHECK(low == 0 || zip_fseek(file, (zip_int64_t)low, SEEK_SET) == 0, BT_ERR_INPUT,
             "%s: member %" PRIu64 ": byte %" PRIu64 " cannot be reached: %s; fetch it again", path, member, low,
             zip_file_strerror(file));
    BT_CHECK(zip_fread(file, out, n) == (zip_int64_t)n, BT_ERR_INPUT,
             "%s: member %" PRIu64 ": expected %zu bytes from byte %" PRIu64 " on: %s; fetch it again", path, member, n,
             low, zip_file_strerror(file));
    BT_CHECK(low > 0 || n < size || zip_fread(file, &beyond, 1) == 0, BT_ERR_INPUT,
             "%s: member %" PRIu64 ": %s; the file is damaged, fetch it again", path, member, zip_file_strerror(file));
cleanup:
    if (file) (void)zip_fclose(file);
    return status;
}

/* The one NAME/data.pkl. */
static bt_status find_pickle(archive *a, uint64_t *member)
{
    static const char *const leaf = "/data.pkl";
    bt_status status = BT_OK;
    const zip_int64_t n = zip_get_num_entries(a->zip, 0);
    for (zip_int64_t i = 0; i < n; ++i) {
        const char *const name = zip_get_name(a->zip, (zip_uint64_t)i, 0);
        if (!name || !bt_ends_with(name, leaf)) continue;
        if (a->prefix) return no_archive(a, "it holds more than one data.pkl");
        a->prefix = bt_strdup(name);
        BT_CHECK(a->prefix, BT_ERR_MEMORY, "%s: out of memory", a->path);
        a->prefix[strlen(name) - strlen(leaf) + 1] = 0;
        *member = (uint64_t)i;
    }
    if (!a->prefix) return no_archive(a, "it holds no data.pkl");
cleanup:
    return status;
}

/* A member by its name behind the prefix; UINT64_MAX: there is none. */
static bt_status find_member(const archive *a, const char *leaf, uint64_t *member)
{
    bt_status status = BT_OK;
    bt_text name = {0};
    BT_TRY(bt_text_add(&name, "%s%s", a->prefix, leaf));
    const zip_int64_t found = zip_name_locate(a->zip, name.data, 0);
    *member = found < 0 ? UINT64_MAX : (uint64_t)found;
cleanup:
    bt_text_clear(&name);
    return status;
}

static bt_status check_byte_order(const archive *a)
{
    static const char little[] = "little";
    bt_status status = BT_OK;
    uint64_t member = 0, size = 0;
    char found[sizeof little] = "";
    BT_TRY(find_member(a, "byteorder", &member));
    if (member == UINT64_MAX) goto cleanup; /* PyTorch before 2.0 */
    BT_TRY(member_size(a, member, &size));
    if (size == sizeof little - 1) BT_TRY(read_member(a->zip, a->path, member, size, 0, (size_t)size, found));
    BT_CHECK(!strcmp(found, little), BT_ERR_INPUT, "%s: its numbers are not little-endian; save it again on such a CPU",
             a->path);
cleanup:
    return status;
}

static bt_status parse_pickle(archive *a)
{
    bt_status status = BT_OK;
    uint64_t member = 0, size = 0;
    void *bytes = NULL;
    BT_TRY(find_pickle(a, &member));
    BT_TRY(member_size(a, member, &size));
    BT_CHECK(size <= longest_pickle, BT_ERR_INPUT,
             "%s: a data.pkl of %" PRIu64 " bytes, expected at most %" PRIu64 "; it is no state_dict", a->path, size,
             longest_pickle);
    bytes = bt_calloc((size_t)size, 1);
    BT_CHECK(bytes, BT_ERR_MEMORY, "%s: out of memory", a->path);
    BT_TRY(read_member(a->zip, a->path, member, size, 0, (size_t)size, bytes));
    BT_TRY(bt_pickle_parse(a->path, bytes, (size_t)size, globals, N_GLOBAL, &a->pickle));
cleanup:
    bt_free(bytes);
    return status;
}

/* --- tensors ---------------------------------------------------------------------------------------------------------
 */

static bt_status misbuilt(const archive *a, const bt_tensor_entry *entry, const char *what)
{
    return bt_fail(BT_ERR_INPUT, "%s: tensor %s: %s; the file is damaged", a->path, entry->name, what);
}

/* Item i of a value when it is of `kind`. */
static bool item_of(const archive *a, bt_pickle_value value, size_t i, bt_pickle_kind kind, bt_pickle_value *out)
{
    if (i >= value.n_item) return false;
    *out = bt_pickle_at(a->pickle, value.items[i]);
    return out->kind == kind;
}

/* A tuple of sizes that are not negative, up to BT_TENSOR_RANK of them. */
static bool sizes_of(const archive *a, bt_pickle_value tuple, size_t out[BT_TENSOR_RANK])
{
    if (tuple.n_item > BT_TENSOR_RANK) return false;
    for (size_t i = 0; i < tuple.n_item; ++i) {
        bt_pickle_value size;
        if (!item_of(a, tuple, i, BT_PICKLE_INT, &size) || size.integer < 0) return false;
        out[i] = (size_t)size.integer;
    }
    return true;
}

/* ("storage", torch.XStorage, key, place, elements): type, member, its elements. */
static bt_status read_storage(const archive *a, bt_pickle_value id, bt_tensor_entry *entry, size_t *n)
{
    bt_status status = BT_OK;
    bt_pickle_value what, type, key, count;
    bt_text leaf = {0};
    uint64_t size = 0;
    if (!item_of(a, id, 0, BT_PICKLE_TEXT, &what) || strcmp(what.text, "storage") != 0 ||
        !item_of(a, id, 1, BT_PICKLE_GLOBAL, &type) || type.integer < STORAGES ||
        !item_of(a, id, 2, BT_PICKLE_TEXT, &key) || !item_of(a, id, 4, BT_PICKLE_INT, &count) || count.integer < 0)
        return misbuilt(a, entry, "its storage is not described as torch.save does");
    const size_t element = bt_tensor_type(types[type.integer - STORAGES], &entry->type);
    BT_TRY(bt_text_add(&leaf, "data/%s", key.text));
    BT_TRY(find_member(a, leaf.data, &entry->member));
    BT_CHECK(entry->member != UINT64_MAX, BT_ERR_INPUT, "%s: tensor %s: %s%s is missing; the file is damaged", a->path,
             entry->name, a->prefix, leaf.data);
    BT_TRY(member_size(a, entry->member, &size));
    BT_CHECK(size % element == 0 && size / element == (uint64_t)count.integer, BT_ERR_INPUT,
             "%s: tensor %s: expected %lld elements of type %s, found %" PRIu64 " bytes; the file is damaged", a->path,
             entry->name, (long long)count.integer, entry->type, size);
    *n = (size_t)count.integer;
cleanup:
    bt_text_clear(&leaf);
    return status;
}

/* Elements from the first to the last that a shape with strides reaches; false: beyond any memory. */
static bool reach_of(const bt_tensor_entry *entry, size_t *reach)
{
    *reach = 1;
    for (int i = 0; i < entry->rank; ++i)
        if (entry->shape[i] == 0) {
            *reach = 0;
            return true;
        }
    for (int i = 0; i < entry->rank; ++i) {
        const size_t steps = entry->shape[i] - 1, stride = entry->stride[i];
        if (steps > 0 && stride > (SIZE_MAX / 2 - *reach) / steps) return false;
        *reach += steps * stride;
    }
    return true;
}

/* _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks, ...). */
static bt_status read_tensor(const archive *a, bt_pickle_value value, bt_tensor_entry *entry)
{
    bt_status status = BT_OK;
    bt_pickle_value function, arguments, storage, id, offset, size, stride;
    size_t stored = 0, reach = 0, span;
    if (value.kind != BT_PICKLE_CALL || !item_of(a, value, 0, BT_PICKLE_GLOBAL, &function) ||
        function.integer != REBUILD_TENSOR || !item_of(a, value, 1, BT_PICKLE_TUPLE, &arguments))
        return bt_fail(BT_ERR_INPUT, "%s: %s: expected a tensor, found %s; save the model's state_dict alone", a->path,
                       entry->name, bt_pickle_kind_name(value.kind));
    if (!item_of(a, arguments, 0, BT_PICKLE_PERSISTENT, &storage) || !item_of(a, storage, 0, BT_PICKLE_TUPLE, &id) ||
        !item_of(a, arguments, 1, BT_PICKLE_INT, &offset) || offset.integer < 0 ||
        !item_of(a, arguments, 2, BT_PICKLE_TUPLE, &size) || !item_of(a, arguments, 3, BT_PICKLE_TUPLE, &stride) ||
        size.n_item != stride.n_item || !sizes_of(a, size, entry->shape) || !sizes_of(a, stride, entry->stride))
        return misbuilt(a, entry, "it is not described as torch.save does");
    entry->rank = (int)size.n_item;
    BT_TRY(read_storage(a, id, entry, &stored));
    const size_t element = bt_tensor_type(entry->type, &entry->type), first = (size_t)offset.integer;
    if (!reach_of(entry, &reach) || !bt_elements_span(entry->rank, entry->shape, element, &span) || first > stored ||
        reach > stored - first || span / element > stored)
        return misbuilt(a, entry, "its shape, stride and offset pass the end of its storage");
    entry->low = first * element;
    entry->high = (first + reach) * element;
cleanup:
    return status;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const bt_tensor_entry *)a)->name, ((const bt_tensor_entry *)b)->name);
}

/* Sorts n entries of an archive. */
static bt_status check_names(const archive *a, bt_tensor_entry *entries, size_t n)
{
    qsort(entries, n, sizeof *entries, compare_names);
    for (size_t i = 1; i < n; ++i)
        if (!strcmp(entries[i].name, entries[i - 1].name))
            return bt_fail(BT_ERR_INPUT, "%s: tensor %s comes twice", a->path, entries[i].name);
    return BT_OK;
}

static bt_status add_tensors(const archive *a)
{
    bt_status status = BT_OK;
    bt_checkpoint *const checkpoint = a->checkpoint;
    const bt_pickle_value root = bt_pickle_at(a->pickle, bt_pickle_root(a->pickle));
    const size_t first = checkpoint->n;
    BT_CHECK(root.kind == BT_PICKLE_DICT, BT_ERR_INPUT, "%s: expected a dictionary of tensors, found %s", a->path,
             bt_pickle_kind_name(root.kind));
    BT_CHECK(root.n_item > 0, BT_ERR_INPUT, "%s: expected tensors, found none", a->path);
    for (size_t i = 0; i < root.n_item; i += 2) {
        bt_pickle_value name;
        BT_CHECK(item_of(a, root, i, BT_PICKLE_TEXT, &name), BT_ERR_INPUT,
                 "%s: expected names of tensors, found %s among them", a->path, bt_pickle_kind_name(name.kind));
        BT_GROW(checkpoint->entries, checkpoint->n, checkpoint->capacity);
        bt_tensor_entry *const entry = &checkpoint->entries[checkpoint->n];
        *entry = (bt_tensor_entry){.file = checkpoint->n_file - 1, .name = bt_strdup(name.text)};
        BT_CHECK(entry->name, BT_ERR_MEMORY, "%s: out of memory", a->path);
        ++checkpoint->n;
        BT_TRY(read_tensor(a, bt_pickle_at(a->pickle, root.items[i + 1]), entry));
    }
    BT_TRY(check_names(a, checkpoint->entries + first, checkpoint->n - first));
cleanup:
    return status;
}

/* --- files -----------------------------------------------------------------------------------------------------------
 */

bt_status bt_archive_open(bt_checkpoint *checkpoint)
{
    bt_status status = BT_OK;
    bt_tensor_file *const file = &checkpoint->files[checkpoint->n_file - 1];
    archive a = {.checkpoint = checkpoint, .path = file->path};
    int code = 0;
    struct stat facts;
    BT_CHECK(stat(file->path, &facts) == 0, BT_ERR_FILE, "%s: %s", file->path, strerror(errno));
    a.size = (uint64_t)facts.st_size;
    file->archive = zip_open(file->path, ZIP_RDONLY, &code);
    if (!file->archive) {
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        status = no_archive(&a, zip_error_strerror(&error));
        zip_error_fini(&error);
        goto cleanup;
    }
    a.zip = file->archive;
    BT_TRY(parse_pickle(&a));
    BT_TRY(check_byte_order(&a));
    BT_TRY(add_tensors(&a));
cleanup:
    bt_pickle_close(&a.pickle);
    bt_free(a.prefix);
    return status;
}

void bt_archive_close(bt_tensor_file *file)
{
    if (file->archive) zip_discard(file->archive);
    file->archive = NULL;
}

static bool is_dense(const bt_tensor_entry *entry)
{
    size_t expected = 1;
    for (int i = entry->rank; i-- > 0;) {
        if (entry->shape[i] > 1 && entry->stride[i] != expected) return false;
        expected *= entry->shape[i];
    }
    return true;
}

/* Elements of `size` bytes from where strides put them, in the order of the shape. */
static void gather(const bt_tensor_entry *entry, size_t size, const unsigned char *from, unsigned char *out)
{
    size_t n = 1, at[BT_TENSOR_RANK] = {0};
    for (int i = 0; i < entry->rank; ++i) n *= entry->shape[i];
    for (size_t e = 0; e < n; ++e) {
        size_t place = 0;
        for (int i = 0; i < entry->rank; ++i) place += at[i] * entry->stride[i];
        memcpy(out + e * size, from + place * size, size);
        for (int i = entry->rank; i-- > 0 && ++at[i] == entry->shape[i];) at[i] = 0;
    }
}

bt_status bt_archive_read(const bt_tensor_file *file, const bt_tensor_entry *entry, unsigned char *out)
{
    bt_status status = BT_OK;
    unsigned char *scattered = NULL;
    const size_t bytes = entry->high - entry->low;
    zip_stat_t facts;
    const char *type;
    if (bytes == 0) goto cleanup;
    BT_CHECK(zip_stat_index(file->archive, entry->member, 0, &facts) == 0, BT_ERR_INPUT, "%s: tensor %s: %s",
             file->path, entry->name, zip_strerror(file->archive));
    if (!is_dense(entry)) BT_ALLOC(scattered, bytes);
    BT_TRY(read_member(file->archive, file->path, entry->member, facts.size, entry->low, bytes,
                       scattered ? scattered : out));
    if (scattered) gather(entry, bt_tensor_type(entry->type, &type), scattered, out);
cleanup:
    bt_free(scattered);
    return status;
}
