/* Large products of the device (device/tiles.h) beside OpenBLAS's own, in turn, on as many threads as OMP_NUM_THREADS
 * says: GFLOP/s, best and mean of the turns, and the ratio of the means, for shapes of encode (over a block of 2,048
 * voxels) and of training. */
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "device/device.h"

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

/* Seconds of one product, by OpenBLAS or by the device. */
static bt_status time_one(bt_device *device, const shape *s, float *const host[3], bt_buffer *const own[3], bool ours,
                          double *seconds)
{
    bt_status status = BT_OK;
    const double start = bt_seconds();
    if (ours)
        BT_TRY(bt_product(device, BT_PLAIN, BT_PLAIN, 1, bt_matrix_of(own[0], s->m, s->inner),
                          bt_matrix_of(own[1], s->inner, s->n), 0, bt_matrix_of(own[2], s->m, s->n)));
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)s->m, (int)s->n, (int)s->inner, 1, host[0],
                    (int)s->inner, host[1], (int)s->n, 0, host[2], (int)s->n);
    *seconds = bt_seconds() - start;
cleanup:
    return status;
}

static bt_status compare(bt_device *device, const shape *s)
{
    bt_status status = BT_OK;
    float *host[3] = {NULL};
    bt_buffer *own[3] = {NULL};
    double total[2] = {0}, best[2] = {INFINITY, INFINITY};
    const size_t size[] = {s->m * s->inner, s->inner * s->n, s->m * s->n};
    for (int i = 0; i < 3; ++i) {
        BT_ALLOC(host[i], size[i]);
        BT_TRY(bt_buffer_create(device, BT_F32, size[i], &own[i]));
        BT_TRY(fill(own[i], size[i], host[i]));
    }
    for (int turn = 0; turn <= TURNS; ++turn)
        for (int ours = 0; ours < 2; ++ours) {
            double seconds = 0;
            BT_TRY(time_one(device, s, host, own, ours, &seconds));
            if (turn == 0) continue; /* warms up */
            total[ours] += seconds;
            best[ours] = fmin(best[ours], seconds);
        }
    const double work = 2e-9 * (double)s->m * (double)s->inner * (double)s->n;
    printf("(%zu, %zu) (%zu, %zu): OpenBLAS %.0f, mean %.0f; ours %.0f, mean %.0f; ratio %.2f\n", s->m, s->inner,
           s->inner, s->n, work / best[0], TURNS * work / total[0], work / best[1], TURNS * work / total[1],
           total[0] / total[1]);
cleanup:
    for (int i = 0; i < 3; ++i) {
        bt_free(host[i]);
        bt_buffer_destroy(&own[i]);
    }
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
