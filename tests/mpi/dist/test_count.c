/* What is counted as sent: of every kind of collective the bytes that must pass, summed over the ranks. */
#include "base/memory.h"
#include "dist/count.h"
#include "mpi/dist/expect.h"

#include <math.h>

static bt_comm *comm;

/* Sum over ranks of what was sent since the last call. Collective, and itself not counted. */
static double sent_by_all(void)
{
    static double before;
    const double now = bt_sent_so_far(BT_SENT_COLLECTIVES).bytes;
    double sum = now - before;
    EXPECT(MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD) == MPI_SUCCESS);
    before = now;
    return sum;
}

int main(int argc, char **argv)
{
    enum { N = 1000 };
    static double values[N], all[4 * N];
    size_t counts[4] = {0};
    int provided = 0;
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return 1;
    EXPECT(bt_comm_create(MPI_COMM_WORLD, &comm) == BT_OK);
    const size_t size = (size_t)bt_comm_size(comm);
    const double others = (double)size - 1, bytes = sizeof values;
    (void)sent_by_all();
    for (int root = 0; root < (int)size; ++root) {
        EXPECT(bt_comm_broadcast(comm, root, values, sizeof values) == BT_OK);
        EXPECT(fabs(sent_by_all() - (bytes * others)) < 1e-6);
        for (size_t rank = 0; rank < size; ++rank) counts[rank] = 8 * (rank + 1);
        EXPECT(bt_comm_gather(comm, root, values, counts, all) == BT_OK);
        EXPECT(fabs(sent_by_all() - (4.0 * (double)(size * (size + 1)) - 8.0 * (root + 1))) < 1e-6);
    }
    EXPECT(bt_comm_sum_f64(comm, values, N) == BT_OK);
    EXPECT(fabs(sent_by_all() - 2 * bytes * others) < 1e-6);
    EXPECT(bt_agree(comm, BT_OK) == BT_OK);
    EXPECT(fabs(sent_by_all() - 8 * others) < 1e-6);
    EXPECT(bt_comm_all_gather(comm, values, 80, all) == BT_OK);
    EXPECT(fabs(sent_by_all() - (80 * others * (double)size)) < 1e-6);
    EXPECT(bt_sent_so_far(BT_SENT_EXCHANGES).bytes == 0 && bt_sent_so_far(BT_SENT_SCALAPACK).bytes == 0);
    EXPECT(size == 1 || bt_sent_so_far(BT_SENT_COLLECTIVES).messages > 0);
    bt_comm_destroy(&comm);
    EXPECT(bt_memory_live() == 0);
    return expect_end();
}
