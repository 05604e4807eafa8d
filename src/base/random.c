#include "base/random.h"

#include <math.h>

static uint64_t splitmix(uint64_t *state)
{
    const uint64_t z = bt_random_at(*state, 0);
    *state += 0x9e3779b97f4a7c15u;
    return z;
}

static uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

bt_random bt_random_start(uint64_t seed, uint64_t stream)
{
    bt_random random = {.has_spare = 0};
    uint64_t mix = seed;
    mix = splitmix(&mix) ^ stream;
    for (int i = 0; i < 4; ++i) random.state[i] = splitmix(&mix);
    return random;
}

uint64_t bt_random_stream(const char *name, uint64_t index)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a over the name, then mixed with the index */
    for (const char *c = name; *c; ++c) hash = (hash ^ (uint64_t)(unsigned char)*c) * 0x100000001b3u;
    uint64_t mix = hash ^ (index * 0x9e3779b97f4a7c15u);
    return splitmix(&mix);
}

uint64_t bt_random_bits(bt_random *random)
{
    uint64_t *const s = random->state;
    const uint64_t result = rotate(s[0] + s[3], 23) + s[0];
    const uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

double bt_random_uniform(bt_random *random)
{
    return (double)(bt_random_bits(random) >> 11) * 0x1.0p-53;
}

/* Marsaglia's polar method. */
double bt_random_normal(bt_random *random)
{
    if (random->has_spare) {
        random->has_spare = 0;
        return random->spare;
    }
    double u, v, square;
    do {
        u = 2.0 * bt_random_uniform(random) - 1.0;
        v = 2.0 * bt_random_uniform(random) - 1.0;
        square = u * u + v * v;
    } while (square >= 1.0 || square <= 0.0);
    const double scale = sqrt(-2.0 * log(square) / square);
    random->spare = v * scale;
    random->has_spare = 1;
    return u * scale;
}

uint64_t bt_random_below(bt_random *random, uint64_t n)
{
    const uint64_t reject = (0 - n) % n; /* 2^64 mod n */
    for (;;) {
        const uint64_t bits = bt_random_bits(random);
        if (bits >= reject) return bits % n;
    }
}

void bt_random_permutation(bt_random *random, size_t n, size_t *order)
{
    for (size_t i = 0; i < n; ++i) order[i] = i;
    for (size_t i = n; i > 1; --i) {
        const size_t j = (size_t)bt_random_below(random, i);
        const size_t kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
}
