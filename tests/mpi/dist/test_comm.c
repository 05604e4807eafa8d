/* Communicators and bt_agree on 1 to 4 ranks. */
#include "base/memory.h"
#include "base/text.h"
#include "dist/comm.h"
#include "dist/internal.h"
#include "mpi/dist/expect.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static void every_rank_fails_in_turn(const bt_comm *comm)
{
    const int rank = bt_comm_rank(comm), size = bt_comm_size(comm);
    for (int failing = 0; failing < size; ++failing) {
        bt_error_clear();
        bt_status mine = BT_OK;
        if (rank == failing) mine = bt_fail(BT_ERR_INPUT, "story%d.wav: no samples", failing);
        EXPECT(bt_agree(comm, mine) == BT_ERR_INPUT);
        char expected[64], said[32];
        (void)snprintf(said, sizeof said, "rank %d: ", failing);
        (void)snprintf(expected, sizeof expected, "%sstory%d.wav: no samples", size > 1 ? said : "", failing);
        EXPECT(!strcmp(bt_error_message(), expected));
    }
    bt_error_clear();
    EXPECT(bt_agree(comm, BT_OK) == BT_OK);
    EXPECT(bt_error_message()[0] == '\0');
}

/* Every set of failing ranks: the lowest one's code and message win. */
static void lowest_failing_rank_speaks(const bt_comm *comm)
{
    const int rank = bt_comm_rank(comm), size = bt_comm_size(comm);
    static const bt_status codes[] = {BT_ERR_MEMORY, BT_ERR_USAGE, BT_ERR_NUMERICS, BT_ERR_FILE};
    for (unsigned set = 1; set < 1U << size; ++set) {
        int lowest = 0;
        while (!(set >> lowest & 1U)) ++lowest;
        const int fails = (int)(set >> rank & 1U);
        const bt_status mine = fails ? bt_fail(codes[rank], "from %d", rank) : BT_OK;
        EXPECT(bt_agree(comm, mine) == codes[lowest]);
        char expected[64];
        (void)snprintf(expected, sizeof expected, "from %d", lowest);
        EXPECT(bt_ends_with(bt_error_message(), expected));
    }
}

static void a_message_is_prefixed_once(const bt_comm *comm)
{
    if (bt_comm_size(comm) == 1) return;
    const int last = bt_comm_size(comm) - 1;
    bt_status mine = BT_OK;
    if (bt_comm_rank(comm) == last) mine = bt_fail(BT_ERR_FILE, "disk full");
    mine = bt_agree(comm, mine);
    EXPECT(bt_agree(comm, mine) == BT_ERR_FILE);
    char expected[64];
    (void)snprintf(expected, sizeof expected, "rank %d: disk full", last);
    EXPECT(!strcmp(bt_error_message(), expected));
}

static void what_one_rank_finds_is_named(const bt_comm *comm)
{
    const int rank = bt_comm_rank(comm), last = bt_comm_size(comm) - 1;
    bt_error_clear();
    EXPECT(bt_comm_same_text(comm, "8 voxels") == BT_OK);
    EXPECT(bt_error_message()[0] == '\0');
    if (last == 0) return;
    EXPECT(bt_comm_same_text(comm, rank == last ? "9 voxels" : "8 voxels") == BT_ERR_INPUT);
    char expected[96];
    (void)snprintf(expected, sizeof expected, "rank %d: this rank finds 9 voxels, rank 0 finds 8 voxels;", last);
    EXPECT(bt_starts_with(bt_error_message(), expected));
}

static void a_long_message_survives(const bt_comm *comm)
{
    static char text[6000];
    memset(text, 'x', sizeof text - 1);
    bt_status mine = BT_OK;
    if (bt_comm_rank(comm) == bt_comm_size(comm) - 1) mine = bt_fail(BT_ERR_FILE, "%s", text);
    EXPECT(bt_agree(comm, mine) == BT_ERR_FILE);
    EXPECT(strlen(bt_error_message()) == 4095);
}

/* Sums of whole numbers are exact, so any cut and any order gives the same. */
static void sums_of_any_length(bt_comm *comm, size_t piece)
{
    enum { MOST = 1000 };
    static double f64[MOST], most[MOST];
    static float f32[MOST];
    static int64_t i64[MOST];
    const int rank = bt_comm_rank(comm), size = bt_comm_size(comm);
    bt_comm_set_piece(comm, piece);
    for (size_t n = 0; n <= MOST; n = n < 10 ? n + 1 : n * 3) {
        for (size_t i = 0; i < n; ++i) {
            i64[i] = (int64_t)i * (rank + 1);
            f64[i] = (double)i64[i];
            f32[i] = (float)i64[i];
            most[i] = (double)(((int)i + rank) % size);
        }
        EXPECT(bt_comm_sum_f64(comm, f64, n) == BT_OK);
        EXPECT(bt_comm_sum_f32(comm, f32, n) == BT_OK);
        EXPECT(bt_comm_sum_i64(comm, i64, n) == BT_OK);
        EXPECT(bt_comm_max_f64(comm, most, n) == BT_OK);
        for (size_t i = 0; i < n; ++i) {
            const int64_t expected = (int64_t)i * size * (size + 1) / 2;
            EXPECT(i64[i] == expected && f64[i] == (double)expected && f32[i] == (float)expected);
            EXPECT(most[i] == (double)(size - 1));
        }
    }
}

static void broadcasts(bt_comm *comm, size_t piece)
{
    enum { LENGTH = 1001 };
    char bytes[LENGTH];
    bt_comm_set_piece(comm, piece);
    for (int root = 0; root < bt_comm_size(comm); ++root) {
        memset(bytes, bt_comm_rank(comm) == root ? 'a' + root : '?', sizeof bytes);
        EXPECT(bt_comm_broadcast(comm, root, bytes, LENGTH) == BT_OK);
        for (size_t i = 0; i < LENGTH; ++i) EXPECT(bytes[i] == 'a' + root);

        const int mine = bt_comm_rank(comm) == root;
        char *text = mine ? bt_strdup("a story, word by word") : NULL;
        EXPECT(bt_comm_broadcast_text(comm, root, &text) == BT_OK);
        EXPECT(text && !strcmp(text, "a story, word by word"));
        bt_free(text);
        text = mine ? bt_strdup("") : NULL;
        EXPECT(bt_comm_broadcast_text(comm, root, &text) == BT_OK);
        EXPECT(text && !*text);
        bt_free(text);
        text = NULL;
        EXPECT(bt_comm_broadcast_text(comm, root, &text) == BT_OK);
        EXPECT(text == NULL);
    }
}

/* Ranks give 0, 37, 74, ... bytes. */
static void gathers(bt_comm *comm, size_t piece)
{
    enum { STEP = 37, RANKS = 4 };
    unsigned char mine[STEP * RANKS], all[STEP * RANKS * RANKS];
    size_t counts[RANKS] = {0};
    const int rank = bt_comm_rank(comm), size = bt_comm_size(comm);
    bt_comm_set_piece(comm, piece);
    for (int r = 0; r < size; ++r) counts[r] = (size_t)r * STEP;
    for (size_t i = 0; i < counts[rank]; ++i) mine[i] = (unsigned char)(7 * rank + (int)i);
    for (int root = 0; root < size; ++root) {
        memset(all, 255, sizeof all);
        EXPECT(bt_comm_gather(comm, root, mine, counts, rank == root ? all : NULL) == BT_OK);
        if (rank != root) continue;
        const unsigned char *at = all;
        for (int r = 0; r < size; ++r)
            for (size_t i = 0; i < counts[r]; ++i) EXPECT(*at++ == (unsigned char)(7 * r + (int)i));
        EXPECT(*at == 255);
    }
}

static void splits(const bt_comm *comm)
{
    bt_comm *part = NULL;
    const int rank = bt_comm_rank(comm), size = bt_comm_size(comm);
    EXPECT(bt_comm_split(comm, rank % 2, &part) == BT_OK);
    EXPECT(bt_comm_size(part) == (size + 1 - rank % 2) / 2);
    EXPECT(bt_comm_rank(part) == rank / 2);
    double sum = rank;
    EXPECT(bt_comm_sum_f64(part, &sum, 1) == BT_OK);
    double expected = 0.0;
    for (int r = rank % 2; r < size; r += 2) expected += r;
    EXPECT(sum == expected);

    /* Messages name the rank in the communicator that the parts come from. */
    if (bt_comm_size(part) > 1) {
        bt_status mine = BT_OK;
        if (bt_comm_rank(part) == 1) mine = bt_fail(BT_ERR_INPUT, "no samples");
        EXPECT(bt_agree(part, mine) == BT_ERR_INPUT);
        char expected_text[64];
        (void)snprintf(expected_text, sizeof expected_text, "rank %d: no samples", rank % 2 + 2);
        EXPECT(!strcmp(bt_error_message(), expected_text));
    }
    bt_comm_destroy(&part);
    EXPECT(part == NULL);
}

static void differing_arguments_are_found(const bt_comm *comm)
{
    EXPECT(bt_comm_same(comm, INT64_MIN, "x") == BT_OK);
    EXPECT(bt_comm_same(comm, INT64_MAX, "x") == BT_OK);
#ifdef NDEBUG
    EXPECT(bt_comm_same(comm, bt_comm_rank(comm), "n_voxel") == BT_OK);
#else
    if (bt_comm_size(comm) == 1) return;
    EXPECT(bt_comm_same(comm, bt_comm_rank(comm), "n_voxel") == BT_ERR_INTERNAL);
    EXPECT(strstr(bt_error_message(), "n_voxel") != NULL);
#endif
}

int main(int argc, char **argv)
{
    int provided = 0;
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return 1;
    bt_comm *comm = NULL, *none = NULL;
    EXPECT(bt_comm_create(MPI_COMM_WORLD, &comm) == BT_OK);
    EXPECT(bt_comm_mpi(comm) != MPI_COMM_WORLD);
    every_rank_fails_in_turn(comm);
    lowest_failing_rank_speaks(comm);
    a_message_is_prefixed_once(comm);
    what_one_rank_finds_is_named(comm);
    a_long_message_survives(comm);
    splits(comm);
    differing_arguments_are_found(comm);
    static const size_t pieces[] = {8, 24, 100, 1 << 20};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; ++i) {
        sums_of_any_length(comm, pieces[i]);
        broadcasts(comm, pieces[i]);
        gathers(comm, pieces[i]);
    }
    EXPECT(bt_comm_barrier(comm) == BT_OK);
    EXPECT(bt_comm_create(MPI_COMM_NULL, &none) == BT_OK);
    EXPECT(bt_comm_size(none) == 1);
    bt_comm_destroy(&none);
    bt_comm_destroy(&comm);
    EXPECT(bt_memory_live() == 0);
    return expect_end();
}
