#include "encoding/refit.h"

#include "base/fault.h"
#include "base/memory.h"
#include "device/spectral.h"
#include "encoding/factor.h"
#include "encoding/hats.h"
#include "encoding/ridge.h"

#include <math.h>
#include <string.h>

struct bt_refit {
    const bt_encode_plan *plan; /* borrowed */
    bt_device *device;
    size_t n_row, n_test; /* rows that train, and that are predicted, of all bands */
    size_t *train, *held; /* their indices among the training rows; NULL: all of them, and the test rows */
    bt_buffer *hats;      /* (n_alpha, n_test, n_row), or NULL: */
    size_t n_solved;      /* alphas whose hats were solved for; 0: of a factor */
    bt_ridge *ridge;      /* with */
    float *y_train;       /* (n_row, block) of the rows that train, when these are not all */
};

void bt_refit_destroy(bt_refit **refit)
{
    bt_refit *const old = *refit;
    if (!old) return;
    bt_free(old->train);
    bt_free(old->held);
    bt_free(old->y_train);
    bt_buffer_destroy(&old->hats);
    bt_ridge_destroy(&old->ridge);
    bt_free(old);
    *refit = NULL;
}

bt_refit_way bt_refit_way_of(const bt_refit *refit)
{
    const bt_refit_kind kind = !refit->hats ? BT_REFIT_ROTATES : refit->n_solved ? BT_REFIT_SOLVED_HATS : BT_REFIT_HATS;
    return (bt_refit_way){kind, refit->n_solved};
}

static size_t most_rank(const bt_ridge_problem *problem)
{
    return problem->n_train < problem->n_feature ? problem->n_train : problem->n_feature;
}

/* With hats of n_made alphas that are made one by one. */
static bool takes_hats_at(const bt_encode_plan *plan, const bt_ridge_problem *p, size_t n_made, size_t rank,
                          size_t n_voxel)
{
    const double n = (double)p->n_train, t = (double)p->n_apply, r = (double)rank, v = (double)n_voxel;
    const double rows = (double)n_made * t, all = (double)plan->n_alpha * t;
    return p->n_rank <= 1 && !p->weights && !plan->point && rows <= 4 * r && all <= 16 * r &&
           rows * r * n + t * n * v < r * (n + t) * v;
}

bool bt_refit_takes_hats(const bt_encode_plan *plan, const bt_ridge_problem *problem, size_t n_voxel)
{
    return takes_hats_at(plan, problem, bt_hats_most_solved(plan), most_rank(problem), n_voxel);
}

/* The rows that train and that are predicted, of an outer fold. */
static bt_status sort_rows(const bt_search_problem *problem, bt_refit *refit)
{
    bt_status status = BT_OK;
    const size_t n_row = problem->design->n_row;
    size_t n = 0, m = 0;
    BT_ALLOC(refit->train, n_row);
    BT_ALLOC(refit->held, n_row);
    for (size_t i = 0; i < n_row; ++i)
        if (problem->away[i])
            refit->held[m++] = i;
        else
            refit->train[n++] = i;
    refit->n_row = n;
    refit->n_test = m;
    BT_ALLOC(refit->y_train, n * problem->block);
cleanup:
    return status;
}

static bt_status begin(const bt_search_problem *problem, bt_refit *refit, bt_parts *parts)
{
    bt_status status = BT_OK;
    const bt_fit_design *const design = problem->design;
    *refit =
        (bt_refit){.plan = problem->plan, .device = problem->device, .n_row = design->n_row, .n_test = design->n_test};
    BT_TRY(bt_fault_point("encode.refit"));
    if (!problem->away) goto cleanup;
    BT_TRY(sort_rows(problem, refit));
    if (problem->n_rank > 1 && !problem->bands) goto cleanup; /* a spread factor takes its rows from the design */
    BT_TRY(bt_parts_take(design, (bt_row_list){refit->n_row, refit->train}, (bt_row_list){refit->n_test, refit->held},
                         !problem->bands && bt_ridge_takes_dual(refit->n_row, design->n_feature), parts));
cleanup:
    return status;
}

/* Rows to predict become those of each band. */
static bt_status split_bands(const bt_search_problem *problem, bt_refit *refit, bt_parts *parts)
{
    bt_status status = BT_OK;
    double *split = NULL;
    const size_t n_band = problem->bands->n_band;
    BT_ALLOC(split, n_band * refit->n_test * problem->design->n_feature);
    bt_bands_split(problem->bands, problem->away ? parts->x_apply : problem->design->x_test, refit->n_test, split);
    bt_free(parts->x_apply);
    parts->x_apply = split;
    refit->n_test *= n_band;
cleanup:
    return status;
}

/* Collective. */
static bt_status make_from_factor(const bt_search_problem *problem, const bt_ridge_problem *all, size_t n_voxel,
                                  bt_refit *refit)
{
    bt_status status = BT_OK;
    bt_factor factor = {0};
    BT_TRY(bt_factor_create(problem->comm, problem->device, all, &factor));
    if (factor.map.rank > 0 && takes_hats_at(problem->plan, all, problem->plan->n_alpha, factor.map.rank, n_voxel))
        status = bt_hats_of_factor(problem->device, problem->plan, &factor, all, &refit->hats);
    else
        status = bt_ridge_create_from(problem->device, all, &factor, &refit->ridge);
cleanup:
    bt_factor_clear(&factor);
    return status;
}

bt_status bt_refit_create(const bt_search_problem *problem, size_t n_voxel, bool weights, bt_refit **out)
{
    bt_status status = BT_OK;
    bt_parts parts = {0};
    double most = (double)n_voxel; /* the same way on all ranks */
    const bt_fit_design *const design = problem->design;
    bt_refit *refit = bt_calloc(1, sizeof *refit);
    *out = NULL;
    BT_TRY(bt_agree(problem->comm, refit ? begin(problem, refit, &parts) : BT_ERR_MEMORY));
    BT_TRY(bt_comm_max_f64(problem->comm, &most, 1));
    if (problem->bands) BT_TRY(bt_agree(problem->comm, split_bands(problem, refit, &parts)));
    const bool taken = parts.x_train || parts.kernel;
    const double *const apply = problem->away ? design->x : design->x_test;
    const bt_ridge_problem all = {.train = taken ? parts.x_train : design->x,
                                  .apply = taken || problem->bands ? parts.x_apply : apply,
                                  .train_rows = taken ? NULL : refit->train,
                                  .apply_rows = taken || problem->bands ? NULL : refit->held,
                                  .kernel = taken ? parts.kernel : design->kernel,
                                  .cross = parts.cross,
                                  .n_train = refit->n_row,
                                  .n_apply = refit->n_test,
                                  .n_feature = design->n_feature,
                                  .n_rank = problem->n_rank,
                                  .precision = problem->plan->precision,
                                  .weights = weights,
                                  .most_voxel = problem->block};
    const bool solves =
        bt_refit_takes_hats(problem->plan, &all, (size_t)most) && bt_hats_can_solve(problem->comm, problem->plan, &all);
    status = solves ? bt_hats_solve(problem->comm, problem->device, problem->plan, &all, &refit->n_solved, &refit->hats)
                    : make_from_factor(problem, &all, (size_t)most, refit);
    bt_parts_clear(&parts);
    BT_TRY(bt_agree(problem->comm, status));
    *out = refit;
    refit = NULL;
cleanup:
    bt_parts_clear(&parts);
    bt_refit_destroy(&refit);
    return status;
}

/* order (n_voxel): voxels by their alpha; start (n_alpha + 1). */
static void group(const size_t *choice, size_t n_voxel, size_t n_alpha, size_t *order, size_t *start)
{
    memset(start, 0, (n_alpha + 1) * sizeof *start);
    for (size_t v = 0; v < n_voxel; ++v) ++start[choice[v] + 1];
    for (size_t a = 0; a < n_alpha; ++a) start[a + 1] += start[a];
    for (size_t v = 0; v < n_voxel; ++v) order[start[choice[v]]++] = v;
    for (size_t a = n_alpha; a > 0; --a) start[a] = start[a - 1];
    start[0] = 0;
}

/* predicted (n_test, n_voxel), columns in `order`. */
static bt_status apply_hats(const bt_refit *refit, bt_matrix y, const size_t *start, bt_matrix predicted)
{
    bt_status status = BT_OK;
    for (size_t a = 0; a < refit->plan->n_alpha; ++a) {
        const size_t n = start[a + 1] - start[a];
        bt_matrix hat = bt_matrix_of(refit->hats, refit->n_test, refit->n_row);
        hat.offset = a * refit->n_test * refit->n_row;
        if (n > 0)
            BT_TRY(bt_product(refit->device, BT_PLAIN, BT_PLAIN, 1, hat,
                              bt_matrix_part(y, 0, start[a], refit->n_row, n), 0,
                              bt_matrix_part(predicted, 0, start[a], refit->n_test, n)));
    }
cleanup:
    return status;
}

static bt_status predict_by_hats(const bt_refit *refit, bt_block *block, const float *y, size_t n_voxel,
                                 const size_t *choice, double *prediction)
{
    bt_status status = BT_OK;
    size_t *order = NULL, *start = NULL;
    double *sorted = NULL;
    bt_matrix grouped = {0}, predicted = {0}, wide = {0};
    const bt_dtype type = refit->plan->precision;
    const bt_row_list rows = {refit->n_row, refit->train};
    BT_ALLOC(order, n_voxel);
    BT_ALLOC(start, refit->plan->n_alpha + 1);
    BT_ALLOC(sorted, refit->n_test * n_voxel);
    group(choice, n_voxel, refit->plan->n_alpha, order, start);
    BT_TRY(bt_block_send(block, BT_PART_RESPONSE, type, y, n_voxel, rows, order, &grouped));
    BT_TRY(bt_block_take(block, BT_PART_PREDICTED, type, refit->n_test, n_voxel, &predicted));
    BT_TRY(apply_hats(refit, grouped, start, predicted));
    wide = predicted;
    if (type == BT_F32) {
        BT_TRY(bt_block_take(block, BT_PART_PREDICTED, BT_F64, refit->n_test, n_voxel, &wide));
        BT_TRY(bt_convert(refit->device, predicted, wide));
    }
    BT_TRY(bt_buffer_read(wide.buffer, 0, sorted, refit->n_test * n_voxel));
    for (size_t i = 0; i < refit->n_test; ++i)
        for (size_t v = 0; v < n_voxel; ++v) prediction[i * n_voxel + order[v]] = sorted[i * n_voxel + v];
cleanup:
    bt_free(order);
    bt_free(start);
    bt_free(sorted);
    return status;
}

bt_status bt_refit_predict(const bt_refit *refit, bt_block *block, const float *y, size_t n_voxel, const size_t *choice,
                           const double *penalty, double *prediction)
{
    bt_status status = BT_OK;
    if (refit->hats) return predict_by_hats(refit, block, y, n_voxel, choice, prediction);
    if (refit->train) bt_take_rows(y, n_voxel, (bt_row_list){refit->n_row, refit->train}, refit->y_train);
    BT_TRY(bt_ridge_rotate(refit->ridge, refit->train ? refit->y_train : y, n_voxel));
    BT_TRY(bt_ridge_predict_each(refit->ridge, penalty, prediction));
cleanup:
    return status;
}

bt_status bt_refit_weights(const bt_refit *refit, const double *penalty, float *weights, size_t stride)
{
    return bt_ridge_weights(refit->ridge, penalty, weights, stride);
}

static bt_ridge_problem ridge_of(const bt_encode_plan *plan, const bt_refit_sizes *s)
{
    return (bt_ridge_problem){.n_train = s->n_row,
                              .n_apply = s->n_test,
                              .n_feature = s->n_feature,
                              .n_rank = s->n_rank,
                              .precision = plan->precision,
                              .weights = s->weights,
                              .most_voxel = s->block};
}

double bt_refit_bytes(const bt_encode_plan *plan, const bt_refit_sizes *s)
{
    const bt_ridge_problem ridge = ridge_of(plan, s);
    const double hats = (double)bt_dtype_size(plan->precision) * (double)(plan->n_alpha * s->n_test) * (double)s->n_row;
    const double y_train = s->part ? 4.0 * (double)s->n_row * (double)s->block : 0;
    /* A factor has it its own way where penalties are too small to be solved for. */
    const bool few = bt_hats_most_solved(plan) < plan->n_alpha, takes = bt_refit_takes_hats(plan, &ridge, s->n_voxel);
    const double rotated = takes && !few ? 0 : bt_ridge_bytes(&ridge);
    return y_train + fmax(takes ? hats : 0, rotated);
}

double bt_refit_making_bytes(const bt_encode_plan *plan, const bt_refit_sizes *s)
{
    const bt_ridge_problem ridge = ridge_of(plan, s);
    const size_t n_rank = s->n_rank ? s->n_rank : 1, columns = s->n_row + s->n_test + (s->weights ? s->n_feature : 0);
    const size_t rank = most_rank(&ridge);
    const double factor = bt_components_bytes(rank, n_rank, columns, BT_F64);
    const bool has_hats = bt_refit_takes_hats(plan, &ridge, s->n_voxel);
    const double later =
        factor + bt_refit_bytes(plan, s) + (has_hats ? bt_hats_of_factor_bytes(plan, &ridge, rank) : 0);
    const double solved = has_hats ? bt_hats_solve_bytes(plan, &ridge) : 0;
    const double rows = (double)(s->n_row + s->n_test);
    const bool kernels = s->has_kernel && !s->split, taken = s->part && (n_rank == 1 || s->split);
    const double parts = (taken ? 8 * rows * (double)(kernels ? s->n_row : s->n_feature) : 0) +
                         (s->split ? 8 * (double)s->n_test * (double)s->n_feature : 0);
    return fmax(parts + fmax(bt_factor_bytes(&ridge), solved), later);
}
