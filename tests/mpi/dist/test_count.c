/* What is counted as sent: of every kind of collective the bytes that must pass and the messages, summed over the
 * ranks. */
#include "base/memory.h"
#include "dist/count.h"
#include "mpi/dist/expect.h"

#include <math.h>

static bt_comm *comm;

/* Sums over ranks of what was sent since the last call. Collective, and itself not counted. */
static bt_sent sent_by_all(void)
{
    static bt_sent before;
    const bt_sent now = bt_sent_so_far(BT_SENT_COLLECTIVES);
    double sums[2] = {now.bytes - before.bytes, now.messages - before.messages};
    EXPECT(MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD) == MPI_SUCCESS);
    before = now;
    return (bt_sent){sums[0], sums[1]};
}

#define EXPECT_SENT(wanted_bytes, wanted_messages)                                                                     \
    do {                                                                                                               \
        const bt_sent sent = sent_by_all();                                                                            \
        EXPECT(fabs(sent.bytes - (wanted_bytes)) < 1e-6);                                                              \
        EXPECT(fabs(sent.messages - (wanted_messages)) < 1e-6);                                                        \
    } while (0)

int main(int argc, char **argv)
{
    enum { N = 1000 };
    static double values[N], all[4 * N];
    static float singles[4 * N], mine[N];
    size_t counts[4] = {0};
    int provided = 0;
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return 1;
    EXPECT(bt_comm_create(MPI_COMM_WORLD, &comm) == BT_OK);
    const size_t size = (size_t)bt_comm_size(comm);
    const double ranks = (double)size, others = ranks - 1, bytes = sizeof values;
    (void)sent_by_all();
    for (int root = 0; root < (int)size; ++root) {
        EXPECT(bt_comm_broadcast(comm, root, values, sizeof values) == BT_OK);
        EXPECT_SENT(bytes * others, others);
        for (size_t rank = 0; rank < size; ++rank) counts[rank] = 8 * (rank + 1);
        EXPECT(bt_comm_gather(comm, root, values, counts, all) == BT_OK);
        EXPECT_SENT(4 * ranks * (ranks + 1) - 8 * (root + 1), others);
    }
    EXPECT(bt_comm_sum_f64(comm, values, N) == BT_OK);
    EXPECT_SENT(2 * bytes * others, 2 * others * ranks);
    EXPECT(bt_agree(comm, BT_OK) == BT_OK);
    EXPECT_SENT(8 * others, 2 * others * ranks);
    EXPECT(bt_comm_all_gather(comm, values, 80, all) == BT_OK);
    EXPECT_SENT(80 * others * ranks, others * ranks);
    EXPECT(bt_comm_sum_scatter_f32(comm, singles, N, mine) == BT_OK);
    EXPECT_SENT(sizeof mine * others * ranks, others * ranks);
    EXPECT(bt_sent_so_far(BT_SENT_EXCHANGES).bytes == 0 && bt_sent_so_far(BT_SENT_SCALAPACK).bytes == 0);
    bt_comm_destroy(&comm);
    EXPECT(bt_memory_live() == 0);
    return expect_end();
}
