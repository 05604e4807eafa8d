#include "encoding/pass.h"

#include "base/fault.h"
#include "base/memory.h"
#include "dist/dense.h"
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
    const bt_folds *const folds = pass->problem->folds;
    bool needs = bt_ridge_takes_dual(design->n_row, design->n_feature);
    for (size_t k = 0; k < folds->n_split; ++k)
        needs = needs || bt_ridge_takes_dual(design->n_row - bt_folds_held_out(folds, k), design->n_feature);
    return needs;
}

/* Collective over the group. */
static bt_status make_design(const bt_pass *pass, size_t space, bt_fit_design *design)
{
    bt_status status = BT_OK;
    const size_t n = bt_voxels_train_rows(pass->voxels), n_test = bt_voxels_test_rows(pass->voxels);
    const size_t width = bt_spaces_width(pass->problem->in->spaces, space) * pass->problem->plan->design.delays.n;
    *design = (bt_fit_design){.n_row = n, .n_test = n_test, .n_feature = width};
    if (pass->problem->removal) BT_TRY(bt_removal_run(pass->problem->removal, pass->group, pass->device, space));
    BT_TRY(share_design(pass, space, false, n * width, &design->x));
    BT_TRY(share_design(pass, space, true, n_test * width, &design->x_test));
    if (pass->cut->n_rank > 1 || !needs_kernel(pass, design)) goto cleanup;
    design->kernel = bt_calloc(n * n, sizeof *design->kernel);
    BT_TRY(bt_agree(pass->group, design->kernel ? BT_OK : BT_ERR_MEMORY));
    BT_TRY(bt_dense_gram(pass->group, pass->device, design->x, n, width, 1, design->kernel));
cleanup:
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
cleanup:
    bt_block_clear(&block);
    return status;
}

static bt_status create_fits(const bt_pass *pass, bt_range spaces, bt_fit *fits)
{
    bt_status status = BT_OK;
    const bt_work_problem *const p = pass->problem;
    for (size_t s = spaces.low; s < spaces.high; ++s) {
        const bt_fit_problem problem = {.comm = pass->group,
                                        .device = pass->device,
                                        .n_test = bt_voxels_test_rows(pass->voxels),
                                        .n_feature = bt_spaces_width(p->in->spaces, s) * p->plan->design.delays.n,
                                        .folds = p->folds,
                                        .plan = p->plan,
                                        .voxels = pass->voxels,
                                        .null = p->null,
                                        .block = pass->cut->block,
                                        .n_rank = pass->cut->n_rank,
                                        .weights = p->options->weights,
                                        .predictions = p->options->predictions};
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
    const size_t n_fit = spaces.high - spaces.low, n_job = pass->problem->folds->n_split + 1;
    for (size_t f = 0; f < n_fit; ++f) {
        BT_TRY(make_design(pass, spaces.low + f, &design));
        BT_TRY(bt_fit_load(&fits[f], &design, (bt_range){0, n_job}));
        clear_design(&design);
    }
    BT_TRY(bt_agree(pass->group, sweep(pass, n_fit, n_job, fits)));
cleanup:
    clear_design(&design);
    return status;
}

/* One space, a few jobs a pass. Collective over the group. */
static bt_status run_space(const bt_pass *pass, size_t space, bt_fit *fit)
{
    bt_status status = BT_OK;
    bt_fit_design design = {0};
    const size_t n_job = pass->problem->folds->n_split + 1, at_once = pass->cut->jobs_at_once;
    BT_TRY(make_design(pass, space, &design));
    for (size_t low = 0; low < n_job; low += at_once) {
        const size_t n = n_job - low < at_once ? n_job - low : at_once;
        BT_TRY(bt_fit_load(fit, &design, (bt_range){low, low + n}));
        BT_TRY(bt_agree(pass->group, sweep(pass, 1, n, fit)));
        bt_fit_unload(fit);
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
