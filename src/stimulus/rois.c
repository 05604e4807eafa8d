#include "stimulus/rois.h"

#include "base/log.h"
#include "base/memory.h"
#include "io/array.h"
#include "io/json.h"

#include <math.h>

/* Label values of the names; both lists ordered by value. */
static bt_status read_names(const char *path, bt_names *names, int64_t **values)
{
    bt_status status = BT_OK;
    bt_json *json = NULL;
    bt_names keys = {0};
    int64_t *label = NULL;
    *values = NULL;
    BT_TRY(bt_json_read(path, &json));
    BT_TRY(bt_json_keys(json, "", &keys));
    BT_CHECK(keys.n > 0, BT_ERR_INPUT, "%s: expected {\"NAME\": label, ...}, found no names", path);
    BT_ALLOC(label, keys.n);
    BT_ALLOC(*values, keys.n);
    for (size_t k = 0; k < keys.n; ++k) {
        BT_TRY(bt_json_int(json, keys.items[k], &label[k]));
        BT_CHECK(label[k] > 0, BT_ERR_INPUT, "%s: %s: expected a label above 0 (0 is no ROI), found %lld", path,
                 keys.items[k], (long long)label[k]);
    }
    for (size_t done = 0; done < keys.n; ++done) {
        size_t least = keys.n;
        for (size_t k = 0; k < keys.n; ++k)
            if (label[k] > 0 && (least == keys.n || label[k] < label[least])) least = k;
        BT_TRY(bt_names_add(names, keys.items[least]));
        (*values)[done] = label[least];
        label[least] = 0;
    }
cleanup:
    bt_free(label);
    bt_names_clear(&keys);
    bt_json_close(&json);
    if (status != BT_OK) {
        bt_free(*values);
        *values = NULL;
    }
    return status;
}

static bt_status fill(const char *path, const double *label, int rank, size_t n_row, const int64_t *values,
                      bt_rois *rois)
{
    bt_status status = BT_OK;
    const size_t n = rois->n_voxel;
    for (size_t k = 0; k < rois->names.n; ++k) {
        BT_CHECK(rank == 1 || values[k] <= (int64_t)n_row, BT_ERR_INPUT,
                 "%s: %s is row %lld by the name table, but there are %zu masks", path, rois->names.items[k],
                 (long long)values[k], n_row);
        const double *const row = rank == 1 ? label : label + (size_t)(values[k] - 1) * n;
        for (size_t v = 0; v < n; ++v) rois->member[k * n + v] = rank == 1 ? row[v] == (double)values[k] : row[v] != 0;
    }
cleanup:
    return status;
}

/* Labels that the name table does not know belong to no ROI, which may be a slip. */
static void warn_unnamed(const char *labels, const char *names, const double *label, const int64_t *values,
                         const bt_rois *rois)
{
    size_t n = 0;
    double first = 0;
    for (size_t v = 0; v < rois->n_voxel; ++v) {
        bool named = label[v] == 0;
        for (size_t k = 0; k < rois->names.n && !named; ++k) named = label[v] == (double)values[k];
        if (!named && n++ == 0) first = label[v];
    }
    if (n)
        bt_log_warn("%s: %zu of %zu voxels have labels that %s does not name, such as %g; they belong to no ROI",
                    labels, n, rois->n_voxel, names, first);
}

bt_status bt_rois_read(const char *labels, const char *names, size_t n_voxel, const char *responses, bt_rois *out)
{
    bt_status status = BT_OK;
    double *label = NULL;
    int64_t *values = NULL;
    int rank = 0;
    size_t shape[BT_ARRAY_RANK] = {0};
    *out = (bt_rois){.n_voxel = n_voxel};
    BT_TRY(read_names(names, &out->names, &values));
    BT_TRY(bt_array_read_all(labels, &rank, shape, &label));
    BT_CHECK(rank == 1 || rank == 2, BT_ERR_INPUT,
             "%s: expected labels (n_voxel) or masks (n_roi, n_voxel), found %d dimensions", labels, rank);
    BT_CHECK(shape[rank - 1] == n_voxel, BT_ERR_INPUT,
             "%s has %zu ROI labels, but %s has %zu voxels; both must be of one subject and one mask", labels,
             shape[rank - 1], responses, n_voxel);
    BT_ALLOC(out->member, out->names.n * n_voxel);
    BT_TRY(fill(labels, label, rank, shape[0], values, out));
    if (rank == 1) warn_unnamed(labels, names, label, values, out);
cleanup:
    bt_free(label);
    bt_free(values);
    if (status != BT_OK) bt_rois_clear(out);
    return status;
}

void bt_rois_clear(bt_rois *rois)
{
    bt_names_clear(&rois->names);
    bt_free(rois->member);
    *rois = (bt_rois){0};
}

bt_rois_score bt_rois_mean(const int32_t *member, const double *score, const double *ceiling, double threshold,
                           size_t n_voxel)
{
    bt_rois_score result = {0};
    double sum = 0;
    for (size_t v = 0; v < n_voxel; ++v) {
        if (!member[v]) continue;
        if (isnan(score[v]) || (ceiling && !(ceiling[v] > threshold))) {
            ++result.n_dropped;
        } else {
            ++result.n;
            sum += score[v];
        }
    }
    result.mean = result.n ? sum / (double)result.n : (double)NAN;
    return result;
}
