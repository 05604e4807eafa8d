/* Hat matrices, X_apply (X'X + A)^-1 X' for every penalty A of the plan: what predicts rows of any number of voxels,
 * one below the other as a buffer (n_alpha n_apply, n_train) in the precision of the plan. */
#ifndef BT_ENCODING_HATS_H
#define BT_ENCODING_HATS_H

#include "encoding/factor.h"
#include "encoding/search.h"

/* P diag(s / (s^2 + A)) U'. One rank. */
bt_status bt_hats_of_factor(bt_device *device, const bt_encode_plan *plan, const bt_factor *factor,
                            const bt_ridge_problem *problem, bt_buffer **out) BT_MUST_CHECK;

/* Without an eigenproblem, by device/shifted.h, in the dual form X_apply X' (X X' + A)^-1 where that is cheaper: about
 * half the time. For penalties that are not too small beside the features, when errors stay below 1e-6, and for few
 * ranks: each reduces the Gram matrix for itself and solves for its share of the penalties. With float32 products, of a
 * long grid of penalties only the poles (poles.h) are solved for. */
enum { BT_HATS_RANKS = 8 };
bool bt_hats_can_solve(const bt_comm *comm, const bt_encode_plan *plan, const bt_ridge_problem *problem);
size_t bt_hats_most_solved(const bt_encode_plan *plan); /* penalties that are solved for, at most */
/* n_solved: the penalties that were. Collective. */
bt_status bt_hats_solve(const bt_comm *comm, bt_device *device, const bt_encode_plan *plan,
                        const bt_ridge_problem *problem, size_t *n_solved, bt_buffer **out) BT_MUST_CHECK;

/* The same in two steps: a reduction by one rank alone, of all that is solved for; and, collective, what all make of
 * it. *hats: of the owner what the first step left, else NULL; it is destroyed. The problem is the same in both. */
typedef struct bt_hats bt_hats;
bt_status bt_hats_reduce(bt_device *device, const bt_encode_plan *plan, const bt_ridge_problem *problem,
                         bt_hats **out) BT_MUST_CHECK;
bt_status bt_hats_finish(const bt_comm *comm, size_t owner, bt_device *device, const bt_encode_plan *plan,
                         const bt_ridge_problem *problem, bt_hats **hats, size_t *n_solved,
                         bt_buffer **out) BT_MUST_CHECK;
void bt_hats_destroy(bt_hats **hats); /* takes NULL */

/* Bytes at most, with what they return: from a factor of rank r that is held beside, and solved. */
double bt_hats_of_factor_bytes(const bt_encode_plan *plan, const bt_ridge_problem *problem, size_t rank);
double bt_hats_solve_bytes(const bt_encode_plan *plan, const bt_ridge_problem *problem);

#endif
