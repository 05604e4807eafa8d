/* Dense matrices over all ranks of a communicator: ScaLAPACK on a BLACS grid, float64.
 *
 * The Gram matrix of rows that are replicated or sharded, and the symmetric eigenproblem. Below n = 512 or on one rank
 * LAPACK does it; PDSYEVD's own workspace query is too small at small sizes, so (np + nq + 2 nb) nb + nb^2 is added,
 * and every run checks the residual |A v - w v| and orthogonality of sampled vectors (DESIGN 8). */
#ifndef BT_DIST_DENSE_H
#define BT_DIST_DENSE_H

#include "base/status.h"
#include "device/device.h"
#include "dist/comm.h"

/* Collective. G = X'X (n, n), or with `rows` X X' (m, m), for X (m, n) row-major with every rank holding all of X;
 * the work is shared, the result is replicated. Bitwise equal on all ranks. */
bt_status bt_dense_gram(const bt_comm *comm, bt_device *device, const double *x, size_t m, size_t n, int rows,
                        double *g) BT_MUST_CHECK;

/* Collective. Eigenpairs of the symmetric a (n, n), equal on all ranks; vectors (n, n) in rows, values (n) ascending,
 * both replicated. `a` is overwritten. Errors: BT_ERR_NUMERICS with the residual found and the bound. */
bt_status bt_dense_eigen(const bt_comm *comm, bt_device *device, double *a, size_t n, double *values,
                         double *vectors) BT_MUST_CHECK;

#endif
