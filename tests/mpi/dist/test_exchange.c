/* Sums of a vector by buckets, slices and their sharing, on 1 to 4 ranks. */
#include "base/memory.h"
#include "dist/exchange.h"
#include "mpi/dist/expect.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static const size_t bounds[] = {0, 1, 8, 8, 5008, 5011};
enum { BUCKETS = sizeof bounds / sizeof *bounds - 1, LENGTH = 5011 };

/* What rank r has at element i; sums of these are exact. */
static float part(size_t r, size_t i)
{
    return (float)((r + 1) * (i % 97)) - 0.5F * (float)(i % 5);
}

static float sum_of_all(size_t size, size_t i)
{
    float sum = 0;
    for (size_t r = 0; r < size; ++r) sum += part(r, i);
    return sum;
}

static void fill(bt_exchange *x, const bt_comm *comm)
{
    for (size_t i = 0; i < LENGTH; ++i) bt_exchange_vector(x)[i] = part((size_t)bt_comm_rank(comm), i);
}

static void run_sums(bt_exchange *x)
{
    for (size_t b = BUCKETS; b-- > 0;) {
        EXPECT(bt_exchange_start(x, b) == BT_OK);
        EXPECT(bt_exchange_progress(x) == BT_OK);
    }
    EXPECT(bt_exchange_finish(x) == BT_OK);
}

static void slices_hold_the_sums(const bt_comm *comm)
{
    bt_exchange *x = NULL;
    EXPECT(bt_exchange_create(comm, bounds, BUCKETS, &x) == BT_OK);
    EXPECT(bt_exchange_buckets(x) == BUCKETS);
    for (int again = 0; again < 2; ++again) {
        fill(x, comm);
        run_sums(x);
        for (size_t b = 0; b < BUCKETS; ++b) {
            const bt_range slice = bt_exchange_slice(x, b), bucket = bt_exchange_bucket(x, b);
            EXPECT(bucket.low == bounds[b] && bucket.high == bounds[b + 1]);
            EXPECT(slice.low >= bucket.low && slice.high <= bucket.high);
            for (size_t i = slice.low; i < slice.high; ++i)
                EXPECT(bt_exchange_vector(x)[i] == sum_of_all((size_t)bt_comm_size(comm), i));
        }
    }
    bt_exchange_destroy(&x);
}

static void shared_slices_are_everywhere(const bt_comm *comm)
{
    bt_exchange *x = NULL;
    EXPECT(bt_exchange_create(comm, bounds, BUCKETS, &x) == BT_OK);
    fill(x, comm);
    run_sums(x);
    for (size_t b = 0; b < BUCKETS; ++b) {
        const bt_range slice = bt_exchange_slice(x, b);
        for (size_t i = slice.low; i < slice.high; ++i) bt_exchange_vector(x)[i] += 1;
    }
    EXPECT(bt_exchange_share(x) == BT_OK);
    for (size_t i = 0; i < LENGTH; ++i)
        EXPECT(bt_exchange_vector(x)[i] == sum_of_all((size_t)bt_comm_size(comm), i) + 1);
    bt_exchange_destroy(&x);
}

/* The least that sharded sums need: every element but my own slice's out once, my slice to all others once. */
static void bytes_are_the_least(const bt_comm *comm)
{
    bt_exchange *x = NULL;
    const size_t size = (size_t)bt_comm_size(comm);
    size_t mine = 0;
    EXPECT(bt_exchange_create(comm, bounds, BUCKETS, &x) == BT_OK);
    fill(x, comm);
    run_sums(x);
    EXPECT(bt_exchange_share(x) == BT_OK);
    for (size_t b = 0; b < BUCKETS; ++b) mine += bt_exchange_slice(x, b).high - bt_exchange_slice(x, b).low;
    const size_t least = size > 1 ? LENGTH - mine + (size - 1) * mine : 0;
    EXPECT(bt_exchange_counted(x).bytes_sent == (int64_t)(least * sizeof(float)));
    EXPECT(bt_exchange_counted(x).messages == (int64_t)(2 * BUCKETS * (size - 1)));
    bt_exchange_destroy(&x);
}

static void gathered_and_scattered(const bt_comm *comm)
{
    enum { N = 3 };
    const size_t size = (size_t)bt_comm_size(comm), rank = (size_t)bt_comm_rank(comm);
    float mine[N], *all = bt_calloc(size * N, sizeof *all);
    for (size_t i = 0; i < N; ++i) mine[i] = part(rank, i);
    EXPECT(bt_comm_all_gather(comm, mine, sizeof mine, all) == BT_OK);
    for (size_t r = 0; r < size; ++r)
        for (size_t i = 0; i < N; ++i) EXPECT(all[r * N + i] == part(r, i));
    for (size_t i = 0; i < size * N; ++i) all[i] = part(rank, i);
    EXPECT(bt_comm_sum_scatter_f32(comm, all, N, mine) == BT_OK);
    for (size_t i = 0; i < N; ++i) EXPECT(mine[i] == sum_of_all(size, rank * N + i));
    bt_free(all);
}

int main(int argc, char **argv)
{
    int provided = 0;
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return 1;
    bt_comm *comm = NULL;
    EXPECT(bt_comm_create(MPI_COMM_WORLD, &comm) == BT_OK);
    slices_hold_the_sums(comm);
    shared_slices_are_everywhere(comm);
    bytes_are_the_least(comm);
    gathered_and_scattered(comm);
    bt_comm_destroy(&comm);
    EXPECT(bt_memory_live() == 0);
    return expect_end();
}
