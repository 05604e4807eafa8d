#include "encoding/maps.h"

#include "base/memory.h"

#include <math.h>

bt_status bt_map_path(const char *space, const char *name, bt_text *out)
{
    return bt_text_add(out, "%s%s%s%s", *space || !name ? "/" : "", space, name ? "/" : "", name ? name : "");
}

bt_status bt_map_write(bt_h5 *file, const char *space, const char *name, const double *values, size_t n_voxel)
{
    bt_status status = BT_OK;
    bt_text path = {0};
    float *map = NULL;
    BT_ALLOC(map, n_voxel);
    for (size_t v = 0; v < n_voxel; ++v) map[v] = (float)values[v];
    BT_TRY(bt_map_path(space, name, &path));
    BT_TRY(bt_h5_write(file, path.data, BT_F32, 1, &n_voxel, map));
cleanup:
    bt_text_clear(&path);
    bt_free(map);
    return status;
}

bt_status bt_ceilings_write(bt_h5 *file, const bt_power *powers, size_t n_voxel, size_t n_repeat, double *ceiling)
{
    bt_status status = BT_OK;
    double *map = NULL;
    int64_t n_dropped = 0;
    BT_ALLOC(map, n_voxel);
    for (size_t v = 0; v < n_voxel; ++v) {
        ceiling[v] = bt_ceiling(powers[v]);
        n_dropped += isfinite(powers[v].signal) && !(powers[v].signal > 0);
        map[v] = powers[v].signal;
    }
    BT_TRY(bt_map_write(file, "", "sp", map, n_voxel));
    for (size_t v = 0; v < n_voxel; ++v) map[v] = powers[v].total;
    BT_TRY(bt_map_write(file, "", "tp", map, n_voxel));
    for (size_t v = 0; v < n_voxel; ++v) map[v] = powers[v].signal / powers[v].total;
    BT_TRY(bt_map_write(file, "", "explainable_variance", map, n_voxel));
    BT_TRY(bt_map_write(file, "", "cc_max", ceiling, n_voxel));
    BT_TRY(bt_h5_set_int(file, "/", "n_repeat", (int64_t)n_repeat));
    BT_TRY(bt_h5_set_int(file, "/", "ceiling_dropped", n_dropped));
cleanup:
    bt_free(map);
    return status;
}
