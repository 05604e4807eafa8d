/* Numbers in ascending order that know where they stood. */
#ifndef BT_BASE_ORDER_H
#define BT_BASE_ORDER_H

#include "base/status.h"

#include <stddef.h>

typedef struct {
    double value;
    size_t at; /* index before */
} bt_place;

/* The values (n) that are not NaN, ascending: *places (*n_place), to be freed with bt_free. */
bt_status bt_order(const double *values, size_t n, bt_place **places, size_t *n_place) BT_MUST_CHECK;

#endif
