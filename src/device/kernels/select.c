/* Which of the compiled kernels this CPU runs. */
#include "device/kernels/kernels.h"

#include <stdbool.h>
#include <stddef.h>

#if defined __x86_64__ && defined __GNUC__
#include <cpuid.h>

enum { BF16 = 1 << 5, AMX_BF16 = 1 << 22 }; /* leaf 7: subleaf 1, eax; subleaf 0, edx */

#define HAS(feature) (__builtin_cpu_supports(feature) != 0)

/* What the levels x86-64-v3 and -v4 hold, feature by feature: clang 14 does not know the levels' names. */
static bool has_v3(void)
{
    return HAS("avx2") && HAS("fma") && HAS("bmi") && HAS("bmi2");
}

static bool has_v4(void)
{
    return has_v3() && HAS("avx512f") && HAS("avx512bw") && HAS("avx512cd") && HAS("avx512dq") && HAS("avx512vl");
}
#endif

bool bt_kernels_have_bf16(void)
{
#if defined __x86_64__ && defined __GNUC__
    unsigned a, b, c, d;
    return has_v4() && ((__get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & BF16)) ||
                        (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & AMX_BF16)));
#else
    return false;
#endif
}

const bt_kernels *bt_kernels_at(size_t index)
{
    const bt_kernels *usable[3];
    size_t n = 0;
#if defined __x86_64__ && defined __GNUC__
    if (has_v4()) usable[n++] = &bt_kernels_v4;
    if (has_v3()) usable[n++] = &bt_kernels_v3;
#endif
    usable[n++] = &bt_kernels_baseline;
    return index < n ? usable[index] : NULL;
}

const bt_kernels *bt_kernels_best(void)
{
    return bt_kernels_at(0);
}

const bt_short_kernels *bt_short_kernels_best(void)
{
#if defined __x86_64__ && defined __GNUC__ && !defined __clang__ /* which ignores the target of shorts_vnni.c */
    if (has_v4() && HAS("avx512vnni")) return &bt_short_kernels_vnni;
#endif
    return &bt_short_kernels_baseline;
}
