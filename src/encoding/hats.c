#include "encoding/hats.h"

#include "base/memory.h"
#include "device/shifted.h"
#include "device/spectral.h"

#include <math.h>

/* Host float64 on the device, in `type`. */
static bt_status upload(bt_device *device, bt_dtype type, const double *host, size_t rows, size_t columns,
                        bt_buffer **out)
{
    bt_status status = BT_OK;
    bt_buffer *wide = NULL;
    BT_TRY(bt_buffer_create(device, BT_F64, rows * columns, &wide));
    BT_TRY(bt_buffer_write(wide, 0, host, rows * columns));
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

bool bt_hats_can_solve(const bt_encode_plan *plan, const bt_ridge_problem *problem)
{
    static const double share = 1e-8; /* rounding, some 50 eps of the trace, then stays below 1e-6 of the result */
    return problem->n_rank <= 1 && least_penalty(plan) >= share * trace_of(problem);
}

typedef struct {
    bt_buffer *train, *apply; /* rows of features, where these are needed */
    bt_buffer *gram, *cross;
    bt_buffer *solved, *hat; /* of the primal form */
} room;

static void clear_room(room *own)
{
    bt_buffer_destroy(&own->train);
    bt_buffer_destroy(&own->apply);
    bt_buffer_destroy(&own->gram);
    bt_buffer_destroy(&own->cross);
    bt_buffer_destroy(&own->solved);
    bt_buffer_destroy(&own->hat);
}

static bt_status upload_rows(bt_device *device, const bt_ridge_problem *p, room *to)
{
    const bt_status status = upload(device, BT_F64, p->train, p->n_train, p->n_feature, &to->train);
    return status == BT_OK ? upload(device, BT_F64, p->apply, p->n_apply, p->n_feature, &to->apply) : status;
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

static bt_status solve_dual(bt_device *device, const bt_encode_plan *plan, const bt_ridge_problem *p, room *own,
                            bt_matrix hats)
{
    bt_status status = BT_OK;
    BT_TRY(take_kernels(device, p, own));
    bt_buffer_destroy(&own->train);
    bt_buffer_destroy(&own->apply);
    BT_TRY(bt_solve_shifted(device, bt_matrix_of(own->gram, p->n_train, p->n_train), plan->penalty, plan->n_alpha,
                            bt_matrix_of(own->cross, p->n_apply, p->n_train), hats));
cleanup:
    return status;
}

/* X_apply (X'X + A)^-1, and that times X' in float64: its terms are larger than the hat matrix where A is small. */
static bt_status solve_primal(bt_device *device, const bt_encode_plan *plan, const bt_ridge_problem *p, room *own,
                              bt_matrix hats)
{
    bt_status status = BT_OK;
    const size_t n = p->n_train, m = p->n_apply, width = p->n_feature;
    BT_TRY(upload_rows(device, p, own));
    const bt_matrix train = bt_matrix_of(own->train, n, width);
    BT_TRY(bt_buffer_create(device, BT_F64, width * width, &own->gram));
    BT_TRY(bt_buffer_create(device, BT_F64, plan->n_alpha * m * width, &own->solved));
    BT_TRY(bt_buffer_create(device, BT_F64, m * n, &own->hat));
    const bt_matrix gram = bt_matrix_of(own->gram, width, width), hat = bt_matrix_of(own->hat, m, n);
    const bt_matrix solved = bt_matrix_of(own->solved, plan->n_alpha * m, width);
    BT_TRY(bt_product_gram(device, BT_TRANSPOSED, train, 0, gram));
    BT_TRY(bt_solve_shifted(device, gram, plan->penalty, plan->n_alpha, bt_matrix_of(own->apply, m, width), solved));
    for (size_t a = 0; a < plan->n_alpha; ++a) {
        BT_TRY(
            bt_product(device, BT_PLAIN, BT_TRANSPOSED, 1, bt_matrix_part(solved, a * m, 0, m, width), train, 0, hat));
        BT_TRY(bt_convert(device, hat, bt_matrix_part(hats, a * m, 0, m, n)));
    }
cleanup:
    return status;
}

bt_status bt_hats_solve(bt_device *device, const bt_encode_plan *plan, const bt_ridge_problem *problem, bt_buffer **out)
{
    bt_status status = BT_OK;
    room own = {0};
    const size_t n = problem->n_train, n_hat = plan->n_alpha * problem->n_apply;
    BT_TRY(bt_buffer_create(device, plan->precision, n_hat * n, out));
    if (bt_ridge_takes_dual(n, problem->n_feature))
        BT_TRY(solve_dual(device, plan, problem, &own, bt_matrix_of(*out, n_hat, n)));
    else
        BT_TRY(solve_primal(device, plan, problem, &own, bt_matrix_of(*out, n_hat, n)));
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
    const double rows = (n + m) * p;
    if (dual) return hats + 8 * (n * n + m * n) + fmax(8 * rows, solving);
    return hats + 8 * (rows + p * p + n_hat * p + m * n) + solving;
}
