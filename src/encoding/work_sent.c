#include "dist/dense.h"
#include "dist/partition.h"
#include "encoding/dealt.h"
#include "encoding/hats.h"
#include "encoding/output.h"
#include "encoding/refit.h"
#include "encoding/ridge.h"
#include "encoding/work.h"

/* One job: a split, or the refit. */
typedef struct {
    size_t n, apply, p, rank;
    bool dual, fast, refit;
    bool dealt; /* its eigenproblem, or its reduction, is one rank's */
} job;

/* Job k of a fold. */
static job job_of(const bt_work_problem *problem, size_t fold, size_t k, size_t n_feature, size_t n_band)
{
    const bt_folds *const folds = &problem->nested->inner[fold];
    const bool refit = k == folds->n_split;
    const size_t away = bt_nested_held_out(problem->nested, fold);
    const size_t n = refit ? folds->n_row - away : bt_folds_count(folds, k, BT_ROW_TRAINS);
    const size_t predicted = problem->nested->is_nested ? away : bt_responses_rows_all(problem->in->test);
    job j = {.n = n,
             .apply = refit ? n_band * predicted : bt_folds_count(folds, k, BT_ROW_VALIDATES),
             .p = n_feature,
             .refit = refit};
    j.rank = n < n_feature ? n : n_feature;
    j.dual = bt_ridge_takes_dual(n, n_feature);
    j.fast = bt_work_is_fast(problem->plan, n, j.apply, j.rank, refit ? 1 : problem->plan->n_alpha);
    return j;
}

static bt_ridge_problem refit_of(const bt_work_problem *problem, const job *j)
{
    return (bt_ridge_problem){
        .n_train = j->n, .n_apply = j->apply, .n_feature = j->p, .n_rank = 1, .weights = problem->options->weights};
}

static bool is_solved(const bt_work_problem *problem, const bt_work_cut *cut, const job *j, size_t n_rank)
{
    const bt_ridge_problem refit = refit_of(problem, j);
    return j->refit && n_rank <= BT_HATS_RANKS && bt_refit_takes_hats(problem->plan, &refit, cut->n_mine);
}

/* Whether the refit is dealt, as job k. */
static bool is_refit_dealt(const bt_work_problem *problem, const bt_work_cut *cut, const job *j, size_t k,
                           size_t n_rank)
{
    const bt_ridge_problem refit = refit_of(problem, j);
    return is_solved(problem, cut, j, n_rank) && bt_refit_can_wait(problem->plan, &refit, cut->n_mine) &&
           bt_dealt_has(n_rank, k + 1, k);
}

/* Hats that are solved for; where the refit is dealt, the reduction and what is solved by it too. */
static double solved_bytes(const bt_work_problem *problem, const job *j, size_t k, size_t n_rank)
{
    const size_t n_pole = bt_hats_most_solved(problem->plan), order = j->dual ? j->n : j->p;
    const bt_range owner = bt_partition(k % n_rank, n_rank, n_pole);
    const size_t sent = n_pole - (owner.high - owner.low);
    const double element = (double)bt_dtype_size(problem->plan->precision), others = (double)(n_rank - 1);
    const double hats = element * (double)(n_pole * j->apply) * (double)j->n;
    const double solved = (j->dual ? element : 8) * (double)(sent * j->apply) * (double)order;
    return others * (hats + (j->dealt ? 8 * (double)order * (double)(order + 1) + solved : 0));
}

/* Whole factors: matrices and their eigenvectors for all, or hat matrices; nothing once a block of voxels is at hand.
 */
static double whole_bytes(const bt_work_problem *problem, const bt_work_cut *cut, const job *j, size_t k, size_t n_rank)
{
    const size_t order = j->dual ? j->n : j->p;
    const double gram = j->dual ? 0 : bt_dense_gram_sent(n_rank, j->n, order); /* dual: from the shared kernel */
    const double pairs = j->fast ? bt_dense_gram_sent(n_rank, j->apply, j->rank) : 0;
    if (is_solved(problem, cut, j, n_rank)) return (j->dealt ? 0 : gram) + solved_bytes(problem, j, k, n_rank);
    const size_t columns =
        j->apply + (j->dual ? 0 : j->n) + (j->dual && j->refit && problem->options->weights ? j->p : 0);
    const double factor = (double)(n_rank - 1) * 8 * (double)j->rank * (double)columns;
    if (j->dealt) return (double)(n_rank - 1) * 8 * (double)order * (double)(order + 1) + factor + pairs;
    return gram + bt_dense_eigen_sent(n_rank, order) + factor + pairs;
}

/* Spread factors: ScaLAPACK's, P' for M, and for each of n_block blocks of voxels every row of all. */
static double spread_bytes(const bt_work_problem *problem, const job *j, size_t n_rank, size_t n_block)
{
    const double r = (double)j->rank, others = (double)n_rank - 1, alphas = (double)problem->plan->n_alpha;
    const double element = (double)bt_dtype_size(problem->plan->precision);
    double visits = element * r * (double)(j->n + j->apply), making = 0;
    if (j->fast) {
        visits += element * r * r;
        making = 8 * r * (double)j->apply + 2 * 8 * r;
    } else if (!j->refit) {
        visits += element * r * (double)j->apply * (alphas - 1);
    }
    if (j->refit && problem->options->weights) visits += 8 * r * (double)j->p;
    return bt_spread_eigen_sent(n_rank, j->n, j->p, j->dual) + others * (making + visits * (double)n_block);
}

/* Designs of a space: a removal leaves another one in each fold. */
static double designs_of(const bt_work_problem *problem)
{
    return problem->removal ? (double)problem->nested->n_fold : 1;
}

/* Of all folds, and of all draws of the bands. */
static double jobs_bytes(const bt_work_problem *problem, const bt_work_cut *cut, size_t n_rank, size_t n_feature,
                         size_t n_band)
{
    const bt_nested *const nested = problem->nested;
    const size_t n_block = (cut->n_mine + cut->block - 1) / cut->block, n_draw = bt_bands_draws(problem->plan, n_band);
    double bytes = 0;
    bool kernel = false;
    for (size_t f = 0; f < nested->n_fold; ++f) {
        const size_t n_split = nested->inner[f].n_split;
        const job refit = job_of(problem, f, n_split, n_feature, n_band);
        const bool refits = n_draw == 1 && is_refit_dealt(problem, cut, &refit, n_split, n_rank);
        for (size_t k = 0; k <= n_split; ++k) {
            job j = job_of(problem, f, k, n_feature, n_band);
            j.dealt = j.refit ? refits : bt_dealt_has(n_rank, n_split + refits, k);
            kernel = kernel || j.dual;
            bytes +=
                cut->n_rank > 1 ? spread_bytes(problem, &j, n_rank, n_block) : whole_bytes(problem, cut, &j, k, n_rank);
        }
    }
    /* Scaled ones: for a fold's splits, and for its refit. */
    const double kernels = n_band > 1 ? 2 * (double)nested->n_fold : designs_of(problem);
    if (kernel && cut->n_rank == 1) bytes += kernels * bt_dense_gram_sent(n_rank, n_feature, nested->inner[0].n_row);
    return bytes * (double)n_draw;
}

double bt_work_sent_bytes(const bt_work_problem *problem, const bt_work_cut *cut, size_t n_rank, size_t n_feature,
                          size_t n_band)
{
    if (n_rank == 1) return 0;
    const double others = (double)n_rank - 1, v = (double)bt_responses_voxels(problem->in->train);
    const size_t n = problem->nested->inner[0].n_row;
    const size_t t = problem->in->test ? bt_responses_rows_all(problem->in->test) : 0;
    const size_t predicted = problem->nested->is_nested ? n : t;
    const double outputs =
        (problem->options->weights ? (double)n_feature : 0) + (problem->options->predictions ? (double)predicted : 0);
    const bt_map_rows maps = bt_map_rows_of(problem->plan->n_alpha, problem->nested, n_band);
    return 8 * designs_of(problem) * (double)(n + t) * (double)n_feature * others +
           jobs_bytes(problem, cut, n_rank, n_feature, n_band) +
           v * others / (double)n_rank * (8 * (double)maps.n + 4 * outputs);
}

double bt_work_dealt_bytes(const bt_work_problem *problem, const bt_work_cut *cut, size_t n_rank)
{
    const bt_responses *const train = problem->in->train, *const test = problem->in->test;
    const double tested = test ? (double)bt_responses_rows_all(test) * (double)bt_responses_repeats(test) : 0;
    const double rows = (double)bt_responses_rows_all(train) + tested;
    return cut->held ? 4 * rows * (double)bt_responses_voxels(train) * (1 - 1 / (double)n_rank) : 0;
}
