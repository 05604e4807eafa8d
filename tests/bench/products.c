/* Large products of the device (device/tiles.h) beside OpenBLAS's own, in turn, on as many threads as OMP_NUM_THREADS
 * says, and products of 16-bit integers (device/shorts.h, the packing of the right operand counted) beside those:
 * GFLOP/s, best and mean of the turns, and the ratio of the means to the one before, for shapes of encode (over a block
 * of 2,048 voxels) and of training. */
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "device/device.h"
#include "device/shorts.h"

#include <cblas.h>
#include <math.h>
#include <stdio.h>

enum { TURNS = 12 };

typedef struct {
    size_t m, inner, n;
} shape;

static const shape shapes[] = {{3072, 5825, 2048}, {3072, 3072, 2048}, {2000, 1000, 2048}, {1500, 768, 3072},
                               {1500, 3072, 768},  {4500, 128, 3000},  {700, 300, 700},    {512, 128, 512}};

static bt_status fill(bt_buffer *to, size_t n, float *values)
{
    bt_random random = bt_random_start(1, n);
    for (size_t i = 0; i < n; ++i) values[i] = (float)bt_random_uniform(&random) - 0.5F;
    return bt_buffer_write(to, 0, values, n);
}

typedef enum { OPENBLAS, TILES, SHORTS, WAYS } way;

typedef struct {
    bt_device *device;
    const shape *s;
    float *host[3];    /* A, B, C */
    bt_buffer *own[3]; /* the same on the device */
    bt_shorts left, right;
} operands;

static bt_status multiply_shorts(operands *o)
{
    bt_status status = BT_OK;
    BT_TRY(bt_shorts_of_columns(o->device, o->host[1], o->s->n, NULL, o->s->inner, &o->right));
    bt_shorts_product(o->device, &o->left, &o->right, bt_matrix_of(o->own[2], o->s->m, o->s->n));
cleanup:
    return status;
}

/* Seconds of one product. */
static bt_status time_one(operands *o, way by, double *seconds)
{
    bt_status status = BT_OK;
    const shape *const s = o->s;
    const double start = bt_seconds();
    if (by == SHORTS)
        BT_TRY(multiply_shorts(o));
    else if (by == TILES)
        BT_TRY(bt_product(o->device, BT_PLAIN, BT_PLAIN, 1, bt_matrix_of(o->own[0], s->m, s->inner),
                          bt_matrix_of(o->own[1], s->inner, s->n), 0, bt_matrix_of(o->own[2], s->m, s->n)));
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)s->m, (int)s->n, (int)s->inner, 1, o->host[0],
                    (int)s->inner, o->host[1], (int)s->n, 0, o->host[2], (int)s->n);
    *seconds = bt_seconds() - start;
cleanup:
    return status;
}

static bt_status make(bt_device *device, const shape *s, operands *o)
{
    bt_status status = BT_OK;
    const size_t size[] = {s->m * s->inner, s->inner * s->n, s->m * s->n};
    *o = (operands){.device = device, .s = s};
    for (int i = 0; i < 3; ++i) {
        BT_ALLOC(o->host[i], size[i]);
        BT_TRY(bt_buffer_create(device, BT_F32, size[i], &o->own[i]));
        BT_TRY(fill(o->own[i], size[i], o->host[i]));
    }
    BT_TRY(bt_shorts_of_rows(device, bt_matrix_of(o->own[0], s->m, s->inner), &o->left));
cleanup:
    return status;
}

static void clear(operands *o)
{
    for (int i = 0; i < 3; ++i) {
        bt_free(o->host[i]);
        bt_buffer_destroy(&o->own[i]);
    }
    bt_shorts_clear(&o->left);
    bt_shorts_clear(&o->right);
}

static bt_status compare(bt_device *device, const shape *s)
{
    bt_status status = BT_OK;
    operands o = {0};
    double total[WAYS] = {0}, best[WAYS] = {INFINITY, INFINITY, INFINITY};
    BT_TRY(make(device, s, &o));
    for (int turn = 0; turn <= TURNS; ++turn)
        for (way by = OPENBLAS; by < WAYS; ++by) {
            double seconds = 0;
            BT_TRY(time_one(&o, by, &seconds));
            if (turn == 0) continue; /* warms up */
            total[by] += seconds;
            best[by] = fmin(best[by], seconds);
        }
    const double work = 2e-9 * (double)s->m * (double)s->inner * (double)s->n, all = TURNS * work;
    printf(
        "(%zu, %zu) (%zu, %zu): OpenBLAS %.0f, mean %.0f; ours %.0f, mean %.0f: %.2f; 16 bits %.0f, mean %.0f: %.2f\n",
        s->m, s->inner, s->inner, s->n, work / best[OPENBLAS], all / total[OPENBLAS], work / best[TILES],
        all / total[TILES], total[OPENBLAS] / total[TILES], work / best[SHORTS], all / total[SHORTS],
        total[TILES] / total[SHORTS]);
cleanup:
    clear(&o);
    return status;
}

int main(void)
{
    bt_status status = BT_OK;
    bt_device *device = NULL;
    BT_TRY(bt_device_create(BT_DEVICE_CPU, &device));
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; ++i) BT_TRY(compare(device, &shapes[i]));
cleanup:
    if (status != BT_OK) fprintf(stderr, "products: %s\n", bt_error_message());
    bt_device_destroy(&device);
    return (int)status;
}
