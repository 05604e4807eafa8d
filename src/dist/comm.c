#include "dist/comm.h"

#include "base/memory.h"
#include "base/text.h"
#include "dist/count.h"
#include "dist/internal.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { TAG_GATHER = 1 };

enum { PIECE_BYTES = 1 << 29, MESSAGE_SIZE = 4096 };

struct bt_comm {
    MPI_Comm mpi;
    int rank, size;
    int home; /* rank in the communicator that bt_comm_create was given: the number that messages use */
    size_t piece;
};

/* The status of an MPI call. */
static bt_status checked(int code, const char *call)
{
    if (code == MPI_SUCCESS) return BT_OK;
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    (void)MPI_Error_string(code, text, &length);
    return bt_fail(BT_ERR_REMOTE, "%s: %s; look for a rank that ended early in the job's log", call, text);
}

/* Wraps `mpi`, which the new communicator owns from now on, also when this fails. Collective. */
static bt_status adopt(MPI_Comm mpi, int home, bt_comm **out)
{
    bt_status status = BT_OK;
    bt_comm here = {.mpi = mpi, .size = 1, .home = home, .piece = PIECE_BYTES};
    bt_comm *comm = NULL;
    if (mpi != MPI_COMM_NULL) {
        BT_TRY(checked(MPI_Comm_set_errhandler(mpi, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler"));
        BT_TRY(checked(MPI_Comm_rank(mpi, &here.rank), "MPI_Comm_rank"));
        BT_TRY(checked(MPI_Comm_size(mpi, &here.size), "MPI_Comm_size"));
    }
    if (home < 0) here.home = here.rank;
    comm = bt_calloc(1, sizeof *comm);
    BT_TRY(bt_agree(&here, comm ? BT_OK : BT_ERR_MEMORY));
    *comm = here;
    *out = comm;
    comm = NULL;
    here.mpi = MPI_COMM_NULL;
cleanup:
    bt_free(comm);
    if (here.mpi != MPI_COMM_NULL) (void)MPI_Comm_free(&here.mpi);
    return status;
}

bt_status bt_comm_create(MPI_Comm from, bt_comm **out)
{
    *out = NULL;
    int started = 0;
    (void)MPI_Initialized(&started);
    MPI_Comm mpi = MPI_COMM_NULL;
    if (started && from != MPI_COMM_NULL) {
        const bt_status status = checked(MPI_Comm_dup(from, &mpi), "MPI_Comm_dup");
        if (status != BT_OK) return status;
    }
    return adopt(mpi, -1, out);
}

bt_status bt_comm_split(const bt_comm *comm, int colour, bt_comm **out)
{
    assert(colour >= 0);
    *out = NULL;
    MPI_Comm mpi = MPI_COMM_NULL;
    if (comm->mpi != MPI_COMM_NULL) {
        const bt_status status = checked(MPI_Comm_split(comm->mpi, colour, comm->rank, &mpi), "MPI_Comm_split");
        if (status != BT_OK) return status;
    }
    const bt_status status = adopt(mpi, comm->home, out);
    if (status == BT_OK) (*out)->piece = comm->piece;
    return status;
}

void bt_comm_destroy(bt_comm **comm)
{
    if (!*comm) return;
    if ((*comm)->mpi != MPI_COMM_NULL) (void)MPI_Comm_free(&(*comm)->mpi);
    bt_free(*comm);
    *comm = NULL;
}

int bt_comm_rank(const bt_comm *comm)
{
    return comm->rank;
}

int bt_comm_size(const bt_comm *comm)
{
    return comm->size;
}

int bt_comm_node_size(const bt_comm *comm)
{
    MPI_Comm node;
    int ranks = 1;
    if (comm->mpi == MPI_COMM_NULL ||
        MPI_Comm_split_type(comm->mpi, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node) != MPI_SUCCESS)
        return 1;
    (void)MPI_Comm_size(node, &ranks);
    (void)MPI_Comm_free(&node);
    return ranks;
}

MPI_Comm bt_comm_mpi(const bt_comm *comm)
{
    return comm->mpi;
}

void bt_comm_set_piece(bt_comm *comm, size_t bytes)
{
    assert(bytes >= sizeof(double) && bytes <= PIECE_BYTES);
    comm->piece = bytes / sizeof(double) * sizeof(double);
}

/* Bytes of a broadcast pass along the ranks; the last passes nothing on. */
static void count_broadcast(const bt_comm *comm, int root, size_t bytes)
{
    if ((comm->rank + 1) % comm->size != root) bt_sent_add(BT_SENT_COLLECTIVES, (double)bytes, 1);
}

static void count_sum(const bt_comm *comm, size_t bytes)
{
    const double others = comm->size - 1;
    bt_sent_add(BT_SENT_COLLECTIVES, 2 * (double)bytes * others / comm->size, 2 * others);
}

/* "rank 12: ..." */
static bool names_a_rank(const char *message)
{
    if (!bt_starts_with(message, "rank ")) return false;
    message += strlen("rank ");
    if (!isdigit((unsigned char)*message)) return false;
    while (isdigit((unsigned char)*message)) ++message;
    return *message == ':';
}

bt_status bt_agree(const bt_comm *comm, bt_status status)
{
    if (comm->size == 1) return status;
    int lowest = status == BT_OK ? comm->size : comm->rank;
    count_sum(comm, sizeof lowest);
    bt_status sent =
        checked(MPI_Allreduce(MPI_IN_PLACE, &lowest, 1, MPI_INT, MPI_MIN, comm->mpi), "bt_agree: MPI_Allreduce");
    if (sent != BT_OK || lowest == comm->size) return sent;

    struct {
        int code;
        char message[MESSAGE_SIZE];
    } news = {0};
    if (comm->rank == lowest) {
        if (!names_a_rank(bt_error_message())) (void)bt_fail_prefix(status, "rank %d", comm->home);
        news.code = (int)status;
        (void)snprintf(news.message, sizeof news.message, "%s", bt_error_message());
    }
    sent = checked(MPI_Bcast(&news, (int)sizeof news, MPI_BYTE, lowest, comm->mpi), "bt_agree: MPI_Bcast");
    if (sent != BT_OK) return sent;
    bt_error_set(news.message);
    return (bt_status)news.code;
}

/* Allreduce in place, cut into pieces. */
static bt_status reduce(const bt_comm *comm, void *values, size_t n, size_t element, MPI_Datatype type, MPI_Op op)
{
    if (comm->size == 1) return BT_OK;
    char *const bytes = values;
    const size_t piece = comm->piece / element;
    for (size_t low = 0; low < n; low += piece) {
        const size_t count = n - low < piece ? n - low : piece;
        count_sum(comm, count * element);
        const int code = MPI_Allreduce(MPI_IN_PLACE, bytes + low * element, (int)count, type, op, comm->mpi);
        const bt_status status = checked(code, "MPI_Allreduce");
        if (status != BT_OK) return status;
    }
    return BT_OK;
}

bt_status bt_comm_sum_f64(const bt_comm *comm, double *values, size_t n)
{
    return reduce(comm, values, n, sizeof *values, MPI_DOUBLE, MPI_SUM);
}

bt_status bt_comm_sum_f32(const bt_comm *comm, float *values, size_t n)
{
    return reduce(comm, values, n, sizeof *values, MPI_FLOAT, MPI_SUM);
}

bt_status bt_comm_sum_i64(const bt_comm *comm, int64_t *values, size_t n)
{
    return reduce(comm, values, n, sizeof *values, MPI_INT64_T, MPI_SUM);
}

bt_status bt_comm_max_f64(const bt_comm *comm, double *values, size_t n)
{
    return reduce(comm, values, n, sizeof *values, MPI_DOUBLE, MPI_MAX);
}

bt_status bt_comm_broadcast(const bt_comm *comm, int root, void *bytes, size_t n)
{
    assert(root >= 0 && root < comm->size);
    if (comm->size == 1) return BT_OK;
    for (size_t low = 0; low < n; low += comm->piece) {
        const size_t count = n - low < comm->piece ? n - low : comm->piece;
        count_broadcast(comm, root, count);
        const int code = MPI_Bcast((char *)bytes + low, (int)count, MPI_BYTE, root, comm->mpi);
        const bt_status status = checked(code, "MPI_Bcast");
        if (status != BT_OK) return status;
    }
    return BT_OK;
}

bt_status bt_comm_broadcast_text(const bt_comm *comm, int root, char **text)
{
    if (comm->size == 1) return BT_OK;
    bt_status status = BT_OK;
    char *received = NULL;
    int64_t length = comm->rank == root && *text ? (int64_t)strlen(*text) : -1;
    if (comm->rank != root) *text = NULL;
    BT_TRY(bt_comm_broadcast(comm, root, &length, sizeof length));
    if (length < 0) return BT_OK;
    if (comm->rank != root) received = bt_calloc((size_t)length + 1, 1);
    BT_TRY(bt_agree(comm, comm->rank == root || received ? BT_OK : BT_ERR_MEMORY));
    BT_TRY(bt_comm_broadcast(comm, root, comm->rank == root ? *text : received, (size_t)length));
    if (comm->rank != root) *text = received;
    received = NULL;
cleanup:
    bt_free(received);
    return status;
}

static bt_status send_pieces(const bt_comm *comm, int to, const char *bytes, size_t n)
{
    for (size_t low = 0; low < n; low += comm->piece) {
        const size_t count = n - low < comm->piece ? n - low : comm->piece;
        bt_sent_add(BT_SENT_COLLECTIVES, (double)count, 1);
        const int code = MPI_Send(bytes + low, (int)count, MPI_BYTE, to, TAG_GATHER, comm->mpi);
        const bt_status status = checked(code, "bt_comm_gather: MPI_Send");
        if (status != BT_OK) return status;
    }
    return BT_OK;
}

static bt_status receive_pieces(const bt_comm *comm, int from, char *bytes, size_t n)
{
    for (size_t low = 0; low < n; low += comm->piece) {
        const size_t count = n - low < comm->piece ? n - low : comm->piece;
        const int code = MPI_Recv(bytes + low, (int)count, MPI_BYTE, from, TAG_GATHER, comm->mpi, MPI_STATUS_IGNORE);
        const bt_status status = checked(code, "bt_comm_gather: MPI_Recv");
        if (status != BT_OK) return status;
    }
    return BT_OK;
}

/* Point to point, since MPI_Gatherv's displacements are 32-bit; a sender talks to the root alone and the root takes the
 * ranks in order, so nobody waits in a circle. */
bt_status bt_comm_gather(const bt_comm *comm, int root, const void *mine, const size_t *counts, void *all)
{
    assert(root >= 0 && root < comm->size);
    if (comm->rank != root) return send_pieces(comm, root, mine, counts[comm->rank]);
    char *to = all;
    for (int rank = 0; rank < comm->size; ++rank) {
        bt_status status = BT_OK;
        if (rank != root)
            status = receive_pieces(comm, rank, to, counts[rank]);
        else if (counts[rank])
            memcpy(to, mine, counts[rank]);
        if (status != BT_OK) return status;
        to += counts[rank];
    }
    return BT_OK;
}

bt_status bt_comm_all_gather(const bt_comm *comm, const void *mine, size_t n, void *all)
{
    assert(n <= PIECE_BYTES);
    if (comm->size == 1) {
        if (n > 0) memcpy(all, mine, n);
        return BT_OK;
    }
    bt_sent_add(BT_SENT_COLLECTIVES, (double)n * (comm->size - 1), comm->size - 1);
    return checked(MPI_Allgather(mine, (int)n, MPI_BYTE, all, (int)n, MPI_BYTE, comm->mpi), "MPI_Allgather");
}

bt_status bt_comm_sum_scatter_f32(const bt_comm *comm, const float *values, size_t n, float *mine)
{
    assert(n <= PIECE_BYTES / sizeof *values);
    if (comm->size == 1) {
        if (n > 0) memcpy(mine, values, n * sizeof *values);
        return BT_OK;
    }
    bt_sent_add(BT_SENT_COLLECTIVES, (double)(n * sizeof *values) * (comm->size - 1), comm->size - 1);
    return checked(MPI_Reduce_scatter_block(values, mine, (int)n, MPI_FLOAT, MPI_SUM, comm->mpi),
                   "MPI_Reduce_scatter_block");
}

bt_status bt_comm_barrier(const bt_comm *comm)
{
    if (comm->size == 1) return BT_OK;
    return checked(MPI_Barrier(comm->mpi), "MPI_Barrier");
}

bt_status bt_comm_same_text(const bt_comm *comm, const char *found)
{
    if (comm->size == 1) return BT_OK;
    bt_status status = BT_OK;
    char *root = comm->rank == 0 ? bt_strdup(found) : NULL;
    BT_TRY(bt_comm_broadcast_text(comm, 0, &root));
    if (!root)
        status = BT_ERR_MEMORY;
    else if (strcmp(root, found) != 0)
        status = bt_fail(BT_ERR_INPUT,
                         "this rank finds %s, rank 0 finds %s; give paths that lead to the same files on every node",
                         found, root);
    status = bt_agree(comm, status);
cleanup:
    bt_free(root);
    return status;
}

bt_status bt_comm_same(const bt_comm *comm, int64_t value, const char *name)
{
#ifdef NDEBUG
    (void)comm, (void)value, (void)name;
    return BT_OK;
#else
    if (comm->size == 1) return BT_OK;
    int64_t both[2] = {value, ~value}; /* ~ turns the order round without overflow */
    const bt_status status = reduce(comm, both, 2, sizeof *both, MPI_INT64_T, MPI_MAX);
    if (status != BT_OK || both[0] == ~both[1]) return status;
    return bt_fail(BT_ERR_INTERNAL, "%s must be the same on all ranks; it runs from %lld to %lld", name,
                   (long long)~both[1], (long long)both[0]);
#endif
}
