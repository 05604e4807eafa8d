#include "tuning/objective.h"

void bt_objective_destroy(bt_objective **objective)
{
    if (!*objective) return;
    (*objective)->kind->destroy(*objective);
    *objective = NULL;
}
