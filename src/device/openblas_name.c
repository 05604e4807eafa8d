#include "base/log.h"
#include "device/library.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bt_openblas_name(char *text, size_t size)
{
    (void)snprintf(text, size, "%s, kernel %s", openblas_get_config(), openblas_get_corename());
}

bt_vector_level bt_openblas_level(const char *corename)
{
    static const struct {
        const char *name;
        bt_vector_level level;
    } known[] = {
        {"Unknown", BT_VECTOR_SSE},     {"Katmai", BT_VECTOR_SSE},        {"Coppermine", BT_VECTOR_SSE},
        {"Northwood", BT_VECTOR_SSE},   {"Prescott", BT_VECTOR_SSE},      {"Banias", BT_VECTOR_SSE},
        {"Atom", BT_VECTOR_SSE},        {"Core2", BT_VECTOR_SSE},         {"Penryn", BT_VECTOR_SSE},
        {"Dunnington", BT_VECTOR_SSE},  {"Nehalem", BT_VECTOR_SSE},       {"Athlon", BT_VECTOR_SSE},
        {"Opteron", BT_VECTOR_SSE},     {"Opteron_SSE3", BT_VECTOR_SSE},  {"Barcelona", BT_VECTOR_SSE},
        {"Nano", BT_VECTOR_SSE},        {"Bobcat", BT_VECTOR_SSE},        {"Sandybridge", BT_VECTOR_AVX},
        {"Bulldozer", BT_VECTOR_AVX},   {"Piledriver", BT_VECTOR_AVX},    {"Steamroller", BT_VECTOR_AVX},
        {"Excavator", BT_VECTOR_AVX2},  {"Haswell", BT_VECTOR_AVX2},      {"Zen", BT_VECTOR_AVX2},
        {"SkylakeX", BT_VECTOR_AVX512}, {"Cooperlake", BT_VECTOR_AVX512},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; ++i)
        if (!strcmp(known[i].name, corename)) return known[i].level;
    return BT_VECTOR_AVX512;
}

bt_vector_level bt_cpu_level(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
        return BT_VECTOR_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return BT_VECTOR_AVX2;
    if (__builtin_cpu_supports("avx")) return BT_VECTOR_AVX;
#endif
    return BT_VECTOR_SSE;
}

static void warn_when_slow(void)
{
    static const char *const fitting[] = {"Nehalem", "Sandybridge", "Haswell", "SkylakeX"};
    const char *const core = openblas_get_corename();
    const bt_vector_level cpu = bt_cpu_level();
    if (bt_openblas_level(core) >= cpu) return;
    const char *const asked = getenv("OPENBLAS_CORETYPE");
    if (asked && *asked)
        bt_log_warn("OPENBLAS_CORETYPE=%s holds OpenBLAS to its %s kernel, below this CPU (%s); unset it for about "
                    "twice the speed",
                    asked, core, fitting[cpu]);
    else
        bt_log_warn("OpenBLAS chose its %s kernel, below this CPU; set OPENBLAS_CORETYPE=%s for about twice the speed",
                    core, fitting[cpu]);
}

bt_status bt_openblas_check(void)
{
    if (openblas_get_parallel() != OPENBLAS_OPENMP)
        return bt_fail(BT_ERR_INPUT,
                       "OpenBLAS (%s) is not its OpenMP build, which slows calls that alternate with oneDNN 2 to 4 "
                       "times; install libopenblas-openmp-dev and put its libopenblas.so first",
                       openblas_get_config());
    warn_when_slow();
    return BT_OK;
}
