#include "base/memory.h"
#include "dist/partition.h"
#include "encoding/fit_search.h"
#include "encoding/voxels.h"
#include "encoding/work.h"

#include <math.h>

/* Voxels at once: at best, enough for products at speed, and at least. */
enum { BLOCK = 2048, GOOD_BLOCK = 256, LEAST_BLOCK = 16 };

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

/* Rows of the splits of all folds. */
static void range_splits(const bt_nested *nested, bt_fit_sizes *sizes)
{
    sizes->least_train = SIZE_MAX;
    for (size_t f = 0; f < nested->n_fold; ++f) {
        const bt_folds *const inner = &nested->inner[f];
        if (inner->n_split > sizes->most_split) sizes->most_split = inner->n_split;
        for (size_t k = 0; k < inner->n_split; ++k) {
            const size_t train = bt_folds_count(inner, k, BT_ROW_TRAINS),
                         held = bt_folds_count(inner, k, BT_ROW_VALIDATES);
            if (train > sizes->most_train) sizes->most_train = train;
            if (train < sizes->least_train) sizes->least_train = train;
            if (held > sizes->most_held) sizes->most_held = held;
        }
    }
}

/* Rows that a fold predicts. */
static size_t rows_predicted(const bt_work_problem *problem, size_t fold)
{
    return problem->nested->is_nested ? bt_nested_held_out(problem->nested, fold)
                                      : bt_responses_rows_all(problem->in->test);
}

static size_t most_bands(const bt_work_problem *problem)
{
    size_t most = 1;
    for (size_t i = 0; i < bt_spaces_count(problem->in->spaces); ++i) {
        const size_t n = bt_bands_count(problem->plan, problem->in->spaces, i);
        if (n > most) most = n;
    }
    return most;
}

static bt_fit_bytes bytes_at(const bt_work_problem *problem, const bt_work_cut *cut)
{
    bt_fit_sizes sizes = {.n_row = bt_responses_rows_all(problem->in->train),
                          .n_test = problem->nested->is_nested ? bt_nested_most_held_out(problem->nested)
                                                               : bt_responses_rows_all(problem->in->test),
                          .n_feature = cut->most_feature,
                          .n_fold = problem->nested->n_fold,
                          .nested = problem->nested->is_nested,
                          .n_delay = problem->plan->design.delays.n,
                          .n_voxel = cut->n_mine,
                          .block = cut->block,
                          .n_rank = cut->n_rank,
                          .n_share = cut->n_rank > 1 ? 1 : cut->n_share,
                          .weights = problem->options->weights,
                          .predictions = problem->options->predictions,
                          .null = problem->null};
    range_splits(problem->nested, &sizes);
    sizes.n_band = most_bands(problem);
    sizes.n_draw = bt_bands_draws(problem->plan, sizes.n_band);
    bt_fit_bytes bytes = bt_fit_bytes_of(&sizes, problem->plan);
    if (problem->removal) /* before a design is there */
        bytes.making = fmax(bytes.making, bt_removal_bytes(problem->removal, cut->most_feature / sizes.n_delay));
    return bytes;
}

/* With the spaces and jobs that are loaded together. */
static double sum_bytes(const bt_fit_bytes *bytes, const bt_work_cut *cut)
{
    const double spaces = (double)cut->spaces_at_once, jobs = spaces * (double)cut->jobs_at_once;
    const double kept = cut->spaces_at_once == 1 ? bytes->design : 0; /* for the next pass */
    const double at_work = jobs * bytes->job + bytes->block + kept;
    const double loading = (jobs - 1) * bytes->job + bytes->making + bytes->design;
    return spaces * bytes->results + bytes->dealt + fmax(at_work, loading);
}

static size_t ceiling_of(size_t n, size_t by)
{
    return (n + by - 1) / by;
}

/* As bt_fit_waits. */
static bool refit_waits(const bt_work_problem *problem)
{
    return problem->plan->alpha_scope != BT_SCOPE_VOXEL || bt_bands_draws(problem->plan, most_bands(problem)) > 1;
}

/* Passes over the responses that one space takes, at most. */
static size_t passes_of(const bt_work_problem *problem, size_t at_once)
{
    const bt_nested *const nested = problem->nested;
    const size_t n_draw = bt_bands_draws(problem->plan, most_bands(problem));
    size_t n = 0;
    for (size_t f = 0; f < nested->n_fold; ++f) {
        const size_t n_split = nested->inner[f].n_split;
        n += refit_waits(problem) ? n_draw * (ceiling_of(n_split, at_once) + 1) : ceiling_of(n_split + 1, at_once);
    }
    return n;
}

/* The responses are held where they fit beside one job, with all splits at once where these fit too and may be searched
 * roughly; else as many jobs of a fold look at each block as fit, and where one pass is all that a space
 * takes, as many spaces. */
static void choose_passes(const bt_work_problem *problem, const bt_fit_bytes *bytes, double response_bytes,
                          size_t n_space, bt_work_cut *cut)
{
    const size_t n_split = problem->nested->inner[0].n_split, most_jobs = n_split + !refit_waits(problem);
    cut->spaces_at_once = cut->jobs_at_once = 1;
    cut->bytes = sum_bytes(bytes, cut);
    cut->held = cut->bytes + response_bytes <= cut->memory;
    cut->response_bytes = cut->held ? response_bytes : 0;
    const size_t n_draw = bt_bands_draws(problem->plan, most_bands(problem));
    const bool rough = cut->n_rank == 1 && bt_fit_may_be_rough(problem->plan, n_draw);
    const size_t least = rough && cut->held ? n_split : 2, most = cut->held ? rough * n_split : most_jobs;
    for (size_t jobs = least; jobs <= most; ++jobs) {
        bt_work_cut more = *cut;
        more.jobs_at_once = jobs;
        if (sum_bytes(bytes, &more) + cut->response_bytes <= cut->memory) cut->jobs_at_once = jobs;
    }
    const bool one_pass =
        !cut->held && problem->plan->bands == BT_BANDS_NONE && passes_of(problem, cut->jobs_at_once) == 1;
    for (size_t spaces = 2; one_pass && spaces <= n_space; ++spaces) {
        bt_work_cut more = *cut;
        more.spaces_at_once = spaces;
        if (sum_bytes(bytes, &more) <= cut->memory) cut->spaces_at_once = spaces;
    }
    cut->bytes = sum_bytes(bytes, cut) + cut->response_bytes;
    cut->n_pass = cut->held ? 1 : 1 + ceiling_of(n_space, cut->spaces_at_once) * passes_of(problem, cut->jobs_at_once);
}

/* The widest of the blocks most, most / 2 .. least that fits, or else the last that was tried. */
static bool choose_block(const bt_work_problem *problem, double response_bytes, size_t n_space, size_t most,
                         size_t least, bt_work_cut *cut)
{
    for (size_t block = most;; block /= 2) {
        cut->block = block < cut->n_mine ? block : cut->n_mine;
        const bt_fit_bytes bytes = bytes_at(problem, cut);
        choose_passes(problem, &bytes, response_bytes, n_space, cut);
        if (cut->bytes <= cut->memory) return true;
        if (block <= least) return false;
    }
}

/* Factors are whole on each rank while blocks are wide enough with them, then spread; narrow blocks are the last way.
 */
static bool choose_spread(const bt_work_problem *problem, double response_bytes, size_t n_space, size_t share,
                          bt_work_cut *cut)
{
    cut->n_rank = 1;
    if (choose_block(problem, response_bytes, n_space, BLOCK, GOOD_BLOCK, cut)) return true;
    bt_work_cut spread = *cut;
    spread.n_rank = share;
    if (share > 1 && choose_block(problem, response_bytes, n_space, BLOCK, LEAST_BLOCK, &spread)) {
        *cut = spread;
        return true;
    }
    if (choose_block(problem, response_bytes, n_space, GOOD_BLOCK / 2, LEAST_BLOCK, cut)) return true;
    if (share > 1 && spread.bytes < cut->bytes) *cut = spread;
    return false;
}

bool bt_work_cut_of(const bt_work_problem *problem, size_t n_group, size_t share, double memory, bt_work_cut *cut)
{
    const bt_inputs *const in = problem->in;
    const bt_range first = bt_partition(0, share, bt_responses_voxels(in->train));
    const bt_voxels_options responses = {.train = in->train, .test = in->test};
    *cut = (bt_work_cut){.most_feature = widest_design(problem),
                         .n_group = n_group,
                         .n_share = share,
                         .n_mine = first.high - first.low,
                         .memory = memory};
    const size_t n_space = ceiling_of(bt_spaces_count(in->spaces), n_group);
    return choose_spread(problem, bt_voxels_bytes(&responses, cut->n_mine), n_space, share, cut);
}

bt_status bt_work_plan(const bt_work_problem *problem, const bt_grid *grid, bt_work_cut *cut)
{
    enum { MIB = 1 << 20 };
    bt_status status = BT_OK;
    const bool fits = bt_work_cut_of(problem, bt_grid_extent(grid, BT_AXIS_LAYER), bt_grid_extent(grid, BT_AXIS_VOXEL),
                                     bt_memory_per_rank(problem->call), cut);
    if (!fits && !problem->call->common->dry_run)
        status =
            bt_fail(BT_ERR_USAGE,
                    "memory: %zu rows of %zu features need %.2f MiB per rank at least, and %.2f MiB are allowed; "
                    "set memory= higher, or take fewer features or delays%s",
                    bt_responses_rows_all(problem->in->train), cut->most_feature, cut->bytes / MIB, cut->memory / MIB,
                    cut->n_group > 1 ? ", or grid.layer=1, so that more ranks share a layer's matrices" : "");
    return bt_agree(problem->call->comm, status);
}

size_t bt_work_jobs(const bt_work_problem *problem, bt_range spaces)
{
    const bt_nested *const nested = problem->nested;
    size_t n = 0;
    for (size_t s = spaces.low; s < spaces.high; ++s) {
        const size_t n_draw = bt_bands_draws(problem->plan, bt_bands_count(problem->plan, problem->in->spaces, s));
        for (size_t f = 0; f < nested->n_fold; ++f) n += n_draw * nested->inner[f].n_split + 1;
    }
    return n;
}

bool bt_work_is_fast(const bt_encode_plan *plan, size_t n, size_t held, size_t rank, size_t n_penalty)
{
    if (plan->search == BT_SEARCH_DIRECT || n_penalty < 2) return false;
    return plan->search == BT_SEARCH_FAST || bt_search_is_faster(n, held, rank, n_penalty);
}

/* Products of one voxel. */
static double products_of(const bt_work_problem *problem, double n, double held, double rank, size_t n_penalty)
{
    const bool fast = bt_work_is_fast(problem->plan, (size_t)n, (size_t)held, (size_t)rank, n_penalty);
    return 2 * rank * (n + (fast ? held + rank : held * (double)n_penalty));
}

/* Of a fit on n rows that predicts `held` rows of all voxels at n_penalty alphas. */
static double flops_of_fit(const bt_work_problem *problem, double n, double held, double p, size_t n_penalty)
{
    const double r = n < p ? n : p;
    return n * p * r + 9 * r * r * r + 2 * r * n * p + 2 * held * p * r +
           (double)bt_responses_voxels(problem->in->train) * products_of(problem, n, held, r, n_penalty);
}

double bt_work_flops(const bt_work_problem *problem, size_t n_feature, size_t n_band)
{
    const bt_nested *const nested = problem->nested;
    const double n_draw = (double)bt_bands_draws(problem->plan, n_band);
    double flops = 0;
    for (size_t f = 0; f < nested->n_fold; ++f) {
        const bt_folds *const inner = &nested->inner[f];
        for (size_t k = 0; k < inner->n_split; ++k)
            flops += n_draw * flops_of_fit(problem, (double)bt_folds_count(inner, k, BT_ROW_TRAINS),
                                           (double)bt_folds_count(inner, k, BT_ROW_VALIDATES), (double)n_feature,
                                           problem->plan->n_alpha);
        flops += flops_of_fit(problem, (double)(inner->n_row - bt_nested_held_out(nested, f)),
                              (double)(n_band * rows_predicted(problem, f)), (double)n_feature, 1);
    }
    return flops + (problem->null ? (double)bt_responses_voxels(problem->in->train) * bt_null_flops(problem->null) : 0);
}

bt_status bt_work_estimate(const bt_work_problem *problem)
{
    bt_status status = BT_OK;
    bt_grid *grid = NULL;
    bt_work_cut cut = {0};
    const bt_inputs *const in = problem->in;
    const size_t n_space = bt_spaces_count(in->spaces), n_voxel = bt_responses_voxels(in->train);
    const double rows = (double)(bt_responses_rows_all(in->train) + (in->test ? bt_responses_rows_all(in->test) : 0));
    const double n_rank = bt_comm_size(problem->call->comm);
    BT_TRY(bt_work_grid(problem, &grid));
    BT_TRY(bt_work_plan(problem, grid, &cut));
    bt_estimate estimate = {.work = (double)n_voxel * (double)bt_work_jobs(problem, (bt_range){0, n_space}),
                            .work_unit = "voxel fits",
                            .memory_bytes = cut.bytes};
    estimate.read_bytes = (double)(n_voxel * cut.n_pass) * rows * 8;
    estimate.written_bytes = (double)n_space * (double)n_voxel * 4 * (double)(8 + problem->plan->n_alpha);
    const size_t share = bt_grid_extent(grid, BT_AXIS_VOXEL);
    estimate.sent_bytes = bt_work_dealt_bytes(problem, &cut, share) * (double)cut.n_group / n_rank;
    for (size_t i = 0; i < n_space; ++i) {
        const size_t width = bt_spaces_width(in->spaces, i) * problem->plan->design.delays.n;
        const size_t n_band = bt_bands_count(problem->plan, in->spaces, i);
        estimate.sent_bytes += bt_work_sent_bytes(problem, &cut, share, width, n_band) / n_rank;
        estimate.flops += bt_work_flops(problem, width, n_band);
        estimate.read_bytes += rows * (double)width * 4;
        if (problem->options->weights) estimate.written_bytes += 4 * (double)width * (double)n_voxel;
    }
    BT_TRY(bt_estimate_report(problem->call, &estimate));
cleanup:
    bt_grid_destroy(&grid);
    return status;
}
