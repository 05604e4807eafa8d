/* The objective of brain, random, file: pooled states of one layer through a linear head to the targets of each row
 * (SCIENCE 4.1). The head's columns are spread over the communicator's ranks (tuning/head.h). */
#ifndef BT_TUNING_REGRESSION_H
#define BT_TUNING_REGRESSION_H

#include "tuning/head.h"
#include "tuning/objective.h"
#include "tuning/pool.h"
#include "tuning/targets.h"

typedef struct {
    bt_device *device; /* borrowed, as all of these */
    const bt_comm *comm;
    bt_head_spec head;
    bt_tune_pool pool;
    size_t micro;          /* rows of a rank in a round at most */
    const bt_comm *groups; /* ranks with the same targets of a head that several groups share; NULL: nobody else */
} bt_regression_options;

bt_status bt_regression_create(const bt_regression_options *options, bt_objective **out) BT_MUST_CHECK;
bt_range bt_regression_targets(const bt_objective *objective); /* mine */
const bt_head *bt_regression_head(const bt_objective *objective);

/* Whose rows come next; borrowed. */
void bt_regression_aim(bt_objective *objective, const bt_targets *targets);
const float *bt_regression_predictions(const bt_objective *objective); /* (n, mine) of the latest round */
const float *bt_regression_wanted(const bt_objective *objective);      /* its targets, the same shape */

#endif
