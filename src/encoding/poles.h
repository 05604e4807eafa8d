/* Few penalties in place of many: a component of size x is shrunk by x / (x + A), which is so smooth in log A that its
 * value at any penalty of a long grid is a weighted sum of those at a few, the poles, with weights that do not depend
 * on x. So hat matrices of a grid of 100 penalties over six decades take the solutions at some 25 of them.
 *
 * Poles and weights are those of an empirical interpolation (Barrault, Maday, Nguyen & Patera 2004): of the table of
 * x (m + A) / (m (x + A)) over sizes x and penalties A the largest residual's row and column are taken away, until no
 * residual is above 1e-7; m, the mean size, makes penalties far above all sizes count alike. In units of the table the
 * weights of a penalty add up to 15 at most: so many times the rounding of what is mixed may grow. */
#ifndef BT_ENCODING_POLES_H
#define BT_ENCODING_POLES_H

#include "base/status.h"

#include <stddef.h>

typedef struct {
    size_t n, n_penalty;
    size_t *index;  /* (n) into the penalties */
    double *weight; /* (n_penalty, n): 1 / (x + A_k) = sum_j weight_kj / (x + A_index_j); NULL: each is a pole */
    double error;   /* largest residual of the table */
} bt_poles;

/* What is known of the sizes of components, from a Gram matrix. */
typedef struct {
    double mean; /* sum of squares by sum */
    double most; /* none is larger */
} bt_sizes;

bt_sizes bt_sizes_of_gram(const double *gram, size_t n);

/* The most poles that a grid takes whatever the sizes are: n_penalty, unless less than half of them do. */
size_t bt_poles_most(const double *penalty, size_t n_penalty);
/* most: as that says, or n_penalty: all. */
bt_status bt_poles_choose(const double *penalty, size_t n_penalty, size_t most, bt_sizes sizes,
                          bt_poles *out) BT_MUST_CHECK;
void bt_poles_clear(bt_poles *poles);

#endif
