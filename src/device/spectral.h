/* What is left of a ridge search once its products are done: weighted sums over components, voxel by voxel, and the
 * change of precision between products. Columns are shared over the threads. */
#ifndef BT_DEVICE_SPECTRAL_H
#define BT_DEVICE_SPECTRAL_H

#include "device/device.h"

/* Of column v: sums[k, v] = sum_i first[k, i] x[i, v] y[i, v] + second[k, i] x[i, v] z[i, v].
 * x, y, z (n_component, n_column) and the weights (n_weight, n_component) are of one type, f32 or f64; sums (n_weight,
 * n_column) is f64. z and second have no buffer: without the second sum. In f32, BT_SPECTRAL_ROWS components at a time
 * are summed in f32, these sums in f64. */
typedef struct {
    bt_matrix x, y, z;
    bt_matrix first, second;
    bt_matrix sums;
} bt_spectral_sums;

bt_status bt_spectral(bt_device *device, const bt_spectral_sums *task) BT_MUST_CHECK;

/* to = from, elementwise; f32 or f64 on either side. */
bt_status bt_convert(bt_device *device, bt_matrix from, bt_matrix to) BT_MUST_CHECK;

/* Shrinks the components of responses as ridge regression does: to[k, v] = q[k, v] s_k / (s_k^2 + penalty_v), f32 or
 * f64 on either side; singular (q.rows) and penalty (q.columns) on the host. */
bt_status bt_shrink(bt_device *device, bt_matrix q, const double *singular, const double *penalty,
                    bt_matrix to) BT_MUST_CHECK;

/* Rows and columns of a matrix on the host, (., stride) float32. */
typedef struct {
    const float *host;
    size_t stride;
    const size_t *row;    /* (to.rows); NULL: the first */
    const size_t *column; /* (to.columns), each below stride; NULL: the first */
} bt_picked;

/* to[i, j] = host[row[i] stride + column[j]], f32 or f64. */
bt_status bt_write_picked(bt_device *device, const bt_picked *from, bt_matrix to) BT_MUST_CHECK;

#endif
