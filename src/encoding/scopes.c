#include "encoding/scopes.h"

#include "base/log.h"
#include "base/memory.h"
#include "encoding/choice.h"
#include "stimulus/rois.h"

/* of (mine) from ROI labels of all voxels. */
static void sort_voxels(const bt_rois *rois, bt_range mine, uint32_t *of)
{
    size_t n_outside = 0, n_shared = 0;
    for (size_t v = 0; v < rois->n_voxel; ++v) {
        size_t first = rois->names.n, n = 0;
        for (size_t k = rois->names.n; k-- > 0;)
            if (rois->member[k * rois->n_voxel + v]) {
                first = k;
                ++n;
            }
        n_outside += n == 0;
        n_shared += n > 1;
        if (v >= mine.low && v < mine.high) of[v - mine.low] = (uint32_t)first;
    }
    bt_log_info("alpha.scope=roi: an alpha for each of %zu ROIs and one for the %zu voxels of none; %zu voxels of "
                "several ROIs count to the first",
                rois->names.n, n_outside, n_shared);
}

bt_status bt_scopes_create(const bt_encode_plan *plan, const bt_inputs *in, size_t n_voxel, bt_range mine,
                           bt_scopes *out)
{
    bt_status status = BT_OK;
    bt_rois rois = {0};
    *out = (bt_scopes){0};
    if (plan->alpha_scope == BT_SCOPE_VOXEL) goto cleanup;
    BT_ALLOC(out->of, mine.high - mine.low);
    out->n = 1;
    if (plan->alpha_scope == BT_SCOPE_ONE) goto cleanup;
    BT_TRY(bt_rois_read(in->roi_file, in->roi_names, n_voxel, in->train_responses.items[0], &rois));
    sort_voxels(&rois, mine, out->of);
    out->n = rois.names.n + 1;
cleanup:
    bt_rois_clear(&rois);
    return status;
}

void bt_scopes_clear(bt_scopes *scopes)
{
    bt_free(scopes->of);
    *scopes = (bt_scopes){0};
}

bt_status bt_scopes_choose(const bt_scopes *scopes, const bt_comm *comm, const bt_voxels *voxels,
                           const bt_encode_plan *plan, const double *score, size_t *best, double *value)
{
    bt_status status = BT_OK;
    const size_t n = scopes->n, n_voxel = bt_voxels_count(voxels);
    double *const sums = bt_calloc(plan->n_alpha * n, sizeof *sums); /* (n_alpha, n) */
    BT_TRY(bt_agree(comm, sums ? BT_OK : BT_ERR_MEMORY));
    for (size_t a = 0; a < plan->n_alpha; ++a)
        for (size_t v = 0; v < n_voxel; ++v)
            if (bt_voxels_state(voxels, v) == BT_VOXEL_KEPT) sums[a * n + scopes->of[v]] += score[a * n_voxel + v];
    BT_TRY(bt_comm_sum_f64(comm, sums, plan->n_alpha * n));
    for (size_t s = 0; s < n; ++s) {
        best[s] = bt_choose(sums + s, n, plan);
        value[s] = sums[best[s] * n + s];
    }
cleanup:
    bt_free(sums);
    return status;
}
