#include "encoding/dealt.h"

#include "base/fault.h"
#include "base/memory.h"
#include "dist/dense.h"
#include "encoding/refit.h"

bool bt_dealt_has(size_t n_rank, size_t n_job, size_t k)
{
    if (n_rank < 2) return false;
    const size_t left = n_job - k / n_rank * n_rank; /* jobs of this group and behind it */
    return 2 * left > (left + n_rank - 1) / n_rank * n_rank;
}

static void drop_pairs(bt_dealt *dealt)
{
    bt_free(dealt->mine.values);
    bt_free(dealt->mine.vectors);
    dealt->mine = (bt_eigenpairs){0};
}

void bt_dealt_destroy(bt_dealt **dealt)
{
    bt_dealt *const old = *dealt;
    if (!old) return;
    drop_pairs(old);
    bt_refit_destroy(&old->refit);
    bt_free(old);
    *dealt = NULL;
}

bool bt_dealt_covers(const bt_dealt *dealt, size_t split)
{
    return dealt && split < dealt->first + dealt->n;
}

void bt_dealt_end(bt_dealt **dealt, size_t split)
{
    bt_dealt *const old = *dealt;
    if (!old || split + 1 < old->first + old->n) return;
    drop_pairs(old);
    if (!old->refit) bt_dealt_destroy(dealt);
}

bt_refit *bt_dealt_refit(bt_dealt *dealt)
{
    bt_refit *const refit = dealt->refit;
    dealt->refit = NULL;
    return refit;
}

/* Of one split. This rank alone. */
static bt_status solve(const bt_search_problem *problem, size_t split, bt_eigenpairs *out)
{
    bt_status status = BT_OK;
    bt_comm *alone = NULL;
    bt_parts parts = {0};
    double *gram = NULL;
    size_t *train = NULL, *held = NULL;
    const size_t n_train = bt_folds_count(problem->folds, split, BT_ROW_TRAINS), n_feature = problem->design->n_feature;
    const bool dual = bt_ridge_takes_dual(n_train, n_feature);
    const size_t n = dual ? n_train : n_feature;
    BT_TRY(bt_fault_point("encode.dealt"));
    BT_TRY(bt_comm_create(MPI_COMM_NULL, &alone));
    BT_ALLOC(train, n_train);
    BT_ALLOC(held, bt_folds_count(problem->folds, split, BT_ROW_VALIDATES));
    bt_folds_rows(problem->folds, split, train, held);
    BT_TRY(bt_parts_take(problem->design, (bt_row_list){n_train, train}, (bt_row_list){0, NULL}, dual, &parts));
    if (!parts.kernel) {
        BT_ALLOC(gram, n * n);
        BT_TRY(bt_dense_gram(alone, problem->device, parts.x_train, n_train, n_feature, dual, gram));
        bt_free(parts.x_train);
        parts.x_train = NULL;
    }
    BT_ALLOC(out->values, n);
    BT_ALLOC(out->vectors, n * n);
    BT_TRY(bt_dense_eigen(alone, problem->device, gram ? gram : parts.kernel, n, out->values, out->vectors));
cleanup:
    bt_comm_destroy(&alone);
    bt_parts_clear(&parts);
    bt_free(gram);
    bt_free(train);
    bt_free(held);
    return status;
}

/* The refit, if it is dealt with the group of split `first`. Collective. */
static bt_status begin_refit(const bt_search_problem *problem, size_t first, size_t n_voxel, bt_refit **out)
{
    const size_t n_rank = (size_t)bt_comm_size(problem->comm), n_split = problem->folds->n_split;
    if (n_split - first >= n_rank || !bt_dealt_has(n_rank, n_split + 1, n_split)) return BT_OK;
    return bt_refit_begin(problem, n_voxel, out);
}

/* Each rank its job, and what all make of the refit's. Collective. */
static bt_status run(const bt_search_problem *problem, bt_dealt *dealt)
{
    bt_status status = BT_OK;
    const size_t rank = (size_t)bt_comm_rank(problem->comm);
    if (rank < dealt->n)
        status = solve(problem, dealt->first + rank, &dealt->mine);
    else if (rank == dealt->n && dealt->refit)
        status = bt_refit_reduce(problem, dealt->refit);
    BT_TRY(bt_agree(problem->comm, status));
    if (dealt->refit) BT_TRY(bt_refit_finish(problem, dealt->n, dealt->refit));
cleanup:
    return status;
}

bt_status bt_dealt_create(const bt_search_problem *problem, size_t split, bool refits, size_t n_voxel, bt_dealt **out)
{
    bt_status status = BT_OK;
    const size_t n_rank = (size_t)bt_comm_size(problem->comm), n_split = problem->folds->n_split;
    const size_t first = split / n_rank * n_rank, left = n_split - first;
    bt_refit *refit = NULL;
    bt_dealt *dealt = NULL;
    *out = NULL;
    if (problem->n_rank > 1) return BT_OK;
    if (refits) BT_TRY(begin_refit(problem, first, n_voxel, &refit));
    if (!bt_dealt_has(n_rank, n_split + (refit != NULL), split)) goto cleanup;
    dealt = bt_calloc(1, sizeof *dealt);
    BT_TRY(bt_agree(problem->comm, dealt ? BT_OK : BT_ERR_MEMORY));
    *dealt = (bt_dealt){.first = first, .n = left < n_rank ? left : n_rank, .refit = refit};
    refit = NULL;
    BT_TRY(run(problem, dealt));
    *out = dealt;
    dealt = NULL;
cleanup:
    bt_refit_destroy(&refit);
    bt_dealt_destroy(&dealt);
    return status;
}

double bt_dealt_bytes(size_t n_rank, size_t n_split, size_t n_train, size_t n_feature, double refit)
{
    const double order = (double)(bt_ridge_takes_dual(n_train, n_feature) ? n_train : n_feature);
    const bool refits = refit > 0 && bt_dealt_has(n_rank, n_split + 1, n_split);
    const bool has_pairs = n_split > 0 && bt_dealt_has(n_rank, n_split + refits, 0);
    return (has_pairs ? 8 * order * (order + 1) : 0) + (refits ? refit : 0);
}
