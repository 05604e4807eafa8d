/* What a ridge fit cannot go below on this machine: its eigenproblems, its refit's shifted systems, and its products.
 *
 *   floor N_TRAIN N_HELD RANK N_SPLIT N_ROW RANK_ALL N_TEST N_VOXEL N_ALPHA N_FEATURE N_ROUGH N_AGAIN \
 *         f32|f64 solved|rotated
 *
 * (N_ROUGH of the voxels are searched by products in 16 bits, N_AGAIN of these in float32 too) prints seconds of the
 * eigenproblems (n_split of RANK), of the refit's shifted systems (N_ALPHA of them) or, where it rotates responses, its
 * eigenproblem (order RANK_ALL), of the products that make Gram matrices and factors, of those over voxels per split
 * and of the refit's, and GFLOP/s. Threads as OMP_NUM_THREADS says. */
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "device/device.h"
#include "device/shifted.h"
#include "device/shorts.h"
#include "device/threads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 2048 };

typedef struct {
    size_t train, held, rank, split, row, all, test, voxel, alpha, feature, rough, again;
    bt_dtype type; /* of products over voxels */
    bool rotated;  /* the refit */
} sizes;

enum { NUMBERS = 12, ARGUMENTS = NUMBERS + 2 };

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

/* Voxels of the block at `low`; the first block is one more, which warms up. */
static size_t width_at(size_t low, size_t n_voxel)
{
    return low == 0 || n_voxel + BLOCK - low > BLOCK ? BLOCK : n_voxel + BLOCK - low;
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
        const size_t n = width_at(low, n_voxel);
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

/* The same in 16 bits; the left operand is packed before. */
static bt_status time_short(bt_device *device, size_t m, size_t k, size_t n_voxel, double *seconds)
{
    bt_status status = BT_OK;
    bt_buffer *a = NULL, *c = NULL;
    bt_shorts left = {0}, right = {0};
    float *y = NULL;
    bt_random random = bt_random_start(1, 1);
    *seconds = 0;
    BT_TRY(fill(device, BT_F32, m * k, &a));
    BT_TRY(bt_buffer_create(device, BT_F32, m * BLOCK, &c));
    BT_ALLOC(y, k * BLOCK);
    for (size_t i = 0; i < k * BLOCK; ++i) y[i] = (float)bt_random_uniform(&random) - 0.5F;
    BT_TRY(bt_shorts_of_rows(device, bt_matrix_of(a, m, k), &left));
    for (size_t low = 0; low < n_voxel + BLOCK; low += BLOCK) {
        const double start = bt_seconds();
        const size_t n = width_at(low, n_voxel);
        BT_TRY(bt_shorts_of_columns(device, y, n, NULL, k, &right));
        bt_shorts_product(device, &left, &right, bt_matrix_of(c, m, n));
        if (low) *seconds += bt_seconds() - start; /* the first warms up */
    }
cleanup:
    bt_free(y);
    bt_buffer_destroy(&a);
    bt_buffer_destroy(&c);
    bt_shorts_clear(&left);
    bt_shorts_clear(&right);
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

static bool is_dual(const sizes *n)
{
    return n->all == n->row;
}

/* Seconds of all Gram matrices (of rows once, or of features per split and refit), of U', P' and P'P. */
static bt_status time_factors(bt_device *device, const sizes *n, double *seconds)
{
    bt_status status = BT_OK;
    const bool dual = is_dual(n);
    double gram = 0, all = 0, left = 0, projected = 0, pairs = 0;
    BT_TRY(time_gram(device, dual ? n->row : n->feature, dual ? n->feature : n->row, &all));
    if (!dual) BT_TRY(time_gram(device, n->feature, n->train, &gram));
    if (!dual) BT_TRY(time_product(device, BT_F64, n->rank, n->feature, n->train, &left));
    BT_TRY(time_product(device, BT_F64, n->rank, dual ? n->train : n->feature, n->held, &projected));
    BT_TRY(time_gram(device, n->rank, n->held, &pairs));
    *seconds = all + (double)n->split * (gram + left + projected + pairs);
cleanup:
    return status;
}

/* Seconds of the refit's systems (shifted ones, or one eigenproblem), and of its products. */
static bt_status time_refit(bt_device *device, const sizes *n, double *solving, double *products)
{
    bt_status status = BT_OK;
    const bool dual = is_dual(n);
    double made = 0, rotated = 0, predicted = 0;
    if (n->rotated) {
        BT_TRY(time_eigen(device, n->all, solving));
        if (!dual) BT_TRY(time_product(device, BT_F64, n->all, n->feature, n->row, &made));
        BT_TRY(time_product(device, n->type, n->all, n->row, n->voxel, &rotated));
        BT_TRY(time_product(device, n->type, n->test, n->all, n->voxel, &predicted));
    } else {
        BT_TRY(time_shifted(device, dual ? n->type : BT_F64, n->all, n->test, n->alpha, solving));
        if (!dual) BT_TRY(time_product(device, BT_F64, n->alpha * n->test, n->all, n->row, &made));
        BT_TRY(time_product(device, n->type, n->test, n->row, n->voxel, &predicted));
    }
    *products = made + rotated + predicted;
cleanup:
    return status;
}

/* Seconds of a split's products over voxels: q and z, and S q. */
static bt_status time_search(bt_device *device, const sizes *n, double *seconds)
{
    bt_status status = BT_OK;
    const size_t rows = n->train + n->held, plain = n->voxel - n->rough + n->again;
    double rotate = 0, rough = 0, pairs = 0;
    if (plain > 0) BT_TRY(time_product(device, n->type, n->rank, rows, plain, &rotate));
    if (n->rough > 0) BT_TRY(time_short(device, n->rank, rows, n->rough, &rough));
    BT_TRY(time_product(device, n->type, n->rank, n->rank, n->voxel + n->again, &pairs));
    *seconds = rotate + rough + pairs;
cleanup:
    return status;
}

static bt_status run(bt_device *device, const sizes *n)
{
    bt_status status = BT_OK;
    double small = 0, factors = 0, search = 0, solving = 0, products = 0;
    BT_TRY(time_eigen(device, n->rank, &small));
    BT_TRY(time_factors(device, n, &factors));
    BT_TRY(time_search(device, n, &search));
    BT_TRY(time_refit(device, n, &solving, &products));
    const double per_split = 2.0 * (double)(n->rank * (n->voxel + n->again)) * (double)(n->train + n->held + n->rank);
    const double eigen = (double)n->split * small, all = (double)n->split * search;
    printf("eigenproblems %.3f s (%zu of %zu: %.3f each), the refit's %s of order %zu: %.3f s\n", eigen, n->split,
           n->rank, small, n->rotated ? "eigenproblem" : "shifted systems", n->all, solving);
    printf("Gram matrices and factors %.3f s\nsearch products %.3f s, %.0f GFLOP/s\nrefit products %.3f s\n", factors,
           all, per_split / search / 1e9, products);
    printf("floor %.3f s\n", eigen + factors + all + solving + products);
cleanup:
    return status;
}

int main(int argc, char **argv)
{
    bt_device *device = NULL;
    if (argc != ARGUMENTS + 1) {
        fprintf(stderr, "floor: expected %d arguments, found %d\n", ARGUMENTS, argc - 1);
        return BT_ERR_USAGE;
    }
    sizes n = {.type = !strcmp(argv[NUMBERS + 1], "f64") ? BT_F64 : BT_F32,
               .rotated = !strcmp(argv[NUMBERS + 2], "rotated")};
    size_t *const numbers[NUMBERS] = {&n.train, &n.held,  &n.rank,  &n.split,   &n.row,   &n.all,
                                      &n.test,  &n.voxel, &n.alpha, &n.feature, &n.rough, &n.again};
    for (int i = 0; i < NUMBERS; ++i) *numbers[i] = strtoul(argv[i + 1], NULL, 10);
    bt_status status = bt_device_create(BT_DEVICE_CPU, &device);
    if (status == BT_OK) status = run(device, &n);
    if (status != BT_OK) fprintf(stderr, "floor: %s\n", bt_error_message());
    bt_device_destroy(&device);
    return (int)status;
}
