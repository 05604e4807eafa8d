#include "nn/positions.h"

#include "base/memory.h"
#include "device/backward.h"
#include "device/layers.h"

#include <assert.h>
#include <math.h>

size_t bt_position_bucket(const bt_position_spec *spec, ptrdiff_t distance)
{
    const size_t half = spec->n_bucket / 2, exact = half / 2, first = distance > 0 ? half : 0;
    const size_t far = (size_t)(distance < 0 ? -distance : distance);
    if (far < exact) return first + far;
    const float width = (float)log((double)spec->farthest / (double)exact);
    const float place = logf((float)far / (float)exact) / width * (float)(half - exact);
    const size_t bucket = exact + (size_t)place;
    return first + (bucket < half ? bucket : half - 1);
}

void bt_positions_clear(bt_positions *positions)
{
    bt_free(positions->buckets);
    positions->buckets = NULL;
    positions->reach = 0;
}

static bt_status reach(bt_positions *p, size_t n)
{
    bt_status status = BT_OK;
    if (n <= p->reach) return BT_OK;
    bt_positions_clear(p);
    BT_ALLOC(p->buckets, 2 * n - 1);
    p->reach = n;
    for (size_t i = 0; i < 2 * n - 1; ++i)
        p->buckets[i] = bt_position_bucket(&p->spec, (ptrdiff_t)n - 1 - (ptrdiff_t)i); /* key - query */
cleanup:
    return status;
}

/* Of sequences of up to (columns + 1) / 2 rows. */
static const size_t *buckets_of(const bt_positions *p, size_t columns)
{
    assert(columns / 2 < p->reach);
    return p->buckets + p->reach - 1 - columns / 2;
}

bt_status bt_positions_apply(bt_positions *p, bt_device *device, bt_matrix table, bt_matrix distances)
{
    bt_status status = BT_OK;
    BT_TRY(reach(p, distances.columns / 2 + 1));
    BT_TRY(bt_rows_to_columns(device, table, buckets_of(p, distances.columns), distances));
cleanup:
    return status;
}

bt_status bt_positions_backward(const bt_positions *p, bt_device *device, bt_matrix ddistances, bt_matrix dtable)
{
    return bt_rows_to_columns_backward(device, ddistances, buckets_of(p, ddistances.columns), dtable);
}

bt_matrix bt_by_head(bt_matrix x, size_t heads)
{
    assert(x.stride == x.columns);
    x.rows *= heads;
    x.columns /= heads;
    x.stride = x.columns;
    return x;
}
