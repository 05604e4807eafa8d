/* The choice of an alpha by validation scores. */
#ifndef BT_ENCODING_CHOICE_H
#define BT_ENCODING_CHOICE_H

#include "encoding/options.h"

/* Whether score a is better than b. */
bool bt_score_is_better(double a, double b, bt_score_kind kind);

/* The best of (n_alpha) scores with stride `stride`: its index. */
size_t bt_choose(const double *score, size_t stride, const bt_encode_plan *plan);

/* Whether the penalty at `best` is the smallest or the largest of the grid. */
void bt_choice_ends(const bt_encode_plan *plan, size_t best, bool *lowest, bool *highest);

#endif
