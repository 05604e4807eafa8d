/* Solving with a banded Cholesky factor, for the instruction set that the including file chose before. */
#ifndef BT_DEVICE_KERNELS_BAND_BODY_H
#define BT_DEVICE_KERNELS_BAND_BODY_H

#include "device/kernels/lanes.h"

/* to -= sum over n rows of x of factor[k * step] x[k]. */
BT_INLINE void band_subtract(const double *factor, size_t step, const double *x, size_t n, double *to)
{
    double sum[BT_LANES];
    for (size_t lane = 0; lane < BT_LANES; ++lane) sum[lane] = to[lane];
    for (size_t k = 0; k < n; ++k)
        for (size_t lane = 0; lane < BT_LANES; ++lane) sum[lane] -= factor[k * step] * x[k * BT_LANES + lane];
    for (size_t lane = 0; lane < BT_LANES; ++lane) to[lane] = sum[lane];
}

BT_INLINE void band_divide(double by, double *x)
{
    for (size_t lane = 0; lane < BT_LANES; ++lane) x[lane] /= by;
}

static void kernel_band_solve(const double *l, size_t n, size_t band, double *x)
{
    for (size_t i = 0; i < n; ++i) {
        const size_t first = i < band ? 0 : i - band; /* L[i, j] is l[j * (band + 1) + i - j] */
        band_subtract(l + first * band + i, band, x + first * BT_LANES, i - first, x + i * BT_LANES);
        band_divide(l[i * (band + 1)], x + i * BT_LANES);
    }
    for (size_t j = n; j-- > 0;) {
        const size_t left = n - 1 - j;
        band_subtract(l + j * (band + 1) + 1, 1, x + (j + 1) * BT_LANES, left < band ? left : band, x + j * BT_LANES);
        band_divide(l[j * (band + 1)], x + j * BT_LANES);
    }
}

#endif
