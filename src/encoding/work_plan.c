#include "base/memory.h"
#include "dist/partition.h"
#include "encoding/voxels.h"
#include "encoding/work.h"

enum { BLOCK = 2048, LEAST_BLOCK = 16 }; /* voxels at once */

bt_status bt_work_grid(const bt_work_problem *problem, bt_grid **out)
{
    const bool parts = problem->options->weights || problem->options->predictions;
    size_t extents[BT_AXIS_COUNT] = {0}, work[BT_AXIS_COUNT] = {0};
    for (int axis = 0; axis < BT_AXIS_COUNT; ++axis) extents[axis] = (size_t)problem->call->common->grid[axis];
    work[BT_AXIS_LAYER] = parts ? 1 : bt_spaces_count(problem->in->spaces);
    work[BT_AXIS_VOXEL] = bt_responses_voxels(problem->in->train);
    return bt_grid_create(problem->call->comm, extents, work, out);
}

static size_t widest_design(const bt_work_problem *problem)
{
    size_t most = 0;
    for (size_t i = 0; i < bt_spaces_count(problem->in->spaces); ++i) {
        const size_t width = bt_spaces_width(problem->in->spaces, i);
        if (width > most) most = width;
    }
    return most * problem->plan->design.delays.n;
}

static size_t most_applied(const bt_work_problem *problem)
{
    size_t most = bt_responses_rows_all(problem->in->test);
    for (size_t k = 0; k < problem->folds->n_split; ++k) {
        const size_t held = bt_folds_held_out(problem->folds, k);
        if (held > most) most = held;
    }
    return most;
}

static double bytes_at(const bt_work_problem *problem, const bt_work_cut *cut)
{
    return bt_fit_bytes(bt_responses_rows_all(problem->in->train), bt_responses_rows_all(problem->in->test),
                        most_applied(problem), cut->most_feature, cut->n_mine, cut->block, problem->plan,
                        problem->options->weights, problem->options->predictions);
}

bt_status bt_work_plan(const bt_work_problem *problem, const bt_grid *grid, bt_work_cut *cut)
{
    enum { MIB = 1 << 20 };
    bt_status status = BT_OK;
    const size_t n_voxel = bt_responses_voxels(problem->in->train), share = bt_grid_extent(grid, BT_AXIS_VOXEL);
    const bt_range first = bt_partition(0, share, n_voxel);
    *cut = (bt_work_cut){.most_feature = widest_design(problem),
                         .n_group = bt_grid_extent(grid, BT_AXIS_LAYER),
                         .n_mine = first.high - first.low,
                         .block = BLOCK,
                         .memory = bt_memory_per_rank(problem->call)};
    if (cut->block > cut->n_mine) cut->block = cut->n_mine;
    cut->fit_bytes = bytes_at(problem, cut);
    while (cut->fit_bytes > cut->memory && cut->block > LEAST_BLOCK) {
        cut->block /= 2;
        cut->fit_bytes = bytes_at(problem, cut);
    }
    if (cut->fit_bytes > cut->memory && !problem->call->common->dry_run)
        status = bt_fail(BT_ERR_USAGE,
                         "memory: %zu rows of %zu features need %.2f MiB per rank at least, and %.2f MiB are allowed; "
                         "set memory= higher, or take fewer features or delays",
                         bt_responses_rows_all(problem->in->train), cut->most_feature, cut->fit_bytes / MIB,
                         cut->memory / MIB);
    return bt_agree(problem->call->comm, status);
}

/* Products, Gram matrices and eigenproblems of one space over all ranks. */
static double flops_of(const bt_work_problem *problem, size_t n_feature)
{
    const bt_folds *const folds = problem->folds;
    const double v = (double)bt_responses_voxels(problem->in->train), p = (double)n_feature;
    double flops = 0;
    for (size_t k = 0; k <= folds->n_split; ++k) {
        const bool refit = k == folds->n_split;
        const double held =
            refit ? (double)bt_responses_rows_all(problem->in->test) : (double)bt_folds_held_out(folds, k);
        const double n = (double)folds->n_row - (refit ? 0 : held), alphas = refit ? 1 : (double)problem->plan->n_alpha;
        const double r = n < p ? n : p;
        flops +=
            n * p * r + 9 * r * r * r + 2 * r * n * p + 2 * held * p * r + 2 * r * n * v + 2 * alphas * held * r * v;
    }
    return flops;
}

bt_status bt_work_estimate(const bt_work_problem *problem)
{
    bt_status status = BT_OK;
    bt_grid *grid = NULL;
    bt_work_cut cut = {0};
    const bt_inputs *const in = problem->in;
    const size_t n_space = bt_spaces_count(in->spaces), n_voxel = bt_responses_voxels(in->train);
    const double rows = (double)(bt_responses_rows_all(in->train) + bt_responses_rows_all(in->test));
    BT_TRY(bt_work_grid(problem, &grid));
    BT_TRY(bt_work_plan(problem, grid, &cut));
    bt_estimate estimate = {.work = (double)n_space * (double)n_voxel * (double)(problem->folds->n_split + 1),
                            .work_unit = "voxel fits",
                            .memory_bytes = cut.fit_bytes};
    estimate.read_bytes = (double)n_voxel * rows * 8;
    estimate.written_bytes = (double)n_space * (double)n_voxel * 4 * (double)(6 + problem->plan->n_alpha);
    for (size_t i = 0; i < n_space; ++i) {
        const size_t width = bt_spaces_width(in->spaces, i) * problem->plan->design.delays.n;
        estimate.flops += flops_of(problem, width);
        estimate.read_bytes += rows * (double)width * 4;
        if (problem->options->weights) estimate.written_bytes += 4 * (double)width * (double)n_voxel;
    }
    const bt_voxels_options held = {.train = in->train, .test = in->test};
    const double held_bytes = bt_voxels_bytes(&held, cut.n_mine);
    if (cut.fit_bytes + held_bytes <= cut.memory) estimate.memory_bytes += held_bytes;
    BT_TRY(bt_estimate_report(problem->call, &estimate));
cleanup:
    bt_grid_destroy(&grid);
    return status;
}
