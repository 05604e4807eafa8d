#include "reporting/inspect_parts.h"

#include "base/memory.h"
#include "io/audio.h"
#include "io/json.h"
#include "io/nifti.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "io/textgrid.h"
#include "io/tr_report.h"
#include "reporting/table.h"

enum { SHOWN = 60, LONGEST_TR = 100 };

bt_status bt_inspect_shape(bt_text *out, size_t rank, const size_t *shape)
{
    bt_status status = BT_OK;
    BT_TRY(bt_text_add(out, "("));
    for (size_t i = 0; i < rank; ++i) BT_TRY(bt_text_add(out, "%s%zu", i ? ", " : "", shape[i]));
    BT_TRY(bt_text_add(out, ")"));
cleanup:
    return status;
}

bt_status bt_inspect_npy(const char *path, bt_text *out)
{
    bt_status status = BT_OK;
    bt_npy *npy = NULL;
    BT_TRY(bt_npy_open(path, &npy));
    const bt_npy_info info = bt_npy_describe(npy);
    BT_TRY(bt_text_add(out, "shape "));
    BT_TRY(bt_inspect_shape(out, (size_t)info.rank, info.shape));
    BT_TRY(bt_text_add(out, " %s, %s-endian, %s order\n", bt_element_name(info.element), info.swap ? "big" : "little",
                       info.fortran ? "Fortran" : "C"));
cleanup:
    bt_npy_close(&npy);
    return status;
}

bt_status bt_inspect_nifti(const char *path, bt_text *out)
{
    bt_status status = BT_OK;
    bt_nifti_info info;
    BT_TRY(bt_nifti_inspect(path, &info));
    BT_TRY(bt_text_add(out, "NIfTI-%d, shape (x %zu, y %zu, z %zu", info.version, info.shape[0], info.shape[1],
                       info.shape[2]));
    if (info.shape[3] > 1) BT_TRY(bt_text_add(out, ", t %zu", info.shape[3]));
    BT_TRY(
        bt_text_add(out, ") %s, voxels %g x %g x %g mm", info.type, info.spacing[0], info.spacing[1], info.spacing[2]));
    if (info.shape[3] > 1)
        BT_TRY(bt_text_add(out, ", TR %g s%s", info.spacing[3],
                           info.spacing[3] > LONGEST_TR ? " as its header says; milliseconds are meant?" : ""));
    BT_TRY(bt_text_add(out, "\n"));
cleanup:
    return status;
}

bt_status bt_inspect_audio(const char *path, bt_text *out)
{
    bt_status status = BT_OK;
    bt_audio_info info;
    BT_TRY(bt_audio_inspect(path, &info));
    BT_TRY(bt_text_add(out, "%s, %d Hz, %d channel%s, %lld frames, %.3f s\n", info.format, info.rate, info.channels,
                       info.channels == 1 ? "" : "s", (long long)info.frames,
                       info.rate > 0 ? (double)info.frames / info.rate : 0.0));
cleanup:
    return status;
}

bt_status bt_inspect_textgrid(const char *path, bt_text *out)
{
    bt_status status = BT_OK;
    bt_textgrid grid = {0};
    BT_TRY(bt_textgrid_read(path, &grid));
    BT_TRY(bt_text_add(out, "%g to %g s, %zu tier%s", grid.start, grid.end, grid.n, grid.n == 1 ? "" : "s"));
    if (grid.n_odd)
        BT_TRY(bt_text_add(out, "; %zu %s accepted (declared sizes that lie, gaps or overlaps up to 1e-4 s)",
                           grid.n_odd, grid.n_odd == 1 ? "oddity" : "oddities"));
    BT_TRY(bt_text_add(out, "\n"));
    for (size_t i = 0; i < grid.n; ++i) {
        size_t n_label = 0;
        const bt_tier *const tier = &grid.tiers[i];
        for (size_t k = 0; k < tier->n; ++k) n_label += tier->marks[k].label[0] != '\0';
        BT_TRY(bt_text_add(out, "  %s: %zu %s%s, %zu with a label\n",
                           *tier->name ? tier->name : "(tier without a name)", tier->n,
                           tier->is_points ? "point" : "interval", tier->n == 1 ? "" : "s", n_label));
    }
cleanup:
    bt_textgrid_clear(&grid);
    return status;
}

bt_status bt_inspect_tr_report(const char *path, bt_text *out)
{
    bt_status status = BT_OK;
    double *trigger = NULL, mean_tr = 0;
    size_t n = 0, n_inserted = 0;
    BT_TRY(bt_tr_report_read(path, &trigger, &n, &mean_tr, &n_inserted));
    BT_TRY(bt_text_add(out, "%zu triggers, mean TR %.4f s, first %.4f s and last %.4f s from the start of the sound", n,
                       mean_tr, trigger[0], trigger[n - 1]));
    if (n_inserted)
        BT_TRY(bt_text_add(out, "; %zu missed trigger%s put in", n_inserted, n_inserted == 1 ? " was" : "s were"));
    BT_TRY(bt_text_add(out, "\n"));
cleanup:
    bt_free(trigger);
    return status;
}

bt_status bt_inspect_tensors(const char *path, bt_text *out)
{
    bt_status status = BT_OK;
    bt_checkpoint *checkpoint = NULL;
    double total = 0;
    BT_TRY(bt_checkpoint_open(path, &checkpoint));
    const size_t n = bt_checkpoint_count(checkpoint);
    for (size_t i = 0; i < n; ++i) {
        const bt_tensor_info info = bt_checkpoint_info(checkpoint, i);
        double size = 1;
        for (int axis = 0; axis < info.rank; ++axis) size *= (double)info.shape[axis];
        total += size;
    }
    BT_TRY(bt_text_add(out, "%zu tensor%s, %.0f parameters\n", n, n == 1 ? "" : "s", total));
    for (size_t i = 0; i < n && i < SHOWN; ++i) {
        const bt_tensor_info info = bt_checkpoint_info(checkpoint, i);
        BT_TRY(bt_text_add(out, "  %s %s ", info.name, info.type));
        BT_TRY(bt_inspect_shape(out, (size_t)info.rank, info.shape));
        BT_TRY(bt_text_add(out, "\n"));
    }
    if (n > SHOWN) BT_TRY(bt_text_add(out, "  ... and %zu more\n", n - SHOWN));
cleanup:
    bt_checkpoint_close(&checkpoint);
    return status;
}

bt_status bt_inspect_json(const char *path, bt_text *out)
{
    bt_status status = BT_OK;
    bt_json *json = NULL;
    bt_names keys = {0};
    BT_TRY(bt_json_read(path, &json));
    BT_TRY(bt_json_keys(json, "", &keys));
    BT_TRY(bt_text_add(out, "%zu key%s:", keys.n, keys.n == 1 ? "" : "s"));
    for (size_t i = 0; i < keys.n && i < SHOWN; ++i) BT_TRY(bt_text_add(out, "%s %s", i ? "," : "", keys.items[i]));
    if (keys.n > SHOWN) BT_TRY(bt_text_add(out, ", ... and %zu more", keys.n - SHOWN));
    BT_TRY(bt_text_add(out, "\n"));
cleanup:
    bt_names_clear(&keys);
    bt_json_close(&json);
    return status;
}

bt_status bt_inspect_csv(const char *path, bt_text *out)
{
    bt_status status = BT_OK;
    bt_table table = {0};
    BT_TRY(bt_table_read(path, &table));
    BT_TRY(bt_text_add(out, "%zu row%s, %zu column%s:", table.n_row, table.n_row == 1 ? "" : "s", table.columns.n,
                       table.columns.n == 1 ? "" : "s"));
    for (size_t i = 0; i < table.columns.n && i < SHOWN; ++i)
        BT_TRY(bt_text_add(out, "%s %s", i ? "," : "", table.columns.items[i]));
    BT_TRY(bt_text_add(out, "\n"));
    for (size_t i = 0; i < table.comments.n; ++i) BT_TRY(bt_text_add(out, "%s\n", table.comments.items[i]));
cleanup:
    bt_table_clear(&table);
    return status;
}
