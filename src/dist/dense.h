/* Dense matrices over all ranks of a communicator: ScaLAPACK on a BLACS grid, float64.
 *
 * The Gram matrix of a matrix that every rank holds, and the symmetric eigenproblem. Below n = 512 or on one rank
 * LAPACK does it; up to 8 ranks make the Gram matrix in strips of its lower triangle (strips.c), by local products;
 * PDSYEVD's own workspace query is too small at small sizes, so (np + nq + 2 nb) nb + nb^2 is added, and every run
 * checks the residual |A v - w v| and orthogonality of sampled vectors. When PDSYEVD fails or its result does not pass,
 * one rank's LAPACK takes over with a warning.
 *
 * Layout: blocks of 64, a near square grid of at most (n / 256)^2 ranks, so that a process row holds four blocks or
 * more: n = 512 uses 4 ranks, n = 3072 uses 144 of 1,024. The others wait in the sum that replicates the result.
 *
 * Results: bitwise equal on all ranks, since one rank gives each element and the others add 0; bitwise equal from run
 * to run on the same ranks, threads and CPU. Between rank counts to rounding: Gram 4 eps inner |x_i| |x_j|, values
 * 1e-12 |A|. Each vector's largest component is positive; single vectors agree as far as their gap allows, and of equal
 * eigenvalues the space agrees.
 *
 * Cost for one of 1,024 ranks at n = 3072, where n^2 float64 are 75.5 MB. Messages were counted, by wrapping the MPI
 * calls, at n = 512 and 1024 on 4, 9 and 16 ranks, and are scaled with n, n^2 and the edge of the grid, here 12:
 *   Gram of m rows: about 1.2 m n 8 / 12 bytes in some 100 messages (m = 9000: 22 MB), then a sum of 75.5 MB.
 *   Eigen: 4.2 n = 13,000 messages, below 2 n^2 8 = 150 MB, and 2.5 n = 8,000 short collectives over a process row or
 *     column; so many short ones are the reason for the small grid. Then a sum of 75.5 MB.
 *   Memory (computed): A and the vectors 151 MB, parts and workspace 4 n^2 8 / 144 = 2 MB, up to 75.5 MB inside MPI
 *     during the sum; together 230 MB, of which only the 2 MB shrink with more ranks: 7.4 GB on a node with 32 ranks.
 *     Where LAPACK does it, its rank holds 6 n^2 8 bytes (0.45 GB), the others 2 n^2 8. */
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
 * both replicated. Errors: BT_ERR_NUMERICS with the residual found and the bound. */
bt_status bt_dense_eigen(const bt_comm *comm, bt_device *device, const double *a, size_t n, double *values,
                         double *vectors) BT_MUST_CHECK;

/* Bytes that size ranks send together, counted as dist/count.h does, estimates of ScaLAPACK's with them: for the Gram
 * matrix of order n with sums of `inner` products, and for its eigenproblem. */
double bt_dense_gram_sent(size_t size, size_t inner, size_t n);
double bt_dense_eigen_sent(size_t size, size_t n);

#endif
