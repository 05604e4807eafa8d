#include "encoding/hats.h"

#include "base/memory.h"
#include "device/shifted.h"
#include "device/spectral.h"
#include "dist/dense.h"
#include "dist/partition.h"
#include "encoding/poles.h"

#include <math.h>

/* Host float64 on the device, in `type`, to be read only. */
static bt_status upload(bt_device *device, bt_dtype type, const double *host, size_t rows, size_t columns,
                        bt_buffer **out)
{
    bt_status status = BT_OK;
    bt_buffer *wide = NULL;
    BT_TRY(bt_buffer_over(device, BT_F64, host, rows * columns, &wide));
    if (type == BT_F64) {
        *out = wide;
        wide = NULL;
        goto cleanup;
    }
    BT_TRY(bt_buffer_create(device, type, rows * columns, out));
    BT_TRY(bt_convert(device, bt_matrix_of(wide, rows, columns), bt_matrix_of(*out, rows, columns)));
cleanup:
    bt_buffer_destroy(&wide);
    return status;
}

/* ---- from a factor ---- */

/* rows (n_alpha n_test, r) = P diag(s / (s^2 + A)), one alpha below the other. */
static void stack(const bt_factor *factor, const bt_encode_plan *plan, size_t n_test, double *rows)
{
    const size_t r = factor->map.rank;
    for (size_t a = 0; a < plan->n_alpha; ++a)
        for (size_t i = 0; i < n_test; ++i)
            for (size_t k = 0; k < r; ++k) {
                const double s = factor->singular[k];
                *rows++ = factor->apply[k * n_test + i] * s / (s * s + plan->penalty[a]);
            }
}

bt_status bt_hats_of_factor(bt_device *device, const bt_encode_plan *plan, const bt_factor *factor,
                            const bt_ridge_problem *problem, bt_buffer **out)
{
    bt_status status = BT_OK;
    double *rows = NULL;
    bt_buffer *left = NULL, *stacked = NULL;
    const bt_dtype type = plan->precision;
    const size_t r = factor->map.rank, n = problem->n_train, n_hat = plan->n_alpha * problem->n_apply;
    BT_ALLOC(rows, n_hat * r);
    stack(factor, plan, problem->n_apply, rows);
    BT_TRY(upload(device, type, rows, n_hat, r, &stacked));
    BT_TRY(upload(device, type, factor->left, r, n, &left));
    BT_TRY(bt_buffer_create(device, type, n_hat * n, out));
    BT_TRY(bt_product(device, BT_PLAIN, BT_PLAIN, 1, bt_matrix_of(stacked, n_hat, r), bt_matrix_of(left, r, n), 0,
                      bt_matrix_of(*out, n_hat, n)));
cleanup:
    bt_free(rows);
    bt_buffer_destroy(&left);
    bt_buffer_destroy(&stacked);
    return status;
}

double bt_hats_of_factor_bytes(const bt_encode_plan *plan, const bt_ridge_problem *problem, size_t rank)
{
    const double n_hat = (double)(plan->n_alpha * problem->n_apply), r = (double)rank, n = (double)problem->n_train;
    return n_hat * n * (double)bt_dtype_size(plan->precision) + 16 * n_hat * r + 12 * r * n;
}

/* ---- solved ---- */

static double least_penalty(const bt_encode_plan *plan)
{
    double least = INFINITY;
    for (size_t a = 0; a < plan->n_alpha; ++a) least = fmin(least, plan->penalty[a]);
    return least;
}

/* Of the Gram matrix: at least its largest eigenvalue. */
static double trace_of(const bt_ridge_problem *p)
{
    double trace = 0;
    for (size_t i = 0; p->kernel && i < p->n_train; ++i) trace += p->kernel[i * p->n_train + i];
    for (size_t i = 0; !p->kernel && i < p->n_train * p->n_feature; ++i) trace += p->train[i] * p->train[i];
    return trace;
}

bool bt_hats_can_solve(const bt_comm *comm, const bt_encode_plan *plan, const bt_ridge_problem *problem)
{
    static const double share = 1e-8; /* rounding, some 50 eps of the trace, then stays below 1e-6 of the result */
    return problem->n_rank <= 1 && bt_comm_size(comm) <= BT_HATS_RANKS &&
           least_penalty(plan) >= share * trace_of(problem);
}

size_t bt_hats_most_solved(const bt_encode_plan *plan)
{
    return plan->precision == BT_F32 ? bt_poles_most(plan->penalty, plan->n_alpha) : plan->n_alpha;
}

typedef struct {
    const bt_comm *comm;
    bt_device *device;
    const bt_encode_plan *plan;
    const bt_ridge_problem *problem;
    bool dual;
    size_t order;
    double *gram;            /* (order, order) of rows, or of features */
    bt_buffer *system;       /* over it; lost where it is solved */
    bt_buffer *train;        /* rows of features, where these are needed */
    bt_buffer *right;        /* (n_apply, order) X_apply X', or X_apply */
    bt_buffer *solved, *hat; /* of the primal form */
    bt_poles poles;
    double *penalty; /* (poles.n) */
    bt_range mine;   /* of the poles */
} solver;

static void drop_systems(solver *s)
{
    bt_buffer_destroy(&s->system);
    bt_free(s->gram);
    s->gram = NULL;
    bt_buffer_destroy(&s->train);
    bt_buffer_destroy(&s->right);
    bt_buffer_destroy(&s->solved);
    bt_buffer_destroy(&s->hat);
}

static void clear_solver(solver *s)
{
    drop_systems(s);
    bt_poles_clear(&s->poles);
    bt_free(s->penalty);
}

static bt_status upload_rows(solver *s)
{
    const bt_ridge_problem *const p = s->problem;
    if (s->dual && p->kernel && p->cross) return BT_OK;
    return upload(s->device, BT_F64, p->train, p->n_train, p->n_feature, &s->train);
}

/* Of rows: as it was given, or made here. */
static bt_status take_kernel(solver *s)
{
    bt_status status = BT_OK;
    const bt_ridge_problem *const p = s->problem;
    const size_t n = s->order;
    if (p->kernel) return bt_buffer_write(s->system, 0, p->kernel, n * n);
    BT_TRY(bt_product_gram(s->device, BT_PLAIN, bt_matrix_of(s->train, n, p->n_feature), 0,
                           bt_matrix_of(s->system, n, n)));
    BT_TRY(bt_buffer_read(s->system, 0, s->gram, n * n));
cleanup:
    return status;
}

static bt_status take_right(solver *s)
{
    bt_status status = BT_OK;
    const bt_ridge_problem *const p = s->problem;
    const size_t m = p->n_apply, n = s->order;
    bt_buffer *apply = NULL;
    BT_TRY(bt_buffer_create(s->device, BT_F64, m * n, &s->right));
    if (!s->dual || p->cross) return bt_buffer_write(s->right, 0, s->dual ? p->cross : p->apply, m * n);
    BT_TRY(upload(s->device, BT_F64, p->apply, m, p->n_feature, &apply));
    BT_TRY(bt_product(s->device, BT_PLAIN, BT_TRANSPOSED, 1, bt_matrix_of(apply, m, p->n_feature),
                      bt_matrix_of(s->train, n, p->n_feature), 0, bt_matrix_of(s->right, m, n)));
cleanup:
    bt_buffer_destroy(&apply);
    return status;
}

/* Gram matrix and right sides. Collective. */
static bt_status take_systems(solver *s)
{
    bt_status status = BT_OK;
    const bt_ridge_problem *const p = s->problem;
    const size_t n = s->order * s->order;
    s->gram = bt_calloc(n, sizeof *s->gram);
    status = s->gram ? bt_buffer_over(s->device, BT_F64, s->gram, n, &s->system) : BT_ERR_MEMORY;
    BT_TRY(bt_agree(s->comm, status == BT_OK ? upload_rows(s) : status));
    if (!s->dual) BT_TRY(bt_dense_gram(s->comm, s->device, p->train, p->n_train, p->n_feature, 0, s->gram));
    if (!s->dual) status = bt_buffer_write(s->system, 0, s->gram, n);
    if (s->dual) status = take_kernel(s);
    BT_TRY(bt_agree(s->comm, status == BT_OK ? take_right(s) : status));
cleanup:
    return status;
}

/* The same on all ranks. Collective. */
static bt_status choose_poles(solver *s)
{
    bt_status status = BT_OK;
    const bt_encode_plan *const plan = s->plan;
    bt_sizes sizes = {0};
    const bool all = bt_hats_most_solved(plan) == plan->n_alpha;
    if (!all) sizes = bt_sizes_of_gram(s->gram, s->order);
    if (!all) BT_TRY(bt_comm_broadcast(s->comm, 0, &sizes, sizeof sizes));
    status = bt_poles_choose(plan->penalty, plan->n_alpha, bt_hats_most_solved(plan), sizes, &s->poles);
    if (status == BT_OK && !(s->penalty = bt_calloc(s->poles.n, sizeof *s->penalty))) status = BT_ERR_MEMORY;
    BT_TRY(bt_agree(s->comm, status));
    for (size_t j = 0; j < s->poles.n; ++j) s->penalty[j] = plan->penalty[s->poles.index[j]];
    s->mine = bt_partition((size_t)bt_comm_rank(s->comm), (size_t)bt_comm_size(s->comm), s->poles.n);
cleanup:
    return status;
}

/* This rank's rows of the poles' hats (poles.n n_apply, n_train). In the primal form X_apply (X'X + A)^-1, and that
 * times X' in float64: its terms are larger than the hat matrix where A is small. */
static bt_status solve(solver *s, bt_matrix hats)
{
    bt_status status = BT_OK;
    const size_t n = s->problem->n_train, m = s->problem->n_apply, order = s->order,
                 n_mine = s->mine.high - s->mine.low;
    const bt_matrix mine = bt_matrix_part(hats, s->mine.low * m, 0, n_mine * m, n);
    bt_matrix solved = mine;
    if (!s->dual) {
        BT_TRY(bt_buffer_create(s->device, BT_F64, n_mine * m * order, &s->solved));
        BT_TRY(bt_buffer_create(s->device, BT_F64, m * n, &s->hat));
        solved = bt_matrix_of(s->solved, n_mine * m, order);
    }
    BT_TRY(bt_solve_shifted(s->device, bt_matrix_of(s->system, order, order), s->penalty + s->mine.low, n_mine,
                            bt_matrix_of(s->right, m, order), solved));
    for (size_t a = 0; !s->dual && a < n_mine; ++a) {
        BT_TRY(bt_product(s->device, BT_PLAIN, BT_TRANSPOSED, 1, bt_matrix_part(solved, a * m, 0, m, order),
                          bt_matrix_of(s->train, n, order), 0, bt_matrix_of(s->hat, m, n)));
        BT_TRY(bt_convert(s->device, bt_matrix_of(s->hat, m, n), bt_matrix_part(mine, a * m, 0, m, n)));
    }
cleanup:
    return status;
}

enum { PIECE = 1 << 22 }; /* elements that are sent at once, unless a row has more */

/* Every rank's rows of the poles' hats to all. Collective. */
static bt_status exchange(const solver *s, bt_matrix hats)
{
    bt_status status = BT_OK;
    const size_t size = (size_t)bt_comm_size(s->comm), n = hats.columns, element = bt_dtype_size(s->plan->precision);
    const size_t at_once = n < PIECE ? PIECE / n : 1, most = at_once < hats.rows ? at_once : hats.rows;
    void *rows = NULL;
    if (size == 1) return BT_OK;
    rows = bt_calloc(most * n, element);
    BT_TRY(bt_agree(s->comm, rows ? BT_OK : BT_ERR_MEMORY));
    for (size_t owner = 0; owner < size; ++owner) {
        const bt_range range = bt_partition(owner, size, s->poles.n);
        const size_t m = s->problem->n_apply, end = range.high * m;
        for (size_t row = range.low * m; row < end; row += most) {
            const size_t count = (end - row < most ? end - row : most) * n;
            if (owner == (size_t)bt_comm_rank(s->comm)) status = bt_buffer_read(hats.buffer, row * n, rows, count);
            BT_TRY(status);
            BT_TRY(bt_comm_broadcast(s->comm, (int)owner, rows, count * element));
            BT_TRY(bt_buffer_write(hats.buffer, row * n, rows, count));
        }
    }
cleanup:
    bt_free(rows);
    return status;
}

/* Hats of all penalties from those of the poles. */
static bt_status mix(const solver *s, bt_buffer *few, bt_buffer **out)
{
    bt_status status = BT_OK;
    bt_buffer *weight = NULL;
    const size_t n = s->problem->n_apply * s->problem->n_train, n_pole = s->poles.n, n_alpha = s->plan->n_alpha;
    BT_TRY(upload(s->device, s->plan->precision, s->poles.weight, n_alpha, n_pole, &weight));
    BT_TRY(bt_buffer_create(s->device, s->plan->precision, n_alpha * n, out));
    BT_TRY(bt_product(s->device, BT_PLAIN, BT_PLAIN, 1, bt_matrix_of(weight, n_alpha, n_pole),
                      bt_matrix_of(few, n_pole, n), 0, bt_matrix_of(*out, n_alpha, n)));
cleanup:
    bt_buffer_destroy(&weight);
    return status;
}

bt_status bt_hats_solve(const bt_comm *comm, bt_device *device, const bt_encode_plan *plan,
                        const bt_ridge_problem *problem, size_t *n_solved, bt_buffer **out)
{
    bt_status status = BT_OK;
    const size_t n = problem->n_train, m = problem->n_apply;
    bt_buffer *few = NULL;
    solver s = {.comm = comm, .device = device, .plan = plan, .problem = problem};
    s.dual = bt_ridge_takes_dual(n, problem->n_feature);
    s.order = s.dual ? n : problem->n_feature;
    *out = NULL;
    BT_TRY(take_systems(&s));
    BT_TRY(choose_poles(&s));
    *n_solved = s.poles.n;
    BT_TRY(bt_agree(comm, bt_buffer_create(device, plan->precision, s.poles.n * m * n, &few)));
    const bt_matrix hats = bt_matrix_of(few, s.poles.n * m, n);
    BT_TRY(bt_agree(comm, solve(&s, hats)));
    drop_systems(&s);
    BT_TRY(exchange(&s, hats));
    if (s.poles.weight) {
        BT_TRY(bt_agree(comm, mix(&s, few, out)));
    } else {
        *out = few;
        few = NULL;
    }
cleanup:
    clear_solver(&s);
    bt_buffer_destroy(&few);
    return status;
}

double bt_hats_solve_bytes(const bt_encode_plan *plan, const bt_ridge_problem *problem)
{
    const double n = (double)problem->n_train, m = (double)problem->n_apply, p = (double)problem->n_feature;
    const size_t n_solved = bt_hats_most_solved(plan);
    const double few = m * (double)n_solved, element = (double)bt_dtype_size(plan->precision), hats = few * n * element;
    const double all = n_solved < plan->n_alpha ? m * (double)plan->n_alpha * n * element : 0;
    const bool dual = bt_ridge_takes_dual(problem->n_train, problem->n_feature);
    const double solving =
        bt_solve_shifted_bytes(dual ? problem->n_train : problem->n_feature, problem->n_apply, n_solved);
    const double sent = 8 * fmin(fmax(PIECE, n), few * n);
    const double systems = dual ? n * n + m * n : m * p + 2 * p * p + few * p + m * n;
    return hats + fmax(sent + 8 * systems + solving, all);
}
