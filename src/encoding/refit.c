#include "encoding/refit.h"

#include "base/fault.h"
#include "base/memory.h"
#include "device/spectral.h"
#include "encoding/dealt.h"
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
    /* while it is made: */
    bt_parts parts;
    bt_ridge_problem all; /* of them, or of the design */
    bt_hats *making;
};

void bt_refit_destroy(bt_refit **refit)
{
    bt_refit *const old = *refit;
    if (!old) return;
    bt_free(old->train);
    bt_free(old->held);
    bt_free(old->y_train);
    bt_buffer_destroy(&old->hats);
    bt_parts_clear(&old->parts);
    bt_hats_destroy(&old->making);
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

bool bt_refit_can_wait(const bt_encode_plan *plan, const bt_ridge_problem *problem, size_t n_voxel)
{
    return plan->n_alpha * problem->n_apply <= 2 * most_rank(problem) && bt_refit_takes_hats(plan, problem, n_voxel);
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
cleanup:
    return status;
}

/* A refit that knows its rows. One rank. */
static bt_status begin(const bt_search_problem *problem, bool weights, bt_refit **out)
{
    bt_status status = BT_OK;
    bt_refit *const refit = bt_calloc(1, sizeof *refit);
    *out = refit;
    if (!refit) return BT_ERR_MEMORY;
    *refit = (bt_refit){.plan = problem->plan,
                        .device = problem->device,
                        .n_row = problem->design->n_row,
                        .n_test = problem->design->n_test};
    if (problem->away) BT_TRY(sort_rows(problem, refit));
    if (problem->bands) refit->n_test *= problem->bands->n_band;
    refit->all = (bt_ridge_problem){.n_train = refit->n_row,
                                    .n_apply = refit->n_test,
                                    .n_feature = problem->design->n_feature,
                                    .n_rank = problem->n_rank,
                                    .precision = problem->plan->precision,
                                    .weights = weights,
                                    .most_voxel = problem->block};
cleanup:
    return status;
}

/* Rows to predict become those of each band. */
static bt_status split_bands(const bt_search_problem *problem, bt_refit *refit)
{
    bt_status status = BT_OK;
    double *split = NULL;
    bt_parts *const parts = &refit->parts;
    const double *const apply = problem->away ? parts->x_apply : problem->design->x_test;
    BT_ALLOC(split, refit->n_test * problem->design->n_feature);
    bt_bands_split(problem->bands, apply, refit->n_test / problem->bands->n_band, split);
    bt_free(parts->x_apply);
    parts->x_apply = split;
cleanup:
    return status;
}

/* The matrices of what it fits: those of the design, and parts. One rank. */
static bt_status take(const bt_search_problem *problem, bt_refit *refit)
{
    bt_status status = BT_OK;
    const bt_fit_design *const design = problem->design;
    bt_parts *const parts = &refit->parts;
    bt_ridge_problem *const all = &refit->all;
    const size_t n_band = problem->bands ? problem->bands->n_band : 1;
    /* a spread factor takes its rows from the design */
    const bool taken = problem->away && (problem->n_rank == 1 || problem->bands), split = taken || problem->bands;
    if (taken)
        BT_TRY(bt_parts_take(design, (bt_row_list){refit->n_row, refit->train},
                             (bt_row_list){refit->n_test / n_band, refit->held},
                             !problem->bands && bt_ridge_takes_dual(refit->n_row, design->n_feature), parts));
    if (problem->bands) BT_TRY(split_bands(problem, refit));
    all->train = taken ? parts->x_train : design->x;
    all->apply = split ? parts->x_apply : problem->away ? design->x : design->x_test;
    all->train_rows = taken ? NULL : refit->train;
    all->apply_rows = split ? NULL : refit->held;
    all->kernel = taken ? parts->kernel : design->kernel;
    all->cross = parts->cross;
cleanup:
    return status;
}

/* Begun, with its matrices, and the most voxels of any rank. Collective. */
static bt_status prepare(const bt_search_problem *problem, bool weights, size_t *n_voxel, bt_refit **out)
{
    bt_status status = BT_OK;
    double most = (double)*n_voxel;
    status = begin(problem, weights, out);
    BT_TRY(bt_agree(problem->comm, status == BT_OK ? take(problem, *out) : status));
    BT_TRY(bt_comm_max_f64(problem->comm, &most, 1)); /* the same way on all ranks */
    *n_voxel = (size_t)most;
cleanup:
    return status;
}

static bool solves(const bt_search_problem *problem, const bt_refit *refit, size_t n_voxel)
{
    return bt_refit_takes_hats(problem->plan, &refit->all, n_voxel) &&
           bt_hats_can_solve(problem->comm, problem->plan, &refit->all);
}

bt_status bt_refit_begin(const bt_search_problem *problem, size_t n_voxel, bt_refit **out)
{
    bt_status status = BT_OK;
    bt_refit *refit = NULL;
    *out = NULL;
    BT_TRY(prepare(problem, false, &n_voxel, &refit));
    const bool waits = bt_refit_can_wait(problem->plan, &refit->all, n_voxel) &&
                       bt_hats_can_solve(problem->comm, problem->plan, &refit->all);
    bt_parts_clear(&refit->parts); /* which that looks at */
    if (!waits) goto cleanup;
    *out = refit;
    refit = NULL;
cleanup:
    bt_refit_destroy(&refit);
    return status;
}

bt_status bt_refit_reduce(const bt_search_problem *problem, bt_refit *refit)
{
    bt_status status = BT_OK;
    BT_TRY(bt_fault_point("encode.reduce"));
    BT_TRY(take(problem, refit));
    BT_TRY(bt_hats_reduce(problem->device, problem->plan, &refit->all, &refit->making));
cleanup:
    return status;
}

bt_status bt_refit_finish(const bt_search_problem *problem, size_t owner, bt_refit *refit)
{
    bt_status status = BT_OK;
    BT_TRY(bt_agree(problem->comm, refit->making ? BT_OK : take(problem, refit)));
    BT_TRY(bt_hats_finish(problem->comm, owner, problem->device, problem->plan, &refit->all, &refit->making,
                          &refit->n_solved, &refit->hats));
    bt_parts_clear(&refit->parts);
cleanup:
    return status;
}

/* Collective. */
static bt_status make_from_factor(const bt_search_problem *problem, size_t n_voxel, bt_refit *refit)
{
    bt_status status = BT_OK;
    bt_factor factor = {0};
    BT_TRY(bt_factor_create(problem->comm, problem->device, &refit->all, &factor));
    if (factor.map.rank > 0 &&
        takes_hats_at(problem->plan, &refit->all, problem->plan->n_alpha, factor.map.rank, n_voxel))
        status = bt_hats_of_factor(problem->device, problem->plan, &factor, &refit->all, &refit->hats);
    else
        status = bt_ridge_create_from(problem->device, &refit->all, &factor, &refit->ridge);
cleanup:
    bt_factor_clear(&factor);
    return status;
}

/* Collective. */
static bt_status make(const bt_search_problem *problem, size_t n_voxel, bool weights, bt_refit **out)
{
    bt_status status = BT_OK;
    BT_TRY(prepare(problem, weights, &n_voxel, out));
    bt_refit *const refit = *out;
    status = solves(problem, refit, n_voxel) ? bt_hats_solve(problem->comm, problem->device, problem->plan, &refit->all,
                                                             &refit->n_solved, &refit->hats)
                                             : make_from_factor(problem, n_voxel, refit);
    bt_parts_clear(&refit->parts);
cleanup:
    return status;
}

bt_status bt_refit_create(const bt_search_problem *problem, size_t n_voxel, bool weights, bt_refit **out)
{
    bt_status status = BT_OK;
    bt_refit *refit = NULL;
    *out = NULL;
    BT_TRY(bt_agree(problem->comm, bt_fault_point("encode.refit")));
    if (problem->dealt)
        refit = bt_dealt_refit(problem->dealt);
    else
        status = make(problem, n_voxel, weights, &refit);
    if (status == BT_OK && refit->train && !(refit->y_train = bt_calloc(refit->n_row * problem->block, sizeof(float))))
        status = BT_ERR_MEMORY;
    BT_TRY(bt_agree(problem->comm, status));
    *out = refit;
    refit = NULL;
cleanup:
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

static double hats_bytes(const bt_encode_plan *plan, const bt_refit_sizes *s)
{
    return (double)bt_dtype_size(plan->precision) * (double)(plan->n_alpha * s->n_test) * (double)s->n_row;
}

double bt_refit_waiting_bytes(const bt_encode_plan *plan, const bt_refit_sizes *s)
{
    const bt_ridge_problem ridge = ridge_of(plan, s);
    return bt_refit_can_wait(plan, &ridge, s->n_voxel) ? hats_bytes(plan, s) : 0;
}

double bt_refit_bytes(const bt_encode_plan *plan, const bt_refit_sizes *s)
{
    const bt_ridge_problem ridge = ridge_of(plan, s);
    const bool takes = bt_refit_takes_hats(plan, &ridge, s->n_voxel);
    const double y_train = s->part ? 4.0 * (double)s->n_row * (double)s->block : 0;
    /* A factor has it its own way where penalties are too small to be solved for. */
    const bool few = bt_hats_most_solved(plan) < plan->n_alpha;
    const double rotated = takes && !few ? 0 : bt_ridge_bytes(&ridge);
    return y_train + fmax(takes ? hats_bytes(plan, s) : 0, rotated);
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
