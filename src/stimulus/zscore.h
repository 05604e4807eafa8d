/* Columns of mean 0 and variance 1. */
#ifndef BT_STIMULUS_ZSCORE_H
#define BT_STIMULUS_ZSCORE_H

#include <stddef.h>

/* In place, x (n_row, n_feature): each column to mean 0 and variance 1 (ddof 0); a constant column becomes 0. */
void bt_zscore(double *x, size_t n_row, size_t n_feature);

#endif
