#include "encoding/hats.h"

#include "base/memory.h"
#include "device/shifted.h"
#include "device/spectral.h"
#include "dist/dense.h"
#include "dist/partition.h"

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

typedef struct {
    bt_buffer *train, *apply; /* rows of features, where these are needed */
    bt_buffer *gram, *cross;
    double *host_gram;       /* where gram lies over it */
    bt_buffer *solved, *hat; /* of the primal form */
} room;

static void clear_room(room *own)
{
    bt_buffer_destroy(&own->train);
    bt_buffer_destroy(&own->apply);
    bt_buffer_destroy(&own->gram);
    bt_free(own->host_gram);
    own->host_gram = NULL;
    bt_buffer_destroy(&own->cross);
    bt_buffer_destroy(&own->solved);
    bt_buffer_destroy(&own->hat);
}

static bt_status upload_rows(bt_device *device, const bt_ridge_problem *p, room *to)
{
    bt_status status = BT_OK;
    const size_t n = p->n_apply * p->n_feature;
    BT_TRY(upload(device, BT_F64, p->train, p->n_train, p->n_feature, &to->train));
    BT_TRY(bt_buffer_create(device, BT_F64, n, &to->apply)); /* will be overwritten */
    BT_TRY(bt_buffer_write(to->apply, 0, p->apply, n));
cleanup:
    return status;
}

static bt_status take_kernels(bt_device *device, const bt_ridge_problem *p, room *to)
{
    bt_status status = BT_OK;
    const size_t n = p->n_train, m = p->n_apply;
    if (!p->kernel || !p->cross) BT_TRY(upload_rows(device, p, to));
    const bt_matrix train = bt_matrix_of(to->train, n, p->n_feature), apply = bt_matrix_of(to->apply, m, p->n_feature);
    BT_TRY(bt_buffer_create(device, BT_F64, n * n, &to->gram));
    BT_TRY(bt_buffer_create(device, BT_F64, m * n, &to->cross));
    BT_TRY(p->kernel ? bt_buffer_write(to->gram, 0, p->kernel, n * n)
                     : bt_product_gram(device, BT_PLAIN, train, 0, bt_matrix_of(to->gram, n, n)));
    BT_TRY(p->cross ? bt_buffer_write(to->cross, 0, p->cross, m * n)
                    : bt_product(device, BT_PLAIN, BT_TRANSPOSED, 1, apply, train, 0, bt_matrix_of(to->cross, m, n)));
cleanup:
    return status;
}

/* The penalties of this rank, and its rows of the hat matrices. */
typedef struct {
    const bt_comm *comm;
    bt_device *device;
    const double *penalty;
    size_t n_penalty;
    bt_matrix hats; /* (n_penalty n_apply, n_train) */
} share;

static bt_status solve_dual(const share *mine, const bt_ridge_problem *p, room *own)
{
    bt_status status = BT_OK;
    BT_TRY(take_kernels(mine->device, p, own));
    bt_buffer_destroy(&own->train);
    bt_buffer_destroy(&own->apply);
    BT_TRY(bt_solve_shifted(mine->device, bt_matrix_of(own->gram, p->n_train, p->n_train), mine->penalty,
                            mine->n_penalty, bt_matrix_of(own->cross, p->n_apply, p->n_train), mine->hats));
cleanup:
    return status;
}

/* X'X. Collective. */
static bt_status share_gram(const share *mine, const bt_ridge_problem *p, room *own)
{
    bt_status status = BT_OK;
    const size_t n = p->n_feature * p->n_feature;
    own->host_gram = bt_calloc(n, sizeof *own->host_gram);
    BT_TRY(bt_agree(mine->comm, own->host_gram ? BT_OK : BT_ERR_MEMORY));
    BT_TRY(bt_dense_gram(mine->comm, mine->device, p->train, p->n_train, p->n_feature, 0, own->host_gram));
    BT_TRY(bt_agree(mine->comm, bt_buffer_over(mine->device, BT_F64, own->host_gram, n, &own->gram)));
cleanup:
    return status;
}

/* X_apply (X'X + A)^-1, and that times X' in float64: its terms are larger than the hat matrix where A is small. */
static bt_status solve_primal(const share *mine, const bt_ridge_problem *p, room *own)
{
    bt_status status = BT_OK;
    const size_t n = p->n_train, m = p->n_apply, width = p->n_feature;
    BT_TRY(upload_rows(mine->device, p, own));
    BT_TRY(bt_buffer_create(mine->device, BT_F64, mine->n_penalty * m * width, &own->solved));
    BT_TRY(bt_buffer_create(mine->device, BT_F64, m * n, &own->hat));
    const bt_matrix solved = bt_matrix_of(own->solved, mine->n_penalty * m, width), hat = bt_matrix_of(own->hat, m, n);
    BT_TRY(bt_solve_shifted(mine->device, bt_matrix_of(own->gram, width, width), mine->penalty, mine->n_penalty,
                            bt_matrix_of(own->apply, m, width), solved));
    for (size_t a = 0; a < mine->n_penalty; ++a) {
        BT_TRY(bt_product(mine->device, BT_PLAIN, BT_TRANSPOSED, 1, bt_matrix_part(solved, a * m, 0, m, width),
                          bt_matrix_of(own->train, n, width), 0, hat));
        BT_TRY(bt_convert(mine->device, hat, bt_matrix_part(mine->hats, a * m, 0, m, n)));
    }
cleanup:
    return status;
}

enum { PIECE = 1 << 22 }; /* elements that are sent at once, unless a row has more */

/* Every rank's rows (n_hat of them, of n_alpha alphas) to all. Collective. */
static bt_status exchange(const bt_comm *comm, const bt_encode_plan *plan, size_t n_apply, bt_matrix hats)
{
    bt_status status = BT_OK;
    const size_t size = (size_t)bt_comm_size(comm), n = hats.columns, element = bt_dtype_size(plan->precision);
    const size_t at_once = n < PIECE ? PIECE / n : 1, most = at_once < hats.rows ? at_once : hats.rows;
    void *rows = NULL;
    if (size == 1) return BT_OK;
    rows = bt_calloc(most * n, element);
    BT_TRY(bt_agree(comm, rows ? BT_OK : BT_ERR_MEMORY));
    for (size_t owner = 0; owner < size; ++owner) {
        const bt_range range = bt_partition(owner, size, plan->n_alpha);
        for (size_t row = range.low * n_apply, end = range.high * n_apply; row < end; row += most) {
            const size_t count = (end - row < most ? end - row : most) * n;
            if (owner == (size_t)bt_comm_rank(comm)) status = bt_buffer_read(hats.buffer, row * n, rows, count);
            BT_TRY(status);
            BT_TRY(bt_comm_broadcast(comm, (int)owner, rows, count * element));
            BT_TRY(bt_buffer_write(hats.buffer, row * n, rows, count));
        }
    }
cleanup:
    bt_free(rows);
    return status;
}

bt_status bt_hats_solve(const bt_comm *comm, bt_device *device, const bt_encode_plan *plan,
                        const bt_ridge_problem *problem, bt_buffer **out)
{
    bt_status status = BT_OK;
    room own = {0};
    const size_t n = problem->n_train, m = problem->n_apply;
    const bt_range range = bt_partition((size_t)bt_comm_rank(comm), (size_t)bt_comm_size(comm), plan->n_alpha);
    const bool dual = bt_ridge_takes_dual(n, problem->n_feature);
    share mine = {.comm = comm, .device = device, .penalty = plan->penalty + range.low};
    mine.n_penalty = range.high - range.low;
    BT_TRY(bt_agree(comm, bt_buffer_create(device, plan->precision, plan->n_alpha * m * n, out)));
    const bt_matrix hats = bt_matrix_of(*out, plan->n_alpha * m, n);
    mine.hats = bt_matrix_part(hats, range.low * m, 0, mine.n_penalty * m, n);
    if (!dual) BT_TRY(share_gram(&mine, problem, &own));
    BT_TRY(bt_agree(comm, dual ? solve_dual(&mine, problem, &own) : solve_primal(&mine, problem, &own)));
    clear_room(&own);
    BT_TRY(exchange(comm, plan, m, hats));
cleanup:
    clear_room(&own);
    return status;
}

double bt_hats_solve_bytes(const bt_encode_plan *plan, const bt_ridge_problem *problem)
{
    const double n = (double)problem->n_train, m = (double)problem->n_apply, p = (double)problem->n_feature;
    const double n_hat = m * (double)plan->n_alpha, hats = n_hat * n * (double)bt_dtype_size(plan->precision);
    const bool dual = bt_ridge_takes_dual(problem->n_train, problem->n_feature);
    const double solving =
        bt_solve_shifted_bytes(dual ? problem->n_train : problem->n_feature, problem->n_apply, plan->n_alpha);
    const double rows = (n + m) * p, sent = 8 * fmin(fmax(PIECE, n), n_hat * n);
    if (dual) return hats + sent + 8 * (n * n + m * n) + fmax(8 * rows, solving);
    return hats + sent + 8 * (rows + 2 * p * p + n_hat * p + m * n) + solving;
}
