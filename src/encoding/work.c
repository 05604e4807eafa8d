#include "encoding/work.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "encoding/ceiling.h"
#include "encoding/gather.h"
#include "encoding/maps.h"
#include "encoding/output.h"
#include "encoding/pass.h"

#include <math.h>
#include <string.h>

typedef struct {
    const bt_work_problem *problem;
    bt_grid *grid;
    bt_work_cut cut;
    const bt_comm *group; /* ranks that share the voxels of my spaces */
    bt_device *device;
    bt_responses *train, *test; /* opened with `group` */
    bt_voxels *voxels;
    bt_scopes scopes;              /* of them */
    size_t n_row, n_test, n_voxel; /* n_test: rows that are predicted, by all outer folds together */
    bt_output output;              /* on world rank 0 */
    bt_progress progress;
} worker;

static bool is_root(const worker *w)
{
    return bt_comm_rank(w->problem->call->comm) == 0;
}

static bt_status agree(const worker *w, bt_status status)
{
    return bt_agree(w->problem->call->comm, status);
}

/* ---- responses ---- */

/* By all outer folds. */
static size_t rows_held_out(const bt_nested *nested)
{
    size_t n = 0;
    for (size_t f = 0; f < nested->n_fold; ++f) n += bt_nested_held_out(nested, f);
    return n;
}

static bt_status open_responses(worker *w)
{
    bt_status status = BT_OK;
    const bt_inputs *const in = w->problem->in;
    const char *const mask = w->problem->options->mask;
    BT_TRY(bt_agree(w->group, bt_responses_open(&in->train_responses, mask, w->group, &w->train)));
    if (in->test) BT_TRY(bt_agree(w->group, bt_responses_open(&in->test_responses, mask, w->group, &w->test)));
    const bt_voxels_options options = {.train = w->train,
                                       .test = w->test,
                                       .test_rows = &in->test_rows,
                                       .comm = w->group,
                                       .drop = w->problem->plan->test_drop,
                                       .total_power = (bt_total_power)w->problem->options->total_power,
                                       .block = w->cut.block,
                                       .held_bytes = w->cut.held ? INFINITY : 0};
    BT_TRY(bt_voxels_create(&options, &w->voxels));
    w->n_row = bt_voxels_train_rows(w->voxels);
    w->n_test = w->problem->nested->is_nested ? rows_held_out(w->problem->nested) : bt_voxels_test_rows(w->voxels);
    bt_log_info("responses: %zu voxels, %zu rows to train, %zu to test; %s", w->n_voxel, w->n_row, w->n_test,
                w->cut.held ? "held in memory, read in 1 pass" : "read block by block, since memory= is small");
cleanup:
    return status;
}

/* Raw BOLD lies far from 0, and there is no intercept. Collective over the group. */
static bt_status warn_off_centre(const worker *w)
{
    bt_status status = BT_OK;
    int64_t n = (int64_t)bt_voxels_off_centre(w->voxels);
    BT_TRY(bt_comm_sum_i64(w->group, &n, 1));
    if (2 * (size_t)n > w->n_voxel)
        bt_log_warn("responses: the means of %lld of %zu voxels are more than a standard deviation from 0, and no "
                    "intercept is fitted; centre responses and features beforehand, each story by itself",
                    (long long)n, w->n_voxel);
cleanup:
    return status;
}

static bool has_repeats(const worker *w)
{
    return w->test && bt_responses_have_repeats(w->test);
}

/* Powers of this rank's voxels, from the test responses or from repeats beside them. */
static bt_status read_powers(const worker *w, bt_power *powers)
{
    const bt_range mine = bt_voxels_range(w->voxels);
    if (!has_repeats(w))
        return bt_powers_read(w->problem->in->repeats, &w->problem->in->test_rows, w->problem->plan->test_drop,
                              (bt_total_power)w->problem->options->total_power, mine.low, mine.high - mine.low, powers);
    for (size_t v = 0; v < mine.high - mine.low; ++v) powers[v] = bt_voxels_power(w->voxels, v);
    return BT_OK;
}

static size_t count_repeats(const worker *w)
{
    const bt_encode_options *const options = w->problem->options;
    const bool wanted = options->ceiling_from == BT_CEILING_AUTO || options->ceiling_from == BT_CEILING_REPEATS;
    if (has_repeats(w)) return wanted ? bt_responses_repeats(w->test) : 0;
    return w->problem->in->repeats ? bt_responses_repeats(w->problem->in->repeats) : 0;
}

/* Ceilings into the file: my group's powers, if I am in the first group. Collective over the world. */
static bt_status write_ceilings(worker *w)
{
    bt_status status = BT_OK;
    bt_power *mine = NULL, *all = NULL;
    const bool first_group = bt_grid_place(w->grid, BT_AXIS_LAYER) == 0;
    const size_t n_repeat = count_repeats(w);
    if (n_repeat && first_group) {
        mine = bt_calloc(bt_voxels_count(w->voxels), sizeof *mine);
        all = is_root(w) ? bt_calloc(w->n_voxel, sizeof *all) : NULL;
        status = mine && (all || !is_root(w)) ? read_powers(w, mine) : BT_ERR_MEMORY;
        status = bt_agree(w->group, status);
        if (status == BT_OK) status = bt_gather_columns(w->group, mine, 1, w->n_voxel, sizeof *mine, all);
    }
    if (status == BT_OK && is_root(w)) status = bt_output_ceilings(all, n_repeat, &w->output);
    status = agree(w, status);
    bt_free(mine);
    bt_free(all);
    return status;
}

/* ---- one space ---- */

/* What root writes beside the maps. */
typedef struct {
    int64_t counts[BT_COUNTS];
    bt_search_method method;
    bt_refit_way way;
} space_facts;

static bt_map_rows map_rows(const worker *w, size_t n_band)
{
    return bt_map_rows_of(w->problem->plan->n_alpha, w->problem->nested, n_band);
}

/* mean (n_voxel) of values (n_fold, n_voxel). */
static void average_folds(const bt_fit *fit, const double *values, double *mean)
{
    for (size_t f = 0; f < fit->n_fold; ++f)
        for (size_t v = 0; v < fit->n_voxel; ++v) mean[v] += values[f * fit->n_voxel + v] / (double)fit->n_fold;
}

/* The maps of a space as rows of one matrix (map_rows, my voxels). */
static bt_status pack(const worker *w, const bt_fit *fit, double **packed)
{
    bt_status status = BT_OK;
    const size_t n = fit->n_voxel;
    const size_t n_band = fit->problem.bands.n_band;
    const bt_map_rows rows = map_rows(w, n_band);
    BT_TRY(bt_fault_point("encode.collect"));
    BT_ALLOC(*packed, rows.n * n);
    average_folds(fit, fit->r, *packed + BT_MAP_R * n);
    average_folds(fit, fit->r2, *packed + BT_MAP_R2 * n);
    average_folds(fit, fit->explained, *packed + BT_MAP_EXPLAINED * n);
    memcpy(*packed + BT_MAP_P * n, fit->p, n * sizeof **packed);
    memcpy(*packed + rows.alpha * n, fit->alpha, fit->n_fold * n * sizeof **packed);
    memcpy(*packed + rows.cv_score * n, fit->cv_score, fit->n_alpha * n * sizeof **packed);
    if (n_band > 1) {
        memcpy(*packed + rows.r_split * n, fit->r_split, n_band * n * sizeof **packed);
        memcpy(*packed + rows.r2_split * n, fit->r2_split, n_band * n * sizeof **packed);
        memcpy(*packed + rows.scaling * n, fit->scaling, n_band * n * sizeof **packed);
    }
    if (!w->problem->nested->is_nested) goto cleanup;
    memcpy(*packed + rows.r_fold * n, fit->r, fit->n_fold * n * sizeof **packed);
    memcpy(*packed + rows.r2_fold * n, fit->r2, fit->n_fold * n * sizeof **packed);
cleanup:
    return status;
}

/* maps (map_rows, n_voxel) on the group's first rank, NULL elsewhere. Collective over the group. */
static bt_status gather_maps(const worker *w, const bt_fit *fit, double **maps)
{
    bt_status status = BT_OK;
    double *packed = NULL;
    const size_t n_row = map_rows(w, fit->problem.bands.n_band).n;
    status = pack(w, fit, &packed);
    if (status == BT_OK && bt_comm_rank(w->group) == 0) {
        *maps = bt_calloc(n_row * w->n_voxel, sizeof **maps);
        if (!*maps) status = BT_ERR_MEMORY;
    }
    BT_TRY(bt_agree(w->group, status));
    BT_TRY(bt_gather_columns(w->group, packed, n_row, w->n_voxel, sizeof *packed, *maps));
cleanup:
    bt_free(packed);
    return status;
}

/* ---- results of all groups on world rank 0 ---- */

/* (n_row, n_voxel) float32 of the only group into a data set, a few rows at a time. Collective over the world. */
static bt_status write_parts(worker *w, const char *space, const char *name, const float *mine, size_t n_row)
{
    enum { BYTES = 64 << 20 };
    bt_status status = BT_OK;
    bt_text path = {0};
    float *rows = NULL;
    const size_t n_mine = bt_voxels_count(w->voxels), shape[2] = {n_row, w->n_voxel};
    const size_t step = 1 + BYTES / (w->n_voxel * sizeof *mine);
    status = bt_map_path(space, name, &path);
    if (status == BT_OK && is_root(w)) {
        status = bt_h5_reserve(w->output.file, path.data, BT_F32, 2, shape);
        if (status == BT_OK && !(rows = bt_calloc(step * w->n_voxel, sizeof *rows))) status = BT_ERR_MEMORY;
    }
    BT_TRY(agree(w, status));
    for (size_t low = 0; low < n_row; low += step) {
        const size_t n = n_row - low < step ? n_row - low : step;
        BT_TRY(bt_gather_columns(w->group, mine + low * n_mine, n, w->n_voxel, sizeof *mine, rows));
        BT_TRY(agree(w, is_root(w) ? bt_h5_write_rows(w->output.file, path.data, BT_F32, low, n, rows) : BT_OK));
    }
cleanup:
    bt_text_clear(&path);
    bt_free(rows);
    return status;
}

static bt_range spaces_of(const worker *w, size_t group)
{
    return bt_partition(group, w->cut.n_group, bt_spaces_count(w->problem->in->spaces));
}

static size_t bands_of(const worker *w, size_t space)
{
    return bt_bands_count(w->problem->plan, w->problem->in->spaces, space);
}

static size_t most_bands(const worker *w)
{
    size_t most = 1;
    for (size_t s = 0; s < bt_spaces_count(w->problem->in->spaces); ++s)
        if (bands_of(w, s) > most) most = bands_of(w, s);
    return most;
}

/* World rank 0 writes what it has of group `group`. */
static bt_status write_group(worker *w, size_t space, const double *maps, const space_facts *facts)
{
    const bt_output_space entry = {.index = space,
                                   .n_band = bands_of(w, space),
                                   .name = bt_spaces_name(w->problem->in->spaces, space),
                                   .n_feature = bt_spaces_width(w->problem->in->spaces, space) *
                                                w->problem->plan->design.delays.n,
                                   .n_split = w->problem->nested->inner[0].n_split,
                                   .method = facts->method,
                                   .way = facts->way,
                                   .maps = maps,
                                   .counts = facts->counts};
    return bt_output_add(&entry, &w->output);
}

/* Sends one result per group along the layer axis to world rank 0, group after group, so that root holds one at a time
 * beside its own. `index` counts from each group's first space. Collective over the first ranks of all groups. */
static bt_status collect_groups(worker *w, size_t index, const double *mine, const space_facts *my_facts)
{
    bt_status status = BT_OK;
    double *maps = NULL;
    size_t *size = NULL;
    const bt_comm *const axis = bt_grid_axis(w->grid, BT_AXIS_LAYER);
    const size_t n_group = w->cut.n_group, most = map_rows(w, most_bands(w)).n * w->n_voxel * sizeof *maps;
    size = bt_calloc(n_group, sizeof *size);
    maps = is_root(w) ? bt_calloc(most, 1) : NULL;
    BT_TRY(bt_agree(axis, size && (maps || !is_root(w)) ? BT_OK : BT_ERR_MEMORY));
    for (size_t g = 0; g < n_group; ++g) {
        space_facts facts = {.way = {BT_REFIT_ROTATES, 0}};
        const size_t space = spaces_of(w, g).low + index;
        if (space >= spaces_of(w, g).high) continue;
        memset(size, 0, n_group * sizeof *size);
        size[g] = sizeof facts;
        BT_TRY(bt_comm_gather(axis, 0, my_facts, size, &facts));
        size[g] = map_rows(w, bands_of(w, space)).n * w->n_voxel * sizeof *maps;
        BT_TRY(bt_comm_gather(axis, 0, mine, size, maps));
        BT_TRY(bt_agree(axis, is_root(w) ? write_group(w, space, maps, &facts) : BT_OK));
    }
cleanup:
    bt_free(maps);
    bt_free(size);
    return status;
}

/* One space per group goes into the file; fit NULL: my group has no more. Collective over the world. */
static bt_status write_space(worker *w, size_t index, const bt_fit *fit)
{
    bt_status status = BT_OK;
    double *maps = NULL;
    space_facts facts = {.way = {BT_REFIT_ROTATES, 0}};
    if (fit) {
        memcpy(facts.counts, fit->counts, sizeof facts.counts);
        facts.method = fit->method;
        facts.way = fit->way;
        status = gather_maps(w, fit, &maps);
    }
    BT_TRY(agree(w, status));
    if (bt_comm_rank(w->group) == 0) status = collect_groups(w, index, maps, &facts);
    BT_TRY(agree(w, status));
    const size_t space = spaces_of(w, bt_grid_place(w->grid, BT_AXIS_LAYER)).low + index;
    const char *const name = fit ? bt_spaces_name(w->problem->in->spaces, space) : "";
    if (w->problem->options->weights) BT_TRY(write_parts(w, name, "weights", fit->weights, fit->problem.n_feature));
    if (w->problem->options->predictions)
        BT_TRY(write_parts(w, name, "predictions", fit->predictions,
                           w->problem->nested->is_nested ? w->n_row : w->n_test));
cleanup:
    bt_free(maps);
    return status;
}

/* The spaces of each group from its `first` on that are loaded together. Collective over the world. */
static bt_status run_spaces(worker *w, size_t first)
{
    bt_status status = BT_OK;
    const bt_range mine = spaces_of(w, bt_grid_place(w->grid, BT_AXIS_LAYER));
    const size_t most = spaces_of(w, 0).high - first, at_once = w->cut.spaces_at_once;
    const size_t n = most < at_once ? most : at_once, low = mine.low + first;
    const size_t n_mine = low < mine.high ? (mine.high - low < n ? mine.high - low : n) : 0;
    const bt_pass pass = {.problem = w->problem,
                          .cut = &w->cut,
                          .group = w->group,
                          .device = w->device,
                          .voxels = w->voxels,
                          .scopes = &w->scopes,
                          .progress = &w->progress};
    bt_fit *const fits = bt_calloc(n, sizeof *fits);
    BT_TRY(agree(w, fits ? BT_OK : BT_ERR_MEMORY));
    if (n_mine > 0) status = bt_pass_run(&pass, (bt_range){low, low + n_mine}, fits);
    BT_TRY(agree(w, status));
    for (size_t f = 0; f < n; ++f) {
        BT_TRY(write_space(w, first + f, f < n_mine ? &fits[f] : NULL));
        bt_fit_clear(&fits[f]);
    }
cleanup:
    for (size_t f = 0; fits && f < n; ++f) bt_fit_clear(&fits[f]);
    bt_free(fits);
    return status;
}

/* ---- the run ---- */

static void say_cut(const worker *w)
{
    const bt_work_cut *const cut = &w->cut;
    const bt_nested *const nested = w->problem->nested;
    bt_log_info("ridge: %zu rows, up to %zu features; alphas: %zu, splits: %zu, groups of ranks: %zu x %zu, voxels at "
                "once: %zu",
                w->n_row, cut->most_feature, w->problem->plan->n_alpha, nested->inner[0].n_split, cut->n_group,
                bt_grid_extent(w->grid, BT_AXIS_VOXEL), cut->block);
    if (cut->n_rank > 1)
        bt_log_info("factors do not fit into one rank: spread over the %zu ranks of a group, their rows visit the "
                    "others' voxels",
                    cut->n_rank);
    if (w->problem->null)
        bt_log_info("significance: %zu of %.3g other orders of the test rows", bt_null_draws(w->problem->null),
                    bt_null_orders(w->problem->null));
    if (!cut->held)
        bt_log_info(
            "passes over the responses: %s%zu, the first to look at them; spaces at once: %zu, each with %zu of "
            "its %zu fits (splits and refit)",
            w->problem->plan->bands != BT_BANDS_NONE ? "at most " : "", cut->n_pass, cut->spaces_at_once,
            cut->jobs_at_once, nested->inner[0].n_split + 1);
    if (w->problem->plan->bands != BT_BANDS_NONE)
        bt_log_info("bands: up to %zu, with %s%zu draws of their scalings, each a fit of all splits", most_bands(w),
                    w->problem->plan->bands == BT_BANDS_COORDINATE ? "at most " : "",
                    bt_bands_draws(w->problem->plan, most_bands(w)));
    if (nested->is_nested)
        bt_log_info("outer folds: %zu, each predicts up to %zu rows from the others", nested->n_fold,
                    bt_nested_most_held_out(nested));
}

static bt_status prepare(worker *w)
{
    bt_status status = BT_OK;
    w->n_voxel = bt_responses_voxels(w->problem->in->train);
    BT_TRY(agree(w, bt_device_create(BT_DEVICE_CPU, &w->device)));
    BT_TRY(bt_work_grid(w->problem, &w->grid));
    BT_TRY(bt_work_plan(w->problem, w->grid, &w->cut));
    w->group = bt_grid_axis(w->grid, BT_AXIS_VOXEL);
    BT_TRY(agree(w, bt_fault_point("encode.read")));
    BT_TRY(agree(w, open_responses(w)));
    BT_TRY(agree(w, warn_off_centre(w)));
    BT_TRY(agree(
        w, bt_scopes_create(w->problem->plan, w->problem->in, w->n_voxel, bt_voxels_range(w->voxels), &w->scopes)));
    say_cut(w);
cleanup:
    return status;
}

static bt_status begin_output(worker *w, const bt_artefact *artefact)
{
    w->output = (bt_output){.in = w->problem->in,
                            .options = w->problem->options,
                            .plan = w->problem->plan,
                            .nested = w->problem->nested,
                            .null = w->problem->null,
                            .n_voxel = w->n_voxel,
                            .n_row = w->n_row,
                            .n_test = w->n_test};
    return is_root(w) ? bt_output_begin(artefact, &w->output) : BT_OK;
}

bt_status bt_work_run(const bt_work_problem *problem, const bt_artefact *artefact)
{
    bt_status status = BT_OK;
    worker w = {.problem = problem};
    BT_TRY(prepare(&w));
    BT_TRY(agree(&w, begin_output(&w, artefact)));
    BT_TRY(write_ceilings(&w));
    const bt_range mine = spaces_of(&w, bt_grid_place(w.grid, BT_AXIS_LAYER));
    const bt_range most = spaces_of(&w, 0);
    const size_t fits = bt_work_jobs(problem, mine) * bt_voxels_count(w.voxels);
    w.progress = bt_progress_start(
        "encode", bt_comm_size(problem->call->comm) > 1 ? "voxel fits of rank 0" : "voxel fits", (int64_t)fits);
    for (size_t first = 0; first < most.high - most.low; first += w.cut.spaces_at_once) BT_TRY(run_spaces(&w, first));
    bt_progress_end(&w.progress);
    BT_TRY(agree(&w, is_root(&w) ? bt_output_finish(&w.output) : BT_OK));
cleanup:
    bt_output_clear(&w.output);
    bt_scopes_clear(&w.scopes);
    bt_voxels_destroy(&w.voxels);
    bt_responses_close(&w.train);
    bt_responses_close(&w.test);
    bt_grid_destroy(&w.grid);
    bt_device_destroy(&w.device);
    return status;
}
