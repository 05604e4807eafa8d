#include "encoding/output.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "encoding/fit.h"
#include "encoding/maps.h"
#include "encoding/output_attributes.h"
#include "encoding/variance.h"
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

bt_map_rows bt_map_rows_of(size_t n_alpha, const bt_nested *nested, size_t n_band)
{
    const size_t n_fold = nested->n_fold, n_score = nested->is_nested ? n_fold : 0, n_split = n_band > 1 ? n_band : 0;
    bt_map_rows rows = {.alpha = BT_MAP_ALPHA, .cv_score = BT_MAP_ALPHA + n_fold};
    rows.r_fold = rows.cv_score + n_alpha;
    rows.r2_fold = rows.r_fold + n_score;
    rows.r_split = rows.r2_fold + n_score;
    rows.r2_split = rows.r_split + n_split;
    rows.scaling = rows.r2_split + n_split;
    rows.n = rows.scaling + n_split;
    return rows;
}

/* Rows [row, row + n) of the maps as (n, n_voxel) float32. */
static bt_status write_rows(const bt_output *output, const bt_output_space *space, const char *name, size_t row,
                            size_t n)
{
    bt_status status = BT_OK;
    bt_text path = {0};
    float *values = NULL;
    const size_t shape[2] = {n, output->n_voxel};
    const double *const from = space->maps + row * output->n_voxel;
    BT_ALLOC(values, shape[0] * shape[1]);
    for (size_t i = 0; i < shape[0] * shape[1]; ++i) values[i] = (float)from[i];
    BT_TRY(bt_map_path(space->name, name, &path));
    BT_TRY(bt_h5_write(output->file, path.data, BT_F32, 2, shape, values));
cleanup:
    bt_free(values);
    bt_text_clear(&path);
    return status;
}

/* /alpha (n_voxel), or with outer folds, which have one each, /alpha_fold (n_fold, n_voxel). */
static bt_status write_alpha(const bt_output *output, const bt_output_space *space, size_t row)
{
    bt_status status = BT_OK;
    bt_text path = {0};
    const bool nested = output->nested->is_nested;
    const size_t n = output->n_voxel, folds[2] = {output->nested->n_fold, n};
    BT_TRY(bt_map_path(space->name, nested ? "alpha_fold" : "alpha", &path));
    BT_TRY(bt_h5_write(output->file, path.data, BT_F64, nested ? 2 : 1, nested ? folds : &n, space->maps + row * n));
cleanup:
    bt_text_clear(&path);
    return status;
}

/* Shares of the bands, their scalings, and what these were chosen from. */
static bt_status write_bands(const bt_output *output, const bt_output_space *space, const bt_map_rows *rows)
{
    bt_status status = BT_OK;
    bt_bands bands = {0};
    bt_text path = {0}, names = {0};
    BT_TRY(write_rows(output, space, "r_split", rows->r_split, space->n_band));
    BT_TRY(write_rows(output, space, "r2_split", rows->r2_split, space->n_band));
    BT_TRY(write_rows(output, space, "scaling", rows->scaling, space->n_band));
    BT_TRY(bt_bands_create(output->plan, output->in->spaces, space->index, &bands));
    const size_t shape[2] = {bands.n_draw, bands.n_band};
    BT_TRY(bt_map_path(space->name, "scalings_drawn", &path));
    BT_TRY(bt_h5_write(output->file, path.data, BT_F64, 2, shape, bands.gamma));
    bt_text_clear(&path);
    BT_TRY(bt_map_path(space->name, NULL, &path));
    BT_TRY(bt_names_join(bt_spaces_parts(output->in->spaces, space->index), &names));
    BT_TRY(bt_h5_set_text(output->file, path.data, "bands", names.data));
cleanup:
    bt_bands_clear(&bands);
    bt_text_clear(&path);
    bt_text_clear(&names);
    return status;
}

static bt_status write_maps(const bt_output *output, const bt_output_space *space)
{
    bt_status status = BT_OK;
    const size_t n = output->n_voxel, n_fold = output->nested->n_fold;
    const bt_map_rows rows = bt_map_rows_of(output->plan->n_alpha, output->nested, space->n_band);
    BT_TRY(bt_map_write(output->file, space->name, "r", space->maps + BT_MAP_R * n, n));
    BT_TRY(bt_map_write(output->file, space->name, "r2", space->maps + BT_MAP_R2 * n, n));
    BT_TRY(write_alpha(output, space, rows.alpha));
    BT_TRY(write_rows(output, space, "cv_score", rows.cv_score, output->plan->n_alpha));
    if (space->n_band > 1) BT_TRY(write_bands(output, space, &rows));
    if (!output->nested->is_nested) goto cleanup;
    BT_TRY(write_rows(output, space, "r_fold", rows.r_fold, n_fold));
    BT_TRY(write_rows(output, space, "r2_fold", rows.r2_fold, n_fold));
cleanup:
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
        bt_log_warn("%s%salphas: of %lld voxel%s with a positive best validation score, %.1f %% chose the smallest and "
                    "%.1f %% the largest; widen alphas or alphas.logspace",
                    space->name, *space->name ? ": " : "", (long long)counts[BT_COUNT_POSITIVE],
                    output->nested->is_nested ? " fits" : "s", 100 * low, 100 * high);
cleanup:
    return status;
}

/* How the ridge was solved, kept and said. */
static bt_status report_solver(const bt_output *output, const bt_output_space *space, const char *group)
{
    static const char *const ways[] = {"rotated responses", "a hat matrix per alpha",
                                       "a hat matrix per alpha without an eigenproblem"};
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
    if (space->counts[BT_COUNT_ROUGH] > 0)
        BT_TRY(bt_text_add(&text, " behind products in 16 bits (%lld of %lld voxels then behind float32 too)",
                           (long long)space->counts[BT_COUNT_AGAIN], (long long)space->counts[BT_COUNT_ROUGH]));
    BT_TRY(bt_text_add(&text, ", refit by %s", ways[space->way.kind]));
    if (space->way.n_solved > 0 && space->way.n_solved < output->plan->n_alpha)
        BT_TRY(bt_text_add(&text, " (%zu of %zu alphas solved, the others mixed of them)", space->way.n_solved,
                           output->plan->n_alpha));
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
    bt_text group = {0};
    BT_TRY(bt_fault_point("encode.write"));
    BT_TRY(bt_map_path(space->name, NULL, &group));
    BT_TRY(write_maps(output, space));
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
    return status;
}

bt_status bt_output_finish(bt_output *output)
{
    bt_status status = BT_OK;
    if (output->options->partition) BT_TRY(bt_variance_write(output));
    BT_TRY(bt_h5_close(&output->file));
cleanup:
    return status;
}

void bt_output_clear(bt_output *output)
{
    bt_h5_abandon(&output->file);
    bt_free(output->ceiling);
    output->ceiling = NULL;
}
