/* Which of the compiled kernels this CPU runs. */
#include "device/kernels/kernels.h"

#include <stddef.h>

const bt_kernels *bt_kernels_at(size_t index)
{
    const bt_kernels *usable[3];
    size_t n = 0;
#if defined __x86_64__ && defined __GNUC__
    if (__builtin_cpu_supports("x86-64-v4")) usable[n++] = &bt_kernels_v4;
    if (__builtin_cpu_supports("x86-64-v3")) usable[n++] = &bt_kernels_v3;
#endif
    usable[n++] = &bt_kernels_baseline;
    return index < n ? usable[index] : NULL;
}

const bt_kernels *bt_kernels_best(void)
{
    return bt_kernels_at(0);
}
