/* Expectations in tests that run on several ranks: a failure is said at once, counted, and agreed on at the end, so
 * that a failing rank leaves no other one waiting. */
#ifndef BT_TESTS_MPI_DIST_EXPECT_H
#define BT_TESTS_MPI_DIST_EXPECT_H

#include <mpi.h>
#include <stdio.h>

static int expect_failed;

static inline void expect_at(int holds, const char *what, const char *file, int line)
{
    if (holds) return;
    int rank = -1;
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (expect_failed++ < 20) (void)fprintf(stderr, "%s:%d: rank %d: not so: %s\n", file, line, rank, what);
}

#define EXPECT(condition) expect_at((condition) != 0, #condition, __FILE__, __LINE__)

/* Collective: the exit status, the same on all ranks. */
static inline int expect_end(void)
{
    int failed = 0;
    (void)MPI_Allreduce(&expect_failed, &failed, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    (void)MPI_Finalize();
    return failed != 0;
}

#endif
