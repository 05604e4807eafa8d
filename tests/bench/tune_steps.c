/* Optimiser steps of tuning on two ranks, three kinds in turn, so that a machine whose speed changes changes all alike:
 *   one     8 rows by one rank alone, while the other one sleeps; the ranks take turns
 *   two     the same 8 rows by two ranks together
 *   apart   4 rows by each of two ranks at once, which never speak to each other: what two cores of this machine give
 *
 *   mpirun -n 2 tune_steps REPEATS key=value ...      of the stage tune, with batch=8 micro_batch=4
 *
 * prints "KIND seconds waited bytes" a line: of the slower rank; apart: the mean rate's seconds. */
#include "tuning_run.h"

#include "base/clock.h"
#include "dist/comm.h"

#include <mpi.h>
#include <stdlib.h>

/* Seconds of a step of the first batch's first n rows. */
static double take_step(tuning_run *r, size_t n)
{
    bt_tuning *const t = &r->tuning;
    const bt_inputs_of_rows inputs = {t->lists[BT_LIST_TUNE].windows, t->lists[BT_LIST_TUNE].frames};
    bt_lesson lesson = {.objective = t->aims[0].objective};
    bt_step step = {.rate_backbone = 1e-5, .rate_head = 1e-4, .share = 1};
    lesson.rows = bt_batches_rows(t->aims[0].batches, 0, &lesson.n);
    if (lesson.n < n) must(bt_fail(BT_ERR_USAGE, "a batch has %zu rows, less than %zu", lesson.n, n));
    lesson.n = n;
    bt_regression_aim(lesson.objective, t->aims[0].targets[BT_LIST_TUNE]);
    const double start = bt_seconds();
    must(bt_trainer_step(t->trainer, &inputs, &lesson, 1, &step));
    return bt_seconds() - start;
}

/* A barrier that leaves the core to the other rank. */
static void meet(void)
{
    MPI_Request request;
    int done = 0;
    (void)MPI_Ibarrier(MPI_COMM_WORLD, &request);
    for (;;) {
        (void)MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        if (done) break;
        bt_sleep(0.005);
    }
}

static void repeat(tuning_run *alone, tuning_run *together, const bt_comm *world, int turn)
{
    const int rank = bt_comm_rank(world);
    double seconds = 0, rate = 0;
    meet();
    if (rank == turn % 2) seconds = take_step(alone, 8);
    meet();
    must(bt_comm_max_f64(world, &seconds, 1));
    if (rank == 0) (void)printf("one %.3f 0 0\n", seconds);

    (void)bt_trainer_counted(together->tuning.trainer);
    seconds = take_step(together, 8);
    const bt_exchange_count count = bt_trainer_counted(together->tuning.trainer);
    double waited = count.waited;
    must(bt_comm_max_f64(world, &seconds, 1));
    must(bt_comm_sum_f64(world, &waited, 1));
    if (rank == 0) (void)printf("two %.3f %.3f %lld\n", seconds, waited / 2, (long long)count.bytes_sent);

    meet();
    rate = 4 / take_step(alone, 4);
    meet();
    must(bt_comm_sum_f64(world, &rate, 1));
    if (rank == 0) (void)printf("apart %.3f 0 0\n", 8 / rate);
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    (void)MPI_Init(&argc, &argv);
    bt_comm *world = NULL, *self = NULL;
    tuning_run alone, together;
    must(bt_comm_create(MPI_COMM_WORLD, &world));
    if (bt_comm_size(world) != 2 || argc < 3)
        must(bt_fail(BT_ERR_USAGE, "mpirun -n 2 tune_steps REPEATS key=value ..."));
    must(bt_comm_split(world, bt_comm_rank(world), &self));
    tuning_run_open(&together, world, argc - 2, argv + 2);
    tuning_run_open(&alone, self, argc - 2, argv + 2);
    (void)take_step(&alone, 8); /* the first touch of memory */
    (void)take_step(&together, 8);
    for (int i = 0; i < atoi(argv[1]); ++i) repeat(&alone, &together, world, i);
    tuning_run_close(&alone);
    tuning_run_close(&together);
    bt_comm_destroy(&self);
    bt_comm_destroy(&world);
    (void)MPI_Finalize();
    return 0;
}
