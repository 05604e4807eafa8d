/* What the root writes. */
#include "base/fault.h"
#include "base/memory.h"
#include "extraction/internal.h"
#include "stimulus/features_file.h"

char *bt_output_path(const char *name, const char *leaf)
{
    bt_text path = {0};
    if (bt_text_add(&path, "/%s/%s", name, leaf) != BT_OK) bt_text_clear(&path);
    return path.data;
}

bt_status bt_write_times(bt_h5 *file, const char *name, const double *times, size_t n)
{
    char *const path = bt_output_path(name, "times");
    if (!path) return BT_ERR_MEMORY;
    const bt_status status = bt_h5_write(file, path, BT_F64, 1, &n, times);
    bt_free(path);
    return status;
}

char *bt_layer_path(const bt_extraction *extraction, const char *name, size_t l)
{
    char *const leaf = bt_layer_name(extraction->layers[l]);
    char *const path = leaf ? bt_output_path(name, leaf) : NULL;
    bt_free(leaf);
    return path;
}

bt_status bt_layers_reserve(const bt_extraction *extraction, const char *name, size_t n_row)
{
    const size_t shape[2] = {n_row, extraction->facts.n_hidden};
    bt_status status = bt_fault_point("features.write");
    for (size_t l = 0; l < extraction->n_layer && status == BT_OK; ++l) {
        char *const path = bt_layer_path(extraction, name, l);
        status = path ? bt_h5_reserve(extraction->file, path, BT_F32, 2, shape) : BT_ERR_MEMORY;
        bt_free(path);
    }
    return status;
}

bt_status bt_layers_write(const bt_extraction *extraction, const char *name, size_t row, size_t n, const float *states)
{
    bt_status status = BT_OK;
    for (size_t l = 0; l < extraction->n_layer && n > 0 && status == BT_OK; ++l) {
        char *const path = bt_layer_path(extraction, name, l);
        const float *const mine = states + l * n * extraction->facts.n_hidden;
        status = path ? bt_h5_write_rows(extraction->file, path, BT_F32, row, n, mine) : BT_ERR_MEMORY;
        bt_free(path);
    }
    return status;
}
