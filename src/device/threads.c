#define _GNU_SOURCE /* sched_getaffinity */
#include "device/threads.h"

#include <cblas.h>
#include <omp.h>
#include <sched.h>
#include <unistd.h>

int bt_threads_allowed(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return bt_threads_online();
    return CPU_COUNT(&set);
}

int bt_threads_online(void)
{
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

int bt_threads_get(void)
{
    return omp_get_max_threads();
}

void bt_threads_set(int n)
{
    omp_set_num_threads(n);
    openblas_set_num_threads(n);
}
