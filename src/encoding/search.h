/* Validation scores of every voxel at every alpha: the direct search, one product per alpha and block of voxels. */
#ifndef BT_ENCODING_SEARCH_H
#define BT_ENCODING_SEARCH_H

#include "encoding/fit.h"

/* Collective over problem->comm. score (n_alpha, my voxels): unweighted mean over splits of the plan's rule; nothing
 * (my voxels): mean over splits of mean y^2, the mse of predicting nothing. */
bt_status bt_search(const bt_fit_problem *problem, double *score, double *nothing) BT_MUST_CHECK;

#endif
