#include "dist/exchange.h"

#include "base/clock.h"
#include "base/memory.h"
#include "dist/count.h"

#include <assert.h>
#include <stdbool.h>

typedef struct {
    bt_range whole;
    size_t arrived_at;                    /* where its arrivals begin in `arrived` */
    int *send_counts, *send_places;       /* (size), elements; mine is 0 */
    int *receive_counts, *receive_places; /* (size), in arrivals */
    int *slice_counts, *slice_places;     /* (size), of the sharing */
    bool started;
} bucket;

struct bt_exchange {
    const bt_comm *comm; /* borrowed */
    bucket *buckets;
    size_t n_bucket;
    int *counts; /* all buckets' tables */
    float *vector, *arrived;
    MPI_Request *requests; /* (n_bucket) */
    bt_exchange_count counted;
};

static size_t rank_of(const bt_exchange *x)
{
    return (size_t)bt_comm_rank(x->comm);
}

static size_t size_of(const bt_exchange *x)
{
    return (size_t)bt_comm_size(x->comm);
}

static size_t length(bt_range range)
{
    return range.high - range.low;
}

static bt_range slice_of(const bt_exchange *x, size_t b, size_t rank)
{
    const bt_range whole = x->buckets[b].whole;
    const bt_range part = bt_partition(rank, size_of(x), length(whole));
    return (bt_range){whole.low + part.low, whole.low + part.high};
}

/* --- life ------------------------------------------------------------------------------------------------------------
 */

/* Fills a bucket's tables, which begin at `tables` (6, size). */
static void lay_out(bt_exchange *x, size_t b, int *tables)
{
    bucket *const k = &x->buckets[b];
    const size_t size = size_of(x), me = rank_of(x);
    const int mine = (int)length(slice_of(x, b, me));
    k->send_counts = tables;
    k->send_places = tables + size;
    k->receive_counts = tables + 2 * size;
    k->receive_places = tables + 3 * size;
    k->slice_counts = tables + 4 * size;
    k->slice_places = tables + 5 * size;
    int arriving = 0;
    for (size_t r = 0; r < size; ++r) {
        const bt_range slice = slice_of(x, b, r);
        k->slice_counts[r] = (int)length(slice);
        k->slice_places[r] = k->send_places[r] = (int)(slice.low - k->whole.low);
        k->send_counts[r] = r == me ? 0 : k->slice_counts[r];
        k->receive_counts[r] = r == me ? 0 : mine;
        k->receive_places[r] = arriving;
        arriving += k->receive_counts[r];
    }
}

static bt_status allocate(bt_exchange *x, const size_t *bounds)
{
    enum { TABLES = 6, LARGEST = 1 << 30 };
    bt_status status = BT_OK;
    const size_t size = size_of(x);
    size_t arriving = 0;
    BT_ALLOC(x->buckets, x->n_bucket);
    BT_ALLOC(x->requests, x->n_bucket);
    BT_ALLOC(x->counts, x->n_bucket * TABLES * size);
    for (size_t b = 0; b < x->n_bucket; ++b) {
        x->requests[b] = MPI_REQUEST_NULL;
        x->buckets[b].whole = (bt_range){bounds[b], bounds[b + 1]};
        x->buckets[b].arrived_at = arriving;
        BT_CHECK(length(x->buckets[b].whole) < LARGEST, BT_ERR_INTERNAL, "exchange: a bucket of %zu elements",
                 length(x->buckets[b].whole));
        lay_out(x, b, x->counts + b * TABLES * size);
        arriving += (size - 1) * length(slice_of(x, b, rank_of(x)));
    }
    BT_ALLOC(x->vector, bounds[x->n_bucket]);
    BT_ALLOC(x->arrived, arriving);
cleanup:
    return status;
}

bt_status bt_exchange_create(const bt_comm *comm, const size_t *bounds, size_t n_bucket, bt_exchange **out)
{
    bt_status status = BT_OK;
    *out = NULL;
    bt_exchange *x = bt_calloc(1, sizeof *x);
    if (x) *x = (bt_exchange){.comm = comm, .n_bucket = n_bucket};
    BT_TRY(bt_agree(comm, x ? allocate(x, bounds) : BT_ERR_MEMORY));
    *out = x;
    x = NULL;
cleanup:
    bt_exchange_destroy(&x);
    return status;
}

void bt_exchange_destroy(bt_exchange **exchange)
{
    bt_exchange *const x = *exchange;
    if (!x) return;
    bt_free(x->buckets);
    bt_free(x->requests);
    bt_free(x->counts);
    bt_free(x->vector);
    bt_free(x->arrived);
    bt_free(x);
    *exchange = NULL;
}

size_t bt_exchange_buckets(const bt_exchange *exchange)
{
    return exchange->n_bucket;
}

bt_range bt_exchange_bucket(const bt_exchange *exchange, size_t b)
{
    return exchange->buckets[b].whole;
}

bt_range bt_exchange_slice(const bt_exchange *exchange, size_t b)
{
    return slice_of(exchange, b, rank_of(exchange));
}

float *bt_exchange_vector(bt_exchange *exchange)
{
    return exchange->vector;
}

bt_exchange_count bt_exchange_counted(const bt_exchange *exchange)
{
    return exchange->counted;
}

/* --- sums ------------------------------------------------------------------------------------------------------------
 */

static bt_status checked(int code, const char *call)
{
    return code == MPI_SUCCESS ? BT_OK : bt_fail(BT_ERR_REMOTE, "%s failed; look for a rank that ended early", call);
}

static void count(bt_exchange *x, size_t elements)
{
    x->counted.bytes_sent += (int64_t)(elements * sizeof(float));
    x->counted.messages += (int64_t)size_of(x) - 1;
    bt_sent_add(BT_SENT_EXCHANGES, (double)(elements * sizeof(float)), (double)size_of(x) - 1);
}

bt_status bt_exchange_start(bt_exchange *x, size_t b)
{
    bucket *const k = &x->buckets[b];
    assert(!k->started);
    k->started = true;
    if (size_of(x) == 1) return BT_OK;
    count(x, length(k->whole) - length(bt_exchange_slice(x, b)));
    return checked(MPI_Ialltoallv(x->vector + k->whole.low, k->send_counts, k->send_places, MPI_FLOAT,
                                  x->arrived + k->arrived_at, k->receive_counts, k->receive_places, MPI_FLOAT,
                                  bt_comm_mpi(x->comm), &x->requests[b]),
                   "MPI_Ialltoallv");
}

bt_status bt_exchange_progress(bt_exchange *x)
{
    if (size_of(x) == 1) return BT_OK;
    int done = 0;
    return checked(MPI_Testall((int)x->n_bucket, x->requests, &done, MPI_STATUSES_IGNORE), "MPI_Testall");
}

static bt_status wait_all(bt_exchange *x)
{
    const double start = bt_seconds();
    const int code = MPI_Waitall((int)x->n_bucket, x->requests, MPI_STATUSES_IGNORE);
    x->counted.waited += bt_seconds() - start;
    return checked(code, "MPI_Waitall");
}

/* My slice of a bucket: the sum in rank order. */
static void add_up(bt_exchange *x, size_t b)
{
    enum { BLOCK = 2048 };
    const bucket *const k = &x->buckets[b];
    const bt_range slice = bt_exchange_slice(x, b);
    float sum[BLOCK];
    for (size_t low = 0; low < length(slice); low += BLOCK) {
        float *const mine = x->vector + slice.low + low;
        const size_t n = length(slice) - low < BLOCK ? length(slice) - low : BLOCK;
        for (size_t i = 0; i < n; ++i) sum[i] = 0;
        for (size_t r = 0; r < size_of(x); ++r) {
            const float *const part =
                r == rank_of(x) ? mine : x->arrived + k->arrived_at + (size_t)k->receive_places[r] + low;
            for (size_t i = 0; i < n; ++i) sum[i] += part[i];
        }
        for (size_t i = 0; i < n; ++i) mine[i] = sum[i];
    }
}

bt_status bt_exchange_finish(bt_exchange *x)
{
    bt_status status = BT_OK;
    if (size_of(x) > 1) BT_TRY(wait_all(x));
    for (size_t b = 0; b < x->n_bucket; ++b) {
        assert(x->buckets[b].started);
        x->buckets[b].started = false;
        if (size_of(x) > 1) add_up(x, b);
    }
cleanup:
    return status;
}

bt_status bt_exchange_share(bt_exchange *x)
{
    bt_status status = BT_OK;
    if (size_of(x) == 1) return BT_OK;
    for (size_t b = 0; b < x->n_bucket; ++b) {
        const bucket *const k = &x->buckets[b];
        count(x, (size_of(x) - 1) * length(bt_exchange_slice(x, b)));
        BT_TRY(checked(MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, x->vector + k->whole.low, k->slice_counts,
                                       k->slice_places, MPI_FLOAT, bt_comm_mpi(x->comm), &x->requests[b]),
                       "MPI_Iallgatherv"));
    }
    BT_TRY(wait_all(x));
cleanup:
    return status;
}
