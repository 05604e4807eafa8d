/* Attributes of groups and data sets: text (UTF-8, variable length) and scalars. */
#include "base/memory.h"
#include "io/hdf5.h"
#include "io/hdf5_internal.h"

#include <stdio.h>
#include <string.h>

/* "PATH attribute NAME", for messages. */
static const char *label(char *text, size_t size, const char *path, const char *name)
{
    (void)snprintf(text, size, "%s attribute %s", path, name);
    return text;
}

static bt_status set(bt_h5 *file, const char *path, const char *name, hid_t type, hid_t memory_type, const void *value)
{
    bt_status status = BT_OK;
    char text[256];
    const hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5I_INVALID_HID;
    BT_TRY(bt_h5_need(file, path));
    if (H5Aexists_by_name(file->id, path, name, H5P_DEFAULT) > 0)
        BT_H5_CHECK(H5Adelete_by_name(file->id, path, name, H5P_DEFAULT) >= 0, BT_ERR_FILE, file,
                    label(text, sizeof text, path, name), "cannot be replaced");
    attribute = H5Acreate_by_name(file->id, path, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    BT_H5_CHECK(attribute >= 0 && H5Awrite(attribute, memory_type, value) >= 0, BT_ERR_FILE, file,
                label(text, sizeof text, path, name), "cannot be written");
cleanup:
    if (attribute >= 0) (void)H5Aclose(attribute);
    if (space >= 0) (void)H5Sclose(space);
    return status;
}

/* A text type of `size` bytes, or H5T_VARIABLE. */
static hid_t text_type(size_t size)
{
    const hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0 && H5Tset_size(type, size) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0) return type;
    if (type >= 0) (void)H5Tclose(type);
    return H5I_INVALID_HID;
}

bt_status bt_h5_set_text(bt_h5 *file, const char *path, const char *name, const char *value)
{
    bt_status status = BT_OK;
    const hid_t type = text_type(H5T_VARIABLE);
    BT_H5_CHECK(type >= 0, BT_ERR_INTERNAL, file, path, "HDF5 text type");
    BT_TRY(set(file, path, name, type, type, &value));
cleanup:
    if (type >= 0) (void)H5Tclose(type);
    return status;
}

bt_status bt_h5_set_real(bt_h5 *file, const char *path, const char *name, double value)
{
    return set(file, path, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value);
}

bt_status bt_h5_set_int(bt_h5 *file, const char *path, const char *name, int64_t value)
{
    return set(file, path, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

bool bt_h5_has_attribute(const bt_h5 *file, const char *path, const char *name)
{
    return bt_h5_has(file, path) && H5Aexists_by_name(file->id, path, name, H5P_DEFAULT) > 0;
}

/* An attribute of one element; *type is its type in the file. */
static bt_status open_one(const bt_h5 *file, const char *path, const char *name, hid_t *attribute, hid_t *type)
{
    bt_status status = BT_OK;
    char text[256];
    hid_t space = H5I_INVALID_HID;
    BT_TRY(bt_h5_need(file, path));
    BT_CHECK(H5Aexists_by_name(file->id, path, name, H5P_DEFAULT) > 0, BT_ERR_INPUT,
             "%s:%s: expected an attribute %s, found none; the file was not written for this use", file->path, path,
             name);
    *attribute = H5Aopen_by_name(file->id, path, name, H5P_DEFAULT, H5P_DEFAULT);
    BT_H5_CHECK(*attribute >= 0, BT_ERR_INPUT, file, label(text, sizeof text, path, name), "cannot be read");
    *type = H5Aget_type(*attribute);
    space = H5Aget_space(*attribute);
    BT_H5_CHECK(*type >= 0 && space >= 0, BT_ERR_INPUT, file, label(text, sizeof text, path, name), "cannot be read");
    BT_CHECK(H5Sget_simple_extent_npoints(space) == 1, BT_ERR_INPUT,
             "%s:%s: attribute %s: expected one value, found %lld", file->path, path, name,
             (long long)H5Sget_simple_extent_npoints(space));
cleanup:
    if (space >= 0) (void)H5Sclose(space);
    return status;
}

static void close_one(hid_t attribute, hid_t type)
{
    if (type >= 0) (void)H5Tclose(type);
    if (attribute >= 0) (void)H5Aclose(attribute);
}

static bt_status read_variable_text(hid_t attribute, hid_t file_type, char **value)
{
    bt_status status = BT_OK;
    char *text = NULL;
    const hid_t type = text_type(H5T_VARIABLE);
    BT_CHECK(type >= 0 && H5Tset_cset(type, H5Tget_cset(file_type)) >= 0 && H5Aread(attribute, type, &text) >= 0,
             BT_ERR_INPUT, "the text cannot be read");
    *value = bt_strdup(text ? text : "");
    if (!*value) status = BT_ERR_MEMORY;
cleanup:
    if (text) (void)H5free_memory(text);
    if (type >= 0) (void)H5Tclose(type);
    return status;
}

static bt_status read_fixed_text(hid_t attribute, hid_t file_type, char **value)
{
    bt_status status = BT_OK;
    char *text = NULL;
    hid_t type = H5I_INVALID_HID;
    const size_t size = H5Tget_size(file_type);
    BT_ALLOC(text, size + 1);
    type = H5Tcopy(file_type);
    BT_CHECK(type >= 0 && H5Aread(attribute, type, text) >= 0, BT_ERR_INPUT, "the text cannot be read");
    if (H5Tget_strpad(file_type) == H5T_STR_SPACEPAD)
        for (size_t n = size; n && text[n - 1] == ' '; --n) text[n - 1] = '\0';
    *value = text;
    text = NULL;
cleanup:
    bt_free(text);
    if (type >= 0) (void)H5Tclose(type);
    return status;
}

bt_status bt_h5_get_text(const bt_h5 *file, const char *path, const char *name, char **value)
{
    bt_status status = BT_OK;
    hid_t attribute = H5I_INVALID_HID, type = H5I_INVALID_HID;
    *value = NULL;
    BT_TRY(open_one(file, path, name, &attribute, &type));
    BT_CHECK(H5Tget_class(type) == H5T_STRING, BT_ERR_INPUT, "%s:%s: attribute %s: expected text, found another type",
             file->path, path, name);
    status = H5Tis_variable_str(type) > 0 ? read_variable_text(attribute, type, value)
                                          : read_fixed_text(attribute, type, value);
    if (status != BT_OK) (void)bt_fail_prefix(status, "%s:%s: attribute %s", file->path, path, name);
cleanup:
    close_one(attribute, type);
    return status;
}

bt_status bt_h5_get_real(const bt_h5 *file, const char *path, const char *name, double *value)
{
    bt_status status = BT_OK;
    char text[256];
    hid_t attribute = H5I_INVALID_HID, type = H5I_INVALID_HID;
    BT_TRY(open_one(file, path, name, &attribute, &type));
    const H5T_class_t class = H5Tget_class(type);
    BT_CHECK(class == H5T_INTEGER || class == H5T_FLOAT, BT_ERR_INPUT,
             "%s:%s: attribute %s: expected a number, found another type", file->path, path, name);
    BT_H5_CHECK(H5Aread(attribute, H5T_NATIVE_DOUBLE, value) >= 0, BT_ERR_INPUT, file,
                label(text, sizeof text, path, name), "cannot be read");
cleanup:
    close_one(attribute, type);
    return status;
}
