/* The tree of any HDF5 file. HDF5's own interface is used, since files of others hold what io/hdf5.h does not read. */
#include "reporting/inspect_parts.h"

#include "base/memory.h"
#include "io/hdf5.h"

#include <hdf5.h>
#include <stdbool.h>
#include <string.h>

enum { MOST_OBJECTS = 80, MOST_TEXT = 200 };

typedef struct {
    bt_text *out;
    const char *indent;
    bool is_root;
    size_t n_object;
    bt_status status; /* why the walk ended early */
} walk;

static const char *class_name(hid_t type, size_t size)
{
    const H5T_class_t class = H5Tget_class(type);
    if (class == H5T_FLOAT) return size == 8 ? "float64" : size == 4 ? "float32" : size == 2 ? "float16" : "float";
    if (class == H5T_INTEGER) {
        const int is_signed = H5Tget_sign(type) != H5T_SGN_NONE;
        if (size == 8) return is_signed ? "int64" : "uint64";
        if (size == 4) return is_signed ? "int32" : "uint32";
        if (size == 2) return is_signed ? "int16" : "uint16";
        return is_signed ? "int8" : "uint8";
    }
    return class == H5T_STRING ? "text" : class == H5T_ENUM ? "enum" : class == H5T_COMPOUND ? "compound" : "other";
}

/* " (3, 4) float64" of a data set or attribute; both ids are closed. */
static bt_status add_type(bt_text *out, hid_t space, hid_t type)
{
    bt_status status = BT_OK;
    hsize_t extent[H5S_MAX_RANK];
    size_t shape[H5S_MAX_RANK];
    const int rank = H5Sget_simple_extent_dims(space, extent, NULL);
    for (int i = 0; i < rank; ++i) shape[i] = (size_t)extent[i];
    BT_TRY(bt_text_add(out, " "));
    if (rank > 0) BT_TRY(bt_inspect_shape(out, (size_t)rank, shape));
    BT_TRY(bt_text_add(out, "%s%s", rank > 0 ? " " : "", class_name(type, H5Tget_size(type))));
cleanup:
    (void)H5Sclose(space);
    (void)H5Tclose(type);
    return status;
}

/* The value of a scalar attribute: text of either kind, or a number. false when it is something else. */
static bt_status add_text_value(bt_text *out, hid_t attribute, hid_t type)
{
    bt_status status = BT_OK;
    char *fixed = NULL, *variable = NULL;
    hid_t memory = H5Tcopy(H5T_C_S1);
    (void)H5Tset_cset(memory, H5Tget_cset(type));
    if (H5Tis_variable_str(type) > 0) {
        (void)H5Tset_size(memory, H5T_VARIABLE);
        if (H5Aread(attribute, memory, &variable) >= 0 && variable)
            BT_TRY(bt_text_add(out, " = %.*s%s", MOST_TEXT, variable, strlen(variable) > MOST_TEXT ? "..." : ""));
    } else {
        const size_t size = H5Tget_size(type);
        BT_ALLOC(fixed, size + 1);
        (void)H5Tset_size(memory, size + 1);
        if (H5Aread(attribute, memory, fixed) >= 0)
            BT_TRY(bt_text_add(out, " = %.*s%s", MOST_TEXT, fixed, strlen(fixed) > MOST_TEXT ? "..." : ""));
    }
cleanup:
    if (variable) (void)H5free_memory(variable);
    bt_free(fixed);
    (void)H5Tclose(memory);
    return status;
}

static bt_status add_value(bt_text *out, hid_t attribute)
{
    bt_status status = BT_OK;
    const hid_t space = H5Aget_space(attribute), type = H5Aget_type(attribute);
    const H5T_class_t class = H5Tget_class(type);
    double number = 0;
    if (H5Sget_simple_extent_npoints(space) == 1) {
        if (class == H5T_STRING)
            BT_TRY(add_text_value(out, attribute, type));
        else if ((class == H5T_INTEGER || class == H5T_FLOAT) && H5Aread(attribute, H5T_NATIVE_DOUBLE, &number) >= 0)
            BT_TRY(bt_text_add(out, " = %.15g", number));
    }
cleanup:
    (void)H5Sclose(space);
    (void)H5Tclose(type);
    return status;
}

static herr_t visit_attribute(hid_t object, const char *name, const H5A_info_t *info, void *context)
{
    (void)info;
    walk *const state = context;
    if (state->is_root && !strcmp(name, "recipe")) return 0; /* inspect.c spells it out */
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0) return 0;
    state->status = bt_text_add(state->out, "%s@%s", state->indent, name);
    if (state->status == BT_OK) state->status = add_value(state->out, attribute);
    if (state->status == BT_OK) state->status = bt_text_add(state->out, "\n");
    (void)H5Aclose(attribute);
    return state->status == BT_OK ? 0 : -1;
}

static bt_status add_object(walk *state, hid_t object, const char *name, const H5O_info_t *info)
{
    bt_status status = BT_OK;
    hsize_t from = 0;
    state->is_root = !strcmp(name, ".");
    if (state->is_root) {
        state->indent = "  ";
    } else {
        BT_TRY(bt_text_add(state->out, "  /%s", name));
        if (info->type == H5O_TYPE_DATASET)
            BT_TRY(add_type(state->out, H5Dget_space(object), H5Dget_type(object)));
        else if (info->type == H5O_TYPE_GROUP)
            BT_TRY(bt_text_add(state->out, "/"));
        BT_TRY(bt_text_add(state->out, "\n"));
        state->indent = "    ";
    }
    (void)H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, &from, visit_attribute, state);
    status = state->status;
cleanup:
    return status;
}

static herr_t visit(hid_t file, const char *name, const H5O_info_t *info, void *context)
{
    walk *const state = context;
    if (++state->n_object > MOST_OBJECTS) return 0;
    const hid_t object = H5Oopen(file, name, H5P_DEFAULT);
    if (object < 0) return 0;
    state->status = add_object(state, object, name, info);
    (void)H5Oclose(object);
    return state->status == BT_OK ? 0 : -1;
}

bt_status bt_inspect_hdf5(const char *path, bt_text *out)
{
    bt_status status = BT_OK;
    bt_h5 *checked = NULL;
    walk state = {.out = out, .indent = "  "};
    BT_TRY(bt_h5_open(path, NULL, &checked)); /* its errors say what is wrong with the file */
    BT_TRY(bt_h5_close(&checked));
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    BT_CHECK(file >= 0, BT_ERR_INPUT, "%s: cannot be opened as HDF5", path);
    const herr_t walked = H5Ovisit(file, H5_INDEX_NAME, H5_ITER_INC, visit, &state);
    (void)H5Fclose(file);
    BT_TRY(state.status);
    BT_CHECK(walked >= 0, BT_ERR_INPUT, "%s: a group or data set of this file cannot be read", path);
    if (state.n_object > MOST_OBJECTS) BT_TRY(bt_text_add(out, "  ... and %zu more\n", state.n_object - MOST_OBJECTS));
cleanup:
    bt_h5_abandon(&checked);
    return status;
}
