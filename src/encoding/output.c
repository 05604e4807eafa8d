#include "encoding/output.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "encoding/fit.h"
#include "encoding/maps.h"
#include "encoding/output_attributes.h"
#include "io/array.h"
#include "stimulus/rois.h"

#include <math.h>

static bt_status write_rois(const bt_output *output)
{
    bt_status status = BT_OK;
    bt_rois rois = {0};
    bt_text names = {0};
    const bt_inputs *const in = output->in;
    if (!in->roi_file) return BT_OK;
    BT_TRY(bt_rois_read(in->roi_file, in->roi_names, output->n_voxel, in->train_responses.items[0], &rois));
    BT_TRY(bt_names_join(&rois.names, &names));
    const size_t shape[2] = {rois.names.n, output->n_voxel};
    BT_TRY(bt_h5_write(output->file, "/roi_label", BT_I32, 2, shape, rois.member));
    BT_TRY(bt_h5_set_text(output->file, "/roi_label", "names", names.data));
cleanup:
    bt_text_clear(&names);
    bt_rois_clear(&rois);
    return status;
}

bt_status bt_output_begin(const bt_artefact *artefact, bt_output *output)
{
    bt_status status = BT_OK;
    BT_TRY(bt_h5_create(bt_artefact_temporary(artefact), &output->file));
    BT_TRY(bt_h5_set_text(output->file, "/", "recipe", bt_artefact_recipe(artefact)));
    BT_TRY(bt_output_attributes(output));
    BT_TRY(write_rois(output));
cleanup:
    return status;
}

/* A user's ceilings; values that are not positive mean that there is none. */
static bt_status read_ceiling_file(bt_output *output)
{
    bt_status status = BT_OK;
    double *values = NULL;
    int rank = 0;
    size_t shape[BT_ARRAY_RANK] = {0};
    const char *const path = output->in->ceiling_file;
    BT_TRY(bt_array_read_all(path, &rank, shape, &values));
    BT_CHECK(rank == 1 && shape[0] == output->n_voxel, BT_ERR_INPUT,
             "%s has %zu ceilings%s, but %s has %zu voxels; both must be of one subject and one mask", path, shape[0],
             rank == 1 ? "" : " in several dimensions", output->in->train_responses.items[0], output->n_voxel);
    for (size_t v = 0; v < output->n_voxel; ++v) output->ceiling[v] = values[v] > 0 ? values[v] : (double)NAN;
    BT_TRY(bt_map_write(output->file, "", "cc_max", output->ceiling, output->n_voxel));
    BT_TRY(bt_h5_set_text(output->file, "/", "ceiling", "file"));
cleanup:
    bt_free(values);
    return status;
}

bt_status bt_output_ceilings(const bt_power *powers, size_t n_repeat, bt_output *output)
{
    bt_status status = BT_OK;
    if (!powers && !output->in->ceiling_file) return BT_OK;
    BT_ALLOC(output->ceiling, output->n_voxel);
    if (powers) {
        BT_TRY(bt_ceilings_write(output->file, powers, output->n_voxel, n_repeat, output->ceiling));
        BT_TRY(bt_h5_set_text(output->file, "/", "ceiling", "repeats"));
    } else {
        BT_TRY(read_ceiling_file(output));
    }
cleanup:
    return status;
}

/* cc_norm = r / cc_max; spe = (1 - var e / var y) / cc_max^2, the signal power explained of Schoppe et al. 2016. */
static bt_status write_normalised(const bt_output *output, const bt_output_space *space)
{
    bt_status status = BT_OK;
    double *map = NULL;
    const size_t n = output->n_voxel;
    const double *const r = space->maps + BT_MAP_R * n, *const explained = space->maps + BT_MAP_EXPLAINED * n;
    if (!output->ceiling) return BT_OK;
    BT_ALLOC(map, n);
    for (size_t v = 0; v < n; ++v) map[v] = r[v] / output->ceiling[v];
    BT_TRY(bt_map_write(output->file, space->name, "cc_norm", map, n));
    for (size_t v = 0; v < n; ++v) map[v] = explained[v] / (output->ceiling[v] * output->ceiling[v]);
    BT_TRY(bt_map_write(output->file, space->name, "spe", map, n));
cleanup:
    bt_free(map);
    return status;
}

static bt_status write_cv_score(const bt_output *output, const bt_output_space *space)
{
    bt_status status = BT_OK;
    bt_text path = {0};
    float *scores = NULL;
    const size_t shape[2] = {output->plan->n_alpha, output->n_voxel};
    const double *const from = space->maps + BT_MAP_CV_SCORE * output->n_voxel;
    BT_ALLOC(scores, shape[0] * shape[1]);
    for (size_t i = 0; i < shape[0] * shape[1]; ++i) scores[i] = (float)from[i];
    BT_TRY(bt_map_path(space->name, "cv_score", &path));
    BT_TRY(bt_h5_write(output->file, path.data, BT_F32, 2, shape, scores));
cleanup:
    bt_free(scores);
    bt_text_clear(&path);
    return status;
}

/* Shares of voxels at the ends of the alpha grid, kept and warned about. */
static bt_status report_alphas(const bt_output *output, const bt_output_space *space, const char *group)
{
    bt_status status = BT_OK;
    const int64_t *const counts = space->counts;
    const double n = counts[BT_COUNT_POSITIVE] ? (double)counts[BT_COUNT_POSITIVE] : 1;
    const double low = (double)counts[BT_COUNT_LOW] / n, high = (double)counts[BT_COUNT_HIGH] / n;
    BT_TRY(bt_h5_set_int(output->file, group, "n_positive", counts[BT_COUNT_POSITIVE]));
    BT_TRY(bt_h5_set_real(output->file, group, "alpha_share_low", low));
    BT_TRY(bt_h5_set_real(output->file, group, "alpha_share_high", high));
    if (output->plan->n_alpha > 1 && (low > 0.05 || high > 0.05))
        bt_log_warn("%s%salphas: of %lld voxels with a positive best validation score, %.1f %% chose the smallest and "
                    "%.1f %% the largest; widen alphas or alphas.logspace",
                    space->name, *space->name ? ": " : "", (long long)counts[BT_COUNT_POSITIVE], 100 * low, 100 * high);
cleanup:
    return status;
}

/* How the ridge was solved, kept and said. */
static bt_status report_solver(const bt_output *output, const bt_output_space *space, const char *group)
{
    bt_status status = BT_OK;
    bt_text text = {0};
    const bt_search_method *const m = &space->method;
    const char *const type = m->precision == BT_F64 ? "float64" : "float32";
    BT_TRY(bt_text_add(&text, "%s of rank %zu, ",
                       m->dual ? "dual (Gram matrix of rows)" : "primal (Gram matrix of features)", m->rank));
    if (m->fast)
        BT_TRY(bt_text_add(&text,
                           "all alphas by one product in %s (in float32 its error would be up to %.1g of the variance)",
                           type, m->bound));
    else
        BT_TRY(bt_text_add(&text, "a product per alpha in %s", type));
    BT_TRY(bt_text_add(&text, ", refit by %s", space->has_hats ? "a hat matrix per alpha" : "rotated responses"));
    if (m->n_rank > 1) BT_TRY(bt_text_add(&text, ", factors spread over %zu ranks", m->n_rank));
    BT_TRY(bt_h5_set_text(output->file, group, "solver", text.data));
    bt_log_info("%s%ssplit 0: %s", space->name, *space->name ? ": " : "", text.data);
cleanup:
    bt_text_clear(&text);
    return status;
}

/* p, q and how many are significant, kept and said. */
static bt_status write_significance(const bt_output *output, const bt_output_space *space, const char *group)
{
    static const char *const kinds[] = {"none", "blocks", "circular_shift"};
    bt_status status = BT_OK;
    double *q = NULL;
    size_t n_scored = 0, n_low = 0;
    const size_t n = output->n_voxel;
    const double *const p = space->maps + BT_MAP_P * n, fdr = output->options->fdr;
    if (!output->null) return BT_OK;
    BT_ALLOC(q, n);
    BT_TRY(bt_false_discovery(p, n, q));
    for (size_t v = 0; v < n; ++v) {
        n_scored += (size_t)!isnan(q[v]);
        n_low += (size_t)(q[v] < fdr);
    }
    const double share = n_scored ? (double)n_low / (double)n_scored : 0;
    BT_TRY(bt_map_write(output->file, space->name, "p", p, n));
    BT_TRY(bt_map_write(output->file, space->name, "q", q, n));
    BT_TRY(bt_h5_set_text(output->file, group, "significance_permute", kinds[output->plan->permute.kind]));
    if (output->plan->permute.kind == BT_PERMUTE_BLOCKS)
        BT_TRY(bt_h5_set_int(output->file, group, "significance_block", (int64_t)output->plan->permute.block));
    BT_TRY(bt_h5_set_int(output->file, group, "significance_draws", (int64_t)bt_null_draws(output->null)));
    BT_TRY(bt_h5_set_int(output->file, group, "significance_seed", (int64_t)output->plan->permute.seed));
    BT_TRY(bt_h5_set_real(output->file, group, "significance_fdr", fdr));
    BT_TRY(bt_h5_set_real(output->file, group, "significant_share", share));
cleanup:
    bt_free(q);
    return status;
}

bt_status bt_output_add(const bt_output_space *space, bt_output *output)
{
    bt_status status = BT_OK;
    bt_text group = {0}, path = {0};
    const size_t n = output->n_voxel;
    BT_TRY(bt_fault_point("encode.write"));
    BT_TRY(bt_map_path(space->name, NULL, &group));
    BT_TRY(bt_map_write(output->file, space->name, "r", space->maps + BT_MAP_R * n, n));
    BT_TRY(bt_map_write(output->file, space->name, "r2", space->maps + BT_MAP_R2 * n, n));
    BT_TRY(bt_map_path(space->name, "alpha", &path));
    BT_TRY(bt_h5_write(output->file, path.data, BT_F64, 1, &n, space->maps + BT_MAP_ALPHA * n));
    BT_TRY(write_cv_score(output, space));
    BT_TRY(write_normalised(output, space));
    BT_TRY(write_significance(output, space, group.data));
    BT_TRY(bt_h5_set_int(output->file, group.data, "n_feature", (int64_t)space->n_feature));
    BT_TRY(bt_h5_set_int(output->file, group.data, "n_split", (int64_t)space->n_split));
    BT_TRY(report_solver(output, space, group.data));
    BT_TRY(report_alphas(output, space, group.data));
    BT_TRY(bt_h5_set_int(output->file, "/", "n_voxel_kept", space->counts[BT_COUNT_KEPT]));
    BT_TRY(bt_h5_set_int(output->file, "/", "n_voxel_nan", space->counts[BT_COUNT_NAN]));
    BT_TRY(bt_h5_set_int(output->file, "/", "n_voxel_constant", space->counts[BT_COUNT_CONSTANT]));
cleanup:
    bt_text_clear(&group);
    bt_text_clear(&path);
    return status;
}

bt_status bt_output_finish(bt_output *output)
{
    return bt_h5_close(&output->file);
}

void bt_output_clear(bt_output *output)
{
    bt_h5_abandon(&output->file);
    bt_free(output->ceiling);
    output->ceiling = NULL;
}
