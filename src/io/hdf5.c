/* Files and their contents; data sets are in hdf5_data.c, attributes in hdf5_attributes.c. */
#include "io/hdf5.h"

#include "base/memory.h"
#include "io/foreign.h"
#include "io/hdf5_internal.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    char text[512];
    bool from_system;
} reason;

static herr_t note_reason(unsigned n, const H5E_error2_t *entry, void *out)
{
    reason *const why = out;
    static const char mark[] = "error message = '";
    const char *const found = entry->desc ? strstr(entry->desc, mark) : NULL;
    if (found && !why->from_system) {
        const char *const from = found + sizeof mark - 1;
        (void)snprintf(why->text, sizeof why->text, "%.*s", (int)strcspn(from, "'"), from);
        why->from_system = true;
    } else if (n == 0 && entry->desc) {
        (void)snprintf(why->text, sizeof why->text, "%s", entry->desc);
    }
    return 0;
}

bt_status bt_h5_fail(bt_status code, const bt_h5 *file, const char *object, const char *what)
{
    reason why = {.text = "HDF5 gives no reason"};
    (void)H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, note_reason, &why);
    (void)H5Eclear2(H5E_DEFAULT);
    if (file->error) why.from_system = true;
    if (file->error) (void)snprintf(why.text, sizeof why.text, "%s", strerror(file->error));
    const bool names_object = object && strcmp(object, "/") != 0;
    return bt_fail(why.from_system ? BT_ERR_FILE : code, "%s%s%s: %s: %s", file->path, names_object ? ":" : "",
                   names_object ? object : "", what, why.text);
}

static bt_status new_handle(const char *path, bool written, bt_h5 **out)
{
    bt_status status = BT_OK;
    bt_h5 *file = NULL;
    BT_ALLOC(file, 1);
    file->id = H5I_INVALID_HID;
    file->written = written;
    file->path = bt_strdup(path);
    if (!file->path) status = BT_ERR_MEMORY;
cleanup:
    if (status != BT_OK) bt_h5_abandon(&file);
    *out = file;
    return status;
}

/* Access properties; no lock file system calls, which read-only and some network trees refuse. */
static bt_status access_list(const bt_h5 *file, hid_t *list)
{
    bt_status status = BT_OK;
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    *list = H5Pcreate(H5P_FILE_ACCESS);
    BT_H5_CHECK(*list >= 0 && H5Pset_fclose_degree(*list, H5F_CLOSE_STRONG) >= 0 &&
                    H5Pset_file_locking(*list, false, true) >= 0,
                BT_ERR_INTERNAL, file, NULL, "HDF5 access properties");
cleanup:
    return status;
}

bt_status bt_h5_create(const char *path, bt_h5 **out)
{
    bt_status status = BT_OK;
    bt_h5 *file = NULL;
    hid_t access = H5I_INVALID_HID, creation = H5I_INVALID_HID;
    *out = NULL;
    BT_TRY(new_handle(path, true, &file));
    BT_TRY(access_list(file, &access));
    BT_TRY(bt_h5_use_driver(file, access));
    creation = H5Pcreate(H5P_FILE_CREATE);
    BT_H5_CHECK(creation >= 0 && H5Pset_obj_track_times(creation, false) >= 0, BT_ERR_INTERNAL, file, NULL,
                "HDF5 creation properties");
    file->id = H5Fcreate(path, H5F_ACC_TRUNC, creation, access);
    BT_H5_CHECK(file->id >= 0, BT_ERR_FILE, file, NULL, "cannot be created");
    *out = file;
    file = NULL;
cleanup:
    if (access >= 0) (void)H5Pclose(access);
    if (creation >= 0) (void)H5Pclose(creation);
    bt_h5_abandon(&file);
    return status;
}

static bt_status check_signature(const char *path)
{
    bt_status status = BT_OK;
    BT_TRY(bt_file_check(path));
    BT_CHECK(H5Fis_hdf5(path) > 0, BT_ERR_INPUT,
             "%s: expected an HDF5 file, found no HDF5 signature; the file is of another kind or its copy is damaged",
             path);
cleanup:
    return status;
}

static bt_status open_id(bt_h5 *file)
{
    bt_status status = BT_OK;
    hid_t access = H5I_INVALID_HID;
    BT_TRY(access_list(file, &access));
    file->id = H5Fopen(file->path, H5F_ACC_RDONLY, access);
    BT_H5_CHECK(file->id >= 0, BT_ERR_INPUT, file, NULL, "cannot be read as HDF5; fetch or write it again");
cleanup:
    if (access >= 0) (void)H5Pclose(access);
    return status;
}

bt_status bt_h5_open(const char *path, const bt_comm *comm, bt_h5 **out)
{
    bt_status status = BT_OK;
    bt_h5 *file = NULL;
    const bool shared = comm && bt_comm_size(comm) > 1;
    *out = NULL;
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    status = new_handle(path, false, &file);
    if (status == BT_OK && (!shared || bt_comm_rank(comm) == 0)) status = check_signature(path);
    if (shared) status = bt_agree(comm, status);
    if (status != BT_OK) goto cleanup;
    status = open_id(file);
    if (shared) status = bt_agree(comm, status);
    if (status != BT_OK) goto cleanup;
    *out = file;
    file = NULL;
cleanup:
    bt_h5_abandon(&file);
    return status;
}

bt_status bt_h5_close(bt_h5 **handle)
{
    bt_status status = BT_OK;
    bt_h5 *const file = *handle;
    if (!file) return BT_OK;
    const herr_t closed = H5Fclose(file->id);
    if (closed >= 0) file->id = H5I_INVALID_HID;
    BT_H5_CHECK(closed >= 0 && !file->error, BT_ERR_FILE, file, NULL,
                file->written ? "cannot be written" : "cannot be closed");
cleanup:
    bt_h5_abandon(handle);
    return status;
}

void bt_h5_abandon(bt_h5 **handle)
{
    bt_h5 *const file = *handle;
    if (!file) return;
    if (file->id >= 0) {
        (void)H5Fclose(file->id);
        (void)H5Eclear2(H5E_DEFAULT);
    }
    bt_free(file->path);
    bt_free(file);
    *handle = NULL;
}

const char *bt_h5_path(const bt_h5 *file)
{
    return file->path;
}

/* Every link on the way must exist before HDF5 may be asked for the next. */
bool bt_h5_has(const bt_h5 *file, const char *path)
{
    char *const prefix = bt_strdup(path);
    bool found = prefix != NULL;
    for (char *end = prefix; found && end && *end;) {
        end += strspn(end, "/");
        if (*end == '\0') break;
        end += strcspn(end, "/");
        const char kept = *end;
        *end = '\0';
        found = H5Lexists(file->id, prefix, H5P_DEFAULT) > 0 && H5Oexists_by_name(file->id, prefix, H5P_DEFAULT) > 0;
        *end = kept;
    }
    bt_free(prefix);
    return found;
}

static herr_t add_name(hid_t group, const char *name, const H5L_info_t *info, void *names)
{
    (void)group;
    (void)info;
    return bt_names_add(names, name) == BT_OK ? 0 : -1;
}

bt_status bt_h5_list(const bt_h5 *file, const char *group, bt_names *names)
{
    bt_status status = BT_OK;
    BT_TRY(bt_h5_need(file, group));
    BT_H5_CHECK(H5Literate_by_name(file->id, group, H5_INDEX_NAME, H5_ITER_INC, NULL, add_name, names, H5P_DEFAULT) >=
                    0,
                BT_ERR_INPUT, file, group, "expected a group");
cleanup:
    return status;
}

bt_status bt_h5_members(const bt_h5 *file, const char *group, const char *near, bt_text *text)
{
    enum { SHOWN = 8 };
    bt_status status = BT_OK;
    bt_names members = {0};
    BT_TRY(bt_h5_list(file, group, &members));
    const char *const nearest = near ? bt_nearest(near, (const char *const *)members.items, members.n) : NULL;
    if (nearest) {
        BT_TRY(bt_text_add(text, "; did you mean %s?", nearest));
    } else {
        for (size_t i = 0; i < members.n && i < SHOWN; ++i)
            BT_TRY(bt_text_add(text, "%s%s", i ? ", " : "; there is: ", members.items[i]));
        if (members.n > SHOWN) BT_TRY(bt_text_add(text, ", ... (%zu in all)", members.n));
    }
cleanup:
    bt_names_clear(&members);
    return status;
}

/* Adds what there is beside the uppermost part of `path` that is missing. */
static bt_status suggest(const bt_h5 *file, const char *path, bt_text *text)
{
    bt_status status = BT_OK;
    char *parent = NULL, *missing = bt_strdup(path);
    for (;;) {
        BT_CHECK(missing, BT_ERR_MEMORY, "out of memory");
        parent = bt_path_parent(missing);
        BT_CHECK(parent, BT_ERR_MEMORY, "out of memory");
        if (!strcmp(parent, ".") || !strcmp(parent, "/") || bt_h5_has(file, parent)) break;
        bt_free(missing);
        missing = parent;
        parent = NULL;
    }
    BT_TRY(bt_h5_members(file, strcmp(parent, ".") ? parent : "/", bt_path_base(missing), text));
cleanup:
    bt_free(parent);
    bt_free(missing);
    return status;
}

bt_status bt_h5_need(const bt_h5 *file, const char *path)
{
    bt_status status = BT_OK;
    bt_text more = {0};
    if (bt_h5_has(file, path)) return BT_OK;
    if (suggest(file, path, &more) != BT_OK) bt_text_clear(&more);
    status = bt_fail(BT_ERR_INPUT, "%s: expected %s, found no such group or data set%s", file->path, path,
                     more.data ? more.data : "");
    bt_text_clear(&more);
    return status;
}
