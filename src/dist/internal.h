/* What the files of this room share, and the switches its tests need. No other room includes this. */
#ifndef BT_DIST_INTERNAL_H
#define BT_DIST_INTERNAL_H

#include "device/device.h"
#include "dist/comm.h"
#include "dist/partition.h"

#include <stdbool.h>
#include <stddef.h>

/* Largest message of this communicator in bytes (at least 8, rounded down to a multiple of 8), the same on all ranks.
 */
void bt_comm_set_piece(bt_comm *comm, size_t bytes);

/* How a matrix lies on the ranks: square blocks of `block` rows, on a near square grid of at most `most` ranks. */
typedef struct {
    size_t block, most;
} bt_dense_layout;

bt_dense_layout bt_dense_layout_for(size_t n);

/* bt_dense_gram by PDSYRK and bt_dense_eigen by PDSYEVD at any size and rank count, without fall-back and without the
 * residual check. `a` is left as it was. Collective; arguments as there. */
bt_status bt_dense_gram_grid(const bt_comm *comm, bt_dense_layout layout, const double *x, size_t m, size_t n,
                             bool rows, double *g) BT_MUST_CHECK;
bt_status bt_dense_eigen_grid(const bt_comm *comm, bt_dense_layout layout, const double *a, size_t n, double *values,
                              double *vectors) BT_MUST_CHECK;

/* Rows of the lower triangle of bt_dense_gram's G, up to the diagonal block, which is whole. This rank alone. */
bt_status bt_dense_gram_strip(bt_device *device, const double *x, size_t m, size_t n, bool rows, bt_range strip,
                              double *g) BT_MUST_CHECK;
/* bt_dense_gram in strips of the lower triangle, at any size. Collective; arguments as there. */
bt_status bt_dense_gram_strips(const bt_comm *comm, bt_device *device, const double *x, size_t m, size_t n, bool rows,
                               double *g) BT_MUST_CHECK;

/* Collective. Samples vectors, others on every rank, and fails with BT_ERR_NUMERICS on all ranks unless
 * |A v - w v| <= bound n eps |A|_F for each and |V v - e| <= bound n eps; |.| of vectors is the 2-norm. */
bt_status bt_dense_check(const bt_comm *comm, const double *a, size_t n, const double *values,
                         const double *vectors) BT_MUST_CHECK;

#endif
