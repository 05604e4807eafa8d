/* What a ridge fit cannot go below on this machine: its eigenproblems, its refit's shifted systems, and its products.
 *
 *   floor N_TRAIN N_HELD RANK N_SPLIT N_ROW RANK_ALL N_TEST N_VOXEL N_ALPHA N_FEATURE f32|f64
 *
 * prints seconds of the eigenproblems (n_split of RANK), of the shifted systems (order RANK_ALL), of the products that
 * make Gram matrices and factors, of those over voxels per split and of the refit's, and GFLOP/s. Threads as
 * OMP_NUM_THREADS says. */
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "device/device.h"
#include "device/shifted.h"
#include "device/threads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 2048, ARGUMENTS = 11 };

static bt_status fill(bt_device *device, bt_dtype type, size_t n, bt_buffer **out)
{
    bt_status status = BT_OK;
    float *values = NULL;
    double *wide = NULL;
    bt_random random = bt_random_start(1, n);
    BT_ALLOC(values, n);
    BT_ALLOC(wide, type == BT_F64 ? n : 0);
    for (size_t i = 0; i < n; ++i) values[i] = (float)bt_random_uniform(&random) - 0.5F;
    for (size_t i = 0; i < n && type == BT_F64; ++i) wide[i] = (double)values[i];
    BT_TRY(bt_buffer_create(device, type, n, out));
    BT_TRY(type == BT_F64 ? bt_buffer_write(*out, 0, wide, n) : bt_buffer_write(*out, 0, values, n));
cleanup:
    bt_free(values);
    bt_free(wide);
    return status;
}

/* Seconds of an eigenproblem of a Gram matrix. */
static bt_status time_eigen(bt_device *device, size_t n, double *seconds)
{
    bt_status status = BT_OK;
    bt_buffer *x = NULL, *gram = NULL, *values = NULL;
    BT_TRY(fill(device, BT_F64, n * n, &x));
    BT_TRY(bt_buffer_create(device, BT_F64, n * n, &gram));
    BT_TRY(bt_buffer_create(device, BT_F64, n, &values));
    BT_TRY(bt_product_gram(device, BT_PLAIN, bt_matrix_of(x, n, n), 0, bt_matrix_of(gram, n, n)));
    const double start = bt_seconds();
    BT_TRY(bt_eigen(device, bt_matrix_of(gram, n, n), values));
    *seconds = bt_seconds() - start;
cleanup:
    bt_buffer_destroy(&x);
    bt_buffer_destroy(&gram);
    bt_buffer_destroy(&values);
    return status;
}

/* Seconds of the hat matrices of n_alpha penalties for n_test rows, by systems of order n. */
static bt_status time_shifted(bt_device *device, bt_dtype type, size_t n, size_t n_test, size_t n_alpha,
                              double *seconds)
{
    bt_status status = BT_OK;
    bt_buffer *x = NULL, *gram = NULL, *rows = NULL, *hats = NULL;
    double *penalty = NULL;
    BT_ALLOC(penalty, n_alpha);
    for (size_t a = 0; a < n_alpha; ++a) penalty[a] = (double)(a + 1) * (double)n;
    BT_TRY(fill(device, BT_F64, n * n, &x));
    BT_TRY(fill(device, BT_F64, n_test * n, &rows));
    BT_TRY(bt_buffer_create(device, BT_F64, n * n, &gram));
    BT_TRY(bt_buffer_create(device, type, n_alpha * n_test * n, &hats));
    BT_TRY(bt_product_gram(device, BT_PLAIN, bt_matrix_of(x, n, n), 0, bt_matrix_of(gram, n, n)));
    const double start = bt_seconds();
    BT_TRY(bt_solve_shifted(device, bt_matrix_of(gram, n, n), penalty, n_alpha, bt_matrix_of(rows, n_test, n),
                            bt_matrix_of(hats, n_alpha * n_test, n)));
    *seconds = bt_seconds() - start;
cleanup:
    bt_free(penalty);
    bt_buffer_destroy(&x);
    bt_buffer_destroy(&gram);
    bt_buffer_destroy(&rows);
    bt_buffer_destroy(&hats);
    return status;
}

/* Seconds of (m, k) times (k, n_voxel), block by block. */
static bt_status time_product(bt_device *device, bt_dtype type, size_t m, size_t k, size_t n_voxel, double *seconds)
{
    bt_status status = BT_OK;
    bt_buffer *a = NULL, *b = NULL, *c = NULL;
    *seconds = 0;
    BT_TRY(fill(device, type, m * k, &a));
    BT_TRY(fill(device, type, k * BLOCK, &b));
    BT_TRY(bt_buffer_create(device, type, m * BLOCK, &c));
    for (size_t low = 0; low < n_voxel + BLOCK; low += BLOCK) {
        const double start = bt_seconds();
        const size_t n = low == 0 || n_voxel + BLOCK - low > BLOCK ? BLOCK : n_voxel + BLOCK - low;
        BT_TRY(bt_product(device, BT_PLAIN, BT_PLAIN, 1, bt_matrix_of(a, m, k), bt_matrix_of(b, k, n), 0,
                          bt_matrix_of(c, m, n)));
        if (low) *seconds += bt_seconds() - start; /* the first warms up */
    }
cleanup:
    bt_buffer_destroy(&a);
    bt_buffer_destroy(&b);
    bt_buffer_destroy(&c);
    return status;
}

/* Seconds of the Gram matrix of the rows of (m, k). */
static bt_status time_gram(bt_device *device, size_t m, size_t k, double *seconds)
{
    bt_status status = BT_OK;
    bt_buffer *x = NULL, *gram = NULL;
    BT_TRY(fill(device, BT_F64, m * k, &x));
    BT_TRY(bt_buffer_create(device, BT_F64, m * m, &gram));
    for (int turn = 0; turn < 2; ++turn) { /* the first warms up */
        const double start = bt_seconds();
        BT_TRY(bt_product_gram(device, BT_PLAIN, bt_matrix_of(x, m, k), 0, bt_matrix_of(gram, m, m)));
        *seconds = bt_seconds() - start;
    }
cleanup:
    bt_buffer_destroy(&x);
    bt_buffer_destroy(&gram);
    return status;
}

/* Seconds of all Gram matrices (of rows once, or of features per split and refit), of U', P' and P'P. */
static bt_status time_factors(bt_device *device, const size_t n[ARGUMENTS], bool dual, double *seconds)
{
    bt_status status = BT_OK;
    const size_t train = n[0], held = n[1], rank = n[2], row = n[4], feature = n[9];
    const double split = (double)n[3];
    double gram = 0, all = 0, left = 0, projected = 0, pairs = 0;
    BT_TRY(time_gram(device, dual ? row : feature, dual ? feature : row, &all));
    if (!dual) BT_TRY(time_gram(device, feature, train, &gram));
    if (!dual) BT_TRY(time_product(device, BT_F64, rank, feature, train, &left));
    BT_TRY(time_product(device, BT_F64, rank, dual ? train : feature, held, &projected));
    BT_TRY(time_gram(device, rank, held, &pairs));
    *seconds = all + split * (gram + left + projected + pairs);
cleanup:
    return status;
}

static bt_status run(bt_device *device, const size_t n[ARGUMENTS], bt_dtype type)
{
    bt_status status = BT_OK;
    const size_t train = n[0], held = n[1], rank = n[2], split = n[3], row = n[4], all = n[5], test = n[6];
    const size_t voxel = n[7], alpha = n[8];
    const bool dual = all == row;
    double small = 0, shifted = 0, factors = 0, rotate = 0, pairs = 0, hats = 0, predict = 0;
    BT_TRY(time_eigen(device, rank, &small));
    BT_TRY(time_shifted(device, dual ? type : BT_F64, all, test, alpha, &shifted));
    BT_TRY(time_factors(device, n, dual, &factors));
    BT_TRY(time_product(device, type, rank, train + held, voxel, &rotate));
    BT_TRY(time_product(device, type, rank, rank, voxel, &pairs));
    if (!dual) BT_TRY(time_product(device, BT_F64, alpha * test, all, row, &hats));
    BT_TRY(time_product(device, type, test, row, voxel, &predict));
    const double per_split = 2.0 * (double)(rank * voxel) * (double)(train + held + rank);
    const double eigen = (double)split * small, search = (double)split * (rotate + pairs);
    printf("eigenproblems %.3f s (%zu of %zu: %.3f each), shifted systems of %zu: %.3f s\n", eigen, split, rank, small,
           all, shifted);
    printf("Gram matrices and factors %.3f s\nsearch products %.3f s, %.0f GFLOP/s\nrefit products %.3f s\n", factors,
           search, per_split / (rotate + pairs) / 1e9, hats + predict);
    printf("floor %.3f s\n", eigen + shifted + factors + search + hats + predict);
cleanup:
    return status;
}

int main(int argc, char **argv)
{
    bt_device *device = NULL;
    size_t n[ARGUMENTS] = {0};
    if (argc != ARGUMENTS + 1) {
        fprintf(stderr, "floor: expected %d arguments, found %d\n", ARGUMENTS, argc - 1);
        return BT_ERR_USAGE;
    }
    for (int i = 0; i < ARGUMENTS - 1; ++i) n[i] = strtoul(argv[i + 1], NULL, 10);
    bt_status status = bt_device_create(BT_DEVICE_CPU, &device);
    if (status == BT_OK) status = run(device, n, !strcmp(argv[ARGUMENTS], "f64") ? BT_F64 : BT_F32);
    if (status != BT_OK) fprintf(stderr, "floor: %s\n", bt_error_message());
    bt_device_destroy(&device);
    return (int)status;
}
