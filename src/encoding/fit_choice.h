/* The choice of each voxel's alpha, and of its draw of band scalings, in a fit. */
#ifndef BT_ENCODING_FIT_CHOICE_H
#define BT_ENCODING_FIT_CHOICE_H

#include "encoding/fit.h"

/* Each of my voxels [low, low + n) takes its own alpha, after all splits of the only draw. One rank. */
void bt_fit_choose(bt_fit *fit, size_t low, size_t n);

#endif
