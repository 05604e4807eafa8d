/* Vectors as wide as the instruction set that the including file is compiled for, the register tile, exp and GELU.
 * Everything here is static: each including file gets its own code. */
#ifndef BT_DEVICE_KERNELS_LANES_H
#define BT_DEVICE_KERNELS_LANES_H

#include "device/kernels/kernels.h"

#include <stdint.h>
#if defined __AVX512F__
#include <immintrin.h>
#endif

#define BT_INLINE static inline __attribute__((always_inline))

/* WIDTH floats fill a register; TILE_ROWS times BT_LANES accumulators fill most of the register file. */
#if defined __AVX512F__
enum { WIDTH = 16, TILE_ROWS = 8 };
typedef float vector __attribute__((vector_size(64)));
typedef int32_t bits __attribute__((vector_size(64)));
typedef double wide __attribute__((vector_size(64)));
#elif defined __AVX2__
enum { WIDTH = 8, TILE_ROWS = 3 };
typedef float vector __attribute__((vector_size(32)));
typedef int32_t bits __attribute__((vector_size(32)));
typedef double wide __attribute__((vector_size(32)));
#else
enum { WIDTH = 4, TILE_ROWS = 1 };
typedef float vector __attribute__((vector_size(16)));
typedef int32_t bits __attribute__((vector_size(16)));
typedef double wide __attribute__((vector_size(16)));
#endif
enum { VECTORS = BT_LANES / WIDTH, WIDE = WIDTH / 2 };

typedef vector loose __attribute__((aligned(4), may_alias)); /* a vector at any float */
typedef wide loose_wide __attribute__((aligned(8), may_alias));

BT_INLINE vector load(const float *x)
{
    return *(const loose *)x;
}

BT_INLINE void store(float *x, vector v)
{
    *(loose *)x = v;
}

BT_INLINE vector fill(float x)
{
    return x - (vector){0};
}

BT_INLINE vector choose(bits mask, vector yes, vector no)
{
    return (vector)((mask & (bits)yes) | (~mask & (bits)no));
}

BT_INLINE vector larger(vector a, vector b)
{
#if defined __AVX512F__
    return (vector)_mm512_max_ps((__m512)a, (__m512)b);
#else
    return choose(a > b, a, b);
#endif
}

BT_INLINE vector smaller(vector a, vector b)
{
    return choose(a < b, a, b);
}

/* c (rows, BT_LANES) = keep[lane] c + sum_k a[r * a_row + k * a_step] b[k * BT_LANES + lane] in its first `vectors`
 * times WIDTH lanes; keep NULL: c is not read. */
BT_INLINE void tile_of(size_t rows, size_t vectors, size_t depth, const float *a, size_t a_row, size_t a_step,
                       const float *b, const float *keep, float *c)
{
    vector sum[2 * TILE_ROWS][VECTORS];
#pragma GCC unroll 16
    for (size_t r = 0; r < rows; ++r)
#pragma GCC unroll 8
        for (size_t v = 0; v < vectors; ++v)
            sum[r][v] = keep ? load(keep + v * WIDTH) * load(c + r * BT_LANES + v * WIDTH) : (vector){0};
    for (size_t k = 0; k < depth; ++k) {
#pragma GCC unroll 16
        for (size_t r = 0; r < rows; ++r) {
            const float x = a[r * a_row + k * a_step];
#pragma GCC unroll 8
            for (size_t v = 0; v < vectors; ++v) sum[r][v] += x * load(b + k * BT_LANES + v * WIDTH);
        }
    }
#pragma GCC unroll 16
    for (size_t r = 0; r < rows; ++r)
#pragma GCC unroll 8
        for (size_t v = 0; v < vectors; ++v) store(c + r * BT_LANES + v * WIDTH, sum[r][v]);
}

BT_INLINE void tile(size_t rows, size_t depth, const float *a, size_t a_row, size_t a_step, const float *b,
                    const float *keep, float *c)
{
    tile_of(rows, VECTORS, depth, a, a_row, a_step, b, keep, c);
}

/* The same for rows <= TILE_ROWS known only at run time. */
BT_INLINE void tile_some(size_t rows, size_t depth, const float *a, size_t a_row, size_t a_step, const float *b,
                         const float *keep, float *c)
{
    if (rows == TILE_ROWS) {
        tile(TILE_ROWS, depth, a, a_row, a_step, b, keep, c);
        return;
    }
    for (size_t r = 0; r < rows; ++r) tile(1, depth, a + r * a_row, a_row, a_step, b, keep, c + r * BT_LANES);
}

/* Half the lanes, for rows <= 2 TILE_ROWS. */
BT_INLINE void tile_half(size_t rows, size_t depth, const float *a, size_t a_row, size_t a_step, const float *b,
                         const float *keep, float *c)
{
    if (rows == 2 * TILE_ROWS) {
        tile_of(2 * TILE_ROWS, VECTORS / 2, depth, a, a_row, a_step, b, keep, c);
        return;
    }
    for (size_t r = 0; r < rows; ++r)
        tile_of(1, VECTORS / 2, depth, a + r * a_row, a_row, a_step, b, keep, c + r * BT_LANES);
}

/* exp(x) for x <= 88, relative error below 2e-7 from -87 on; below, 0 or what is left of it. x = n ln 2 + r,
 * |r| <= ln 2 / 2; the polynomial is a least-maximum fit of (exp(r) - 1 - r) / r^2. */
BT_INLINE vector exponential(vector x)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
#if defined __AVX512F__
    const vector clamped = larger(x, fill(-110.0f));
#else
    const vector clamped = larger(x, fill(-87.0f));
#endif
    const vector shifted = clamped * 1.44269504f + magic;
    const vector n = shifted - magic;
    const vector r = (clamped - n * 0.693145751953125f) - n * 1.42860677e-6f;
    vector p = fill(1.381314360e-03f);
    p = p * r + 8.369418792e-03f;
    p = p * r + 4.166845605e-02f;
    p = p * r + 1.666651517e-01f;
    p = p * r + 4.999999404e-01f;
    p = p * (r * r) + (r + 1.0f);
#if defined __AVX512F__
    return (vector)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
    const bits power = ((bits)shifted + (127 - 0x4b400000)) << 23;
    return choose(x < -87.0f, fill(0.0f), p * (vector)power);
#endif
}

/* erf(x / sqrt 2). Over x it is even; it is a polynomial of degree 16 in u = 2 x^2 / 5.6^2 - 1 (weighted least-maximum
 * fit), x clamped to +-5.6. */
BT_INLINE vector error_function(vector x)
{
    static const float c[] = {
        2.304465306e-04f, -7.274452946e-04f, 8.195843548e-04f, -1.017496688e-03f, 2.914080163e-03f, -6.073256489e-03f,
        9.650457650e-03f, -1.483404543e-02f, 2.239372395e-02f, -3.160381690e-02f, 4.178928211e-02f, -5.260530487e-02f,
        6.394977123e-02f, -7.669258118e-02f, 9.396137297e-02f, -1.261025369e-01f, 2.525191903e-01f};
    const vector clamped = smaller(larger(x, fill(-5.6f)), fill(5.6f));
    const vector u = clamped * clamped * (2.0f / (5.6f * 5.6f)) - 1.0f;
    vector p = fill(c[0]);
#pragma GCC unroll 16
    for (int i = 1; i < 17; ++i) p = p * u + c[i];
    return clamped * p;
}

/* GELU(x) = x / 2 (1 + erf(x / sqrt 2)), the exact form. Absolute error below 7e-7 for all x, below 4e-7 for |x| < 3,
 * with or without fused multiply-add. */
BT_INLINE vector gelu(vector x)
{
    const vector half = 0.5f * x;
    return half * error_function(x) + half;
}

/* Phi(x) + x phi(x), the derivative of GELU. */
BT_INLINE vector gelu_slope(vector x)
{
    const vector density = 0.398942280f * exponential(-0.5f * x * x);
    return 0.5f * error_function(x) + 0.5f + x * density;
}

#endif
