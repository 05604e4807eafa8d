/* When PDSYEVD fails, or returns garbage with info = 0, LAPACK on one rank takes over. This file's pdsyevd_ stands in
 * for ScaLAPACK's. */
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "dist/dense.h"
#include "dist/internal.h"
#include "mpi/dist/expect.h"

#include <math.h>
#include <string.h>

void pdsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *ia, const int *ja,
              const int *desc_a, double *w, double *z, const int *iz, const int *jz, const int *desc_z, double *work,
              const int *lwork, int *iwork, const int *liwork, int *info, size_t jobz_length, size_t uplo_length);

static int tries, answer;

void pdsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *ia, const int *ja,
              const int *desc_a, double *w, double *z, const int *iz, const int *jz, const int *desc_z, double *work,
              const int *lwork, int *iwork, const int *liwork, int *info, size_t jobz_length, size_t uplo_length)
{
    (void)jobz, (void)uplo, (void)a, (void)ia, (void)ja, (void)desc_a, (void)z, (void)iz, (void)jz, (void)desc_z;
    (void)liwork, (void)jobz_length, (void)uplo_length;
    *info = 0;
    if (*lwork < 0) {
        work[0] = 10.0;
        iwork[0] = 10;
        return;
    }
    ++tries;
    for (int i = 0; i < *n; ++i) w[i] = i;
    *info = answer;
}

static void takes_over(const bt_comm *comm, bt_device *device, int info)
{
    enum { N = 520 };
    static double a[N * N], kept[N * N], values[N], vectors[N * N];
    bt_random random = bt_random_start(3, 1);
    for (int i = 0; i < N; ++i)
        for (int j = 0; j <= i; ++j) a[i * N + j] = a[j * N + i] = bt_random_normal(&random);
    memcpy(kept, a, sizeof a);
    tries = 0;
    answer = info;
    EXPECT(bt_dense_eigen(comm, device, a, N, values, vectors) == BT_OK);
    EXPECT(tries == (bt_comm_size(comm) > 1));
    EXPECT(bt_dense_check(comm, kept, N, values, vectors) == BT_OK);
}

int main(int argc, char **argv)
{
    int provided = 0, rank = 0;
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return 1;
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    bt_log_speak(rank == 0);
    bt_comm *comm = NULL;
    bt_device *device = NULL;
    EXPECT(bt_comm_create(MPI_COMM_WORLD, &comm) == BT_OK);
    EXPECT(bt_device_create(BT_DEVICE_CPU, &device) == BT_OK);
    takes_over(comm, device, 0);
    takes_over(comm, device, 7);
    bt_device_destroy(&device);
    bt_comm_destroy(&comm);
    EXPECT(bt_memory_live() == 0);
    return expect_end();
}
