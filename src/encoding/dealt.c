#include "encoding/dealt.h"

#include "base/memory.h"
#include "dist/dense.h"

bool bt_dealt_has(size_t n_rank, size_t n_split, size_t k)
{
    if (n_rank < 2) return false;
    const size_t left = n_split - k / n_rank * n_rank; /* splits of this group and behind it */
    return 2 * left > (left + n_rank - 1) / n_rank * n_rank;
}

void bt_dealt_destroy(bt_dealt **dealt)
{
    bt_dealt *const old = *dealt;
    if (!old) return;
    bt_free(old->mine.values);
    bt_free(old->mine.vectors);
    bt_free(old);
    *dealt = NULL;
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

bt_status bt_dealt_create(const bt_search_problem *problem, size_t split, bt_dealt **out)
{
    bt_status status = BT_OK;
    const size_t n_rank = (size_t)bt_comm_size(problem->comm), rank = (size_t)bt_comm_rank(problem->comm);
    const size_t first = split / n_rank * n_rank, left = problem->folds->n_split - first;
    bt_dealt *dealt = bt_calloc(1, sizeof *dealt);
    BT_TRY(bt_agree(problem->comm, dealt ? BT_OK : BT_ERR_MEMORY));
    dealt->first = first;
    dealt->n = left < n_rank ? left : n_rank;
    BT_TRY(bt_agree(problem->comm, rank < dealt->n ? solve(problem, first + rank, &dealt->mine) : BT_OK));
    *out = dealt;
    dealt = NULL;
cleanup:
    bt_dealt_destroy(&dealt);
    return status;
}

double bt_dealt_bytes(size_t n_rank, size_t n_split, size_t n_train, size_t n_feature)
{
    const double order = (double)(bt_ridge_takes_dual(n_train, n_feature) ? n_train : n_feature);
    return n_split > 0 && bt_dealt_has(n_rank, n_split, 0) ? 8 * order * (order + 1) : 0;
}
