/* One map of a score or voxel file as .npy or NIfTI. */
#include "reporting/inspect.h"

#include "base/memory.h"
#include "io/array.h"
#include "io/hdf5.h"
#include "io/nifti.h"

#include <stdlib.h>
#include <string.h>

/* NAME@SPACE -> /SPACE/NAME, NAME@3 -> /layer_03/NAME, NAME -> /NAME. */
static bt_status find_path(const char *map, bt_text *path)
{
    const char *const at = strchr(map, '@');
    if (!at) return bt_text_add(path, "/%s", map);
    const bool is_number = at[1] && !at[1 + strspn(at + 1, "0123456789")];
    if (is_number) return bt_text_add(path, "/layer_%02d/%.*s", atoi(at + 1), (int)(at - map), map);
    return bt_text_add(path, "/%s/%.*s", at + 1, (int)(at - map), map);
}

/* The groups that hold the map, as NAME@GROUP; empty when there are none. */
static bt_status find_elsewhere(const bt_h5 *file, const char *name, bt_text *found)
{
    enum { SHOWN = 6 };
    bt_status status = BT_OK;
    bt_names groups = {0};
    bt_text inner = {0};
    size_t n = 0;
    BT_TRY(bt_h5_list(file, "/", &groups));
    for (size_t i = 0; i < groups.n; ++i) {
        bt_text_clear(&inner);
        BT_TRY(bt_text_add(&inner, "/%s/%s", groups.items[i], name));
        if (!bt_h5_has(file, inner.data)) continue;
        if (n++ < SHOWN) BT_TRY(bt_text_add(found, "%s%s@%s", n > 1 ? ", " : "", name, groups.items[i]));
    }
    if (n > SHOWN) BT_TRY(bt_text_add(found, " and %zu more", n - SHOWN));
cleanup:
    bt_text_clear(&inner);
    bt_names_clear(&groups);
    return status;
}

/* A map that is not there, but in other groups: says in which. */
static bt_status check_map(const bt_h5 *file, const char *path, const char *map, const char *inner)
{
    bt_status status = BT_OK;
    bt_text found = {0}, name = {0};
    if (bt_h5_has(file, inner)) return BT_OK;
    BT_TRY(bt_text_add(&name, "%.*s", (int)strcspn(map, "@"), map));
    BT_TRY(find_elsewhere(file, name.data, &found));
    BT_CHECK(!found.length, BT_ERR_INPUT, "%s: expected %s, found none; there is map=%s", path, inner, found.data);
cleanup:
    bt_text_clear(&name);
    bt_text_clear(&found);
    return status;
}

static bt_status read_map(const char *path, const char *map, float **values, size_t *n)
{
    bt_status status = BT_OK;
    bt_h5 *file = NULL;
    bt_h5_shape shape = {0};
    bt_text inner = {0};
    void *data = NULL;
    BT_TRY(find_path(map, &inner));
    BT_TRY(bt_h5_open(path, NULL, &file));
    BT_TRY(check_map(file, path, map, inner.data));
    BT_TRY(bt_h5_read_all(file, inner.data, BT_F32, &shape, &data));
    BT_CHECK(shape.rank == 1, BT_ERR_INPUT, "%s:%s: expected a map (n_voxel), found %d axes", path, inner.data,
             shape.rank);
    *values = data;
    *n = shape.shape[0];
    data = NULL;
cleanup:
    bt_free(data);
    bt_text_clear(&inner);
    bt_h5_abandon(&file);
    return status;
}

static bt_status write_image(const char *target, const char *mask, const float *values, size_t n, const char *path)
{
    bt_status status = BT_OK;
    bt_nifti_info info;
    size_t *index = NULL, n_mask = 0;
    BT_CHECK(mask, BT_ERR_USAGE, "%s: an image needs mask=, the NIfTI file whose non-zero voxels are the map's",
             target);
    BT_TRY(bt_nifti_mask(mask, &info, &index, &n_mask));
    BT_CHECK(n_mask == n, BT_ERR_INPUT, "%s has %zu non-zero voxels, %s has %zu; is it another subject's mask?", mask,
             n_mask, path, n);
    BT_TRY(bt_nifti_write_map(target, mask, index, n, values));
cleanup:
    bt_free(index);
    return status;
}

bt_status bt_inspect_map(const char *path, const char *map, const char *out_path, const char *mask, bt_text *out)
{
    bt_status status = BT_OK;
    float *values = NULL;
    size_t n = 0;
    const bool is_npy = bt_ends_with(out_path, ".npy");
    const bool is_image = bt_ends_with(out_path, ".nii") || bt_ends_with(out_path, ".nii.gz");
    BT_CHECK(is_npy || is_image, BT_ERR_USAGE, "out=%s: expected a name that ends in .npy, .nii or .nii.gz", out_path);
    BT_TRY(read_map(path, map, &values, &n));
    if (is_npy)
        BT_TRY(bt_npy_write(out_path, BT_F32, 1, &n, values));
    else
        BT_TRY(write_image(out_path, mask, values, n, path));
    BT_TRY(bt_text_add(out, "%s: %s of %s, %zu voxels\n", out_path, map, path, n));
cleanup:
    bt_free(values);
    return status;
}
