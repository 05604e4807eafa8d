/* Random numbers: xoshiro256++ (Blackman & Vigna 2019), seeded by splitmix64 from a seed and a stream, so that every
 * story, subject or voxel has its own sequence that depends on no rank and no order of work. */
#ifndef BT_BASE_RANDOM_H
#define BT_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Number `index` of the sequence of `key`: splitmix64 (Steele, Lea & Flood 2014), which can begin anywhere. It needs no
 * state, so any part can be drawn in any order, and again. Numbers may be keys of further sequences. */
static inline uint64_t bt_random_at(uint64_t key, uint64_t index)
{
    uint64_t z = key + (index + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

typedef struct {
    uint64_t state[4];
    double spare; /* the second normal of a pair */
    int has_spare;
} bt_random;

bt_random bt_random_start(uint64_t seed, uint64_t stream);
uint64_t bt_random_stream(const char *name, uint64_t index); /* a stream number from a name, for example "voxel", 17 */
uint64_t bt_random_bits(bt_random *random);
double bt_random_uniform(bt_random *random);                            /* [0, 1) */
double bt_random_normal(bt_random *random);                             /* mean 0, variance 1 */
uint64_t bt_random_below(bt_random *random, uint64_t n);                /* 0 .. n-1 without bias; n > 0 */
void bt_random_permutation(bt_random *random, size_t n, size_t *order); /* Fisher-Yates; order (n) is filled */

#endif
