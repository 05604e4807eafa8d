#include "store/rate.h"

#include "base/clock.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { CHAINS = 8, STEPS = 20000 }; /* enough independent chains to hide the latency of a multiply-add */

typedef void burn(float *out);

/* Each returns after STEPS multiply-adds on CHAINS vectors; `out` keeps the compiler from dropping them. */
#if defined(__x86_64__)
__attribute__((target("avx512f"), optimize("O3"))) static void burn_avx512(float *out)
{
    __m512 chain[CHAINS];
    const __m512 factor = _mm512_set1_ps(0.999F), term = _mm512_set1_ps(0.001F);
    for (int c = 0; c < CHAINS; ++c) chain[c] = _mm512_set1_ps((float)c);
    for (int step = 0; step < STEPS; ++step)
        for (int c = 0; c < CHAINS; ++c) chain[c] = _mm512_fmadd_ps(chain[c], factor, term);
    for (int c = 1; c < CHAINS; ++c) chain[0] = _mm512_add_ps(chain[0], chain[c]);
    _mm512_storeu_ps(out, chain[0]);
}

__attribute__((target("avx2,fma"), optimize("O3"))) static void burn_avx2(float *out)
{
    __m256 chain[CHAINS];
    const __m256 factor = _mm256_set1_ps(0.999F), term = _mm256_set1_ps(0.001F);
    for (int c = 0; c < CHAINS; ++c) chain[c] = _mm256_set1_ps((float)c);
    for (int step = 0; step < STEPS; ++step)
        for (int c = 0; c < CHAINS; ++c) chain[c] = _mm256_fmadd_ps(chain[c], factor, term);
    for (int c = 1; c < CHAINS; ++c) chain[0] = _mm256_add_ps(chain[0], chain[c]);
    _mm256_storeu_ps(out, chain[0]);
}
#endif

__attribute__((optimize("O3"))) static void burn_plain(float *out)
{
    enum { LANES = 4 };
    float chain[CHAINS * LANES];
    for (int i = 0; i < CHAINS * LANES; ++i) chain[i] = (float)i;
    for (int step = 0; step < STEPS; ++step)
        for (int i = 0; i < CHAINS * LANES; ++i) chain[i] = chain[i] * 0.999F + 0.001F;
    for (int i = 0; i < CHAINS * LANES; ++i) out[i % LANES] += chain[i];
}

static burn *choose(int *lanes)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        *lanes = 16;
        return burn_avx512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        *lanes = 8;
        return burn_avx2;
    }
#endif
    *lanes = 4;
    return burn_plain;
}

double bt_rate_measure(void)
{
    float sink[16] = {0};
    int lanes = 0;
    burn *const one = choose(&lanes);
    one(sink); /* wakes the core's clock and its wide units */
    const double start = bt_seconds();
    double now = start, flops = 0;
    while (now - start < 0.02) {
        one(sink);
        flops += 2.0 * lanes * CHAINS * STEPS;
        now = bt_seconds();
    }
    return flops / (now - start);
}
