/* States written on some ranks are read on any; damage is found; the one before takes over. */
#include "base/memory.h"
#include "base/text.h"
#include "dist/partition.h"
#include "mpi/dist/expect.h"
#include "tuning/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LENGTH = 1000, FEW = 3 };

static float value_of(size_t i, float shift)
{
    return (float)i * 0.25F + shift;
}

/* Each rank its partition of "weights" in two parts; root three doubles "standing". */
static void write_state(const char *folder, const bt_comm *comm, float shift)
{
    const bt_range mine = bt_partition((size_t)bt_comm_rank(comm), (size_t)bt_comm_size(comm), LENGTH);
    const size_t n = mine.high - mine.low, half = n / 2;
    float *values = bt_calloc(n, sizeof *values);
    double standing[FEW] = {(double)shift, 1, 2};
    for (size_t i = 0; i < n; ++i) values[i] = value_of(mine.low + i, shift);
    const bt_state_part parts[] = {{"weights", sizeof *values, mine.low, mine.low + half, values},
                                   {"weights", sizeof *values, mine.low + half, mine.high, values + half},
                                   {"standing", sizeof *standing, 0, FEW, standing}};
    EXPECT(bt_state_write(folder, comm, parts, bt_comm_rank(comm) == 0 ? 3 : 2) == BT_OK);
    bt_free(values);
}

static bt_status read_range(const bt_state *state, size_t low, size_t high, float shift)
{
    float *values = bt_calloc(high - low, sizeof *values);
    const bt_state_part part = {"weights", sizeof *values, low, high, values};
    const bt_status status = bt_state_read(state, &part, 1);
    for (size_t i = 0; i < high - low && status == BT_OK; ++i) EXPECT(values[i] == value_of(low + i, shift));
    bt_free(values);
    return status;
}

static void read_state(const char *folder, const bt_comm *comm, float shift)
{
    bt_state *state = NULL;
    double standing[FEW] = {0};
    const bt_state_part part = {"standing", sizeof *standing, 0, FEW, standing};
    EXPECT(bt_state_open(folder, comm, false, &state) == BT_OK);
    EXPECT(state != NULL);
    if (!state) return;
    EXPECT(bt_state_has(state, "weights") && !bt_state_has(state, "weight"));
    EXPECT(bt_state_total(state, "weight") == LENGTH && bt_state_total(state, "weights/") == 0);
    EXPECT(read_range(state, 0, LENGTH, shift) == BT_OK);
    EXPECT(read_range(state, 333, 777, shift) == BT_OK);
    EXPECT(read_range(state, LENGTH - 1, LENGTH, shift) == BT_OK);
    EXPECT(read_range(state, 0, LENGTH + 1, shift) == BT_ERR_INPUT);
    EXPECT(bt_state_read(state, &part, 1) == BT_OK && standing[0] == (double)shift && standing[2] == 2);
    bt_state_close(&state);
}

/* Changes one byte of FOLDER/state at `offset`; negative: from the end. */
static void damage(const char *folder, const bt_comm *comm, long offset)
{
    if (bt_comm_rank(comm) == 0) {
        char *const path = bt_path_join(folder, "state");
        FILE *const file = fopen(path, "r+b");
        (void)fseek(file, offset, offset < 0 ? SEEK_END : SEEK_SET);
        const int byte = fgetc(file);
        (void)fseek(file, offset, offset < 0 ? SEEK_END : SEEK_SET);
        (void)fputc(byte ^ 1, file);
        (void)fclose(file);
        bt_free(path);
    }
    EXPECT(bt_comm_barrier(comm) == BT_OK);
}

static void newer_replaces_older(const char *folder, const bt_comm *comm)
{
    bt_state *state = NULL;
    EXPECT(bt_state_open(folder, comm, false, &state) == BT_OK);
    EXPECT(state == NULL);
    write_state(folder, comm, 10);
    read_state(folder, comm, 10);
    write_state(folder, comm, 20);
    read_state(folder, comm, 20);
}

static void a_damaged_table_is_passed_over(const char *folder, const bt_comm *comm)
{
    damage(folder, comm, -1);
    read_state(folder, comm, 10);
    write_state(folder, comm, 30); /* the damaged one becomes the one before */
    read_state(folder, comm, 30);
    write_state(folder, comm, 40);
}

static void a_damaged_part_is_found(const char *folder, const bt_comm *comm)
{
    bt_state *state = NULL;
    damage(folder, comm, 128 + 5);
    EXPECT(bt_state_open(folder, comm, false, &state) == BT_OK);
    EXPECT(read_range(state, 0, 2, 40) == BT_ERR_INPUT);
    EXPECT(strstr(bt_error_message(), "checksum") != NULL);
    bt_state_close(&state);
    EXPECT(bt_state_open(folder, comm, true, &state) == BT_OK);
    EXPECT(read_range(state, 0, LENGTH, 30) == BT_OK);
    bt_state_close(&state);
    bt_error_clear();
}

int main(int argc, char **argv)
{
    int provided = 0;
    char name[] = "/tmp/braintune-state-XXXXXX";
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return 1;
    bt_comm *comm = NULL;
    EXPECT(bt_comm_create(MPI_COMM_WORLD, &comm) == BT_OK);
    if (bt_comm_rank(comm) == 0) EXPECT(mkdtemp(name) != NULL);
    EXPECT(bt_comm_broadcast(comm, 0, name, sizeof name) == BT_OK);
    newer_replaces_older(name, comm);
    a_damaged_table_is_passed_over(name, comm);
    a_damaged_part_is_found(name, comm);
    EXPECT(bt_comm_barrier(comm) == BT_OK);
    if (bt_comm_rank(comm) == 0) EXPECT(bt_path_remove(name) == BT_OK);
    bt_comm_destroy(&comm);
    EXPECT(bt_memory_live() == 0);
    return expect_end();
}
