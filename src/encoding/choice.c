#include "encoding/choice.h"

bool bt_score_is_better(double a, double b, bt_score_kind kind)
{
    return kind == BT_SCORE_MSE ? a < b : a > b;
}

size_t bt_choose(const double *score, size_t stride, const bt_encode_plan *plan)
{
    size_t best = 0;
    for (size_t a = 1; a < plan->n_alpha; ++a) {
        const double here = score[a * stride], there = score[best * stride];
        const bool ties_win = plan->ties == BT_TIES_LARGER && plan->penalty[a] > plan->penalty[best];
        if (bt_score_is_better(here, there, plan->rule.kind) || (here == there && ties_win)) best = a;
    }
    return best;
}

void bt_choice_ends(const bt_encode_plan *plan, size_t best, bool *lowest, bool *highest)
{
    *lowest = *highest = true;
    for (size_t a = 0; a < plan->n_alpha; ++a) {
        if (plan->penalty[a] < plan->penalty[best]) *lowest = false;
        if (plan->penalty[a] > plan->penalty[best]) *highest = false;
    }
}
