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

struct bt_hats {
    const bt_comm *comm; /* of the step at work */
    bt_device *device;
    const bt_encode_plan *plan;
    const bt_ridge_problem *problem; /* of the step at work */
    bool dual;
    size_t order;
    double *gram;      /* (order, order) of rows, or of features; lost where it is reduced, then with: */
    double *tau;       /* (order) */
    bt_buffer *system; /* over gram */
    bt_buffer *scales; /* over tau */
    bt_buffer *train;  /* rows of features, where these are needed */
    bt_buffer *right;  /* (n_apply, order) X_apply X', or X_apply */
    bt_buffer *solved; /* (poles.n n_apply, order), of the primal form */
    bt_buffer *few;    /* (poles.n n_apply, n_train) hats of the poles; in the dual form what is solved before */
    bt_sizes sizes;    /* where few are solved for */
    bt_poles poles;
    double *penalty; /* (poles.n) */
};

static void drop_systems(bt_hats *s)
{
    bt_buffer_destroy(&s->system);
    bt_buffer_destroy(&s->scales);
    bt_free(s->gram);
    bt_free(s->tau);
    s->gram = s->tau = NULL;
    bt_buffer_destroy(&s->train);
    bt_buffer_destroy(&s->right);
    bt_buffer_destroy(&s->solved);
}

void bt_hats_destroy(bt_hats **hats)
{
    bt_hats *const s = *hats;
    if (!s) return;
    drop_systems(s);
    bt_buffer_destroy(&s->few);
    bt_poles_clear(&s->poles);
    bt_free(s->penalty);
    bt_free(s);
    *hats = NULL;
}

/* Room for the system. One rank. */
static bt_status begin(bt_device *device, const bt_encode_plan *plan, const bt_ridge_problem *problem, bt_hats **out)
{
    bt_status status = BT_OK;
    bt_hats *s = bt_calloc(1, sizeof *s);
    *out = s;
    if (!s) return BT_ERR_MEMORY;
    *s = (bt_hats){.device = device, .plan = plan, .problem = problem};
    s->dual = bt_ridge_takes_dual(problem->n_train, problem->n_feature);
    s->order = s->dual ? problem->n_train : problem->n_feature;
    BT_ALLOC(s->gram, s->order * s->order);
    BT_ALLOC(s->tau, s->order);
    BT_TRY(bt_buffer_over(device, BT_F64, s->gram, s->order * s->order, &s->system));
    BT_TRY(bt_buffer_over(device, BT_F64, s->tau, s->order, &s->scales));
cleanup:
    return status;
}

static bt_status upload_rows(bt_hats *s)
{
    const bt_ridge_problem *const p = s->problem;
    if (s->dual && p->kernel && p->cross) return BT_OK;
    return upload(s->device, BT_F64, p->train, p->n_train, p->n_feature, &s->train);
}

/* Of rows: as it was given, or made here. */
static bt_status take_kernel(bt_hats *s)
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

static bt_status take_right(bt_hats *s)
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
static bt_status take_systems(bt_hats *s)
{
    bt_status status = BT_OK;
    const bt_ridge_problem *const p = s->problem;
    BT_TRY(bt_agree(s->comm, upload_rows(s)));
    if (!s->dual) BT_TRY(bt_dense_gram(s->comm, s->device, p->train, p->n_train, p->n_feature, 0, s->gram));
    status = s->dual ? take_kernel(s) : bt_buffer_write(s->system, 0, s->gram, s->order * s->order);
    BT_TRY(bt_agree(s->comm, status == BT_OK ? take_right(s) : status));
    if (bt_hats_most_solved(s->plan) < s->plan->n_alpha) s->sizes = bt_sizes_of_gram(s->gram, s->order);
cleanup:
    return status;
}

/* Of the sizes, and room for what is solved. One rank. */
static bt_status choose_poles(bt_hats *s)
{
    bt_status status = BT_OK;
    const bt_encode_plan *const plan = s->plan;
    const size_t m = s->problem->n_apply;
    BT_TRY(bt_poles_choose(plan->penalty, plan->n_alpha, bt_hats_most_solved(plan), s->sizes, &s->poles));
    BT_ALLOC(s->penalty, s->poles.n);
    for (size_t j = 0; j < s->poles.n; ++j) s->penalty[j] = plan->penalty[s->poles.index[j]];
    BT_TRY(bt_buffer_create(s->device, plan->precision, s->poles.n * m * s->problem->n_train, &s->few));
    if (!s->dual) BT_TRY(bt_buffer_create(s->device, BT_F64, s->poles.n * m * s->order, &s->solved));
cleanup:
    return status;
}

static bt_range poles_of(const bt_hats *s, size_t rank)
{
    return bt_partition(rank, (size_t)bt_comm_size(s->comm), s->poles.n);
}

static bt_range my_poles(const bt_hats *s)
{
    return poles_of(s, (size_t)bt_comm_rank(s->comm));
}

/* Of the poles [range): their rows of the hats, or of what is solved. */
static bt_matrix rows_of(const bt_hats *s, bt_range poles, bool solved)
{
    const size_t m = s->problem->n_apply, n = (poles.high - poles.low) * m;
    const bool apart = solved && !s->dual;
    const size_t columns = apart ? s->order : s->problem->n_train;
    return bt_matrix_part(bt_matrix_of(apart ? s->solved : s->few, s->poles.n * m, columns), poles.low * m, 0, n,
                          columns);
}

/* Of this rank's poles, in the basis of the reduction. */
static bt_status reduce(bt_hats *s)
{
    const bt_range mine = my_poles(s);
    return bt_shifted_reduce(s->device, bt_matrix_of(s->system, s->order, s->order), s->scales, s->penalty + mine.low,
                             mine.high - mine.low, bt_matrix_of(s->right, s->problem->n_apply, s->order),
                             rows_of(s, mine, true));
}

/* Hats of this rank's poles. In the primal form X_apply (X'X + A)^-1, and that times X' in float64: its terms are
 * larger than the hat matrix where A is small. */
static bt_status turn(bt_hats *s)
{
    bt_status status = BT_OK;
    bt_buffer *hat = NULL;
    const size_t n = s->problem->n_train, m = s->problem->n_apply, order = s->order;
    const bt_range mine = my_poles(s);
    BT_TRY(bt_shifted_turn(s->device, bt_matrix_of(s->system, order, order), s->scales, rows_of(s, mine, true)));
    if (s->dual) goto cleanup;
    BT_TRY(bt_buffer_create(s->device, BT_F64, m * n, &hat));
    for (size_t k = mine.low; k < mine.high; ++k) {
        const bt_range pole = {k, k + 1};
        BT_TRY(bt_product(s->device, BT_PLAIN, BT_TRANSPOSED, 1, rows_of(s, pole, true),
                          bt_matrix_of(s->train, n, order), 0, bt_matrix_of(hat, m, n)));
        BT_TRY(bt_convert(s->device, bt_matrix_of(hat, m, n), rows_of(s, pole, false)));
    }
cleanup:
    bt_buffer_destroy(&hat);
    return status;
}

enum { PIECE = 1 << 22 }; /* elements that are sent at once, unless a row has more */

/* Rows of whole width, of `owner` to all. Collective. */
static bt_status send_rows(const bt_comm *comm, size_t owner, bt_matrix rows)
{
    bt_status status = BT_OK;
    const size_t n = rows.columns, element = bt_dtype_size(bt_buffer_type(rows.buffer));
    const size_t at_once = n < PIECE ? PIECE / n : 1, most = at_once < rows.rows ? at_once : rows.rows;
    void *sent = NULL;
    if (bt_comm_size(comm) == 1 || rows.rows == 0) return BT_OK;
    sent = bt_calloc(most * n, element);
    BT_TRY(bt_agree(comm, sent ? BT_OK : BT_ERR_MEMORY));
    for (size_t row = 0; row < rows.rows; row += most) {
        const size_t count = (rows.rows - row < most ? rows.rows - row : most) * n, at = rows.offset + row * n;
        if (owner == (size_t)bt_comm_rank(comm)) status = bt_buffer_read(rows.buffer, at, sent, count);
        BT_TRY(status);
        BT_TRY(bt_comm_broadcast(comm, (int)owner, sent, count * element));
        BT_TRY(bt_buffer_write(rows.buffer, at, sent, count));
    }
cleanup:
    bt_free(sent);
    return status;
}

/* Every rank's hats to all. Collective. */
static bt_status exchange(const bt_hats *s)
{
    bt_status status = BT_OK;
    for (size_t rank = 0; rank < (size_t)bt_comm_size(s->comm); ++rank)
        BT_TRY(send_rows(s->comm, rank, rows_of(s, poles_of(s, rank), false)));
cleanup:
    return status;
}

/* What `owner` has reduced and solved: the reflectors, and everybody's rows. Collective. */
static bt_status share(bt_hats *s, size_t owner)
{
    bt_status status = BT_OK;
    const size_t n = s->order;
    const bool mine = owner == (size_t)bt_comm_rank(s->comm);
    if (mine) BT_TRY(bt_buffer_read(s->system, 0, s->gram, n * n));
    if (mine) BT_TRY(bt_buffer_read(s->scales, 0, s->tau, n));
    BT_TRY(bt_comm_broadcast(s->comm, (int)owner, s->gram, n * n * sizeof *s->gram));
    BT_TRY(bt_comm_broadcast(s->comm, (int)owner, s->tau, n * sizeof *s->tau));
    if (!mine) BT_TRY(bt_buffer_write(s->system, 0, s->gram, n * n));
    if (!mine) BT_TRY(bt_buffer_write(s->scales, 0, s->tau, n));
    for (size_t rank = 0; rank < (size_t)bt_comm_size(s->comm); ++rank)
        if (rank != owner) BT_TRY(send_rows(s->comm, owner, rows_of(s, poles_of(s, rank), true)));
cleanup:
    return status;
}

/* Hats of all penalties from those of the poles. */
static bt_status mix(const bt_hats *s, bt_buffer **out)
{
    bt_status status = BT_OK;
    bt_buffer *weight = NULL;
    const size_t n = s->problem->n_apply * s->problem->n_train, n_pole = s->poles.n, n_alpha = s->plan->n_alpha;
    BT_TRY(upload(s->device, s->plan->precision, s->poles.weight, n_alpha, n_pole, &weight));
    BT_TRY(bt_buffer_create(s->device, s->plan->precision, n_alpha * n, out));
    BT_TRY(bt_product(s->device, BT_PLAIN, BT_PLAIN, 1, bt_matrix_of(weight, n_alpha, n_pole),
                      bt_matrix_of(s->few, n_pole, n), 0, bt_matrix_of(*out, n_alpha, n)));
cleanup:
    bt_buffer_destroy(&weight);
    return status;
}

/* From what is solved of this rank's poles. Collective. */
static bt_status complete(bt_hats *s, size_t *n_solved, bt_buffer **out)
{
    bt_status status = BT_OK;
    BT_TRY(bt_agree(s->comm, turn(s)));
    drop_systems(s);
    BT_TRY(exchange(s));
    *n_solved = s->poles.n;
    if (s->poles.weight) {
        BT_TRY(bt_agree(s->comm, mix(s, out)));
    } else {
        *out = s->few;
        s->few = NULL;
    }
cleanup:
    return status;
}

/* Collective. */
static bt_status solve(bt_hats *s)
{
    bt_status status = BT_OK;
    BT_TRY(take_systems(s));
    BT_TRY(bt_comm_broadcast(s->comm, 0, &s->sizes, sizeof s->sizes)); /* the same poles on all ranks */
    BT_TRY(bt_agree(s->comm, choose_poles(s)));
    BT_TRY(bt_agree(s->comm, reduce(s)));
cleanup:
    return status;
}

bt_status bt_hats_solve(const bt_comm *comm, bt_device *device, const bt_encode_plan *plan,
                        const bt_ridge_problem *problem, size_t *n_solved, bt_buffer **out)
{
    bt_status status = BT_OK;
    bt_hats *s = NULL;
    *out = NULL;
    BT_TRY(bt_agree(comm, begin(device, plan, problem, &s)));
    s->comm = comm;
    BT_TRY(solve(s));
    BT_TRY(complete(s, n_solved, out));
cleanup:
    bt_hats_destroy(&s);
    return status;
}

bt_status bt_hats_reduce(bt_device *device, const bt_encode_plan *plan, const bt_ridge_problem *problem, bt_hats **out)
{
    bt_status status = BT_OK;
    bt_comm *alone = NULL;
    BT_TRY(begin(device, plan, problem, out));
    BT_TRY(bt_comm_create(MPI_COMM_NULL, &alone));
    (*out)->comm = alone;
    BT_TRY(solve(*out));
cleanup:
    bt_comm_destroy(&alone);
    return status;
}

/* For what another rank has reduced. One rank. */
static bt_status join(bt_device *device, const bt_encode_plan *plan, const bt_ridge_problem *problem, bt_hats **out)
{
    bt_status status = BT_OK;
    BT_TRY(begin(device, plan, problem, out));
    if (!(*out)->dual) BT_TRY(upload_rows(*out));
cleanup:
    return status;
}

bt_status bt_hats_finish(const bt_comm *comm, size_t owner, bt_device *device, const bt_encode_plan *plan,
                         const bt_ridge_problem *problem, bt_hats **hats, size_t *n_solved, bt_buffer **out)
{
    bt_status status = BT_OK;
    const bool mine = *hats != NULL;
    *out = NULL;
    BT_TRY(bt_agree(comm, mine ? BT_OK : join(device, plan, problem, hats)));
    (*hats)->comm = comm;
    (*hats)->problem = problem;
    BT_TRY(bt_comm_broadcast(comm, (int)owner, &(*hats)->sizes, sizeof(*hats)->sizes));
    BT_TRY(bt_agree(comm, mine ? BT_OK : choose_poles(*hats)));
    BT_TRY(share(*hats, owner));
    BT_TRY(complete(*hats, n_solved, out));
cleanup:
    bt_hats_destroy(hats);
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
