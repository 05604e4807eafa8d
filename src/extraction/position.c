#include "extraction/position.h"

#include <math.h>

/* Bumps of a story: the last one lies at its last row or behind it. */
static size_t count_bumps(const bt_bumps *bumps, size_t story)
{
    return 1 + (size_t)ceil((double)(bumps->stories->items[story].n_tr - 1) / bumps->width);
}

size_t bt_bumps_shared(const bt_bumps *bumps)
{
    size_t most = 0;
    for (size_t s = 0; s < bumps->stories->n; ++s)
        if (count_bumps(bumps, s) > most) most = count_bumps(bumps, s);
    return most;
}

static size_t count_before(const bt_bumps *bumps, size_t story)
{
    size_t n = 0;
    for (size_t s = 0; s < story; ++s) n += count_bumps(bumps, s);
    return n;
}

size_t bt_bumps_own(const bt_bumps *bumps)
{
    return count_before(bumps, bumps->stories->n);
}

/* Columns [first, first + n) of values (n_tr, columns). */
static void fill(const bt_bumps *bumps, size_t story, size_t first, size_t n, size_t columns, float *values)
{
    for (size_t i = 0; i < bumps->stories->items[story].n_tr; ++i)
        for (size_t k = 0; k < n; ++k) {
            const double distance = (double)i / bumps->width - (double)k;
            values[i * columns + first + k] = (float)exp(-distance * distance / 2);
        }
}

void bt_bumps_position(const bt_bumps *bumps, size_t story, float *values)
{
    const size_t columns = bt_bumps_shared(bumps);
    fill(bumps, story, 0, columns, columns, values);
}

void bt_bumps_autocorrelation(const bt_bumps *bumps, size_t story, float *values)
{
    fill(bumps, story, count_before(bumps, story), count_bumps(bumps, story), bt_bumps_own(bumps), values);
}
