/* The predictions of a fit's refit, and their scores. */
#ifndef BT_ENCODING_FIT_TEST_H
#define BT_ENCODING_FIT_TEST_H

#include "encoding/fit.h"

/* Of those of my voxels [low, low + n) whose draw is at work; y and y_test as in bt_fit_block, and
 * collective as it is. */
bt_status bt_fit_test(bt_fit *fit, bt_block *block, size_t low, size_t n, const float *y,
                      const float *y_test) BT_MUST_CHECK;

#endif
