#include "encoding/pass.h"

#include "base/fault.h"
#include "base/memory.h"
#include "dist/dense.h"
#include "encoding/coordinates.h"
#include "encoding/fit_search.h"
#include "encoding/ridge.h"

/* ---- designs ---- */

/* One design, read and built by one rank. */
static bt_status build_design(const bt_pass *pass, size_t space, bool test, double **design)
{
    bt_status status = BT_OK;
    double *x = NULL;
    size_t n_row = 0;
    const bt_work_problem *const p = pass->problem;
    bt_design_options options = p->plan->design;
    if (test) {
        options.drop = p->plan->test_drop;
        options.drop_first = p->plan->test_drop_first;
    }
    const bt_spaces_rows rows = bt_inputs_rows(p->in, test);
    BT_TRY(bt_fault_point("encode.design"));
    if (p->removal) {
        bt_removal_take(p->removal, test, &x);
        options.zscore = false; /* done before the removal */
    } else {
        BT_TRY(bt_spaces_read(p->in->spaces, space, &rows, &x));
    }
    BT_TRY(bt_design_create(x, rows.rows, bt_spaces_width(p->in->spaces, space), &options, design, &n_row));
cleanup:
    bt_free(x);
    return status;
}

/* The group's first rank reads, all get it. Collective over the group. */
static bt_status share_design(const bt_pass *pass, size_t space, bool test, size_t n_value, double **design)
{
    bt_status status = BT_OK;
    *design = NULL;
    if (bt_comm_rank(pass->group) == 0)
        status = build_design(pass, space, test, design);
    else if (!(*design = bt_calloc(n_value, sizeof **design)))
        status = BT_ERR_MEMORY;
    BT_TRY(bt_agree(pass->group, status));
    BT_TRY(bt_comm_broadcast(pass->group, 0, *design, n_value * sizeof **design));
cleanup:
    return status;
}

static void clear_design(bt_fit_design *design)
{
    bt_free(design->x);
    bt_free(design->x_test);
    bt_free(design->kernel);
    *design = (bt_fit_design){0};
}

/* Whether any split, or the refit, takes the Gram matrix of rows. */
static bool needs_kernel(const bt_pass *pass, const bt_fit_design *design)
{
    const bt_nested *const nested = pass->problem->nested;
    for (size_t f = 0; f < nested->n_fold; ++f) {
        const bt_folds *const inner = &nested->inner[f];
        if (bt_ridge_takes_dual(design->n_row - bt_nested_held_out(nested, f), design->n_feature)) return true;
        for (size_t k = 0; k < inner->n_split; ++k)
            if (bt_ridge_takes_dual(bt_folds_count(inner, k, BT_ROW_TRAINS), design->n_feature)) return true;
    }
    return false;
}

/* The kernel of the design, where a fit takes it. Collective over the group. */
static bt_status add_kernel(const bt_pass *pass, bt_fit_design *design)
{
    bt_status status = BT_OK;
    const size_t n = design->n_row;
    if (pass->cut->n_rank > 1 || !needs_kernel(pass, design)) goto cleanup;
    design->kernel = bt_calloc(n * n, sizeof *design->kernel);
    BT_TRY(bt_agree(pass->group, design->kernel ? BT_OK : BT_ERR_MEMORY));
    BT_TRY(bt_dense_gram(pass->group, pass->device, design->x, n, design->n_feature, 1, design->kernel));
cleanup:
    return status;
}

/* Of an outer fold, without kernel: only what is left after a removal differs between folds. Collective over the group.
 */
static bt_status make_design(const bt_pass *pass, size_t space, size_t fold, bt_fit_design *design)
{
    bt_status status = BT_OK;
    const size_t n = bt_voxels_train_rows(pass->voxels), n_test = bt_voxels_test_rows(pass->voxels);
    const size_t width = bt_spaces_width(pass->problem->in->spaces, space) * pass->problem->plan->design.delays.n;
    *design = (bt_fit_design){.n_row = n, .n_test = n_test, .n_feature = width};
    if (pass->problem->removal) BT_TRY(bt_removal_run(pass->problem->removal, pass->group, pass->device, space, fold));
    BT_TRY(share_design(pass, space, false, n * width, &design->x));
    if (n_test > 0) BT_TRY(share_design(pass, space, true, n_test * width, &design->x_test));
cleanup:
    return status;
}

static void scale_rows(const double *from, size_t n_row, size_t width, const double *factor, double *to)
{
    for (size_t i = 0; i < n_row; ++i)
        for (size_t f = 0; f < width; ++f) to[i * width + f] = from[i * width + f] * factor[f];
}

/* The design with the scalings of a draw. One rank. */
static bt_status scale_design(const bt_fit *fit, size_t draw, const bt_fit_design *base, bt_fit_design *scaled)
{
    bt_status status = BT_OK;
    double *factor = NULL;
    const size_t width = base->n_feature;
    *scaled = (bt_fit_design){.n_row = base->n_row, .n_test = base->n_test, .n_feature = width};
    BT_ALLOC(factor, width);
    BT_ALLOC(scaled->x, base->n_row * width);
    bt_bands_factors(&fit->problem.bands, draw, factor);
    scale_rows(base->x, base->n_row, width, factor, scaled->x);
    if (!base->x_test) goto cleanup;
    BT_ALLOC(scaled->x_test, base->n_test * width);
    scale_rows(base->x_test, base->n_test, width, factor, scaled->x_test);
cleanup:
    bt_free(factor);
    return status;
}

/* ---- passes ---- */

/* All blocks of my voxels past what is loaded. Collective over the group where factors are spread: ranks with fewer
 * blocks than others look at empty ones. */
static bt_status sweep(const bt_pass *pass, size_t n_fit, size_t n_job, bt_fit *fits)
{
    bt_status status = BT_OK;
    bt_block block = {.device = pass->device};
    const size_t n_mine = bt_voxels_count(pass->voxels), width = pass->cut->block;
    const bool spread = pass->cut->n_rank > 1;
    const float *y = NULL, *y_test = NULL;
    for (size_t first = 0; first < (spread ? pass->cut->n_mine : n_mine); first += width) {
        const size_t low = first < n_mine ? first : n_mine, n = n_mine - low < width ? n_mine - low : width;
        if (n > 0) status = bt_voxels_block(pass->voxels, low, n, &y, &y_test);
        BT_TRY(spread ? bt_agree(pass->group, status) : status);
        for (size_t f = 0; f < n_fit; ++f) {
            status = bt_fit_block(&fits[f], &block, low, n, y, y_test);
            BT_TRY(spread ? bt_agree(pass->group, status) : status);
            bt_progress_add(pass->progress, (int64_t)(n * n_job));
        }
    }
    for (size_t f = 0; f < n_fit; ++f) BT_TRY(bt_fit_search_again(&fits[f], &block));
cleanup:
    bt_block_clear(&block);
    return status;
}

static bt_status create_fits(const bt_pass *pass, bt_range spaces, bt_fit *fits)
{
    bt_status status = BT_OK;
    const bt_work_problem *const p = pass->problem;
    for (size_t s = spaces.low; s < spaces.high; ++s) {
        bt_fit_problem problem = {.comm = pass->group,
                                  .device = pass->device,
                                  .n_test = p->nested->is_nested ? bt_nested_most_held_out(p->nested)
                                                                 : bt_voxels_test_rows(pass->voxels),
                                  .n_feature = bt_spaces_width(p->in->spaces, s) * p->plan->design.delays.n,
                                  .nested = p->nested,
                                  .plan = p->plan,
                                  .voxels = pass->voxels,
                                  .scopes = pass->scopes,
                                  .null = p->null,
                                  .block = pass->cut->block,
                                  .n_rank = pass->cut->n_rank,
                                  .weights = p->options->weights,
                                  .predictions = p->options->predictions};
        BT_TRY(bt_bands_create(p->plan, p->in->spaces, s, &problem.bands));
        BT_TRY(bt_fit_create(&problem, &fits[s - spaces.low]));
    }
cleanup:
    return status;
}

/* Several spaces, all jobs of each: one pass. Collective over the group. */
static bt_status run_spaces(const bt_pass *pass, bt_range spaces, bt_fit *fits)
{
    bt_status status = BT_OK;
    bt_fit_design design = {0};
    const size_t n_fit = spaces.high - spaces.low, n_job = pass->problem->nested->inner[0].n_split + 1;
    for (size_t f = 0; f < n_fit; ++f) {
        BT_TRY(make_design(pass, spaces.low + f, 0, &design));
        BT_TRY(add_kernel(pass, &design));
        BT_TRY(bt_fit_load(&fits[f], &design, (bt_range){0, n_job}));
        clear_design(&design);
    }
    BT_TRY(bt_agree(pass->group, sweep(pass, n_fit, n_job, fits)));
cleanup:
    clear_design(&design);
    return status;
}

/* Jobs of the fold at work, a few a pass. Collective over the group. */
static bt_status run_jobs(const bt_pass *pass, const bt_fit_design *design, bt_fit *fit, bt_range jobs)
{
    bt_status status = BT_OK;
    for (size_t low = jobs.low, n = 0; low < jobs.high; low += n) {
        n = jobs.high - low < pass->cut->jobs_at_once ? jobs.high - low : pass->cut->jobs_at_once;
        BT_TRY(bt_fit_load(fit, design, (bt_range){low, low + n}));
        const bool repeated = low + n == fit->n_job && fit->at_work > 0; /* refits of all draws count as one */
        BT_TRY(bt_agree(pass->group, sweep(pass, 1, repeated ? n - 1 : n, fit)));
        bt_fit_unload(fit);
    }
cleanup:
    return status;
}

/* The same with the scalings of a draw. Collective over the group. */
static bt_status run_draw(const bt_pass *pass, const bt_fit_design *base, size_t draw, bt_fit *fit, bt_range jobs)
{
    bt_status status = BT_OK;
    bt_fit_design design = {0};
    fit->at_work = draw;
    if (fit->problem.bands.n_band == 1) return run_jobs(pass, base, fit, jobs);
    BT_TRY(bt_agree(pass->group, scale_design(fit, draw, base, &design)));
    BT_TRY(add_kernel(pass, &design));
    BT_TRY(run_jobs(pass, &design, fit, jobs));
cleanup:
    clear_design(&design);
    return status;
}

/* Draws that are wanted of the fold at work. Collective over the group. */
static bt_status run_wanted(const bt_pass *pass, const bt_fit_design *base, bt_fit *fit, bt_coordinates *search)
{
    bt_status status = BT_OK;
    for (size_t d = 0; d < fit->problem.bands.n_draw; ++d) {
        if (search->wanted[d] == 0) continue;
        bt_fit_reset(fit);
        BT_TRY(run_draw(pass, base, d, fit, (bt_range){0, fit->n_job - 1}));
        BT_TRY(bt_coordinates_remember(search, d));
    }
cleanup:
    return status;
}

/* What a search has come to, said; the progress counts the draws that it did not need. */
static void end_search(const bt_pass *pass, const bt_fit *fit, const bt_coordinates *search, size_t n_sweep,
                       int64_t n_moved)
{
    const size_t n_draw = fit->problem.bands.n_draw, n_left = n_draw - search->n_seen;
    bt_log_info("bands: %zu sweeps tried %zu of %zu draws", n_sweep, search->n_seen, n_draw);
    if (n_moved > 0)
        bt_log_warn("bands.n_sweep=%zu: %lld moves in the last sweep; set it higher, voxels may find better scalings",
                    n_sweep, (long long)n_moved);
    bt_progress_add(pass->progress, (int64_t)(n_left * (fit->n_job - 1) * fit->n_voxel));
}

/* All splits of the fold at work, by coordinate search. Collective over the group. */
static bt_status run_coordinates(const bt_pass *pass, const bt_fit_design *base, bt_fit *fit)
{
    bt_status status = BT_OK;
    bt_coordinates search = {0};
    int64_t n_moved = 1;
    size_t n_sweep = 0;
    BT_TRY(bt_agree(pass->group, bt_coordinates_create(fit, &search)));
    for (; n_moved > 0 && n_sweep < fit->problem.plan->n_sweep; ++n_sweep) {
        n_moved = 0;
        for (size_t b = 0; b < fit->problem.bands.n_band; ++b) {
            BT_TRY(bt_coordinates_aim(&search, b));
            BT_TRY(run_wanted(pass, base, fit, &search));
            BT_TRY(bt_coordinates_move(&search, b, &n_moved));
        }
    }
    bt_coordinates_settle(&search);
    end_search(pass, fit, &search, n_sweep, n_moved);
cleanup:
    bt_coordinates_clear(&search);
    return status;
}

/* The same, draw after draw. Collective over the group. */
static bt_status run_draws(const bt_pass *pass, const bt_fit_design *base, bt_fit *fit)
{
    bt_status status = BT_OK;
    for (size_t d = 0; d < fit->problem.bands.n_draw; ++d) {
        BT_TRY(run_draw(pass, base, d, fit, (bt_range){0, fit->n_job - 1}));
        BT_TRY(bt_fit_decide(fit, d));
    }
cleanup:
    return status;
}

/* The fold at work: where its refit need not wait with the splits, else behind the splits of all draws, once for each
 * draw that voxels have kept. Collective over the group. */
static bt_status run_fold(const bt_pass *pass, const bt_fit_design *base, bt_fit *fit)
{
    bt_status status = BT_OK;
    const size_t n_job = fit->n_job, n_draw = fit->problem.bands.n_draw;
    const bool waits = bt_fit_waits(fit);
    if (!waits) return run_draw(pass, base, 0, fit, (bt_range){0, n_job});
    BT_TRY(fit->problem.bands.n_value > 0 ? run_coordinates(pass, base, fit) : run_draws(pass, base, fit));
    for (size_t d = 0; d < n_draw; ++d) {
        bool uses = false;
        BT_TRY(bt_fit_uses(fit, d, &uses));
        if (uses) BT_TRY(run_draw(pass, base, d, fit, (bt_range){n_job - 1, n_job}));
    }
cleanup:
    return status;
}

/* One space, fold after fold. Collective over the group. */
static bt_status run_space(const bt_pass *pass, size_t space, bt_fit *fit)
{
    bt_status status = BT_OK;
    bt_fit_design design = {0};
    for (size_t f = 0; f < fit->n_fold; ++f) {
        if (f == 0 || pass->problem->removal) {
            clear_design(&design);
            BT_TRY(make_design(pass, space, f, &design));
            if (fit->problem.bands.n_band == 1) BT_TRY(add_kernel(pass, &design));
        }
        bt_fit_begin(fit, f);
        BT_TRY(run_fold(pass, &design, fit));
    }
cleanup:
    clear_design(&design);
    return status;
}

bt_status bt_pass_run(const bt_pass *pass, bt_range spaces, bt_fit *fits)
{
    bt_status status = BT_OK;
    const size_t n_fit = spaces.high - spaces.low;
    BT_TRY(bt_agree(pass->group, create_fits(pass, spaces, fits)));
    BT_TRY(pass->cut->spaces_at_once > 1 ? run_spaces(pass, spaces, fits) : run_space(pass, spaces.low, fits));
    for (size_t f = 0; f < n_fit; ++f) {
        bt_fit_unload(&fits[f]);
        BT_TRY(bt_fit_finish(&fits[f]));
    }
cleanup:
    return status;
}
