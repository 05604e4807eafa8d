/* A matrix with a row per component of a factor, for products with blocks of voxels: every rank has all rows, or, where
 * these do not fit, each a part of them (spread).
 *
 * Spread rows visit: a few rows at a time are broadcast by the rank that has them, and every rank multiplies its own
 * voxels. For a block of w voxels a rank, r columns elements arrive at each rank. PDGEMM would leave the factor where
 * it is: on a square grid of P ranks sqrt(P) w (columns + r) elements of responses and products arrive, and w (columns
 * + r) more since they must be dealt to the grid and back. Visits send less where w > r columns / ((columns + r)
 * (sqrt(P) + 1)), at r = 3,072, 9,000 columns and 4 ranks above 760 voxels; the plan takes 2,048 where memory allows.
 * And they multiply in float32 too, by the device's products. */
#ifndef BT_ENCODING_COMPONENTS_H
#define BT_ENCODING_COMPONENTS_H

#include "dist/partition.h"
#include "dist/spread.h"
#include "encoding/block.h"

/* Who has which rows. */
typedef struct {
    size_t rank;         /* r, rows of all */
    const bt_comm *comm; /* spread over it by bt_spread_range of `order`, as far as rows are; NULL: all have all */
    size_t order;        /* r or more */
} bt_component_map;

bt_range bt_component_range(const bt_component_map *map); /* mine */
/* The worst status of all ranks where rows are spread, else `status`: for what one rank does between visits.
 * Collective where they are. */
bt_status bt_component_agree(const bt_component_map *map, bt_status status) BT_MUST_CHECK;

typedef struct bt_components bt_components;

bt_status bt_components_create(bt_device *device, const bt_component_map *map, size_t columns, bt_dtype type,
                               bt_components **out) BT_MUST_CHECK;
void bt_components_destroy(bt_components **components); /* takes NULL */

/* Row `row` of all; values (columns) is zero on entry. Called by several threads at once. */
typedef void (*bt_components_row)(const void *context, size_t row, double *values);

/* My rows, as `make` makes them. */
bt_status bt_components_fill(bt_components *components, bt_components_row make, const void *context) BT_MUST_CHECK;
/* My rows (mine, columns). */
bt_status bt_components_put(bt_components *components, const double *rows) BT_MUST_CHECK;

/* Rows [row, row + rows.rows) of all; `rows` is borrowed until it returns. */
typedef bt_status (*bt_components_use)(void *context, size_t row, bt_matrix rows);

/* Every row comes by, in ascending order. Where they are spread: collective, every rank must call as often, with `use`
 * NULL when it only hands its rows out, and all get the worst status. */
bt_status bt_components_visit(const bt_components *components, bt_block *block, bt_components_use use,
                              void *context) BT_MUST_CHECK;

/* out (r, n) = M x + beta out and out (columns, n) = M' x, by visits; n may be 0. */
bt_status bt_components_multiply(const bt_components *components, bt_block *block, bt_matrix x, double beta,
                                 bt_matrix out) BT_MUST_CHECK;
bt_status bt_components_combine(const bt_components *components, bt_block *block, bt_matrix x,
                                bt_matrix out) BT_MUST_CHECK;

/* Bytes per rank, at most, at `rank` rows over n_rank ranks (1: all on each): what stays, and what a visit takes. */
double bt_components_bytes(size_t rank, size_t n_rank, size_t columns, bt_dtype type);
double bt_components_visit_bytes(size_t rank, size_t n_rank, size_t columns, bt_dtype type);

#endif
