#include "base/order.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

static int compare_places(const void *a, const void *b)
{
    const bt_place *const left = a, *const right = b;
    return (left->value > right->value) - (left->value < right->value);
}

bt_status bt_order(const double *values, size_t n, bt_place **places, size_t *n_place)
{
    bt_status status = BT_OK;
    *n_place = 0;
    BT_ALLOC(*places, n);
    for (size_t i = 0; i < n; ++i)
        if (!isnan(values[i])) (*places)[(*n_place)++] = (bt_place){values[i], i};
    if (*n_place) qsort(*places, *n_place, sizeof **places, compare_places);
cleanup:
    return status;
}
